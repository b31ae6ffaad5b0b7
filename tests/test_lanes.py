"""Which fields of a part vary by lane does not depend on how its author writes annotations."""

import importlib

import pytest
from test_engine_invariants import assert_same_bits, make, results

from clbench.fields import lane_fields
from clbench.lanes import stack, structure
from clbench.penalty import Group
from clbench.strategies import Regularized

FIELDS = """
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Optional, Union

from clbench.fields import number
from clbench.strategies import Strategy

if TYPE_CHECKING:
    from nowhere import Unknown

Rate = float


@dataclass(frozen=True)
class Inherited(Strategy):
    lam: float = 0.1
    power: "float" = 2.0


@dataclass(frozen=True)
class Own(Inherited):
    optional: Optional[float] = 1.0
    either: float | None = 1.0
    union: Union[None, float] = None
    alias: Rate = 1.0
    told: Annotated[float, "metres"] = 1.0
    quoted: Optional["float"] = 1.0
    count: int = 1
    flag: bool = True
    word: str = "float"
    maybe: Optional[int] = 1
    several: tuple[float, ...] = (1.0,)
    unknown: "Unknown" = 1.0
    agreed: float = number(1.0, per_lane=False)

    def start(self, context):
        return {"anchor": context.initial_theta()}

    def penalty(self, context, state, theta):
        return self.lam * (theta - state["anchor"]).abs().square().sum(1)
"""
NUMBERS = {"lam", "power", "optional", "either", "union", "alias", "told", "quoted"}


@pytest.fixture(params=["", "from __future__ import annotations\n"], ids=["as types", "as texts"])
def own(request, tmp_path, monkeypatch):
    """Return a class of a user's file, with and without `from __future__ import annotations`."""
    name = f"own_fields_{request.param_index}"
    (tmp_path / f"{name}.py").write_text(request.param + FIELDS)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module(name).Own


def test_a_field_varies_by_its_type_however_that_is_written(own):
    assert lane_fields(own) == NUMBERS
    assert structure(own(lam=1.0, alias=3.0)) == structure(own())
    assert structure(own(count=2)) != structure(own()) != structure(own(several=(2.0,)))
    assert structure(own(agreed=2.0)) != structure(own())
    assert structure(own(union=1.0)) != structure(own())
    stacked = stack([own(), own(lam=1.0)])
    assert stacked.lam.tolist() == pytest.approx([0.1, 1.0]) and stacked.quoted.tolist() == [1.0, 1.0]
    assert (stacked.union, stacked.count, stacked.unknown) == (None, 1, 1.0)


def test_runs_that_differ_in_such_fields_share_a_program(own):
    runs = [make(strategy=own(lam=lam, alias=alias)) for lam in (0.1, 1.0) for alias in (1.0, 2.0)]
    found = results(runs, threads=1)
    assert {result.program["lanes"] for result in found} == {4}
    assert_same_bits(found[3], results(runs[3:])[0])


def test_groups_of_other_learning_rates_train_beside_each_other():
    groups = [(Group("head.*", learning_rate=rate, lam=lam),) for rate in (1.0, 0.5) for lam in (1.0, 3.0)]
    runs = [make(strategy=Regularized(groups=group), seed=seed) for group in groups for seed in (0, 1)]
    found = results(runs)
    assert {result.status for result in found} == {"done"}
    assert_same_bits(found[5], results(runs[5:6])[0])
