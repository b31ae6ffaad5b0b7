"""One GPU: cost of a step over lanes against the bandwidth and the matrix rate measured in the same run.

    python experiments/throughput/gpu.py [--quick] [--repetitions 5] [--device cuda]

Needs torch, numpy, safetensors and the package alone. Every row is printed as one line of JSON as soon as it
is there, and all are written to gpu.jsonl in the folder of the environment variable OUT, else in
results/reference/throughput/.

What is timed: the first task's stage of the engine's own loop, from the given runs to records on the host,
for two lengths; their difference over the steps between them is the cost of a training step (batch order,
gathering, forward, backward, Adam), and what is left is the setup. The host waits for the device only at the
two ends; `waits_per_step` counts the places inside that would wait (torch's synchronisation debug mode).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]

import torch  # noqa: E402
from runs import runs_of  # noqa: E402
from workloads import WORKLOADS, Workload  # noqa: E402

from clbench.engine.data import build_streams  # noqa: E402
from clbench.engine.plan import plan_phases  # noqa: E402
from clbench.engine.program import Program  # noqa: E402
from clbench.engine.stage import train_stage  # noqa: E402

SIZES = {"regression": (64, 256, 1024, 4096, 16384), "mnist": (1, 4, 16, 64, 256)}
LENGTHS = {"regression": (20, 220), "mnist": (10, 60)}
GIB = 2**30


def main() -> None:
    """Measure limits, then every workload and number of lanes, then where the time goes."""
    options = _options()
    device = torch.device(options.device)
    out = Path(os.environ.get("OUT") or ROOT / "results" / "reference" / "throughput")
    out.mkdir(parents=True, exist_ok=True)
    with (out / "gpu.jsonl").open("w", encoding="utf-8") as file:

        def tell(row: dict[str, object]) -> None:
            line = json.dumps(row)
            print(line, flush=True)
            file.write(line + "\n")
            file.flush()

        tell(_machine(device))
        limits = measure_limits(device, options)
        tell({"part": "limits", **limits})
        for name, sizes in SIZES.items():
            for lanes in sizes[:2] if options.quick else sizes:
                tell(_guarded(lambda lanes=lanes, name=name: measure_lanes(name, lanes, limits, options)))
        for name, sizes in SIZES.items():
            tell(_guarded(lambda name=name, lanes=sizes[1]: measure_recording(name, lanes, options)))
        if device.type == "cuda":
            for name, sizes in SIZES.items():
                for lanes in (sizes[0], sizes[-2]):
                    tell(_guarded(lambda lanes=lanes, name=name: measure_graph(name, lanes, options)))
                    tell(_guarded(lambda lanes=lanes, name=name: profile_lanes(name, lanes, options.device)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two sizes a workload, one repetition")
    options = parser.parse_args()
    if options.quick:
        options.repetitions = 1
    return options


def _machine(device: torch.device) -> dict[str, object]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {"part": "machine", "device": name, "torch": torch.__version__, "cores": os.cpu_count()}


def _guarded(measure: Callable[[], dict[str, object]]) -> dict[str, object]:
    """Return the measurement, or what stood in its way, so that the other rows are still taken."""
    try:
        return measure()
    except (RuntimeError, torch.OutOfMemoryError) as error:
        torch.cuda.empty_cache()
        return {"part": "failed", "error": f"{type(error).__name__}: {error}"[:400]}


def wait(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device, repetitions: int) -> float:
    """Return the median seconds of some work, after one unmeasured go."""
    taken = []
    for _ in range(repetitions + 1):
        wait(device)
        began = time.perf_counter()
        work()
        wait(device)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def measure_limits(device: torch.device, options: argparse.Namespace) -> dict[str, object]:
    """Return bytes a second of a large copy and float32 operations a second of matrix products.

    The batched rates are those of the hidden layers' forward products, at the largest number of lanes.
    """
    found = _plain_limits(device, small=device.type != "cuda" or options.quick)
    for name, sizes in SIZES.items():
        workload, lanes = WORKLOADS[name], sizes[1] if options.quick else sizes[-1]
        x = torch.randn(lanes, workload.batch, workload.widths[1], device=device)
        weight = torch.randn(lanes, workload.widths[1], workload.widths[2], device=device)
        out = torch.empty(lanes, workload.batch, workload.widths[2], device=device)
        taken = seconds_of(lambda x=x, w=weight, out=out: torch.bmm(x, w, out=out), device, 20)
        operations = 2 * lanes * workload.batch * workload.widths[1] * workload.widths[2]
        found[f"batched_{name}_operations_per_second"] = operations / taken
    return found


def _plain_limits(device: torch.device, small: bool) -> dict[str, object]:
    floats, side = (2**22, 512) if small else (GIB // 4, 8192)
    source, target = torch.randn(floats, device=device), torch.empty(floats, device=device)
    copied = seconds_of(lambda: target.copy_(source), device, 20)
    left, right = torch.randn(side, side, device=device), torch.randn(side, side, device=device)
    product = torch.empty(side, side, device=device)
    dense = seconds_of(lambda: torch.mm(left, right, out=product), device, 5)
    return {
        "copy_bytes_per_second": 8 * floats / copied,
        "matrix_operations_per_second": 2 * side**3 / dense,
        "matrix_precision": f"float32, TF32 {torch.backends.cuda.matmul.allow_tf32}",
    }


def measure_lanes(
    name: str, lanes: int, limits: dict[str, object], options: argparse.Namespace
) -> dict[str, object]:
    """Return what a training step of one program of `lanes` lanes costs, and its share of the limits."""
    workload, device = WORKLOADS[name], torch.device(options.device)
    lengths = LENGTHS[name]
    built = {steps: _program(workload, lanes, steps, options.device) for steps in lengths}
    taken: dict[int, list[float]] = {steps: [] for steps in lengths}
    _timed_stage(built[lengths[0]], device)
    for _ in range(options.repetitions):
        for steps in lengths:
            taken[steps].append(_timed_stage(built[steps], device))
    differences = [long - short for short, long in zip(taken[lengths[0]], taken[lengths[1]], strict=True)]
    step = statistics.median(differences) / (lengths[1] - lengths[0])
    bytes_floor = lanes * workload.step_bytes / float(limits["copy_bytes_per_second"])
    matrix_floor = lanes * 2 * workload.multiply_adds / float(limits["matrix_operations_per_second"])
    row: dict[str, object] = {
        "part": "lanes",
        "workload": name,
        "lanes": lanes,
        "repetitions": options.repetitions,
        "step_us": step * 1e6,
        "step_us_of_one_run": step * 1e6 / lanes,
        "spread_us": [
            min(differences) / (lengths[1] - lengths[0]) * 1e6,
            max(differences) / (lengths[1] - lengths[0]) * 1e6,
        ],
        "setup_ms_of_one_run": (statistics.median(taken[lengths[0]]) - lengths[0] * step) * 1e3 / lanes,
        "floor_us_by_bytes": bytes_floor * 1e6,
        "floor_us_by_matrix_rate": matrix_floor * 1e6,
        "times_the_floor": step / max(bytes_floor, matrix_floor),
    }
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        short, long = (_waits(built[steps], device) for steps in lengths)
        row["waits_per_step"] = (long - short) / (lengths[1] - lengths[0])
        row["peak_bytes_of_one_run"] = torch.cuda.max_memory_allocated(device) / lanes
    return row


def measure_recording(name: str, lanes: int, options: argparse.Namespace) -> dict[str, object]:
    """Return what 100 evaluation points of the three splits cost beside the training of 200 steps."""
    steps, device = 200 if name == "regression" else 100, torch.device(options.device)
    programs = {
        points: _program(WORKLOADS[name], lanes, steps, options.device, points) for points in (1, 100)
    }
    taken: dict[int, list[float]] = {points: [] for points in programs}
    for repetition in range(options.repetitions + 1):
        for points, program in programs.items():
            seconds = _timed_stage(program, device)
            if repetition:
                taken[points].append(seconds)
    plain, recorded = (statistics.median(taken[points]) for points in (1, 100))
    share = (recorded - plain) / plain
    return {"part": "recording", "workload": name, "lanes": lanes, "steps": steps, "share_of_training": share}


def measure_graph(name: str, lanes: int, options: argparse.Namespace) -> dict[str, object]:
    """Return a step on one batch called kernel by kernel, and the same step replayed as a CUDA graph."""
    from clbench.engine.batches import Batches
    from clbench.engine.lanes_context import LanesContext
    from clbench.engine.stepper import EagerStepper

    workload, device = WORKLOADS[name], torch.device(options.device)
    with torch.no_grad():
        program = _program(workload, lanes, 10, options.device)
        context = LanesContext(program, program.begin())
        address = context.train_addresses(0)
        stepper = EagerStepper(context, Batches(context, address, [(0, 0, workload.batch)]))
        rows = program.data.resolve(address[:, : workload.batch].contiguous())
        weight = torch.full((1, workload.batch), 1.0 / workload.batch, device=device)

        def once() -> None:
            stepper.step(context.batch(rows, weight, workload.batch), recorded=False)

        eager = seconds_of(lambda: [once() for _ in range(50)], device, options.repetitions) / 50
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                once()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            once()
        replayed = seconds_of(lambda: [graph.replay() for _ in range(50)], device, options.repetitions) / 50
    found = {"eager_us": eager * 1e6, "graph_us": replayed * 1e6, "gain": eager / replayed}
    return {"part": "graph", "workload": name, "lanes": lanes, **found}


def _program(workload: Workload, lanes: int, steps: int, device: str, points: int = 1) -> Program:
    runs = runs_of(workload, lanes, steps, points, device=device)
    first = [phase for phase in plan_phases(runs, build_streams(runs)) if phase.parent is None]
    chosen = first if lanes > 1 else first * 2  # a lane alone is padded with its own double
    parts = zip(*((phase.run, phase.stream, phase.strategy) for phase in chosen), strict=True)
    return Program(*map(list, parts), stage=0)


def _timed_stage(program: Program, device: torch.device) -> float:
    """Return the seconds of a stage from a state that is already on the device."""
    with torch.no_grad():
        state = program.begin()
        wait(device)
        began = time.perf_counter()
        list(train_stage(program, state))
        wait(device)
        return time.perf_counter() - began


def _waits(program: Program, device: torch.device) -> int:
    """Return how often the host would wait for the device in a stage."""
    with torch.no_grad(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        state = program.begin()
        wait(device)
        torch.cuda.set_sync_debug_mode("warn")
        try:
            list(train_stage(program, state))
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in caught)


def profile_lanes(name: str, lanes: int, device: str) -> dict[str, object]:
    """Return the kernels of a stage by their share of the device's time, and how busy the device was."""
    from torch.profiler import ProfilerActivity, profile

    steps = LENGTHS[name][1]
    program = _program(WORKLOADS[name], lanes, steps, device)
    _timed_stage(program, torch.device(device))
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as found:
        seconds = _timed_stage(program, torch.device(device))
    events = [event for event in found.key_averages() if event.self_device_time_total > 0]
    kernels = sorted(events, key=lambda event: -event.self_device_time_total)
    busy = sum(event.self_device_time_total for event in events) / 1e6
    return {
        "part": "profile",
        "workload": name,
        "lanes": lanes,
        "seconds": seconds,
        "device_busy_share": busy / seconds,
        "kernels_per_step": sum(event.count for event in events) / steps,
        "kernels": [
            [event.key[:90], round(event.self_device_time_total / 1e4 / busy, 1), event.count / steps]
            for event in kernels[:16]
        ],
    }


if __name__ == "__main__":
    main()
