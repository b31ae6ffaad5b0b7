"""Every metric against a matrix worked out by hand."""

import numpy as np
import pytest
from synthetic_runs import Outcome, make_result, make_run

import clbench
from clbench.records import metrics, write_run, write_sweep
from clbench.records.columns import higher_is_better, oriented
from clbench.records.declared import metric
from clbench.report.sheets import outcome_sheet

# Rows: after stage 1, 2, 3; columns: task 1, 2, 3.
R = np.array([[0.9, 0.3, 0.1], [0.6, 0.8, 0.2], [0.7, 0.5, 1.0]])
B = np.array([0.1, 0.2, 0.15])

# The same run at all points: step 0, two points inside and the end of every stage of 10 steps.
STEP = np.array([0, 1, 5, 10, 11, 15, 20, 21, 25, 30])
STAGE = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
FULL = np.isin(STEP, (0, 10, 20, 30))
CURVE = np.array(
    [
        [0.1, 0.2, 0.15],
        [0.4, 0.2, 0.1],
        [0.8, 0.3, 0.1],
        [0.9, 0.3, 0.1],  # R[1]
        [0.2, 0.4, 0.1],
        [0.65, 0.7, 0.2],
        [0.6, 0.8, 0.2],  # R[2]
        [0.5, 0.1, 0.6],
        [0.55, 0.4, 0.9],
        [0.7, 0.5, 1.0],  # R[3]
    ]
)


def test_acc_is_the_mean_of_the_last_row():
    assert metrics.acc(R) == pytest.approx((0.7 + 0.5 + 1.0) / 3)


def test_bwt_compares_the_end_with_the_moment_of_learning():
    assert metrics.bwt(R) == pytest.approx(((0.7 - 0.9) + (0.5 - 0.8)) / 2)


def test_fwt_compares_the_moment_before_learning_with_initialisation():
    assert metrics.fwt(R, B) == pytest.approx(((0.3 - 0.2) + (0.2 - 0.15)) / 2)


def test_forgetting_starts_from_the_best_once_reached():
    # Task 1 is best after stage 1 (0.9), task 2 after stage 2 (0.8).
    assert metrics.forgetting(R) == pytest.approx(((0.9 - 0.7) + (0.8 - 0.5)) / 2)
    risen = R.copy()
    risen[1, 0] = 0.95  # task 1 got better during stage 2, so more was forgotten
    assert metrics.forgetting(risen) == pytest.approx(((0.95 - 0.7) + (0.8 - 0.5)) / 2)


def test_forgetting_ignores_what_was_good_before_the_task_was_learned():
    lucky = R.copy()
    lucky[0, 1] = 0.99
    assert metrics.forgetting(lucky) == metrics.forgetting(R)


def test_forgetting_is_negative_where_the_last_stage_helps():
    helped = np.array([[0.5, 0.1], [0.8, 0.9]])
    assert metrics.forgetting(helped) == pytest.approx(-0.3)
    assert metrics.bwt(helped) == pytest.approx(0.3)


def test_learning_accuracy_is_the_mean_of_the_diagonal():
    assert metrics.learning_accuracy(R) == pytest.approx((0.9 + 0.8 + 1.0) / 3)


def test_intransigence_is_what_the_reference_learned_more():
    reference = np.array([0.95, 0.9, 0.7])
    assert metrics.intransigence(np.diagonal(R), reference) == pytest.approx((0.05 + 0.1 - 0.3) / 3)


def test_minimum_scores_look_at_every_point_after_the_task():
    # Task 1: lowest after step 10 is 0.2 (step 11); task 2: lowest after step 20 is 0.1 (step 21).
    assert metrics.min_acc(CURVE, STAGE) == pytest.approx((0.2 + 0.1) / 2)
    assert metrics.wc_acc(CURVE, STAGE) == pytest.approx(1.0 / 3 + 2 / 3 * 0.15)


def test_gaps_count_what_is_lost_and_regained():
    found = {(gap.task, gap.stage): gap for gap in metrics.gaps(CURVE, STAGE, STEP)}
    assert set(found) == {(0, 1), (0, 2), (1, 2)}
    # Task 1 in stage 2: 0.9 before, 0.6 at the end, lowest 0.2: 0.4 regained, back at 0.6 at step 15.
    assert found[0, 1].depth == pytest.approx(0.4)
    assert found[0, 1].recovery == 5
    # Task 1 in stage 3: 0.6 before, 0.7 at the end, lowest 0.5: back at 0.6 at step 30.
    assert found[0, 2].depth == pytest.approx(0.1)
    assert found[0, 2].recovery == 10
    # Task 2 in stage 3: 0.8 before, 0.5 at the end, lowest 0.1.
    assert found[1, 2].depth == pytest.approx(0.4)
    assert found[1, 2].recovery == 10
    assert metrics.gap_depth(list(found.values())) == pytest.approx(0.3)
    assert metrics.gap_recovery(list(found.values())) == pytest.approx(25 / 3)


def test_forgetting_without_return_is_no_gap():
    falling = CURVE.copy()
    falling[4:, 0] = [0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    gaps = [gap for gap in metrics.gaps(falling, STAGE, STEP) if gap.task == 0]
    assert [(gap.depth, gap.recovery) for gap in gaps] == [(0.0, 0), (0.0, 0)]


def test_aaa_averages_the_tasks_seen_at_every_point_after_step_0():
    by_point = [0.4, 0.8, 0.9]  # stage 1: task 1 alone
    by_point += [(0.2 + 0.4) / 2, (0.65 + 0.7) / 2, (0.6 + 0.8) / 2]
    by_point += [(0.5 + 0.1 + 0.6) / 3, (0.55 + 0.4 + 0.9) / 3, (0.7 + 0.5 + 1.0) / 3]
    assert metrics.aaa(CURVE, STAGE, STEP) == pytest.approx(sum(by_point) / 9)


def test_all_metrics_take_the_matrix_from_the_ends_of_stages():
    values, diagonal = metrics.all_metrics(CURVE, STEP, STAGE, FULL)
    assert list(values) == list(metrics.METRICS)
    assert values["acc"] == metrics.acc(R)
    assert values["bwt"] == metrics.bwt(R)
    assert values["forgetting"] == metrics.forgetting(R)
    assert values["learning_accuracy"] == metrics.learning_accuracy(R)
    assert values["fwt"] == metrics.fwt(R, CURVE[0])
    assert values["wc_acc"] == pytest.approx(1.0 / 3 + 2 / 3 * 0.15)
    assert np.isnan(values["intransigence"])
    assert diagonal.tolist() == [0.9, 0.8, 1.0]


def test_all_metrics_of_one_task_leave_what_needs_two_empty():
    one = CURVE[:4, :1]
    values, _ = metrics.all_metrics(one, STEP[:4], STAGE[:4], FULL[:4])
    assert values["acc"] == values["learning_accuracy"] == values["wc_acc"] == 0.9
    assert all(np.isnan(values[name]) for name in ("bwt", "fwt", "forgetting", "min_acc", "gap_depth"))


def test_missing_stage_ends_are_refused():
    with pytest.raises(ValueError, match="2 stage ends and 3 tasks"):
        metrics.all_metrics(CURVE, STEP, STAGE, np.isin(STEP, (0, 10, 30)))


def test_losses_enter_with_their_sign_turned():
    losses = np.array([[0.1, 2.0], [0.7, 0.2]])
    matrix = oriented(losses, "loss")
    assert metrics.acc(matrix) == pytest.approx(-0.45)
    assert metrics.forgetting(matrix) == pytest.approx(0.6)
    assert metrics.bwt(matrix) == pytest.approx(-0.6)


@pytest.fixture
def _worst_task():
    """A metric of the user's own, declared for one test: the score of the worst task at the end."""

    @metric(higher_is_better=False, heading="worst", heading_of_losses="worst loss")
    def worst_task(matrix):
        return matrix[-1].min()

    yield
    del metrics.METRICS["worst_task"]


@pytest.mark.usefixtures("_worst_task")
@pytest.mark.parametrize(
    ("score", "heading", "shown"), [("accuracy", "worst", 0.5), (None, "worst loss", 0.7)]
)
def test_a_metric_of_ones_own_stands_in_all_tables(score, heading, shown, tmp_path):
    outcome = Outcome([[0.9, 0.3], [0.5, 0.7]], [0.1, 0.2], score=score)
    for seed in (0, 1):
        write_run(tmp_path / str(seed), make_run(seed=seed), make_result(outcome))
    write_sweep(tmp_path)
    results = clbench.load(tmp_path)
    assert results.runs["worst_task"].tolist() == pytest.approx([shown if score else -shown] * 2)
    assert results.compare("naive", "worst_task")["mean"].tolist() == pytest.approx(
        [shown if score else -shown]
    )
    sheet = outcome_sheet(results.runs)
    assert sheet.header[-1] == heading and sheet.rows[0][-1].startswith(f"{shown:.3f} [")
    assert not higher_is_better("worst_task")


@pytest.mark.usefixtures("_worst_task")
def test_a_metric_of_ones_own_is_read_where_its_code_is_not(tmp_path):
    for seed in (0, 1):
        outcome = Outcome([[0.9, 0.3], [0.5, 0.7 + seed / 8]], [0.1, 0.2])
        write_run(tmp_path / str(seed), make_run(seed=seed), make_result(outcome))
    write_sweep(tmp_path)
    there = outcome_sheet(clbench.load(tmp_path).runs)
    del metrics.METRICS["worst_task"]
    assert outcome_sheet(clbench.load(tmp_path).runs) == there and there.header[-1] == "worst"
    assert not higher_is_better("worst_task") and metrics.METRICS["worst_task"].formula is None
    del metrics.METRICS["worst_task"]
    (tmp_path / "runs.csv").unlink()  # now from the summaries alone
    assert clbench.load(tmp_path).runs["worst_task"].tolist() == [0.5, 0.5]


def test_a_metric_against_the_reference_is_worked_out_in_the_sweep(tmp_path):
    @metric(higher_is_better=False)
    def first_task_behind(diagonal, reference):
        return reference[0] - diagonal[0]

    try:
        for strategy, first in (("naive", 0.9), ("joint", 0.95)):
            outcome = Outcome([[first, 0.3], [0.5, 0.7]], [0.1, 0.2])
            write_run(tmp_path / strategy, make_run(strategy), make_result(outcome))
        write_sweep(tmp_path)
        assert clbench.load(tmp_path).runs["first_task_behind"].tolist() == pytest.approx([0.05, 0.0])
    finally:
        del metrics.METRICS["first_task_behind"]


def test_a_metric_must_have_a_name_of_its_own_and_known_parameters():
    with pytest.raises(ValueError, match="must be free; got acc"):
        metric(higher_is_better=True)(metrics.acc)
    with pytest.raises(ValueError, match=r"got own\(theta\)"):

        @metric(higher_is_better=True)
        def own(theta):
            return 0.0
