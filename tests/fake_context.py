"""A context without an engine: a real network in float64 over a small stream that a test makes up."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from clbench.context import Batch, Context
from clbench.models.mlp import MLP
from clbench.streams.base import Stream, Task, generator


def classification_stream(tasks=2, samples=12, features=3, classes=2, scenario="class", seed=0) -> Stream:
    """Random inputs; task k has its own samples and, in class and task, its own outputs."""
    draw = torch.Generator().manual_seed(seed)
    pool = tasks * samples
    inputs = torch.randn(pool, features, generator=draw, dtype=torch.float64)
    shared = scenario == "domain"
    outputs = classes if shared else classes * tasks
    targets = torch.randint(classes, (pool,), generator=draw)
    parts = []
    for index in range(tasks):
        place = torch.arange(index * samples, (index + 1) * samples)
        low = 0 if shared else index * classes
        targets[place] += low
        parts.append(Task(str(index), place, place[:0], place, (low, low + classes)))
    return Stream(inputs, targets, tuple(parts), scenario, outputs, ("accuracy",))


def regression_stream(tasks=2, samples=12, features=3, outputs=2, seed=0) -> Stream:
    """Random inputs and real targets."""
    draw = torch.Generator().manual_seed(seed)
    pool = tasks * samples
    inputs = torch.randn(pool, features, generator=draw, dtype=torch.float64)
    targets = torch.randn(pool, outputs, generator=draw, dtype=torch.float64)
    places = [torch.arange(index * samples, (index + 1) * samples) for index in range(tasks)]
    parts = [Task(str(index), place, place[:0], place, (0, outputs)) for index, place in enumerate(places)]
    return Stream(inputs, targets, tuple(parts), "regression", outputs, ("rmse",))


class FakeContext(Context):
    """Lanes of one small MLP in float64, driven by the test."""

    def __init__(
        self, stream: Stream, lanes: int = 2, hidden: tuple[int, ...] = (4,), lr: float = 0.1
    ) -> None:
        self.stream = stream
        model = MLP(hidden=hidden, activation="tanh")
        self.layout = model.layout(stream)
        draw = torch.Generator().manual_seed(1)
        self.initial = torch.zeros(lanes, self.layout.padded, dtype=torch.float64)
        shape = (lanes, self.layout.size)
        self.initial[:, : self.layout.size] = torch.randn(shape, generator=draw, dtype=torch.float64) * 0.5
        self.theta = self.initial.clone()
        self.task_gradient = torch.zeros_like(self.theta)
        self.total_gradient = torch.zeros_like(self.theta)
        self.theta_before = self.theta.clone()
        self.network = model.bind(stream, self.theta, self.task_gradient)
        self.lr = torch.full((lanes,), lr, dtype=torch.float64)
        self.stage, self.step, self.stage_step = 0, 0, 0
        self.kept: dict = {}
        self.tasks, self.outputs = len(stream.tasks), stream.outputs
        self.scenario = stream.scenario
        self.task_outputs = tuple(task.outputs for task in stream.tasks)
        self.seeds = tuple(range(lanes))
        self.pool = stream.inputs.shape[0]
        self.device = torch.device("cpu")

    @property
    def scratch(self) -> dict:
        """Of this stage only."""
        return self.kept.setdefault(self.stage, {})

    def masks(self) -> Tensor | None:
        """0 or −inf, `[task, outputs]`."""
        if self.stream.scenario not in ("task", "class"):
            return None
        mask = torch.full((self.tasks, self.outputs), float("-inf"), dtype=torch.float64)
        for row, task in zip(mask, self.stream.tasks, strict=True):
            low = task.outputs[0] if self.stream.scenario == "task" else 0
            stop = (
                task.outputs[1]
                if self.stream.scenario == "task"
                else self.stream.tasks[self.stage].outputs[1]
            )
            row[low:stop] = 0.0
        return mask

    def train_addresses(self, task: int) -> Tensor:
        return (self.stream.tasks[task].train + task * self.pool).expand(self.lanes, -1)

    def fetch(self, address: Tensor, weight: Tensor | None = None, new: int | None = None) -> Batch:
        size = address.shape[1]
        task, sample = address // self.pool, address % self.pool
        masks = self.masks()
        return Batch(
            address=address,
            inputs=self.stream.inputs[sample],
            targets=self.stream.targets[sample],
            mask=None if masks is None else masks[task],
            weight=torch.full((1, size), 1.0 / size, dtype=torch.float64) if weight is None else weight,
            new=size if new is None else new,
        )

    def outputs_of(self, batch: Batch, theta: Tensor | None = None) -> Tensor:
        return self.forward(self.theta if theta is None else theta, batch.inputs).detach()

    def gradient_of(self, batch: Batch) -> Tensor:
        leaf = self.theta.clone().requires_grad_()
        logits = self.forward(leaf, batch.inputs)
        if self.stream.loss == "mse":
            losses = (logits - batch.targets).square().mean(2)
        else:
            masked = logits if batch.mask is None else logits + batch.mask
            losses = functional.cross_entropy(masked.flatten(0, 1), batch.targets.flatten(), reduction="none")
            losses = losses.view(batch.targets.shape)
        return torch.autograd.grad((losses * batch.weight).sum(), leaf)[0]

    def initial_theta(self) -> Tensor:
        return self.initial.clone()

    def rate_factors(self) -> Tensor | None:
        return None

    def random(self, *purpose: object) -> list[torch.Generator]:
        return [generator(seed, *purpose, self.stage, self.step) for seed in self.seeds]

    def forward(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """The same network as plain differentiable torch, for oracles; inputs `[lane, batch, features]`."""
        views = self.layout.views(theta)
        names = [parameter.name for parameter in self.layout.parameters if parameter.kind == "weight"]
        for index, name in enumerate(names):
            inputs = inputs @ views[name].transpose(1, 2) + views[name.replace("weight", "bias")][:, None]
            inputs = torch.tanh(inputs) if index + 1 < len(names) else inputs
        return inputs
