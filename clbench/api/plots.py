"""`results.plot`: every picture of the report as a figure, drawn when it is asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from clbench.analysis.load import Results as Records
from clbench.errors import ConfigurationError, known
from clbench.figures import lambda_pages, training_pages
from clbench.figures.gallery import scores_of
from clbench.figures.labels import literal
from clbench.figures.layout import Page
from clbench.figures.scores import Scores
from clbench.figures.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plots:
    """The pictures of a sweep, each a matplotlib figure that pyplot does not know.

    Where runs differ in more than their strategy (a scenario, a width), they belong to several settings, of
    which `setting` names one: the error without it lists them.
    """

    def __init__(self, records: Records) -> None:
        self._records = records

    def __dir__(self) -> list[str]:
        drawn = [name for name in vars(type(self)) if not name.startswith("_")]
        return sorted({*drawn, *self._scores.metrics})

    def __getattr__(self, name: str) -> Callable[..., Figure]:
        """Return what draws one of the stream's scores: `results.plot.accuracy("3")`."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._scores.metrics:
            return functools.partial(self.score, name)
        raise AttributeError(f"results.plot must be asked for a picture; got {name}. {known(dir(self))}")

    def loss(self, task: str | None = None, *, setting: str | None = None) -> Figure:
        """Draw the loss on a task (the first) over the whole training, a line per strategy."""
        return self.score("loss", task, setting=setting)

    def score(
        self, metric: str | None = None, task: str | None = None, *, setting: str | None = None
    ) -> Figure:
        """Draw a score (the leading one) on a task (the first) over the whole training."""
        where = self._setting(setting)
        metric = self._metric(metric)
        tasks = self._scores.tasks_of(where)
        asked = tasks[0] if task is None else literal(_named("task", str(task), tasks))
        page = functools.partial(training_pages.task_page, self._scores, where, asked, metric)
        return self._drawn("score", page, "the runs' own losses.csv")

    def tasks(self, metric: str | None = None, *, setting: str | None = None) -> Figure:
        """Draw a score (the leading one) on every task over the whole training, a panel per task."""
        where, metric = self._setting(setting), self._metric(metric)
        page = functools.partial(training_pages.tasks_page, self._scores, where, metric)
        return self._drawn("tasks", page, "two tasks and the runs' own losses.csv")

    def matrix(self, *, setting: str | None = None) -> Figure:
        """Draw R, the leading score on every task after every stage, a heat map per strategy."""
        page = functools.partial(training_pages.matrix_page, self._scores, self._setting(setting))
        return self._drawn("matrix", page, "two tasks and the runs' own losses.csv")

    def function(self, *, setting: str | None = None) -> Figure:
        """Draw the data and what was learned of them after every stage, of one seed."""
        where, place = self._setting(setting), self._records.run_folder
        page = functools.partial(training_pages.function_page, self._scores, where, place)
        return self._drawn("function", page, "a regression with one input and one output")

    def lambda_path(self, *, setting: str | None = None) -> Figure:
        """Draw the final leading score over λ, a panel per task."""
        page = functools.partial(lambda_pages.lambda_page, self._scores, self._setting(setting))
        return self._drawn("lambda_path", page, "a strategy with three values of λ")

    def front(self, *, setting: str | None = None) -> Figure:
        """Draw stability against plasticity: the old tasks and the last one over λ."""
        page = functools.partial(lambda_pages.front_page, self._scores, self._setting(setting))
        return self._drawn("front", page, "two tasks and a strategy with three values of λ")

    def distance(self, *, setting: str | None = None) -> Figure:
        """Draw how far the network ends from its anchor over λ."""
        page = functools.partial(lambda_pages.distance_page, self._scores, self._setting(setting))
        return self._drawn("distance", page, "a strategy with an anchor and three values of λ")

    def best_lambda(self) -> Figure:
        """Draw which λ is best at every width of the network."""
        page = functools.partial(lambda_pages.best_lambda_page, self._scores)
        return self._drawn(
            "best_lambda", page, "two widths of the model and two values of λ, and no more settings"
        )

    @functools.cached_property
    def _scores(self) -> Scores:
        if not (self._records.runs["status"] == "done").any():
            raise ConfigurationError(
                "A picture must have a finished run; got none that is done. See the status of results.runs."
            )
        return scores_of(self._records)

    def _setting(self, asked: str | None) -> str:
        settings = [name for name in self._scores.settings if not self._scores.of(name).empty]
        if asked is None and len(settings) == 1:
            return settings[0]
        return _named("setting", asked, settings if any(settings) else ["None, since only strategies vary"])

    def _metric(self, asked: str | None) -> str:
        return self._scores.selection if asked is None else _named("metric", asked, self._scores.metrics)

    def _drawn(self, name: str, page: Callable[[], Page | None], needs: str) -> Figure:
        with styled():
            found = page()
        if found is None or found.figure is None:
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
    if asked in names:
        return asked
    raise ConfigurationError(f"A {what} must be one of the results'; got {what}={asked}. {known(names)}")
