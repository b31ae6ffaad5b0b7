"""Whole commands: where runs go, what is refused before anything trains, and what can be made again."""

from __future__ import annotations

import pickle
import shlex
from pathlib import Path

import pandas as pd
import pytest
import torch
from hydra.version import getbase, setbase
from omegaconf import OmegaConf
from safetensors.torch import save_file

from clbench.analysis.load import load
from clbench.launcher.places import compose
from clbench.report.origin import origin_of

SMALL = ("training.steps=6", "evaluation.points=1", "model.hidden=[4]", "stream.train=40", "cache=off")
ROWS = "a,target\n" + "".join(f"{number % 2 + number / 100},{number % 2}\n" for number in range(40))
TABLE = (
    "stream=tabular_file",
    "training.epochs=2",
    "evaluation.points=1",
    "training.batch_size=8",
    "cache=off",
)


def losses(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in sorted(folder.rglob("losses.csv"))}


# Folders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("launcher", [(), ("hydra/launcher=basic",), ("hydra.job.chdir=true",)])
def test_a_run_has_the_folder_of_what_is_run_however_that_is_said(clbench, tmp_path, monkeypatch, launcher):
    for seed in (0, 1):
        monkeypatch.setenv("SEED_OF_A_TEST", str(seed))
        code, _ = clbench("-m", "seed=${oc.env:SEED_OF_A_TEST}", *SMALL, *launcher, "hydra.sweep.dir=out")
        assert code == 0
    clbench("-m", "seed=0,1", *SMALL, *launcher, "hydra.sweep.dir=out")
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    assert sorted(runs["seed"]) == [0, 1] and len(losses(tmp_path / "out")) == 2


@pytest.mark.parametrize("more", [(), ("hydra.job.chdir=true",), ("hydra.sweeper.max_batch_size=1",)])
def test_unlike_runs_for_one_folder_are_refused(clbench, tmp_path, more):
    code, lines = clbench("-m", "seed=0,1,1", *SMALL, "hydra.sweep.subdir=all", "hydra.sweep.dir=out", *more)
    told = [line for line in lines if line.startswith("Runs that differ must have folders of their own; got")]
    assert code == 2 and len(told) == 1 and f"{tmp_path}/out/all for 2 of them" in told[0]
    alone = more == ("hydra.sweeper.max_batch_size=1",)  # the first has ended when the second is known
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if alone else [])
    # The same run twice is one run.
    assert clbench("-m", "seed=1,1", *SMALL, "hydra.sweep.subdir=all", "hydra.sweep.dir=same", *more)[0] == 0


LONG = "x" * 300


@pytest.mark.parametrize(
    "words", [(), ("-m",), ("-m", "hydra/launcher=basic"), ("-m", "hydra.job.chdir=true")]
)
def test_long_names_are_cut_where_they_are_ours_and_told_where_they_are_the_users(clbench, tmp_path, words):
    (tmp_path / "strategy").mkdir()
    (tmp_path / "strategy" / f"{LONG[:240]}.yaml").write_text("_target_: clbench.strategies.Naive\n")
    code, lines = clbench(f"--config-dir={tmp_path}", *words, f"strategy={LONG[:240]}", *SMALL)
    assert code == 0, lines
    assert max(len(part) for path in (tmp_path / "results").rglob("*") for part in path.parts) <= 200
    key = "hydra.sweep.subdir" if words else "hydra.run.dir"
    code, lines = clbench(*words, f"{key}={LONG}", *SMALL, *(("hydra.sweep.dir=out",) if words else ()))
    assert code == 2 and lines[-1].startswith("A folder's name must have at most 255 bytes; got 300 in xxx")
    assert not (tmp_path / "out").exists()


def test_a_large_number_is_short_in_a_name(clbench, tmp_path):
    clbench("strategy=l2", "strategy.lam=1e30", *SMALL)
    assert [path.name for path in (tmp_path / "results").iterdir()] == [
        "two_task_regression-l2-lam1e+30-seed0"
    ]


def test_a_sweep_in_batches_of_less_than_one_job_is_refused(clbench, tmp_path):
    code, lines = clbench("-m", "seed=0,1", *SMALL, "hydra.sweeper.max_batch_size=-1")
    assert (code, len(lines)) == (2, 1) and "got -1" in lines[0]
    assert list(tmp_path.iterdir()) == []


# Values that can't be resolved -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [(), ("-m", "seed=0,1"), ("-m", "seed=0,1", "hydra/launcher=basic")])
def test_an_interpolation_without_its_key_is_told_and_leaves_nothing(clbench, tmp_path, mode):
    code, lines = clbench(*mode, "strategy=l2", "optimizer.lr=${no.such.key}", *SMALL)
    assert code == 2 and "no.such.key" in lines[-1] and not any("Traceback" in line for line in lines)
    assert len(lines) == (2 if mode else 1)  # of a sweep's job Hydra says which
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_cannot_be_resolved_fails_and_the_others_are_run(clbench, tmp_path):
    words = ("-m", "strategy=naive,l2", 'optimizer.lr="${strategy.lam}"', *SMALL, "hydra.sweep.dir=out")
    code, lines = clbench(*words)
    assert code == 2 and "strategy.lam" in lines[-1] and not any("Traceback" in line for line in lines)
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    assert runs[["strategy", "status"]].values.tolist() == [["l2", "done"]]
    assert clbench.shown == [tmp_path / "out"]


# Data ------------------------------------------------------------------------------------------------------


def test_relative_paths_of_data_are_the_commands_also_where_jobs_have_folders_of_their_own(clbench, tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(ROWS)
    write_anchor(tmp_path / "anchor.safetensors", "two outputs")
    words = (*TABLE, "stream.path=[a.csv,b.csv]", "model.hidden=[4]", "strategy=l2", "strategy.anchor=file")
    words = (*words, "strategy.file=anchor.safetensors", "hydra.job.chdir=true")
    assert clbench(*words, "hydra.run.dir=single") == (0, [])
    assert clbench("-m", *words, "hydra.sweep.dir=lanes")[0] == 0
    assert clbench("-m", *words, "hydra.sweep.dir=basic", "hydra/launcher=basic")[0] == 0
    found = [next(iter(losses(tmp_path / name).values())) for name in ("single", "lanes", "basic")]
    assert found[0] == found[1] == found[2]


def write_anchor(path: Path, kind: str) -> None:
    width = 5 if kind == "shape" else 4
    shapes = {"layers.0.weight": (width, 1), "layers.0.bias": (width,)}
    outputs = 2 if kind == "two outputs" else 1
    shapes |= {"head.weight": (outputs, width), "head.bias": (outputs,)}
    tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
    if kind == "nan":
        tensors["head.bias"][0] = float("nan")
    if kind == "names":
        tensors = {f"net.{name}": value for name, value in tensors.items()}
    if kind == "pt":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)


ANCHORS = {
    "pt": (1, "An anchor's file must hold tensors as safetensors writes them; got strategy.file=a"),
    "nan": (
        1,
        "The anchor of head.bias must be finite; got NaN or infinite values in",
    ),
    "names": (4, "The anchor's file must hold a tensor for layers.0.weight; got strategy.file=anchor"),
    "shape": (
        3,
        "The anchor of layers.0.weight must have the shape [4, 1]; got [5, 1] in",
    ),
}


@pytest.mark.parametrize("mode", [(), ("-m", "seed=0,1")])
@pytest.mark.parametrize("kind", ANCHORS)
def test_an_anchors_file_is_read_before_anything_trains(clbench, tmp_path, kind, mode):
    write_anchor(tmp_path / "anchor", kind)
    count, first = ANCHORS[kind]
    words = ("strategy=l2", "strategy.anchor=file", "strategy.file=anchor", *SMALL)
    code, lines = clbench(*mode, *words)
    assert (code, len(lines)) == (2, count), lines
    assert lines[0].startswith(first)
    assert [path.name for path in tmp_path.iterdir()] == ["anchor"]
    write_anchor(tmp_path / "anchor", "right")
    assert clbench(*words)[0] == 0


def test_a_group_has_a_learning_rate_of_its_own_on_which_the_lanes_of_a_program_agree(clbench, tmp_path):
    group = "strategy.groups=[{pattern: head.weight, learning_rate: 0.5}],[{pattern: head.weight}]"
    assert clbench("-m", "strategy=l2", group, "seed=0,1", *SMALL, "hydra.sweep.dir=out")[0] == 0
    assert len(set(losses(tmp_path / "out").values())) == 4


# Again -----------------------------------------------------------------------------------------------------


def test_a_configuration_can_be_pickled():
    config = compose(["strategy=l2"])
    again = pickle.loads(pickle.dumps(config))
    assert again == config and OmegaConf.get_type(again, "training") == OmegaConf.get_type(config, "training")


def test_composing_leaves_hydras_version_base_as_it_was(hydra_restore_singletons):
    """Other applications of the process change into their jobs' folders, or don't, by it."""
    setbase("1.2")
    before = getbase()
    compose(["strategy=l2"])
    assert getbase() == before


@pytest.mark.filterwarnings("ignore:Experimental rerun CLI option")
def test_a_run_is_run_again_from_its_pickle(clbench, tmp_path):
    keep = "+hydra.callbacks.keep._target_=hydra.experimental.callbacks.PickleJobInfoCallback"
    assert clbench("strategy=l2", "seed=3", *SMALL, keep, "hydra.run.dir=out")[0] == 0
    before = losses(tmp_path)
    for name in ("losses.csv", "summary.json"):
        (tmp_path / "out" / name).unlink()
    assert clbench("--experimental-rerun", "out/.hydra/config.pickle")[0] == 0
    assert losses(tmp_path) == before != {}


STRATEGY = "_target_: clbench.strategies.Regularized\nlam: 3.0\n"
CONFIG = "defaults:\n  - config\n  - _self_\nseed: 7\n"
STUDY = """
# @package _global_
study: {grids: [{strategy: [naive, gentle], seed: "range(2)"}]}
hydra: {mode: MULTIRUN}
"""


def test_the_printed_commands_give_the_same_bytes(clbench, tmp_path):
    for name, text in (("strategy/gentle", STRATEGY), ("mine", CONFIG), ("experiments/own", STUDY)):
        (tmp_path / "c" / f"{name}.yaml").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "c" / f"{name}.yaml").write_text(text)
    three = (
        ("-m", "--config-dir", "c", "strategy=gentle", "seed=4,5"),
        ("--config-dir=c", "--config-name", "mine", "-m", "strategy=l2"),
        ("--config-dir", "c", "experiments=own", "seed=range(1)"),
    )
    for words in three:
        assert clbench(*words, *SMALL, "hydra.sweep.dir=first")[0] == 0
    single = ("--config-dir", "c", "experiments=own", "strategy=gentle", "hydra.mode=RUN")
    assert clbench(*single, *SMALL, "hydra.run.dir=one")[0] == 0
    for folder, key, runs in (("first", "hydra.sweep.dir", 5), ("one", "hydra.run.dir", 1)):
        commands = origin_of(load(tmp_path / folder)).commands
        assert len(commands) == (3 if folder == "first" else 1)
        for line in commands:
            program, *words = shlex.split(line)
            assert program == "clbench" and clbench(*words, f"{key}=again/{folder}")[0] == 0
        again, before = losses(tmp_path / "again" / folder), losses(tmp_path / folder)
        assert again == before and len(before) == runs
