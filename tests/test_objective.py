"""What a run returns to the sweeper that asked for it, through the command: its score on validation data."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from clbench.analysis.selection import criterion
from clbench.launcher.sweep import Sweep
from clbench.records.criterion import mean_score

SMALL = ("training.steps=6", "evaluation.points=1", "model.hidden=[4]", "stream.train=40", "cache=off")
DIVERGES = 1e30
LAMBDAS = (0.1, DIVERGES, 1.0)


def test_the_mean_score_is_oriented_and_leaves_out_tasks_without_samples():
    final = np.array([[0.5, 1.0, np.nan], [np.nan, np.nan, np.nan]])
    assert np.array_equal(mean_score(final, "accuracy"), [0.75, np.nan], equal_nan=True)
    assert np.array_equal(mean_score(final, "loss"), [-0.75, np.nan], equal_nan=True)


class Tuner(Sweeper):
    """Asks for one λ after the other, as a tuner does, and keeps what it is told."""

    told: dict[float, float | None] = {}

    def __init__(self, max_batch_size=None, params=None):
        pass

    def setup(self, *, hydra_context, task_function, config):
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments):
        for number, lam in enumerate(LAMBDAS):
            (job,) = self.launcher.launch([[*arguments, f"strategy.lam={lam}"]], initial_job_idx=number)
            Tuner.told[lam] = job.return_value


@pytest.fixture
def tune(clbench, monkeypatch):
    """Return a function that runs the command with the tuner and returns what this was told."""
    module = types.ModuleType("hydra_plugins.tuner_of_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Tuner, "__module__", module.__name__)
    monkeypatch.setattr(Tuner, "told", {})
    module.Tuner = Tuner
    Plugins.instance().register(Tuner)
    target = "hydra.sweeper._target_=hydra_plugins.tuner_of_a_test.Tuner"

    def run(*words):
        code, lines = clbench("-m", target, "strategy=l2", "optimizer=sgd", *SMALL, *words)
        return code, lines, dict(Tuner.told)

    return run


@pytest.mark.parametrize("launcher", ["lanes", "basic"])
def test_a_tuner_gets_validation_scores_and_no_score_for_a_diverged_trial(tune, tmp_path, launcher):
    code, _, told = tune("hydra.sweep.dir=out", f"hydra/launcher={launcher}")
    runs = pd.read_csv(tmp_path / "out" / "runs.csv").set_index("lam")
    assert code == 0 and told.pop(DIVERGES) is None
    assert runs["status"].to_dict() == {0.1: "done", 1.0: "done", DIVERGES: "diverged"}
    # A regression's score is its loss with the sign turned, averaged over the tasks.
    expected = -(runs["val_loss_A"] + runs["val_loss_B"]) / 2
    assert told == pytest.approx(expected[[0.1, 1.0]].to_dict(), rel=1e-12)
    assert told == pytest.approx(criterion(runs)[[0.1, 1.0]].to_dict(), rel=1e-12)
    assert expected[0.1] != pytest.approx(runs["acc"][0.1])


def test_the_test_split_is_returned_by_name_only(tune, tmp_path):
    code, _, told = tune("hydra.sweep.dir=out", "objective=test")
    runs = pd.read_csv(tmp_path / "out" / "runs.csv").set_index("lam")
    assert code == 0
    assert told[0.1] == pytest.approx(runs["acc"][0.1]) != pytest.approx(criterion(runs)[0.1])


NO_SCORE = {
    "not evaluated": (
        ("evaluation.splits=[train,test]", "evaluation.full=[test]"),
        "got objective=val and evaluation.splits=['train', 'test']. Add val. Or set objective=test",
    ),
    "empty": (("stream.val=0",), "got objective=val and no such samples in stream=two_task_regression."),
}


@pytest.mark.parametrize("name", NO_SCORE)
def test_a_tuner_without_validation_scores_is_told_in_one_line(tune, clbench, tmp_path, name):
    words, expected = NO_SCORE[name]
    code, lines, told = tune(*words)
    assert (code, len(lines), told) == (2, 1, {}) and expected in lines[0]
    assert list(tmp_path.iterdir()) == []
    # Where nobody chooses by the score it may be missing.
    assert clbench("seed=1", *SMALL, *words)[0] == 0


def test_an_unknown_objective_is_refused(clbench, tmp_path):
    for mode in ((), ("-m",)):
        code, lines = clbench(*mode, "objective=train")
        assert (code, len(lines)) == (2, 1)
        assert lines[0].startswith("objective must be val or test; got objective=train.")
    assert list(tmp_path.iterdir()) == []


def test_jobs_of_a_plain_sweep_return_the_same(clbench, tmp_path, monkeypatch):
    returned = []
    real = Sweep.run
    monkeypatch.setattr(Sweep, "run", lambda self, words: returned.extend(real(self, words)))
    clbench("-m", "seed=4,5", *SMALL, "hydra.sweep.dir=out")
    runs = pd.read_csv(tmp_path / "out" / "runs.csv").sort_values("seed")
    assert [job.return_value for batch in returned for job in batch] == pytest.approx(list(criterion(runs)))


def test_the_preset_without_its_sweeper_is_told_in_one_line(clbench, tmp_path, monkeypatch):
    monkeypatch.setattr("clbench.launcher.objective.find_spec", lambda name: None)
    code, lines = clbench("-m", "hydra/sweeper=clbench_optuna", "strategy.lam=1,2")
    assert (code, len(lines)) == (2, 1) and "pip install hydra-optuna-sweeper" in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_optuna_finds_the_best_of_what_it_tried(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="hydra-optuna-sweeper is not installed")
    tuner = ["-m", "hydra/sweeper=clbench_optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=6"]
    tuner += ["hydra/sweeper/sampler=random", "hydra.sweeper.sampler.seed=1"]
    grid = ["strategy=l2", "optimizer=sgd", f"strategy.lam=choice(0.01,0.1,1,10,{DIVERGES})"]
    done = run_command([*tuner, *grid, *SMALL, "hydra.sweep.dir=out"], tmp_path)
    assert done.returncode == 0, done.stderr
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    assert {"done", "diverged"} == set(runs["status"]) and len(runs) > 2
    best = runs.loc[criterion(runs).idxmax()]
    told = yaml.safe_load((tmp_path / "out" / "optimization_results.yaml").read_text())
    assert told["best_params"] == {"strategy.lam": best["lam"]}
    assert told["best_value"] == pytest.approx(-(best["val_loss_A"] + best["val_loss_B"]) / 2)


def run_command(words, folder):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", "from clbench.app import main; main()", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_a_search_without_any_score_ends_in_one_line(clbench, tmp_path, monkeypatch):
    def best_of_none(self, words):  # as Hydra's sweeper for Optuna ends when all of its trials have failed
        raise ValueError("No trials are completed yet.")

    monkeypatch.setattr(Sweep, "run", best_of_none)
    code, lines = clbench("-m", "seed=1,2", *SMALL)
    assert (code, len(lines)) == (1, 1) and lines[0].startswith("A search must have a trial with a score;")
