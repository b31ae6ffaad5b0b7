"""Sums over steps against a loop that writes every step down, and intervals of steps by their numbers."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from test_engine_invariants import make, results

from clbench.config import Training
from clbench.importance import PathIntegral, RWalk, StepSum
from clbench.optimizers import SGD
from clbench.strategies import Acts, Combined, Regularized, Strategy

STAGES = 5  # of the stream
STEPS = 7
KINDS = {
    "path": ("path", False),
    "total": ("path", True),
    "square": ("square", False),
    "first": ("first_square", True),
}


@dataclass(frozen=True)
class Sums(Strategy):
    """Sums of every kind beside a second whose steps are written down, and when it is called."""

    SEEN: ClassVar[list] = []
    """`(interval, step)` of every call."""
    LAST: ClassVar[dict] = {}
    """The sums, and every step's gradients and move."""

    every: int = 1

    def at(self, stage):
        return Acts(sums=self.sums, after_step=self.after_step, interval=self.every)

    def start(self, context):
        return {name: torch.zeros_like(context.theta) for name in KINDS}

    def sums(self, context, state):
        return tuple(StepSum(state[name], *kind) for name, kind in KINDS.items())

    def after_step(self, context, state):
        self.SEEN.append((self.every, context.step))
        if self.every == 1:
            moved = context.theta - context.theta_before
            gradients = (context.task_gradient.clone(), context.total_gradient.clone())
            self.LAST.setdefault("steps", []).append((*gradients, moved))
            self.LAST["sums"] = {name: state[name].clone() for name in KINDS}


@pytest.fixture(autouse=True)
def nothing_seen_yet():
    Sums.SEEN.clear()
    Sums.LAST.clear()


def train_with(*parts, **changes):
    training = Training(steps=STEPS, batch_size=16)
    results([make("class", Combined(parts), training=training, **changes)], threads=1)


@pytest.mark.parametrize("coupling", ["loss", "decoupled"])
def test_sums_are_those_of_the_steps_written_down(coupling):
    held = Regularized(lam=0.3, anchor="zero", coupling=coupling)
    train_with(Sums(), held, optimizer=SGD(lr=0.05, momentum=0.9))
    steps, found = Sums.LAST["steps"], Sums.LAST["sums"]
    assert len(steps) == STAGES * STEPS
    expected = {
        "path": -sum(task * moved for task, _, moved in steps),
        "total": -sum(total * moved for _, total, moved in steps),
        "square": sum(task.square() for task, _, _ in steps),
        "first": steps[0][1].square(),
    }
    for name, value in expected.items():
        assert value[0].abs().max() > 1e-4
        torch.testing.assert_close(found[name][0], value[0], rtol=1e-4, atol=1e-7)
    assert torch.equal(found["path"][0], found["total"][0]) == (coupling == "decoupled")


def test_every_part_is_called_at_the_ends_of_its_own_intervals():
    train_with(Sums(2), Sums(3))
    for every in (2, 3):
        called = [step for interval, step in Sums.SEEN if interval == every]
        within = [step for step in range(1, STEPS + 1) if step % every == 0]
        assert called == [stage * STEPS + step for stage in range(STAGES) for step in within]


def test_intervals_are_what_lanes_have_in_common():
    assert Combined((Sums(4), Sums(6))).at(0).interval == 2
    assert Combined((Regularized(importance=PathIntegral()), Sums(6))).at(0).interval == 6
    assert Combined((Regularized(importance=PathIntegral()),)).at(0).interval == 1
    assert Regularized(importance=RWalk(interval=9)).at(0).interval == 9
    assert Sums(4).at(0).structure != Sums(6).at(0).structure
