"""Whether plain values are of the kinds that a class's fields are annotated with, a line for each."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from clbench.errors import known, shown
from clbench.field_types import alternatives, type_of
from clbench.launcher.renamed import renamed_problem

WORDS = {float: "a number", int: "a whole number", bool: "true or false", str: "text", tuple: "a list"}
"""The plain kinds, as an error calls them."""


def kind_problems(place: str, kind: type, given: Mapping[str, Any]) -> Iterable[str]:
    """Yield a line for every field that a dataclass doesn't have, lacks, or is given a value of another kind.

    Args:
        place: where the fields stand, such as `strategy.importance`.
        kind: the dataclass.
        given: the fields by name, as plain data.
    """
    fields = {item.name: item for item in dataclasses.fields(kind) if item.init}
    for key, value in given.items():
        if key not in fields:
            names = known(fields) if fields else "It has none."
            got = f"{place}.{key}={shown(value)}"
            line = f"{kind.__name__} must be given fields that it has; got {got}. {names}"
            siblings = [f"{place}.{name}" for name in fields]
            yield renamed_problem(f"{place}.{key}", shown(value), siblings) or line
        else:
            yield from value_problems(f"{place}.{key}", value, hints(kind).get(key))
    for key, item in fields.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and key not in given:
            yield f"{kind.__name__} must be given {place}.{key}; got nothing. Set {place}.{key}=…."


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """Return the types of a dataclass's fields; None, which is not checked, where a name can't be found."""
    return {item.name: type_of(kind, item.name) for item in dataclasses.fields(kind)}


def is_part(hint: Any) -> bool:
    """Return whether a field holds a part: an instance of a dataclass."""
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def is_concrete(hint: Any) -> bool:
    """Return whether a field can hold instances of this very dataclass."""
    return is_part(hint) and not inspect.isabstract(hint)


def value_problems(place: str, value: Any, hint: Any) -> Iterable[str]:
    """Yield a line where a plain value isn't of a kind that its field is annotated with.

    Fields of parts within the value are left to those who look at each part.
    """
    accepted = [kind for kind in alternatives(hint) if kind is not type(None)]
    sequence = next((kind for kind in accepted if (get_origin(kind) or kind) is tuple), None)
    parts = [kind for kind in accepted if is_part(kind)]
    if (value is None and len(accepted) < len(alternatives(hint))) or not accepted:
        return
    if isinstance(value, (list, tuple)) and sequence is not None:
        yield from _item_problems(place, value, get_args(sequence))
    elif isinstance(value, Mapping) and ("_target_" in value or any(map(is_concrete, parts))) and parts:
        return
    elif len(parts) == len(accepted):
        yield f"{place} must be a part {{_target_: class, …}}; got {place}={shown(value)}. Name a class."
    else:
        plain = [get_origin(kind) or kind for kind in accepted if kind not in parts]
        if all(kind in WORDS for kind in plain) and not any(_is(kind, value) for kind in plain):
            rule = " or ".join([*(WORDS[kind] for kind in plain), *(["a part"] if parts else [])])
            yield f"{place} must be {rule}; got {place}={shown(value)}{_advice(place, value, hint)}"


def _is(kind: Any, value: Any) -> bool:
    """Return whether a plain value is of a plain kind; a whole number is also a number."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _item_problems(place: str, values: Iterable[Any], kinds: tuple[Any, ...]) -> Iterable[str]:
    """Yield a line for every item of a list that is of another kind."""
    if not kinds:
        return
    listed = [kind for kind in kinds if kind is not Ellipsis]
    for index, value in enumerate(values):
        item = listed[min(index, len(listed) - 1)]
        if is_concrete(item) and not isinstance(value, Mapping):
            names = ", ".join(each.name for each in dataclasses.fields(item))
            yield (
                f"{place} must be a list of {{field: value, …}}; got {place}.{index}={shown(value)}. "
                f"Fields: {names}. Put the whole argument into quotes, which keep the shell from its braces."
            )
        else:
            yield from value_problems(f"{place}.{index}", value, item)


def _advice(place: str, value: Any, hint: Any) -> str:
    """Return how an error's line goes on where a text stands for a number, or a number for a text."""
    if isinstance(value, str):
        read = _read(value)
        if not isinstance(read, str) and not list(value_problems(place, read, hint)):
            return (
                ", which is a text. Write it without quotes, or, where it is read from the environment, "
                f"'{place}=\"${{oc.decode:${{oc.env:…}}}}\"'."
            )
    if str in alternatives(hint) and isinstance(value, (int, float)):
        quoted = shlex.quote(f'{place}="{shown(value)}"')
        return f". Quote it: {quoted}."
    return ". Correct the value."


def _read(text: str) -> Any:
    """Return what a text would be in a configuration's file."""
    try:
        items = OmegaConf.to_container(OmegaConf.create(f"- {text}"))
    except (YAMLError, OmegaConfBaseException, ValueError):
        return text
    return items[0] if isinstance(items, list) and len(items) == 1 else text
