"""What the launcher writes without `run_job` is what Hydra's own launcher writes, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.test_utils.test_utils import SweepTaskFunction
from omegaconf import OmegaConf

from clbench.launcher import places
from clbench.launcher.hydra_jobs import forms
from clbench.launcher.jobs import Job

FILES = ("config.yaml", "hydra.yaml", "overrides.yaml")


class Task(SweepTaskFunction):
    """A task function that both launchers can call, and that notes what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __call__(self, cfg):
        self.seen.append(OmegaConf.to_container(cfg, resolve=True))
        return cfg.seed

    def run_lanes(self, jobs: list[Job], begin):
        self.together = begin is not None
        if begin is not None:
            begin()
        self.seen += [job.config for job in jobs]
        return [job.config["seed"] for job in jobs]


@pytest.fixture
def sweep(tmp_path, hydra_restore_singletons):
    """Return a function that runs a sweep of clbench's configuration into a fixed folder."""

    def run(launcher: str, overrides: list[str]) -> tuple[Task, dict[str, dict[str, str]]]:
        places.register()
        task = Task()
        task.calling_module, task.config_path, task.config_name = None, places.conf(), "config"
        task.calling_file = str(tmp_path / "app.py")
        folder = tmp_path / "sweep"
        task.temp_dir = str(folder)
        task.overrides = ["hydra.mode=MULTIRUN", f"hydra/launcher={launcher}", *overrides]
        with task:
            GlobalHydra.instance().clear()
            files = {
                path.parent.parent.name: {name: (path.parent / name).read_text() for name in FILES}
                for path in sorted(folder.rglob("config.yaml"))
            }
            logs = sorted(path.parent.name for path in folder.rglob("clbench.log"))
            assert logs == sorted(files)
            task.results = [
                (job.return_value, job.overrides, job.cfg, job.hydra_cfg, job.task_name)
                for batch in task.returns
                for job in batch
            ]
        assert not Path(folder).exists()
        return task, files

    return run


SWEEPS = [
    ["strategy=naive,l2", "seed=0,1"],
    ["strategy=l2", "strategy.lam=0.1,1,1e-3", "seed=range(2)"],
    ["stream=split_digits", "stream.scenario=task,class", "+stream.name='no'", "model.hidden=[32],[8,8]"],
    [
        "experiments=two_task_regression",
        "seed=3",
        "strategy=l2,joint",
        "training.steps=null",
        "training.epochs=2",
    ],
    ["+strategy.tags={a: 1}", "+strategy.note=x,y", "~stream.b.shift", "seed=1,2"],
    [
        "strategy=embedding_l2_init",
        "strategy.groups.0.lam=0.5,2",
        "model.hidden.0=3,4",
        "seed=1",
    ],
    ["device='${oc.env:HOME}'", "strategy=l2", "strategy.lam='${seed}'", "seed=1,2"],
    ["seed=1", "hydra.sweep.subdir='${hydra.job.num}_${hydra.job.override_dirname}'", "optimizer.lr=0.1,0.2"],
]


@pytest.mark.parametrize("overrides", SWEEPS, ids=[line[0] + "," + line[1] for line in SWEEPS])
def test_files_and_returns_are_those_of_the_basic_launcher(sweep, overrides):
    ours, files = sweep("lanes", overrides)
    theirs, expected = sweep("basic", overrides)
    # hydra.yaml names the launcher; all else must agree to the byte.
    for name, texts in files.items():
        lanes = "hydra_plugins.clbench_lanes.LanesLauncher"
        basic = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
        texts["hydra.yaml"] = (
            texts["hydra.yaml"].replace(lanes, basic).replace("launcher: lanes", "launcher: basic")
        ).replace("hydra/launcher=lanes", "hydra/launcher=basic")
        assert texts == expected[name]
    assert list(files) == list(expected)
    assert ours.seen == theirs.seen
    assert len(ours.results) == len(theirs.results) > 1
    for mine, other in zip(ours.results, theirs.results, strict=True):
        assert mine[:3] == other[:3]
        assert mine[4] == other[4] == "app"
        assert mine[3].hydra.overrides.task == other[3].hydra.overrides.task
        assert mine[3].hydra.runtime.output_dir == other[3].hydra.runtime.output_dir
    assert ours.together


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "YES",
        "yEs",
        "1",
        "1e3",
        "0x1",
        "1_000",
        "nan",
        "a: b",
        "",
        "é",
        "${x}",
        "- a",
        "null",
        "~",
        "#",
        "x" * 200,
    ]
    + ["two words " * 20],
)
def test_texts_are_printed_as_omegaconf_prints_them(text):
    content = {"key": text, "list": [text, None, True, 1.5, 1e-8, {"deep": text}], "empty": [], "none": {}}
    assert forms.to_yaml(content) == OmegaConf.to_yaml(OmegaConf.create(content))


@pytest.mark.parametrize(
    "value",
    [
        1,
        1.0,
        True,
        None,
        "x",
        "1",
        "two words",
        "a\nb",
        1e-8,
        [],
        [1, "a b"],
        ["x", None, 2.5],
        "é",
        "",
        "#",
        ["a=b,c"],
    ],
)
@pytest.mark.parametrize(
    "path", [("a",), ("deep", "b"), ("deep", "c"), ("list", "0", "x"), ("list", "1", "y")]
)
def test_a_filled_form_is_the_printed_document(value, path):
    items = [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
    content = {"a": 1, "deep": {"b": [1, 2], "c": {"d": 3}}, "list": items, "z": "end"}
    form = forms.Form(content, [path, ("z",)])
    expected = forms.with_leaf(forms.with_leaf(content, path, value), ("z",), "other")
    assert form.filled((value, "other")) == expected
    assert form.fill((value, "other")) == OmegaConf.to_yaml(OmegaConf.create(expected))
    assert content == {"a": 1, "deep": {"b": [1, 2], "c": {"d": 3}}, "list": items, "z": "end"}
    assert items == [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
