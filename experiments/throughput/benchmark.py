"""What a training step of one run costs, beside the peers: one command, one run, side by side.

    sh experiments/throughput/setup_peers.sh          # once: Avalanche's environment, Hydra's joblib launcher
    python experiments/throughput/benchmark.py        # everything, about a quarter of an hour
    python experiments/throughput/benchmark.py --quick --out /somewhere
    python experiments/throughput/benchmark.py --parts steps points --repetitions 7

Writes measurements.csv (every repetition), table.md and a picture per part. See README.md for what is timed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from commands import measure_commands
from contenders import (
    Contender,
    bandwidth_contender,
    lane_contenders,
    point_contenders,
    step_contenders,
    task_contenders,
    width_contenders,
)
from tables import write_tables
from worker import ROOT, Worker
from workloads import WORKLOADS

COLUMNS = ("part", "workload", "contender", "repetition", "x", "lanes", "tasks", "short", "long")
COLUMNS += ("short_seconds", "long_seconds", "step_us", "whole_us")
"""`step_us`: (long − short) seconds per run and step between; `whole_us`: long seconds per run and step."""


def main() -> None:
    """Measure the chosen parts, then write tables and pictures of all that lies in the folder."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    chosen = _contenders(options)
    if chosen:
        compare(chosen, options)
    commands: list[dict[str, object]] = []
    if "commands" in options.parts:
        commands = measure_commands(options)
        _write_csv(options.out / "commands.csv", list(commands[0]), commands)
    machine = _machine(options, load)
    (options.out / "machine.json").write_text(json.dumps(machine, indent=1) + "\n", encoding="utf-8")
    write_tables(options.out)
    sys.path.insert(0, str(ROOT))
    from pictures import draw_all

    draw_all(options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("steps", "lanes", "tasks", "points", "width", "commands")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--workloads", nargs="+", choices=tuple(WORKLOADS), default=tuple(WORKLOADS))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one repetition of small sizes, to see it work")
    parser.add_argument("--verbose", action="store_true", help="tell each measurement when it is done")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "reference" / "throughput")
    peers = ROOT / "build" / "peers"
    parser.add_argument("--avalanche", type=Path, default=peers / "avalanche" / "bin" / "python")
    parser.add_argument("--joblib", type=Path, default=peers / "joblib", help="folder with Hydra's launcher")
    options = parser.parse_args()
    if options.quick:
        options.repetitions = 1
    return options


def _contenders(options: argparse.Namespace) -> list[Contender]:
    every: dict[str, Callable[[bool], Iterable[Contender]]] = {
        "steps": lambda quick: chain(
            [bandwidth_contender()],
            *(step_contenders(workload, quick) for workload in options.workloads),
        ),
        "lanes": lane_contenders,
        "tasks": task_contenders,
        "points": point_contenders,
        "width": width_contenders,
    }
    return [one for part, make in every.items() if part in options.parts for one in make(options.quick)]


def compare(contenders: list[Contender], options: argparse.Namespace) -> None:
    """Write a row per contender and repetition; every repetition asks all of them in turn."""
    workers = {name: Worker(f"{name}.py") for name in ("lanes", "loops", "limits")}
    if options.avalanche.exists():
        workers["avalanche"] = Worker("avalanche_peer.py", str(options.avalanche))
    else:
        print(f"Without Avalanche: no {options.avalanche}; setup_peers.sh makes it.", file=sys.stderr)
    rows = _of_other_parts(options)
    failed: set[int] = set()
    for repetition in range(-1, options.repetitions):  # the first one is not kept: kernels, caches, imports
        for index, one in enumerate(contenders):
            if one.worker not in workers or id(one) in failed or (repetition < 0 and one.lanes > 64):
                continue
            try:
                row = measure(one, workers[one.worker], warm_up=repetition < 0)
            except RuntimeError as error:
                print(f"{one.workload}, {one.name}: {error}", file=sys.stderr)
                failed.add(id(one))
                continue
            if repetition >= 0:
                rows.append({**row, "repetition": repetition})
            if options.verbose:
                taken = row.get("long_seconds", 0.0) + row.get("short_seconds", 0.0)
                told = f"{repetition + 1}/{options.repetitions} {index + 1}/{len(contenders)} {taken:.2f} s"
                print(told, one.part, one.workload, one.name, file=sys.stderr, flush=True)
        _write_csv(options.out / "measurements.csv", COLUMNS, rows)
    for worker in workers.values():
        worker.close()


def _of_other_parts(options: argparse.Namespace) -> list[dict[str, object]]:
    """Return the rows that the folder has of parts which are not measured now."""
    path = options.out / "measurements.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [dict(row) for row in csv.DictReader(file) if not _is_chosen(row, options)]


def _is_chosen(row: dict[str, str], options: argparse.Namespace) -> bool:
    """Tell whether a row is measured again now; only `steps` is chosen by its workload too."""
    return row["part"] in options.parts and (row["part"] != "steps" or row["workload"] in options.workloads)


def measure(one: Contender, worker: Worker, warm_up: bool = False) -> dict[str, object]:
    """Return one repetition of one contender; a warm-up asks for the shorter length alone."""
    row: dict[str, object] = {
        "part": one.part,
        "workload": one.workload,
        "contender": one.name,
        "x": one.x,
        "lanes": one.lanes,
        "tasks": one.tasks,
        "short": one.short,
        "long": one.long,
    }
    request = dict(one.request)
    if one.workload != "-":
        request["workload"] = one.workload
    if one.unit:
        return {**row, "step_us": worker.seconds(**request) * 1e6}
    if warm_up:
        row["long_seconds"] = worker.seconds(**request, steps=one.short or min(one.long, 8))
        return row
    of_a_step = one.lanes * one.tasks / 1e6
    if one.short:
        row["short_seconds"] = short = worker.seconds(**request, steps=one.short)
    row["long_seconds"] = long = worker.seconds(**request, steps=one.long)
    if one.short:
        row["step_us"] = (long - short) / (one.long - one.short) / of_a_step
    row["whole_us"] = long / one.long / of_a_step
    return row


def _write_csv(path: Path, columns: Iterable[str], rows: list[dict[str, object]]) -> None:
    if rows:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(columns), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def _machine(options: argparse.Namespace, load: float) -> dict[str, object]:
    """Return what the machine is, and per part how it was measured; `load` tells whether it was idle."""
    import torch

    names = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    path = options.out / "machine.json"
    before = json.loads(path.read_text(encoding="utf-8")).get("parts", {}) if path.exists() else {}
    command = " ".join(["python experiments/throughput/benchmark.py", *sys.argv[1:]])
    how = {"command": command, "repetitions": options.repetitions, "load": [load, os.getloadavg()[0]]}
    return {
        "processor": names[0].split(":")[1].strip() if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "blas": "MKL" if torch.backends.mkl.is_available() else "other",
        "capability": torch.backends.cpu.get_cpu_capability(),
        "parts": {**before, **{part: how for part in options.parts}},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    main()
