"""Estimates against scipy, formulas and hand-worked cases."""

import itertools

import numpy as np
import pytest
from scipy import stats

from clbench.analysis import statistics


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


def test_the_least_p_is_what_the_test_gives_at_best():
    for pairs in range(1, 13):
        best = statistics.sign_flip_p(np.arange(1.0, pairs + 1), np.random.default_rng(0))
        for tests in (1, 3, 72):
            corrected = statistics.holm(np.full(tests, best))[0]
            assert statistics.least_p(pairs, tests) == corrected
            enough = statistics.pairs_needed(tests)
            assert statistics.least_p(enough, tests) <= 0.05 < statistics.least_p(enough - 1, tests)
    assert np.isnan(statistics.least_p(0, 3)) and np.isnan(statistics.least_p(3, 0))


def test_holm_by_hand():
    # Ordered: 0.01·4, 0.02·3, 0.03·2, 0.5·1 → 0.04, 0.06, 0.06 (made monotone), 0.5.
    found = statistics.holm(np.array([0.03, np.nan, 0.01, 0.5, 0.02]))
    np.testing.assert_allclose(found, [0.06, np.nan, 0.04, 0.5, 0.06])
    np.testing.assert_array_equal(statistics.holm(np.array([0.6, 0.7])), [1.0, 1.0])
