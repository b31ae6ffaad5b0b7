"""The loop: one stage of a chunk of lanes. It does not know any strategy."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import torch
from torch import Tensor

from clbench.context import Batch
from clbench.engine.batches import Batches
from clbench.engine.data import step_bounds, steps_of
from clbench.engine.evaluate import evaluation_steps
from clbench.engine.losses import batch_loss
from clbench.engine.optimize import bind_optimizer
from clbench.engine.program import Program
from clbench.engine.recorder import Recorder, StageRecord
from clbench.errors import ConfigurationError
from clbench.strategies.autograd import penalty_by_autograd


class Cancelled(Exception):
    """The user asked to stop; what was finished stays."""


def train_stage(
    program: Program,
    passed: int,
    cancel: Event,
    on_share: Callable[[float], None],
) -> StageRecord:
    """Train a chunk for one stage, in place, and return what was recorded.

    Args:
        program: the chunk.
        passed: steps that the runs took earlier through the same data (a joint run goes on in its pass).
        cancel: set to stop at the next evaluation point.
        on_share: told which share of the stage was trained since the last call, for a progress bar.

    Raises:
        Cancelled: `cancel` was set.
    """
    began = time.perf_counter()
    strategy, training = program.strategy, program.runs[0].training
    chosen = strategy.stage_tasks(program.stage, program.tasks)
    address = torch.cat([program.train_addresses(task) for task in chosen], 1)
    if strategy.acts("stage_data"):
        address = strategy.stage_data(program, program.state, address)
        if not address.shape[1]:
            raise ConfigurationError(
                "A stage's data must have at least one sample; got none from "
                f"{type(strategy).__qualname__}.stage_data in stage {program.stage}."
            )
    steps = steps_of(_pace(program, address.shape[1]), training)
    bounds = step_bounds(address.shape[1], training, steps, passed)
    batches = Batches(program, address, chosen, bounds)
    points = set(evaluation_steps(steps, program.runs[0].evaluation.points))
    recorder = Recorder(program)
    step = _Step(program)
    if program.step == 0:
        recorder.evaluate(full=True)
    samples = told = 0
    for index in range(steps):
        program.step += 1
        program.stage_step = index + 1
        program.recorded = recorded = index + 1 in points
        batch = batches[index]
        samples += batch.address.shape[1]
        columns = step(batch, recorded)
        if recorded:
            recorder.measure(columns)
            recorder.evaluate(full=index + 1 == steps)
            on_share((index + 1 - told) / steps)
            told = index + 1
            if cancel.is_set():
                raise Cancelled
    program.store_state()
    return recorder.finish(steps, samples, time.perf_counter() - began)


def _pace(program: Program, samples: int) -> int:
    """Return the samples whose number sets how many steps a pass over the stage's data has."""
    strategy = program.strategy
    if strategy.acts("stage_data"):
        return samples
    tasks = strategy.paced_by(program.stage, program.tasks)
    return sum(len(program.stream.tasks[task].train) for task in tasks)


class _Step:
    """One gradient step of all lanes, with the places where a strategy acts."""

    def __init__(self, program: Program) -> None:
        strategy = program.strategy
        self.program = program
        self.adds_loss = strategy.acts("output_loss")
        self.changes_gradient = strategy.acts("change_gradient")
        self.closed_form = strategy.acts("penalty_gradient")
        self.penalises = self.closed_form or strategy.acts("penalty")
        self.observes = strategy.acts("observe_step")
        self.factors = program.rate_factors()
        if self.factors is not None:
            places = program.layout.slices().items()
            program.network.freeze([name for name, place in places if not self.factors[place].any()])
        if self.penalises:
            program.total_gradient = torch.zeros_like(program.theta)
        self.take = bind_optimizer(program, program.total_gradient)
        if self.observes or self.factors is not None:
            program.before = torch.empty_like(program.theta)

    def __call__(self, batch: Batch, recorded: bool) -> dict[str, Tensor]:
        """Take the step and return the columns of training.csv, or nothing when not `recorded`."""
        program, strategy, state = self.program, self.program.strategy, self.program.state
        columns: dict[str, Tensor] = {}
        outputs = program.network.forward(batch.inputs)
        errors = program.errors(batch, outputs)
        if recorded:
            kind = program.stream.loss
            columns["task_loss"] = batch_loss(kind, outputs, batch.targets, batch.mask, batch.weight)
        if self.adds_loss:
            leaf = outputs.detach().clone().requires_grad_()
            with torch.enable_grad():
                added = strategy.output_loss(program, state, batch, leaf).sum()
            if added.requires_grad:
                errors = errors + torch.autograd.grad(added, leaf)[0]
        program.network.backward(errors)
        if self.factors is not None:
            program.task_gradient.mul_(self.factors != 0)
        if self.changes_gradient:
            strategy.change_gradient(program, state, program.task_gradient)
        if recorded:
            columns["grad_norm"] = torch.linalg.vector_norm(program.task_gradient, dim=1)
        if self.penalises:
            self._penalise(columns, recorded)
        elif recorded:
            columns["penalty"] = columns["penalty_grad_norm"] = torch.zeros_like(columns["grad_norm"])
        if program.before is not None:
            program.before.copy_(program.theta)
        if recorded and (distance := strategy.anchor_distance(program, state)) is not None:
            columns["anchor_distance"] = distance
        self.take()
        if self.factors is not None:
            # θ_before + factor · step; frozen entries keep their very bits, even beside an infinity.
            moved = torch.addcmul(program.before, self.factors, program.theta - program.before)
            torch.where(self.factors == 0, program.before, moved, out=program.theta)
        if self.observes:
            strategy.observe_step(program, state)
        return columns

    def _penalise(self, columns: dict[str, Tensor], recorded: bool) -> None:
        program, strategy = self.program, self.program.strategy
        if self.closed_form:
            value, gradient = strategy.penalty_gradient(program, program.state, program.theta)
        else:
            value, gradient = penalty_by_autograd(strategy, program, program.state, program.theta)
        if self.factors is not None:
            gradient = gradient * (self.factors != 0)
        torch.add(program.task_gradient, gradient, out=program.total_gradient)
        if recorded:
            columns["penalty"] = value.clone()
            columns["penalty_grad_norm"] = torch.linalg.vector_norm(gradient, dim=1)
