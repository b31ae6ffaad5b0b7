"""Which pictures a sweep gets, chosen by what varies in its `runs.csv`, and writing them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clbench.analysis.load import Results
from clbench.errors import ConfigurationError
from clbench.figures import lambda_pages, training_pages
from clbench.figures.layout import Page, evenly
from clbench.figures.scores import Scores, arrange
from clbench.figures.style import save, styled

SETTINGS_DRAWN = 3
"""Settings that get pictures; of more, evenly chosen ones do, and the others are named."""


@dataclass(frozen=True)
class Picture:
    """A picture that was written.

    Args:
        title: what it shows.
        caption: how to read it, with the number of seeds.
        png, svg: its files.
    """

    title: str
    caption: str
    png: Path
    svg: Path


def draw_all(
    results: Results, *, folder: Path | None = None, most: int = SETTINGS_DRAWN
) -> tuple[list[Picture], list[str]]:
    """Draw every picture that a sweep's columns and files allow into `figures/`.

    Args:
        results: of a sweep or a run.
        folder: in which `figures/` is made; None for that of the results.
        most: settings that get pictures of their own.

    Returns:
        the pictures in the order of reading, and a line for each thing that was left out.
    """
    folder = folder or results.folder
    if not (results.runs["status"] == "done").any():
        return [], ["No pictures: no run was finished."]
    scores = scores_of(results)
    notes = []
    if scores.losses.empty:
        notes.append("No curves: there is runs.csv, but the runs' own files are not here.")
    settings = [scores.settings[place] for place in evenly(len(scores.settings), most)]
    if left := [setting for setting in scores.settings if setting not in settings]:
        notes.append(
            f"Pictures of {len(settings)} of {len(scores.settings)} settings; left out: {'; '.join(left)}. "
            "clbench-report --all-settings draws them too."
        )
    pictures = []
    with styled():
        if page := lambda_pages.best_lambda_page(scores):
            pictures.append(_write(page, folder, ""))
        for setting in settings:
            if not scores.of(setting).empty:
                made = _pages(scores, setting, results.run_folder, is_only=len(settings) == 1)
                pictures += [_write(page, folder, setting) for page in made]
    return pictures, notes


def scores_of(results: Results) -> Scores:
    """Return the runs of a sweep arranged for pictures; without losses where the runs' own files are gone."""
    runs = results.runs
    try:
        losses = results.losses
        distance = results.training.groupby("run")["anchor_distance"].last()
    except ConfigurationError:
        return arrange(runs, pd.DataFrame(columns=["run", "step", "stage", "task", "split", "loss"]))
    return arrange(runs.assign(anchor_distance=runs["run"].map(distance)), losses)


def other_pictures(folder: Path, pictures: Sequence[Picture]) -> list[str]:
    """Return the pictures in a folder that were not written now, for example of a sweep since extended."""
    written = {picture.png.name for picture in pictures}
    return sorted(path.name for path in folder.glob("*.png") if path.name not in written)


def _pages(scores: Scores, setting: str, place: Callable[[str], Path], is_only: bool) -> Iterator[Page]:
    """Yield the pages of one setting; where it is one of several, those that say most."""
    score = scores.selection
    first = scores.tasks_of(setting)[0]
    makers: list[Callable[[], Page | None]] = [lambda: training_pages.task_page(scores, setting, first)]
    if score == "loss" or is_only:
        makers.append(lambda: training_pages.tasks_page(scores, setting, "loss"))
    if score != "loss":
        makers.append(lambda: training_pages.tasks_page(scores, setting, score))
    makers += [
        lambda: training_pages.matrix_page(scores, setting),
        lambda: training_pages.function_page(scores, setting, place),
        lambda: lambda_pages.lambda_page(scores, setting),
        lambda: lambda_pages.front_page(scores, setting),
    ]
    if is_only:
        makers.append(lambda: lambda_pages.distance_page(scores, setting))
    for maker in makers:
        page = maker()
        if page is not None:
            yield page


def _write(page: Page, folder: Path, setting: str) -> Picture:
    """Write a page; pictures of a setting carry its name."""
    plain = re.sub(r"[\[\]()'\" ]", "", setting)
    suffix = "-" + re.sub(r"[^A-Za-z0-9.,=+-]+", "_", plain) if setting else ""
    png, svg = save(page.figure, folder / "figures" / (page.name + suffix))
    title = f"{page.title} ({setting})" if setting else page.title
    return Picture(title, page.caption, png, svg)
