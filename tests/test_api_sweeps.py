"""Sweeps from Python: the files of the command, Hydra's globals left alone, and a notebook's worth of it."""

from __future__ import annotations

import csv
import logging
import os
import subprocess
import sys
from pathlib import Path

import hydra
import pandas as pd
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.version import VersionBase

import clbench
from clbench import engine

STUDY = ("experiments=two_task_regression", "strategy=naive,l2", "seed=range(2)")
SMALL = ("training.steps=8", "evaluation.points=2", "model.hidden=[4]")
TIMES = {"seconds"}


BROKEN = """
from dataclasses import dataclass
from clbench.strategies import Strategy

@dataclass(frozen=True)
class Broken(Strategy):
    def penalty(self, context, state, theta):
        raise RuntimeError("not today")
"""


def rows(folder: Path) -> list[dict[str, str]]:
    """Return `runs.csv` without the times."""
    with (folder / "runs.csv").open(encoding="utf-8", newline="") as file:
        return [{key: cell for key, cell in row.items() if key not in TIMES} for row in csv.DictReader(file)]


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files that hold no times and no place, by their paths."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    with_times = {"summary.json", "runs.csv", "clbench.log", "hydra.yaml", "multirun.yaml", "report.html"}
    kept = (
        item for item in found.items() if item[0].name not in with_times and "figures" not in item[0].parts
    )
    return {str(name): path.read_bytes() for name, path in kept}


@pytest.fixture
def counted(monkeypatch):
    calls, real = [], engine.train

    def count(runs, *rest, **more):
        calls.append(len(runs))
        real(runs, *rest, **more)

    monkeypatch.setattr(engine, "train", count)
    return calls


def test_a_sweep_writes_what_the_command_writes(tmp_path, request):
    command = request.getfixturevalue("clbench")
    assert command("-m", *STUDY, *SMALL, f"hydra.sweep.dir={tmp_path / 'one'}") == (0, [])
    results = clbench.sweep(*STUDY, *SMALL, folder=tmp_path / "two")
    ours, theirs = contents(tmp_path / "two"), contents(tmp_path / "one")
    assert ours.keys() == theirs.keys() and ours == theirs
    assert rows(tmp_path / "two") == rows(tmp_path / "one") and len(results.runs) == 10
    assert sum(name.endswith("losses.csv") for name in ours) == 10 and "commands.txt" in ours
    yaml = [(tmp_path / name / "multirun.yaml").read_text() for name in ("one", "two")]
    assert yaml[0].replace("/one", "/two") == yaml[1]


def test_a_folder_that_is_full_is_not_trained_again(tmp_path, counted):
    folder = tmp_path / "a 'place' of, its=own"
    first = clbench.sweep("strategy=naive,l2", *SMALL, folder=folder)
    second = clbench.sweep("strategy=naive,l2", "seed=0,1", *SMALL, folder=str(folder))
    assert counted == [2, 2] and len(first.runs) == 2 and len(second.runs) == 4
    assert len(clbench.sweep("seed=1", *SMALL, folder=folder).runs) == 4
    assert counted == [2, 2]


def test_another_run_may_take_a_folder_over(tmp_path):
    """As by two commands; within one, unlike runs in one folder are a problem."""
    for seed in (0, 1):
        found = clbench.sweep(f"seed={seed}", "hydra.sweep.subdir=here", *SMALL, folder=tmp_path).runs
        assert found[["run", "seed"]].to_dict("records") == [{"run": "here", "seed": seed}]
    with pytest.raises(clbench.ConfigurationError, match="folders of their own"):
        clbench.sweep("seed=0,1", "hydra.sweep.subdir=there", *SMALL, folder=tmp_path)


def test_a_run_that_fails_leaves_the_others_and_a_warning(tmp_path, monkeypatch):
    (tmp_path / "own_part_that_breaks.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    words = ("strategy=own,naive", "strategy._target_=own_part_that_breaks.Broken,clbench.strategies.Naive")
    told = "^1 run failed. The first error: .*RuntimeError: not today"
    with pytest.warns(RuntimeWarning, match=told) as seen:  # two of the four jobs are the same run
        results = clbench.sweep(*words, *SMALL, folder=tmp_path / "out")
    assert seen[0].filename == __file__
    assert results.runs.set_index("strategy")["status"].to_dict() == {"Broken": "failed", "Naive": "done"}
    runs = clbench.compose(*words[1:], "strategy=own", *SMALL)
    with pytest.warns(RuntimeWarning, match="^1 run failed"):
        assert sorted(clbench.run(runs).runs["status"]) == ["done", "failed"]


def test_one_configuration_is_a_single_run_in_a_temporary_folder(counted):
    results = clbench.sweep("strategy=l2", "strategy.lam=3", *SMALL)
    assert counted == [1] and results.runs["lam"].tolist() == [3.0]
    assert clbench.load(results.folder).losses.equals(results.losses)


def test_runs_are_composed_as_values_and_train_to_the_same_bits(tmp_path):
    words = ("strategy=naive,ewc", "seed=0,1", *SMALL)
    runs = clbench.compose(*words)
    labels = [(run.labels["strategy"], run.seed) for run in runs]
    assert labels == [("naive", 0), ("naive", 1), ("ewc", 0), ("ewc", 1)]
    ours, theirs = clbench.run(runs).runs, clbench.sweep(*words).runs
    keys = ["strategy", "lam", "seed"]
    finals = [name for name in theirs if name.startswith("test_")]
    left, right = (frame.sort_values(keys, ignore_index=True)[[*keys, *finals]] for frame in (ours, theirs))
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    (alone,) = clbench.compose("strategy=ewc", "strategy.lam=10")
    assert alone.strategy.lam == 10 and alone.labels["strategy"] == "ewc"


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("strategy=l3",), ["got strategy=l3. Known: "]),
        (
            ("strategy=l2", "strategy.lam=-1", "training.steps=0"),
            ["got strategy.lam=-1", "got training.steps=0"],
        ),
        (("strategy=naive,l2", "strategy.lam=1"), ["strategy.lam"]),
        (("hydra/sweeper=basic",), ["got hydra/sweeper=basic. Use the command"]),
        (("seed=",), ["seed="]),
        (("-m", "hydra.sweep.dir=out"), ["folder=…; got -m.", "got hydra.sweep.dir=out."]),
    ],
)
def test_mistakes_are_told_together_and_leave_nothing(words, lines, tmp_path, counted):
    with pytest.raises(clbench.ConfigurationError) as caught:
        clbench.sweep(*words, folder=tmp_path / "deep" / "out")
    assert all(line in str(caught.value) for line in lines), caught.value.problems
    assert counted == [] and list(tmp_path.iterdir()) == []


def state() -> tuple:
    root = logging.getLogger()
    version = VersionBase.instance().version_base
    return (
        GlobalHydra.instance().hydra,
        HydraConfig.instance().cfg,
        version,
        list(root.handlers),
        root.level,
        [logger for logger in root.manager.loggerDict if logging.getLogger(logger).disabled],
        list(sys.path),
        os.getcwd(),
        dict(os.environ),
    )


def test_a_line_says_how_far_training_is_and_can_be_switched_off(monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # as in a notebook, where no terminal is
    clbench.sweep("seed=0,1", *SMALL, "cache=false", progress=False)
    assert capfd.readouterr() == ("", "")
    clbench.sweep("seed=0,1", *SMALL, "cache=false")
    shown = capfd.readouterr()
    *_, last, end = shown.err.rstrip("\r").split("\r")
    assert shown.out == "" and last.startswith("2 runs, ") and last.rstrip().endswith("100 %")
    assert end.strip() == ""


def test_globals_are_left_as_they_were(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    before = state()
    clbench.sweep("seed=0,1", *SMALL)
    clbench.sweep("hydra.job.chdir=true", *SMALL)  # Hydra's own jobs, which log and change the folder
    with pytest.raises(clbench.ConfigurationError, match="got strategy=l3"):
        clbench.compose("strategy=l3")
    assert state() == before and len(clbench.compose("strategy=ewc")) == 1
    assert state() == before
    assert capfd.readouterr().out == "" and list(tmp_path.iterdir()) == []


def test_an_application_of_hydra_may_sweep_inside(tmp_path, hydra_restore_singletons):
    """Another application with a version base of its own, initialised, goes on as if nothing had been."""
    (tmp_path / "config.yaml").write_text("a: 1\n")
    with hydra.initialize_config_dir(str(tmp_path), version_base="1.2", job_name="other"):
        HydraConfig.instance().set_config(hydra.compose("config", return_hydra_config=True))
        before = state()
        assert len(clbench.sweep("seed=0,1", *SMALL).runs) == 2
        with pytest.raises(clbench.ConfigurationError):
            clbench.compose("training.steps=many")
        assert state() == before and hydra.compose("config") == {"a": 1}
        assert HydraConfig.get().job.name == "other"


NOTEBOOK = """
import clbench
small = ("training.steps=20", "model.hidden=[8]")
results = clbench.sweep("experiments=two_task_regression", "seed=0,1", *small)
table = results.compare("naive")
figure = results.plot.loss("A")
figure.savefig("loss.png")
shown = results._repr_html_()
runs = clbench.compose("strategy=ewc", "strategy.lam=1,10", *small)
kept = clbench.run(runs, folder="kept")
again = clbench.load("kept")
assert again.losses.equals(kept.losses) and len(again.runs) == 2
assert {"difference", "p_holm"} <= set(table.columns) and "Difference from naive" in shown
from matplotlib import pyplot
assert pyplot.get_fignums() == []
print(len(results.runs), "runs", results.folder)
"""


def test_a_notebook_needs_nothing_but_clbench(tmp_path):
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NOTEBOOK],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    count, _, folder = done.stdout.strip().partition(" runs ")
    assert count == "12" and not Path(folder).exists()  # a temporary folder is gone with the program
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "loss.png"]


def test_importing_clbench_loads_no_library():
    code = (
        "import sys, clbench; assert clbench.__version__[0].isdigit(); dir(clbench)\n"
        "heavy = {'torch', 'pandas', 'numpy', 'matplotlib', 'hydra', 'omegaconf'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
