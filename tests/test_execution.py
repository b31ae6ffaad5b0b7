"""What the machine does is one group: a field of `Execution` and its line in one YAML are all to add."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from clbench.config import Evaluation, Training
from clbench.engine import train
from clbench.execution import FIELDS, OF_RUN, SHARED, Execution, shared_problems, size_in_bytes
from clbench.launcher.building import execution_problems
from clbench.launcher.field_help import field_help
from clbench.launcher.folders import NOT_SHAPING
from clbench.launcher.places import compose, conf
from clbench.launcher.schema import KEYS, TOP
from clbench.models import MLP
from clbench.optimizers import SGD
from clbench.records import write_run
from clbench.runs import Run
from clbench.strategies import Naive
from clbench.testing.tiny import TinyStream

DEFAULTS = yaml.safe_load((Path(conf()) / "execution" / "default.yaml").read_text())
OTHER = {"device": "meta", "threads": 3, "memory": "2GB", "cache": False}


def test_every_field_is_in_its_yaml_and_nowhere_else():
    assert dataclasses.asdict(Execution()) == DEFAULTS
    assert not set(FIELDS) & set(yaml.safe_load((Path(conf()) / "config.yaml").read_text()))
    assert set(OTHER) == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_a_typed_key_of_the_command_line(name):
    assert compose([])[name] == DEFAULTS[name]
    assert compose([f"{name}={OTHER[name]}"])[name] == OTHER[name]
    assert name in KEYS and name in TOP and name in NOT_SHAPING


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_explained_by_the_commands_help(name):
    lines = field_help({name: OTHER[name]}, [f"{name}={OTHER[name]}"]).splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith(f"  {name}=")]
    assert lines[place + 1].startswith("      ")


def test_every_field_is_recorded(tmp_path):
    used = {name: OTHER[name] for name in SHARED}
    summaries = []
    training, evaluation = Training(steps=2), Evaluation(points=1)
    run = Run(TinyStream(), MLP((4,)), Naive(), SGD(), training, evaluation)

    def write(_, result):
        summaries.append(write_run(tmp_path / "run", run, result))

    train([run], write, execution=Execution(**used))
    made_by = summaries[0]["provenance"]
    assert {name: made_by[name] for name in FIELDS} == used | {"device": "cpu"}


def test_a_setting_is_one_for_the_runs_of_a_sweep_except_for_the_device():
    configs = [dict(DEFAULTS), dict(OTHER)]
    found = execution_problems(configs)
    assert [line.partition(";")[0] for line in found] == [
        f"All runs of a sweep share one {name}" for name in SHARED
    ]
    assert OF_RUN == ("device",)


def test_settings_out_of_bounds_or_unknown_are_a_line_each():
    assert shared_problems({"threads": 1, "memory": "8GB"}) == []
    assert shared_problems({"threads": 0, "memory": "much"}) == [
        "threads must be a whole number of at least 1, or null for all; got threads=0. "
        "Correct it; the default is null.",
        "memory must be a size above 0, or null for half of the machine's; got memory=much. "
        "Write it like memory=8GB or memory=500MiB.",
    ]
    assert shared_problems({"thread": 1}) == [
        "A setting of the machine must be a known one; got thread=1. Known: cache, memory, threads."
    ]


@pytest.mark.parametrize(
    "text, size", [("8GB", 8 * 10**9), ("1.5 GiB", 3 * 2**29), (5000, 5000), ("500mb", 5 * 10**8)]
)
def test_sizes_are_read_with_their_units(text, size):
    assert size_in_bytes(text) == Execution(memory=text).memory_bytes == size
    assert Execution().memory_bytes is None


@pytest.mark.parametrize("text", ["much", "8XB", "-1GB", 0, "GB", ""])
def test_what_is_no_size_is_a_problem(text):
    (line,) = Execution(memory=text).problems()
    assert line.startswith("memory must be a size above 0, or null")


def test_it_is_read_without_torch():
    code = "import sys, clbench.execution; assert not {'torch', 'hydra', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
