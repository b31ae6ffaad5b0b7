"""One stage of some lanes, as a generator of what was recorded. It does not know any strategy."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from clbench.engine.acting import Acting
from clbench.engine.batches import Batches
from clbench.engine.compiled import CompiledStepper, takes
from clbench.engine.data import step_bounds, steps_of
from clbench.engine.eager import EagerStepper
from clbench.engine.evaluate import evaluation_steps
from clbench.engine.lanes_context import LanesContext
from clbench.engine.program import Program
from clbench.engine.recorder import Segment
from clbench.engine.state import StageState
from clbench.errors import ConfigurationError
from clbench.strategies.acts import tasks_of

ADDRESS = "stage/address"
"""Where a state has the data that a strategy chose for the stage."""


def train_stage(program: Program, state: StageState) -> Iterator[Segment]:
    """Train the lanes for one stage, or for what is left of it, in place.

    The caller gives torch one thread (`torch.set_num_threads(1)`), or products of odd sizes round otherwise.

    Yields:
        What was recorded up to every evaluation point (in a run's first segment at step 0, too). The state is
        whole then: it may be saved, or its lanes forked, and trained further elsewhere.
    """
    if state.stage != program.stage:
        state.stage, state.stage_step = program.stage, 0
        if program.runs[0].optimizer.reset:
            state.put("optimizer/", program.optimizers[0].init(state.tree["theta"]))
    context = LanesContext(program, state)
    address = _data(context, state)
    steps = steps_of(_pace(program, address.shape[1]), program.training)
    passed = state.passed.get(program.chosen, 0) - state.stage_step
    bounds = step_bounds(address.shape[1], program.training, steps, passed)
    batches = Batches(context, address, bounds)
    acting = Acting(context)
    stepper = CompiledStepper(acting, batches) if takes(acting) else EagerStepper(acting, batches)
    recorder, network = program.recorder, context.network
    points = [] if state.step else [recorder.point(network, state, full=True)]
    for stop in evaluation_steps(steps, program.evaluation.points):
        start = state.stage_step
        if stop <= start:
            continue
        columns, samples = stepper.advance(state, start, stop)
        points.append(recorder.point(network, state, stop == steps, columns))
        function = recorder.learned_function(network) if stop == steps else None
        yield Segment(tuple(points), stop - start, samples, (stop - start) / steps, function)
        points = []
    state.tree.pop(ADDRESS, None)


def consolidate_stage(program: Program, state: StageState) -> None:
    """Let the strategy look back at the stage that has ended, in place."""
    context = LanesContext(program, state)
    if program.acts.consolidate is not None:
        state.put("strategy/", program.acts.consolidate(context, context.state))


def _data(context: LanesContext, state: StageState) -> Tensor:
    """Return the addresses of the stage's data, `[lane, samples]`; what a strategy chose is in the state."""
    if ADDRESS in state.tree:
        return state.tree[ADDRESS]
    program = context.program
    address = torch.cat([context.train_addresses(task) for task in program.chosen], 1)
    if program.acts.data is None:
        return address
    # A copy: what was chosen may be a part of the strategy's state.
    state.tree[ADDRESS] = address = program.acts.data(context, context.state, address).clone()
    if not address.shape[1]:
        raise ConfigurationError(
            "A stage's data must have at least one sample; got none from "
            f"{type(program.strategy).__qualname__}.data in stage {program.stage}."
        )
    return address


def _pace(program: Program, samples: int) -> int:
    """Return the samples whose number sets how many steps a pass over the stage's data has."""
    acts = program.acts
    if acts.data is not None:
        return samples
    tasks = tasks_of(acts.epoch or acts.tasks, program.stage, program.data.tasks)
    return sum(len(program.stream.tasks[task].train) for task in tasks)
