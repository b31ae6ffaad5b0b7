"""What is built and installed works from any folder: wheel, wheel from the sdist, editable."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SMALL = ("training.steps=4", "evaluation.points=1", "model.hidden=[4]", "cache=off")

pytestmark = pytest.mark.slow


def call(*words: object, folder: Path) -> str:
    """Run a program outside the checkout and return what it printed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([*map(str, words)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, target: str, out: Path) -> Path:
    call(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", out, folder=source)
    (file,) = out.iterdir()
    return file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


def fresh_environment(folder: Path) -> Path:
    """Return the `bin` of a new environment that finds the libraries of this one, but not its clbench.

    A folder named in a `.pth` file is searched, but the `.pth` files in it, an editable install's among
    them, are not read.
    """
    venv.create(folder, with_pip=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def names(wheel: Path) -> list[str]:
    return sorted(name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name)


def test_a_wheel_holds_the_configuration_and_no_tests(wheel):
    found = names(wheel)
    for file in (ROOT / "conf").rglob("*.yaml"):
        assert f"clbench/conf/{file.relative_to(ROOT / 'conf').as_posix()}" in found
    for file in (ROOT / "experiments").glob("*.yaml"):
        assert f"clbench/experiments/{file.name}" in found
    assert "hydra_plugins/clbench_lanes/__init__.py" in found
    assert "clbench/py.typed" in found and "clbench/report/sheet.html.j2" in found
    assert "hydra_plugins/__init__.py" not in found  # a namespace that other plugins share
    assert {name.split("/")[0] for name in found} == {"clbench", "hydra_plugins"}
    assert not [name for name in found if name.endswith(".pyc")]


def test_a_wheel_from_the_sdist_is_the_same(wheel, tmp_path):
    sdist = build(ROOT, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert names(build(source, "wheel", tmp_path / "wheel")) == names(wheel)


def test_an_installed_wheel_runs_outside_the_checkout(wheel, tmp_path):
    programs = fresh_environment(tmp_path / "environment")
    call(programs / "pip", "install", "--no-deps", "--no-index", wheel, folder=tmp_path)
    place = call(programs / "python", "-c", "import clbench; print(clbench.__file__)", folder=tmp_path)
    assert Path(place.strip()).is_relative_to(tmp_path)
    check_command(programs, tmp_path)


def test_an_editable_install_reads_the_checkout(tmp_path):
    programs = fresh_environment(tmp_path / "environment")
    options = ("--no-deps", "--no-index", "--no-build-isolation")
    call(programs / "pip", "install", *options, "-e", ROOT, folder=tmp_path)
    assert not (ROOT / "clbench" / "conf").exists()
    code = "from clbench.launcher import places; print(places.root())"
    assert Path(call(programs / "python", "-c", code, folder=tmp_path).strip()) == ROOT
    check_command(programs, tmp_path)


PRINT_CONF = "from clbench.launcher import places; print(places.conf())"
COMPOSE = """
from hydra import compose, initialize_config_dir
with initialize_config_dir(config_dir={conf!r}, version_base="1.3"):
    print(compose("config", ["experiments=two_task_regression", "strategy=ewc"]).strategy._target_)
"""


def check_command(programs: Path, folder: Path) -> None:
    """Run a study, narrowed, and the report by their commands; compose by plain Hydra."""
    conf = call(programs / "python", "-c", PRINT_CONF, folder=folder).strip()
    composed = call(programs / "python", "-c", COMPOSE.format(conf=conf), folder=folder)
    assert composed.startswith("clbench.strategies")
    out = folder / "out"
    command = ("experiments=two_task_regression", "strategy=naive", "seed=0,1", f"hydra.sweep.dir={out}")
    printed = call(programs / "clbench", *command, *SMALL, folder=folder)
    assert "naive" in printed and "loss_A.png" in printed
    assert (out / "runs.csv").read_text().count("\n") == 3
    assert "naive" in call(programs / "clbench-report", out, folder=folder)
    assert (
        "lanes"
        in call(programs / "clbench", "--info", "plugins", "hydra.verbose=true", folder=folder).lower()
    )
