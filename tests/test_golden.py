"""Every strategy's bits, alone and in company, are those that were written down on such a machine.

After a change that is meant to move numbers: `python tests/test_golden.py` writes them anew.
"""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from pathlib import Path

import pytest
import torch
from test_conformance import TABLE
from test_engine_invariants import results

from clbench.config import Evaluation, Training
from clbench.engine import RunResult
from clbench.engine.check import find_problems
from clbench.models import MLP
from clbench.models.sequence import SequenceClassifier
from clbench.optimizers import Adam
from clbench.records.run import losses_bytes, training_bytes
from clbench.runs import Run
from clbench.streams import SplitImages, SyntheticText, TwoTaskRegression

FILE = Path(__file__).parent / "golden.json"
MACHINE = f"torch {torch.__version__}, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
SEEDS = (0, 1)
TEXT = {"classes": 6, "vocabulary": 30, "train": 40, "val": 8, "test": 20, "shortest": 6, "longest": 9}
STREAMS = {
    "regression": TwoTaskRegression(train=24),
    **{name: SplitImages(scenario=name, tasks=2, samples=24) for name in ("task", "domain", "class")},
    "text": SyntheticText(**TEXT),
}
MODELS = {"text": SequenceClassifier(embedding=4, hidden=4, attention=4)}


def runs_of(stream: str) -> dict[str, list[Run]]:
    """Return, by strategy, the runs of every seed, without strategies that the stream does not fit."""
    made = {
        name: [
            Run(
                stream=STREAMS[stream],
                model=MODELS.get(stream, MLP(hidden=(4,))),
                strategy=strategy,
                optimizer=Adam(lr=0.01),
                training=Training(steps=4, batch_size=8),
                evaluation=Evaluation(points=2, subset=8, splits=("test",), full=("test",)),
                seed=seed,
            )
            for seed in SEEDS
        ]
        for name, (strategy, _) in TABLE.items()
    }
    return {name: runs for name, runs in made.items() if not find_problems(runs)}


def digest(result: RunResult) -> str:
    """Return 12 hexadecimal digits over a run's `losses.csv` and `training.csv`."""
    assert result.status == "done", result.message
    return hashlib.sha256(losses_bytes(result) + training_bytes(result)).hexdigest()[:12]


def in_company(stream: str) -> dict[str, list[str]]:
    """Return the digests, by strategy and seed, of all runs trained together."""
    runs = runs_of(stream)
    found = [digest(result) for result in results([run for of_one in runs.values() for run in of_one])]
    return {
        name: found[place : place + len(SEEDS)]
        for name, place in zip(runs, range(0, len(found), len(SEEDS)), strict=True)
    }


@cache
def written() -> dict:
    return json.loads(FILE.read_text())


@pytest.mark.parametrize("stream", STREAMS)
def test_bits_are_those_that_were_written_down(stream):
    if written()["machine"] != MACHINE:
        pytest.skip(f"written down with {written()['machine']}; this is {MACHINE}")
    expected = written()["digests"][stream]
    found = in_company(stream)
    moved = [name for name in expected if found.get(name) != expected[name]]
    assert not moved and list(found) == list(expected), f"moved: {moved}. {__doc__.splitlines()[-1]}"


@pytest.mark.parametrize("stream", STREAMS)
def test_a_run_alone_has_the_bits_that_were_written_down(stream):
    if written()["machine"] != MACHINE:
        pytest.skip(f"written down with {written()['machine']}; this is {MACHINE}")
    expected = written()["digests"][stream]
    for place, (name, runs) in enumerate(runs_of(stream).items()):
        seed = place % len(SEEDS)  # every seed, and every strategy
        (alone,) = results(runs[seed : seed + 1], threads=1)
        assert [digest(alone)] == expected.get(name, [])[seed : seed + 1], (
            f"{name}. {__doc__.splitlines()[-1]}"
        )


if __name__ == "__main__":
    digests = {stream: in_company(stream) for stream in STREAMS}
    FILE.write_text(json.dumps({"machine": MACHINE, "digests": digests}, indent=1) + "\n")
