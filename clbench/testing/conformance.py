"""The conformance table: what every strategy must hold, checked on the real engine."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clbench.config import Evaluation, Training
from clbench.engine import RunResult, train
from clbench.execution import Execution
from clbench.fields import Part
from clbench.models import MLP
from clbench.optimizers import Adam
from clbench.runs import Run
from clbench.strategies import Naive, Strategy
from clbench.testing.bits import same_outcome, same_records
from clbench.testing.tiny import TinyStream
from clbench.testing.variants import declares, has, neutral_of, variants_of

STEPS = 24
HUGE = 1e8


@dataclass(frozen=True)
class Check:
    """One line of the table: a property, `ok`, `failed` or `skipped`, and what was seen."""

    name: str
    outcome: str
    detail: str = ""

    def __str__(self) -> str:
        """Return the line."""
        return f"{self.outcome:8}{self.name}" + (f": {self.detail}" if self.detail else "")


def check_strategy(
    strategy: Strategy | type[Strategy],
    scenario: str = "domain",
    neutral: Strategy | None = None,
    untouched: bool | None = None,
) -> list[Check]:
    """Run the conformance table on a strategy, print it, and return its lines.

    Args:
        strategy: the strategy, or its class (made with its defaults).
        scenario: of the stream on which it is tried: `domain`, `task`, `class` or `regression`.
        neutral: the same strategy set to do nothing, which must equal naive; found by itself where there is a
            field `lam` or `buffer_size`, which is put to 0.
        untouched: whether the first stage must equal naive's; null: where `at(0)` has nothing that trains.

    Raises:
        AssertionError: a property doesn't hold; the message has the failed lines.
    """
    part = strategy() if isinstance(strategy, type) else strategy
    table = _Table(part, scenario, neutral, untouched)
    checks = [table.run(name, check) for name, check in table.properties()]
    print(f"{type(part).__name__} ({scenario})", *checks, sep="\n")
    failed = [str(check) for check in checks if check.outcome == "failed"]
    if failed:
        raise AssertionError("\n".join([f"{type(part).__name__} in the {scenario} scenario:", *failed]))
    return checks


class _Skipped(Exception):
    """The property says nothing about this strategy."""


class _Table:
    """A strategy beside naive and its own variants in one program, and what must hold between them."""

    def __init__(
        self, part: Strategy, scenario: str, neutral: Strategy | None, untouched: bool | None
    ) -> None:
        self.part, self.scenario = part, scenario
        self.neutral = neutral or neutral_of(part)
        self.untouched = untouched if untouched is not None else not part.at(0).trains
        self.penalises = part.at(0).penalises or part.at(1).penalises
        self.huge = dataclasses.replace(part, lam=HUGE) if self.penalises and has(part, "lam") else None
        self.kinds = {"naive": Naive(), "own": part, "neutral": self.neutral, "huge": self.huge}
        self.kinds = {name: kind for name, kind in self.kinds.items() if kind is not None}
        self.company: dict[tuple[str, int], RunResult] = {}

    def properties(self) -> list[tuple[str, Callable[[], str]]]:
        """Return every property with its check, in the order of the table."""
        return [
            ("its defaults are in order, a bad λ is named", self.names_problems),
            ("runs to the end, records complete", self.completes),
            ("λ or memory 0 is naive, bit for bit", self.neutral_is_naive),
            ("it makes a difference", self.differs),
            ("the first stage is naive's, bit for bit", self.starts_as_naive),
            ("the penalty is at least 0, and 0 at the anchor", self.penalty_is_a_distance),
            ("a huge λ freezes", self.huge_freezes),
            ("lanes permute", self.permutes),
            ("alone as in company", self.stands_alone),
            ("shared stages are as unshared ones", self.shares),
        ]

    def run(self, name: str, check: Callable[[], str]) -> Check:
        """Return the line of one property."""
        try:
            return Check(name, "ok", check() or "")
        except _Skipped as reason:
            return Check(name, "skipped", str(reason))
        except AssertionError as found:
            return Check(name, "failed", " ".join(str(found).split()))

    def names_problems(self) -> str:
        """Problems: none by default, one line for each bad λ."""
        assert self.part.problems() == [], f"got {self.part.problems()}"
        if not has(self.part, "lam"):
            return "no λ"
        for lam in (-1.0, math.nan, math.inf):
            lines = dataclasses.replace(self.part, lam=lam).problems()
            bounded = declares(self.part, "lam") or type(self.part).problems is not Part.problems
            shown = f"problems() must have one line that names strategy.lam={lam}; got {lines}"
            assert not bounded or any(f"strategy.lam={lam}" in line for line in lines), shown
        return "" if bounded else "λ has no bounds: write lam: float = number(0.1, low=0)"

    def completes(self) -> str:
        """Every lane is done, with finite losses at every point."""
        self.company = self._train([(name, seed) for name in self.kinds for seed in (0, 1)])
        for (name, seed), found in self.company.items():
            if name == "huge" and found.status == "diverged":
                continue
            where = f"{name}, seed {seed}"
            assert found.status == "done", f"{where}: {found.status}, {found.message}"
            stages = np.unique(found.stage).tolist()
            assert stages == [0, 1, 2], f"{where}: points in the stages {stages}"
            assert found.steps == 3 * STEPS, f"{where}: {found.steps} steps instead of {3 * STEPS}"
            test = found.loss[:, :, found.splits.index("test")]
            assert np.isfinite(test).all(), f"{where}: test losses that are not finite"
            for column in ("task_loss", "penalty", "grad_norm", "penalty_grad_norm"):
                values = found.training[column]
                assert len(values) == len(found.step) - 1, f"{where}: {len(values)} rows of {column}"
                assert np.isfinite(values).all(), f"{where}: {column} is not finite"
        return ""

    def neutral_is_naive(self) -> str:
        """Put λ or the memory to 0."""
        if self.neutral is None:
            raise _Skipped("no λ and no memory; pass neutral=… where a setting does nothing")
        for seed in (0, 1):
            same_outcome(self.company["neutral", seed], self.company["naive", seed])
        return ""

    def differs(self) -> str:
        """Compare the end with naive's."""
        if isinstance(self.part, Naive):
            raise _Skipped("it is naive")
        same = np.array_equal(self.company["own", 0].loss, self.company["naive", 0].loss)
        assert not same, "every loss is naive's: it does nothing with these settings"
        return ""

    def starts_as_naive(self) -> str:
        """Look at the first stage."""
        if not self.untouched:
            raise _Skipped("it acts in the first stage, and says so")
        for seed in (0, 1):
            own, naive = self.company["own", seed], self.company["naive", seed]
            first = own.stage == 0
            same_outcome(own, naive, first)
        return ""

    def penalty_is_a_distance(self) -> str:
        """Look at the penalty that was recorded."""
        if not self.penalises:
            raise _Skipped("no penalty")
        at_anchor = 0
        for name in self.kinds:
            found = self.company[name, 0]
            penalty, distance = found.training["penalty"], found.training["anchor_distance"].copy()
            assert not (penalty < 0).any(), f"{name}: the penalty falls to {penalty.min()}"
            distance[found.stage[1:] > 1] = np.nan  # later there may be several anchors
            assert (penalty[distance == 0] == 0).all(), f"{name}: {penalty[distance == 0]} at the anchor"
            at_anchor += int((distance == 0).sum())
        return f"{at_anchor} points at the anchor"

    def huge_freezes(self) -> str:
        """Compare how far θ gets from its anchor, and what that costs on the first task, with λ = 0."""
        if self.huge is None or self.neutral is None:
            raise _Skipped("no penalty with a λ")
        huge, free = self.company["huge", 0], self.company["neutral", 0]
        if huge.status == "diverged":
            raise _Skipped(f"λ = {HUGE:g} is beyond what an explicit step can follow")
        ratio = huge.training["anchor_distance"][-1] / free.training["anchor_distance"][-1]
        test = huge.splits.index("test")
        first = np.flatnonzero(free.full & (free.stage == 0))[-1]
        lost = [found.loss[-1, 0, test] - found.loss[first, 0, test] for found in (huge, free)]
        held = not np.isnan(ratio) and ratio < 0.34
        assert held or abs(lost[0]) < 0.34 * abs(lost[1]), (
            f"λ = {HUGE:g} leaves {ratio:.2f} of the distance to the anchor, "
            f"and {lost[0]:.3f} of {lost[1]:.3f} forgetting"
        )
        return f"distance × {ratio:.3f}"

    def permutes(self) -> str:
        """Train the same runs in the opposite order."""
        turned = self._train(list(self.company)[::-1])
        for key, found in self.company.items():
            same_records(found, turned[key])
        return f"{len(turned)} runs"

    def stands_alone(self) -> str:
        """Train one run by itself."""
        same_records(self._train([("own", 1)])["own", 1], self.company["own", 1])
        return ""

    def shares(self) -> str:
        """Train every stage of every run by itself, and of variants that differ in one field each."""
        varied = {f"another {name}": kind for name, kind in variants_of(self.part).items()}
        self.kinds |= varied
        shared = self.company | self._train([(name, 0) for name in ("own", *varied)])
        unshared = self._train(list(shared), share=False)
        for key, found in shared.items():
            same_records(found, unshared[key])
        return f"{len(varied)} variants"

    def _train(self, keys: Sequence[tuple[str, int]], share: bool = True) -> dict[tuple[str, int], RunResult]:
        runs = [
            Run(
                stream=TinyStream(self.scenario),
                model=MLP(hidden=(8,), activation="tanh"),
                strategy=self.kinds[name],
                optimizer=Adam(lr=0.01),
                training=Training(steps=STEPS, batch_size=8),
                evaluation=Evaluation(points=6, subset=16, splits=("train", "test"), full=("train", "test")),
                seed=seed,
            )
            for name, seed in keys
        ]
        found: dict[int, RunResult] = {}
        train(runs, found.__setitem__, execution=Execution(threads=1), share=share)
        return {key: found[number] for number, key in enumerate(keys)}
