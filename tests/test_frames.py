"""Selections of a DataFrame, against rows and columns picked out by hand."""

from __future__ import annotations

import pandas as pd

from clbench.analysis.frames import column_of, groups, rows_where

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
