"""Lanes that train together: what doesn't change while they are in a stage."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from clbench.engine.data import LaneData
from clbench.engine.recorder import Recorder
from clbench.engine.state import StageState
from clbench.lanes import stack
from clbench.models.base import Network
from clbench.models.contract import draw_parameters
from clbench.optimizers import Optimizer, SeparateHeads, heads_of
from clbench.runs import Run
from clbench.strategies.acts import Acts, tasks_of
from clbench.strategies.base import Strategy
from clbench.streams.base import Stream, generator


class Program:
    """Some lanes in one stage.

    Args:
        runs: one per lane, of one structure.
        streams: one per lane.
        strategies: one per lane; None where nothing acts in this phase.
        stage: from 0.
        cores: that no other program uses.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        streams: Sequence[Stream],
        strategies: Sequence[Strategy | None],
        stage: int,
        cores: int = 1,
    ) -> None:
        self.runs, self.streams, self.stage, self.cores = runs, streams, stage, cores
        self.stream, self.model = streams[0], runs[0].model
        self.training, self.evaluation = runs[0].training, runs[0].evaluation
        self.device = torch.device(runs[0].device)
        self.data = LaneData(streams, [run.seed for run in runs], self.device)
        self.layout = self.model.layout(self.stream)
        self.strategy: Strategy | None = stack(strategies, self.device)
        self.acts = Acts() if self.strategy is None else self.strategy.at(stage)
        self.chosen = tasks_of(self.acts.tasks, stage, self.data.tasks)
        latest = max(stage, *self.chosen)  # joint trains on all tasks at once
        self.masks = self.data.masks(latest, self.training.outputs, training=True)

    @cached_property
    def recorder(self) -> Recorder:
        """What evaluates the lanes."""
        return Recorder(self.data, self.evaluation)

    @cached_property
    def optimizers(self) -> list[Optimizer | SeparateHeads]:
        """The optimiser of every lane."""
        optimizers = [run.optimizer for run in self.runs]
        heads = heads_of(self.training, self.layout, self.stream)
        if not heads:
            return [*optimizers]
        used = heads_in_use(self.training.heads, self.acts, self.stream, self.stage)
        return [SeparateHeads(optimizer, heads, used) for optimizer in optimizers]

    def bind(self, theta: Tensor, gradient: Tensor) -> Network:
        """Return the network of parameters `[lane, padded]`."""
        return self.model.bind(self.stream, theta, gradient)

    def begin(self) -> StageState:
        """Return the lanes' state before any training."""
        theta = self.initial_theta()
        state = StageState({"theta": theta})
        state.put("optimizer/", self.optimizers[0].init(theta))
        return state

    def initial_theta(self) -> Tensor:
        """Return the parameters at step 0, `[lane, padded]`, drawn from each run's seed alone."""
        drawn: dict[tuple[int, int], Tensor] = {}
        rows = []
        for run, stream in zip(self.runs, self.streams, strict=True):
            key = (run.seed, id(stream))
            if key not in drawn:
                random = generator(run.seed, "init")
                drawn[key] = draw_parameters(run.model, stream, self.layout, random)
            rows.append(drawn[key])
        return torch.stack(rows).to(self.device)


def heads_in_use(kind: str, acts: Acts, stream: Stream, stage: int) -> frozenset[tuple[int, int]]:
    """Return the heads that a gradient reaches in a stage, even if it is zero.

    A penalty reaches all, as do losses on all outputs (`Acts.all_outputs`). What otherwise acts on data,
    outputs or gradients reaches those of the tasks so far. Where idle heads are filled with
    zeros (`separate_zeros`), a head once in use stays so.

    Args:
        kind: `Training.heads`.
        acts: where the strategy acts in this stage.
        stream: whose tasks have the heads.
        stage: from 0.
    """
    tasks = set(tasks_of(acts.tasks, stage, len(stream.tasks)))
    losses = acts.loss or acts.distillations
    if acts.penalises or (losses and acts.all_outputs):
        tasks |= set(range(len(stream.tasks)))
    elif acts.data or acts.batch or acts.replay or losses or acts.gradient or kind == "separate_zeros":
        tasks |= set(range(stage + 1))
    return frozenset(stream.tasks[task].outputs for task in tasks)
