"""Types of dataclass fields, read where their class was written, however they are written there."""

from __future__ import annotations

import functools
import sys
from types import SimpleNamespace, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


@functools.cache
def is_list(kind: type, name: str) -> bool:
    """Tell whether a field holds a tuple, which is a list where it is configured."""
    return any((get_origin(one) or one) is tuple for one in alternatives(type_of(kind, name)))


@functools.cache
def type_of(kind: type, name: str) -> Any:
    """Return a field's type, read where its class was written; None for a text that names nothing there."""
    owner = owner_of(kind, name)
    field = SimpleNamespace(__annotations__={name: owner.__annotations__[name]})
    written_in = vars(sys.modules[owner.__module__]) if owner.__module__ in sys.modules else {}
    try:
        return get_type_hints(field, dict(written_in), dict(vars(owner)))[name]
    except Exception:  # known to type checkers only, or inside a function, or no type at all
        return None


def owner_of(kind: type, name: str) -> type:
    """Return the class that wrote a field down last."""
    return next(base for base in kind.__mro__ if name in base.__dict__.get("__annotations__", {}))


def alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the kinds that a field accepts: the members of a union, or the one."""
    return get_args(hint) if isinstance(hint, UnionType) or get_origin(hint) is Union else (hint,)
