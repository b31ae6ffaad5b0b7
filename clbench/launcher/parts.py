"""Parts made from their configuration by `_target_`, with every mistake reported in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from clbench.errors import ConfigurationError, raise_together, shown
from clbench.field_types import alternatives
from clbench.launcher.kinds import WORDS, hints, is_concrete, kind_problems


def make_part(name: str, node: Any, like: Any = None, kind: type = object) -> Any:
    """Return a part from its configuration `{_target_: class, field: value, …}`.

    The key `name` is the part's label in tables, unless its class has a field of that name.

    Args:
        name: of the part: `stream`, `model`, `strategy` or `optimizer`.
        node: its configuration, as plain data.
        like: a part of the same class that differs in plain fields only, which is copied (Hydra takes a
            millisecond and more to make one).
        kind: what the part must be an instance of.

    Raises:
        ConfigurationError: no such class or one of another kind, unknown or missing fields, values of the
            wrong type.
    """
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise ConfigurationError(
            f"A part must have a class; got {name}={shown(node)}. Choose one of the group: {name}=…, or set "
            f"{name}._target_."
        )
    node = _with_classes(_without_label(node))
    raise_together(_node_problems(name, node, kind))
    from hydra.errors import HydraException
    from hydra.utils import instantiate

    if dataclasses.is_dataclass(like) and not isinstance(like, type):
        plain = {item.name for item in dataclasses.fields(like) if item.init} & plain_fields(node)
        with contextlib.suppress(
            Exception
        ):  # a class that refuses the values does so below, in Hydra's words
            return _settled(dataclasses.replace(like, **{key: node[key] for key in plain}))
    try:
        part = _settled(instantiate(dict(node), _convert_="all"))
    except ConfigurationError:
        raise
    except HydraException as error:
        cause = error.__cause__ or error
        raise ConfigurationError(
            f"A part's class must accept its fields; got {one_line(cause)} "
            f"({name}._target_={node['_target_']}). Correct the fields, or the class."
        ) from error
    raise_together(_made_problems(name, part, node, kind))
    return part


def _without_label(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part's configuration without the label that tables call it by."""
    if "name" not in node:
        return node
    try:
        taken = inspect.signature(locate(node["_target_"])).parameters
    except Exception:  # what can't be found or called is reported later
        taken = {}
    return node if "name" in taken else {key: value for key, value in node.items() if key != "name"}


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
    if "_target_" not in node and is_concrete(hint):
        node = {"_target_": f"{hint.__module__}.{hint.__qualname__}", **node}
    found: dict[str, Any] = {}
    if any(isinstance(value, (Mapping, list, tuple)) for value in node.values()):
        with contextlib.suppress(Exception):  # a class that can't be found is reported later
            found = hints(locate(node["_target_"]))
    return {key: _with_classes(value, found.get(key)) for key, value in node.items()}


def plain_fields(node: Mapping[str, Any]) -> set[str]:
    """Return the fields whose values are numbers, texts or nothing."""
    kinds = (bool, int, float, str, type(None))
    return {key for key, value in node.items() if not key.startswith("_") and isinstance(value, kinds)}


def _node_problems(place: str, node: Any, hint: Any = None) -> Iterable[str]:
    """Yield a line for every class that can't be found or is of another kind, and for its fields.

    Args:
        place: where the configuration stands.
        node: the configuration.
        hint: what the field that holds it is annotated with.
    """
    if isinstance(node, (list, tuple)):
        inner = get_args(hint)[0] if get_origin(hint) is tuple else None
        for index, item in enumerate(node):
            yield from _node_problems(f"{place}.{index}", item, inner)
    if not isinstance(node, Mapping):
        return
    found: dict[str, Any] = {}
    if "_target_" in node:
        try:
            kind = locate(node["_target_"])
        except Exception as error:  # a user's module may fail in any way while it is imported
            yield (
                f"{place}._target_ must name a class that can be imported; got "
                f"{place}._target_={node['_target_']} ({one_line(error)}). Check the name, and that its "
                "module is installed or lies in the working directory."
            )
            return
        is_class = isinstance(kind, type)
        if not callable(kind) or (is_class and not _is_of(kind, hint)):
            yield _another_kind(place, node, hint, "which is none")
            return
        if is_class and dataclasses.is_dataclass(kind):
            given = {key: value for key, value in node.items() if key != "_target_"}
            yield from kind_problems(place, kind, given)
            found = hints(kind)
    for key, item in node.items():
        yield from _node_problems(f"{place}.{key}", item, found.get(key))


def _made_problems(place: str, made: Any, node: Any, hint: Any) -> Iterable[str]:
    """Yield a line for every part that came out as another kind, as a function may give anything."""
    if not isinstance(node, Mapping) or "_target_" not in node:
        return
    if not _is_of(type(made), hint):
        yield _another_kind(place, node, hint, f"which gives {type(made).__name__}")
    elif dataclasses.is_dataclass(made):
        kinds = hints(type(made))
        for key, item in node.items():
            yield from _made_problems(f"{place}.{key}", getattr(made, key, None), item, kinds.get(key))


def _is_of(kind: type, hint: Any) -> bool:
    """Return whether a class is of a kind that a field is annotated with, as far as that names classes."""
    accepted = alternatives(hint)
    if any(item in WORDS or not isinstance(item, type) for item in accepted):
        return True
    return issubclass(kind, accepted)


def _another_kind(place: str, node: Mapping[str, Any], hint: Any, reason: str) -> str:
    got = f"got {place}._target_={node['_target_']}, {reason}"
    kinds = [item for item in alternatives(hint) if isinstance(item, type) and item is not type(None)]
    if not kinds or object in kinds:
        return f"{place} must be made by a class; {got}. Name one."
    article = "an" if kinds[0].__name__[0] in "AEIOU" else "a"
    names = " or ".join(item.__name__ for item in kinds)
    return (
        f"{place} must be {article} {names}; {got}. "
        f"Name a class that inherits from {kinds[0].__module__}.{kinds[0].__qualname__}."
    )


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


def _settled(value: Any) -> Any:
    """Return a part whose lists are tuples and whose whole numbers in `float` fields are floats."""
    if isinstance(value, (list, tuple)):
        return tuple(_settled(item) for item in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    kinds = hints(type(value))
    changed = {}
    for item in dataclasses.fields(value):
        old = getattr(value, item.name)
        new = _settled(old)
        floats = float in alternatives(kinds.get(item.name))
        if floats and isinstance(new, int) and not isinstance(new, bool):
            new = float(new)
        if item.init and (new is not old and (new != old or type(new) is not type(old))):
            changed[item.name] = new
    return dataclasses.replace(value, **changed) if changed else value


def one_line(error: object) -> str:
    """Return an error's message in one line."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return text or type(error).__name__
