"""Some lanes in one phase: what the loop works on and what a strategy may ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from clbench.context import Batch, Context
from clbench.engine.data import LaneData, Rows, trained_outputs
from clbench.engine.losses import output_errors
from clbench.lanes import stack
from clbench.models.base import Layout, Network
from clbench.models.contract import draw_parameters
from clbench.runs import Run
from clbench.strategies.acts import Acts, tasks_of
from clbench.strategies.base import Strategy
from clbench.streams.base import Stream, generator

Tree = dict[str, Tensor]
"""A cohort's state: tensors with a lane dimension under `theta`, `optimizer/…`, `strategy/…`."""


class Program(Context):
    """Lanes that train together, bound to their parameters, data, optimiser and strategy.

    Args:
        runs: one per lane, of one structure.
        streams: one per lane.
        tree: the lanes' state; used in place.
        stage: the stage of this phase.
        step: gradient steps taken before this phase.
        strategies: one per lane; None where nothing acts in this phase.
        cores: that no other program uses.
        doubled: whether the second lane is but the first's double.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        streams: Sequence[Stream],
        tree: Tree,
        stage: int,
        step: int,
        strategies: Sequence[Strategy | None],
        cores: int = 1,
        doubled: bool = False,
    ) -> None:
        first = runs[0]
        self.runs = runs
        self.stream = streams[0]
        self.device = torch.device(first.device)
        self.data = LaneData(streams, [run.seed for run in runs], self.device)
        self.seeds = self.data.seeds
        self.layout: Layout = first.model.layout(self.stream)
        self.theta = tree["theta"]
        self.tree = tree
        self.task_gradient = torch.zeros_like(self.theta)
        self.total_gradient = self.task_gradient
        self.cores, self.doubled = cores, doubled
        self.network = self._network(self.theta)
        self.stage, self.step, self.stage_step = stage, step, 0
        self.tasks, self.outputs, self.pool = self.data.tasks, self.stream.outputs, self.data.pool
        self.scenario = self.stream.scenario
        self.task_outputs = tuple(trained_outputs(task) for task in self.stream.tasks)
        self.lr = torch.tensor([run.optimizer.lr for run in runs], device=self.device)
        self.strategy: Strategy | None = stack(strategies, self.device)
        self.acts = Acts() if self.strategy is None else self.strategy.at(stage)
        self.chosen = tasks_of(self.acts.tasks, stage, self.tasks)
        self.scratch = {}
        self.state = {key[9:]: value for key, value in tree.items() if key.startswith("strategy/")}
        latest = max(stage, *self.chosen)  # joint trains on all tasks at once
        self.masks = self.data.masks(latest, first.training.outputs, training=True)
        self.before: Tensor | None = None
        self.other: tuple[Tensor, Network] | None = None  # the network of the last other θ asked for

    @property
    def theta_before(self) -> Tensor:  # type: ignore[override]
        """Parameters before this step."""
        assert self.before is not None
        return self.before

    # What strategies ask ------------------------------------------------------------------------

    def train_addresses(self, task: int) -> Tensor:
        """Return the addresses of a task's training samples, `[lane, samples]`."""
        return self.data.addresses(task, "train")

    def fetch(self, address: Tensor, weight: Tensor | None = None, new: int | None = None) -> Batch:
        """Return the batch of addresses `[lane, batch]`; the weight defaults to 1 / batch."""
        size = address.shape[1]
        if weight is None:
            weight = torch.full((1, size), 1.0 / size, device=self.device)
        return self.batch(self.data.resolve(address), weight, size if new is None else new)

    def batch(self, rows: Rows, weight: Tensor, new: int, mask: Tensor | None = None) -> Batch:
        """Return the batch of resolved rows; the mask is looked up where it is not given."""
        if mask is None and self.masks is not None:
            mask = self.masks[rows.task]
        return Batch(
            address=rows.address,
            inputs=self.data.gather_inputs(rows.inputs, rows.task),
            targets=self.data.gather_targets(rows.targets, rows.task),
            mask=mask,
            weight=weight,
            new=new,
        )

    def outputs_of(self, batch: Batch, theta: Tensor | None = None) -> Tensor:
        """Return fresh outputs `[lane, batch, outputs]` without gradient, of `theta` if given."""
        if theta is None:
            return self.network.predict(batch.inputs).clone()
        if self.other is None or self.other[0] is not theta:
            self.other = (theta, self._network(theta))
        return self.other[1].predict(batch.inputs).clone()

    def gradient_of(self, batch: Batch) -> Tensor:
        """Return the task loss's gradient on another batch, in a fresh tensor `[lane, padded]`."""
        kept = self.task_gradient.clone()
        self.network.backward(self.errors(batch, self.network.forward(batch.inputs)))
        found = self.task_gradient.clone()
        self.task_gradient.copy_(kept)
        return found

    def initial_theta(self) -> Tensor:
        """Return the parameters at step 0, `[lane, padded]`."""
        return initial_theta(self.runs, [self.data.distinct[int(i)] for i in self.data.stream_of_lane]).to(
            self.device
        )

    def random(self, *purpose: object) -> list[torch.Generator]:
        """Return one generator per lane, of the lane's seed, the purpose, the stage and the step."""
        return [generator(seed, *purpose, self.stage, self.step) for seed in self.seeds]

    def anchor_distance(self) -> Tensor | None:
        """Return ‖θ − θ*‖₂ `[lane]` as the strategy has it; None where it has no anchor."""
        return None if self.strategy is None else self.strategy.anchor_distance(self, self.state)

    # What the loop asks -------------------------------------------------------------------------

    def errors(self, batch: Batch, outputs: Tensor) -> Tensor:
        """Return the task loss's errors on the outputs."""
        return output_errors(self.stream.loss, outputs, batch.targets, batch.mask, batch.weight)

    def rate_factors(self) -> Tensor | None:
        """Return what each parameter's step is multiplied by, `[padded]`: 0 where frozen; None: all 1."""
        factors = torch.ones(self.layout.padded, device=self.device)
        declared = None if self.acts.rates is None else self.acts.rates(self.layout)
        if declared is not None:
            factors *= declared.to(self.device)
        patterns = self.runs[0].model.trainable(self.stage)
        for parameter, place in zip(self.layout.parameters, self.layout.slices().values(), strict=True):
            named = patterns is None or any(fnmatchcase(parameter.name, pattern) for pattern in patterns)
            if not (parameter.trainable and named):
                factors[place] = 0.0
        return None if bool((factors == 1).all()) else factors

    def store_state(self) -> None:
        """Write the strategy's state back into the tree."""
        for key in [key for key in self.tree if key.startswith("strategy/")]:
            del self.tree[key]
        for key, value in self.state.items():
            self.tree[f"strategy/{key}"] = value

    def _network(self, theta: Tensor) -> Network:
        """Return the network of parameters `[lane, padded]`."""
        network = self.runs[0].model.bind(self.stream, theta, self.task_gradient)
        network.set_cores(self.cores, self.doubled)
        return network


def initial_theta(runs: Sequence[Run], streams: Sequence[Stream]) -> Tensor:
    """Return the parameters at step 0, `[lane, padded]`, drawn from each run's seed alone."""
    drawn: dict[tuple[int, int], Tensor] = {}
    rows = []
    for run, stream in zip(runs, streams, strict=True):
        key = (run.seed, id(stream))
        if key not in drawn:
            layout, random = run.model.layout(stream), generator(run.seed, "init")
            drawn[key] = draw_parameters(run.model, stream, layout, random)
        rows.append(drawn[key])
    return torch.stack(rows)
