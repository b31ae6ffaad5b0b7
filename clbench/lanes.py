"""Parts as lanes: what varies between the runs of one program becomes a tensor `[lane]`.

A part's fields of type `float` (also inside nested parts and tuples of parts) may vary, unless they are
declared `structural`; all other fields are structure, and runs of different structure train in different
programs.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import sys
from collections.abc import Sequence
from types import SimpleNamespace, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import torch

from clbench.config import fingerprint

P = TypeVar("P")


def structural(default: float) -> Any:
    """Return a dataclass field of a number that lanes of one program agree on.

    Args:
        default: the field's.
    """
    return dataclasses.field(default=default, metadata={"per_lane": False})


def varies(part: object, name: str) -> bool:
    """Tell whether a field of a part holds a number that lanes may disagree on."""
    value = getattr(part, name)
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    return numeric and name in number_fields(type(part))


@functools.cache
def number_fields(kind: type) -> frozenset[str]:
    """Return the fields of a class whose type is `float`, or `float` and `None`, however it is written."""
    free = [item.name for item in dataclasses.fields(kind) if item.metadata.get("per_lane", True)]
    return frozenset(name for name in free if _is_number(_hint(kind, name)))


def _is_number(hint: Any) -> bool:
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return float in kinds and set(kinds) <= {float, type(None)}


def _hint(kind: type, name: str) -> Any:
    """Return a field's type, read where its class was written; None for a text that names nothing there."""
    owner = next(base for base in kind.__mro__ if name in base.__dict__.get("__annotations__", {}))
    field = SimpleNamespace(__annotations__={name: owner.__annotations__[name]})
    written_in = vars(sys.modules[owner.__module__]) if owner.__module__ in sys.modules else {}
    try:
        return get_type_hints(field, dict(written_in), dict(vars(owner)))[name]
    except Exception:  # known to type checkers only, or inside a function, or no type at all
        return None


def structure(part: object) -> str:
    """Return the fingerprint of all of a part but the numbers that may vary between lanes."""
    return fingerprint(_without_numbers(part))


def stack(parts: Sequence[P], device: torch.device | str = "cpu") -> P:
    """Return one part of the same structure whose varying numbers are float32 tensors `[lane]`.

    Args:
        parts: one per lane, all of the same `structure`.
        device: where the tensors go.
    """
    first = parts[0]
    if dataclasses.is_dataclass(first) and not isinstance(first, type):
        stacked = copy.copy(first)
        for item in dataclasses.fields(first):
            values = [getattr(part, item.name) for part in parts]
            if varies(first, item.name):
                value: Any = torch.tensor([float(v) for v in values], dtype=torch.float32, device=device)
            else:
                value = stack(values, device)
            object.__setattr__(stacked, item.name, value)
        return stacked
    if isinstance(first, tuple):
        return tuple(stack(items, device) for items in zip(*parts, strict=True))  # type: ignore[return-value]
    return first


def _without_numbers(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        return {
            "class": f"{kind.__module__}.{kind.__qualname__}",
            **{
                item.name: "lane" if varies(value, item.name) else _without_numbers(getattr(value, item.name))
                for item in dataclasses.fields(value)
            },
        }
    if isinstance(value, (tuple, list)):
        return [_without_numbers(item) for item in value]
    return value
