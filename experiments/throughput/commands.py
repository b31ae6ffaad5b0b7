"""Whole commands from the shell to the prompt, and the same sweep by Hydra's own launchers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker import HERE, ROOT

COLUMNS = ("kind", "name", "repetition", "runs", "seconds", "peak_mb")
PHASES = ("start", "compose", "train", "record", "report")
COLUMNS += tuple(f"{phase}_seconds" for phase in PHASES)

JOBS = {"lanes": (32, 128), "basic": (2, 8), "joblib": (2, 8)}
"""Jobs of the two sweeps whose difference is a launcher's cost per job."""


@dataclass(frozen=True)
class Command:
    """A command line that is timed.

    Args:
        name: in tables.
        words: behind `clbench`.
        runs: that it trains; their folders go into a temporary one.
        code: exit code.
        once: in the first repetition alone.
        needs: seconds that must be left, or it does not begin.
    """

    name: str
    words: tuple[str, ...]
    runs: int = 0
    code: int = 0
    once: bool = False
    needs: float = 0.0


def sweep_words(runs: int) -> tuple[str, ...]:
    """Return so many seeds of the two-task stream, naive, 400 steps a task."""
    return ("-m", "strategy=naive", f"seed=range({runs})", "cache=off")


COMMANDS = (
    Command("help", ("--help",)),
    Command("bad value", ("training.batch_size=0",), code=2),
    Command("main job (60 runs)", ("experiments=two_task_regression", "cache=off"), 60),
    Command("256 runs", sweep_words(256), 256),
    Command("1,000 runs", sweep_words(1000), 1000),
    Command("10,000 runs", (*sweep_words(10_000), "memory=2GB"), 10_000, once=True, needs=150),
)


def measure_commands(repetitions: int, quick: bool, until: float) -> list[dict[str, object]]:
    """Return a row per command and repetition, and where the time of two sweeps goes.

    Args:
        repetitions: at most.
        quick: help, a bad value and a small sweep alone.
        until: by `time.monotonic()`; later no command begins.
    """
    chosen = (*COMMANDS[:2], Command("16 runs", sweep_words(16), 16)) if quick else COMMANDS
    run(COMMANDS[0])  # not kept: the machine's caches
    rows: list[dict[str, object]] = []
    for repetition in range(repetitions):
        for command in chosen:
            if command.once and repetition:
                continue
            if time.monotonic() + command.needs > until:
                print(f"{command.name}: no time is left for it.", file=sys.stderr)
                continue
            if (found := guarded(command)) is not None:
                rows.append({"kind": "command", "name": command.name, "repetition": repetition, **found})
    for command in chosen:
        clocked = 1 < command.runs <= 1000 and time.monotonic() < until
        if clocked and (found := guarded(command, clocked)) is not None:
            rows.append({"kind": "phases", "name": command.name, "repetition": 0, **found})
    return rows


def measure_launchers(joblib: Path, quick: bool, until: float) -> list[dict[str, object]]:
    """Return two rows a launcher, whose difference is its cost of a job."""
    rows: list[dict[str, object]] = []
    for launcher, pair in JOBS.items():
        if launcher == "joblib" and not joblib.exists():
            print(f"Without joblib: no {joblib}; setup_peers.sh makes it.", file=sys.stderr)
            continue
        for count in (2, 4) if quick else pair:
            words = (*sweep_words(count), f"hydra/launcher={launcher}")
            if launcher == "joblib":
                words = (*words, "hydra.launcher.n_jobs=2")
            if time.monotonic() < until and (
                found := guarded(Command(f"{launcher}, {count} jobs", words, count), True, [str(joblib)])
            ):
                rows.append({"kind": "launcher", "name": launcher, "repetition": 0, **found})
    return rows


def guarded(command: Command, clocked: bool = False, paths: Sequence[str] = ()) -> dict[str, object] | None:
    """Return what `run` does; where it fails, say so and return None."""
    try:
        return run(command, clocked, paths)
    except RuntimeError as error:
        print(f"{command.name}: {error}", file=sys.stderr)
        return None


def run(command: Command, clocked: bool = False, paths: Sequence[str] = ()) -> dict[str, object]:
    """Return a command's wall seconds and the most memory that a process held, with a clock its phases, too.

    Raises:
        RuntimeError: it ended with another exit code than it should.
    """
    with tempfile.TemporaryDirectory(prefix="clbench-throughput-") as folder:
        place = Path(folder)
        words = [*command.words, *([f"hydra.sweep.dir={place}/sweep"] if command.runs else [])]
        phases = place / "phases.json"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *paths])}
        script = [str(HERE / "phases.py")] if clocked else ["-m", "clbench"]
        seconds, code, peak, told = timed(
            [sys.executable, *script, *words], {**environment, "CLBENCH_PHASES": str(phases)}, place
        )
        if code != command.code:
            raise RuntimeError(f"exit code {code}: {told[-400:]}")
        found = json.loads(phases.read_text(encoding="utf-8")) if clocked else {}
    row: dict[str, object] = {"runs": command.runs, "seconds": seconds, "peak_mb": peak}
    if clocked:
        found["start"] = seconds - sum(found.values())
        row |= {f"{phase}_seconds": found.get(phase, 0.0) for phase in PHASES}
    return row


def timed(command: list[str], environment: Mapping[str, str], folder: Path) -> tuple[float, int, float, str]:
    """Return a process's wall seconds, exit code, most memory in MB, and what it wrote to standard error."""
    with (folder / "stderr").open("w+", encoding="utf-8") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        told = errors.read()
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return seconds, process.returncode, used.ru_maxrss / unit, told
