"""A user's mistakes in one line each, without a traceback: rule; got what (where); what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clbench.errors import ConfigurationError, known
from clbench.launcher.parts import one_line
from clbench.launcher.places import compose

NO_CHOICE = "Config group override must be a string or a list"
"""What Hydra says, by a ValueError, of `group=null`."""

MOST = 50
"""Mistakes that are looked for in one command."""


def explain(error: BaseException, arguments: Sequence[str]) -> list[str] | None:
    """Return the lines that tell a mistake in a configuration, None for any other error.

    Hydra stops at the first mistake; the command is composed again without it, to name the others too.

    Args:
        error: what ended the command.
        arguments: the command's, without its name.
    """
    if isinstance(error, ConfigurationError):
        return list(error.problems)
    nothing = [word for word in _overrides(arguments) if word.endswith("=null")]
    if nothing and NO_CHOICE in str(error):
        return [f"A choice must be one of its group's; got {nothing[0]}. clbench --help names them."]
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return None
    overrides = _overrides(arguments)
    found = []
    for _ in range(MOST):
        culprit = find_culprit(error, overrides)
        found.append((error, culprit))
        overrides = [word for word in overrides if word != culprit]
        try:
            config = compose(_first_values(overrides)) if culprit is not None else None
            break
        except (HydraException, OmegaConfBaseException) as another:
            error, config = another, None
    lines = [describe_error(error, culprit, config, overrides) for error, culprit in found]
    return list(dict.fromkeys([*lines, *_bounds(config, overrides)]))


def describe_error(
    error: Exception, culprit: str | None, config: DictConfig | None, overrides: Sequence[str] = ()
) -> str:
    """Return one of Hydra's errors as a line of ours, or in its own words where it isn't known.

    Args:
        error: Hydra's or OmegaConf's.
        culprit: the override that caused it, None if it can't be told.
        config: what the right overrides compose to (of a sweep its first job), for the names that would
            have been right.
        overrides: the right ones.
    """
    text = str(error)
    if match := re.search(
        r"Could not find '([^']*)/([^'/]*)'\s+Available options in '[^']*':\s*(.*)", text, re.S
    ):
        group, choice, options = match.groups()
        names = options.partition("Config search path")[0].split()
        return f"A choice must be one of its group's; got {group}={choice}. {known(names)}"
    if text.startswith("Could not override") and culprit is not None:
        return _unknown_key(culprit, config, overrides)
    if match := re.match(r"Ambiguous value for argument '(.*?)'\s", text):
        got = match.group(1)
        return (
            f"Several values are a sweep; got {got} in a single run. Add -m, or write key=[a,b] for a list."
        )
    if match := re.match(r"(?:Error parsing override '|LexerNoViableAltException: )(.*?)'?\n", text, re.S):
        return f"An override must read key=value; got {match.group(1)}. Quote a text with signs: key='\"…\"'."
    if text.startswith("Error merging override") and culprit is not None:
        reason = str(error.__cause__ or text).splitlines()[0]
        return f"A value must be of its key's type; got {culprit} ({reason}). Correct the value."
    return one_line(error)


def find_culprit(error: Exception, overrides: Sequence[str]) -> str | None:
    """Return the override that an error of Hydra's speaks of."""
    text = str(error)
    patterns = (
        r"Could not find '([^']*)/[^'/]*'",
        r"Could not override '([^']*)'",
        r"Error merging override ([^=\s]*)=",
        r"Ambiguous value for argument '([^=']*)=",
        r"Error parsing override '(.*?)'\n",
        r"LexerNoViableAltException: (.*?)\n",
        r"Could not (?:append to|delete from) config\..*?'([^']*)'",
    )
    for pattern in patterns:
        if match := re.search(pattern, text, re.S):
            for word in overrides:
                if match.group(1) in (word, _key(word)):
                    return word
    return None


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _unknown_key(culprit: str, config: DictConfig | None, overrides: Sequence[str]) -> str:
    """Return the line for a key that doesn't exist, with the names beside it."""
    parent, _, _ = _key(culprit).rpartition(".")
    if parent.partition(".")[0] == "hydra":
        return (
            f"A key must exist in the configuration; got {culprit}. See clbench --cfg hydra for Hydra's own."
        )
    node = OmegaConf.select(config, parent) if parent and config is not None else config
    if lacking := _lacking(_key(culprit), overrides):
        return (
            f"A key must exist in every run of a sweep; got {culprit}, which is not in "
            f"{' and '.join(lacking)}. Sweep the others by themselves, or write a study with grids."
        )
    names = [str(key) for key in node if not str(key).startswith("_")] if isinstance(node, DictConfig) else []
    hint = known(f"{parent}.{name}" if parent else name for name in names)
    return (
        f"A key must exist in the configuration; got {culprit}. {hint if names else f'{parent} has no keys.'}"
    )


def _lacking(key: str, overrides: Sequence[str]) -> list[str]:
    """Return the choices of a key's group without it, where the group is swept and another choice has it."""
    group = key.partition(".")[0]
    swept = next((word for word in overrides if _key(word) == group and "," in word), None)
    if swept is None:
        return []
    others = [word for word in overrides if word != swept]
    parent, _, name = key.rpartition(".")
    choices = [f"{group}={value}" for value in swept.partition("=")[2].split(",")]
    nodes = [OmegaConf.select(compose(_first_values([*others, choice])), parent) for choice in choices]
    lacking = [
        choice
        for choice, node in zip(choices, nodes, strict=True)
        if not (isinstance(node, DictConfig) and name in node)
    ]
    return lacking if len(lacking) < len(choices) else []


def _overrides(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that are overrides, neither flags nor what belongs to a flag."""
    with_value = ("--cfg", "-c", "--package", "-p", "--config-dir", "-cd", "--config-path", "-cp")
    with_value += ("--config-name", "-cn", "--info", "-i")
    return [
        word
        for before, word in zip(["", *arguments], arguments, strict=False)
        if not word.startswith("-") and before not in with_value
    ]


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


def _bounds(config: DictConfig | None, overrides: Sequence[str]) -> list[str]:
    """Return what else is wrong with a configuration that composes.

    Looking imports torch, two seconds: not done where all values are the defaults, which tests keep right.
    """
    sets_values = any("." in _key(word) or _key(word) == "device" for word in overrides)
    if config is None or not sets_values:
        return []
    from clbench.launcher.jobs import problems_of

    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return problems_of({str(key): value for key, value in plain.items()})
