"""A row's split belongs to its own task: others don't move it, and what comes again keeps it."""

import numpy as np
import pandas as pd
import pytest
import torch

from clbench.config import SPLITS
from clbench.streams import TabularFile, TextFile

NAMES = "abcd"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four files of unlike sizes and classes, the third with a class of its own, and one file of them all."""
    where = tmp_path_factory.mktemp("files")
    random = np.random.default_rng(0)
    frames = []
    for name, size in zip(NAMES, (200, 150, 180, 160), strict=True):
        labels = random.choice([1, 2, 10] if name != "c" else [1, 2, 5], size=size)
        texts = [f"word{k % 7} {name}{k % 5}" for k in range(size)]
        frames.append(pd.DataFrame({"x": random.normal(size=size), "label": labels, "text": texts}))
        frames[-1].to_csv(where / f"{name}.csv", index=False)
        frames[-1]["subject"] = name
    for count in (2, 3, 4):
        pd.concat(frames[:count]).to_csv(where / f"all{count}.csv", index=False)
    return where


def source(kind, path, **fields):
    if kind == "text":
        return TextFile(path=path, **fields)
    own = {"target": "label" if kind == "class" else "x", "features": ("x" if kind == "class" else "label",)}
    return TabularFile(path=path, kind="classification" if kind == "class" else "regression", **own, **fields)


def rows(stream, count=2):
    return [task.split(split).tolist() for task in stream.tasks[:count] for split in SPLITS]


@pytest.mark.parametrize("kind", ["class", "number", "text"])
@pytest.mark.parametrize("split_seed", [0, None])
def test_a_further_file_leaves_the_splits_of_the_others(folder, kind, split_seed):
    def stream(names):
        return source(kind, [str(folder / f"{name}.csv") for name in names], split_seed=split_seed).build(3)

    streams = [stream(NAMES[:count]) for count in (2, 3, 4)]
    assert rows(streams[0]) == rows(streams[1]) == rows(streams[2])
    first = torch.cat([streams[0].tasks[0].split(split) for split in SPLITS])
    assert all(torch.equal(other.inputs[first], streams[0].inputs[first]) for other in streams)
    alone = stream("b").tasks[0]  # nor does a row's split depend on what comes before
    assert all(torch.equal(alone.split(s) + 200, streams[0].tasks[1].split(s)) for s in SPLITS)


@pytest.mark.parametrize("kind", ["class", "text"])
def test_a_further_task_in_a_file_leaves_the_splits_of_the_others(folder, kind):
    streams = [source(kind, str(folder / f"all{n}.csv"), task="subject").build(0) for n in (2, 3, 4)]
    assert [len(stream.tasks) for stream in streams] == [2, 3, 4]
    assert rows(streams[0]) == rows(streams[1]) == rows(streams[2])
    files = source(kind, [str(folder / "a.csv"), str(folder / "b.csv")]).build(0)
    assert rows(files) == rows(streams[0])


def test_seeds_draw_other_splits(folder):
    stream = source("class", str(folder / "a.csv"), split_seed=None)
    assert rows(stream.build(0), 1) != rows(stream.build(1), 1)


@pytest.mark.parametrize("kind", ["class", "number", "text"])
def test_a_file_that_is_named_again_is_the_task_again(folder, kind):
    paths = [str(folder / f"{name}.csv") for name in "aba"]
    stream = source(kind, paths).build(0)
    first, _, again = stream.tasks
    assert [task.name for task in stream.tasks] == ["0", "1", "2"]
    for split in SPLITS:
        assert torch.equal(first.split(split) + 350, again.split(split))
    assert torch.equal(stream.inputs[:200], stream.inputs[350:])
    assert torch.equal(stream.targets[:200], stream.targets[350:])


def test_one_file_twice_is_two_tasks(folder):
    stream = source("class", [str(folder / "a.csv")] * 2).build(0)
    assert [(task.name, len(task.test)) for task in stream.tasks] == [("A", 40), ("B", 40)]


def test_with_a_task_column_a_file_counts_once(folder):
    path = str(folder / "all2.csv")
    (line,) = source("class", [path, path], task="subject").problems()
    assert f"every file must be named once; got stream.path={path} twice" in line
