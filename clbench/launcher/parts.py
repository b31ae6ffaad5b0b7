"""Parts made from their configuration by `_target_`, with every mistake told in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import inspect
import math
import re
import types
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from clbench.errors import ConfigurationError, known, raise_together


def make_part(name: str, node: Any, like: Any = None) -> Any:
    """Return a part from its configuration `{_target_: class, field: value, …}`.

    Args:
        name: of the part: `stream`, `model`, `strategy` or `optimizer`.
        node: its configuration, as plain data.
        like: a part of the same class that differs in plain fields only, which is copied (Hydra takes a
            millisecond and more to make one).

    Raises:
        ConfigurationError: no such class, unknown or missing fields, values of the wrong type.
    """
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise ConfigurationError(
            f"A part must have a class; got {name}={_shown(node)}. Choose one of the group: {name}=…, or set "
            f"{name}._target_."
        )
    node = _with_classes(node)
    raise_together(_node_problems(name, node))
    from hydra.errors import HydraException
    from hydra.utils import instantiate

    if dataclasses.is_dataclass(like) and not isinstance(like, type):
        plain = {item.name for item in dataclasses.fields(like) if item.init} & plain_fields(node)
        with contextlib.suppress(
            Exception
        ):  # a class that refuses the values does so below, in Hydra's words
            return _settled(dataclasses.replace(like, **{key: node[key] for key in plain}))
    try:
        return _settled(instantiate(dict(node), _convert_="all"))
    except ConfigurationError:
        raise
    except HydraException as error:
        cause = error.__cause__ or error
        raise ConfigurationError(
            f"A part's class must accept its fields; got {one_line(cause)} "
            f"({name}._target_={node['_target_']}). Correct the fields, or the class."
        ) from error


def _with_classes(node: Any, hint: Any = None) -> Any:
    """Return a configuration in which mappings name their class, where a field can hold one class only.

    Args:
        node: the configuration.
        hint: what the field that holds it is annotated with.
    """
    if isinstance(node, (list, tuple)):
        inner = get_args(hint)[0] if get_origin(hint) is tuple else None
        return [_with_classes(item, inner) for item in node]
    if not isinstance(node, Mapping):
        return node
    if "_target_" not in node and _is_concrete(hint):
        node = {"_target_": f"{hint.__module__}.{hint.__qualname__}", **node}
    hints: dict[str, Any] = {}
    if any(isinstance(value, (Mapping, list, tuple)) for value in node.values()):
        with contextlib.suppress(Exception):  # a class that can't be found is told later
            hints = _hints(locate(node["_target_"]))
    return {key: _with_classes(value, hints.get(key)) for key, value in node.items()}


def _is_concrete(hint: Any) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint) and not inspect.isabstract(hint)


def plain_fields(node: Mapping[str, Any]) -> set[str]:
    """Return the fields whose values are numbers, texts or nothing."""
    kinds = (bool, int, float, str, type(None))
    return {key for key, value in node.items() if not key.startswith("_") and isinstance(value, kinds)}


def _node_problems(place: str, node: Any) -> Iterable[str]:
    """Yield a line for every class that can't be found and every field that it doesn't have."""
    if isinstance(node, (list, tuple)):
        for index, item in enumerate(node):
            yield from _node_problems(f"{place}.{index}", item)
    if not isinstance(node, Mapping):
        return
    if "_target_" in node:
        yield from _target_problems(place, node)
    for key, item in node.items():
        yield from _node_problems(f"{place}.{key}", item)


def _target_problems(place: str, node: Mapping[str, Any]) -> Iterable[str]:
    target = node["_target_"]
    try:
        kind = locate(target)
    except Exception as error:  # a user's module may fail in any way while it is imported
        reason = one_line(error)
        yield (
            f"{place}._target_ must name a class that can be imported; got {place}._target_={target} "
            f"({reason}). Check the name, and that its module is installed or lies in the working directory."
        )
        return
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return
    fields = {item.name: item for item in dataclasses.fields(kind) if item.init}
    given = {key: value for key, value in node.items() if not key.startswith("_") and key != "name"}
    given |= {"name": node["name"]} if "name" in node and "name" in fields else {}
    for key, value in given.items():
        if key not in fields:
            names = known(fields) if fields else "It has none."
            got = f"{place}.{key}={_shown(value)}"
            yield f"{kind.__name__} must be given fields that it has; got {got}. {names}"
        else:
            yield from _type_problems(f"{place}.{key}", value, _hints(kind).get(key))
    for key, item in fields.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and key not in given:
            yield f"{kind.__name__} must be given {place}.{key}; got nothing. Set {place}.{key}=…."


def locate(target: object) -> Any:
    """Return what a dotted path names, importing as much of it as is modules.

    Raises:
        Exception: whatever importing raises; AttributeError if a module has no such name.
    """
    names = str(target).split(".")
    for end in range(len(names), 0, -1):
        module = ".".join(names[:end])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            # Only a path that goes on below a class may be cut; a module's own missing import is the reason.
            if end == 1 or error.name is None or not module.startswith(error.name):
                raise
            continue
        for name in names[end:]:
            found = getattr(found, name)
        return found
    raise ModuleNotFoundError(f"No module named {target!r}")


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _type_problems(place: str, value: Any, hint: Any) -> Iterable[str]:
    """Yield a line where a plain value isn't of the plain type that its field is annotated with."""
    accepted = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "text", tuple: "a list"}
    names = [words.get(get_origin(kind) or kind) for kind in accepted if kind is not type(None)]
    if (value is None and type(None) in accepted) or isinstance(value, Mapping):
        return
    if None in names:
        if all(isinstance(kind, type) and dataclasses.is_dataclass(kind) for kind in accepted):
            yield f"{place} must be a part {{_target_: class, …}}; got {place}={_shown(value)}. Name a class."
        return
    for kind in accepted:
        plain = get_origin(kind) or kind
        if plain is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return
        if plain is int and isinstance(value, int) and not isinstance(value, bool):
            return
        if plain in (bool, str) and isinstance(value, plain):
            return
        if plain is tuple and isinstance(value, (list, tuple)):
            yield from _item_problems(place, value, get_args(kind)[0])
            return
    rule = " or ".join(str(name) for name in names)
    yield f"{place} must be {rule}; got {place}={_shown(value)}. Correct the value."


def _item_problems(place: str, values: Iterable[Any], hint: Any) -> Iterable[str]:
    """Yield a line for every item of a list of parts that is no part."""
    for index, value in enumerate(values):
        if _is_concrete(hint) and not isinstance(value, Mapping):
            names = ", ".join(item.name for item in dataclasses.fields(hint))
            got = f"{place}.{index}={_shown(value)}"
            yield f"{place} must be a list of {{field: value, …}}; got {got}. Fields: {names}."


def _settled(value: Any) -> Any:
    """Return a part whose lists are tuples and whose whole numbers in `float` fields are floats."""
    if isinstance(value, (list, tuple)):
        return tuple(_settled(item) for item in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    hints = _hints(type(value))
    changed = {}
    for item in dataclasses.fields(value):
        old = getattr(value, item.name)
        new = _settled(old)
        floats = float in (get_args(hints[item.name]) or (hints[item.name],))
        if floats and isinstance(new, int) and not isinstance(new, bool):
            new = float(new)
        if item.init and (new is not old and (new != old or type(new) is not type(old))):
            changed[item.name] = new
    return dataclasses.replace(value, **changed) if changed else value


def one_line(error: object) -> str:
    """Return an error's message in one line."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return text or type(error).__name__


def _shown(value: Any) -> str:
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return "null" if value is None else str(value)
