"""Scores against scikit-learn's functions of the same names."""

import pytest
import torch
from sklearn.metrics import r2_score

from clbench.engine.scores import r2


@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("constant", [None, 0, 1])
def test_r2_agrees_with_scikit_learn_where_targets_are_constant_too(shift, constant):
    targets = torch.randn(2, 30, 2, generator=torch.Generator().manual_seed(0))
    if constant is not None:
        targets[:, :, constant] = 0.1
    outputs = targets + shift
    found = r2(outputs, targets)
    wanted = [r2_score(y.double().numpy(), o.double().numpy()) for y, o in zip(targets, outputs, strict=True)]
    assert found.tolist() == pytest.approx(wanted, abs=1e-5)


def test_r2_of_targets_that_are_all_the_same_is_finite():
    targets = torch.full((1, 7, 1), 0.1)
    assert r2(targets, targets).item() == 1.0
    assert r2(targets + 1, targets).item() == 0.0
