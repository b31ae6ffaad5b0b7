"""Scores against scikit-learn's functions of the same names."""

import dataclasses
import functools
from dataclasses import dataclass

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, r2_score

import clbench
from clbench.analysis.settings import leading_metric_of
from clbench.config import Evaluation, Training
from clbench.engine import train
from clbench.execution import Execution
from clbench.figures.words import quantity
from clbench.models import MLP
from clbench.optimizers import SGD
from clbench.records import write_run, write_sweep
from clbench.records.columns import higher_is_better, read_final
from clbench.runs import Run
from clbench.scores import SCORES, r2, score, scores_in
from clbench.strategies import Naive
from clbench.streams.regression import TwoTaskRegression


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


@pytest.mark.parametrize("name", ["accuracy", "f1_micro", "f1_macro"])
def test_scores_of_labels_agree_with_scikit_learn(name):
    generator = torch.Generator().manual_seed(1)
    outputs = torch.randn(3, 40, 5, generator=generator)
    targets = torch.randint(0, 4, (3, 40), generator=generator)  # class 4 is predicted and never right
    targets[1] = 2
    found = SCORES[name](outputs, targets)
    pairs = zip(targets.numpy(), outputs.argmax(2).numpy(), strict=True)
    theirs = {"accuracy": accuracy_score}.get(name) or functools.partial(f1_score, average=name[3:])
    assert found.tolist() == pytest.approx([theirs(*pair) for pair in pairs])


@pytest.fixture
def _mae():
    """A user's own score, declared for one test."""

    @score("numbers", higher_is_better=False, label="MAE")
    def mae(outputs, targets):
        return (outputs - targets).abs().flatten(1).mean(1)

    yield
    del SCORES["mae"]


@dataclass(frozen=True)
class OwnLines(TwoTaskRegression):
    """The two-task regression with a score of the user's own."""

    def build(self, seed):
        """Return the stream."""
        return dataclasses.replace(super().build(seed), scores=("rmse", "mae"))


@pytest.mark.usefixtures("_mae")
def test_a_users_score_is_computed_recorded_and_oriented_by_one_declaration(tmp_path):
    run = Run(OwnLines(), MLP(hidden=(4,)), Naive(), SGD(lr=0.01), Training(steps=4), Evaluation(points=2))
    train([run], lambda _, result: write_run(tmp_path / "a", run, result), execution=Execution(threads=1))
    write_sweep(tmp_path)
    results = clbench.load(tmp_path)
    ends = results.losses[(results.losses["step"] == 8) & (results.losses["split"] == "test")]
    assert results.runs["test_mae_B"].tolist() == ends[ends["task"] == "B"]["mae"].tolist()
    assert (ends["mae"] <= ends["rmse"]).all() and (ends["mae"] > 0).all()
    assert not higher_is_better("test_mae_B") and leading_metric_of(results.runs) == "loss"
    del SCORES["mae"]  # as where the report is made again, without the user's code
    assert read_final("test_mae_B") is None
    clbench.load(tmp_path)
    assert quantity("mae") == "MAE" and quantity("f1_micro") == "micro F1"
    assert read_final("test_mae_B") == ("test", "mae", "B") and not higher_is_better("test_mae_B")
    assert "mae" not in scores_in("regression")  # nothing can compute it


@pytest.mark.parametrize("name", ["accuracy", "loss", "loss_sum", "f1"])
def test_a_score_must_not_be_called_so_that_columns_have_two_readings(name):
    def own(outputs, targets):
        return outputs

    own.__name__ = name
    with pytest.raises(ValueError, match=f"got {name}"):
        score("labels", higher_is_better=True)(own)
