"""The end table: what it holds, and what a person sees of it."""

import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from synthetic_runs import Outcome, make_result, make_run

import clbench
from clbench.analysis.tables import _estimate_cell, _short_names, end_table, end_table_for_terminal, short
from clbench.records import write_run, write_sweep


def sweep_of(folder, runs):
    """Write runs `(run, outcome)` and return their rows."""
    for index, (run, outcome) in enumerate(runs):
        write_run(folder / str(index), run, make_result(outcome), None)
    write_sweep(folder)
    return clbench.load(folder).runs


def shown(runs, width=200):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(end_table_for_terminal(runs))
    return console.export_text()


def two_strategies(score="accuracy"):
    runs = []
    for seed in range(4):
        naive = Outcome([[0.9, 0.3], [0.1 + 0.1 * seed, 0.8]], [0.1, 0.2], score=score)
        l2 = Outcome([[0.9, 0.3], [0.6, 0.7]], [0.1, 0.2], score=score)
        runs += [(make_run("naive", None, seed), naive), (make_run("l2", 0.01, seed), l2)]
    return runs


def test_the_table_holds_mean_and_interval_per_setting(tmp_path):
    table = end_table(sweep_of(tmp_path, two_strategies()))
    assert list(table["strategy"]) == ["naive", "l2"] and list(table["n"]) == [4, 4]
    naive = table.iloc[0]
    assert naive["test_accuracy_A"] == pytest.approx(0.25)
    # s of .1 .2 .3 .4 is √(.05/3), t(3 degrees, 97.5 %) = 3.18245, so the interval is .25 ∓ .20543.
    assert naive["test_accuracy_A_low"] == pytest.approx(0.25 - 0.20543, abs=1e-5)
    assert naive["test_accuracy_A_high"] == pytest.approx(0.25 + 0.20543, abs=1e-5)
    assert naive["forgetting"] == pytest.approx(0.65) and naive["acc"] == pytest.approx(0.525)
    assert table.iloc[1]["test_accuracy_B_low"] == table.iloc[1]["test_accuracy_B_high"] == 0.7


def test_a_person_sees_interval_point_and_n(tmp_path):
    text = shown(sweep_of(tmp_path, two_strategies()))
    l2 = next(line for line in text.splitlines() if "l2" in line)
    estimates = ["0.600 [0.600,0.600]", "0.700 [0.700,0.700]", "0.650 [0.650,0.650]", "0.300 [0.300,0.300]"]
    assert re.split(r"\s{2,}", l2.strip()) == ["l2", "0.01", "4", *estimates]
    assert "accuracy A" in text and "λ" in text and "lost" not in text


def test_a_narrow_terminal_breaks_lines_and_loses_nothing(tmp_path):
    text = shown(sweep_of(tmp_path, two_strategies()), width=80)
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    assert "[0.600,0.600]" in text and "strategy" in text and "naive" in text


def test_a_table_that_does_not_fit_leaves_tasks_out_and_says_so(tmp_path):
    runs = [(make_run(tasks=5, seed=seed), Outcome(np.eye(5).tolist(), [0.0] * 5)) for seed in range(2)]
    runs = sweep_of(tmp_path, runs)
    wide, medium, narrow = (shown(runs, width) for width in (150, 80, 45))
    assert all(f"accuracy {task}" in wide for task in range(5)) and "wider" not in wide
    for text, width in ((medium, 80), (narrow, 45)):
        assert "…" not in text and max(map(len, text.splitlines())) <= width
        assert "ACC" in text and "forgetting" in text and "a wider terminal" in " ".join(text.split())
    heading = medium.splitlines()[2:4]
    assert "0" in "".join(heading) and "4" in "".join(heading) and "2" not in "".join(heading)
    assert "accuracy" not in narrow.splitlines()[2] and "[0.200,0.200]" in narrow


def test_no_width_cuts_a_number(tmp_path):
    runs = sweep_of(tmp_path, two_strategies())
    for width in range(49, 120, 5):  # 49 is what the two metrics need
        assert "…" not in shown(runs, width)


def test_an_interval_has_the_decimals_of_its_largest_number():
    row = {"x_low": -0.0278, "x_high": 1.5e-8, "x": -0.0139}
    assert _estimate_cell(row, "x", False) == "-0.0139 [-0.0278,0.0000]"
    assert _estimate_cell({"x_low": 0.0863, "x_high": 0.185, "x": 0.14}, "x", False) == "0.140 [0.086,0.185]"
    assert (
        _estimate_cell({"x_low": 1e-6, "x_high": 2e-4, "x": 1e-5}, "x", False) == "1.0e-05 [1.0e-06,2.0e-04]"
    )


def test_headings_are_short_where_that_is_clear():
    assert _short_names(["stream.scenario", "lam", "model.width", "strategy.width"]) == {
        "stream.scenario": "scenario",
        "lam": "λ",
        "model.width": "model.width",
        "strategy.width": "strategy.width",
    }


def test_regression_shows_the_mean_loss_as_a_loss(tmp_path):
    runs = sweep_of(tmp_path, two_strategies(score=None))
    text = shown(runs)
    assert "mean loss" in text and "ACC" not in text and "loss A" in text
    assert "0.650 [0.650,0.650]" in next(line for line in text.splitlines() if "l2" in line)
    assert "0.525 [0.422,0.628]" in next(line for line in text.splitlines() if "naive" in line)
    assert end_table(runs).iloc[1]["acc"] == pytest.approx(-0.65)  # the frame keeps the metric's sign


def test_the_loss_can_be_shown_for_a_classification(tmp_path):
    table = end_table(sweep_of(tmp_path, two_strategies()), "loss")
    assert table.iloc[1]["test_loss_A"] == pytest.approx(0.4)


def test_long_streams_show_their_ends(tmp_path):
    matrix = np.tril(np.full((7, 7), 0.5)).tolist()
    runs = sweep_of(tmp_path, [(make_run(tasks=7), Outcome(matrix, [0.0] * 7))])
    names = [name for name in end_table(runs).columns if not name.endswith(("_low", "_high"))]
    assert names[-4:] == ["test_accuracy_0", "test_accuracy_6", "acc", "forgetting"]


def test_lost_runs_are_counted_and_do_not_count(tmp_path):
    runs = two_strategies()
    runs.append((make_run("l2", 0.01, 9), Outcome([[0.0, 0.0], [0.0, 0.0]], [0, 0], status="diverged")))
    runs = sweep_of(tmp_path, runs)
    row = end_table(runs).iloc[1]
    assert (row["n"], row["lost"], row["acc"]) == (4, 1, pytest.approx(0.65))
    assert "lost" in shown(runs)


def test_only_lost_runs_leave_a_dash(tmp_path):
    lost = Outcome([[0.0, 0.0], [0.0, 0.0]], [0, 0], status="diverged")
    assert "–" in shown(sweep_of(tmp_path, [(make_run(), lost)]))


def test_one_run_has_a_point_and_no_interval(tmp_path):
    text = shown(sweep_of(tmp_path, two_strategies()[:1]))
    line = next(line for line in text.splitlines() if "naive" in line)
    assert "[" not in line and "0.800" in line


def test_scenarios_have_rows_of_their_own(tmp_path):
    good, bad = Outcome([[0.9, 0.0], [0.9, 0.9]], [0, 0]), Outcome([[0.9, 0.0], [0.0, 0.9]], [0, 0])
    runs = [(make_run(scenario="task"), good), (make_run(scenario="class"), bad)]
    table = end_table(sweep_of(tmp_path, runs)).set_index("stream.scenario")
    assert table.loc["task", "forgetting"] == 0.0 and table.loc["class", "forgetting"] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.12345, "0.123"),
        (12.345, "12.3"),
        (1234.5, "1234"),
        (0.00012, "1.2e-04"),
        (-0.5, "-0.500"),
        (9.9996, "10.0"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert short(value) == text


def test_a_thousand_runs_take_a_second_or_two(tmp_path):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"run": [str(index) for index in range(1000)], "strategy": "l2"})
    rows["lam"], rows["seed"] = np.repeat(np.arange(100.0), 10), np.tile(np.arange(10), 100)
    rows["stream"], rows["status"] = "toy", "done"
    for name in ("test_loss_A", "test_loss_B", "acc", "forgetting"):
        rows[name] = rng.normal(size=1000)
    assert len(end_table(rows)) == 100
