"""The couplings on the real engine, against the weight decay of the optimisers."""

import numpy as np
import pytest

from clbench.config import Evaluation, Training
from clbench.engine import train
from clbench.execution import Execution
from clbench.models import MLP
from clbench.optimizers import SGD, Adam, AdamW
from clbench.penalty import Group
from clbench.runs import Run
from clbench.strategies import Naive, Regularized
from clbench.streams import TwoTaskRegression

LAM = 0.3


def final_losses(strategy, optimizer):
    run = Run(
        stream=TwoTaskRegression(train=64, val=0, test=32),
        model=MLP(hidden=(16,), activation="tanh"),
        strategy=strategy,
        optimizer=optimizer,
        training=Training(steps=60, batch_size=16),
        evaluation=Evaluation(points=4),
    )
    found = {}
    train([run], found.__setitem__, execution=Execution(threads=1))
    assert found[0].status == "done"
    return found[0].loss[:, :, [0, 2]]


def decay(coupling):
    return Regularized(lam=LAM, anchor="zero", half=True, coupling=coupling)


@pytest.mark.parametrize(
    ("coupling", "optimizer", "reference"),
    [
        ("loss", Adam(lr=0.01), Adam(lr=0.01, weight_decay=LAM)),
        ("decoupled", Adam(lr=0.01), AdamW(lr=0.01, weight_decay=LAM)),
        ("loss", SGD(lr=0.05, momentum=0.9), SGD(lr=0.05, momentum=0.9, weight_decay=LAM)),
        ("decoupled", SGD(lr=0.05), SGD(lr=0.05, weight_decay=LAM)),
    ],
)
def test_the_penalty_is_the_optimisers_weight_decay(coupling, optimizer, reference):
    found, expected = final_losses(decay(coupling), optimizer), final_losses(Naive(), reference)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-5)
    plain = final_losses(Naive(), optimizer)
    assert np.abs(found - plain).max() > 0.01


def test_the_couplings_differ_with_adam_and_not_with_sgd():
    for optimizer, differ in ((Adam(lr=0.01), True), (SGD(lr=0.05), False)):
        apart = np.abs(final_losses(decay("loss"), optimizer) - final_losses(decay("decoupled"), optimizer))
        assert (apart.max() > 0.01) == differ


def test_adam_with_an_l1_proximal_step_reaches_exact_zeros():
    part = Regularized(lam=1e4, anchor="zero", distance="l1", coupling="decoupled")
    losses = final_losses(part, Adam(lr=0.01))
    # All parameters are 0 after every step, so the outputs are 0 and the loss no longer moves.
    np.testing.assert_array_equal(losses[1:], np.broadcast_to(losses[-1], losses[1:].shape))


def test_what_is_frozen_stays_and_a_groups_learning_rate_is_a_factor():
    frozen = Regularized(lam=0.0, groups=(Group("*", frozen="later"),))
    losses = final_losses(frozen, Adam(lr=0.01))
    end = len(losses) // 2  # of the first stage
    np.testing.assert_array_equal(losses[end:], np.broadcast_to(losses[end], losses[end:].shape))
    assert np.abs(losses[end] - losses[0]).max() > 0.1
    halved = Regularized(lam=0.0, groups=(Group("*", learning_rate=0.5),))
    found, expected = final_losses(halved, SGD(lr=0.1)), final_losses(Naive(), SGD(lr=0.05))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
