"""What reads curves compares the same samples at every point: a network that does not move has no gap."""

import numpy as np
import pandas as pd
import pytest
from own_streams import Days
from test_metrics import CURVE, FULL, STAGE, STEP, B, R

import clbench
from clbench.analysis.curves import run_metrics
from clbench.config import Evaluation, Training
from clbench.engine import progress, train
from clbench.engine.store import StageStore
from clbench.execution import Execution
from clbench.models import MLP
from clbench.optimizers import SGD
from clbench.records import metrics, write_run, write_sweep
from clbench.runs import Run
from clbench.strategies import Naive

# On the subset every task scores 0.1 less than on its whole split, except task 1 after stage 2: 0.3 less.
ENDS = np.array([B, *R]) - 0.1
ENDS[2, 0] = 0.3


def test_curves_read_the_subset_at_the_ends_of_stages_and_the_matrix_whole_splits():
    values, diagonal = metrics.all_metrics(CURVE, STEP, STAGE, FULL, ENDS)
    whole, _ = metrics.all_metrics(CURVE, STEP, STAGE, FULL)
    same = ("acc", "bwt", "fwt", "forgetting", "learning_accuracy")
    assert {name: values[name] for name in same} == {name: whole[name] for name in same}
    assert diagonal.tolist() == [0.9, 0.8, 1.0]
    # Task 1 in stage 2: 0.8 before, 0.3 at the end, lowest 0.2, so 0.1 deep; back at step 20 of 11 … 20.
    # Task 1 in stage 3: 0.3 before, 0.6 at the end, never below 0.3: no gap.
    # Task 2 in stage 3: 0.7 before, 0.4 at the end, lowest 0.1, so 0.3 deep; back at step 25 (0.4).
    found = {(gap.task, gap.stage): (gap.depth, gap.recovery) for gap in _gaps()}
    assert found[0, 1] == (pytest.approx(0.1), 5) and found[0, 2] == (0.0, 0)
    assert found[1, 2] == (pytest.approx(0.3), 5)
    assert values["gap_depth"] == pytest.approx(0.4 / 3)
    assert values["gap_recovery"] == pytest.approx(10 / 3)
    assert values["min_acc"] == pytest.approx((0.2 + 0.1) / 2)
    assert values["wc_acc"] == pytest.approx(0.9 / 3 + 2 / 3 * 0.15)
    by_point = [0.4, 0.8, 0.8, (0.2 + 0.4) / 2, (0.65 + 0.7) / 2, (0.3 + 0.7) / 2]
    by_point += [(0.5 + 0.1 + 0.6) / 3, (0.55 + 0.4 + 0.9) / 3, (0.6 + 0.4 + 0.9) / 3]
    assert values["aaa"] == pytest.approx(sum(by_point) / 9)


def _gaps():
    curve = CURVE.copy()
    curve[FULL] = ENDS
    return metrics.gaps(curve, STAGE, STEP)


def still_run(scores_seed=0, subset=16, points=4):
    return Run(
        *(Days(("A", "B", "C")), MLP(hidden=(7,)), Naive(), SGD(lr=1e-12)),
        training=Training(steps=8, batch_size=8),
        evaluation=Evaluation(points=points, subset=subset),
        seed=scores_seed,
    )


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """Runs that hardly move, recorded: two seeds, evaluated on subsets and on whole splits."""
    folder = tmp_path_factory.mktemp("still")
    runs = [still_run(seed, subset) for seed in (0, 1) for subset in (16, None)]
    train(
        runs,
        lambda number, result: write_run(folder / f"r{number}", runs[number], result),
        execution=Execution(threads=1),
    )
    write_sweep(folder)
    return clbench.load(folder).records


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_a_network_that_does_not_move_has_no_gap_and_forgets_nothing(still, metric):
    for run, losses in still.losses.groupby("run"):
        rows = still.subset[still.subset["run"] == run]
        values = run_metrics(losses, metric, rows if len(rows) else None)
        assert values["gap_depth"] == values["gap_recovery"] == values["forgetting"] == values["bwt"] == 0
        # The worst moment of an old task is its only one, on the samples that are looked at all the time.
        shown = rows if len(rows) else losses
        last = shown[(shown["split"] == "test") & (shown["step"] == 24)].set_index("task")[metric]
        sign = -1 if metric == "loss" else 1
        assert values["min_acc"] == pytest.approx(sign * last[["A", "B"]].mean(), abs=1e-15)
        assert values["wc_acc"] == pytest.approx(sign * last.mean(), abs=1e-15)


def test_runs_csv_says_what_the_files_say(still):
    runs = still.runs.set_index("run")
    assert sorted(pd.unique(still.subset["run"])) == ["r0", "r2"]  # the others are evaluated in full
    for run, losses in still.losses.groupby("run"):
        rows = still.subset[still.subset["run"] == run]
        values = run_metrics(losses, None, rows if len(rows) else None)
        for name in ("acc", "fwt", "min_acc", "wc_acc", "gap_depth", "gap_recovery", "aaa"):
            assert values[name] == runs.loc[run, name]
    # Without the subset's values, halves of different samples would be compared.
    assert run_metrics(still.losses[still.losses["run"] == "r0"])["gap_depth"] > 0.005


def test_losses_csv_has_whole_splits_at_the_ends_of_stages(still):
    ends = still.losses[still.losses["step"].isin([0, 8, 16, 24])]
    of = {run: rows.drop(columns="run").reset_index(drop=True) for run, rows in ends.groupby("run")}
    pd.testing.assert_frame_equal(of["r0"], of["r1"])


def test_without_points_between_the_ends_all_metrics_read_whole_splits():
    results = {}
    runs = [still_run(points=1, subset=subset) for subset in (16, None)]
    train(runs, results.__setitem__, execution=Execution(threads=1))
    assert np.array_equal(results[0].subset["loss"], results[1].loss)
    assert np.array_equal(results[0].loss, results[1].loss)


def test_stored_stages_bring_the_subsets_values_along(tmp_path):
    results = []
    for _ in range(2):
        store = StageStore(tmp_path)
        train(
            [still_run()],
            lambda number, result: results.append(result),
            execution=Execution(threads=1),
            store=store,
        )
    assert results[1].trained_here < results[0].trained_here
    assert all(
        np.array_equal(results[0].subset[name], results[1].subset[name]) for name in ("loss", "accuracy")
    )


@pytest.mark.parametrize(("seconds", "lines"), [(0.0, 1), (1e9, 0)])
def test_long_evaluation_of_many_tasks_is_told_once_with_what_to_set(monkeypatch, caplog, seconds, lines):
    monkeypatch.setattr(progress, "LONG_EVALUATION", seconds)
    run = Run(
        *(Days(tuple(map(str, range(20)))), MLP(hidden=(4,)), Naive(), SGD(lr=0.1)),
        training=Training(steps=1, batch_size=8),
        evaluation=Evaluation(points=1, subset=None),
    )
    with caplog.at_level("INFO", logger="clbench.engine.progress"):
        train([run], lambda number, result: None, execution=Execution(threads=1))
    told = [record.getMessage() for record in caplog.records if "Evaluation takes" in record.getMessage()]
    assert len(told) == lines
    assert all("all 20 tasks" in line and "evaluation=final" in line for line in told)
