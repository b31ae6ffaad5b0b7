"""The sequence models and foreign modules on the real engine: lane rules, and what a stage freezes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from clbench.config import Evaluation, Training
from clbench.engine import RunResult, train
from clbench.execution import Execution
from clbench.models import MLP, Module, SequenceClassifier
from clbench.optimizers import Adam
from clbench.penalty import Group
from clbench.runs import Run
from clbench.strategies import Joint, Naive, Regularized
from clbench.streams import SyntheticText, TwoTaskRegression

TEXT = SyntheticText(classes=4, vocabulary=20, train=64, val=10, test=20, shortest=5, longest=8)
MODELS = {
    "sequence": SequenceClassifier(embedding=5, hidden=7, attention=3),
    "adapter": SequenceClassifier(embedding=4, hidden=8, attention=4, adapter=True),
}


class TwoLayers(nn.Module):
    """The MLP of one hidden layer of 12, under its names."""

    def __init__(self, features: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(features[0], 12)])
        self.head = nn.Linear(12, outputs)

    def forward(self, x):
        return self.head(torch.relu(self.layers[0](x)))


def make(model, strategy, seed=0, stream=TEXT) -> Run:
    return Run(
        stream=stream,
        model=model,
        strategy=strategy,
        optimizer=Adam(lr=0.01, weight_decay=0.01),
        training=Training(steps=6, batch_size=16),
        evaluation=Evaluation(points=3, subset=None),
        seed=seed,
    )


def results(runs: list[Run], **used: object) -> list[RunResult]:
    found: dict[int, RunResult] = {}
    train(runs, found.__setitem__, execution=Execution(**used))
    return [found[number] for number in range(len(runs))]


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_alone_is_in_company(model):
    runs = [make(model, Regularized(lam=lam), seed) for seed in (0, 1) for lam in (0.1, 3.0)]
    runs.append(make(model, Joint(), 1))
    company = results(runs)
    for number in (0, 3, 4):
        (alone,) = results([runs[number]], threads=1)
        assert alone.status == "done"
        np.testing.assert_array_equal(alone.loss, company[number].loss)


def test_an_adapter_that_is_held_at_identity_leaves_the_first_stage_as_it_was():
    groups = (Group("adapter.*", frozen="always"),)
    (held,) = results([make(MODELS["adapter"], Regularized(lam=0.0, groups=groups))])
    (free,) = results([make(MODELS["adapter"], Naive())])
    ends = np.flatnonzero(held.full)
    # Everything below is frozen from the second stage on, so that nothing changes where the adapter doesn't.
    np.testing.assert_array_equal(held.loss[ends[1]], held.loss[ends[2]])
    np.testing.assert_array_equal(free.loss[: ends[1] + 1], held.loss[: ends[1] + 1])
    assert (free.loss[ends[2]] != free.loss[ends[1]]).all()


@pytest.mark.parametrize("exact", [True, False])
def test_a_module_learns_as_our_mlp_does(exact):
    stream = TwoTaskRegression(train=64, val=16, test=32)
    ours = results([make(MLP(hidden=(12,)), Naive(), seed, stream) for seed in (0, 1)])
    theirs = results([make(Module(TwoLayers, exact=exact), Naive(), seed, stream) for seed in (0, 1)])
    for left, right in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(left.loss, right.loss, rtol=1e-5)
