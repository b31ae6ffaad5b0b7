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
from typing import Any, TypeVar

import llvmlite.binding as llvm
import numba
from numba.core import config, types
from numba.extending import models, register_model

HERE = Path(__file__).parent

Function = TypeVar("Function", bound=Callable[..., Any])

OPTIONS = {"error_model": "numpy", "fastmath": {"contract"}}
"""A division by zero is infinite, as numpy's, and no reason to look twice. A product and the sum it goes into
are rounded once where the processor can; the order of no sum is changed."""

TYPES = {"int": types.int64, "float": types.float32, "None": types.void}
"""What the annotations of a kernel stand for; a float that is returned has double precision."""


def inline(function: Function) -> Function:
    """Compile a small function into the kernels that call it."""
    compiled: Function = numba.njit(function, **OPTIONS)
    return compiled


def kernel(function: Callable[..., Any]) -> Kernel:
    """Compile a function, or take the machine code that is kept; see `Kernel`."""
    return Kernel(function)


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
        """Compile it, or take what is kept."""
        before, config.CACHE_DIR = config.CACHE_DIR, str(CODE)
        try:
            self.compiled = numba.cfunc(self.sig, cache=True, **OPTIONS)(self.function)
        finally:
            config.CACHE_DIR = before
        llvm.add_symbol(self.symbol, self.compiled.address)


register_model(Kernel)(models.OpaqueModel)  # a name has no value

_PENDING: list[Kernel] = []
_LOCK = Lock()


def prepare() -> None:
    """Compile all kernels that are defined and not compiled yet; those that they call come before them."""
    with _LOCK:
        while _PENDING:
            _PENDING[0].compile()
            del _PENDING[0]


def _annotations(function: Callable[..., Any]) -> list[str]:
    """Return the annotations of a function's arguments, and at last of its result."""
    found = dict(function.__annotations__)
    result = found.pop("return")
    return [*found.values(), result]


def is_compiled() -> bool:
    """Tell whether machine code of these sources is kept already."""
    return any(CODE.rglob("*.nbc"))


def _code_folder() -> Path:
    """Return the folder of these sources' machine code, and remove those of sources that are no more."""
    digest = hashlib.sha256()
    for source in sorted(HERE.glob("*.py")):
        digest.update(source.read_bytes())
    folder = _writable() / digest.hexdigest()[:16]
    if folder.parent.is_dir():
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    return folder


def _writable() -> Path:
    if os.access(HERE, os.W_OK):
        return HERE / "__pycache__" / "code"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "clbench" / "kernels"


CODE = _code_folder()
