"""The grammar `<split>_<metric>_<task>`, and task names of any kind through the whole command."""

import io

import numpy as np
import pandas as pd
import pytest
from own_streams import Days

import clbench
from clbench.analysis.curves import run_metrics, score_matrix
from clbench.analysis.settings import final_means, leading_metric_of
from clbench.config import Evaluation, Training
from clbench.execution import Execution
from clbench.figures.gallery import draw_all
from clbench.figures.scores import arrange
from clbench.launcher.claims import claim_problems
from clbench.records.columns import (
    Final,
    finals_among,
    higher_is_better,
    leading_metric,
    read_final,
)
from clbench.records.files import column_bytes
from clbench.runs import Run
from clbench.scores import SCORES

ODD = ("day_1", 'day 1, "größe"', "$x$ loss_A")


@pytest.mark.parametrize("task", [*ODD, "A", "0", "1", "NA", "01", "accuracy_test_loss"])
@pytest.mark.parametrize("metric", ["loss", *SCORES])
def test_a_column_reads_back_whatever_the_task_is_called(metric, task):
    final = Final("val", metric, task)
    assert final.column == f"val_{metric}_{task}"
    assert read_final(final.column) == final


@pytest.mark.parametrize(
    "column", ["acc", "test_loss", "test_loss_", "train", "strategy.train_loss_A", "test_x_A"]
)
def test_other_columns_are_no_final_ones(column):
    assert read_final(column) is None


@pytest.mark.parametrize(
    ("column", "higher"),
    [
        ("acc", True),
        ("bwt", True),
        ("wc_acc", True),
        ("learning_accuracy", True),
        ("forgetting", False),
        ("gap_recovery", False),
        ("intransigence", False),
        ("test_loss_A", False),
        ("test_loss_day_1", False),
        ("val_rmse_3", False),
        ("val_rmse_task_2", False),
        ("test_accuracy_0", True),
        ("test_accuracy_day_1", True),
        ("test_accuracy_day_loss", True),
        ("test_f1_micro_A", True),
        ("test_f1_micro_day_1", True),
        ("train_r2_B", True),
        ("loss", False),
        ("rmse", False),
        ("accuracy", True),
    ],
)
def test_orientation_of_columns(column, higher):
    assert higher_is_better(column) is higher


def test_the_leading_metric_is_the_loss_for_regression():
    assert leading_metric(("accuracy",)) == "accuracy"
    assert leading_metric(("f1_micro", "accuracy")) == "f1_micro"
    assert leading_metric(("rmse",)) == leading_metric(()) == leading_metric(("r2",)) == "loss"


def test_a_task_called_like_a_metric_is_in_nobody_elses_mean():
    runs = pd.DataFrame(
        {"test_loss_accuracy_1": [9.0], "test_f1_macro_accuracy_1": [0.5], "test_f1_macro_B": [0.7]}
    )
    assert final_means(runs, "test", "f1_macro").tolist() == [0.6]
    assert leading_metric_of(runs) == "f1_macro"  # the stream's first, as its summaries say
    assert [final.task for final in finals_among(runs, task="B")] == ["B"]


def test_claims_may_be_about_any_task():
    claim = {"claim": "x", "higher": {"strategy": "l2"}, "than": {"strategy": "naive"}}
    assert not any(
        "a column of the records" in line for line in claim_problems([claim | {"metric": "test_loss_day 1"}])
    )
    assert any(
        "a column of the records" in line for line in claim_problems([claim | {"metric": "test_mean_A"}])
    )


def test_text_is_quoted_where_it_must_be_and_nowhere_else():
    plain = {"step": np.array([0, 1]), "task": ["day_1", "größe"], "loss": np.array([0.5, 1.0])}
    assert column_bytes(plain) == "step,task,loss\n0,day_1,0.5\n1,größe,1\n".encode()
    odd = plain | {"task": ["day 1, morning", 'a "b"']}
    assert column_bytes(odd).decode().splitlines()[1:] == ['0,"day 1, morning",0.5', '1,"a ""b""",1']


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep of two strategies on tasks of odd names, recorded by the real engine."""
    from clbench.models import MLP
    from clbench.optimizers import SGD
    from clbench.records import write_run, write_sweep
    from clbench.strategies import Naive, Regularized

    folder = tmp_path_factory.mktemp("odd")
    training = Training(steps=4, batch_size=8)
    evaluation = Evaluation(points=2)
    runs = [
        Run(Days(ODD), MLP(hidden=(4,)), strategy, SGD(lr=0.1), training, evaluation, seed=seed)
        for strategy in (Naive(), Regularized(lam=1.0))
        for seed in (0, 1)
    ]
    from clbench.engine import train

    train(
        runs,
        lambda number, result: write_run(folder / str(number), runs[number], result),
        execution=Execution(threads=1),
    )
    write_sweep(folder)
    return clbench.load(folder).records


def test_names_of_any_kind_come_back_from_the_files(sweep):
    scores = arrange(sweep.runs, sweep.losses)
    assert [final.task for final in finals_among(sweep.runs, "test", "loss")] == list(ODD)
    assert tuple(dict.fromkeys(sweep.losses["task"])) == ODD
    assert scores.metrics == ("loss", "accuracy") and scores.selection == "accuracy"
    own = sweep.losses[sweep.losses["run"] == "0"]
    ends = score_matrix(own, "loss").iloc[-1]
    row = sweep.runs.set_index("run").loc["0"]
    assert [ends[task] for task in ODD] == [row[f"test_loss_{task}"] for task in ODD]
    assert run_metrics(own)["acc"] == row["acc"]


def test_names_of_any_kind_are_drawn(sweep, tmp_path):
    pictures, _ = draw_all(sweep, folder=tmp_path)
    assert {"loss_first.png", "loss_tasks.png", "accuracy_tasks.png", "matrix.png"} <= {
        picture.png.name for picture in pictures
    }


def test_names_of_any_kind_stand_in_the_table(sweep):
    from rich.console import Console

    from clbench.analysis.tables import end_table_for_terminal

    console = Console(width=400, record=True, file=io.StringIO())
    console.print(end_table_for_terminal(sweep.runs))
    shown = console.export_text()
    assert all(f"accuracy {task}" in shown for task in ODD)
