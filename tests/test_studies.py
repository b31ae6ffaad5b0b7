"""Studies in files of one's own, through the command: their grids as written, their launcher as chosen."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import yaml

SMALL = ("training.steps=4", "training.epochs=null", "evaluation=final", "threads=1", "cache=off")


@pytest.fixture
def study(tmp_path):
    """Return a function that writes a study of some grids and choices."""
    (tmp_path / "experiments").mkdir()

    def write(name, grids, *choices):
        content = {
            "defaults": [{f"override /{group}": choice} for group, choice in choices],
            "study": {"grids": grids},
            "hydra": {"mode": "MULTIRUN"},
        }
        text = "# @package _global_\n" + yaml.safe_dump(content, allow_unicode=True)
        (tmp_path / "experiments" / f"{name}.yaml").write_text(text, encoding="utf-8")

    return write


def configs(folder):
    """Return the resolved configurations of a sweep's runs, in the order of their folders."""
    return [
        json.loads(file.read_text())["provenance"]["config"] for file in sorted(folder.glob("*/summary.json"))
    ]


@pytest.mark.parametrize("launcher", [(), ("hydra/launcher=basic",)], ids=["lanes", "basic"])
@pytest.mark.parametrize(
    "key, values",
    [
        ("strategy.groups", [[], [{"pattern": "kind:bias", "penalised": False}]]),
        ("strategy.importance", [{"_target_": f"clbench.importance.{n}"} for n in ("Ones", "PathIntegral")]),
        ("+strategy.name", ["1", "true", "a=b, (c)"]),
        ("model.hidden", [[3], [4, 5]]),
    ],
)
def test_values_of_a_grid_are_run_as_written(clbench, tmp_path, study, launcher, key, values):
    study("mine", [{key: values}], ("strategy", "l2"))
    command = ("--config-dir", ".", "experiments=mine", *SMALL, "hydra.sweep.dir=out", *launcher)
    assert clbench(*command) == (0, [])
    part, _, name = key.lstrip("+").partition(".")
    found = [config[part][name] for config in configs(tmp_path / "out")]
    assert sorted(map(repr, found)) == sorted(map(repr, values))


def test_a_grids_file_may_have_any_name(clbench, tmp_path, study):
    names = ["run=3.csv", "größe (1).csv"]
    for name in names:
        rows = [f"{k % 2 + k / 500},{k % 2},{'uv'[k // 40]}" for k in range(80)]
        (tmp_path / name).write_text("x,target,task\n" + "\n".join(rows) + "\n")
    study("mine", [{"stream.path": names}], ("stream", "tabular_file"))
    command = ("--config-dir", ".", "experiments=mine", "stream.task=task", "training.batch_size=8", *SMALL)
    assert clbench(*command, "hydra.sweep.dir=out") == (0, [])
    assert sorted(config["stream"]["path"] for config in configs(tmp_path / "out")) == sorted(names)


def test_a_grids_text_that_cannot_be_read_is_told_with_its_place(clbench, study):
    study("mine", [{"seed": [1]}, {"stream.path": "run=3.csv"}], ("stream", "tabular_file"))
    code, lines = clbench("--config-dir", ".", "experiments=mine", *SMALL)
    assert (code, len(lines)) == (2, 1)
    assert "got study.grids.1.stream.path=run=3.csv, which can't be. Write" in lines[0]


def launcher_of(folder):
    return yaml.safe_load((folder / "multirun.yaml").read_text())["hydra"]["launcher"]["_target_"]


def test_a_studys_launcher_carries_it_unless_the_command_line_names_another(clbench, tmp_path, study):
    study("mine", [{"strategy": ["naive", "l2"]}], ("hydra/launcher", "basic"))
    study("other", [{"strategy": ["naive", "l2"]}])
    kinds = {"mine": "BasicLauncher", "other": "LanesLauncher"}
    for name in kinds:
        command = ("--config-dir", ".", f"experiments={name}", *SMALL)
        assert clbench(*command, f"hydra.sweep.dir={name}") == (0, [])
        assert launcher_of(tmp_path / name).endswith(kinds[name])
        assert len(pd.read_csv(tmp_path / name / "runs.csv")) == 2
    command = ("--config-dir", ".", "experiments=mine", "hydra/launcher=lanes", *SMALL)
    assert clbench(*command, "hydra.sweep.dir=given") == (0, [])
    assert launcher_of(tmp_path / "given").endswith("LanesLauncher")


def test_studies_that_are_swept_share_one_launcher(clbench, tmp_path, study):
    study("mine", [{"strategy": ["naive"]}], ("hydra/launcher", "basic"))
    study("other", [{"strategy": ["l2"]}])
    command = ("-m", "--config-dir", ".", "experiments=mine,other", *SMALL, "hydra.sweep.dir=out")
    code, lines = clbench(*command)
    assert (code, len(lines)) == (2, 1)
    assert "share one launcher; got experiments=mine, which chooses basic with settings" in lines[0]
    assert not (tmp_path / "out").exists()
    assert clbench(*command, "hydra/launcher=basic") == (0, [])
