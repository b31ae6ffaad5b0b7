"""Fields that declare what they may be: bounds, choices and what null means stand beside the default.

    @dataclass(frozen=True)
    class Own(Strategy):
        lam: float = number(1.0, low=0)
        per: str = choice("sample", ("sample", "batch"))
        samples: int | None = count(None, none="all")

One place reads the declarations for error lines, help, and what may vary by lane. Types are those of the
annotations, however these are written. A field without a declaration may be anything of its type.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import MISSING, dataclass
from typing import Any, ClassVar

from clbench.errors import known, shown
from clbench.field_types import alternatives, is_list, type_of


@dataclass(frozen=True, kw_only=True)
class Declaration(ABC):
    """What a value of a field must be; of a field that holds a tuple, each of its items.

    Args:
        none: what null stands for; null is refused where this is empty.
        unit: of the value.
        help: what the field means; the class's docstring says it where this is empty.
        per_lane: whether a `float` may differ between the lanes of one program.
    """

    none: str = ""
    unit: str = ""
    help: str = ""
    per_lane: bool = True

    @abstractmethod
    def accepts(self, value: object) -> bool:
        """Tell whether a value, or an item of a list, is in order."""

    @abstractmethod
    def rule(self) -> str:
        """Return what a value must be, as it follows «must be»."""

    def advice(self, default: object) -> str:
        """Return how an error's line ends."""
        return "Correct it." if default is MISSING else f"Correct it; the default is {shown(default)}."

    def fits(self, value: object, is_list: bool) -> bool:
        """Tell whether a field's value is in order."""
        if value is None and self.none:
            return True
        if not is_list:
            return self.accepts(value)
        return isinstance(value, (list, tuple)) and all(map(self.accepts, value))

    def problem(self, place: str, value: object, default: object, is_list: bool) -> str:
        """Return the line (rule; got; what to do) for a value at `place` that is not in order."""
        rule = f"a list, each item {self.rule()}" if is_list else self.rule()
        null = f", or null for {self.none}" if self.none else ""
        return f"{place} must be {rule}{null}; got {place}={shown(value)}. {self.advice(default)}"


@dataclass(frozen=True, kw_only=True)
class Number(Declaration):
    """A finite number within bounds: `low` and `high` belong to it, `above` and `below` do not."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    def accepts(self, value: object) -> bool:
        """Tell whether it is a finite number within the bounds."""
        return (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and math.isfinite(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def rule(self) -> str:
        """Return the bounds."""
        bounds = (
            ("at least", self.low),
            ("above", self.above),
            ("at most", self.high),
            ("below", self.below),
        )
        rules = ["finite", *(f"{word} {bound:g}" for word, bound in bounds if bound is not None)]
        return " and ".join(filter(None, [", ".join(rules[:-1]), rules[-1]]))


@dataclass(frozen=True, kw_only=True)
class Count(Declaration):
    """A whole number of at least `low`; of any size where that is None."""

    low: int | None = 1

    def accepts(self, value: object) -> bool:
        """Tell whether it is a whole number within the bound."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.low is None or value >= self.low

    def rule(self) -> str:
        """Return the bound."""
        return "a whole number" + ("" if self.low is None else f" of at least {self.low}")


@dataclass(frozen=True, kw_only=True)
class Choice(Declaration):
    """One of some known names."""

    choices: Collection[str]

    def accepts(self, value: object) -> bool:
        """Tell whether it is a known name."""
        return isinstance(value, str) and value in self.choices

    def rule(self) -> str:
        """Return that it is a name; `advice` lists them."""
        return "a known name"

    def advice(self, default: object) -> str:
        """Return the known names."""
        return known(self.choices)


def number(
    default: Any = MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    none: str = "",
    unit: str = "",
    help: str = "",  # noqa: A002 - the word of argparse and Hydra
    per_lane: bool = True,
) -> Any:
    """Return a dataclass field of a finite number (or a tuple of them), see `Number` and `Declaration`."""
    bounds = {"low": low, "high": high, "above": above, "below": below}
    return declared(default, Number(**bounds, none=none, unit=unit, help=help, per_lane=per_lane))


def count(
    default: Any = MISSING,
    low: int | None = 1,
    *,
    none: str = "",
    unit: str = "",
    help: str = "",  # noqa: A002
) -> Any:
    """Return a dataclass field of a whole number (or a tuple of them), see `Count` and `Declaration`."""
    return declared(default, Count(low=low, none=none, unit=unit, help=help))


def choice(default: Any, choices: Collection[str], *, none: str = "", help: str = "") -> Any:  # noqa: A002
    """Return a dataclass field of a name (or a tuple of them), see `Choice` and `Declaration`."""
    return declared(default, Choice(choices=choices, none=none, help=help))


def declared(default: Any, declaration: Declaration) -> Any:
    """Return a dataclass field with a declaration of any kind."""
    return dataclasses.field(default=default, metadata={"declaration": declaration})


class Part:
    """What is configured: a frozen dataclass, whose fields declare what they may be.

    `problems` reads the declarations. A class adds its rules over several fields in `cross_problems`.
    """

    KEY: ClassVar[str]
    """Where the part stands in a configuration."""

    def problems(self) -> list[str]:
        """Return one line (rule; got; what to do) per broken rule."""
        return field_problems(self, self.KEY)

    def cross_problems(self, key: str) -> Iterable[str]:
        """Return one line per broken rule over several fields; called where each by itself is in order.

        Args:
            key: where the part stands, such as `strategy` or `strategy.importance`.
        """
        return ()


def field_problems(part: Any, key: str) -> list[str]:
    """Return one line for every value of a part, and of the parts in its fields, that breaks a rule.

    Args:
        part: a dataclass; rules over several fields are a `Part`'s.
        key: where the part stands: `strategy.lam` is the field `lam` of the part at `strategy`; empty where
            its fields are top-level keys.
    """
    found: list[str] = []
    for item, declaration, listed in _read(type(part)):
        value, place = getattr(part, item.name), f"{key}.{item.name}" if key else item.name
        if declaration is None:
            found += _inner_problems(value, place)
        elif not declaration.fits(value, listed):
            found.append(declaration.problem(place, value, item.default, listed))
    return found or list(part.cross_problems(key) if isinstance(part, Part) else ())


@functools.cache
def _read(kind: type) -> list[tuple[dataclasses.Field[Any], Declaration | None, bool]]:
    """Return a class's fields, with their declarations and whether they hold lists."""
    return [(item, declaration_of(item), is_list(kind, item.name)) for item in dataclasses.fields(kind)]


def _inner_problems(value: Any, place: str) -> list[str]:
    """Return the problems of a part in a field, or of a list of parts; an own `problems` answers for it."""
    if isinstance(value, (list, tuple)):
        return [line for index, one in enumerate(value) for line in _inner_problems(one, f"{place}.{index}")]
    if isinstance(value, Part) and type(value).problems is not Part.problems:
        return value.problems()
    is_part = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return field_problems(value, place) if is_part else []


def declaration_of(item: dataclasses.Field[Any]) -> Declaration | None:
    """Return what a dataclass's field declares, if it does."""
    return item.metadata.get("declaration")


@functools.cache
def lane_fields(kind: type) -> frozenset[str]:
    """Return the fields of a class that lanes may disagree on: of type `float`, or `float` and `None`."""
    found = set()
    for item in dataclasses.fields(kind):
        kinds = set(alternatives(type_of(kind, item.name)))
        declaration = declaration_of(item)
        if float in kinds <= {float, type(None)} and (declaration is None or declaration.per_lane):
            found.add(item.name)
    return frozenset(found)
