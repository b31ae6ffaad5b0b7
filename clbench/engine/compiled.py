"""Steps by compiled kernels: all of a lane's up to the next evaluation point in one call, lane after lane."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from clbench.engine.acting import Acting
from clbench.engine.batches import Batches
from clbench.engine.distillations import set_distillation
from clbench.engine.lanes_context import LanesContext
from clbench.engine.rows import (
    SUMS,
    Counts,
    Rows,
    addresses_of,
    plain,
    set_data,
    set_parameters,
    set_pulls,
    set_rates,
    set_sums,
)
from clbench.engine.state import StageState
from clbench.engine.stepper import Stepper
from clbench.kernels import training
from clbench.kernels.activations import CODES as ACTIVATIONS
from clbench.kernels.dense import ROOM, SAMPLES, chain_table
from clbench.kernels.tables import Lane, Program
from clbench.models.lane_product import takes_kernels

ADDRESS_BYTES = 2**23
"""Most bytes of the addresses that a call is given."""

TEAM_WORK = 4_000_000
"""Multiply-adds of a lane's step from which several threads share it; they meet a dozen times in it."""


def takes(acting: Acting) -> bool:
    """Tell whether the kernels know all that acts in the lanes' stage."""
    context = acting.context
    acts, program, sums = context.acts, context.program, [(each.kind, each.total) for each in acting.sums]
    return (
        takes_kernels(context.theta)
        and context.data.inputs.dtype is torch.float32
        and program.model.chain(program.stream) is not None
        and all(plain(optimizer).kernel() is not None for optimizer in program.optimizers)
        and not (acts.batch or acts.loss or acts.penalty or acts.gradient)
        and (acts.after_step is None or acts.interval > 1)
        and len(acting.distillations) <= 1
        and len(set(sums)) == len(sums)
        and all(kind in SUMS for kind in sums)
    )


class CompiledStepper(Stepper):
    """Steps by kernels, of all that `takes` allows.

    Args:
        acting: what acts on the lanes in the stage that they train.
        batches: of the stage.
    """

    def __init__(self, acting: Acting, batches: Batches) -> None:
        self.acting, self.batches = acting, batches
        self.context = context = acting.context
        self.team = _team(context)
        self.losses = torch.zeros(context.lanes, dtype=torch.float64)
        self.samples = 0
        self.meeting = np.zeros(1, np.int64)
        self.rows = Rows(context.lanes)
        self.largest = 0  # batch that there is room for
        self.counts = self._set_acting()
        self.rows.set_lanes(Lane.FOUND, self.losses)

    def advance(self, state: StageState, start: int, stop: int) -> tuple[dict[str, Tensor], int]:
        """Take the steps; see `Stepper`."""
        context, before, self.samples = self.context, state.step - start, 0
        self._take(before, start, stop - 1)
        context.step, context.stage_step = before + stop, stop
        columns, penalties = self.acting.columns(), self.acting.penalties
        if penalties is not None:
            columns |= penalties.values()
        self._take(before, stop - 1, stop)
        columns["task_loss"] = self.losses.float()
        columns["grad_norm"] = torch.linalg.vector_norm(context.task_gradient, dim=1)
        state.count(context.program.chosen, stop - start)
        state.put("strategy/", context.state)
        return columns, self.samples

    def _take(self, before: int, start: int, stop: int) -> None:
        """Take steps of the stage, in pieces that end where a strategy looks back or memory is full."""
        context, acts = self.context, self.context.acts
        piece = max(ADDRESS_BYTES // (8 * context.lanes * context.program.training.batch_size), 1)
        while start < stop:
            end = min(stop, start + piece)
            if acts.after_step is not None:
                end = min(end, (start // acts.interval + 1) * acts.interval)
            self._run(before, start, end)
            start = end
            if acts.after_step is not None and end % acts.interval == 0:
                context.step, context.stage_step = before + end, end
                acts.after_step(context, context.state)

    def _run(self, before: int, start: int, stop: int) -> None:
        """Take steps in one call, by as many threads as share a lane."""
        batches, rows = self.batches.stretch(start, stop), self.rows
        lanes, ends = rows.lanes, batches.ends
        lanes[:, Lane.ADDRESSES] = addresses_of(batches.addresses)
        lanes[:, Lane.PLACES] = 0 if batches.places is None else addresses_of(batches.places)
        lanes[:, Lane.SLOTS] = 0 if batches.slots is None else addresses_of(batches.slots)
        rows.program[Program.PARTS] = batches.parts.ctypes.data
        if batches.weights is not None:
            lanes[:, Lane.WEIGHTS] = addresses_of(batches.weights.expand(len(lanes), -1))
        self._make_room(int(np.diff(ends).max()))
        self.meeting[0] = 0
        program, meeting = rows.program.ctypes.data, self.meeting.ctypes.data
        work = (program, lanes.ctypes.data, len(lanes), ends.ctypes.data, stop - start, before + start)
        train = training.train_lanes.python
        if self.team == 1:
            train(*work, 0, 1, meeting)
        else:
            with ThreadPoolExecutor(self.team) as pool:
                list(pool.map(lambda member: train(*work, member, self.team, meeting), range(self.team)))
        self.counts.add(stop - start)
        self.samples += int(ends[-1])

    def _make_room(self, batch: int) -> None:
        """Set the chain, its room and the scratch of a batch, where there is none for so many samples yet."""
        if batch <= self.largest:
            return
        program, rows, self.largest = self.context.program, self.rows, batch
        chain = program.model.chain(program.stream)
        assert chain is not None
        table = chain_table(chain.rows(self._is_trained), ACTIVATIONS[chain.activation], batch)
        room = int(table[0, SAMPLES])
        rows.set(Program.CHAIN, table)
        rows.set(Program.ROOM, np.zeros(table[0, ROOM], np.float32))
        rows.set(Program.BATCH_TARGETS, np.zeros((room, program.stream.outputs), np.float32))
        rows.set(Program.BATCH_LABELS, np.zeros(room, np.int64))
        rows.set(Program.BATCH_TASKS, np.zeros(room, np.int64))
        rows.set(Program.BATCH_WEIGHTS, np.zeros(room, np.float32))
        rows.set(Program.BATCH_ROWS, np.zeros((2, room), np.float32))
        if self.acting.distillations:
            rows.set(Program.TAUGHT, np.zeros((program.stream.outputs, room), np.float32))
            rows.set(Program.SOFTENED, np.zeros((2 * program.stream.outputs + 2, room), np.float32))

    def _is_trained(self, place: slice) -> bool:
        """Tell whether anything of a tensor is."""
        factors = self.acting.factors
        return factors is None or bool(factors[place].any())

    def _set_acting(self) -> Counts:
        """Set what moves the parameters; return the counts of steps."""
        context, rows, acting = self.context, self.rows, self.acting
        set_parameters(rows, context)
        set_data(rows, context)
        set_rates(rows, acting.factors)
        if acting.penalties is not None:
            pulls = [pull for pull, _ in acting.penalties.pulls]
            set_pulls(rows, context, pulls, acting.penalties.rate, self.team)
        set_sums(rows, acting.sums)
        for distillation in acting.distillations:
            set_distillation(rows, distillation)
        return Counts(rows, context.program.optimizers, context.optimizer, context.theta.shape[1])


def _team(context: LanesContext) -> int:
    """Return how many threads share a lane: all of the program's where its lanes are fewer, and large."""
    program = context.program
    chain = program.model.chain(program.stream)
    assert chain is not None
    work = 3 * program.training.batch_size * sum(layer.inputs * layer.outputs for layer in chain.layers)
    return program.cores if context.lanes < program.cores and work >= TEAM_WORK else 1
