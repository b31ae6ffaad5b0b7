"""What is constant: decided by the rounding of the numbers, against columns made by hand."""

import numpy as np
import pandas as pd
import pytest

from clbench.streams import TabularFile
from clbench.streams.standardisation import is_constant, standardise

N = 1000
random = np.random.default_rng(0)
STEPS = random.integers(-1, 2, N)


def single(values):
    return np.asarray(values, dtype=np.float32).astype(np.float64)


@pytest.mark.parametrize(
    ("column", "constant"),
    [
        (np.full(N, 0.0), True),
        (np.full(N, 0.1), True),  # the mean of many is another number than 0.1
        (0.1 + STEPS * np.spacing(0.1), True),
        (single(1e5 + STEPS * 0.008), True),  # float32's neighbours of 100,000
        (
            single(1e5 + STEPS * 0.008).astype(np.float32).astype(str).astype(float),
            True,
        ),  # and written as text
        (single(3e9 + STEPS * 256), True),
        (1e5 + random.normal(size=N) * 0.008, False),  # as much variation in numbers of more digits
        (1.7e9 + np.arange(N), False),  # seconds of a quarter of an hour
        (16_000_000.0 + STEPS, False),  # whole numbers that float32 holds exactly
        (single(1e-20 * random.normal(size=N)), False),
        (single(random.normal(3, 1e-3, N)), False),
    ],
)
def test_constant_is_what_varies_by_rounding_alone(column, constant):
    assert is_constant(column) is constant


def test_the_rest_is_standardised_over_the_training_rows():
    values = np.stack([np.full(N, 0.1), random.normal(5, 2, N)], axis=1)
    train = np.arange(0, N, 3)
    result, constant = standardise(values, train)
    assert constant.tolist() == [True, False]
    assert np.abs(result[:, 0]).max() < 1e-15
    assert result[train, 1].mean() == pytest.approx(0) and result[train, 1].std() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_later_task_is_not_divided_by_rounding(tmp_path, kind, caplog):
    """0.1 in A has a computed deviation of 1e-17; 0.2 in B was 1e15 deviations away."""
    frame = pd.DataFrame({"a": random.normal(size=120), "b": [0.1] * 60 + [0.2] * 60})
    frame["noisy"] = single(1e5 + random.integers(-1, 2, 120) * 0.008) + ([0] * 60 + [1] * 60)
    frame = frame.astype({"noisy": "float32"})
    frame["target"], frame["task"] = [0, 1] * 60, ["u"] * 60 + ["v"] * 60
    path = tmp_path / f"t.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    source = TabularFile(path=str(path), task="task")
    with caplog.at_level("INFO"):
        assert source.problems() == []
    inputs = source.build(0).inputs
    assert inputs[:60, 1:].abs().max() < 0.05
    assert inputs[60:, 1].mean() == pytest.approx(0.1) and inputs[60:, 2].mean() == pytest.approx(1, abs=0.01)
    assert any("centred there, not scaled: b, noisy." in line for line in caplog.messages)
