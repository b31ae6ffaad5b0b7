"""A user's mistakes in one line each, without a traceback: rule; got what (where); what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clbench.errors import ConfigurationError, known
from clbench.execution import OF_RUN
from clbench.launcher.arguments import CommandLine, read
from clbench.launcher.grammar import parsed, rejoin, unreadable
from clbench.launcher.parts import one_line
from clbench.launcher.places import GROUP, compose
from clbench.launcher.renamed import RENAMED, renamed_problem
from clbench.launcher.schema import PARTS

NO_CHOICE = "Config group override must be a string or a list"
"""What Hydra says, by a ValueError, of `group=null`."""

MOST = 50
"""Mistakes that are looked for in one command."""

PATTERNS = (
    r"Could not find '([^']*)/[^'/]*'",
    r"Could not override '([^']*)'",
    r"Error merging override ([^=\s]*)=",
    r"Ambiguous value for argument '([^=']*)=",
    r"Could not (?:append to|delete from) config\..*?'([^']*)'",
)
"""How Hydra names the key of a mistake."""


def explain(error: BaseException, arguments: Sequence[str]) -> list[str] | None:
    """Return the lines that report a mistake in a configuration, None for any other error.

    Hydra stops at the first mistake; the command is composed again without it, to name the others too.
    What only looks wrong without it (the fields of a choice that couldn't be found) is not reported.

    Args:
        error: what ended the command.
        arguments: the command's, without its name.
    """
    if isinstance(error, ConfigurationError):
        return list(error.problems)
    if not _is_known(error):
        return None
    line = read(arguments)
    right, lines = rejoin(line.overrides)
    pending, config = _compose(line, right) if lines else (error, None)
    wrong: list[str] = []
    found = []
    while pending is not None:
        culprit = find_culprit(pending, right)
        if culprit is None or not _depends(_key(culprit), wrong):
            found.append((pending, culprit))
        if culprit is None or len(found) > MOST:
            break
        if not _is_ambiguous(pending):  # of several values the first goes on
            right.remove(culprit)
            wrong.append(_key(culprit))
        pending, config = _compose(line, right)
    lines += [describe_error(error, culprit, config, line, right) for error, culprit in found]
    return list(dict.fromkeys([*lines, *_bounds(config, right, wrong)]))


def _is_known(error: BaseException) -> bool:
    return isinstance(error, (HydraException, OmegaConfBaseException)) or NO_CHOICE in str(error)


def _is_ambiguous(error: BaseException) -> bool:
    return str(error).startswith("Ambiguous value")


def _compose(
    line: CommandLine, overrides: Sequence[str]
) -> tuple[BaseException, None] | tuple[None, DictConfig]:
    """Return what is wrong with some of a command's overrides, or what its first job composes to."""
    try:
        return None, compose(_first_values(overrides), line.config_name, line.folder)
    except Exception as error:
        if not _is_known(error):
            raise
        return error, None


def describe_error(
    error: BaseException,
    culprit: str | None,
    config: DictConfig | None,
    line: CommandLine,
    overrides: Sequence[str] = (),
) -> str:
    """Return one of Hydra's errors as a line of ours, or in its own words where it isn't known.

    Args:
        error: Hydra's or OmegaConf's.
        culprit: the override that caused it, None if it isn't known.
        config: what the right overrides compose to (of a sweep its first job), for the names that would
            have been right.
        line: the command.
        overrides: the right ones.
    """
    text = str(error)
    if isinstance(error, OverrideParseException):
        return unreadable(error.override)
    if NO_CHOICE in text and culprit is not None:
        return f"A choice must be one of its group's; got {culprit}. clbench --help names them."
    if match := re.search(
        r"Could not find '([^']*)/([^'/]*)'\s+Available options in '[^']*':\s*(.*)", text, re.S
    ):
        group, choice, options = match.groups()
        names = options.partition("Config search path")[0].split()
        return f"A choice must be one of its group's; got {group}={choice}. {known(names)}"
    if text.startswith("Could not override") and culprit is not None:
        return _unknown_key(culprit, config, line, overrides)
    if match := re.search(r"Could not override '.*use \+([\w.]+)=(.*)", text, re.S):  # a study's
        return renamed_problem(match[1], match[2].strip(), RENAMED.values()) or one_line(error)
    if _is_ambiguous(error):
        got = culprit or text.splitlines()[0]
        return (
            f"Several values are a sweep; got {got} in a single run. Add -m, or write key=[a,b] for a list."
        )
    if text.startswith("Error merging override") and culprit is not None:
        reason = str(error.__cause__ or text).splitlines()[0]
        return f"A value must be of its key's type; got {culprit} ({reason}). Correct the value."
    return one_line(error)


def find_culprit(error: BaseException, overrides: Sequence[str]) -> str | None:
    """Return the override that an error of Hydra's speaks of."""
    if isinstance(error, OverrideParseException):
        return error.override if error.override in overrides else None
    if NO_CHOICE in str(error):
        return next((word for word in overrides if _is_no_choice(word)), None)
    for pattern in PATTERNS:
        if match := re.search(pattern, str(error), re.S):
            return next((word for word in overrides if match.group(1) == _key(word)), None)
    return None


def _is_no_choice(word: str) -> bool:
    override = parsed(word)
    return (
        override is not None
        and ("/" in _key(word) or _key(word) in (*PARTS, "evaluation", "execution", GROUP))
        and not override.is_sweep_override()
        and not isinstance(override.value(), (str, list, dict))
    )


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _depends(key: str, wrong: Sequence[str]) -> bool:
    """Return whether a key lies below one whose value is wrong, so that nothing is known of it."""
    return any(key.startswith(f"{other}.") for other in wrong)


def _unknown_key(culprit: str, config: DictConfig | None, line: CommandLine, overrides: Sequence[str]) -> str:
    """Return the line for a key that doesn't exist, with the names beside it."""
    parent, _, _ = _key(culprit).rpartition(".")
    if parent.partition(".")[0] == "hydra":
        return (
            f"A key must exist in the configuration; got {culprit}. See clbench --cfg hydra for Hydra's own."
        )
    node = OmegaConf.select(config, parent) if parent and config is not None else config
    names = [str(key) for key in node if not str(key).startswith("_")] if isinstance(node, DictConfig) else []
    existing = [f"{parent}.{name}" if parent else name for name in names]
    if (new := RENAMED.get(_key(culprit))) and _lacking(new, line, overrides):
        existing.append(new)  # another choice of the sweep has it
    if found := renamed_problem(_key(culprit), culprit.partition("=")[2], existing):
        return found
    if lacking := _lacking(_key(culprit), line, overrides):
        return (
            f"A key must exist in every run of a sweep; got {culprit}, which is not in "
            f"{' and '.join(lacking)}. Sweep the others by themselves, or write a study with grids."
        )
    hint = known(existing) if existing else f"{parent} has no keys."
    return f"A key must exist in the configuration; got {culprit}. {hint}"


def _lacking(key: str, line: CommandLine, overrides: Sequence[str]) -> list[str]:
    """Return the choices of a key's group without it, where the group is swept and another choice has it."""
    group = key.partition(".")[0]
    swept = next((word for word in overrides if _key(word) == group and "," in word), None)
    if swept is None:
        return []
    override = parsed(swept)
    choices = list(override.sweep_string_iterator()) if override and override.is_discrete_sweep() else []
    others = [word for word in overrides if word != swept]
    parent, _, name = key.rpartition(".")
    lacking = []
    for choice in choices:
        _, config = _compose(line, [*others, f"{group}={choice}"])
        node = None if config is None else OmegaConf.select(config, parent)
        if not (isinstance(node, DictConfig) and name in node):
            lacking.append(f"{group}={choice}")
    return lacking if len(lacking) < len(choices) else []


def _first_values(overrides: Sequence[str]) -> list[str]:
    """Return overrides of one job: of each sweep its first value."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    found = []
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if not override.is_sweep_override():
            found.append(str(override.input_line))
        elif override.is_discrete_sweep() and "glob(" not in str(override.input_line):
            found.append(f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}")
    return found


def _bounds(config: DictConfig | None, right: Sequence[str], wrong: Sequence[str]) -> list[str]:
    """Return what else is wrong with a configuration that composes.

    Looking imports torch, two seconds: not done where all values are the defaults, which tests keep right.

    Args:
        config: the configuration without the wrong overrides.
        right: the overrides in it.
        wrong: keys of those that are left out. What is found must speak of the right ones and of none of
            these, since the values in their place are nobody's.
    """
    keys = [_key(word) for word in right]
    if config is None or not any("." in key or key in OF_RUN for key in keys):
        return []
    from clbench.launcher.building import problems_of
    from clbench.launcher.jobs import plain_task

    fits = not any(key.partition(".")[0] in ("stream", "model") for key in wrong)
    found = problems_of(plain_task(config), fits)
    return [line for line in found if _speaks_of(line, keys) and not _speaks_of(line, wrong)]


def _speaks_of(line: str, keys: Sequence[str]) -> bool:
    return any(re.search(rf"(?<![\w.]){re.escape(key)}(?!\w)", line) for key in keys)
