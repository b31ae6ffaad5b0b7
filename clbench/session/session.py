"""The runs of a sweep, each in a folder: the finished are left alone, the others written as they end."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from clbench import engine, records
from clbench.digests import RunFiles
from clbench.engine.store import StageStore, default_folder
from clbench.execution import DEFAULT, Execution
from clbench.ingredients import Ingredients
from clbench.records.provenance import contents, identity, unlike
from clbench.records.run import SUMMARY
from clbench.records.sweep import other_provenances
from clbench.runs import Run
from clbench.session.progress import Progress, bar

log = logging.getLogger(__name__)

FINISHED = ("done", "diverged")
"""What would come out the same if it ran again; a failed run is tried again."""

Summary = Mapping[str, Any]
"""What `summary.json` says of a run."""


@dataclass(frozen=True)
class Entry:
    """A run and where its files go.

    Args:
        run: as it is trained.
        folder: its own, absolute; its name is the run's name.
        config: the resolved configuration that it was made from, None for a run that was made in Python.
        log: its log file, None where there is none or something else writes it.
    """

    run: Run
    folder: Path
    config: Mapping[str, Any] | None = None
    log: Path | None = None

    def note(self, text: str) -> None:
        """Write a line into the run's own log, in the form of Hydra's."""
        if self.log is not None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            now = datetime.now().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"[{now}][{__name__}][INFO] - {text}\n")


class Session:
    """Entries that are trained together.

    Args:
        entries: in any order; of several with the same folder, which are the same run, the first counts.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries: dict[Path, Entry] = {}
        for entry in entries:
            self.entries.setdefault(entry.folder, entry)
        ingredients = Ingredients()
        self.files = {folder: ingredients.of_run(entry.run) for folder, entry in self.entries.items()}

    def mixing_problems(self, sweep: Path, name: str) -> Iterable[str]:
        """Yield a line where runs of other data or code, which nobody asks for again, would share our table.

        Args:
            sweep: the folder of the table.
            name: how it was given.
        """
        now = contents(self.files.values())
        others = other_provenances(sweep, self.entries)
        changed = [names for theirs in others if (names := unlike(now, theirs))]
        if changed:
            names = " and ".join(dict.fromkeys(chain.from_iterable(changed)))
            yield (
                "Runs of one sweep must be of the same data and code; got "
                f"{len(changed)} in {name}={sweep} from before {names} changed. "
                "Choose another folder, or ask for those runs again as well."
            )

    def train(self, execution: Execution = DEFAULT, progress: Progress = bar) -> dict[Path, Summary]:
        """Train and write the runs that aren't finished yet; return the summaries of all by folder."""
        summaries: dict[Path, Summary] = {}
        for folder, entry in self.entries.items():
            summary = finished_summary(folder, entry.run, self.files[folder])
            if summary is not None:
                summaries[folder] = summary
                entry.note(f"finished before: {summary['status']}")
        if summaries:
            log.info("%d of %d runs are finished already", len(summaries), len(self.entries))
        waiting = [entry for folder, entry in self.entries.items() if folder not in summaries]
        if waiting:
            summaries |= _train(waiting, execution, progress)
        return summaries


def _train(waiting: Sequence[Entry], execution: Execution, progress: Progress) -> dict[Path, Summary]:
    asked = trained = 0
    summaries: dict[Path, Summary] = {}
    began = time.perf_counter()

    def keep(place: int, result: engine.RunResult) -> None:
        nonlocal asked, trained
        asked, trained = asked + len(result.tasks), trained + result.trained_here
        entry = waiting[place]
        entry.folder.mkdir(parents=True, exist_ok=True)
        summaries[entry.folder] = records.write_run(entry.folder, entry.run, result, entry.config)
        entry.note(_ending(summaries[entry.folder]))

    with progress(len(waiting)) as report:
        chosen = [entry.run for entry in waiting]
        store = StageStore(default_folder()) if execution.cache else None
        engine.train(chosen, keep, report, execution, store=store)
    seconds = time.perf_counter() - began
    count = "1 run" if len(waiting) == 1 else f"{len(waiting)} runs"
    log.info("%s asked for %d stages; %d were trained, in %.1f s", count, asked, trained, seconds)
    return summaries


def finished_summary(folder: Path, run: Run, files: RunFiles) -> Summary | None:
    """Return the summary of a run that has ended in this folder and was the same, or None.

    Args:
        folder: the run's.
        run: what is asked for.
        files: digests of the user's files that shape it, as they are now.
    """
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        ours, theirs = identity(run, files), summary["provenance"]
        if all(ours[key] == theirs[key] for key in ("config_hash", "sources")):
            return summary if summary["status"] in FINISHED else None
        if changed := unlike(contents([files]), theirs):
            log.info("%s is trained again: %s changed", folder.name, " and ".join(changed))
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no whole summary of ours: the run is not finished
    return None


def _ending(summary: Summary) -> str:
    if summary["status"] == "diverged":
        step = summary["diverged_after"]
        return "not finite at step 0" if step is None else f"diverged after step {step}"
    if summary["status"] == "failed":
        return f"failed: {summary['message']}"
    return f"done: {summary['steps']} steps, acc {summary['acc']:.6g}"
