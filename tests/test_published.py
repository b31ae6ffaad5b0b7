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

from clbench.analysis.load import Results, load
from clbench.analysis.published import (
    allowed_difference,
    compare_published,
    write_comparisons,
)
from clbench.analysis.published_table import find_table, read_table, standard_error
from clbench.analysis.study import read_study
from clbench.errors import ConfigurationError
from clbench.figures.published import draw_published, plot_published
from clbench.launcher.places import root
from clbench.records import write_run, write_sweep
from clbench.report.published import published_sheet, published_table

STUDIES = ("hsu2018_split_mnist", "vandeven2018_permuted_mnist", "chaudhry2019_permuted_mnist17")
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
    return Results(Path(folder), frame)


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


def test_a_row_agrees_exactly_where_the_welch_test_does():
    random = np.random.default_rng(3)
    verdicts = []
    for shift in np.linspace(-3, 3, 61):
        ours, theirs = random.normal(size=6), shift + 0.3 * random.normal(size=9)
        error = standard_error(theirs.std(), "std", 9)
        # Rounding is out of the picture with nine digits.
        agrees = abs(ours.mean() - theirs.mean()) <= allowed_difference(ours, error, 9, 9)
        verdicts.append(agrees)
        assert agrees == (scipy.stats.ttest_ind(ours, theirs, equal_var=False).pvalue >= 0.05)
    assert 5 < sum(verdicts) < 55


def test_rounding_of_print_is_allowed_for():
    assert allowed_difference(np.ones(3), 0.0, 10, 2) == pytest.approx(0.005)


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


def test_the_sheet_the_file_and_the_picture(tmp_path, comparisons):
    (tmp_path / "multirun.yaml").write_text(yaml.safe_dump({"study": {"published": NODE}}))
    assert read_study(tmp_path).published == NODE
    assert read_study(tmp_path / "empty").published == {}
    sheet = published_sheet(comparisons, NODE["source"])
    row = next(row for row in sheet.rows if row[:2] == ("adam", "class"))
    assert row[3] == "19.71 ± 0.08" and row[4].endswith(" 19.80") and row[5:7] == ("3", "✅")
    assert sheet.note.startswith("2 ✅, 2 ❌, 32 not compared")
    console = Console(width=160, file=io.StringIO())
    console.print(published_table(sheet))
    assert "19.71 ± 0.08" in console.file.getvalue()
    table = pd.read_csv(write_comparisons(tmp_path, comparisons))
    assert table.loc[table["ours"].notna(), "agrees"].astype("str").tolist().count("True") == 2
    picture = draw_published(comparisons, NODE["source"], tmp_path)
    assert picture.png.stat().st_size > 1000 and picture.svg.exists()
    shown = [item for item in comparisons if item.row.scenario == "class" and np.isfinite(item.ours)]
    axes = plot_published(shown, [item.row.method for item in shown])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["adam", "sgd", "mas", "offline"]
    assert draw_published([], NODE["source"], tmp_path) is None
