"""Streams: tasks in order, as tensors. Every source here is a frozen dataclass that builds one."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clbench.streams.base import Stream, StreamSource, Task
from clbench.streams.linear import LinearRegression
from clbench.streams.permuted import PermutedImages
from clbench.streams.regression import Curve, TwoTaskRegression
from clbench.streams.rotated import RotatedImages
from clbench.streams.split import SplitImages
from clbench.streams.synthetic_text import SyntheticText
from clbench.streams.vectors import read_vectors

if TYPE_CHECKING:
    from clbench.streams.tabular import TabularFile
    from clbench.streams.text import TextFile

LATER = {"TabularFile": "clbench.streams.tabular", "TextFile": "clbench.streams.text"}
"""Sources that read tables by pandas, which takes long to import: only when somebody asks for one."""

__all__ = [
    "Curve",
    "LinearRegression",
    "PermutedImages",
    "RotatedImages",
    "SplitImages",
    "Stream",
    "StreamSource",
    "SyntheticText",
    "TabularFile",
    "Task",
    "TextFile",
    "TwoTaskRegression",
    "read_vectors",
]


def __getattr__(name: str) -> Any:
    """Return a source that reads tables."""
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(LATER[name]), name)
