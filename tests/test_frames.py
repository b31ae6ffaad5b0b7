"""Selections of a DataFrame, against rows and columns picked out by hand."""

from __future__ import annotations

import pandas as pd

from clbench.analysis.frames import by_lambda, column_of, columns_of, done_among, finished, groups, rows_where

FRAME = pd.DataFrame({"line": ["b", "a", "b"], "lam": [1.0, 2.0, 3.0]}, index=[7, 8, 9])


def test_rows_keep_their_index_and_order():
    for mask in (FRAME["lam"] != 2, [True, False, True], (FRAME["lam"] != 2).to_numpy()):
        found = rows_where(FRAME, mask)
        assert list(found.index) == [7, 9] and list(found["lam"]) == [1.0, 3.0]


def test_a_column_is_a_series():
    assert isinstance(column_of(FRAME, "lam"), pd.Series) and list(column_of(FRAME, "lam")) == [1.0, 2.0, 3.0]


def test_groups_come_in_the_order_of_their_appearance():
    assert [(key, list(rows["lam"])) for key, rows in groups(FRAME, "line")] == [
        ("b", [1.0, 3.0]),
        ("a", [2.0]),
    ]


def test_columns_come_in_the_order_that_is_asked():
    assert list(columns_of(FRAME, ("lam", "line")).columns) == ["lam", "line"]
    assert list(columns_of(FRAME, ("lam",)).columns) == ["lam"]


def test_runs_by_lambda_begin_with_the_smallest_and_leave_out_those_without():
    runs = pd.DataFrame({"lam": [10.0, None, 1.0, 10.0], "run": list("abcd")})
    assert {lam: list(rows["run"]) for lam, rows in by_lambda(runs).items()} == {1.0: ["c"], 10.0: ["a", "d"]}


def test_what_is_not_done_has_no_value():
    runs = pd.DataFrame({"acc": [1, 2, 3], "status": ["done", "diverged", "done"]})
    assert finished(runs, "acc").fillna(-1).tolist() == [1.0, -1.0, 3.0] and done_among(runs) == 2
