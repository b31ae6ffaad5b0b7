"""Lanes bound to their parameters: what a step works on, and what a strategy may ask."""

from __future__ import annotations

from fnmatch import fnmatchcase

import torch
from torch import Tensor

from clbench.context import Batch, Context
from clbench.engine.data import Rows, trained_outputs
from clbench.engine.losses import output_errors
from clbench.engine.program import Program
from clbench.engine.state import StageState
from clbench.models.base import Network
from clbench.streams.base import generator


class LanesContext(Context):
    """A program bound to a state, whose tensors change in place.

    Args:
        program: the lanes.
        state: theirs; gets what the strategy starts with where it has nothing of it yet.
    """

    def __init__(self, program: Program, state: StageState) -> None:
        self.program, self.acts, self.data = program, program.acts, program.data
        stream = program.stream
        self.device, self.layout, self.stage = program.device, program.layout, program.stage
        self.seeds = self.data.seeds
        self.tasks, self.outputs, self.pool = self.data.tasks, stream.outputs, self.data.pool
        self.scenario, self.loss = stream.scenario, stream.loss
        self.task_outputs = tuple(trained_outputs(task) for task in stream.tasks)
        self.lr = torch.tensor([run.optimizer.lr for run in program.runs], device=self.device)
        self.theta = state.tree["theta"]
        self.task_gradient = torch.zeros_like(self.theta)
        self.total_gradient = self.task_gradient
        self.network = program.bind(self.theta, self.task_gradient)
        self.step, self.stage_step = state.step, state.stage_step
        self.before: Tensor | None = None
        self.other: tuple[Tensor, Network] | None = None  # the network of the last other θ asked for
        self.scratch = {}
        self.optimizer, self.state = state.part("optimizer/"), state.part("strategy/")
        if not self.state and program.strategy is not None:
            self.state = program.strategy.start(self)
            state.put("strategy/", self.state)

    @property
    def theta_before(self) -> Tensor:  # type: ignore[override]
        """Parameters before this step."""
        assert self.before is not None
        return self.before

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
        masks = self.program.masks
        if mask is None and masks is not None:
            mask = masks[rows.task]
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
            self.other = (theta, self.program.bind(theta, self.task_gradient))
        return self.other[1].predict(batch.inputs).clone()

    def gradient_of(self, batch: Batch) -> Tensor:
        """Return the task loss's gradient on another batch, in a fresh tensor `[lane, padded]`."""
        kept = self.task_gradient.clone()
        self.network.backward(self.errors(batch, self.network.forward(batch.inputs)))
        found = self.task_gradient.clone()
        self.task_gradient.copy_(kept)
        return found

    def errors(self, batch: Batch, outputs: Tensor) -> Tensor:
        """Return the task loss's errors on the outputs."""
        return output_errors(self.loss, outputs, batch.targets, batch.mask, batch.weight)

    def rate_factors(self) -> Tensor | None:
        """Return what each parameter's step is multiplied by, `[padded]`: 0 where frozen; None: all 1."""
        factors = torch.ones(self.layout.padded, device=self.device)
        declared = None if self.acts.rates is None else self.acts.rates(self.layout)
        if declared is not None:
            factors *= declared.to(self.device)
        patterns = self.program.model.trainable(self.stage)
        for parameter, place in zip(self.layout.parameters, self.layout.slices().values(), strict=True):
            named = patterns is None or any(fnmatchcase(parameter.name, pattern) for pattern in patterns)
            if not (parameter.trainable and named):
                factors[place] = 0.0
        return None if bool((factors == 1).all()) else factors

    def initial_theta(self) -> Tensor:
        """Return the parameters at step 0, `[lane, padded]`."""
        return self.program.initial_theta()

    def random(self, *purpose: object) -> list[torch.Generator]:
        """Return one generator per lane, of the lane's seed, the purpose, the stage and the step."""
        return [generator(seed, *purpose, self.stage, self.step) for seed in self.seeds]

    def anchor_distance(self) -> Tensor | None:
        """Return ‖θ − θ*‖₂ `[lane]` as the strategy has it; None where it has no anchor."""
        strategy = self.program.strategy
        return None if strategy is None else strategy.anchor_distance(self, self.state)
