"""The steps of one stage on a device, by the engine's eager stepper: their time, waits and kernels."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from runs import runs_of
from workloads import Workload

from clbench.engine.acting import Acting
from clbench.engine.batches import Batches
from clbench.engine.data import build_streams, step_bounds
from clbench.engine.eager import EagerStepper
from clbench.engine.lanes_context import LanesContext
from clbench.engine.plan import plan_phases
from clbench.engine.program import Program
from clbench.engine.stage import train_stage

GRAPHED = 10
"""Steps of a CUDA graph; the last step of a call records norms, so one would tell too much."""


@dataclass(frozen=True)
class Stage:
    """The first task of so many runs of a workload.

    Args:
        workload: which.
        lanes: runs.
        steps: gradient steps.
        device: torch's name of it.
        points: evaluation points.
    """

    workload: Workload
    lanes: int
    steps: int
    device: str
    points: int = 1

    def program(self) -> Program:
        """Return the lanes as a program."""
        runs = runs_of(self.workload, self.lanes, self.steps, self.points, device=self.device)
        first = [phase for phase in plan_phases(runs, build_streams(runs)) if phase.parent is None]
        parts = zip(*((phase.run, phase.stream, phase.strategy) for phase in first), strict=True)
        return Program(*map(list, parts), stage=0)

    def steps_of(self, program: Program) -> Callable[[int], object]:
        """Return a function that takes the stage's first steps, as many as it is told."""
        state = program.begin()
        context = LanesContext(program, state)
        address = context.train_addresses(0)
        bounds = step_bounds(address.shape[1], program.training, self.steps, first=0)
        stepper = EagerStepper(Acting(context), Batches(context, address, bounds))
        return lambda steps: stepper.advance(state, 0, steps)


def wait(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device, repetitions: int) -> float:
    """Return the median seconds of some work, after one unmeasured go."""
    return statistics.median(all_seconds_of(work, device, repetitions))


def all_seconds_of(work: Callable[[], object], device: torch.device, repetitions: int) -> list[float]:
    """Return the seconds of some work in every repetition, after one unmeasured go."""
    taken = []
    for _ in range(repetitions + 1):
        wait(device)
        began = time.perf_counter()
        work()
        wait(device)
        taken.append(time.perf_counter() - began)
    return taken[1:]


def measure_lanes(stage: Stage, repetitions: int) -> dict[str, object]:
    """Return what a training step of one program costs."""
    device, steps = torch.device(stage.device), stage.steps
    with torch.no_grad():
        advance = stage.steps_of(stage.program())
        taken = [1e6 * each / steps for each in all_seconds_of(lambda: advance(steps), device, repetitions)]
        row: dict[str, object] = {
            "part": "lanes",
            "workload": stage.workload.name,
            "lanes": stage.lanes,
            "repetitions": repetitions,
            "step_us": statistics.median(taken),
            "step_us_of_one_run": statistics.median(taken) / stage.lanes,
            "spread_us": [min(taken), max(taken)],
        }
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            row["waits_per_step"] = _waits(lambda: advance(steps), device) / steps
            row["peak_bytes_of_one_run"] = torch.cuda.max_memory_allocated(device) / stage.lanes
    return row


def measure_recording(
    workload: Workload, lanes: int, steps: int, device: str, repetitions: int
) -> dict[str, object]:
    """Return what 20 evaluation points of the test split cost beside the training of so many steps."""
    programs = {points: Stage(workload, lanes, steps, device, points).program() for points in (1, 20)}
    taken: dict[int, list[float]] = {points: [] for points in programs}
    with torch.no_grad():
        for _ in range(repetitions):
            for points, program in programs.items():
                work = lambda program=program: list(train_stage(program, program.begin()))  # noqa: E731
                taken[points] += all_seconds_of(work, torch.device(device), 1)
    plain, recorded = (statistics.median(taken[points]) for points in (1, 20))
    share = (recorded - plain) / plain
    found = {"workload": workload.name, "lanes": lanes, "steps": steps, "share_of_training": share}
    return {"part": "recording", **found}


def measure_graph(stage: Stage) -> dict[str, object]:
    """Return a step called kernel by kernel, and the same steps replayed as a CUDA graph."""
    device = torch.device(stage.device)
    with torch.no_grad():
        advance = stage.steps_of(stage.program())
        eager = seconds_of(lambda: advance(GRAPHED), device, 20) / GRAPHED
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            advance(GRAPHED)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            advance(GRAPHED)
        replayed = seconds_of(graph.replay, device, 20) / GRAPHED
    found = {"eager_us": eager * 1e6, "graph_us": replayed * 1e6, "gain": eager / replayed}
    return {"part": "graph", "workload": stage.workload.name, "lanes": stage.lanes, **found}


def _waits(work: Callable[[], object], device: torch.device) -> int:
    """Return how often the host would wait for the device."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wait(device)
        torch.cuda.set_sync_debug_mode("warn")
        try:
            work()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in caught)


def profile_lanes(stage: Stage) -> dict[str, object]:
    """Return the kernels of the steps by their share of the device's time, and how busy the device was."""
    from torch.profiler import ProfilerActivity, profile

    device, steps = torch.device(stage.device), stage.steps
    with torch.no_grad():
        advance = stage.steps_of(stage.program())
        advance(steps)
        wait(device)
        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as found:
            began = time.perf_counter()
            advance(steps)
            wait(device)
            seconds = time.perf_counter() - began
    events = [event for event in found.key_averages() if event.self_device_time_total > 0]
    kernels = sorted(events, key=lambda event: -event.self_device_time_total)
    busy = sum(event.self_device_time_total for event in events) / 1e6
    return {
        "part": "profile",
        "workload": stage.workload.name,
        "lanes": stage.lanes,
        "seconds": seconds,
        "device_busy_share": busy / seconds,
        "kernels_per_step": sum(event.count for event in events) / steps,
        "kernels": [
            [event.key[:90], round(event.self_device_time_total / 1e4 / busy, 1), event.count / steps]
            for event in kernels[:16]
        ],
    }
