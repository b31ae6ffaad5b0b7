"""`results.plot`: every chart of the report as a figure, drawn when it is asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

from matplotlib.figure import Figure

from clbench.analysis.frames import column_of
from clbench.analysis.load import Records
from clbench.analysis.published import compare_published
from clbench.analysis.study import read_study
from clbench.errors import ConfigurationError, known
from clbench.figures.chart import Chart, Drawing
from clbench.figures.charts.training import draw_task
from clbench.figures.gallery import all_charts, scores_of
from clbench.figures.scores import Scores
from clbench.figures.setting import Setting
from clbench.figures.style import styled
from clbench.figures.words import literal


class Plots:
    """The charts of a sweep by their names, each a matplotlib figure that pyplot does not know.

    `loss(task)` and `score(metric, task)` draw one task; any other chart is drawn by the metric that leads
    or by one that is named, `results.plot.matrix("rmse")`. Where runs differ in more than their strategy (a
    scenario, a width), they belong to several settings, of which `setting` names one: the error without it
    lists them.
    """

    def __init__(self, records: Records) -> None:
        self._records = records

    def __dir__(self) -> list[str]:
        return sorted({"loss", "score", *self._scores.metrics, *self._charts})

    def __getattr__(self, name: str) -> Callable[..., Figure]:
        """Return what draws a chart, or one of the stream's scores: `results.plot.accuracy("3")`."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._scores.metrics:
            return functools.partial(self.score, name)
        if name in self._charts:
            draw = functools.partial(self._chart, self._charts[name])
            draw.__doc__ = self._charts[name].draw.__doc__
            return draw
        raise AttributeError(f"results.plot must be asked for a picture; got {name}. {known(dir(self))}")

    def loss(self, task: str | None = None, *, setting: str | None = None) -> Figure:
        """Draw the loss on a task (the first) over the whole training, a line per strategy."""
        return self.score("loss", task, setting=setting)

    def score(
        self, metric: str | None = None, task: str | None = None, *, setting: str | None = None
    ) -> Figure:
        """Draw a score (the leading one) on a task (the first) over the whole training."""
        where, metric = self._setting(setting), self._metric(metric)
        asked = None if task is None else literal(_named("task", str(task), where.tasks))
        return self._drawn("score", lambda: draw_task(where, metric, asked), "the runs' own losses.csv")

    def _chart(self, chart: Chart, metric: str | None = None, *, setting: str | None = None) -> Figure:
        where = self._setting(setting) if chart.per_setting else self._whole
        metrics = [self._metric(metric)] if metric else [*chart.metrics(where), self._scores.selection]
        return self._drawn(chart.name, lambda: chart.draw(where, metrics[0]), chart.needs)

    @functools.cached_property
    def _charts(self) -> dict[str, Chart]:
        return {chart.name: chart for chart in all_charts()}

    @functools.cached_property
    def _whole(self) -> Setting:
        study = read_study(self._records.folder).published
        published = tuple(compare_published(self._records, study))
        source = str(study.get("source", ""))
        return Setting(self._scores, self._records.run_folder, published=published, source=source)

    @functools.cached_property
    def _scores(self) -> Scores:
        if not (column_of(self._records.runs, "status") == "done").any():
            raise ConfigurationError(
                "A picture must have a finished run; got none that is done. See the status of results.runs."
            )
        return scores_of(self._records)

    def _setting(self, asked: str | None) -> Setting:
        settings = [name for name in self._scores.settings if not self._scores.of(name).empty]
        if asked is not None or len(settings) != 1:
            listed = settings if any(settings) else ["None, since only strategies vary"]
            settings = [_named("setting", asked, listed)]
        return Setting(self._scores, self._records.run_folder, settings[0])

    def _metric(self, asked: str | None) -> str:
        return self._scores.selection if asked is None else _named("metric", asked, self._scores.metrics)

    def _drawn(self, name: str, draw: Callable[[], Drawing | None], needs: str) -> Figure:
        with styled():
            found = draw()
        if found is None:
            lines = ", ".join(dict.fromkeys(self._scores.runs["variant"]))
            raise ConfigurationError(
                f"results.plot.{name} must have {needs}; got {lines} without. Draw another picture."
            )
        return found.figure


def _named(what: str, asked: str | None, names: Iterable[str]) -> str:
    """Return the name that was asked for.

    Raises:
        ConfigurationError: there is none like it; names the known ones.
    """
    found = list(names)
    if asked is not None and asked in found:
        return asked
    raise ConfigurationError(f"A {what} must be one of the results'; got {what}={asked}. {known(found)}")
