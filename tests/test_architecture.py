"""Nothing imports upward or in a circle, torch ends at the records, only the top knows Hydra."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "clbench"

LAYERS = (
    ("errors", "field_types", "fields", "config", "execution", "sources", "digests", "scores"),
    ("kernels",),
    ("lanes", "streams"),
    ("models", "optimizers"),
    ("context",),
    ("penalty", "importance"),
    ("strategies",),
    ("runs",),
    ("ingredients",),
    ("engine",),
    ("records",),
    ("session", "analysis"),
    ("figures", "report"),
    ("launcher", "testing"),
    ("app", "api"),
)
"""From the bottom up; a module may import its own layer and those below."""

HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}
KNOW_HYDRA = ("launcher", "app")
WITHOUT_TORCH = (
    "records",
    "analysis",
    "figures",
    "report",
    "errors",
    "field_types",
    "fields",
    "execution",
    "config",
    "sources",
    "digests",
    "scores",
)


def modules():
    """Return every module of the package by its dotted name."""
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imports(path: Path, for_types: bool = False) -> set[str]:
    """Return what a file imports anywhere in it, and with `for_types` also what only type checkers read."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not for_types
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return found


def graph(paths: dict[str, Path]) -> dict[str, set[str]]:
    """Return, by module, the modules that it imports, in functions and for type checkers too.

    `from package import name` reaches the module `name`, or else the package's own `__init__`.
    """
    found = {}
    for module, path in paths.items():
        names = imports(path, for_types=True)
        packages = {name.rpartition(".")[0] for name in names if name in paths}
        found[module] = {name for name in names if name in paths and name not in packages} - {module}
    return found


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


MODULES = modules()
INNER = sorted(name for name in MODULES if part_of(name))


def test_every_part_of_the_package_has_its_place():
    assert {part_of(name) for name in INNER} <= set(HEIGHT) | {"__main__"}
    assert len(INNER) > 40


@pytest.mark.parametrize("module", INNER)
def test_nothing_imports_upward(module):
    height = HEIGHT.get(part_of(module), len(LAYERS))
    for name in imports(MODULES[module], for_types=True):
        if name.startswith("clbench."):
            assert HEIGHT[part_of(name)] <= height, f"{module} imports {name}"


def test_nothing_imports_in_a_circle():
    TopologicalSorter(graph(MODULES)).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("module", INNER)
def test_a_file_fits_into_a_head(module):
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= 250


@pytest.mark.parametrize("module", [name for name in INNER if part_of(name) in WITHOUT_TORCH])
def test_torch_ends_at_the_records(module):
    assert not {name for name in imports(MODULES[module]) if name.split(".")[0] == "torch"}


@pytest.mark.parametrize("module", [name for name in INNER if part_of(name) not in KNOW_HYDRA])
def test_only_launcher_and_application_know_hydra(module):
    assert not {name for name in imports(MODULES[module]) if name.split(".")[0] in ("hydra", "omegaconf")}


@pytest.mark.parametrize("module", [name for name in INNER if "hydra_jobs" not in name])
def test_a_door_is_the_only_way_into_hydra_jobs(module):
    door = "clbench.launcher.hydra_jobs"
    assert {name for name in imports(MODULES[module]) if door in name} <= {door, f"{door}.run_jobs"}


def test_the_rules_would_see_a_fault(tmp_path):
    file = tmp_path / "bad.py"
    file.write_text("import torch.nn\ndef f():\n    from clbench.app import main\n    import hydra\n")
    assert {"torch.nn", "clbench.app", "clbench.app.main", "hydra"} == imports(file)
    file.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n")
    assert imports(file) == {"typing", "typing.TYPE_CHECKING"}
    assert imports(file, for_types=True) == {"typing", "typing.TYPE_CHECKING", "torch"}


def test_a_circle_would_be_seen(tmp_path):
    sources = {
        "house.roof": "from house.walls import brick\n",
        "house.walls": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house import floor\n",
        "house.floor": "def stand():\n    from house.roof import tile\n",
    }
    paths = {}
    for module, text in sources.items():
        paths[module] = tmp_path / f"{module}.py"
        paths[module].write_text(text)
    with pytest.raises(CycleError):
        TopologicalSorter(graph(paths)).prepare()
