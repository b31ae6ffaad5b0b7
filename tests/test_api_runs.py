"""Runs made in Python: trained into a folder, finished ones left alone, problems told together."""

from __future__ import annotations

import dataclasses
import gc

import pytest
from hydra.utils import instantiate

import clbench
from clbench import engine
from clbench.importance import OutputSensitivity
from clbench.models import MLP
from clbench.optimizers import Adam
from clbench.records.provenance import own_config
from clbench.strategies import Naive, Regularized
from clbench.streams import TwoTaskRegression

STREAM = TwoTaskRegression()
TRAINING = clbench.Training(steps=8)
EVALUATION = clbench.Evaluation(points=2)


def a_run(strategy=None, seed=0, **fields) -> clbench.Run:
    run = clbench.Run(STREAM, MLP(hidden=(4,)), strategy or Naive(), Adam(), TRAINING, EVALUATION, seed=seed)
    return dataclasses.replace(run, **fields)


RUNS = [a_run(strategy, seed) for strategy in (Naive(), Regularized(lam=2.0)) for seed in (0, 1)]


@pytest.fixture
def trained(monkeypatch):
    """Return a list of the seeds of every call of the engine."""
    calls, real = [], engine.train

    def count(runs, *rest, **more):
        calls.append([run.seed for run in runs])
        real(runs, *rest, **more)

    monkeypatch.setattr(engine, "train", count)
    return calls


def test_runs_are_trained_once_into_a_folder(tmp_path, trained, capfd):
    first = clbench.run(RUNS, tmp_path / "out")
    assert len(first.runs) == 4 and set(first.runs["status"]) == {"done"}
    assert set(first.runs["strategy"]) == {"Naive", "Regularized"} and first.folder == tmp_path / "out"
    again = clbench.run([*RUNS, RUNS[0], a_run(seed=2)], str(tmp_path / "out"))
    assert trained == [[0, 1, 0, 1], [2]] and len(again.runs) == 5
    alone = clbench.run(RUNS[1], progress=False)
    name = alone.runs["run"].item()
    assert name in set(first.runs["run"])
    for file in ("losses.csv", "training.csv"):
        assert (alone.folder / name / file).read_bytes() == (first.folder / name / file).read_bytes()
    assert capfd.readouterr() == ("", "")


def test_a_temporary_folder_lives_as_long_as_its_results(trained):
    results = clbench.run(RUNS[0])
    folder, plot = results.folder, results.plot
    assert len(results.losses) > 0 and folder.is_dir()
    del results
    gc.collect()
    assert plot.function().axes  # reads files
    del plot
    gc.collect()
    assert not folder.exists()


def test_labels_name_runs_that_are_equal_but_for_them(tmp_path):
    runs = [a_run(labels={"strategy": name, "stream": "toy"}) for name in ("one", "other")]
    found = clbench.run(runs, tmp_path).runs
    assert list(found["strategy"]) == ["one", "other"] and set(found["stream"]) == {"toy"}
    assert found["run"].str.startswith("toy-").all() and found["test_loss_A"].nunique() == 1


def test_all_problems_of_all_runs_come_together_and_nothing_trains(tmp_path, trained):
    wrong = [a_run(Regularized(lam=-1.0)), a_run(training=clbench.Training(steps=0)), a_run(model="mlp"), 3]
    with pytest.raises(clbench.ConfigurationError) as caught:
        clbench.run(wrong, tmp_path / "out")
    assert len(caught.value.problems) == 4 and trained == [] and not (tmp_path / "out").exists()
    for part in (
        "values of clbench.Run; got 3",
        "got model='mlp'",
        "got training.steps=0",
        "got strategy.lam=-1",
    ):
        assert part in str(caught.value)
    with pytest.raises(clbench.ConfigurationError, match="given a run or several; got none"):
        clbench.run([])


def test_a_folder_that_cannot_be_written_is_told_before_training(tmp_path, trained):
    (tmp_path / "file").write_text("")
    with pytest.raises(clbench.ConfigurationError, match="is a file"):
        clbench.run(RUNS, tmp_path / "file" / "out")
    assert trained == []


def test_a_run_says_of_itself_what_a_configuration_would():
    run = a_run(Regularized(lam=2.0, importance=OutputSensitivity()))
    config = own_config(run)
    for part in ("stream", "model", "strategy", "optimizer"):
        made = instantiate(config[part], _convert_="all")
        assert engine.find_problems([dataclasses.replace(run, **{part: made})]) == []
        assert type(made) is type(getattr(run, part))
    assert instantiate(config["strategy"], _convert_="all") == run.strategy
    assert config["training"] == dataclasses.asdict(TRAINING)
