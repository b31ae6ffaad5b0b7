"""The loop: one stage of a chunk of lanes. It does not know any strategy."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import torch

from clbench.engine.batches import Batches
from clbench.engine.data import step_bounds, steps_of
from clbench.engine.evaluate import evaluation_steps
from clbench.engine.program import Program
from clbench.engine.recorder import Recorder, StageRecord
from clbench.engine.stepper import EagerStep
from clbench.errors import ConfigurationError
from clbench.strategies.acts import tasks_of


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
    training = program.runs[0].training
    address = torch.cat([program.train_addresses(task) for task in program.chosen], 1)
    if program.acts.data is not None:
        address = program.acts.data(program, program.state, address)
        if not address.shape[1]:
            raise ConfigurationError(
                "A stage's data must have at least one sample; got none from "
                f"{type(program.strategy).__qualname__}.data in stage {program.stage}."
            )
    steps = steps_of(_pace(program, address.shape[1]), training)
    bounds = step_bounds(address.shape[1], training, steps, passed)
    batches = Batches(program, address, program.chosen, bounds)
    points = set(evaluation_steps(steps, program.runs[0].evaluation.points))
    recorder = Recorder(program)
    step = EagerStep(program)
    if program.step == 0:
        recorder.evaluate(full=True)
    samples = told = 0
    for index in range(steps):
        program.step += 1
        program.stage_step = index + 1
        recorded = index + 1 in points
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
    acts = program.acts
    if acts.data is not None:
        return samples
    tasks = tasks_of(acts.epoch or acts.tasks, program.stage, program.tasks)
    return sum(len(program.stream.tasks[task].train) for task in tasks)
