"""Optimisers on flat lanes, and what lets every head have a state of its own."""

from clbench.optimizers.fused import SGD, Adagrad, Adam, AdamW, Optimizer, Range
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
