"""What runs and sweeps leave on disk, read back with the csv and json modules."""

import csv
import dataclasses
import io
import json
import math

import numpy as np
import pytest
from synthetic_runs import Outcome, make_result, make_run

from clbench.engine.results import LearnedFunction
from clbench.records import read_summaries, write_run, write_sweep
from clbench.records.files import write_shared, write_whole
from clbench.records.run import losses_bytes

GOOD = Outcome([[0.9, 0.3], [0.6, 0.8]], [0.1, 0.2], dip=-0.2, split_shift={"train": 0.05})


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def config_of(strategy="naive", lam=None, **values):
    penalised = {} if lam is None else {"lam": lam}
    return {
        "stream": {"_target_": "toy.Stream", "scenario": values.get("scenario", "class")},
        "model": {"hidden": values.get("hidden", [8])},
        "strategy": {"_target_": f"toy.{strategy}", **penalised, **values.get("own", {})},
        "optimizer": {"lr": values.get("lr", 0.1)},
        "seed": values.get("seed", 0),
        "claims": [{"claim": str(values)}],
    }


def test_losses_hold_a_row_per_point_task_and_split(tmp_path):
    result = make_result(GOOD)
    write_run(tmp_path / "one", make_run(), result, config_of())
    rows = rows_of(tmp_path / "one" / "losses.csv")
    assert list(rows[0]) == ["step", "stage", "task", "split", "loss", "accuracy"]
    assert len(rows) == 7 * 2 * 3
    for index, row in enumerate(rows):
        point, rest = divmod(index, 6)
        task, split = divmod(rest, 3)
        assert (int(row["step"]), int(row["stage"])) == (result.step[point], result.stage[point])
        assert (row["task"], row["split"]) == ("AB"[task], ("train", "val", "test")[split])
        assert float(row["loss"]) == result.loss[point, task, split]  # every bit comes back
        assert float(row["accuracy"]) == result.score["accuracy"][point, task, split]


def test_float32_values_come_back_bit_for_bit():
    result = make_result(GOOD)
    noise = np.random.default_rng(0).lognormal(0, 20, result.loss.shape).astype(np.float32)
    text = losses_bytes(dataclasses.replace(result, loss=noise, score={"accuracy": noise})).decode()
    read = np.array([row["loss"] for row in csv.DictReader(io.StringIO(text))], dtype=np.float64)
    assert (read.astype(np.float32).reshape(noise.shape) == noise).all()


def test_an_empty_split_has_no_rows_and_a_diverged_loss_has():
    result = make_result(GOOD)
    result.loss[:, 1, 1] = np.nan
    result.loss[-1, 0, 2] = np.nan
    result.loss[-1, 1, 2] = np.inf
    rows = list(csv.DictReader(io.StringIO(losses_bytes(result).decode())))
    assert {(row["task"], row["split"]) for row in rows} == {
        ("A", "train"), ("A", "val"), ("A", "test"), ("B", "train"), ("B", "test"),
    }  # fmt: skip
    assert math.isnan(float(rows[-3]["loss"])) and float(rows[-1]["loss"]) == math.inf


def test_the_bytes_depend_on_nothing_but_the_result(tmp_path):
    for name, run in (("a", make_run()), ("b", make_run("ewc", 3.0, seed=9))):
        write_run(tmp_path / name, run, make_result(GOOD), config_of())
    assert (tmp_path / "a/losses.csv").read_bytes() == (tmp_path / "b/losses.csv").read_bytes()


def test_training_has_no_row_for_step_0(tmp_path):
    outcome = dataclasses.replace(GOOD, training={"penalty": [0, 0, 0, 0, 0.25, 0.5]})
    write_run(tmp_path / "one", make_run(), make_result(outcome), config_of())
    rows = rows_of(tmp_path / "one" / "training.csv")
    norms = ["grad_norm", "penalty_grad_norm", "anchor_distance"]
    assert list(rows[0]) == ["step", "stage", "task_loss", "penalty", *norms]
    assert [int(row["step"]) for row in rows] == [1, 5, 10, 11, 15, 20]
    assert [float(row["penalty"]) for row in rows] == [0, 0, 0, 0, 0.25, 0.5]
    assert math.isnan(float(rows[0]["anchor_distance"]))


def test_the_summary_holds_final_values_metrics_and_provenance(tmp_path):
    returned = write_run(
        tmp_path / "one", make_run("l2", 0.5, seed=3), make_result(GOOD), config_of("l2", 0.5)
    )
    summary = json.loads((tmp_path / "one" / "summary.json").read_text(encoding="utf-8"))
    assert (summary["run"], summary["strategy"], summary["lam"], summary["seed"]) == ("one", "l2", 0.5, 3)
    assert summary["test_accuracy_A"] == pytest.approx(0.6)
    assert summary["train_accuracy_B"] == pytest.approx(0.85)
    assert summary["test_loss_B"] == pytest.approx(0.2)
    assert summary["acc"] == pytest.approx(0.7) and summary["forgetting"] == pytest.approx(0.3)
    assert summary["min_acc"] == pytest.approx(0.6)  # 0.7 one step after the switch, 0.6 at the end
    assert summary["intransigence"] is None and math.isnan(returned["intransigence"])
    made_by = summary["provenance"]
    assert made_by["config"]["strategy"]["lam"] == 0.5
    assert made_by["libraries"]["numpy"] == np.__version__
    assert (made_by["device"], made_by["threads"]) == ("cpu", 1)
    assert len(made_by["config_hash"]) == 16


def test_the_config_hash_sees_the_strategy_and_the_setting_hash_does_not():
    def hashes(run):
        from clbench.records.provenance import provenance

        made_by = provenance(run, None, {}, {})
        return made_by["config_hash"], made_by["setting_hash"]

    naive, l2, wide = hashes(make_run()), hashes(make_run("l2", 1.0)), hashes(make_run(hidden=(16,)))
    assert naive[0] != l2[0] and naive[1] == l2[1]
    assert naive[0] != wide[0] and naive[1] != wide[1]
    assert hashes(make_run(seed=1))[1] != naive[1]


def test_regression_is_measured_by_its_loss(tmp_path):
    outcome = Outcome([[0.1, 2.0], [0.7, 0.2]], [1.0, 1.5], score=None)
    summary = write_run(tmp_path / "one", make_run(), make_result(outcome), None)
    assert summary["acc"] == pytest.approx(-0.45) and summary["forgetting"] == pytest.approx(0.6)
    assert summary["fwt"] == pytest.approx(-0.5)
    optimizer = summary["provenance"]["config"]["optimizer"]
    assert optimizer == {"_target_": "synthetic_runs.ToyOptimizer", "lr": 0.1}


def test_a_learned_function_and_its_data_are_written(tmp_path):
    samples = {
        "A": {
            "train": (np.array([0.0, 1.0]), np.array([2.0, 3.0])),
            "test": (np.array([4.0]), np.array([5.0])),
        }
    }
    function = LearnedFunction(np.array([-1.0, 1.0]), np.array([[0.5, 0.6], [0.7, 0.8]]), samples)
    write_run(tmp_path / "one", make_run(), dataclasses.replace(make_result(GOOD), function=function), None)
    rows = rows_of(tmp_path / "one" / "function.csv")
    assert [tuple(map(float, row.values())) for row in rows] == [
        (0, -1, 0.5), (0, 1, 0.6), (1, -1, 0.7), (1, 1, 0.8),
    ]  # fmt: skip
    data = [tuple(row.values()) for row in rows_of(tmp_path / "one" / "data.csv")]
    assert [(task, split, float(x), float(y)) for task, split, x, y in data] == [
        ("A", "train", 0, 2), ("A", "train", 1, 3), ("A", "test", 4, 5),
    ]  # fmt: skip


def test_files_are_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("clbench.records.files.os.replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old" and [item.name for item in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_rewrite_leaves_no_mark_of_a_whole_run(tmp_path, monkeypatch):
    write_run(tmp_path / "one", make_run(), make_result(GOOD), None)

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("clbench.records.run.training_bytes", fail)
    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path / "one", make_run(), make_result(GOOD), None)
    assert read_summaries(tmp_path) == []


def sweep_of(folder, runs):
    """Write runs `(name, run, outcome, config)` and return the rows of `runs.csv`."""
    for name, run, outcome, config in runs:
        write_run(folder / name, run, make_result(outcome), config)
    return rows_of(write_sweep(folder))


def test_a_sweep_has_a_row_per_run_with_what_varies(tmp_path):
    rows = sweep_of(
        tmp_path,
        [
            ("z", make_run("naive", seed=1), GOOD, config_of(seed=1)),
            ("deep/y", make_run("l2", 10.0), GOOD, config_of("l2", 10.0, own={"half": True})),
            ("x", make_run("l2", 2.0), GOOD, config_of("l2", 2.0, own={"half": False})),
            ("w", make_run("naive"), GOOD, config_of(lr=0.01)),
        ],
    )
    header = list(rows[0])
    assert header[:9] == [
        "run",
        "strategy",
        "role",
        "lam",
        "seed",
        "stream",
        "strategy.half",
        "optimizer.lr",
        "status",
    ]
    assert header[9:15] == [f"train_{metric}_{task}" for metric in ("loss", "accuracy") for task in "AB"] + [
        "val_loss_A",
        "val_loss_B",
    ]
    assert header[-14:-9] == ["acc", "bwt", "fwt", "forgetting", "learning_accuracy"]
    assert header[-9:-3] == ["intransigence", "min_acc", "wc_acc", "gap_depth", "gap_recovery", "aaa"]
    assert header[-3:] == ["steps", "samples", "seconds"]
    by_run = {row["run"]: row for row in rows}
    assert set(by_run) == {"z", "deep/y", "x", "w"}
    assert by_run["z"]["lam"] == "" and by_run["z"]["strategy.half"] == ""
    assert (by_run["x"]["lam"], by_run["deep/y"]["strategy.half"]) == ("2.0", "True")
    assert float(by_run["x"]["test_accuracy_A"]) == 0.6
    assert by_run["w"]["optimizer.lr"] == "0.01"


def test_what_only_one_strategy_has_is_no_column(tmp_path):
    rows = sweep_of(
        tmp_path,
        [
            ("a", make_run(), GOOD, config_of()),
            ("b", make_run("l2", 1.0), GOOD, config_of("l2", 1.0, own={"half": True})),
        ],
    )
    assert list(rows[0])[:7] == ["run", "strategy", "role", "lam", "seed", "stream", "status"]


def test_a_field_that_an_older_clbench_did_not_have_is_a_column(tmp_path):
    own = {
        "bare": {"importance": {"_target_": "toy.Ones"}},
        "full": {"importance": {"_target_": "toy.Ones", "gamma": 1}},
    }
    for name, fields in {**own, "fisher": {"importance": {"_target_": "toy.Fisher"}}}.items():
        write_run(tmp_path / name, make_run(), make_result(GOOD), config_of("ewc", 1.0, own=fields))
    (tmp_path / "bare").rename(tmp_path / "kept")
    rows = {row["run"]: row for row in rows_of(write_sweep(tmp_path))}
    assert [rows[name]["strategy.importance.gamma"] for name in ("kept", "full", "fisher")] == ["", "1", ""]
    (tmp_path / "kept").rename(tmp_path.parent / "away")
    assert "strategy.importance.gamma" not in rows_of(write_sweep(tmp_path))[0]  # Fisher never has it


def test_runs_of_an_earlier_sweep_in_the_folder_stay(tmp_path):
    sweep_of(tmp_path, [("a", make_run(), GOOD, config_of())])
    rows = sweep_of(tmp_path, [("b", make_run(seed=1), GOOD, config_of())])
    assert [row["run"] for row in rows] == ["a", "b"]


def test_rows_stand_in_the_order_of_their_numbers(tmp_path):
    runs = [
        (f"{lam}-{seed}", make_run("l2", lam, seed), GOOD, config_of("l2", lam))
        for lam in (10.0, 9.0)
        for seed in (10, 9)
    ]
    rows = sweep_of(
        tmp_path, [*runs, ("j", make_run("joint"), GOOD, config_of()), ("n", make_run(), GOOD, config_of())]
    )
    assert [row["run"] for row in rows] == ["n", "9.0-9", "9.0-10", "10.0-9", "10.0-10", "j"]


def test_intransigence_is_paired_with_the_joint_run_of_the_seed(tmp_path):
    def reference(diagonal):
        return Outcome([[diagonal, 0.3], [0.6, diagonal]], [0.1, 0.2])

    rows = sweep_of(
        tmp_path,
        [
            ("n0", make_run(seed=0), GOOD, config_of()),
            ("n1", make_run(seed=1), GOOD, config_of()),
            ("n2", make_run(seed=2), GOOD, config_of()),
            ("j0", make_run("joint", seed=0), reference(0.95), config_of()),
            ("j1", make_run("joint", seed=1), reference(0.8), config_of()),
            ("c0", make_run("cumulative", seed=0), reference(0.5), config_of()),
            ("c2", make_run("cumulative", seed=2), reference(0.85), config_of()),
            ("other", make_run("joint", seed=2, hidden=(99,)), reference(0.99), config_of()),
        ],
    )
    values = {row["run"]: row["intransigence"] for row in rows}
    assert float(values["n0"]) == pytest.approx(0.95 - 0.85)  # R[j,j] is 0.9 and 0.8
    assert float(values["n1"]) == pytest.approx(0.8 - 0.85)
    assert float(values["n2"]) == pytest.approx(0.0)  # the joint run of seed 2 has another net
    assert float(values["j0"]) == 0.0


def test_roles_are_those_of_the_classes_whatever_strategies_are_called(tmp_path):
    lower, upper = make_run("my_lower_bound", kind="naive"), make_run("all_data", kind="joint")
    runs = [("j", upper), ("l", make_run("l2", 1.0)), ("n", lower), ("x", make_run("joint", kind="plain"))]
    rows = sweep_of(tmp_path, [(name, run, GOOD, config_of()) for name, run in runs])
    assert [(row["run"], row["role"]) for row in rows] == [
        ("n", "naive"),
        ("x", ""),
        ("l", ""),
        ("j", "joint"),
    ]
    assert [float(row["intransigence"]) for row in rows] == [0.0] * 4
    assert json.loads((tmp_path / "n" / "summary.json").read_text())["role"] == "naive"


def test_runs_of_times_before_roles_have_that_of_their_label(tmp_path):
    runs = [("n", make_run()), ("l", make_run("l2", 1.0)), ("c", make_run("cumulative"))]
    sweep_of(tmp_path, [(name, run, GOOD, config_of()) for name, run in runs])
    for name, _ in runs:
        path = tmp_path / name / "summary.json"
        summary = json.loads(path.read_text())
        del summary["role"]
        path.write_text(json.dumps(summary))
    assert [row["role"] for row in rows_of(write_sweep(tmp_path))] == ["naive", "", "cumulative"]


def test_without_a_reference_intransigence_is_empty(tmp_path):
    assert sweep_of(tmp_path, [("a", make_run(), GOOD, config_of())])[0]["intransigence"] == ""


def test_a_diverged_run_has_its_records_but_no_final_point(tmp_path):
    bad = dataclasses.replace(GOOD, status="diverged", diverged_after=12)
    rows = sweep_of(
        tmp_path, [("bad", make_run(seed=1), bad, config_of()), ("good", make_run(), GOOD, config_of())]
    )
    by_run = {row["run"]: row for row in rows}
    assert by_run["bad"]["status"] == "diverged" and by_run["bad"]["diverged_after"] == "12"
    assert by_run["bad"]["test_accuracy_A"] == by_run["bad"]["acc"] == ""
    assert by_run["good"]["diverged_after"] == "" and by_run["good"]["acc"] != ""
    assert len(rows_of(tmp_path / "bad" / "losses.csv")) == 42


def test_streams_of_different_length_share_a_table(tmp_path):
    three = Outcome(np.eye(3).tolist(), [0, 0, 0])
    rows = sweep_of(
        tmp_path,
        [("a", make_run(), GOOD, config_of()), ("b", make_run(stream="long", tasks=3), three, config_of())],
    )
    by_run = {row["run"]: row for row in rows}
    assert by_run["b"]["test_accuracy_2"] == "1.0" and by_run["b"]["test_accuracy_A"] == ""
    assert by_run["a"]["test_accuracy_2"] == ""


def test_a_shared_file_is_one_on_the_disk_and_stays_when_the_other_goes(tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    made = []
    for path in (one, two, two):
        write_shared(path, "a key of this test", lambda: made.append(1) or b"x\n1\n")
    assert len(made) == 1 and one.samefile(two) and two.stat().st_nlink == 2
    write_whole(one, b"new")  # a file that is replaced leaves the other as it was
    assert two.read_bytes() == b"x\n1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.csv", "two.csv"]


@pytest.mark.parametrize("spoilt", ["edited", "gone", "no links"])
def test_a_shared_file_is_written_where_it_cannot_be_linked(tmp_path, monkeypatch, spoilt):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    write_shared(one, f"another key: {spoilt}", lambda: b"right")
    if spoilt == "edited":
        one.write_bytes(b"wrong!")
    if spoilt == "gone":
        one.unlink()
    if spoilt == "no links":

        def refuse(*paths):
            raise OSError("no links here")

        monkeypatch.setattr("os.link", refuse)
    write_shared(two, f"another key: {spoilt}", lambda: b"right")
    assert two.read_bytes() == b"right" and two.stat().st_nlink == 1
