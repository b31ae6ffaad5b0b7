"""Parts as lanes: what varies between the runs of one program becomes a tensor `[lane]`.

A part's fields of type `float` (also inside nested parts and tuples of parts) may vary, unless they declare
`per_lane=False`; all other fields are structure, and runs of different structure train in different programs.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

import torch

from clbench.config import fingerprint
from clbench.fields import lane_fields

P = TypeVar("P")


def varies(part: object, name: str) -> bool:
    """Tell whether a field of a part holds a number that lanes may disagree on."""
    value = getattr(part, name)
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    return numeric and name in lane_fields(type(part))


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
