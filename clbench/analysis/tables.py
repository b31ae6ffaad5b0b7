"""The table at the end of a sweep: what every strategy ends with, as a frame and for the terminal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clbench.analysis.frames import column_of, done_among
from clbench.analysis.settings import context_columns, group_by, leading_metric_of, strategy_columns
from clbench.analysis.statistics import estimate
from clbench.records.columns import Final, finals_among, read_final
from clbench.records.declared import METRICS

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table

LONGEST = 5
"""Streams of more tasks show the first and the last one only."""


def final_tasks(runs: pd.DataFrame, metric: str, split: str = "test") -> list[str]:
    """Return the tasks that `runs.csv` has a final value of, in the stream's order."""
    return [final.task for final in finals_among(runs.columns, split, metric)]


def end_table(runs: pd.DataFrame, metric: str | None = None) -> pd.DataFrame:
    """Return one row per setting with estimates over seeds: point, interval, and n.

    Args:
        runs: as in `runs.csv`.
        metric: `loss` or a score to show per task; by default the one that leads the metrics.

    Returns:
        the columns that vary, `strategy`, `lam`, …, `n` (finished runs), `lost` (diverged or failed ones),
        and per quantity `<quantity>_low, <quantity>_high, <quantity>` for `test_<metric>_<task>`, `acc`,
        `forgetting` and all metrics that are declared with a heading; the mean over finished runs with its
        95 % interval (Student's t).
    """
    metric = metric or leading_metric_of(runs)
    context = [
        name for name in context_columns(runs) if name != "stream" or column_of(runs, "stream").nunique() > 1
    ]
    groups = group_by(runs, [*context, *strategy_columns(runs)])
    table = pd.DataFrame([shared for shared, _ in groups])
    table["n"] = [done_among(rows) for _, rows in groups]
    table["lost"] = [len(rows) - done_among(rows) for _, rows in groups]
    for name in _quantities(runs, metric):
        values = [rows[name].to_numpy(np.float64) for _, rows in groups]
        table[[f"{name}_low", f"{name}_high", name]] = estimate(values)
    return table


def _quantities(runs: pd.DataFrame, metric: str) -> list[str]:
    """Return the columns of `runs.csv` that the end table estimates."""
    tasks = final_tasks(runs, metric)
    shown = tasks if len(tasks) <= LONGEST else [tasks[0], tasks[-1]]
    return [*(Final("test", metric, task).column for task in shown), *_shown_metrics(runs)]


def _shown_metrics(runs: pd.DataFrame) -> list[str]:
    """Return the metrics of `runs.csv` that tables show."""
    return [name for name, found in METRICS.items() if found.heading and name in runs]


@dataclass(frozen=True)
class TerminalTable:
    """The end table for `rich.print`: point first, interval second, as many quantities as the width allows.

    Args:
        names: headings and cells of what names a setting, by column.
        quantities: headings and cells of the estimates, by column: tasks, then metrics.
        metrics: how many of them are metrics.
        numeric: the names whose cells are numbers.
        title: what the table shows.
    """

    names: dict[str, list[str]]
    quantities: dict[str, list[str]]
    metrics: int
    numeric: tuple[str, ...]
    title: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Yield the table with all quantities, without the middle tasks, or without any task.

        Each is tried with cells in one line, then with the interval below its point.
        """
        heads = list(self.quantities)
        first = len(heads) - self.metrics
        tasks, metrics = heads[:first], heads[first:]
        shorter = [[tasks[0], tasks[-1], *metrics], metrics] if len(tasks) > 2 else [metrics]
        for shown, measure in itertools.product((heads, *shorter), (len, _longest_word)):
            columns = self.names | {head: self.quantities[head] for head in shown}
            widths = {head: max(map(measure, (head, *cells))) for head, cells in columns.items()}
            if sum(widths.values()) + 2 * len(widths) <= options.max_width:  # a blank and a separator each
                break
        yield self._table(columns, widths, is_short=shown is not heads)

    def _table(self, columns: dict[str, list[str]], widths: dict[str, int], is_short: bool) -> Table:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        more = "; a wider terminal shows more tasks" if is_short else ""
        table = Table(
            title=self.title,
            caption=f"mean [95 % interval, Student's t] over n seeds{more}",
            box=box.SIMPLE_HEAD,
            title_justify="left",
            caption_justify="left",
            padding=(0, 1, 0, 0),
            pad_edge=False,
        )
        for head in columns:
            is_text = head in self.names and head not in self.numeric
            table.add_column(head, justify="left" if is_text else "right", width=widths[head])
        for cells in zip(*columns.values(), strict=True):
            table.add_row(*map(Text, cells))
        return table


def _longest_word(cell: str) -> int:
    """Return how narrow a cell can be without losing a letter."""
    return max(map(len, cell.split()), default=0)


def end_table_for_terminal(runs: pd.DataFrame, metric: str | None = None) -> TerminalTable:
    """Return the end table for `rich.print`.

    A column that would be empty (λ without any, lost runs without any) is left out. Where the loss leads,
    ACC is shown as the mean loss over tasks, its sign turned back (`Metric.heading_of_losses`).
    """
    metric = metric or leading_metric_of(runs)
    frame = end_table(runs, metric)
    quantities = _quantities(runs, metric)
    estimated = {name + end for name in quantities for end in ("_low", "_high", "")}
    names = [name for name in frame.columns if name not in estimated and not is_empty(frame, name)]
    heads = _short_names(names)
    losses = leading_metric_of(runs) == "loss"
    rows = frame.to_dict("records")
    return TerminalTable(
        names={heads[name]: [_plain_cell(row[name]) for row in rows] for name in names},
        quantities={
            _heading(name, metric, losses): [_estimate_cell(row, name, losses) for row in rows]
            for name in quantities
        },
        metrics=len(_shown_metrics(runs)),
        numeric=tuple(heads[name] for name in names if pd.api.types.is_numeric_dtype(frame[name])),
        title=_title(metric, runs),
    )


def _short_names(names: list[str]) -> dict[str, str]:
    """Return headings: λ, and the last part of a dotted name where no other column ends alike."""
    last = [name.rpartition(".")[2] for name in names]
    found = {name: end if last.count(end) == 1 else name for name, end in zip(names, last, strict=True)}
    return found | ({"lam": "λ"} if "lam" in names else {})


def is_empty(frame: pd.DataFrame, name: str) -> bool:
    """Return whether a column says nothing."""
    values = column_of(frame, name)
    return bool(values.isna().all()) or (name == "lost" and not any(values))


def _title(metric: str, runs: pd.DataFrame) -> str:
    """Return what the table shows."""
    streams = ", ".join(dict.fromkeys(runs["stream"]))
    return f"{streams}: final {metric.replace('_', ' ')} on the test split, after the last task"


def _heading(name: str, metric: str, losses: bool) -> str:
    """Return a column's heading."""
    if final := read_final(name):
        return f"{metric.replace('_', ' ')} {final.task}"
    return METRICS[name].shown(losses)[0]


def _estimate_cell(row: dict[str, float], name: str, losses: bool) -> str:
    """Return `point [low,high]`, `–` without a value, the point alone for a single run."""
    low, high, point = row[f"{name}_low"], row[f"{name}_high"], row[name]
    if name in METRICS and METRICS[name].shown(losses)[1] < 0:
        low, high, point = -high, -low, -point
    if not np.isfinite(point):
        return "–"
    if not np.isfinite(low):
        return short(point)
    largest = max(abs(low), abs(high), abs(point))
    digits = _decimals(largest)
    # All three in the decimals of the largest, so that rounding noise beside 0.1 reads 0.000.
    texts = [
        short(value) if digits is None else f"{round(value, digits) + 0.0:.{digits}f}"
        for value in (point, low, high)
    ]
    # The only space stands where a narrow terminal shall break the line.
    return f"{texts[0]} [{texts[1]},{texts[2]}]"


def _plain_cell(value: object) -> str:
    """Return a setting's value for the terminal."""
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def short(value: float) -> str:
    """Return a number in three significant digits, without an exponent from 0.001 to 99,999."""
    if value == 0:
        return "0"
    digits = _decimals(abs(value))
    return f"{value:.1e}" if digits is None else f"{value:.{digits}f}"


def _decimals(size: float) -> int | None:
    """Return the decimals that show three significant digits, None where an exponent reads better."""
    if not 1e-3 <= size < 1e5:
        return None
    rounded = float(f"{size:.3g}")  # 9.9996 has as many digits as 10
    return max(0, 2 - int(np.floor(np.log10(rounded))))
