"""Steps by eager torch, with the places where a strategy acts. It does not know any strategy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clbench.context import Batch
from clbench.engine.acting import Acting
from clbench.engine.batches import Batches
from clbench.engine.distillations import Distillations
from clbench.engine.losses import batch_loss
from clbench.engine.rows import KernelUpdate, plain
from clbench.engine.state import StageState
from clbench.engine.stepper import Stepper
from clbench.importance import StepSums
from clbench.models.lane_product import takes_kernels


class EagerStepper(Stepper):
    """Steps by eager torch, whatever acts.

    Args:
        acting: what acts on the lanes in the stage that they train.
        batches: of the stage.
    """

    def __init__(self, acting: Acting, batches: Batches) -> None:
        self.acting, self.batches = acting, batches
        self.context = context = acting.context
        self.acts = context.acts
        self.factors, self.penalties = acting.factors, acting.penalties
        self.sums = StepSums(acting.sums, context.theta) if acting.sums else None
        self.distillations = Distillations(context, acting.distillations) if acting.distillations else None
        self.optimise = self._bound()

    def advance(self, state: StageState, start: int, stop: int) -> tuple[dict[str, Tensor], int]:
        """Take the steps; see `Stepper`."""
        context, samples = self.context, 0
        columns: dict[str, Tensor] = {}
        for index in range(start, stop):
            context.step, context.stage_step = state.step + index - start + 1, index + 1
            batch = self.batches.take(index, stop)
            samples += batch.address.shape[1]
            columns = self.step(batch, recorded=index + 1 == stop)
        state.count(context.program.chosen, stop - start)
        state.put("strategy/", context.state)
        return columns, samples

    def step(self, batch: Batch, recorded: bool) -> dict[str, Tensor]:
        """Take one step and return the columns of training.csv, or nothing when not `recorded`."""
        context, acts, state = self.context, self.acts, self.context.state
        columns: dict[str, Tensor] = {}
        outputs = context.network.forward(batch.inputs)
        errors = context.errors(batch, outputs)
        if recorded:
            columns["task_loss"] = batch_loss(context.loss, outputs, batch.targets, batch.mask, batch.weight)
        if acts.loss is not None:
            leaf = outputs.detach().clone().requires_grad_()
            with torch.enable_grad():
                added = acts.loss(context, state, batch, leaf).sum()
            if added.requires_grad:
                errors = errors + torch.autograd.grad(added, leaf)[0]
        if self.distillations is not None:
            errors = self.distillations.add(batch, outputs, errors)
        context.network.backward(errors)
        if self.factors is not None:
            context.task_gradient.mul_(self.factors != 0)
        if acts.gradient is not None:
            acts.gradient(context, state, context.task_gradient)
        if self.penalties is not None:
            columns |= self.penalties.add(context.total_gradient, recorded)
        if recorded:
            columns["grad_norm"] = torch.linalg.vector_norm(context.task_gradient, dim=1)
            columns |= self.acting.columns()
        if context.before is not None:
            context.before.copy_(context.theta)
        self.optimise()
        if self.factors is not None and context.before is not None:
            # θ_before + factor · step; frozen entries keep their very bits, even beside an infinity.
            moved = torch.addcmul(context.before, self.factors, context.theta - context.before)
            torch.where(self.factors == 0, context.before, moved, out=context.theta)
        if self.penalties is not None:
            self.penalties.shrink()
        if self.sums is not None:
            self.sums.add(context)
        if acts.after_step is not None and context.stage_step % acts.interval == 0:
            acts.after_step(context, state)
        return columns

    def _bound(self) -> Callable[[], None]:
        """Return the step of all lanes, by kernels, or by torch where equal numbers share a call."""
        context, optimizers = self.context, self.context.program.optimizers
        if takes_kernels(context.theta) and all(plain(each).kernel() is not None for each in optimizers):
            return KernelUpdate(context)
        steps, start = [], 0
        for stop in range(1, len(optimizers) + 1):
            if stop < len(optimizers) and optimizers[stop] == optimizers[start]:
                continue
            part = {key: value[start:stop] for key, value in context.optimizer.items()}
            theta, gradient = context.theta[start:stop], context.total_gradient[start:stop]
            steps.append(optimizers[start].bind(theta, gradient, part))
            start = stop
        if len(steps) == 1:
            return steps[0]

        def step_all() -> None:
            for step in steps:
                step()

        return step_all
