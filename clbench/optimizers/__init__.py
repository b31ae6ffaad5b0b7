"""Optimisers on flat lanes, and what lets every head have a state of its own."""

from clbench.optimizers.base import Optimizer, Range
from clbench.optimizers.fused import SGD, Adagrad, Adam, AdamW
from clbench.optimizers.heads import SeparateHeads, heads_of, heads_problems

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "Range",
    "SeparateHeads",
    "heads_of",
    "heads_problems",
]
