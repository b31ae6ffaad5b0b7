"""One gradient step of all lanes, with the places where a strategy acts. It does not know any strategy."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.context import Batch
from clbench.engine.losses import batch_loss
from clbench.engine.optimize import bind_optimizer
from clbench.engine.penalties import Penalties
from clbench.engine.program import Program


class EagerStep:
    """A step by eager torch, whatever acts.

    Args:
        program: the lanes, in the stage that they train.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.acts = program, program.acts
        self.factors = program.rate_factors()
        if self.factors is not None:
            places = program.layout.slices().items()
            program.network.freeze([name for name, place in places if not self.factors[place].any()])
        self.penalties = Penalties(program, self.factors) if self.acts.penalises else None
        if self.penalties is not None:
            program.total_gradient = torch.zeros_like(program.theta)
        self.take = bind_optimizer(program, program.total_gradient)
        shrinks = self.penalties is not None and self.penalties.decoupled
        if self.acts.after_step or shrinks or self.factors is not None:
            program.before = torch.empty_like(program.theta)

    def __call__(self, batch: Batch, recorded: bool) -> dict[str, Tensor]:
        """Take the step and return the columns of training.csv, or nothing when not `recorded`."""
        program, acts, state = self.program, self.acts, self.program.state
        columns: dict[str, Tensor] = {}
        outputs = program.network.forward(batch.inputs)
        errors = program.errors(batch, outputs)
        if recorded:
            kind = program.stream.loss
            columns["task_loss"] = batch_loss(kind, outputs, batch.targets, batch.mask, batch.weight)
        if acts.loss is not None:
            leaf = outputs.detach().clone().requires_grad_()
            with torch.enable_grad():
                added = acts.loss(program, state, batch, leaf).sum()
            if added.requires_grad:
                errors = errors + torch.autograd.grad(added, leaf)[0]
        program.network.backward(errors)
        if self.factors is not None:
            program.task_gradient.mul_(self.factors != 0)
        if acts.gradient is not None:
            acts.gradient(program, state, program.task_gradient)
        if self.penalties is not None:
            columns |= self.penalties.add(program.total_gradient, recorded)
        if recorded:
            columns |= self._recorded()
        if program.before is not None:
            program.before.copy_(program.theta)
        self.take()
        if self.factors is not None and program.before is not None:
            # θ_before + factor · step; frozen entries keep their very bits, even beside an infinity.
            moved = torch.addcmul(program.before, self.factors, program.theta - program.before)
            torch.where(self.factors == 0, program.before, moved, out=program.theta)
        if self.penalties is not None:
            self.penalties.shrink()
        if acts.after_step is not None:
            acts.after_step(program, state)
        return columns

    def _recorded(self) -> dict[str, Tensor]:
        """Return the columns that don't come with the losses, before the step moves θ."""
        program = self.program
        columns = {"grad_norm": torch.linalg.vector_norm(program.task_gradient, dim=1)}
        if self.penalties is None:
            columns["penalty"] = columns["penalty_grad_norm"] = torch.zeros_like(columns["grad_norm"])
        distance = program.anchor_distance() if self.penalties is None else self.penalties.anchor_distance()
        if distance is not None:
            columns["anchor_distance"] = distance
        return columns
