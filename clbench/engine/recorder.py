"""What a stage leaves behind: losses and scores at its evaluation points, norms at its recorded steps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clbench.config import Evaluation
from clbench.engine.data import LaneData
from clbench.engine.evaluate import Evaluator
from clbench.engine.results import TRAINING_COLUMNS
from clbench.engine.state import StageState
from clbench.models.base import Network
from clbench.streams.base import Stream

GRID_POINTS = 201
"""Points at which a one-dimensional regression's function is kept."""


@dataclass(frozen=True)
class Point:
    """What was recorded at an evaluation point, on the device.

    Args:
        step: of the run.
        full: whether it ends a stage, or is step 0.
        measured: `loss` and `score/<name>`, `[lane, task, split]`.
        subset: of a full point, the same on the fixed subsets that are evaluated at the others.
        training: the columns of `TRAINING_COLUMNS`, `[column, lane]`; None at step 0.
    """

    step: int
    full: bool
    measured: dict[str, Tensor]
    subset: dict[str, Tensor]
    training: Tensor | None


@dataclass(frozen=True)
class Segment:
    """What was recorded between two evaluation points, and at the second.

    Args:
        points: the second, and in a run's first segment step 0 before it.
        steps, samples: taken by each lane.
        share: of the stage's steps.
        function: what a one-dimensional regression learned by a stage's end, `[lane, grid]`.
    """

    points: tuple[Point, ...]
    steps: int
    samples: int
    share: float
    function: Tensor | None


@dataclass(frozen=True)
class StageRecord:
    """What one stage of a program left behind, on the host.

    Args:
        step, full: of every point, `[points]`; stage 0 begins with step 0.
        arrays: `loss` and `score/<name>` `[points, lane, task, split]`; the same on the fixed subsets, under
            `subset/`, at the points that are `full`; `training/<column>` `[points (step > 0), lane]`.
        steps, samples: taken by each lane in this stage.
        function: what a one-dimensional regression learned, `[lane, grid]`.
    """

    step: np.ndarray
    full: np.ndarray
    arrays: dict[str, np.ndarray]
    steps: int
    samples: int
    function: np.ndarray | None

    def of_lane(self, lane: int) -> dict[str, np.ndarray]:
        """Return the arrays of one lane, without that dimension."""
        return {name: values[:, lane] for name, values in self.arrays.items()}


class Recorder:
    """Evaluates the lanes of a program at the points of a stage.

    Args:
        data: the lanes' data.
        evaluation: what is evaluated.
    """

    def __init__(self, data: LaneData, evaluation: Evaluation) -> None:
        self.data = data
        self.subset = Evaluator(data, evaluation, full=False)
        self.full = Evaluator(data, evaluation, full=True)
        if self.full.columns == self.subset.columns or evaluation.points == 1:  # one choice
            self.subset = self.full
        self.seconds = 0.0

    def point(
        self, network: Network, state: StageState, full: bool, columns: Mapping[str, Tensor] | None = None
    ) -> Point:
        """Evaluate all lanes on the fixed subsets, and at a stage's ends (`full`) on whole splits too.

        Args:
            network: of the lanes.
            state: where they are.
            full: whether this is step 0 or a stage's end.
            columns: what the last step gave for training.csv, `[lane]` by column; None at step 0.
        """
        began = time.perf_counter()
        measured, subset = self.subset(network, state.stage), {}
        if full:
            # Evaluated by themselves: out of the whole split's blocks they could differ in the last bit.
            subset = measured
            if self.full is not self.subset:
                measured = self.full(network, state.stage)
        training = None
        if columns is not None:
            unknown = torch.full((self.data.lanes,), float("nan"), device=self.data.device)
            training = torch.stack([columns.get(name, unknown) for name in TRAINING_COLUMNS])
        self.seconds += time.perf_counter() - began
        return Point(state.step, full, measured, subset, training)

    def learned_function(self, network: Network) -> Tensor | None:
        """Return what a regression of one input and one output learned, `[lane, grid]`; None for others."""
        stream = self.data.stream
        if not (stream.scenario == "regression" and stream.features == (1,) and stream.outputs == 1):
            return None
        grids = torch.stack([grid_of(stream) for stream in self.data.distinct]).to(self.data.device)
        return network.predict(grids[self.data.stream_of_lane])[..., 0].clone()


def stage_record(segments: Sequence[Segment]) -> StageRecord:
    """Return what all segments of a stage recorded, on the host."""
    points = [point for segment in segments for point in segment.points]
    training = torch.stack([point.training for point in points if point.training is not None]).cpu().numpy()
    arrays = {f"training/{name}": training[:, index] for index, name in enumerate(TRAINING_COLUMNS)}
    for prefix, chosen in (
        ("", [point.measured for point in points]),
        ("subset/", [point.subset for point in points if point.full]),
    ):
        for name in chosen[0]:
            arrays[prefix + name] = torch.stack([values[name] for values in chosen]).cpu().numpy()
    function = segments[-1].function
    return StageRecord(
        step=np.array([point.step for point in points]),
        full=np.array([point.full for point in points]),
        arrays=arrays,
        steps=sum(segment.steps for segment in segments),
        samples=sum(segment.samples for segment in segments),
        function=None if function is None else function.cpu().numpy(),
    )


def grid_of(stream: Stream) -> Tensor:
    """Return the grid over the range of one stream's inputs, `[points, 1]`."""
    low, high = float(stream.inputs.min()), float(stream.inputs.max())
    return torch.linspace(low, high, GRID_POINTS)[:, None]
