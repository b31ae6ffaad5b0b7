"""Estimates against scipy, formulas and hand-worked cases."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clbench.analysis import statistics
from clbench.analysis.comparison import compare_runs
from clbench.errors import ConfigurationError


@pytest.mark.parametrize("count", [2, 3, 5, 10, 20])
def test_the_interval_of_a_mean_is_scipys(count):
    values = np.random.default_rng(count).normal(3.0, 2.0, size=(4, count))
    for level in (0.9, 0.95):
        theirs = stats.ttest_1samp(values, 0.0, axis=-1).confidence_interval(level)
        np.testing.assert_allclose(statistics.t_interval(values, level), theirs, rtol=1e-12)


@pytest.mark.parametrize("count", [4, 5, 8, 10, 23])
def test_the_interval_of_an_iqm_ends_where_yuens_test_rejects(count):
    values = np.random.default_rng(count).normal(3.0, 2.0, size=count)
    for end in statistics.iqm_interval(values):
        test = stats.ttest_ind(values - end, np.zeros(40), equal_var=False, trim=0.25)
        assert test.pvalue == pytest.approx(0.05, rel=1e-9)


def test_the_interval_of_few_values_iqm_is_that_of_their_mean():
    values = np.array([[1.0, 2.0, 4.0], [0.0, -1.0, 7.0]])
    np.testing.assert_allclose(statistics.iqm_interval(values), statistics.t_interval(values), rtol=1e-15)


def test_two_seeds_by_hand():
    # mean 2, s = √2, t(1 degree, 97.5 %) = tan(0.475 π) = 12.7062: 2 ∓ 12.7062 · √2 / √2.
    low, high = statistics.t_interval(np.array([1.0, 3.0]))
    assert (low, high) == (pytest.approx(2 - np.tan(0.475 * np.pi)), pytest.approx(2 + np.tan(0.475 * np.pi)))


def test_an_interval_does_not_depend_on_the_rows_beside_it():
    values = np.random.default_rng(1).normal(size=(7, 6))
    for statistic in (statistics.mean, statistics.iqm):
        together = statistics.estimate(list(values), statistic)
        alone = np.concatenate([statistics.estimate([row], statistic) for row in values])
        np.testing.assert_array_equal(together, alone)


def test_one_seed_has_no_interval_and_none_no_estimate():
    found = statistics.estimate([np.array([2.0]), np.array([]), np.array([np.nan, 3.0])])
    np.testing.assert_array_equal(found, [[np.nan, np.nan, 2.0], [np.nan] * 3, [np.nan, np.nan, 3.0]])


def test_equal_values_have_an_interval_of_width_zero():
    for value in (0.25, 0.1):  # ten times 0.1 have a mean that rounding moves, and no spread all the same
        for statistic in (statistics.mean, statistics.iqm):
            low, high, point = statistics.estimate([np.full(10, value)], statistic)[0]
            assert low == point == high == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 11])
def test_iqm_is_the_trimmed_mean(count):
    values = np.random.default_rng(count).normal(size=(2, count))
    np.testing.assert_allclose(statistics.iqm(values), stats.trim_mean(values, 0.25, axis=-1))


def test_iqm_by_hand():
    assert statistics.iqm(np.array([100.0, 1.0, 2.0, 3.0, -50.0])) == 2.0


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_sign_flips_are_counted_exactly(count):
    differences = np.random.default_rng(count).normal(0.5, size=count)
    observed = abs(differences.sum())
    patterns = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=count)
    ]
    expected = np.mean([value >= observed - 1e-12 for value in patterns])
    assert statistics.sign_flip_p(differences, np.random.default_rng(0)) == pytest.approx(expected)


def test_sign_flips_agree_with_scipys_exact_test():
    differences = np.random.default_rng(3).normal(0.4, size=(2, 10))
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, axis=-1
    )
    np.testing.assert_allclose(statistics.sign_flip_p(differences, np.random.default_rng(0)), theirs.pvalue)


def test_many_pairs_are_sampled_near_the_exact_p():
    differences = np.random.default_rng(4).normal(0.3, size=14)
    signs = 1 - 2 * ((np.arange(2**14)[:, None] >> np.arange(14)) & 1)
    exact = (abs(signs @ differences) >= abs(differences.sum()) - 1e-12).mean()
    assert statistics.sign_flip_p(differences, np.random.default_rng(0)) == pytest.approx(exact, abs=0.01)


def test_all_differences_of_one_sign_give_the_smallest_p():
    assert statistics.sign_flip_p(np.arange(1.0, 6.0), np.random.default_rng(0)) == 2 / 2**5
    assert statistics.sign_flip_p(np.zeros(5), np.random.default_rng(0)) == 1.0


def test_holm_by_hand():
    # Ordered: 0.01·4, 0.02·3, 0.03·2, 0.5·1 → 0.04, 0.06, 0.06 (made monotone), 0.5.
    found = statistics.holm(np.array([0.03, np.nan, 0.01, 0.5, 0.02]))
    np.testing.assert_allclose(found, [0.06, np.nan, 0.04, 0.5, 0.06])
    np.testing.assert_array_equal(statistics.holm(np.array([0.6, 0.7])), [1.0, 1.0])


def frame_of(**values):
    """Return runs of strategies by seed, with λ after an underscore: `l2_10=[…]`."""
    rows = []
    for name, scores in values.items():
        strategy, _, lam = name.partition("_")
        for seed, score in enumerate(scores):
            rows.append({"run": f"{name}{seed}", "strategy": strategy, "lam": float(lam or "nan")})
            rows[-1] |= {"seed": seed, "stream": "toy", "status": "done", "acc": score}
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


def test_all_comparisons_are_one_family():
    rng = np.random.default_rng(0)
    runs = frame_of(naive=rng.normal(size=8), **{f"l2_{lam}": rng.normal(1, 1, 8) for lam in (1, 2, 3)})
    table = compare_runs(runs)
    np.testing.assert_array_equal(table["p_holm"], statistics.holm(table["p"].to_numpy()))
    assert table["p_holm"].notna().sum() == 3
    pd.testing.assert_frame_equal(table, compare_runs(runs))


def test_contexts_are_not_mixed():
    narrow, wide = frame_of(naive=[0.0, 0.1], l2_1=[0.5, 0.6]), frame_of(naive=[0.4, 0.4], l2_1=[0.5, 0.5])
    narrow.insert(5, "model.width", 1)
    wide.insert(5, "model.width", 2)
    table = compare_runs(pd.concat([narrow, wide], ignore_index=True))
    found = table[table["strategy"] == "l2"].set_index("model.width")["difference"]
    assert found.to_dict() == pytest.approx({1: 0.5, 2: 0.1})


def test_what_cannot_be_compared_is_told_together():
    with pytest.raises(ConfigurationError) as caught:
        compare_runs(frame_of(naive=[0.1]), baseline="nave", metric="akk")
    assert len(caught.value.problems) == 2
    assert "metric=akk" in caught.value.problems[0] and "acc" in caught.value.problems[0]
    assert "baseline=nave" in caught.value.problems[1] and "Known: naive." in caught.value.problems[1]


def test_a_baseline_with_several_settings_is_refused():
    with pytest.raises(ConfigurationError, match="one run per seed; got baseline=l2"):
        compare_runs(frame_of(l2_1=[0.1], l2_2=[0.2]), baseline="l2")


def test_resampled_means_are_the_means_of_the_resamples():
    values = np.random.default_rng(3).normal(size=(4, 9))
    drawn = np.random.default_rng(4).integers(0, 9, size=(200, 9))
    found = statistics.resampled_means(values, np.random.default_rng(4), 200)
    np.testing.assert_allclose(found, values[:, drawn].mean(axis=2), rtol=1e-12)
