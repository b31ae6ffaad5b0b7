"""What a stage leaves behind: losses and scores at its evaluation points, norms at its recorded steps."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clbench.engine.evaluate import Evaluator
from clbench.engine.program import Program
from clbench.engine.results import TRAINING_COLUMNS
from clbench.streams.base import Stream

GRID_POINTS = 201
"""Points at which a one-dimensional regression's function is kept."""


@dataclass(frozen=True)
class StageRecord:
    """What one stage of a program left behind, on the host.

    Args:
        step, full: of every point, `[points]`; stage 0 begins with step 0.
        loss: `[points, lane, task, split]`; score: the same by name.
        subset: loss and scores by name at the points that are `full`, on the fixed subsets that are evaluated
            at the other points, `[ends, lane, task, split]`.
        training: per column of `TRAINING_COLUMNS`, `[points (step > 0), lane]`.
        steps, samples: taken by each lane in this stage.
        seconds, evaluating: of the whole program, and how many of these went into evaluation.
        function: what a one-dimensional regression learned, `[lane, grid]`.
    """

    step: np.ndarray
    full: np.ndarray
    loss: np.ndarray
    score: dict[str, np.ndarray]
    subset: dict[str, np.ndarray]
    training: dict[str, np.ndarray]
    steps: int
    samples: int
    seconds: float
    function: np.ndarray | None
    evaluating: float = 0.0


class Recorder:
    """Keeps what is measured at the points on the device until the stage has ended."""

    def __init__(self, program: Program) -> None:
        evaluation = program.runs[0].evaluation
        self.program = program
        self.subset = Evaluator(program.data, evaluation, full=False)
        self.full = Evaluator(program.data, evaluation, full=True)
        if self.full.groups == self.subset.groups or evaluation.points == 1:  # one choice
            self.subset = self.full
        self.steps: list[int] = []
        self.ends: list[bool] = []
        self.losses: list[Tensor] = []
        self.scores: list[dict[str, Tensor]] = []
        self.subsets: list[dict[str, Tensor]] = []
        self.training: list[Tensor] = []
        self.seconds = 0.0

    def evaluate(self, full: bool) -> None:
        """Evaluate all lanes on the fixed subsets, and at a stage's ends (`full`) on whole splits too."""
        began = time.perf_counter()
        program = self.program
        losses, scores = self.subset(program.network, program.stage)
        if full:
            # Evaluated by themselves: out of the whole split's blocks they could differ in the last bit.
            self.subsets.append({"loss": losses, **scores})
            if self.full is not self.subset:
                losses, scores = self.full(program.network, program.stage)
        self.steps.append(program.step)
        self.ends.append(full)
        self.losses.append(losses)
        self.scores.append(scores)
        self.seconds += time.perf_counter() - began

    def measure(self, columns: dict[str, Tensor]) -> None:
        """Keep what a recorded step gave for training.csv, `[lane]` by column."""
        unknown = torch.full((self.program.lanes,), float("nan"), device=self.program.device)
        self.training.append(torch.stack([columns.get(name, unknown) for name in TRAINING_COLUMNS]))

    def finish(self, steps: int, samples: int, seconds: float) -> StageRecord:
        """Return all that was kept, on the host."""
        training = torch.stack(self.training).cpu().numpy()
        return StageRecord(
            step=np.array(self.steps),
            full=np.array(self.ends),
            loss=torch.stack(self.losses).cpu().numpy(),
            score=_by_name(self.scores),
            subset=_by_name(self.subsets),
            training={name: training[:, index] for index, name in enumerate(TRAINING_COLUMNS)},
            steps=steps,
            samples=samples,
            seconds=seconds,
            function=_learned_function(self.program),
            evaluating=self.seconds,
        )


def _by_name(points: list[dict[str, Tensor]]) -> dict[str, np.ndarray]:
    return {name: torch.stack([values[name] for values in points]).cpu().numpy() for name in points[0]}


def is_curve(stream: Stream) -> bool:
    """Tell whether a stream is a regression of one input and one output, whose function can be drawn."""
    return stream.scenario == "regression" and stream.features == (1,) and stream.outputs == 1


def _learned_function(program: Program) -> np.ndarray | None:
    if not is_curve(program.stream):
        return None
    grids = torch.stack([grid_of(stream) for stream in program.data.distinct]).to(program.device)
    return program.network.predict(grids[program.data.stream_of_lane])[..., 0].cpu().numpy()


def grid_of(stream: Stream) -> Tensor:
    """Return the grid over the range of one stream's inputs, `[points, 1]`."""
    low, high = float(stream.inputs.min()), float(stream.inputs.max())
    return torch.linspace(low, high, GRID_POINTS)[:, None]
