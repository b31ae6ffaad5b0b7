"""One GPU: cost of a step over lanes against the bandwidth and the matrix rate measured in the same run.

    python experiments/throughput/gpu.py [--quick] [--repetitions 5] [--device cuda]

Needs torch, numpy, safetensors and the package alone. Every row is printed as one line of JSON as soon as it
is there, and all are written to gpu.jsonl in the folder of the environment variable OUT, else in
results/reference/throughput/. What is timed: `advance` of the engine's eager stepper, which is batch order,
gathering, forward, backward and Adam. The host waits for the device only at the two ends; `waits_per_step`
counts the places inside that would wait (torch's synchronisation debug mode).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]

import torch  # noqa: E402
from gpu_stage import (  # noqa: E402
    Stage,
    measure_graph,
    measure_lanes,
    measure_recording,
    profile_lanes,
    seconds_of,
)
from workloads import WORKLOADS  # noqa: E402

SIZES = {"regression": (64, 256, 1024, 4096, 16384), "mnist": (2, 4, 16, 64, 256)}
STEPS = {"regression": 200, "mnist": 50}
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
        limits = measure_limits(device, options.quick)
        tell({"part": "limits", **limits})
        for name, sizes in SIZES.items():
            for lanes in sizes[:2] if options.quick else sizes:
                tell(_guarded(lambda lanes=lanes, name=name: _lanes(name, lanes, limits, options)))
            tell(_guarded(lambda name=name, lanes=sizes[1]: _recording(name, lanes, options)))
        if device.type == "cuda":
            for name, sizes in SIZES.items():
                for lanes in (sizes[0], sizes[-2]):
                    for measure in (measure_graph, profile_lanes):
                        tell(_guarded(lambda f=measure, n=name, k=lanes: f(_stage(n, k, options))))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two sizes a workload, one repetition")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        sys.stderr.write(
            f"A CUDA device must be there; got --device={options.device}, where torch {torch.__version__} "
            "finds none. Use a machine with a GPU, or --device=cpu to see it work.\n"
        )
        raise SystemExit(2)
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


def _stage(name: str, lanes: int, options: argparse.Namespace) -> Stage:
    return Stage(WORKLOADS[name], lanes, STEPS[name], options.device)


def _lanes(
    name: str, lanes: int, limits: dict[str, object], options: argparse.Namespace
) -> dict[str, object]:
    """Return what a step costs, also as a multiple of what its bytes or its multiply-adds alone would."""
    workload = WORKLOADS[name]
    row = measure_lanes(_stage(name, lanes, options), options.repetitions)
    by_bytes = lanes * workload.step_bytes / float(str(limits["copy_bytes_per_second"]))
    by_matrix = 2 * lanes * workload.multiply_adds / float(str(limits["matrix_operations_per_second"]))
    floors = {"floor_us_by_bytes": by_bytes * 1e6, "floor_us_by_matrix_rate": by_matrix * 1e6}
    return {**row, **floors, "times_the_floor": row["step_us"] / max(floors.values())}


def _recording(name: str, lanes: int, options: argparse.Namespace) -> dict[str, object]:
    return measure_recording(WORKLOADS[name], lanes, STEPS[name], options.device, options.repetitions)


def measure_limits(device: torch.device, quick: bool) -> dict[str, object]:
    """Return bytes a second of a large copy and float32 operations a second of matrix products.

    The batched rates are those of the hidden layers' forward products, at the largest number of lanes.
    """
    found = _plain_limits(device, small=device.type != "cuda" or quick)
    for name, sizes in SIZES.items():
        workload, lanes = WORKLOADS[name], sizes[1] if quick else sizes[-1]
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


if __name__ == "__main__":
    main()
