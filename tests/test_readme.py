"""What the README shows works as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from clbench import scores
from clbench.records import declared

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def block(marker: str) -> str:
    """Return the fenced block that follows a marker."""
    found = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, f"README has no block <!-- {marker} -->"
    return found.group(1)


def test_the_example_of_an_own_strategy_runs(tmp_path):
    (tmp_path / "mine.py").write_text(block("example"), encoding="utf-8")
    command = ["strategy=own", "strategy._target_=mine.PullToStart", "+strategy.lam=0.01,1"]
    small = ["training.steps=12", "evaluation.points=2", "model.hidden=[8]", "hydra.sweep.dir=out", "-m"]
    start = "from clbench.app import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", start, *command, *small],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    runs = pd.read_csv(tmp_path / "out" / "runs.csv").sort_values("lam")
    assert list(runs["lam"]) == [0.01, 1.0] and set(runs["status"]) == {"done"}
    assert runs["test_loss_A"].nunique() == 2


def test_the_example_from_python_runs(tmp_path):
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-W", "error", "-c", block("python")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "results" / "ewc" / "report.html").is_file()


def test_an_own_score_and_metric_are_declared_as_shown(monkeypatch):
    monkeypatch.setattr(scores, "SCORES", dict(scores.SCORES))
    monkeypatch.setattr(declared, "METRICS", dict(declared.METRICS))
    found: dict = {}
    exec(block("measures"), found)
    assert found["mae"](torch.zeros(2, 3, 1), torch.ones(2, 3, 1)).tolist() == [1.0, 1.0]
    assert found["worst_task"](np.array([[1.0, 0.0], [0.25, 0.75]])) == 0.25
    assert "mae" in scores.SCORES
    assert "worst_task" in declared.METRICS


def test_the_two_commands_install_with_the_constraints():
    assert block("run").startswith("pip install -c constraints.txt .")
    assert block("test").startswith("pip install -c constraints.txt -e")
