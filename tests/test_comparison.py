"""Comparisons on hand-made runs: pairs, families, baselines, and what is lost."""

import numpy as np
import pandas as pd
import pytest

from clbench.analysis import statistics
from clbench.analysis.comparison import compare_runs
from clbench.errors import ConfigurationError
from clbench.records.roles import role_of_label


def frame_of(**values):
    """Return runs of strategies by seed, with λ after an underscore: `l2_10=[…]`."""
    rows = []
    for name, scores in values.items():
        strategy, _, lam = name.partition("_")
        for seed, score in enumerate(scores):
            rows.append({"run": f"{name}{seed}", "strategy": strategy, "lam": float(lam or "nan")})
            rows[-1] |= {
                "role": role_of_label(strategy),
                "seed": seed,
                "stream": "toy",
                "status": "done",
                "acc": score,
            }
    return pd.DataFrame(rows)


def test_a_comparison_is_paired_by_seed():
    runs = frame_of(naive=[0.1, 0.5, 0.9], l2_10=[0.3, 0.7, 1.1])
    runs = runs.sample(frac=1, random_state=1)  # the order of rows must not matter
    table = compare_runs(runs).set_index("strategy").loc["l2"]
    assert table["difference"] == pytest.approx(0.2)
    # Every difference is 0.2, so its interval is a point though the runs themselves are far apart.
    assert table["difference_low"] == pytest.approx(0.2) and table["difference_high"] == pytest.approx(0.2)
    assert table["mean_low"] < 0.5 < table["mean_high"]
    assert (table["n"], table["pairs"], table["p"]) == (3, 3, 0.25)


def test_a_diverged_run_counts_in_no_pair():
    table = compare_runs(frame_of(naive=[0.1, 0.5, 0.9], l2_1=[0.3, np.nan, 1.1])).set_index("strategy")
    assert (table.loc["l2", "n"], table.loc["l2", "pairs"]) == (2, 2)
    assert table.loc["naive", "n"] == 3 and table.loc["naive", "pairs"] == 0
    assert np.isnan(table.loc["naive", "p"]) and np.isnan(table.loc["naive", "difference"])


def test_without_validation_every_lambda_is_a_member_of_the_family():
    rng = np.random.default_rng(0)
    runs = frame_of(naive=rng.normal(size=8), **{f"l2_{lam}": rng.normal(1, 1, 8) for lam in (1, 2, 3)})
    table = compare_runs(runs)
    np.testing.assert_array_equal(table["p_holm"], statistics.holm(table["p"].to_numpy()))
    assert table["p_holm"].notna().sum() == 3 and list(table["family"]) == [0, 3, 3, 3]
    pd.testing.assert_frame_equal(table, compare_runs(runs))


def swept(seeds=4, lams=(1, 2), width=None):
    """Return naive, l2 and ewc at two λ, and joint; validation prefers λ = 2 of l2 and λ = 1 of ewc."""
    rng = np.random.default_rng(seeds)
    names = ["naive", *(f"{strategy}_{lam}" for strategy in ("l2", "ewc") for lam in lams), "joint"]
    runs = frame_of(**{name: rng.normal(size=seeds) for name in names})
    runs["val_accuracy_A"] = [row.lam if row.strategy == "l2" else -row.lam for row in runs.itertuples()]
    runs["test_accuracy_A"] = runs["acc"]
    if width is not None:
        runs.insert(6, "model.width", width)
    return runs


def test_a_family_is_the_strategies_at_their_chosen_lambda_within_one_context():
    table = compare_runs(pd.concat([swept(8, width=1), swept(8, width=2)], ignore_index=True))
    members = table[table["family"] > 0]
    for _, part in members.groupby("model.width"):
        assert list(part["strategy"]) == ["l2", "ewc", "joint"]  # not naive, and no fixed λ
        assert list(part["lam"])[:2] == [2.0, 1.0] and list(part["choices"]) == ["2", "1", ""]
        assert set(part["family"]) == {3} and set(part["least_p"]) == {3 * 2 / 2**8}
        np.testing.assert_array_equal(part["p_holm"], statistics.holm(part["p"].to_numpy()))
    others = table[table["family"] == 0]
    assert others["p_holm"].isna().all() and others["least_p"].isna().all()
    assert others.loc[others["strategy"] != "naive", "p"].notna().all()  # exploratory: shown, not corrected


def test_more_lambdas_and_more_contexts_leave_a_families_p_alone():
    alone = compare_runs(swept(6))
    wide = swept(6)
    more = wide[wide["lam"] == 1].assign(lam=0.5, val_accuracy_A=-9.0)
    more["acc"] = 0.0
    table = compare_runs(pd.concat([wide, more], ignore_index=True))
    key = ["strategy", "choices", "p_holm"]
    pd.testing.assert_frame_equal(
        table.loc[table["family"] > 0, key].reset_index(drop=True),
        alone.loc[alone["family"] > 0, key].reset_index(drop=True),
    )


def test_a_strategy_of_naives_class_is_the_baseline_whatever_it_is_called():
    runs = frame_of(mine=[0.1, 0.5, 0.9], l2_10=[0.3, 0.7, 1.2])
    runs.loc[runs["strategy"] == "mine", "role"] = "naive"
    assert compare_runs(runs)["difference"].tolist()[1] == pytest.approx((0.2 + 0.2 + 0.3) / 3)
    assert compare_runs(runs, "l2")["pairs"].tolist() == [3, 0]
    named = pd.concat([runs, frame_of(naive=[0.0, 0.0, 0.0])], ignore_index=True)
    assert compare_runs(named)["difference"].tolist()[1] == pytest.approx(
        (0.3 + 0.7 + 1.2) / 3
    )  # by its name


def test_any_setting_is_a_baseline():
    runs = swept()
    acc = runs.pivot(index="seed", columns=["strategy", "lam"], values="acc")
    for baseline, column in (
        ({"strategy": "l2", "lam": 1}, ("l2", 1.0)),
        ({"strategy": "ewc", "lam": "2"}, ("ewc", 2.0)),
        ("l2", ("l2", 2.0)),  # its chosen λ
        ("joint", ("joint", np.nan)),
    ):
        table = compare_runs(runs, baseline)
        base = acc["joint"].iloc[:, 0] if column[0] == "joint" else acc[column]
        own = acc["naive"].iloc[:, 0]
        found = table[table["strategy"] == "naive"].iloc[0]
        assert found["difference"] == pytest.approx((own - base).mean()) and found["pairs"] == 4
        itself = table[
            (table["strategy"] == column[0]) & (table["lam"].fillna(-1) == np.nan_to_num(column[1], nan=-1))
        ]
        assert (itself["pairs"] == 0).all() and (itself["family"] == 0).all()


def test_a_condition_on_the_context_makes_it_everyones_baseline():
    runs = pd.concat([swept(width=1), swept(width=2).assign(acc=7.0)], ignore_index=True)
    table = compare_runs(runs, {"strategy": "naive", "model.width": 2})
    naive = table[table["strategy"] == "naive"].set_index("model.width")
    assert naive.loc[1, "difference"] == pytest.approx(runs[:4]["acc"].mean() - 7)
    assert naive.loc[2, "pairs"] == 0


def test_a_row_is_over_the_same_seeds_throughout():
    runs = frame_of(naive=[0.1, 0.5], l2_10=[0.3, 0.7, 9.0])
    row = compare_runs(runs).set_index("strategy").loc["l2"]
    assert (row["n"], row["pairs"]) == (3, 2)
    assert row["mean"] == pytest.approx(0.5) == row["iqm"] and row["difference"] == pytest.approx(0.2)


def test_lost_runs_are_counted():
    runs = swept()
    runs.loc[(runs["strategy"] == "l2") & (runs["lam"] == 2) & (runs["seed"] == 3), "status"] = "diverged"
    runs.loc[(runs["strategy"] == "joint") & (runs["seed"] == 0), "status"] = "failed"
    table = compare_runs(runs)
    by_name = table[table["family"] > 0].set_index("strategy")
    # Seeds 0 to 2 of l2 see the loss at λ = 2 and take 1; seed 3 takes 2, where it is itself the lost one.
    assert by_name.loc["l2", "choices"] == "1 (3 of 4), 2 (1 of 4)"
    assert by_name["lost"].to_dict() == {"l2": 1, "ewc": 0, "joint": 1}
    assert by_name["n"].to_dict() == {"l2": 3, "ewc": 4, "joint": 3}
    assert by_name["pairs"].to_dict() == {"l2": 3, "ewc": 4, "joint": 3}
    fixed = table[(table["strategy"] == "l2") & (table["choices"] == "")].set_index("lam")
    assert fixed["lost"].to_dict() == {1.0: 0, 2.0: 1}


def test_contexts_are_not_mixed():
    narrow, wide = frame_of(naive=[0.0, 0.1], l2_1=[0.5, 0.6]), frame_of(naive=[0.4, 0.4], l2_1=[0.5, 0.5])
    narrow.insert(6, "model.width", 1)
    wide.insert(6, "model.width", 2)
    table = compare_runs(pd.concat([narrow, wide], ignore_index=True))
    found = table[table["strategy"] == "l2"].set_index("model.width")["difference"]
    assert found.to_dict() == pytest.approx({1: 0.5, 2: 0.1})


def test_what_cannot_be_compared_is_told_together():
    with pytest.raises(ConfigurationError) as caught:
        compare_runs(frame_of(naive=[0.1]), baseline="nave", metric="akk")
    assert len(caught.value.problems) == 2
    assert "metric=akk" in caught.value.problems[0] and "acc" in caught.value.problems[0]
    assert "baseline=nave" in caught.value.problems[1]
    assert "Known: naive." in caught.value.problems[1]


def test_a_baseline_with_several_settings_is_refused():
    with pytest.raises(
        ConfigurationError, match="one run per seed; got baseline=l2, whose runs differ in lam"
    ):
        compare_runs(frame_of(l2_1=[0.1], l2_2=[0.2]), baseline="l2")
    with pytest.raises(ConfigurationError, match="no column lamm"):
        compare_runs(frame_of(l2_1=[0.1], l2_2=[0.2]), baseline={"strategy": "l2", "lamm": 1})
