"""Hydra alone composes clbench's configuration, in an interpreter that has called nothing of clbench's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONF = Path(__file__).resolve().parent.parent / "conf"

START = f"""
import sys
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
def open(folder={str(CONF)!r}):
    return initialize_config_dir(config_dir=folder, version_base="1.3")
"""


def printed(code: str, folder: Path) -> str:
    """Run a program in a fresh interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", START + code], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_defaults_studies_and_names_of_folders(tmp_path):
    code = """
with open():
    overrides = ["experiments=two_task_regression", "strategy=naive", "seed=3"]
    config = compose("config", overrides, return_hydra_config=True)
    print(config.training.steps, config.strategy._target_.rpartition(".")[2], config.hydra.sweep.subdir)
assert "torch" not in sys.modules
"""
    steps, strategy, subdir = printed(code, tmp_path).split()
    assert (steps, strategy) == ("400", "Naive")
    assert subdir.startswith("two_task_regression-naive-seed3-")


def test_a_typo_fails_by_the_schema(tmp_path):
    code = """
with open():
    try:
        compose("config", ["training.steps=many"])
    except Exception as error:
        print(error.__cause__ or error)
"""
    assert "could not be converted to Integer" in printed(code, tmp_path)


def test_other_applications_see_nothing_of_clbench(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("a: 1\n")
    code = f"""
from hydra.core.global_hydra import GlobalHydra
with open({str(tmp_path / "mine")!r}):
    assert compose("config") == {{"a": 1}}
    print(GlobalHydra.instance().config_loader().get_group_options("experiments"))
print([OmegaConf.has_resolver(name) for name in ("run_folder", "run_name", "sweep_name")])
print("clbench.launcher.schema" in sys.modules)
"""
    assert printed(code, tmp_path).splitlines() == ["[]", "[False, False, False]", "False"]
