"""What the statistics promise, simulated: coverage, false claims, and the error of a whole page.

`python tests/simulated_coverage.py` prints the tables; `test_coverage.py` asserts them. «Before» is the
percentile bootstrap, which clbench had at first: kept here to see what few seeds do to it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from clbench.analysis.comparison import compare_runs
from clbench.analysis.statistics import iqm_interval, t_interval

SEEDS = (2, 3, 5, 10, 20)
MEANS = {"normal": 0.0, "exponential": 1.0}
Interval = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def percentile_bootstrap(values: np.ndarray, resamples: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2.5 and 97.5 % quantiles of the mean over resamples of the seeds; values `[rows, seeds]`."""
    count = values.shape[1]
    times = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=resamples)
    low, high = np.quantile(values @ (times / count).T, [0.025, 0.975], axis=1)
    return low, high


def draws(kind: str, seeds: int, rows: int, seed: int = 0) -> np.ndarray:
    """Return values `[rows, seeds]` of a distribution with standard deviation 1."""
    return getattr(np.random.default_rng([seed, seeds]), f"standard_{kind}")(size=(rows, seeds))


def coverage(interval: Interval, kind: str, seeds: int, rows: int) -> float:
    """Return how often an interval holds the mean."""
    low, high = interval(draws(kind, seeds, rows))
    return float(((low <= MEANS[kind]) & (high >= MEANS[kind])).mean())


def false_claims(interval: Interval, kind: str, seeds: int, rows: int) -> float:
    """Return how often «a > b» is claimed of equal distributions: the difference's interval lies above 0."""
    low, _ = interval(draws(kind, seeds, rows, 1) - draws(kind, seeds, rows, 2))
    return float((low > 0).mean())


def page(
    generator: np.random.Generator,
    seeds: int = 10,
    strategies: int = 6,
    lams: int = 4,
    scenarios: int = 3,
    shared: float = 0.5,
) -> pd.DataFrame:
    """Return runs without any difference between strategies, λ or scenarios.

    A run's test score is its seed's effect plus noise of its own; its validation score shares a part of that
    noise, as the same network's does.
    """
    names = [("naive", np.nan)]
    names += [(f"s{place}", 10.0**lam) for place in range(strategies) for lam in range(lams)]
    frame = pd.DataFrame(
        [(*name, seed, f"c{place}") for place in range(scenarios) for name in names for seed in range(seeds)],
        columns=["strategy", "lam", "seed", "stream.scenario"],
    )
    both, own = generator.normal(size=(2, len(frame)))
    effect = generator.normal(size=seeds)[frame["seed"]]
    test = effect + both
    val = effect + np.sqrt(shared) * both + np.sqrt(1 - shared) * own
    frame.insert(3, "stream", "toy")
    return frame.assign(status="done", test_accuracy_A=test, val_accuracy_A=val, acc=test)


def page_errors(pages: int, seeds: int = 10, shared: float = 0.5) -> dict[str, float]:
    """Return type I errors at .05 over pages without any difference; `shared` as for `page`.

    `family`: a family has some p_holm ≤ .05; `page`: some family of the page has; `row`: a single p is.
    """
    generator = np.random.default_rng(seeds)
    families, anywhere, rows = [], [], []
    for _ in range(pages):
        table = compare_runs(page(generator, seeds, shared=shared))
        members = table[table["family"] > 0]
        found = members.groupby("stream.scenario")["p_holm"].min() <= 0.05
        families.extend(found)
        anywhere.append(found.any())
        rows.extend(members["p"] <= 0.05)
    return {"family": np.mean(families), "page": np.mean(anywhere), "row": np.mean(rows)}


def choice_error(seeds: int, lams: int, shared: float, rows: int) -> float:
    """Return how often the t interval of a chosen λ's difference from naive excludes 0, where there is none.

    Written again without pandas: every seed takes the λ with the best sum over the other seeds' validation.
    """
    generator = np.random.default_rng([seeds, lams])
    naive, (test, own) = generator.normal(size=(rows, seeds)), generator.normal(size=(2, rows, seeds, lams))
    val = np.sqrt(shared) * test + np.sqrt(1 - shared) * own
    chosen = (val.sum(axis=1, keepdims=True) - val).argmax(axis=2)
    low, high = t_interval(np.take_along_axis(test, chosen[..., None], axis=2)[..., 0] - naive)
    return float(((low > 0) | (high < 0)).mean())


def main() -> None:
    """Print the tables."""
    methods = {"before": percentile_bootstrap, "Student's t": t_interval, "IQM's t": iqm_interval}
    for title, simulate in (("coverage of 95 %", coverage), ("false «a > b»", false_claims)):
        for kind in MEANS:
            for name, interval in methods.items():
                if kind == "exponential" and name == "IQM's t":
                    continue  # an IQM is not the mean of a skewed distribution
                found = [f"{simulate(interval, kind, seeds, 20_000):.3f}" for seeds in SEEDS]
                print(f"{title:17} {kind:12} {name:12} n = {SEEDS}: {' '.join(found)}")
    for seeds in (5, 10):
        for shared in (0.0, 0.5):
            found = page_errors(300, seeds, shared)
            print(f"pages without a difference, n = {seeds}, {shared} of the noise shared: {found}")
    for seeds in (5, 10, 20):
        found = [f"{choice_error(seeds, lams, 0.5, 20_000):.3f}" for lams in (2, 4, 8)]
        print(f"a chosen λ without a difference, n = {seeds}, λ = 2, 4, 8: {' '.join(found)}")


if __name__ == "__main__":
    main()
