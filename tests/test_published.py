"""The comparison with a published table: errors and verdicts by hand and by scipy, what is read and shown."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import yaml
from rich.console import Console
from synthetic_runs import Outcome, make_result, make_run

from clbench.analysis.load import Records, load
from clbench.analysis.published import (
    compare_published,
    write_comparisons,
)
from clbench.analysis.published_table import find_table, read_table, standard_error
from clbench.analysis.statistics import holm
from clbench.analysis.study import read_study
from clbench.analysis.welch import welch
from clbench.errors import ConfigurationError
from clbench.figures.charts.published import draw_published, plot_published
from clbench.figures.scores import arrange
from clbench.figures.setting import Setting
from clbench.launcher.places import root
from clbench.records import write_run, write_sweep
from clbench.report.published import published_sheet, published_table

STUDIES = ("hsu2018_split_mnist", "vandeven2018_permuted_mnist", "chaudhry2019_permuted_mnist17")
SCENARIOS = ("task", "domain", "class")
NODE = {
    "source": "Someone 2018",
    "table": "hsu2018_split_mnist.csv",
    "spread": "std",
    "n": 10,
    "of": {
        "adam": {"strategy": "naive", "optimizer": "adam"},
        "sgd": {"strategy": "naive", "optimizer": "sgd"},
        "offline": {"strategy": "joint"},
        "mas": {"strategy": "mas"},
        "si": {"strategy": "si", "strategy.importance.clamp": False},
    },
    "pooled": {"offline": [3, 1]},
    "reasons": {"sgd": "any scenario", "sgd/class": "this scenario"},
}


def make_results(rows, folder="nowhere"):
    """Return results with the columns that the comparison reads."""
    frame = pd.DataFrame(
        rows, columns=["strategy", "optimizer", "stream.scenario", "seed", "acc", "test_accuracy_0"]
    )
    frame["test_accuracy_1"] = 2 * frame["acc"] - frame["test_accuracy_0"]
    frame["status"], frame["lam"] = "done", np.nan
    frame["run"] = [f"run{index}" for index in range(len(frame))]
    return Records(Path(folder), frame)


def of(comparisons, method, scenario):
    return next(item for item in comparisons if (item.row.method, item.row.scenario) == (method, scenario))


@pytest.fixture
def comparisons():
    rows = [("naive", "adam", "class", seed, 0.197 + 0.001 * seed, 0.0) for seed in range(3)]
    rows += [
        ("naive", "sgd", scenario, seed, 0.5, 0.5) for scenario in ("task", "class") for seed in (0, 1, 2)
    ]
    rows += [("joint", "adam", "class", seed, 0.95, 1.0) for seed in range(3)]
    rows += [("mas", "adam", "class", seed, 0.2, 0.2) for seed in range(2)]
    return compare_published(make_results(rows), NODE)


def test_the_three_spreads_mean_the_same():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    expected = scipy.stats.sem(values)
    assert standard_error(values.std(ddof=0), "std", 4) == pytest.approx(expected, rel=1e-12)
    assert standard_error(values.std(ddof=1), "sd", 4) == pytest.approx(expected, rel=1e-12)
    assert standard_error(expected, "sem", 4) == pytest.approx(expected, rel=1e-12)
    assert standard_error(float("nan"), "std", 4) == 0


def theirs_and_ours(shift, seed=3):
    random = np.random.default_rng(seed)
    return shift + 0.3 * random.normal(size=9), random.normal(size=6)


@pytest.mark.parametrize("shift", np.linspace(-3, 3, 13))
def test_p_is_that_of_welchs_test_and_agrees_with_the_interval(shift):
    theirs, ours = theirs_and_ours(shift)
    error = standard_error(theirs.std(), "std", 9)
    found = welch(ours, theirs.mean(), error, 9, 12)  # twelve digits: rounding is out of the picture
    expected = scipy.stats.ttest_ind_from_stats(
        ours.mean(), ours.std(ddof=1), 6, theirs.mean(), theirs.std(ddof=1), 9, equal_var=False
    )
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    interval = scipy.stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    ends = (found.value - found.allowed, found.value + found.allowed)
    assert ends == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_rounding_of_print_is_allowed_for():
    theirs, ours = theirs_and_ours(1.0)
    error = standard_error(theirs.std(), "std", 9)
    rounded = welch(ours, theirs.mean(), error, 9, 1)
    exact = welch(ours, theirs.mean(), error, 9, 12)
    assert rounded.allowed == pytest.approx(exact.allowed + 0.05)
    nearest = theirs.mean() - 0.05  # the mean that they may have rounded, nearest to ours
    assert rounded.p == pytest.approx(welch(ours, nearest, error, 9, 12).p, rel=1e-6)
    # Without any spread, within rounding or not.
    assert [welch(np.ones(3), mean, 0.0, 10, 2).p for mean in (1.005, 1.006)] == [1.0, 0.0]
    assert welch(np.ones(3), 1.0, 0.0, 10, 2).allowed == pytest.approx(0.005)


def published_rows(ps, monkeypatch, alloweds=None):
    """Return what is said of a table whose rows have these p."""
    values = iter(zip(ps, alloweds or [0.5] * len(ps), strict=True))

    class Given:
        def __init__(self, pair):
            self.p, self.allowed = pair

    monkeypatch.setattr("clbench.analysis.published.welch", lambda *_: Given(next(values)))
    rows = [("naive", "adam", scenario, seed, 0.2, 0.2) for scenario in SCENARIOS for seed in range(3)]
    rows += [("naive", "sgd", scenario, seed, 0.2, 0.2) for scenario in SCENARIOS for seed in range(3)]
    found = compare_published(make_results(rows), NODE)
    return [item for item in found if item.n][: len(ps)]


def test_rows_are_judged_by_p_corrected_for_the_table(monkeypatch):
    found = published_rows([0.015, 0.2, 0.008, 0.5, 0.9, 0.6], monkeypatch)
    expected = holm_by_hand([0.015, 0.2, 0.008, 0.5, 0.9, 0.6])
    assert [item.p_holm for item in found] == pytest.approx(expected)
    assert [item.mark for item in found] == ["✅ weak", "✅", "❌", "✅", "✅", "✅"]
    assert found[0].reason.startswith("p < .05 by itself, not among 6 rows; ")
    assert found[2].reason == "no reason found yet"


def holm_by_hand(ps):
    """Return Holm's p by its definition, a slow loop."""
    order = np.argsort(ps)
    found, largest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        found[index] = largest
    return found


def test_agreement_that_is_hardly_known_is_weak(monkeypatch):
    alloweds = [0.99, 1.01, 5.0, 0.5, 0.5, 0.5]
    found = published_rows([0.5] * 6, monkeypatch, alloweds)
    assert [item.word for item in found[:3]] == ["agrees", "agrees weakly", "agrees weakly"]
    assert found[1].reason == "the difference is known to ±1.01 only"


def test_a_lost_seed_leaves_a_row_unjudged():
    rows = [("naive", "adam", "class", seed, 0.2, 0.2) for seed in range(4)]
    results = make_results(rows)
    results.runs.loc[2, "status"] = "diverged"
    found = of(compare_published(results, NODE), "adam", "class")
    assert (found.mark, found.n) == ("–", 3)
    assert found.reason == "not compared: 1 of 4 seeds lost: diverged (seed 2)"


@pytest.mark.slow
def test_a_table_of_equal_means_has_a_false_cross_in_one_of_twenty_at_most():
    """Without the correction most tables of 36 rows have one (1 − .95³⁶ = .84 if tests were independent)."""
    random = np.random.default_rng(0)
    crossed = {"alone": 0, "corrected": 0}
    tables = 2000
    for _ in range(tables):
        p = []
        for spread in np.geomspace(0.05, 7, 36):
            ours, theirs = random.normal(50, spread, 10), random.normal(50, spread, 10)
            error = standard_error(theirs.std(), "std", 10)
            p.append(welch(ours, float(f"{theirs.mean():.2f}"), error, 10, 2).p)
        crossed["alone"] += min(p) < 0.05
        crossed["corrected"] += holm(np.array(p)).min() < 0.05
    assert crossed["corrected"] / tables <= 0.05 + 0.01
    assert crossed["alone"] / tables > 0.7


def test_means_and_verdicts_by_hand(comparisons):
    adam = of(comparisons, "adam", "class")
    assert (adam.n, adam.mark) == (3, "✅")
    assert adam.ours == pytest.approx(19.8) and adam.difference == pytest.approx(19.8 - 19.71)
    # s = 0.1 over 3 seeds, 0.08 (divided by 10) over 10: √(0.1²/3 + 0.08²/9), t of 2.95 degrees.
    error = np.hypot(0.1 / np.sqrt(3), 0.08 / 3)
    freedom = error**4 / ((0.1**2 / 3) ** 2 / 2 + (0.08**2 / 9) ** 2 / 9)
    expected = scipy.stats.t.ppf(0.975, freedom) * error + 0.005
    assert adam.allowed == pytest.approx(expected, rel=1e-9)


def test_reasons_are_told_for_what_differs_only(comparisons):
    assert of(comparisons, "sgd", "class").reason == "this scenario"
    assert of(comparisons, "sgd", "task").reason == "any scenario"
    assert of(comparisons, "sgd", "task").mark == "❌"
    assert of(comparisons, "adam", "class").reason == ""


def test_what_is_not_there_is_not_compared(comparisons):
    assert of(comparisons, "adam", "task").reason == "not compared: there are no finished runs of it"
    assert of(comparisons, "si", "task").reason == (
        "not compared: there are no finished runs of it: none has strategy.importance.clamp"
    )
    assert of(comparisons, "gem", "task").reason == "not compared: the study does not run it"
    alone = of(comparisons, "mas", "class")
    assert (alone.mark, alone.n, alone.ours) == ("–", 2, pytest.approx(20.0))
    assert "fewer than 3 seeds" in alone.reason


def test_pooled_accuracy_weighs_tasks_by_their_samples(comparisons):
    # Tasks at 1.0 and 0.9 with 3 : 1 samples, where the mean over tasks is 0.95.
    assert of(comparisons, "offline", "class").ours == pytest.approx(100 * (3 * 1.0 + 1 * 0.9) / 4)


def test_a_condition_may_be_on_what_all_runs_of_a_strategy_agree_on(tmp_path):
    """`runs.csv` has no column for it, and the first run, another strategy's, knows nothing of it."""
    outcome = Outcome([[0.9, 0.3], [0.6, 0.8]], [0.1, 0.2])
    for name, own in (("naive", {}), ("si", {"importance": {"clamp": False}})):
        for seed in range(3):
            strategy = {"_target_": f"toy.{name}", **own}
            config = {"stream": {"scenario": "class"}, "strategy": strategy, "optimizer": {"lr": 0.1}}
            run = make_run(name, None if name == "naive" else 1.0, seed)
            write_run(tmp_path / f"{name}{seed}", run, make_result(outcome), config)
    write_sweep(tmp_path)
    results = load(tmp_path)
    assert "strategy.importance.clamp" not in results.runs
    found = of(compare_published(results, NODE), "si", "class")
    assert (found.n, found.ours) == (3, pytest.approx(70.0))


def test_two_settings_that_fit_one_row_are_not_mixed():
    rows = [("naive", optimizer, "class", 0, 0.2, 0.2) for optimizer in ("adam", "adam")]
    found = of(compare_published(make_results(rows), NODE), "adam", "class")
    assert found.reason == "not compared: several runs per seed fit it"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"table": "nothing.csv"}, "study.published.table=nothing.csv"),
        ({"spread": "range"}, "study.published.spread=range"),
        ({"n": None}, "got none of n"),
    ],
)
def test_mistakes_are_named(change, words):
    node = {key: value for key, value in (NODE | change).items() if value is not None}
    with pytest.raises(ConfigurationError, match=words):
        compare_published(make_results([]), node)


@pytest.mark.parametrize("name", STUDIES)
def test_studies_name_only_methods_of_their_table(name):
    study = yaml.safe_load((root() / "experiments" / f"{name}.yaml").read_text(encoding="utf-8"))["study"]
    node = study["published"]
    rows = read_table(find_table(node["table"]))
    assert len(rows) > 10 and {row.unit for row in rows} <= {"%", "1"}
    assert set(node["of"]) == {row.method for row in rows}
    # What a row means is told apart by something that the grids set.
    strategies = {choice for grid in study["grids"] for choice in str(grid["strategy"]).split(",")}
    assert {conditions["strategy"] for conditions in node["of"].values()} <= strategies


def sweep_of(comparisons):
    runs = pd.DataFrame({"run": ["a"], "strategy": "naive", "lam": np.nan, "seed": 0, "stream": "toy"})
    scores = arrange(runs.assign(status="done"), pd.DataFrame())
    return Setting(scores, Path, published=tuple(comparisons), source=NODE["source"])


def test_the_sheet_the_file_and_the_picture(tmp_path, comparisons):
    (tmp_path / "multirun.yaml").write_text(yaml.safe_dump({"study": {"published": NODE}}))
    assert read_study(tmp_path).published == NODE
    assert read_study(tmp_path / "empty").published == {}
    sheet = published_sheet(comparisons, NODE["source"])
    row = next(row for row in sheet.rows if row[:2] == ("adam", "class"))
    assert row[3] == "19.71 ± 0.08" and row[4].startswith("19.80 [") and row[5:7] == ("3", "0.276")
    assert row[8] == "✅" and sheet.note.startswith("2 ✅, 0 ✅ weak, 2 ❌, 32 not compared")
    console = Console(width=160, file=io.StringIO())
    console.print(published_table(sheet))
    assert "19.71 ± 0.08" in console.file.getvalue()
    table = pd.read_csv(write_comparisons(tmp_path, comparisons))
    assert table["verdict"].value_counts().to_dict() == {"not compared": 32, "agrees": 2, "differs": 2}
    assert table["p_holm"].notna().sum() == 4
    drawing = draw_published(sweep_of(comparisons), "acc")
    assert drawing.caption.startswith(NODE["source"])
    assert [ax.get_title() for ax in drawing.figure.axes] == ["class-incremental", "task-incremental"]
    shown = [item for item in comparisons if item.row.scenario == "class" and np.isfinite(item.ours)]
    axes = plot_published(shown, [item.row.method for item in shown])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["adam", "sgd", "mas", "offline"]
    assert draw_published(sweep_of([]), "acc") is None
