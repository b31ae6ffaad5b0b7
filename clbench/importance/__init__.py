"""Importance estimators: a quadratic method is one of these and nothing else."""

from clbench.importance.base import Importance, Ones
from clbench.importance.fisher import Fisher
from clbench.importance.output_sensitivity import OutputSensitivity
from clbench.importance.path_integral import PathIntegral
from clbench.importance.rwalk import RWalk
from clbench.importance.step_sum import StepSum, StepSums

__all__ = [
    "Fisher",
    "Importance",
    "Ones",
    "OutputSensitivity",
    "PathIntegral",
    "RWalk",
    "StepSum",
    "StepSums",
]
