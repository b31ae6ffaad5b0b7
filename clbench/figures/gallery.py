"""Drawing and writing every chart that a sweep's columns and files allow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pandas as pd

from clbench.analysis.frames import column_of
from clbench.analysis.load import Records
from clbench.analysis.published import Comparison
from clbench.errors import ConfigurationError
from clbench.figures import charts
from clbench.figures.chart import CHARTS, Chart
from clbench.figures.cores import on_all_cores
from clbench.figures.layout import evenly
from clbench.figures.picture import Picture
from clbench.figures.scores import Scores, arrange
from clbench.figures.setting import Setting
from clbench.figures.style import save, styled

SETTINGS_DRAWN = 3
"""Settings that get pictures; of more, evenly chosen ones do, and the others are named."""


def all_charts() -> list[Chart]:
    """Return every chart, those of `clbench/figures/charts` and any others, in the order of reading."""
    for module in iter_modules(charts.__path__):
        import_module(f"{charts.__name__}.{module.name}")
    return sorted(CHARTS.values(), key=lambda item: item.place)


def draw_all(
    results: Records,
    *,
    folder: Path | None = None,
    most: int = SETTINGS_DRAWN,
    published: Sequence[Comparison] = (),
    source: str = "",
) -> tuple[list[Picture], list[str]]:
    """Draw every picture that a sweep's columns and files allow into `figures/`.

    Args:
        results: of a sweep or a run.
        folder: in which `figures/` is made; None for that of the results.
        most: settings that get pictures of their own.
        published: our runs beside a published table.
        source: what that table is called in print.

    Returns:
        the pictures in the order of reading, and a line for each thing that was left out.
    """
    if not (column_of(results.runs, "status") == "done").any():
        return [], ["No pictures: no run was finished."]
    scores = scores_of(results)
    notes = []
    if scores.losses.empty:
        notes.append("No curves: there is runs.csv, but the runs' own files are not here.")
    names = [scores.settings[place] for place in evenly(len(scores.settings), most)]
    if left := [name for name in scores.settings if name not in names]:
        notes.append(
            f"Pictures of {len(names)} of {len(scores.settings)} settings; left out: {'; '.join(left)}. "
            "clbench-report --all-settings draws them too."
        )
    sweep = Setting(scores, results.run_folder, published=tuple(published), source=source)
    settings = [replace(sweep, name=name, is_only=len(names) == 1) for name in names]
    known, place = all_charts(), (folder or results.folder) / "figures"
    drawn = [(sweep, chart) for chart in known if not chart.per_setting]
    for setting in settings:
        if not setting.runs.empty:
            drawn += [(setting, chart) for chart in known if chart.per_setting]
    sheets = [
        Plan(setting, chart, metric, place) for setting, chart in drawn for metric in chart.metrics(setting)
    ]
    pictures = on_all_cores(draw_one, sheets)
    return [picture for picture in pictures if picture is not None], notes


def scores_of(results: Records) -> Scores:
    """Return the runs of a sweep arranged for pictures; without losses where the runs' own files are gone."""
    runs = results.runs
    try:
        losses = results.losses
        last = results.training.groupby("run").agg({"anchor_distance": "last"})
    except ConfigurationError:
        return arrange(runs, pd.DataFrame(columns=["run", "step", "stage", "task", "split", "loss"]))
    distance = column_of(runs, "run").map(column_of(last, "anchor_distance"))
    return arrange(runs.assign(anchor_distance=distance), losses)


def other_pictures(folder: Path, pictures: Sequence[Picture]) -> list[str]:
    """Return the pictures in a folder that were not written now, for example of a sweep since extended."""
    written = {picture.png.name for picture in pictures}
    return sorted(path.name for path in folder.glob("*.png") if path.name not in written)


@dataclass(frozen=True)
class Plan:
    """A picture to be drawn: a chart of a setting and a metric, into a folder."""

    setting: Setting
    chart: Chart
    metric: str
    folder: Path


def draw_one(plan: Plan) -> Picture | None:
    """Draw a picture under the name of its setting; None where there is nothing to show."""
    name = plan.setting.name
    plain = re.sub(r"[\[\]()'\" ]", "", name)
    suffix = "-" + re.sub(r"[^A-Za-z0-9.,=+-]+", "_", plain) if name else ""
    with styled():
        if (drawing := plan.chart.draw(plan.setting, plan.metric)) is None:
            return None
        file = plan.chart.file(plan.setting, plan.metric) + suffix
        png, svg = save(drawing.figure, plan.folder / file)
    title = f"{drawing.title} ({name})" if name else drawing.title
    return Picture(title, drawing.caption, png, svg)
