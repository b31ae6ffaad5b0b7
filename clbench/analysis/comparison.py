"""Strategies against each other, paired by seed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clbench.analysis.settings import context_columns, group_by, strategy_columns
from clbench.analysis.statistics import estimate, holm, iqm, mean, sign_flip_p
from clbench.errors import ConfigurationError, known


def compare_runs(
    runs: pd.DataFrame, baseline: str = "naive", metric: str | None = None, seed: int = 0
) -> pd.DataFrame:
    """Return, per setting, mean and IQM over seeds and the paired difference from a baseline.

    A setting is a strategy with its hyperparameters within a context (stream, model, …). It is compared with
    the baseline's run of the same seed in the same context, and all comparisons of one call are the family
    of Holm's correction. Runs without a value (diverged ones) count in no estimate; `n` and `pairs` say how
    many did.

    Args:
        runs: as in `runs.csv`.
        baseline: a strategy that has one setting per context.
        metric: a numeric column of `runs.csv`; `acc` by default.
        seed: of the sign patterns, where more than 12 pairs have them drawn.

    Returns:
        per setting: the context, `strategy`, `lam`, …, `metric`, `mean_low, mean_high, mean, iqm_low,
        iqm_high, iqm, n`, `difference_low, difference_high, difference, pairs, p, p_holm`, where difference
        = mean over seeds of (setting − baseline); empty for the baseline itself.

    Raises:
        ConfigurationError: no such column or strategy, or the baseline has several settings.
    """
    metric = metric or "acc"
    _check(runs, baseline, metric)
    context, strategy = context_columns(runs), strategy_columns(runs)
    rows, values, differences = [], [], []
    for shared, members in group_by(runs, context):
        reference = members[members["strategy"] == baseline]
        for own, group in group_by(members, strategy):
            rows.append(shared | own | {"metric": metric})
            values.append(group[metric].to_numpy(np.float64))
            is_baseline = own["strategy"] == baseline
            differences.append(np.empty(0) if is_baseline else paired(group, reference, metric))
    table = pd.DataFrame(rows)
    for name, statistic in (("mean", mean), ("iqm", iqm)):
        table[[f"{name}_low", f"{name}_high", name]] = estimate(values, statistic)
    table["n"] = [int(np.isfinite(group).sum()) for group in values]
    table[["difference_low", "difference_high", "difference"]] = estimate(differences)
    table["pairs"] = [len(group) for group in differences]
    table["p"] = [float(sign_flip_p(group, np.random.default_rng(seed))) for group in differences]
    table["p_holm"] = holm(table["p"].to_numpy())
    return table


def paired(group: pd.DataFrame, reference: pd.DataFrame, metric: str) -> np.ndarray:
    """Return `group − reference` for the seeds that both have a finite value for, in order of seed."""
    both = pd.concat(
        [group.set_index("seed")[metric], reference.set_index("seed")[metric]], axis=1, join="inner"
    )
    values = both.sort_index().to_numpy(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    return values[:, 0] - values[:, 1]


def _check(runs: pd.DataFrame, baseline: str, metric: str) -> None:
    """Raise for what can't be compared."""
    problems = []
    numeric = [name for name in runs.columns if pd.api.types.is_numeric_dtype(runs[name])]
    if metric not in numeric:
        problems.append(
            f"A metric must be a numeric column of runs.csv; got metric={metric}. {known(numeric)}"
        )
    base = runs[runs["strategy"] == baseline]
    if base.empty:
        strategies = known(set(runs["strategy"]))
        problems.append(
            f"The baseline must be a strategy of the sweep; got baseline={baseline}. {strategies}"
        )
    elif base.duplicated([*context_columns(runs), "seed"]).any():
        problems.append(
            f"The baseline must have one run per seed; got baseline={baseline} with several settings. "
            "Load a sweep in which it has one, or take another baseline."
        )
    if problems:
        raise ConfigurationError(*problems)
