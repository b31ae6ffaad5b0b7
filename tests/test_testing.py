"""The conformance table must catch what is wrong: strategies that break one property each."""

from dataclasses import dataclass

import pytest
import torch

from clbench.errors import ConfigurationError
from clbench.strategies import Acts, Strategy
from clbench.testing import check_strategy


@dataclass(frozen=True)
class Pull(Strategy):
    """A right one, from which the wrong ones differ by a line."""

    lam: float = 0.1

    def start(self, context):
        return {"anchor": context.initial_theta()}

    def penalty(self, context, state, theta):
        return self.lam * (theta - state["anchor"]).square().sum(1)


@dataclass(frozen=True)
class MixesLanes(Pull):
    def penalty(self, context, state, theta):
        apart = theta - state["anchor"] + theta.mean(0) * 1e-3
        return self.lam * apart.square().sum(1)


@dataclass(frozen=True)
class ForgetsLambda(Pull):
    def penalty(self, context, state, theta):
        return 0.1 * (theta - state["anchor"]).square().sum(1)


@dataclass(frozen=True)
class GoesBelowZero(Pull):
    def penalty(self, context, state, theta):
        return self.lam * ((theta - state["anchor"]).square().sum(1) - 1.0)


@dataclass(frozen=True)
class SharesWhatLambdaShapes(Pull):
    def at(self, stage):
        return Acts(penalty=self.penalty, shaped_by=())


@dataclass(frozen=True)
class SharesWhatAnotherFieldShapes(Pull):
    """Says that λ alone shapes a stage, where the power does too."""

    power: float = 2.0

    def at(self, stage):
        return Acts(penalty=self.penalty, shaped_by=("lam",))

    def penalty(self, context, state, theta):
        power = torch.as_tensor(self.power).reshape(-1, 1)
        return self.lam * ((theta - state["anchor"]).abs() + 1e-3).pow(power).sum(1)


@dataclass(frozen=True)
class SharesWhatItKeeps(Pull):
    """Says that no field shapes what it keeps, where the anchor depends on one."""

    share: float = 0.5

    def at(self, stage):
        acts = Acts(consolidate=self.consolidate, kept_by=())
        return acts._replace(penalty=self.penalty) if stage else acts

    def consolidate(self, context, state):
        share = torch.as_tensor(self.share).reshape(-1, 1)
        return {"anchor": share * context.theta + (1 - share) * state["anchor"]}


@dataclass(frozen=True)
class DoesNothing(Pull):
    def penalty(self, context, state, theta):
        return 0.0 * self.lam * (theta - state["anchor"]).square().sum(1)


@dataclass(frozen=True)
class DrawsByPosition(Pull):
    def after_step(self, context, state):
        noise = torch.randn(context.theta.shape, generator=torch.Generator().manual_seed(context.step))
        context.theta.add_(noise, alpha=1e-3)


@dataclass(frozen=True)
class RefusesItself(Pull):
    def problems(self):
        return ["Something is wrong; got everything. Give up."]


@dataclass(frozen=True)
class Detaches(Pull):
    def penalty(self, context, state, theta):
        return self.lam * (theta.detach() - state["anchor"]).square().sum(1) + 1.0


@pytest.mark.parametrize(
    ("strategy", "line"),
    [
        (MixesLanes, "failed  alone as in company"),
        (ForgetsLambda, "failed  λ or memory 0 is naive"),
        (GoesBelowZero, "failed  the penalty is at least 0"),
        (SharesWhatLambdaShapes, "failed  shared stages are as unshared ones"),
        (SharesWhatAnotherFieldShapes, "failed  shared stages are as unshared ones"),
        (SharesWhatItKeeps, "failed  shared stages are as unshared ones"),
        (DoesNothing, "failed  it makes a difference"),
        (DrawsByPosition, "failed  lanes permute"),
        (RefusesItself, "failed  its defaults are in order"),
    ],
)
def test_a_broken_property_fails_its_line(strategy, line):
    with pytest.raises(AssertionError) as caught:
        check_strategy(strategy)
    assert line in str(caught.value)


def test_a_hidden_first_stage_is_caught():
    with pytest.raises(AssertionError, match="the first stage is naive's"):
        check_strategy(ForgetsLambda, untouched=True)


def test_a_right_strategy_passes_every_line(capsys):
    checks = check_strategy(Pull)
    assert {check.outcome for check in checks} <= {"ok", "skipped"}
    assert sum(check.outcome == "ok" for check in checks) >= 9
    printed = capsys.readouterr().out
    assert printed.startswith("Pull (domain)\n")
    assert printed.count("\n") == len(checks) + 1


def test_a_penalty_without_gradient_is_told_as_such():
    with pytest.raises(ConfigurationError, match="got a value without one from Detaches.penalty"):
        check_strategy(Detaches)


@pytest.mark.parametrize(("former", "now"), [("output_loss", "loss"), ("observe_step", "after_step")])
def test_a_method_by_a_former_name_is_no_silent_naive(former, now):
    with pytest.raises(ConfigurationError, match=f"{former} is now called {now}; got Old.{former}"):
        type("Old", (Strategy,), {former: lambda *_: None})


def test_a_place_can_be_no_field():
    with pytest.raises(ConfigurationError, match="can't be a field; got Sized.batch. Choose another name"):
        type("Sized", (Strategy,), {"__annotations__": {"batch": int}, "batch": 8})
