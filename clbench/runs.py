"""What one run is, below Hydra: a frozen value made of parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clbench.config import Evaluation, Training
from clbench.models.base import Model
from clbench.optimizers import Optimizer
from clbench.strategies.base import Strategy
from clbench.streams.base import StreamSource


@dataclass(frozen=True)
class Run:
    """One run: one strategy with one set of hyperparameters and one seed on one stream.

    Args:
        stream, model, strategy, optimizer: the parts, frozen dataclasses.
        training, evaluation: see there.
        seed: names all randomness of the run.
        device: a torch device name.
        labels: how the run is called in tables: `stream`, `strategy`, … by plain strings.
    """

    stream: StreamSource
    model: Model
    strategy: Strategy
    optimizer: Optimizer
    training: Training = field(default_factory=Training)
    evaluation: Evaluation = field(default_factory=Evaluation)
    seed: int = 0
    device: str = "cpu"
    labels: Mapping[str, str] = field(default_factory=dict)
