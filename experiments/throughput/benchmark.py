"""What a training step of one run costs, beside the peers and the machine's limit: one command, one run.

    sh experiments/throughput/setup_peers.sh          # once: Avalanche, JAX, Hydra's joblib launcher
    python experiments/throughput/benchmark.py        # everything, at most 20 minutes
    python experiments/throughput/benchmark.py --quick --out /somewhere
    python experiments/throughput/benchmark.py --parts steps points --repetitions 7

Writes measurements.csv and commands.csv (every repetition), budgets.csv, table.md and a picture per part.
README.md says what is timed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import comparison
from agreement import check_peer
from commands import COLUMNS as COMMAND_COLUMNS
from commands import measure_commands, measure_launchers
from contenders import (
    Contender,
    lane_contenders,
    limit_contenders,
    point_contenders,
    product_contenders,
    step_contenders,
    strategy_contenders,
    task_contenders,
    width_contenders,
)
from peers import peer_contenders
from worker import ROOT, Worker
from workloads import WORKLOADS

COMPARED = ("steps", "strategies", "products", "lanes", "tasks", "points", "width")
PARTS = (*COMPARED, "commands", "launchers")
PEERS = {"avalanche": "avalanche_peer.py", "jax": "jax_peer.py"}
CORES = len(os.sched_getaffinity(0))


def main() -> None:
    """Measure the chosen parts, then write tables and pictures of all that lies in the folder."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    began, load = time.monotonic(), os.getloadavg()[0]
    until = began + 60 * options.minutes
    both = {"commands", "launchers"} & set(options.parts)
    how: dict[str, object] = {}
    if set(COMPARED) & set(options.parts):
        how = compare(options, began + 60 * options.minutes * (0.6 if both else 1.0))
    if both:
        run_commands(options, until)
    how |= {"repetitions": how.get("repetitions", options.repetitions), "load": [load, os.getloadavg()[0]]}
    how["minutes"] = round((time.monotonic() - began) / 60, 1)
    _write_json(options.out / "machine.json", _machine(options, how))
    sys.path.insert(0, str(ROOT))
    from pictures import draw_all
    from tables import write_tables

    write_tables(options.out)
    draw_all(options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--workloads", nargs="+", choices=tuple(WORKLOADS), default=tuple(WORKLOADS))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--minutes", type=float, help="no repetition begins that would end later", default=20)
    parser.add_argument("--quick", action="store_true", help="two repetitions of few rows, to see it work")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "reference" / "throughput")
    peers = ROOT / "build" / "peers"
    for name in PEERS:
        parser.add_argument(f"--{name}", type=Path, default=peers / name / "bin" / "python")
    parser.add_argument("--joblib", type=Path, default=peers / "joblib", help="folder with Hydra's launcher")
    options = parser.parse_args()
    if options.quick:
        options.repetitions, options.minutes = min(options.repetitions, 2), min(options.minutes, 4.0)
        options.workloads = [name for name in options.workloads if name != "linear"]
    return options


def compare(options: argparse.Namespace, until: float) -> dict[str, object]:
    """Write a row per contender and repetition; return how it went."""
    workers = {name: Worker(f"{name}.py") for name in ("lanes", "loops", "limits")}
    for name, script in PEERS.items():
        python = getattr(options, name)
        if python.exists():
            workers[name] = Worker(script, str(python))
        else:
            print(f"Without {name}: no {python}; setup_peers.sh makes it.", file=sys.stderr)
    how: dict[str, object] = {}
    if "steps" in options.parts and "jax" in workers:
        how["jax_losses_apart"] = check_peer(workers["jax"], options.workloads)
    seconds = 0.1 if options.quick else 0.3
    rows, how["repetitions"] = comparison.compare(
        list(_contenders(options)), workers, options.repetitions, seconds, until
    )
    _write_csv(options.out / "measurements.csv", comparison.COLUMNS, [*_of_other_parts(options), *rows])
    for worker in workers.values():
        worker.close()
    return how


def _contenders(options: argparse.Namespace) -> Iterable[Contender]:
    quick = options.quick
    every = {
        "steps": lambda: chain(
            *(
                chain(peer_contenders(workload, CORES, quick), step_contenders(workload, quick))
                for workload in options.workloads
            )
        ),
        "strategies": lambda: strategy_contenders(quick),
        "products": lambda: product_contenders(quick),
        "lanes": lambda: lane_contenders(quick),
        "tasks": lambda: task_contenders(quick),
        "points": lambda: point_contenders(quick),
        "width": lambda: width_contenders(quick),
    }
    yield from limit_contenders(CORES)
    for part, make in every.items():
        if part in options.parts:
            yield from make()


def _of_other_parts(options: argparse.Namespace) -> list[dict[str, object]]:
    """Return the rows that the folder has of parts which are not measured now."""
    path = options.out / "measurements.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [dict(row) for row in csv.DictReader(file) if not _is_chosen(row, options)]


def _is_chosen(row: dict[str, str], options: argparse.Namespace) -> bool:
    """Tell whether a row is measured again now: limits always, `steps` by its workload too."""
    chosen = row["part"] in (*options.parts, "limits")
    return chosen and (row["part"] != "steps" or row["workload"] in options.workloads)


def run_commands(options: argparse.Namespace, until: float) -> None:
    """Write a row per whole command and repetition."""
    path, rows = options.out / "commands.csv", []
    if path.exists():
        kinds = [kind for kind in ("command", "phases") if "commands" not in options.parts]
        kinds += ["launcher"] if "launchers" not in options.parts else []
        with path.open(newline="", encoding="utf-8") as file:
            rows = [dict(row) for row in csv.DictReader(file) if row["kind"] in kinds]
    if "launchers" in options.parts:
        rows += measure_launchers(options.joblib, options.quick, until)
    if "commands" in options.parts:
        rows += measure_commands(min(options.repetitions, 3), options.quick, until)
    _write_csv(path, COMMAND_COLUMNS, rows)


def _write_csv(path: Path, columns: Iterable[str], rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _machine(options: argparse.Namespace, how: dict[str, object]) -> dict[str, object]:
    """Return what the machine is, and per part how it was measured; `load` tells whether it was idle."""
    import numba
    import torch

    names = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    path = options.out / "machine.json"
    before = json.loads(path.read_text(encoding="utf-8")).get("parts", {}) if path.exists() else {}
    how["command"] = " ".join(["python experiments/throughput/benchmark.py", *sys.argv[1:]])
    return {
        "processor": names[0].split(":")[1].strip() if names else platform.processor(),
        "cores": CORES,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": numba.__version__,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "parts": {**before, **{part: how for part in options.parts}},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    main()
