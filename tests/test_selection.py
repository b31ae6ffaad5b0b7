"""The choice of λ on hand-made runs where validation and test disagree."""

import numpy as np
import pandas as pd
import pytest

from clbench.analysis.selection import best_lambda, choose_lambda, chosen_runs
from clbench.errors import ConfigurationError


def runs_of(table, strategy="l2"):
    """Return runs from `{(lam, seed): (validation accuracy, test accuracy)}`."""
    rows = []
    for (lam, seed), (val, test) in table.items():
        row = {"run": f"{lam}{seed}", "strategy": strategy, "lam": lam, "seed": seed, "stream": "toy"}
        status = "done" if np.isfinite(test) else "diverged"
        rows.append(row | {"status": status, "val_accuracy_A": val, "test_accuracy_A": test, "acc": test})
    return pd.DataFrame(rows)


GRID = {
    (1.0, 0): (0.9, 0.10), (1.0, 1): (0.9, 0.20), (1.0, 2): (0.1, 0.30), (1.0, 3): (0.1, 0.40),
    (2.0, 0): (0.1, 0.80), (2.0, 1): (0.1, 0.90), (2.0, 2): (1.0, 0.70), (2.0, 3): (0.9, 0.60),
}  # fmt: skip
"""Validation of the others, λ = 1 against 2: seed 0 sees (.9 + .1 + .1)/3 = .37 < (.1 + 1 + .9)/3 = .67 and
takes 2, so does seed 1; seed 2 sees .63 > .37 and takes 1; seed 3 sees .63 > .40 and takes 1."""


def test_every_seed_reports_at_the_lambda_that_the_others_choose():
    kept = chosen_runs(runs_of(GRID)).set_index("seed")
    assert kept["lam"].to_dict() == {0: 2.0, 1: 2.0, 2: 1.0, 3: 1.0}
    assert kept["acc"].to_dict() == {0: 0.8, 1: 0.9, 2: 0.3, 3: 0.4}


def test_the_table_of_choices_by_hand():
    row = choose_lambda(runs_of(GRID)).iloc[0]
    assert (row["lam"], row["choices"]) == (1.0, "1 (2 of 4), 2 (2 of 4)")
    assert (row["point"], row["n"], row["lost"]) == (pytest.approx(0.6), 4, 0)
    # s of .8 .9 .3 .4 is √(.26/3); t(3 degrees, 97.5 %) = 3.18245.
    assert row["high"] - row["point"] == pytest.approx(3.18245 * np.sqrt(0.26 / 3) / 2, rel=1e-5)
    assert (row["oracle_lam"], row["oracle"], row["oracle_n"]) == (2.0, pytest.approx(0.75), 4)


def test_test_values_never_touch_a_choice():
    runs = runs_of(GRID | {(4.0, seed): (0.5, 0.0) for seed in range(4)})
    for seed in range(5):
        scrambled = runs.copy()
        names = ["test_accuracy_A", "acc"]
        scrambled[names] = runs[names].sample(frac=1, random_state=seed).to_numpy()
        assert list(chosen_runs(scrambled)["run"]) == list(chosen_runs(runs)["run"])
        assert choose_lambda(scrambled)["choices"].equals(choose_lambda(runs)["choices"])


def test_a_seeds_own_scores_never_touch_its_choice():
    for seed in range(4):
        grid = GRID | {(lam, seed): (1 - GRID[lam, seed][0], 0.5) for lam in (1.0, 2.0)}
        own, theirs = (chosen_runs(runs_of(table)).set_index("seed")["lam"] for table in (GRID, grid))
        assert own[seed] == theirs[seed]


def test_a_lambda_at_which_another_seed_diverged_is_not_chosen():
    grid = GRID | {(3.0, seed): (2.0, 1.0) for seed in range(4)} | {(3.0, 0): (2.0, np.nan)}
    kept = chosen_runs(runs_of(grid)).set_index("seed")
    assert kept["lam"].to_dict() == {0: 3.0, 1: 2.0, 2: 1.0, 3: 1.0}
    # Seed 0 can't know that it diverges there itself: it is lost, and counted.
    row = choose_lambda(runs_of(grid)).iloc[0]
    assert (row["n"], row["lost"], row["point"]) == (3, 1, pytest.approx((0.9 + 0.3 + 0.4) / 3))


def test_where_every_lambda_lost_a_run_those_with_the_fewest_stay():
    # λ = 2 is the best of what is left, but lost two runs; λ = 1 lost one, λ = 3 three.
    grid = GRID | {(3.0, seed): (2.0, np.nan) for seed in range(3)} | {(3.0, 3): (2.0, 2.0)}
    grid |= {(1.0, 3): (0.1, np.nan), (2.0, 2): (1.0, np.nan), (2.0, 3): (0.9, np.nan)}
    runs = runs_of(grid)
    assert best_lambda(runs, runs["test_accuracy_A"]) == 1.0
    kept = chosen_runs(runs).set_index("seed")["lam"].to_dict()
    assert kept == {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}


def test_a_seed_is_reported_at_a_lambda_it_was_run_at():
    runs = runs_of({key: value for key, value in GRID.items() if key != (2.0, 0)})
    assert chosen_runs(runs).set_index("seed")["lam"].to_dict() == {0: 1.0, 1: 2.0, 2: 1.0, 3: 1.0}


def test_a_single_lambda_is_every_seeds_and_a_single_seed_has_no_choice():
    single = runs_of({key: value for key, value in GRID.items() if key[0] == 1.0})
    assert len(chosen_runs(single)) == 4 and len(chosen_runs(single[:1])) == 1
    assert chosen_runs(runs_of({key: value for key, value in GRID.items() if key[1] == 0})).empty


def test_of_equal_lambdas_the_smaller_wins():
    runs = runs_of({(lam, 0): (0.5, 0.5) for lam in (10.0, 0.1, 1.0)})
    assert best_lambda(runs, runs["val_accuracy_A"]) == 0.1
    equal = runs_of({(lam, seed): (0.5, 0.5) for lam in (10.0, 0.1, 1.0) for seed in (0, 1)})
    assert choose_lambda(equal).iloc[0]["choices"] == "0.1"


def test_strategies_without_lambda_stand_beside():
    naive = runs_of({(np.nan, seed): (0.5, seed / 10) for seed in range(4)}, "naive")
    table = choose_lambda(pd.concat([naive, runs_of(GRID)], ignore_index=True)).set_index("strategy")
    assert np.isnan(table.loc["naive", "lam"]) and table.loc["naive", "point"] == pytest.approx(0.15)


def test_regression_chooses_the_smallest_loss():
    runs = runs_of(GRID).rename(columns=lambda name: name.replace("accuracy", "loss"))
    runs["acc"] = -runs["test_loss_A"]
    row = choose_lambda(runs).iloc[0]
    # The smallest loss is the other λ of every seed: 1, 1, 2, 2.
    assert row["point"] == pytest.approx(-(0.1 + 0.2 + 0.7 + 0.6) / 4) and row["oracle_lam"] == 1.0


def test_contexts_choose_for_themselves():
    one, two = runs_of(GRID), runs_of({(3 - lam, seed): value for (lam, seed), value in GRID.items()})
    one.insert(5, "model.width", 1)
    two.insert(5, "model.width", 2)
    kept = chosen_runs(pd.concat([one, two], ignore_index=True)).pivot(
        index="seed", columns="model.width", values="lam"
    )
    assert kept[1].to_list() == [2.0, 2.0, 1.0, 1.0] and kept[2].to_list() == [1.0, 1.0, 2.0, 2.0]


def test_an_impossible_choice_is_refused():
    runs = runs_of({(1.0, 0): (0.5, 0.5)}).drop(columns="val_accuracy_A")
    with pytest.raises(ConfigurationError) as caught:
        choose_lambda(runs)
    assert len(caught.value.problems) == 2
