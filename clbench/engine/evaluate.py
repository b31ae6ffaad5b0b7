"""Evaluate all lanes on every task and split, in few passes, at chosen points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clbench.config import Evaluation
from clbench.engine.data import BLOCK_ROWS, LaneData, Rows, evaluation_subset
from clbench.engine.losses import sample_losses
from clbench.models.base import Network
from clbench.scores import SCORES

KEPT_BYTES = 64 * 2**20
"""Gathered evaluation inputs of a program are kept between points up to this size."""


def evaluation_steps(steps: int, points: int) -> list[int]:
    """Return the steps of a stage (1 … steps) at which it is evaluated, the last one included.

    Half of the points lie geometrically spaced after the switch, the others evenly over the stage.
    """
    dense = np.geomspace(1, steps, max(points // 2, 1)) if points > 1 else np.array([steps])
    even = np.linspace(0, steps, points - points // 2 + 1)[1:] if points > 1 else np.array([steps])
    chosen = np.unique(np.concatenate([dense, even, [steps]]).round().astype(int))
    return [int(step) for step in chosen if 1 <= step <= steps]


@dataclass(frozen=True)
class Columns:
    """The samples of one task and split, as a range of an evaluation's columns."""

    task: int
    split: int
    start: int
    stop: int


class Evaluator:
    """Evaluates the lanes of a program on one choice of samples.

    Args:
        data: the lanes' data.
        evaluation: which splits, which subset, which outputs compete.
        full: whole splits (of `evaluation.full`) instead of the fixed subsets.
    """

    def __init__(self, data: LaneData, evaluation: Evaluation, full: bool) -> None:
        self.data = data
        self.evaluation = evaluation
        addresses, self.columns, start = [], [], 0
        for task in range(data.tasks):
            for index, split in enumerate(evaluation.splits):
                found = self._addresses(task, split, full and split in evaluation.full)
                addresses.append(found)
                self.columns.append(Columns(task, index, start, start + found.shape[1]))
                start += found.shape[1]
        self.rows: Rows = data.resolve(torch.cat(addresses, 1))
        self.targets = data.gather_targets(self.rows.targets, self.rows.task)
        self.kept: list[Tensor] | None = None
        self.masks: dict[int, Tensor | None] = {}

    def _addresses(self, task: int, split: str, full: bool) -> Tensor:
        if full:
            return self.data.addresses(task, split)
        subsets = []
        for lane, seed in enumerate(self.data.seeds):
            stream = self.data.distinct[int(self.data.stream_of_lane[lane])]
            indices = stream.tasks[task].split(split)
            subsets.append(evaluation_subset(seed, indices, self.evaluation, task, split))
        return torch.stack(subsets).to(self.data.device) + task * self.data.pool

    def __call__(self, network: Network, stage: int) -> dict[str, Tensor]:
        """Return `loss` and `score/<name>`, each `[lane, task, split]`, NaN where a split is empty."""
        mask = self._mask(stage)
        outputs = self._outputs(network)
        if mask is not None:
            outputs = outputs + mask
        each = sample_losses(self.data.stream.loss, outputs, self.targets, None)
        shape = (self.data.lanes, self.data.tasks, len(self.evaluation.splits))
        losses = torch.full(shape, float("nan"), device=self.data.device)
        scores = {name: losses.clone() for name in self.data.stream.scores}
        for part in self.columns:
            if part.stop == part.start:
                continue
            place = slice(part.start, part.stop)
            losses[:, part.task, part.split] = each[:, place].mean(1)
            for name, values in scores.items():
                found = SCORES[name](outputs[:, place], self.targets[:, place])
                values[:, part.task, part.split] = found
        return {"loss": losses, **{f"score/{name}": values for name, values in scores.items()}}

    def _mask(self, stage: int) -> Tensor | None:
        """Return what is added to the outputs in a stage, `[samples, outputs]`."""
        if stage not in self.masks:
            masks = self.data.masks(stage, self.evaluation.outputs, training=False)
            # The samples of a column belong to one task in every lane, so lane 0 has the masks of all.
            self.masks[stage] = None if masks is None else masks[self.rows.task[0]]
        return self.masks[stage]

    def _outputs(self, network: Network) -> Tensor:
        width = self.rows.inputs.shape[1]
        starts = range(0, width, BLOCK_ROWS)
        if self.kept is None:
            size = self.data.inputs[0].numel() * self.data.inputs.element_size()
            if self.data.lanes * width * size <= KEPT_BYTES:
                self.kept = [self._inputs(start) for start in starts]
        blocks = self.kept if self.kept is not None else (self._inputs(start) for start in starts)
        # Outputs may be a buffer of the network, and the next block overwrites it.
        return torch.cat([network.predict(block).clone() for block in blocks], 1)

    def _inputs(self, start: int) -> Tensor:
        part = slice(start, start + BLOCK_ROWS)
        return self.data.gather_inputs(self.rows.inputs[:, part], self.rows.task[:, part])
