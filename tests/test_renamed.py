"""An option's old name is answered with the new one, wherever a user may have written it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ("training.steps=4", "evaluation.points=1", "model.hidden=[4]", "stream.train=40", "cache=off")
LINE = (
    "strategy.memory is now called strategy.buffer_size; got strategy.memory={0}. "
    "Write strategy.buffer_size={0}."
)


def write(folder: Path, name: str, text: str) -> str:
    """Write a file of a user's own configuration; return the argument that names its folder."""
    file = folder / "mine" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return f"--config-dir={folder / 'mine'}"


def test_the_real_command_answers_in_one_line(tmp_path):
    command = [sys.executable, "-m", "clbench", "strategy=er", "strategy.memory=20", *SMALL]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, LINE.format(20) + "\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words, lines",
    [
        (["strategy=er", "strategy.replay=8"], [LINE.format(8).replace("memory", "replay")]),
        (["-m", "strategy=er", "strategy.memory=20,40"], [LINE.format("20,40")]),
        (["-m", "strategy=l2,er", "strategy.memory=20"], [LINE.format(20)]),
        (["-m", "strategy=er,naive", "strategy.memory=20"], [LINE.format(20)]),
        (["strategy=er", "+strategy.memory=20"], [LINE.format(20)]),
        (["strategy=er", "strategy.memory=20", "memory=x1"], [LINE.format(20)]),
    ],
    ids=" ".join,
)
def test_a_key_of_the_command_line(clbench, words, lines):
    code, errors = clbench(*words, *SMALL)
    assert code == 2
    expected = [
        line.replace("buffer_size", "replay_batch_size") if "replay" in line else line for line in lines
    ]
    assert [line for line in errors if "now called" in line] == expected


def test_a_part_of_a_users_own(clbench, tmp_path):
    text = "_target_: clbench.strategies.ExperienceReplay\nmemory: 20\n"
    folder = write(tmp_path, "strategy/mine.yaml", text)
    assert clbench(folder, "strategy=mine", *SMALL) == (2, [LINE.format(20)])


GRID = "# @package _global_\nstudy: {{grids: [{{strategy: er, {}, seed: 0}}]{}}}\nhydra: {{mode: MULTIRUN}}\n"


def test_a_grid_of_a_study(clbench, tmp_path):
    folder = write(tmp_path, "experiments/old.yaml", GRID.format("strategy.memory: '20,40'", ""))
    assert clbench(folder, "experiments=old", *SMALL) == (2, [LINE.format(20)])


def test_what_a_study_says_of_its_runs(clbench, tmp_path):
    table = ", published: {of: {few: {strategy: er, strategy.memory: 20}}}"
    folder = write(tmp_path, "experiments/old.yaml", GRID.format("strategy.buffer_size: '20,40'", table))
    assert clbench(folder, "experiments=old", *SMALL) == (2, [LINE.format(20)])


def test_other_unknown_keys_and_the_memory_of_the_machine_are_left_alone(clbench):
    code, (line,) = clbench("strategy=l2", "strategy.memory=20", *SMALL)
    assert code == 2 and line.startswith(
        "A key must exist in the configuration; got strategy.memory=20. Known:"
    )
    assert clbench("strategy=er", "memory=8GB", *SMALL)[0] == 0
