"""Every diagnosis is provoked once, and all are silent on a healthy sweep."""

import json

import numpy as np
import pytest
from synthetic_runs import Outcome, make_result, make_run

import clbench
from clbench.analysis.diagnostics import diagnose, write_findings
from clbench.records import write_run, write_sweep

LAMBDAS = (0.0, 0.01, 1.0, 100.0)
FINAL = {None: (0.1, 0.8), 0.0: (0.1, 0.8), 0.01: (0.5, 0.75), 1.0: (0.85, 0.7), 100.0: (0.9, 0.0)}
RATIO = {None: 0.0, 0.0: 0.0, 0.01: 1e-4, 1.0: 0.7, 100.0: 40.0}
"""Accuracy on A and B after B, and the gradients' ratio: best between the ends, frozen at the last λ."""


def outcome_of(lam=None, seed=0, **changes):
    """Return a healthy outcome; the seed moves every value a little."""
    noise = np.random.default_rng([seed, int(100 * (lam or 0))]).normal(0, 0.01, 4)
    a, b = FINAL[lam]
    start = 0.1 + noise[2]
    frozen = b == 0.0
    matrix = [[0.9 + noise[0], start], [a + noise[1], start if frozen else b + noise[3]]]
    # Six points: three in stage 0, where the penalty is 0, and three in stage 1.
    penalty = np.array([0, 0, 0, 0.01, 0.1, 0.1]) * (1 if lam else 0)
    training = {"penalty": penalty, "penalty_grad_norm": np.where(penalty > 0, RATIO[lam], 0.0)}
    values = {"dip": -0.05, "split_shift": {"train": 0.02, "val": 0.001}, "training": training}
    return Outcome(matrix, [0.1 + noise[2], 0.1 + noise[2]], **(values | changes))


def healthy_runs(lambdas=LAMBDAS, seeds=4):
    """Return `{(strategy, lam, seed): outcome}` of naive, l2 over a grid and joint."""
    found = {}
    for seed in range(seeds):
        found["naive", None, seed] = outcome_of(None, seed)
        found["joint", None, seed] = outcome_of(1.0, seed + 100, training={})
        found |= {("l2", lam, seed): outcome_of(lam, seed) for lam in lambdas}
    return found


def findings_of(folder, outcomes, **parts):
    """Write the runs, diagnose them and return the texts by kind."""
    for (strategy, lam, seed), outcome in outcomes.items():
        run = make_run(strategy, lam, seed, **parts)
        write_run(folder / f"{strategy}-{lam}-{seed}", run, make_result(outcome), None)
    write_sweep(folder)
    found = diagnose(clbench.load(folder).records)
    assert len({finding.kind for finding in found}) == len(found), found
    return {finding.kind: finding for finding in found}


def test_a_healthy_sweep_is_silent(tmp_path):
    assert findings_of(tmp_path, healthy_runs()) == {}


def test_a_healthy_run_alone_is_silent(tmp_path):
    assert findings_of(tmp_path, {("l2", 1.0, 0): outcome_of(1.0)}) == {}


def test_lambda_without_effect(tmp_path):
    runs = healthy_runs()
    for seed in range(4):
        runs["l2", 0.01, seed] = runs["l2", 0.0, seed]
    found = findings_of(tmp_path, runs)
    finding = found.pop("lambda_without_effect")
    assert not found
    assert "λ = 0, 0.01 have equal records" in finding.text and "l2" in finding.text
    assert len(finding.runs) == 8


def test_lambdas_that_agree_for_one_seed_only_are_an_accident(tmp_path):
    runs = healthy_runs()
    runs["l2", 0.01, 2] = runs["l2", 0.0, 2]
    assert "lambda_without_effect" not in findings_of(tmp_path, runs)


def test_seed_without_effect(tmp_path):
    runs = healthy_runs()
    runs["naive", None, 1] = runs["naive", None, 3]
    found = findings_of(tmp_path, runs)
    finding = found.pop("seed_without_effect")
    assert not found
    assert "seed = 1, 3 have equal records" in finding.text
    assert set(finding.runs) == {"naive-None-1", "naive-None-3"}


@pytest.mark.parametrize(
    ("lambdas", "text"),
    [
        (
            (1.0, 100.0, 1000.0),
            "the best λ is the smallest, 1: the optimum may lie beyond. Extend the grid below",
        ),
        ((0.0, 0.01, 1.0), "the best λ is the largest, 1: the optimum may lie beyond. Extend the grid above"),
    ],
)
def test_best_lambda_at_the_edge(tmp_path, monkeypatch, lambdas, text):
    monkeypatch.setitem(FINAL, 1000.0, (0.9, -0.1))
    monkeypatch.setitem(RATIO, 1000.0, 400.0)
    found = findings_of(tmp_path, healthy_runs(lambdas))
    assert text in found["best_lambda_at_edge"].text


def test_a_useless_penalty_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(FINAL, 0.0, (0.95, 0.8))
    assert (
        "no λ of the grid does better than none"
        in findings_of(tmp_path, healthy_runs())["best_lambda_at_edge"].text
    )


def test_a_plateau_has_no_best_lambda_beyond_it(tmp_path, monkeypatch):
    monkeypatch.setitem(FINAL, 0.01, (0.84, 0.7))  # as good as λ=1, the last one, but for noise
    assert findings_of(tmp_path, healthy_runs((0.0, 0.01, 1.0))) == {}
    means = clbench.load(tmp_path).runs.groupby("lam")["val_accuracy_A"].mean()
    means += clbench.load(tmp_path).runs.groupby("lam")["val_accuracy_B"].mean()
    assert means.idxmax() == 1.0  # the noise does favour the edge


def test_a_penalty_that_drowns_the_loss(tmp_path):
    found = findings_of(tmp_path, healthy_runs((100.0,)))
    assert "at λ = 100: its gradient is 40.0 times the task's or more" in found["penalty_drowns"].text
    assert len(found["penalty_drowns"].runs) == 4


def test_a_penalty_that_vanishes_beside_the_loss(tmp_path):
    found = findings_of(tmp_path, healthy_runs((0.01,)))
    finding = found.pop("penalty_vanishes")
    assert not found
    assert "is 1.0e-04 times the task's or less" in finding.text
    assert "Try λ around 100" in finding.text  # 0.01 / 1e-4


def test_the_points_right_after_a_switch_do_not_count(tmp_path):
    small_at_first = np.array([0, 0, 0, 1e-9, 1.0, 1.0])
    outcome = outcome_of(1.0)
    outcome.training["penalty_grad_norm"] = small_at_first
    assert findings_of(tmp_path, {("l2", 1.0, 0): outcome}) == {}


def test_a_penalty_drowns_where_it_overshoots_though_it_balances_later(tmp_path):
    outcome = outcome_of(1.0)
    outcome.training["penalty"] = [0, 0, 0, 0.1, 0.1, 0.1]
    outcome.training["penalty_grad_norm"] = [0, 0, 0, 500.0, 90.0, 1.0]
    finding = findings_of(tmp_path, {("l2", 1.0, 0): outcome})["penalty_drowns"]
    assert "its gradient is 295 times the task's or more" in finding.text


def test_a_decoupled_penalty_has_no_gradient_to_compare(tmp_path):
    outcome = outcome_of(1.0)
    outcome.training["penalty_grad_norm"] = 0.0
    assert findings_of(tmp_path, {("l2", 1.0, 0): outcome}) == {}


def test_a_stage_that_did_not_learn(tmp_path):
    runs = healthy_runs()
    runs["naive", None, 2].matrix[1][1] = runs["naive", None, 2].matrix[0][1]
    found = findings_of(tmp_path, runs)
    finding = found.pop("stage_without_learning")
    assert not found
    assert finding.runs == ("naive-None-2",)
    assert "naive: stage 1 did not learn in 1 of 4 runs: the train loss stayed" in finding.text


def test_a_frozen_net_is_told_where_no_smaller_lambda_learned(tmp_path):
    finding = findings_of(tmp_path, healthy_runs((100.0,)))["stage_without_learning"]
    assert "at λ = 100" in finding.text and "Try a smaller λ" in finding.text


def test_the_first_stage_is_judged_against_initialisation(tmp_path):
    outcome = outcome_of(None)
    outcome.matrix[0][0] = outcome.initial[0]
    found = findings_of(tmp_path, {("naive", None, 0): outcome})
    assert "stage 0 did not learn" in found["stage_without_learning"].text


def test_a_task_that_came_for_free_need_not_be_learned(tmp_path):
    outcome = outcome_of(None)
    outcome.matrix[0][1] = outcome.matrix[1][1] = 0.95
    assert findings_of(tmp_path, {("naive", None, 0): outcome}) == {}


def test_joint_need_not_learn_in_later_stages(tmp_path):
    outcome = outcome_of(None)
    outcome.matrix[0][1] = outcome.matrix[1][1] = 0.4  # learned in stage 0, and no better afterwards
    assert findings_of(tmp_path / "a", {("joint", None, 0): outcome}) == {}
    assert findings_of(tmp_path / "b", {("mine", None, 0): outcome}, kind="joint") == {}
    assert set(findings_of(tmp_path / "c", {("mine", None, 0): outcome})) == {"stage_without_learning"}


def test_a_loss_that_was_never_finite_is_not_laid_to_lambda(tmp_path):
    runs = {}
    for seed in range(3):
        step = None if seed else 30
        runs["l2", 1.0, seed] = outcome_of(1.0, seed, status="diverged", diverged_after=step)
    found = findings_of(tmp_path, runs)
    first, later = found["never_finite"], found["diverged"]
    assert "2 of 3 runs was not finite at step 0" in first.text and "initialisation" in first.text
    assert "λ" not in first.text.partition(":")[2] and "learning rate" not in first.text
    assert "1 of 3 runs diverged after step 30" in later.text


def test_divergence_is_told_with_its_step(tmp_path):
    runs = healthy_runs()
    for seed, step in ((1, 14), (3, 17)):
        runs["l2", 100.0, seed] = outcome_of(100.0, seed, status="diverged", diverged_after=step)
    found = findings_of(tmp_path, runs)
    finding = found.pop("diverged")
    assert not found
    assert "l2 (λ=100): 2 of 4 runs diverged after step 14 (the last one after step 17)" in finding.text
    assert "smaller learning rate" in finding.text and "smaller λ" in finding.text
    assert finding.runs == ("l2-100.0-1", "l2-100.0-3")


def test_train_loss_above_test_loss_is_explained(tmp_path):
    outcome = outcome_of(1.0, split_shift={"train": -0.2, "test": 0.0})
    found = findings_of(tmp_path, {("l2", 1.0, 0): outcome})
    assert "The penalty is not in it" in found["train_above_test"].text


def test_findings_are_written_into_the_summaries_concerned(tmp_path):
    runs = healthy_runs()
    runs["naive", None, 1] = runs["naive", None, 3]
    findings_of(tmp_path, runs)
    results = clbench.load(tmp_path).records
    write_findings(results, diagnose(results))

    def written(name):
        return json.loads((tmp_path / name / "summary.json").read_text(encoding="utf-8"))

    assert "seed has no effect" in written("naive-None-1")["diagnostics"][0]
    assert written("naive-None-0")["diagnostics"] == []
    assert written("naive-None-1")["acc"] == results.runs.set_index("run").loc["naive-None-1", "acc"]
    write_findings(results, [])
    assert written("naive-None-1")["diagnostics"] == []
