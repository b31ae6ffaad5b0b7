"""One value for several choices: what a sweep gives to fields that the default choice does not have."""

from __future__ import annotations

import pandas as pd
import pytest

from clbench.launcher.arguments import for_hydra

SMALL = ("training.steps=4", "evaluation=final", "model.hidden=[4]", "threads=1", "cache=off")
HYDRAS = ("hydra/launcher=basic", "hydra/sweeper=basic")


def runs_of(folder):
    return pd.read_csv(folder / "runs.csv").sort_values(["strategy", "stream"])


@pytest.mark.parametrize("launcher", [(), HYDRAS], ids=["ours", "Hydra's"])
@pytest.mark.parametrize(
    "words, column, expected",
    [
        (["strategy=ewc,l2", "strategy.lam=100"], "lam", [100, 100]),
        (["strategy=choice(er,derpp)", "strategy.buffer_size=50"], "strategy", ["derpp", "er"]),
        (
            ["stream=split_digits,permuted_digits", "stream.tasks=2"],
            "stream",
            ["permuted_digits", "split_digits"],
        ),
        (["strategy=ewc,l2", "strategy.groups=[{pattern: 'kind:bias', lam: 2}]"], "lam", [1000, 0.1]),
    ],
)
def test_one_value_goes_to_every_swept_choice(clbench, tmp_path, launcher, words, column, expected):
    code, lines = clbench("-m", *words, *SMALL, "hydra.sweep.dir=out", *launcher)
    assert (code, lines) == (0, [])
    runs = runs_of(tmp_path / "out")
    assert runs[column].tolist() == expected and set(runs["status"]) == {"done"}


STUDY = """
# @package _global_
defaults: [{choices}]
study: {grids: [{grids}]}
hydra: {mode: MULTIRUN}
"""


def study(folder, name, grids, choices=""):
    file = folder / "experiments" / f"{name}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(STUDY.replace("{choices}", choices).replace("{grids}", grids))


def test_one_value_goes_to_what_a_study_or_its_parameters_choose(clbench, tmp_path):
    study(tmp_path, "grid", "{strategy: 'l2,ewc'}")
    study(tmp_path, "one", "{seed: '3'}", "override /strategy: l2")
    study(tmp_path, "two", "{seed: '3'}", "override /strategy: ewc")
    for number, name in enumerate(("grid", "one,two")):
        command = ("-m", "--config-dir", ".", f"experiments={name}", "strategy.lam=7", *SMALL)
        code, lines = clbench(*command, f"hydra.sweep.dir=out{number}")
        assert (code, lines) == (0, [])
        runs = runs_of(tmp_path / f"out{number}")
        assert runs[["strategy", "lam"]].values.tolist() == [["ewc", 7], ["l2", 7]]


def test_one_value_that_a_choice_lacks_is_told(clbench):
    code, lines = clbench("-m", "strategy=naive,l2", "strategy.lam=1", *SMALL)
    assert code == 2 and len(lines) == 1
    assert "got strategy.lam=1, which is not in strategy=naive. Sweep the others by themselves" in lines[0]


def test_what_is_written_is_what_is_swept():
    sweep = ["-m", "strategy=l2,ewc"]
    for word, swept in {
        "strategy.file=1.vec": "strategy.file=choice(1.vec)",
        'strategy.file="1"': r'strategy.file=choice("\"1\"")',
        "strategy.file=": 'strategy.file=choice("")',
        "strategy.lam=${seed}": "strategy.lam=choice(${seed})",
        "strategy.lam=1,2": "strategy.lam=1,2",
        "strategy.lam=0.1,": "strategy.lam=0.1,",
        "+strategy.lam=1": "+strategy.lam=1",
        "optimizer.lr=1": "optimizer.lr=1",
    }.items():
        assert for_hydra([*sweep, word]) == [*sweep, swept]
    # What is only printed, or run once, is left alone.
    for words in (["--cfg", "job", "strategy=l2,ewc"], ["experiments=split_digits", "hydra.mode=RUN"]):
        assert for_hydra([*words, "strategy.lam=1"]) == [*words, "strategy.lam=1"]
