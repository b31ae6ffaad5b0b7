"""Results in hand: pictures by name, a table for notebooks, the report."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from written_sweep import STEPS, write_sweep, written_loss

import clbench
from clbench.errors import ConfigurationError

PICTURES = {"distance", "front", "function", "lambda_path", "loss", "matrix", "rmse", "score", "tasks"}
UNFITTING = {"best_lambda", "published"}  # no widths vary, and no study has a published table


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    write_sweep(folder, {"naive": (None,), "l2": (0.1, 1.0, 10.0), "joint": (None,)}, seeds=3)
    return clbench.load(folder)


def line(figure: Figure, name: str) -> np.ndarray:
    (found,) = [item for item in figure.axes[0].get_lines() if item.get_label() == name]
    return found.get_xydata()


def test_every_picture_that_is_listed_is_drawn_and_unknown_to_pyplot(results):
    assert set(dir(results.plot)) == PICTURES | UNFITTING
    for name in PICTURES:
        figure = getattr(results.plot, name)()
        assert isinstance(figure, Figure) and figure.axes, name
    assert pyplot.get_fignums() == []
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_picture_has_the_task_and_the_quantity_asked_for(results):
    curve = line(results.plot.loss("B"), "naive")
    last = np.mean([written_loss("naive", None, seed, 1, 2) for seed in range(3)])
    assert curve[-1] == pytest.approx([2 * STEPS[-1], last], rel=0.2)
    assert line(results.plot.loss(), "naive")[-1, 1] > 5 * curve[-1, 1]  # the first task: A is forgotten
    assert results.plot.rmse("B").axes[0].get_ylabel() == "RMSE"


@pytest.mark.parametrize(
    ("ask", "line"),
    [
        (lambda plot: plot.loss("C"), "A task must be one of the results'; got task=C. Known: A, B."),
        (lambda plot: plot.score("f1"), "A metric must be .*; got metric=f1. Known: loss, rmse."),
        (lambda plot: plot.loss(setting="width=3"), "A setting must be .*; got setting=width=3. Known: None"),
        (lambda plot: plot.best_lambda(), "best_lambda must have two widths .*; got naive, l2, joint"),
    ],
)
def test_what_cannot_be_drawn_is_answered_by_one_line(results, ask, line):
    with pytest.raises(ConfigurationError, match=line) as caught:
        ask(results.plot)
    assert len(caught.value.problems) == 1
    with pytest.raises(AttributeError, match="got losses. Known: best_lambda, distance, "):
        results.plot.losses  # noqa: B018


def test_several_settings_are_drawn_one_at_a_time(tmp_path):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=2, extra={"stream.scenario": ("task", "class")})
    plot = clbench.load(tmp_path).plot
    with pytest.raises(ConfigurationError, match="Known: scenario=class, scenario=task"):
        plot.loss("A")
    assert plot.loss("A", setting="scenario=task").axes


def test_a_notebook_shows_the_comparison_and_where_the_files_lie(results):
    shown = results._repr_html_()
    rows = re.findall(r"<tr>.*?</tr>", shown)
    assert len([row for row in rows if row.startswith("<tr><td>l2</td>")]) >= 3
    assert "Difference from naive" in shown and str(results.folder) in shown and "15 done" in shown
    assert "<script" not in shown


def test_the_report_is_written_without_a_word(results, capfd):
    page = results.report()
    assert page == results.folder / "report.html" and "data:image/svg+xml" in page.read_text(encoding="utf-8")
    assert (results.folder / "figures" / "loss_A.png").is_file()
    assert capfd.readouterr() == ("", "")


def test_runs_that_all_failed_have_no_picture_and_still_a_table(tmp_path):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=1, diverged=("naive,seed=0",))
    results = clbench.load(tmp_path)
    with pytest.raises(ConfigurationError, match="must have a finished run; got none"):
        results.plot.loss("A")
    assert "1 diverged" in results._repr_html_()
