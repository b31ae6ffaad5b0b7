"""Results read back as frames, and the metrics recomputed from files alone."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from synthetic_runs import Outcome, make_result, make_run

import clbench
from clbench.analysis.curves import run_metrics, score_matrix
from clbench.errors import ConfigurationError
from clbench.records import write_run, write_sweep

MATRIX = [[0.9, 0.3, 0.1], [0.6, 0.8, 0.2], [0.7, 0.5, 1.0]]


@pytest.fixture
def sweep(tmp_path):
    for seed in range(3):
        for strategy, lam, gain in (("naive", None, 0.0), ("l2", 0.5, 0.125)):
            outcome = Outcome((np.array(MATRIX) + gain + seed / 64).tolist(), [0.1, 0.2, 0.15], dip=-0.3)
            run = make_run(strategy, lam, seed, tasks=3)
            write_run(tmp_path / f"{strategy}-{seed}", run, make_result(outcome), None)
    write_sweep(tmp_path)
    return tmp_path


def test_runs_have_their_kinds(sweep):
    runs = clbench.load(sweep).runs
    assert len(runs) == 6 and runs["lam"].dtype == np.float64 and runs["seed"].dtype == np.int64
    assert runs["lam"].isna().sum() == 3 and set(runs["strategy"]) == {"naive", "l2"}
    assert runs["acc"].iloc[0] == pytest.approx(np.mean(MATRIX[-1]))


def test_a_table_of_times_before_roles_has_those_of_its_labels(sweep):
    now = clbench.load(sweep).runs
    assert dict(zip(now["strategy"], now["role"], strict=True)) == {"naive": "naive", "l2": ""}
    pd.read_csv(sweep / "runs.csv").drop(columns="role").to_csv(sweep / "runs.csv", index=False)
    before = clbench.load(sweep).runs
    assert list(before.columns) == list(now.columns) and before["role"].tolist() == now["role"].tolist()


def test_losses_of_all_runs_stand_in_one_frame(sweep):
    losses = clbench.load(sweep).losses
    assert list(losses.columns[:8]) == ["run", "strategy", "lam", "seed", "step", "stage", "task", "split"]
    assert len(losses) == 6 * 10 * 9
    assert set(losses["task"]) == {"0", "1", "2"}  # names, not numbers
    row = losses.query("run == 'l2-1' and step == 30 and task == '2' and split == 'test'").squeeze()
    assert (row["strategy"], row["lam"], row["seed"]) == ("l2", 0.5, 1)
    assert row["accuracy"] == 1.0 + 0.125 + 1 / 64 and row["loss"] == pytest.approx(-0.125 - 1 / 64)


def test_training_of_all_runs_stands_in_one_frame(sweep):
    training = clbench.load(sweep).training
    assert list(training.columns[:7]) == ["run", "strategy", "lam", "seed", "step", "stage", "task_loss"]
    assert len(training) == 6 * 9 and training["anchor_distance"].isna().all()


def test_metrics_recomputed_from_the_files_are_those_recorded(sweep):
    results = clbench.load(sweep)
    for _, row in results.runs.iterrows():
        found = run_metrics(results.losses[results.losses["run"] == row["run"]])
        for name, value in found.items():
            if name != "intransigence":
                assert row[name] == value, name


def test_the_matrix_is_read_from_the_ends_of_stages(sweep):
    losses = clbench.load(sweep).losses
    naive = losses[losses["run"] == "naive-0"]
    np.testing.assert_array_equal(score_matrix(naive).to_numpy(), MATRIX)
    np.testing.assert_array_equal(score_matrix(naive, "loss").to_numpy(), 1 - np.array(MATRIX))
    assert list(score_matrix(naive).columns) == ["0", "1", "2"]


def test_a_single_run_is_a_sweep_of_one(sweep):
    results = clbench.load(sweep / "naive-2")
    assert len(results.runs) == 1 and results.runs["run"].item() == "naive-2"
    assert len(results.losses) == 90 and len(results.training) == 9


def test_a_sweep_cut_short_is_read_from_its_runs(sweep):
    whole = clbench.load(sweep).runs
    (sweep / "runs.csv").unlink()
    pd.testing.assert_frame_equal(clbench.load(sweep).runs, whole)


def test_runs_alone_are_enough_for_tables_but_not_for_curves(sweep, tmp_path_factory):
    kept = tmp_path_factory.mktemp("reference")
    (kept / "runs.csv").write_bytes((sweep / "runs.csv").read_bytes())
    results = clbench.load(kept)
    assert results.compare()["pairs"].tolist() == [0, 3]
    with pytest.raises(ConfigurationError, match="must hold losses.csv"):
        results.losses  # noqa: B018


def test_a_comparison_says_how_much_better(sweep):
    table = clbench.load(sweep).compare("naive", "test_accuracy_0").set_index("strategy")
    assert table.loc["l2", "difference"] == pytest.approx(0.125)
    assert {"difference_low", "difference_high", "difference", "family", "p_holm"} <= set(table.columns)


def test_a_folder_without_results_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigurationError, match=r"must hold runs\.csv.*; got "):
            clbench.load(folder)


def test_a_table_without_runs_is_no_results(tmp_path):
    write_sweep(tmp_path)
    with pytest.raises(ConfigurationError, match="must hold runs.csv or runs with summary.json; got"):
        clbench.load(tmp_path)


def test_linked_runs_count_each_once(sweep, tmp_path_factory):
    gathered = tmp_path_factory.mktemp("gathered")
    for place in sorted(sweep.glob("l2-*")):
        (gathered / place.name).symlink_to(place)
    (gathered / "again").symlink_to(gathered)  # a link in a circle
    (gathered / "twice").symlink_to(sweep / "l2-0")
    assert clbench.load(gathered).runs["seed"].tolist() == [0, 1, 2]


def test_names_may_look_like_nothing(tmp_path):
    outcome = Outcome([[0.5]], [0.1])
    write_run(tmp_path / "null", make_run("NA", tasks=1), make_result(outcome), None)
    write_sweep(tmp_path)
    runs = clbench.load(tmp_path).runs
    assert runs["strategy"].tolist() == ["NA"] and runs["run"].tolist() == ["null"]


def test_reading_results_needs_no_torch_and_importing_clbench_no_pandas():
    code = (
        "import sys, clbench; assert 'pandas' not in sys.modules\n"
        "import clbench.records, clbench.analysis.load, clbench.analysis.comparison\n"
        "import clbench.analysis.tables, clbench.analysis.curves\n"
        "assert 'torch' not in sys.modules and 'hydra' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
