"""How the kernels are compiled, and where their machine code is kept.

Kernels see memory as addresses, counts and strides, as C does: so each is compiled by itself and called by
its name, and none is compiled again inside of another. What is kept belongs to the sources of all: it lies in
a folder named by their digest, beside the sources or, where that can't be written, in the user's cache
folder. numba adds the processor and its own version.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, ParamSpec, Protocol, TypeVar, cast

import llvmlite.binding as llvm
import numba
import numba.extending
from numba.core import config, types
from numba.extending import models, register_model

HERE = Path(__file__).parent

Function = TypeVar("Function", bound=Callable[..., Any])
Given = ParamSpec("Given")
Found = TypeVar("Found")

intrinsic: Any = numba.extending.intrinsic
"""Declares a function that is written in LLVM's own words; inside kernels it has one argument less."""

OPTIONS = {"error_model": "numpy", "fastmath": {"contract"}}
"""A division by zero is infinite, as numpy's, and no reason to look twice. A product and the sum it goes into
are rounded once where the processor can; the order of no sum is changed."""

TYPES = {"int": types.int64, "float": types.float32, "None": types.void}
"""What the annotations of a kernel stand for; a float that is returned has double precision."""


def inline(function: Function) -> Function:
    """Compile a small function into the kernels that call it."""
    return cast(Function, numba.njit(function, **OPTIONS))


class Compiled(Protocol[Given, Found]):
    """A kernel as those see it who call it: as the function that it was, and as one that Python may call."""

    python: Callable[..., Found]

    def __call__(self, *given: Given.args, **named: Given.kwargs) -> Found:
        """As other kernels call it."""
        ...


def kernel(function: Callable[Given, Found]) -> Compiled[Given, Found]:
    """Compile a function, or take the machine code that is kept; see `Kernel`."""
    return cast(Compiled[Given, Found], Kernel(function))


class Kernel(types.ExternalFunction):
    """A function in machine code: other kernels call it by its name, Python by `python`.

    By its annotations its arguments are integers (addresses, counts, strides) and floats in single precision.
    While it runs the interpreter is free for other threads.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        *arguments, result = (TYPES[kind] for kind in _annotations(function))
        signature = (types.float64 if result is types.float32 else result)(*arguments)
        super().__init__(f"{function.__module__}.{function.__qualname__}", signature)
        self.function, self.__doc__ = function, function.__doc__
        self.compiled: Any = None
        _PENDING.append(self)

    @property
    def python(self) -> Callable[..., Any]:
        """The function as Python may call it."""
        prepare()
        return self.compiled.ctypes

    def compile(self) -> None:
        """Compile it, or take what is kept; where that is torn or can't be written, do without."""
        try:
            self.compiled = self._compiled(cache=_is_writable(CODE))
        except Exception:  # what is torn is no fixed kind of error; one of the kernel itself comes again
            for path in self._kept():
                path.unlink(missing_ok=True)
            self.compiled = self._compiled(cache=False)
        llvm.add_symbol(self.symbol, self.compiled.address)

    def is_kept(self) -> bool:
        """Tell whether its machine code is kept."""
        return any(path.suffix == ".nbc" for path in self._kept())

    def _compiled(self, cache: bool) -> Any:
        before, config.__dict__["CACHE_DIR"] = config.__dict__["CACHE_DIR"], str(CODE)
        try:
            return numba.cfunc(self.sig, cache=cache, **OPTIONS)(self.function)
        finally:
            config.__dict__["CACHE_DIR"] = before

    def _kept(self) -> list[Path]:
        """Return the files of its machine code."""
        module = self.function.__module__.rpartition(".")[2]
        return list(CODE.glob(f"*/{module}.{self.function.__qualname__}-*"))


register_model(Kernel)(models.OpaqueModel)  # a name has no value

_PENDING: list[Kernel] = []
_LOCK = Lock()


def prepare(announce: Callable[[], None] | None = None) -> None:
    """Compile all kernels that are defined and not compiled yet; those that they call come before them.

    Args:
        announce: called first if machine code must be made, which takes some seconds.
    """
    with _LOCK:
        if announce and not is_compiled():
            announce()
        while _PENDING:
            _PENDING[0].compile()
            del _PENDING[0]


def is_compiled() -> bool:
    """Tell whether the machine code of all kernels that are defined is at hand or kept."""
    return all(waiting.is_kept() for waiting in _PENDING)


def _annotations(function: Callable[..., Any]) -> list[str]:
    """Return the annotations of a function's arguments, and at last of its result."""
    found = dict(function.__annotations__)
    result = found.pop("return")
    return [*found.values(), result]


def _is_writable(folder: Path) -> bool:
    """Tell whether files can be kept in a folder, which is made if it isn't there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _code_folder() -> Path:
    """Return the folder of these sources' machine code, and remove those of sources that are no more."""
    digest = hashlib.sha256()
    for source in sorted(HERE.glob("*.py")):
        digest.update(source.read_bytes())
    folder = _place() / digest.hexdigest()[:16]
    if folder.parent.is_dir():
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    return folder


def _place() -> Path:
    """Return the folder for the machine code of the sources here, whatever they are at the time."""
    if os.access(HERE, os.W_OK):
        return HERE / "__pycache__" / "code"
    cache = os.environ.get("XDG_CACHE_HOME")
    here = hashlib.sha256(str(HERE).encode()).hexdigest()[:16]  # another installation keeps its own
    return (Path(cache) if cache else Path.home() / ".cache") / "clbench" / "kernels" / here


CODE = _code_folder()
