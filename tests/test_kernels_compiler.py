"""Machine code that is kept: its folder follows the sources; torn or unwritable files are no obstacle."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import clbench.kernels

SOURCES = Path(clbench.kernels.__file__).parent
MODULES = ("__init__", "compiler", "memory")

KERNEL = """
from __future__ import annotations
from clbench.kernels.compiler import kernel
from clbench.kernels.memory import floats

@kernel
def square(count: int, given: int, found: int) -> None:
    one, other = floats(given, count), floats(found, count)
    for place in range(count):
        other[place] = one[place] * one[place]
"""

SQUARE = """
import numpy as np
from clbench.kernels import compiler, squares
compiler.prepare(lambda: print("compiling"))
given, found = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
squares.square.python(5, given.ctypes.data, found.ctypes.data)
assert (found == given * given).all() and compiler.is_compiled()
"""

ORDER = """
import pkgutil, importlib, types
import clbench.kernels
from clbench.kernels import compiler
for module in pkgutil.iter_modules(clbench.kernels.__path__):
    importlib.import_module("clbench.kernels." + module.name)

def called(function, seen):
    for name in function.__code__.co_names:
        found = function.__globals__.get(name)
        if isinstance(found, compiler.Kernel):
            yield found
        elif hasattr(found, "py_func") and found not in seen:
            yield from called(found.py_func, seen | {found})

calls = 0
for number, kernel in enumerate(compiler._PENDING):
    for other in called(kernel.function, frozenset()):
        assert compiler._PENDING.index(other) < number, (kernel.symbol, other.symbol)
        calls += 1
assert calls > 10
"""


@pytest.fixture
def package(tmp_path):
    """Return a copy of the compiler with one kernel, in a package of their own."""
    kernels = tmp_path / "clbench" / "kernels"
    kernels.mkdir(parents=True)
    (kernels.parent / "__init__.py").touch()
    for name in MODULES:
        shutil.copy(SOURCES / f"{name}.py", kernels)
    (kernels / "squares.py").write_text(KERNEL)
    return kernels


def start(package, script=SQUARE):
    """Start a script over a copy."""
    root, cache = package.parent.parent, package.parent.parent / "cache"
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(package, script=SQUARE):
    """Return what a script prints."""
    process = start(package, script)
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    return printed.split()


def kept(package):
    """Return the folders of machine code."""
    return list((package / "__pycache__" / "code").iterdir())


def test_a_kernel_is_compiled_after_those_that_it_calls():
    subprocess.run([sys.executable, "-c", ORDER], check=True)


def test_two_that_start_at_once_both_compile_and_the_third_takes_what_is_kept(package):
    both = [start(package), start(package)]
    for process in both:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert run(package) == []


def test_another_source_has_another_folder_and_the_old_one_goes(package):
    assert run(package) == ["compiling"]
    (first,) = kept(package)
    with (package / "memory.py").open("a") as source:
        source.write("# edited\n")
    assert run(package) == ["compiling"]
    (second,) = kept(package)
    assert first != second


@pytest.mark.parametrize("suffix", ["nbc", "nbi"])
def test_what_is_torn_is_compiled_again(package, suffix):
    run(package)
    files = list(package.rglob(f"*.{suffix}"))
    for path in files:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    run(package)
    run(package)
    assert run(package) == [] and {*package.rglob(f"*.{suffix}")} == {*files}


def test_where_nothing_can_be_kept_kernels_are_compiled_each_time(package):
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "code").touch()
    assert run(package) == run(package) == ["compiling"]
    assert not list(package.rglob("*.nb?"))


def test_a_package_that_cannot_be_written_keeps_its_code_in_the_users_cache(package):
    script = "import os; os.access = lambda path, mode: 'cache' in str(path)\n" + SQUARE
    assert run(package, script) == ["compiling"] and run(package, script) == []
    assert not (package / "__pycache__" / "code").exists()
    assert list((package.parent.parent / "cache" / "clbench" / "kernels").rglob("*.nbc"))
