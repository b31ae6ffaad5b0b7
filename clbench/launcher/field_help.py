"""What the fields of the parts that a command names mean: the end of `clbench strategy=ewc --help`.

What a field may be is read from its declaration, and what it means from there or from its class's docstring.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from omegaconf import DictConfig, OmegaConf

from clbench.config import Evaluation, Training
from clbench.errors import shown
from clbench.execution import FIELDS, Execution
from clbench.field_types import alternatives, is_list, owner_of, type_of
from clbench.fields import Choice, Declaration, declaration_of
from clbench.launcher.kinds import WORDS, is_concrete
from clbench.launcher.parts import locate
from clbench.launcher.schema import PARTS

TYPED = {"training": Training, "evaluation": Evaluation}
ENTRY = re.compile(r" {4}(\w+(?:, \w+)*): (.*)")


def resolve_help(*, _root_: DictConfig) -> str:
    """Resolve `${field_help:}`, the part of Hydra's help template in which a dollar is written twice."""
    config: Any = OmegaConf.to_container(_root_)
    return field_help(config, _root_.hydra.overrides.task).replace("$", "$$")


def field_help(config: Mapping[str, Any], overrides: Iterable[str]) -> str:
    """Return a section for every part that the overrides choose or change; nothing where there is none.

    Args:
        config: the composed configuration, as plain data.
        overrides: the command's.
    """
    keys = [re.split(r"[.=]", word.lstrip("+~"))[0] for word in overrides]
    named = [key for key in (*PARTS, *TYPED) if key in keys]
    sections = ["\n".join(_section(key, config.get(key), TYPED.get(key))) for key in named]
    if {*FIELDS, "execution"} & set(keys):
        sections.append("\n".join(_section("", config, Execution)))
    return "".join(f"{section.lstrip()}\n\n" for section in sections if section)


def meanings(kind: type) -> dict[str, str]:
    """Return what a class's docstring says of its fields under `Args:`, a line each."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in inspect.cleandoc(kind.__doc__ or "").partition("Args:\n")[2].splitlines():
        if line and not line.startswith(" "):
            break
        if entry := ENTRY.fullmatch(line):
            names = entry[1].split(", ")
        for name in names:
            found[name] = f"{found.get(name, '')} {entry[2] if entry else line.strip()}".strip()
    return found


def _section(place: str, node: Any, kind: Any) -> Iterator[str]:
    """Yield the lines of a part and of the parts in its fields; none where its class can't be found."""
    values = node if isinstance(node, Mapping) else {}
    with contextlib.suppress(Exception):  # a run reports what is wrong with the name of a class
        kind = locate(values["_target_"]) if "_target_" in values else kind
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return
    about = inspect.cleandoc(kind.__doc__ or "").partition("Args:\n")[0].rstrip()
    yield f"\n== Fields of {f'{place}: ' if place else ''}{kind.__name__} ==\n{about}\n"
    within = f"{place}." if place else ""
    for item in dataclasses.fields(kind):
        yield from _field(f"{within}{item.name}", kind, item, values.get(item.name, item.default))
    for item in dataclasses.fields(kind):
        yield from _inner(f"{within}{item.name}", type_of(kind, item.name), values.get(item.name))


def _inner(place: str, hint: Any, value: Any) -> Iterator[str]:
    """Yield the sections of the parts that a field holds; for an empty list, of what an item would be."""
    item = next((one for one in get_args(hint) if is_concrete(one)), None)
    if isinstance(value, (list, tuple)) and (value or item):
        for index, one in enumerate(value or [{}]):
            yield from _section(f"{place}.{index}", one, item)
    elif isinstance(value, Mapping):
        yield from _section(place, value, hint)


def _field(place: str, kind: type, item: dataclasses.Field[Any], value: Any) -> Iterator[str]:
    """Yield the lines of one field: its value here and what it may be, then what it means."""
    declaration = declaration_of(item)
    given = "" if isinstance(value, Mapping) or value is dataclasses.MISSING else f"={shown(value)}"
    rule = _rule(kind, item, declaration)
    yield f"  {place}{given}" + (f"  ({rule})" if rule else "")
    said = declaration.help if declaration else ""
    text = said or meanings(owner_of(kind, item.name)).get(item.name, "")
    yield from textwrap.wrap(text, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _rule(kind: type, item: dataclasses.Field[Any], declaration: Declaration | None) -> str:
    """Return what a field may be."""
    if declaration is None:
        return next((WORDS[one] for one in alternatives(type_of(kind, item.name)) if one in WORDS), "")
    rule = ", ".join(declaration.choices) if isinstance(declaration, Choice) else declaration.rule()
    each = "each " if is_list(kind, item.name) else ""
    null = f"; null for {declaration.none}" if declaration.none else ""
    return each + rule + null + (f"; in {declaration.unit}" if declaration.unit else "")
