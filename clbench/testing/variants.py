"""A strategy's neighbours: set to do nothing, or with another value in one field."""

from __future__ import annotations

import dataclasses
from typing import Any

from clbench.fields import Choice, declaration_of
from clbench.strategies import Strategy


def has(part: Strategy, name: str) -> bool:
    """Tell whether a strategy has a field."""
    return any(item.name == name for item in dataclasses.fields(part))


def declares(part: Strategy, name: str) -> bool:
    """Tell whether a field declares what it may be."""
    return any(declaration_of(item) for item in dataclasses.fields(part) if item.name == name)


def variants_of(part: Strategy) -> dict[str, Strategy]:
    """Return the strategy with another number or choice in one field, by the field's name."""
    found = {}
    for item in dataclasses.fields(part):
        value, declaration = getattr(part, item.name), declaration_of(item)
        others: list[Any] = []
        if isinstance(value, bool):
            others = [not value]
        elif isinstance(value, float):
            others = [1.5 * value + 0.1, 0.5 * value]
        elif isinstance(value, int):
            others = [value + 1]
        elif isinstance(declaration, Choice):
            others = [choice for choice in declaration.choices if choice != value]
        variants = (dataclasses.replace(part, **{item.name: other}) for other in others)
        if fitting := next((variant for variant in variants if not variant.problems()), None):
            found[item.name] = fitting
    return found


def neutral_of(part: Strategy) -> Strategy | None:
    """Return the strategy set to do nothing, by λ or the size of its buffer; None where it has neither."""
    for name, nothing in (("lam", 0.0), ("buffer_size", 0)):
        if has(part, name):
            found = dataclasses.replace(part, **{name: nothing})
            return None if found.problems() else found
    return None
