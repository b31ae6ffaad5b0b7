"""A user's penalty by autograd, and the mistakes that leave it without effect."""

from dataclasses import dataclass

import pytest
import torch
from fake_context import FakeContext, classification_stream

from clbench.errors import ConfigurationError
from clbench.strategies import Strategy
from clbench.strategies.autograd import penalty_by_autograd


@dataclass(frozen=True)
class Quartic(Strategy):
    lam: float = 2.0
    cut: str = "nothing"

    def penalty(self, context, state, theta):
        if self.cut == "detach":
            theta = theta.detach()
        if self.cut == "data":
            theta = theta.data
        if self.cut == "lanes":
            return (theta**4).sum()
        if self.cut == "zero":
            return torch.zeros(theta.shape[0])
        if self.cut == "parameter":
            return torch.nn.Parameter(theta.detach()).pow(4).sum(1)
        if self.cut == "no_grad":
            with torch.no_grad():
                return self.lam * (theta**4).sum(1)
        return self.lam * (theta**4).sum(1)


def test_gradient_is_the_derivative_and_theta_stays():
    context = FakeContext(classification_stream())
    before = context.theta.clone()
    with torch.no_grad():  # as the engine trains
        value, gradient = penalty_by_autograd(Quartic().penalty, context, {}, context.theta)
    torch.testing.assert_close(value, 2 * (before**4).sum(1))
    torch.testing.assert_close(gradient, 8 * before**3)
    assert torch.equal(context.theta, before)
    assert not value.requires_grad
    assert not gradient.requires_grad


@pytest.mark.parametrize("cut", ["detach", "data", "no_grad", "parameter"])
def test_a_value_without_gradient_is_caught_in_one_line(cut):
    context = FakeContext(classification_stream())
    with pytest.raises(ConfigurationError) as caught:
        penalty_by_autograd(Quartic(cut=cut).penalty, context, {}, context.theta)
    assert len(caught.value.problems) == 1
    line = caught.value.problems[0]
    assert "\n" not in line
    assert "got a value without one from Quartic.penalty" in line
    assert ".detach()" in line


def test_a_value_over_all_lanes_is_caught():
    context = FakeContext(classification_stream())
    with pytest.raises(ConfigurationError, match=r"one number per lane, shape \(2,\); got \(\) from Quartic"):
        penalty_by_autograd(Quartic(cut="lanes").penalty, context, {}, context.theta)


def test_a_constant_zero_is_allowed():
    context = FakeContext(classification_stream())
    value, gradient = penalty_by_autograd(Quartic(cut="zero").penalty, context, {}, context.theta)
    assert value.tolist() == [0.0, 0.0]
    assert gradient.abs().max() == 0
