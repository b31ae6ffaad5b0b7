"""Tables as texts, with the point first, the interval second and n always."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clbench.analysis.comparison import Baseline
from clbench.analysis.conditions import condition_words
from clbench.analysis.frames import column_of, rows_where
from clbench.analysis.load import Records
from clbench.analysis.selection import choose_lambda
from clbench.analysis.settings import leading_metric_of
from clbench.analysis.statistics import pairs_needed
from clbench.analysis.tables import end_table_for_terminal, is_empty, short
from clbench.errors import ConfigurationError
from clbench.records.declared import METRICS

EM_DASH = "–"


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Args:
        title: what it shows.
        note: how to read it.
        header: of the columns.
        rows: texts, as long as the header.
        numeric: whether a column holds numbers, and is set flush right.
    """

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def outcome_sheet(runs: pd.DataFrame) -> Sheet:
    """Return the end table, as the terminal shows it."""
    table = end_table_for_terminal(runs)
    columns = [*table.names.values()]
    columns += [[cell.replace(",", ", ") for cell in cells] for cells in table.quantities.values()]
    return Sheet(
        title="Outcome",
        note="Mean [95 % interval, Student's t] over n seeds; test split, after the last stage.",
        header=(*table.names, *table.quantities),
        rows=tuple(zip(*columns, strict=True)),
        numeric=(*(name in table.numeric for name in table.names), *(True for _ in table.quantities)),
    )


def difference_sheets(results: Records, baseline: Baseline | None = None) -> list[Sheet]:
    """Return the paired differences from a baseline: at chosen λ, then at every λ; none without any.

    Args:
        results: of a sweep.
        baseline: a strategy or a setting (see `compare_runs`); None for naive if the sweep has it.

    Raises:
        ConfigurationError: nothing can be compared with the baseline that was asked for.
    """
    runs, asked = results.runs, baseline is not None
    baseline = "naive" if baseline is None else baseline
    if column_of(runs, "strategy").nunique() < 2 and not asked:
        return []
    try:
        frame = results.compare(baseline)
    except ConfigurationError:
        if asked:
            raise
        return []
    frame = rows_where(frame, (frame["pairs"] > 0) | (frame["lost"] > 0))
    name = baseline if isinstance(baseline, str) else condition_words(baseline)
    loss = leading_metric_of(runs) == "loss"
    family, others = (rows_where(frame, mask) for mask in (frame["family"] > 0, frame["family"] == 0))
    sheets = []
    if len(family):
        note = f"{_difference_note(loss)} {family_note(family)}"
        sheets.append(_difference_sheet(f"Difference from {name}", note, family, name, loss))
    if len(others):
        note = (
            "Exploratory: p is of a sign-flip test and not corrected. It tells where to look, not what holds."
        )
        title = f"Difference from {name} at every λ"
        sheets.append(_difference_sheet(title, note, others.drop(columns="p_holm"), name, loss))
    return sheets


def _difference_sheet(title: str, note: str, frame: pd.DataFrame, baseline: str, loss: bool) -> Sheet:
    """Return a table of differences; without corrected p where there are none."""
    names = _setting_names(frame, "choices")
    heads = {"p": "p", "p_holm": "p (Holm)"}
    shown = [name for name in heads if name in frame]
    counts = ["pairs", *(["lost"] if column_of(frame, "lost").any() else [])]
    rows = [
        (
            *(_setting_cell(row, name) for name in names),
            *(str(int(row[name])) for name in counts),
            in_words(row["difference_low"], row["difference_high"], row["difference"], loss),
            *(EM_DASH if np.isnan(row[name]) else short(row[name]) for name in shown),
        )
        for row in frame.to_dict("records")
    ]
    difference = f"{METRICS['acc'].shown(loss)[0]} − {baseline}'s"
    header = (*map(_heading, names), *counts, difference, *(heads[name] for name in shown))
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in names]
    return Sheet(title, note, header, tuple(rows), (*numeric, *[True] * (len(header) - len(names))))


def _difference_note(loss: bool) -> str:
    """Return how a table of differences is read."""
    quantity, sign = METRICS["acc"].shown(loss)
    better = "positive" if sign > 0 else "negative"
    return (
        f"Final {quantity} over tasks on the test split, paired by seed: mean difference [95 % interval, "
        f"Student's t]; a {better} one is better. λ is the one chosen on validation data."
    )


def family_note(family: pd.DataFrame) -> str:
    """Return for how many tests p is corrected, and where no p can be small.

    Args:
        family: rows of `compare_runs` with a corrected p.
    """
    sizes = sorted(set(family["family"]))
    tests = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    words = [f"p of a sign-flip test, corrected by Holm for the {tests} compared within one setting."]
    blunt = rows_where(family, family["least_p"] > 0.05).drop_duplicates(["pairs", "family"])
    for row in blunt.sort_values(["pairs", "family"]).to_dict("records"):
        words.append(
            f"With {row['pairs']} pairs and {row['family']} tests no corrected p can be below "
            f"{short(row['least_p'])}; {pairs_needed(row['family'])} pairs could show a difference."
        )
    return " ".join(words)


def choice_sheet(runs: pd.DataFrame) -> Sheet | None:
    """Return what an honest choice of λ reaches and what the oracle's would; None where none can be made."""
    try:
        frame = choose_lambda(runs)
    except ConfigurationError:
        return None
    names = _setting_names(frame, "lam")
    loss = leading_metric_of(runs) == "loss"
    quantity, _ = METRICS["acc"].shown(loss)
    counts = ["n", *(["lost"] if column_of(frame, "lost").any() else [])]
    rows = [
        (
            *(plain(row[name]) for name in names),
            row["choices"] or EM_DASH,
            *(str(row[name]) for name in counts),
            in_words(row["low"], row["high"], row["point"], loss),
            plain(row["oracle_lam"]) or EM_DASH,
            in_words(row["oracle_low"], row["oracle_high"], row["oracle"], loss),
        )
        for row in frame.to_dict("records")
    ]
    note = (
        "Each seed's λ is the best on the validation split of the other seeds; every seed is judged on the "
        "test split at its own. The oracle's λ is the best on just those test results; nobody could have "
        "chosen it. Mean [95 % interval, Student's t]."
    )
    header = (*map(_heading, names), "chosen λ", *counts, quantity, "oracle's λ", f"oracle's {quantity}")
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in names]
    return Sheet(
        "λ chosen on validation data", note, header, tuple(rows), (*numeric, *[True] * (4 + len(counts)))
    )


def _setting_cell(row: dict[str, object], name: str) -> str:
    """Return what a row has in a column that names its setting; λ with its choices."""
    return str(row["choices"]) if name == "lam" and row["choices"] else plain(row[name])


def _setting_names(frame: pd.DataFrame, until: str) -> list[str]:
    """Return the columns before one that say something."""
    names = list(frame.columns)[: list(frame.columns).index(until)]
    names = [name for name in names if not is_empty(frame, name)]
    return [name for name in names if name != "stream" or column_of(frame, "stream").nunique() > 1]


def in_words(low: float, high: float, point: float, turned: bool = False) -> str:
    """Return `point [low, high]`; the point alone without an interval, a dash without a point.

    Args:
        low, high, point: of an estimate.
        turned: whether the sign is turned first, for a loss that was oriented so that higher is better.
    """
    if turned:
        low, high, point = -high, -low, -point
    if not np.isfinite(point):
        return EM_DASH
    return short(point) if not np.isfinite(low) else f"{short(point)} [{short(low)}, {short(high)}]"


def plain(value: object) -> str:
    """Return a setting's value as text, empty where it has none."""
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _heading(name: str) -> str:
    """Return a column's heading."""
    return {"lam": "λ"}.get(name, name)
