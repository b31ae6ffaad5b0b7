"""Fields that declare what they may be: every one of every part is fed what it may not be."""

from __future__ import annotations

import dataclasses
import importlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args, get_origin

import pytest
import yaml

from clbench import importance
from clbench.config import Evaluation, Training
from clbench.field_types import alternatives, is_list, type_of
from clbench.fields import Choice, Count, Number, Part, choice, count, declaration_of, field_problems, number
from clbench.penalty import Group
from clbench.streams import Curve

CONF = Path(__file__).resolve().parent.parent / "conf"
GROUPS = ("optimizer", "stream", "model", "strategy")
REQUIRED = {"pattern": "head.*"}


@dataclass(frozen=True)
class Inner(Part):
    low: float = number(0.0)
    high: float = number(1.0)
    word: str = choice("a", ("a", "b"))

    def cross_problems(self, key):
        if self.low >= self.high:
            yield f"A range must go up; got {key}.low={self.low} and {key}.high={self.high}. Turn it round."


@dataclass(frozen=True)
class Own(Inner):
    """An own part that answers for itself."""

    def problems(self):
        return ["Its own rule; got its own value. Do as it says."]


@dataclass(frozen=True)
class Outer(Part):
    KEY = "strategy"

    lam: float = number(1.0, low=0)
    share: float = number(0.5, above=0, below=1)
    part: float = number(0.5, low=0, high=1)
    steps: int | None = count(None, none="all")
    memory: int = count(5, 0)
    sizes: tuple[int, ...] = count((4, 4))
    angles: tuple[float, ...] | None = number(None, none="the span's")
    splits: tuple[str, ...] = choice(("train",), ("train", "test"))
    inner: Inner = field(default_factory=Inner)
    several: tuple[Inner, ...] = ()
    bare: float = 0.1
    word: str = "text"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"lam": -1.0},
            "strategy.lam must be finite and at least 0; got strategy.lam=-1.0. "
            "Correct it; the default is 1.0.",
        ),
        ({"lam": math.nan}, "strategy.lam must be finite and at least 0; got strategy.lam=nan. "),
        ({"lam": True}, "got strategy.lam=true. "),
        ({"lam": None}, "got strategy.lam=null. "),
        ({"share": 1}, "strategy.share must be finite, above 0 and below 1; got strategy.share=1. "),
        ({"part": 1.5}, "strategy.part must be finite, at least 0 and at most 1; got strategy.part=1.5."),
        (
            {"steps": 0},
            "strategy.steps must be a whole number of at least 1, or null for all; got strategy.steps=0. "
            "Correct it; the default is null.",
        ),
        ({"steps": 2.0}, "got strategy.steps=2.0."),
        ({"memory": -1}, "strategy.memory must be a whole number of at least 0; got strategy.memory=-1."),
        (
            {"sizes": (4, 0)},
            "strategy.sizes must be a list, each item a whole number of at least 1; "
            "got strategy.sizes=[4,0]. Correct it; the default is [4,4].",
        ),
        ({"sizes": 4}, "must be a list, each item a whole number of at least 1; got strategy.sizes=4. "),
        ({"sizes": None}, "got strategy.sizes=null. "),
        ({"memory": (3,)}, "got strategy.memory=[3]. "),
        (
            {"angles": [0.0, math.inf]},
            "must be a list, each item finite, or null for the span's; got strategy.angles=[0.0,inf].",
        ),
        (
            {"splits": ("test", "valid")},
            "strategy.splits must be a list, each item a known name; got strategy.splits=[test,valid]. "
            "Known: test, train.",
        ),
        ({"inner": Inner(word="c")}, "strategy.inner.word must be a known name; got strategy.inner.word=c."),
        ({"inner": Inner(low=2.0)}, "got strategy.inner.low=2.0 and strategy.inner.high=1.0."),
        ({"several": (Inner(), Inner(high=math.inf))}, "got strategy.several.1.high=inf."),
        ({"inner": Own(low=math.nan)}, "Its own rule; got its own value. Do as it says."),
    ],
)
def test_a_value_out_of_bounds_is_told_in_one_line(fields, line):
    (found,) = Outer(**fields).problems()
    assert line in found


def test_all_are_told_together_and_what_declares_nothing_may_be_anything():
    assert len(Outer(lam=-1.0, steps=0, sizes=(0, 0), inner=Inner(word="c")).problems()) == 4
    assert Outer().problems() == []
    assert Outer(bare=math.nan, word="any", angles=(0.0, 90.0), sizes=()).problems() == []


def targets(node):
    """Yield every class that a configuration names, at any depth."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key == "_target_" and value != "???":
            yield value
        elif isinstance(value, (dict, list)):
            yield from targets(value)


def kinds():
    """Return every class that conf/ names."""
    found = set()
    for group in GROUPS:
        for path in (CONF / group).rglob("*.yaml"):
            found |= set(targets(yaml.safe_load(path.read_text())))
    named = [target.rpartition(".") for target in sorted(found)]
    made = [getattr(importlib.import_module(module), name) for module, _, name in named]
    offered = [getattr(importance, name) for name in importance.__all__]
    within = [
        kind
        for kind in offered
        if issubclass(kind, importance.Importance) and kind is not importance.Importance
    ]
    return [*dict.fromkeys([*made, *within, Group, Curve, Training, Evaluation])]


KINDS = kinds()
PLAIN = {
    *(f"{kind}.root" for kind in ("SplitImages", "PermutedImages", "RotatedImages")),
    *(f"{kind}.{name}" for kind in ("TextFile", "TabularFile") for name in ("path", "task", "split")),
    *("SequenceClassifier.vectors", "Module.factory", "Regularized.file", "Group.pattern"),
    *("TextFile.text", "TextFile.label", "TabularFile.target", "TabularFile.features"),
}
"""Texts that may be anything, such as the name of a file or a column."""
WRITTEN = {"SplitImages.class_order"}
"""A name or the labels themselves: no declaration has both."""


def held(kind, item):
    """Return the plain types that a field holds, by itself or in a tuple."""
    hints = alternatives(type_of(kind, item.name))
    items = [get_args(hint) if get_origin(hint) is tuple else (hint,) for hint in hints]
    return {one for held_by in items for one in held_by}


FIELDS = [(kind, item) for kind in KINDS for item in dataclasses.fields(kind)]
NAMES = [f"{kind.__name__}.{item.name}" for kind, item in FIELDS]


def wrong_values(declaration):
    """Return what a field may not be."""
    if isinstance(declaration, Choice):
        return ["no such name", ""]
    if isinstance(declaration, Count):
        low = [] if declaration.low is None else [declaration.low - 1]
        return [*low, (declaration.low or 0) + 0.5, True, "3", math.nan, *_null(declaration)]
    assert isinstance(declaration, Number)
    tiny = 1e-9
    edges = [
        *([] if declaration.low is None else [declaration.low - tiny]),
        *([] if declaration.high is None else [declaration.high + tiny]),
        *(edge for edge in (declaration.above, declaration.below) if edge is not None),
    ]
    return [math.nan, math.inf, -math.inf, "1.0", True, *edges, *_null(declaration)]


def right_values(declaration):
    """Return what a field may be, at the edges of its bounds."""
    null = [None] if declaration.none else []
    if isinstance(declaration, Choice):
        return [*declaration.choices, *null]
    if isinstance(declaration, Count):
        return [declaration.low or 0, 10**6, *null]
    tiny = 1e-9
    inside = [edge for edge in (declaration.low, declaration.high) if edge is not None]
    open_edges = ((declaration.above, tiny), (declaration.below, -tiny))
    inside += [edge + step for edge, step in open_edges if edge is not None]
    return [*inside, *null]


def _null(declaration):
    return [] if declaration.none else [None]


@pytest.mark.parametrize(("kind", "item"), FIELDS, ids=NAMES)
def test_every_field_of_every_part_takes_what_it_may_be_and_refuses_all_else(kind, item):
    declaration = declaration_of(item)
    plain = held(kind, item) & {int, float, str}
    if declaration is None:
        named = f"{kind.__name__}.{item.name}" in PLAIN | WRITTEN
        assert named or not plain, "a number or a name declares nothing"
        return
    required = {name: REQUIRED[name] for name in REQUIRED if name in kind.__dataclass_fields__}
    place, listed = f"key.{item.name}", is_list(kind, item.name)
    assert not any(place in line for line in field_problems(kind(**required), "key"))
    for value in right_values(declaration):
        assert declaration.fits((value,) if listed and value is not None else value, listed)
    for value in wrong_values(declaration):
        part = dataclasses.replace(kind(**required), **{item.name: (value,) if listed else value})
        (line,) = field_problems(part, "key")
        typed = "null" if value is None else "true" if value is True else value
        assert f"got {place}={f'[{typed}]' if listed else typed}" in line
        assert line.startswith(place) and line.endswith(".") and line.count("; got ") == 1
