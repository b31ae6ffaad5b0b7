"""Pictures: what is on the axes, against numbers worked out by slow loops and scipy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from written_sweep import STEPS, write_sweep, written_loss

from clbench.analysis.load import load
from clbench.figures import estimates as est
from clbench.figures import gallery
from clbench.figures.axes import new_axes, spans_decades
from clbench.figures.charts.best_lambda import plot_best_lambda
from clbench.figures.charts.final_over_lambda import draw_lambda_path
from clbench.figures.charts.front import draw_front, plot_front
from clbench.figures.charts.function import draw_function, plot_function
from clbench.figures.charts.matrix import cell_text, plot_matrix
from clbench.figures.choices import choose
from clbench.figures.gallery import draw_all
from clbench.figures.lambda_axis import LambdaScale
from clbench.figures.layout import evenly, panels_of_lines
from clbench.figures.line_ends import spread
from clbench.figures.looks import BLUE, ORANGE, SOLID, STRATEGY_LOOKS, strategy_look, variant_looks
from clbench.figures.plot_curves import plot_curves, plot_tasks
from clbench.figures.plot_lambda import plot_lambda
from clbench.figures.scores import arrange, width_column, width_of
from clbench.figures.setting import Setting
from clbench.figures.style import save, styled
from clbench.figures.words import number_text, seeds

BASIC = {"naive": (None,), "l2": (0.0, 1.0, 10.0, 100.0), "joint": (None,)}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    write_sweep(folder, BASIC, seeds=4)
    return load(folder)


@pytest.fixture(scope="module")
def scores(sweep):
    return arrange(sweep.runs, sweep.losses)


def curve_frame():
    step = [0, 10, 20]
    naive = pd.DataFrame({"line": "naive", "strategy": "naive", "step": step, "mean": [1.0, 0.1, 0.9]})
    joint = pd.DataFrame({"line": "joint", "strategy": "joint", "step": step, "mean": [1.0, 0.2, 0.01]})
    frame = pd.concat([naive, joint], ignore_index=True)
    return frame.assign(low=0.9 * frame["mean"], high=1.2 * frame["mean"])


def band_limits(collection):
    """Return the lowest and highest y of a filled band at every x, from its outline."""
    outline = pd.DataFrame(collection.get_paths()[0].vertices, columns=["x", "y"]).groupby("x")["y"]
    return outline.min().to_numpy(), outline.max().to_numpy()


def labels_of(artists):
    return [artist.get_label() for artist in artists if not artist.get_label().startswith("_")]


# Estimates -------------------------------------------------------------------------------------------------


def test_curve_estimates_are_means_with_the_tables_interval(sweep, scores):
    curves = est.curve_estimates(sweep.losses, scores.runs[scores.runs["strategy"] == "naive"])
    row = curves[(curves["task"] == "A") & (curves["step"] == STEPS[-1] + 16)].iloc[0]
    values = np.array([1.05 * written_loss("naive", None, seed, 0, 1.16) for seed in range(4)])
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    np.testing.assert_allclose(
        [row["mean"], row["low"], row["high"]], [np.mean(values), low, high], rtol=1e-12
    )
    assert row["n"] == 4 and len(curves) == 2 * (2 * len(STEPS) - 1)


def test_chosen_lambda_is_the_best_on_validation(scores):
    means = {
        lam: np.mean([written_loss("l2", lam, seed, task, 2) for seed in range(4) for task in range(2)])
        for lam in BASIC["l2"]
    }
    best = min(means, key=means.get)
    choice = choose(scores, "")
    assert (choice.lams, choice.split) == ({"l2": (best,)}, "val")
    assert set(choice.runs["line"]) == {"naive", f"l2, λ={number_text(best)}", "joint"}


def disagreeing_runs():
    """Three seeds: λ = 1 is best on the validation of seeds 0 and 1, λ = 2 on that of seed 2."""
    table = {(1.0, 0): 1.0, (2.0, 0): 2.0, (1.0, 1): 1.0, (2.0, 1): 2.0, (1.0, 2): 5.0, (2.0, 2): 3.5}
    return pd.DataFrame(
        {"run": f"{lam}{seed}", "strategy": "l2", "lam": lam, "seed": seed, "stream": "toy", "status": "done"}
        | {"val_loss_A": loss, "test_loss_A": -lam}
        for (lam, seed), loss in table.items()
    )


def test_each_seed_is_drawn_at_the_lambda_that_the_others_choose():
    """Seeds 0 and 1 see (1 + 5)/2 > (2 + 3.5)/2 and take 2, seed 2 takes 1; the test split would take 2."""
    choice = choose(arrange(disagreeing_runs(), pd.DataFrame()), "")
    assert choice.runs.set_index("seed")["lam"].to_dict() == {0: 2.0, 1: 2.0, 2: 1.0}
    assert set(choice.runs["line"]) == {"l2, λ=2 (2 of 3)"} and choice.lams == {"l2": (1.0, 2.0)}
    assert choice.looks["l2, λ=2 (2 of 3)"] == choice.looks["l2"]
    assert "validation split of the other seeds" in choice.words


def test_a_single_seed_chooses_for_itself_and_a_single_lambda_is_no_choice():
    runs = disagreeing_runs()
    choice = choose(arrange(runs[runs["seed"] == 0], pd.DataFrame()), "")
    assert choice.lams == {"l2": (1.0,)} and choice.words.endswith("of this one seed.")
    choice = choose(arrange(runs[runs["lam"] == 2], pd.DataFrame()), "")
    assert len(choice.runs) == 3 and not choice.lams and not choice.words


def test_lambda_at_which_a_seed_diverged_is_not_chosen(tmp_path):
    runs = write_sweep(tmp_path, {"l2": (1.0, 10.0)}, seeds=4, diverged=("l2,lam=10.0,seed=1",))
    scores = arrange(load(tmp_path).runs, load(tmp_path).losses)
    assert choose(scores, "").runs.set_index("seed")["lam"].to_dict() == {0: 1.0, 2: 1.0, 3: 1.0}
    assert choose(scores, "").lams == {"l2": (1.0, 10.0)}  # seed 1 can't know that it diverges itself
    assert list(scores.runs["run"]) == [run for run in runs["run"] if run != "l2,lam=10.0,seed=1"]


def test_where_every_lambda_lost_a_run_the_others_decide(tmp_path):
    write_sweep(
        tmp_path,
        {"l2": (1.0, 10.0)},
        seeds=4,
        diverged=tuple(f"l2,lam={lam},seed={seed}" for lam in (1.0, 10.0) for seed in (1, 2)),
    )
    scores = arrange(load(tmp_path).runs, load(tmp_path).losses)
    assert choose(scores, "").lams == {"l2": (10.0,)}


def test_without_validation_the_choice_is_called_the_oracles(sweep, tmp_path):
    runs = sweep.runs.drop(columns=sweep.runs.filter(like="val_").columns)
    scores = arrange(runs, sweep.losses)
    with styled():
        drawing = draw_function(Setting(scores, sweep.run_folder), "loss")
    assert [ax.get_title(loc="left") for ax in drawing.figure.axes][1].endswith("(oracle: best on test)")
    assert "oracle" in drawing.caption


def test_matrices_hold_the_loss_after_every_stage(sweep, scores):
    runs = scores.runs[scores.runs["strategy"] == "naive"]
    matrix = est.matrices(sweep.losses, runs, ("A", "B"), "loss")["naive"]
    expected = [
        [
            np.mean([1.05 * written_loss("naive", None, seed, task, stage) for seed in range(4)])
            for task in (0, 1)
        ]
        for stage in (1, 2)
    ]
    np.testing.assert_allclose(matrix, expected, rtol=1e-12)


def test_best_lambda_spans_those_that_no_test_tells_from_it():
    """λ = 1 is best; 0.1 loses to it by 1, 1.1, 0.9, 1 and is out, 10 by 1, -0.5, 2, 0.1 and stays."""
    losses = {0.1: [2.0, 2.1, 1.9, 2.0], 1.0: [1.0, 1.0, 1.0, 1.0], 10.0: [2.0, 0.5, 3.0, 1.1]}
    rows = [
        {"run": f"{lam}{seed}{width}", "strategy": "l2", "lam": lam, "seed": seed, "stream": "toy"}
        | {"model.hidden": width, "status": "done", "test_loss_A": 0.0, "val_loss_A": loss}
        for width, count in ((8, 4), (32, 1))
        for lam, values in losses.items()
        for seed, loss in enumerate(values[:count])
    ]
    best = est.best_lambda_estimates(arrange(pd.DataFrame(rows), pd.DataFrame()), "model.hidden")
    best = best.set_index("width")
    assert best.loc[8, ["lam", "low", "high", "n"]].tolist() == [1.0, 1.0, 10.0, 4]
    assert best.loc[32, "lam"] == 1.0 and best.loc[32, ["low", "high"]].isna().all()  # one seed, no interval


# Settings and variants -------------------------------------------------------------------------------------


def test_settings_and_variants_are_what_varies():
    runs = pd.DataFrame(
        {
            "run": list("abcdef"),
            "strategy": ["naive", "naive", "l2", "l2", "l2", "l2"],
            "lam": [np.nan, np.nan, 1.0, 1.0, 2.0, 2.0],
            "seed": 0,
            "stream": "digits",
            "stream.scenario": ["task", "class"] * 3,
            "stream.outputs": [2, 10] * 3,  # fixed by the scenario already
            "strategy.scale": [None, None, "sum", "sum", "mean", "mean"],
            "optimizer.lr": [0.1, 0.1, 0.2, 0.2, 0.2, 0.2],  # fixed by the strategy already
            "status": "done",
            "test_loss_A": 1.0,
        }
    )
    scores = arrange(runs, pd.DataFrame())
    assert scores.settings == ("scenario=class", "scenario=task")
    assert (
        scores.runs["line"].tolist()
        == ["naive"] * 2 + ["l2 (scale=sum), λ=1"] * 2 + ["l2 (scale=mean), λ=2"] * 2
    )


def test_bounds_are_known_by_their_role_and_not_by_their_name():
    names = {"run": list("abc"), "strategy": ["plain", "joint", "l2"], "role": ["naive", "", ""]}
    runs = pd.DataFrame(names | {"lam": [np.nan, np.nan, 1.0], "seed": 0, "stream": "toy", "status": "done"})
    runs["test_loss_A"] = 1.0
    scores = arrange(runs, pd.DataFrame())
    setting = Setting(scores, Path)
    assert scores.bounds == {"plain"} and list(setting.bounds["strategy"]) == ["plain"]
    assert not setting.has_joint  # a strategy that is only called so


def test_an_empty_cell_is_called_null():
    head = {"run": list("abcd"), "strategy": "l2", "lam": 1.0, "seed": 0, "stream": "toy"}
    stages = {"strategy.from_stage": [1.0, np.nan] * 2}
    samples = {"stream.samples": [np.nan, np.nan, 40.0, 40.0]}
    scores = arrange(pd.DataFrame(head | stages | samples | {"status": "done"}), pd.DataFrame())
    assert scores.settings == ("samples=40", "samples=null")
    assert scores.runs["variant"].tolist() == ["l2 (from_stage=1)", "l2 (from_stage=null)"] * 2


def test_width_is_recognised_and_read():
    head = {"run": list("ab"), "strategy": "l2", "lam": 1.0, "seed": 0, "stream": "toy"}
    runs = pd.DataFrame(head | {"model.hidden": ["[16, 16]", "[64, 8]"], "status": "done"})
    assert width_column(arrange(runs, pd.DataFrame())) == "model.hidden"
    assert width_of(runs["model.hidden"]).tolist() == [16, 64]


# Axes ------------------------------------------------------------------------------------------------------


def test_curves_show_lines_bands_and_the_switch():
    frame = curve_frame()
    ax = plot_curves(frame, {"A": (0, 10), "B": (10, 20)}, loss="mse")
    assert labels_of(ax.get_lines()) == ["naive", "joint"]
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [1.0, 0.1, 0.9])
    low, high = band_limits(ax.collections[0])
    np.testing.assert_allclose(low, [0.9, 0.09, 0.81])
    np.testing.assert_allclose(high, [1.2, 0.12, 1.08])
    switch = [line for line in ax.get_lines() if line.get_label() == "_switch"]
    assert [line.get_xdata()[0] for line in switch] == [10]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("gradient step", "mean squared error")
    assert ax.get_yscale() == "log" and ax.get_xlim() == (0, 20)
    assert [text.get_text() for text in ax.texts] == ["training on A", "B", "naive", "joint"]


def test_a_narrow_range_stays_linear_and_starts_at_zero():
    frame = curve_frame()
    ax = plot_curves(frame[frame["line"] == "naive"], {"A": (0, 20)})
    assert ax.get_yscale() == "linear" and ax.get_ylim()[0] == 0


def test_given_axes_are_drawn_on_and_returned():
    _, axes = new_axes(1, 2)
    assert plot_curves(curve_frame(), {"A": (0, 20)}, ax=axes[1]) is axes[1]
    assert not axes[0].get_lines()


def test_a_band_that_reaches_below_zero_is_cut_on_a_log_axis():
    frame = curve_frame().assign(low=-1.0)
    ax = plot_curves(frame, {"A": (0, 20)})
    assert 0 < ax.get_ylim()[0] <= 0.01
    assert all((band_limits(band)[0] > 0).all() for band in ax.collections)


def test_score_axis_spans_zero_to_one():
    frame = curve_frame()
    frame[["mean", "low", "high"]] *= 0.5
    ax = plot_curves(frame, {"A": (0, 20)}, metric="accuracy")
    assert ax.get_yscale() == "linear" and ax.get_ylabel() == "accuracy"
    assert ax.get_ylim()[0] <= 0 and ax.get_ylim()[1] >= 1


def test_matrix_writes_its_values_rows_from_the_top():
    ax = plot_matrix(np.array([[0.9, 0.25], [0.5, np.nan]]), ["A", "B"], ["A", "B"])
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written == {(0.5, 0.5): "0.90", (1.5, 0.5): "0.25", (0.5, 1.5): "0.50"}
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("task", "after stage")


def test_scores_are_written_with_two_decimals():
    ax = plot_matrix(np.array([[1.0, 0.0]]), ["A", "B"], ["A"], unit=True)
    assert [text.get_text() for text in ax.texts] == ["1.00", "0.00"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0123, "0.012"), (0.5, "0.50"), (1.0, "1"), (12.34, "12.3"), (1234, "1e3")],
)
def test_cells_are_short(value, text):
    assert cell_text(value) == text


def test_function_panel_shows_data_and_functions_in_order():
    function = pd.DataFrame({"stage": [0, 0, 1, 1], "x": [1, 0, 1, 0], "prediction": [5, 6, 7, 8]})
    data = pd.DataFrame(
        {
            "task": ["A", "A", "B", "B"],
            "split": ["train", "test", "train", "train"],
            "x": range(4),
            "y": range(4),
        }
    )
    ax = plot_function(function, data)
    assert labels_of(ax.get_lines()) == ["after A", "after B"]
    np.testing.assert_array_equal(ax.get_lines()[1].get_ydata(), [8, 7])
    assert [len(points.get_offsets()) for points in ax.collections] == [1, 2]  # only the train split
    assert labels_of(ax.collections) == ["data of A", "data of B"]


def test_lambda_zero_stands_left_of_the_break():
    scale = LambdaScale([0, 0.1, 100])
    np.testing.assert_allclose(scale.place([0.1, 1, 100]), [-1, 0, 2])
    assert scale.place([0])[0] <= -1.5
    ax = plot_lambda(
        pd.DataFrame(
            {
                "line": "l2",
                "strategy": "l2",
                "lam": [0, 0.1, 100],
                "mean": [3.0, 2.0, 1.0],
                "low": [2.0, 1.5, 0.5],
                "high": [4.0, 2.5, 1.5],
                "chosen": [False, True, False],
            }
        ),
        pd.DataFrame({"line": ["joint"], "strategy": ["joint"], "mean": [0.5], "low": [0.4], "high": [0.6]}),
        loss="mse",
    )
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "0.1", "1", "10", "100"]
    named = {line.get_label(): line for line in ax.get_lines()}
    np.testing.assert_allclose(named["l2"].get_xydata(), [[-1, 2], [2, 1]])  # 0 is not joined with it
    np.testing.assert_allclose(named["_chosen"].get_xydata(), [[-1, 2]])
    np.testing.assert_allclose(named["joint"].get_ydata(), [0.5, 0.5])


def test_front_is_a_path_over_lambda_with_its_end_points(sweep, scores):
    ax = draw_front(Setting(scores, sweep.run_folder), "loss").figure.axes[0]
    drawn = {line.get_label(): line.get_xydata() for line in ax.get_lines()}

    def mean(strategy, lam, task):
        return np.mean([1.05 * written_loss(strategy, lam, seed, task, 2) for seed in range(4)])

    np.testing.assert_allclose(drawn["l2"], [[mean("l2", lam, 0), mean("l2", lam, 1)] for lam in BASIC["l2"]])
    np.testing.assert_allclose(drawn["joint"], [[mean("joint", None, 0), mean("joint", None, 1)]])
    assert ax.get_xlabel() == "mean squared error, task A" and ax.get_ylabel() == "mean squared error, task B"


def test_best_lambda_axis_spans_all_that_was_tried():
    frame = pd.DataFrame(
        {
            "line": "l2",
            "strategy": "l2",
            "width": [16, 64],
            "lam": [1.0, 10.0],
            "low": [1.0, 1.0],
            "high": [10.0, 10.0],
        }
    )
    ax = plot_best_lambda(frame, x_label="hidden", lams=[0.01, 100])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["0.01", "0.1", "1", "10", "100"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["16", "64"]


def test_front_marks_no_lambda_twice_at_one_place():
    frame = pd.DataFrame(
        {"line": "l2", "strategy": "l2", "lam": [0, 0.1, 1.0], "x": [1, 1, 0.1], "y": [0, 0, 1]}
    )
    frame = frame.assign(x_low=frame["x"], x_high=frame["x"], y_low=frame["y"], y_high=frame["y"])
    ax = plot_front(frame, frame.iloc[:0], x_label="a", y_label="b")
    assert [text.get_text() for text in ax.texts] == ["λ=0", "1"]


# Words and looks -------------------------------------------------------------------------------------------


def test_spread_keeps_order_and_distance_and_moves_no_more_than_needed():
    np.testing.assert_allclose(spread([0.5, 0.1, 0.9], 0.1), [0.5, 0.1, 0.9])
    np.testing.assert_allclose(spread([0.5, 0.5], 0.1), [0.45, 0.55])
    crowded = spread([0.0, 0.01, 0.02, 0.9], 0.1)
    assert (np.diff(crowded) >= 0.1 - 1e-12).all() and crowded[0] == 0 and crowded[3] == 0.9


def test_numbers_and_seeds_are_written_as_people_do():
    texts = {0: "0", 0.1: "0.1", 100: "100", 1e4: "10000", 1e-6: "1e-6", 2.5e7: "2.5e7"}
    assert {value: number_text(value) for value in texts} == texts
    assert seeds([10, 10]) == "10 seeds" and seeds([1]) == "1 seed" and seeds([8, 10]) == "8 to 10 seeds"


def test_every_strategy_has_a_look_of_its_own():
    assert len({(colour, str(dash)) for colour, dash in STRATEGY_LOOKS.values()}) == len(STRATEGY_LOOKS)
    assert strategy_look("my_own") == strategy_look("my_own")


@pytest.mark.parametrize(
    ("values", "wide"), [([1, 30], False), ([1, 40], True), ([-1, 100], False), ([0, 1], False)]
)
def test_log_axes_begin_at_one_and_a_half_decades(values, wide):
    assert spans_decades(values) is wide


def test_no_panel_has_more_than_eight_lines():
    names = ["naive", "joint", *(f"s{index}" for index in range(15))]
    panels = panels_of_lines(names, names, {"naive", "joint"})
    assert max(map(len, panels)) <= 8 and {name for panel in panels for name in panel} == set(names)
    assert all(panel[:2] == ["naive", "joint"] for panel in panels)
    assert panels_of_lines(names[:8], names[:8], {"naive"}) == [names[:8]]
    assert max(map(len, panels_of_lines(names[:9], names[:9], {"naive"}))) <= 8


def test_of_many_tasks_evenly_spread_ones_are_drawn():
    assert evenly(5, 9) == [0, 1, 2, 3, 4]
    assert evenly(17, 9) == [0, 2, 4, 6, 8, 10, 12, 14, 16]


# Whole sweeps ----------------------------------------------------------------------------------------------


@pytest.fixture
def unsaved(monkeypatch):
    """Rendering takes most of the time: tests of which pictures there are do without."""

    def paths(figure, path):
        return path.with_name(path.name + ".png"), path.with_name(path.name + ".svg")

    monkeypatch.setattr(gallery, "save", paths)


def test_pictures_follow_what_varies(sweep, unsaved):
    pictures, notes = draw_all(sweep)
    names = ["loss_A", "loss_tasks", "matrix", "function", "lambda", "front", "distance"]
    assert [picture.png.stem for picture in pictures] == names
    assert notes == []


def test_equal_files_give_equal_bytes(tmp_path):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=2)
    first, _ = draw_all(load(tmp_path))
    before = {path: path.read_bytes() for picture in first for path in (picture.png, picture.svg)}
    draw_all(load(tmp_path))
    assert {path: path.read_bytes() for path in before} == before
    assert not any(b"<dc:date>" in content for content in before.values())
    assert sorted((tmp_path / "figures").iterdir()) == sorted(before)


def test_settings_get_pictures_of_their_own(tmp_path, unsaved):
    write_sweep(
        tmp_path,
        {"naive": (None,)},
        seeds=2,
        tasks=3,
        score="accuracy",
        extra={"stream.scenario": ("task", "class")},
    )
    pictures, _ = draw_all(load(tmp_path))
    names = [picture.png.name.removesuffix(".png") for picture in pictures]
    kinds = ["loss_0", "accuracy_tasks", "matrix"]
    assert names == [f"{kind}-scenario={scenario}" for scenario in ("class", "task") for kind in kinds]
    assert "(scenario=task)" in pictures[-1].title


def test_of_many_settings_evenly_chosen_ones_are_drawn_and_the_others_named(tmp_path, unsaved):
    rates = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
    write_sweep(tmp_path, {"naive": (None,)}, seeds=1, extra={"optimizer.lr": rates}, function=False)
    pictures, notes = draw_all(load(tmp_path))
    drawn = dict.fromkeys(picture.title.split("lr=")[1].rstrip(")") for picture in pictures)
    assert list(drawn) == ["0.001", "0.01", "0.1"]
    assert "left out: lr=0.002; lr=0.005; lr=0.02; lr=0.05." in notes[0]
    assert len(draw_all(load(tmp_path), most=7)[0]) == 7 * len(pictures) / 3


def test_panels_on_one_scale_hide_nothing():
    """The second task's losses exceed the first one's, whose panel is drawn first."""
    step = [0, 10, 20]
    frame = pd.concat(
        pd.DataFrame({"line": "l2", "strategy": "l2", "task": task, "step": step, "mean": mean})
        for task, mean in (("A", [1.0, 0.01, 0.02]), ("B", [2.0, 90.0, 0.5]))
    )
    frame = frame.assign(low=0.9 * frame["mean"], high=1.1 * frame["mean"])
    _, axes = new_axes(1, 2, sharey=True)
    plot_tasks(frame, ["A", "B"], {"A": (0, 10), "B": (10, 20)}, axes)
    bottom, top = axes[0].get_ylim()
    assert bottom <= 0.01 and top >= 99
    over = frame.rename(columns={"step": "lam"}).assign(chosen=False)
    _, axes = new_axes(1, 2, sharey=True)
    for ax, task in zip(axes, "AB", strict=True):
        plot_lambda(over[over["task"] == task], over.iloc[:0], log=False, ax=ax)
    assert axes[0].get_ylim()[0] == 0 and axes[0].get_ylim()[1] >= 99


def test_a_single_task_shows_every_split_over_lambda(tmp_path, unsaved):
    write_sweep(tmp_path, {"l2": (0.0, 1.0, 10.0)}, seeds=2, tasks=1, function=False)
    pictures, _ = draw_all(load(tmp_path))
    assert [picture.png.stem for picture in pictures] == ["loss_0", "lambda", "distance"]
    results = load(tmp_path)
    setting = Setting(arrange(results.runs, results.losses), results.run_folder)
    axes = draw_lambda_path(setting, "loss").figure.axes
    assert [ax.get_title() for ax in axes] == ["train split", "validation split", "test split"]
    drawn = {line.get_label(): line for line in axes[0].get_lines()}["l2"].get_ydata()
    expected = [
        np.mean([0.9 * written_loss("l2", lam, seed, 0, 1) for seed in range(2)]) for lam in (1.0, 10.0)
    ]
    np.testing.assert_allclose(drawn, expected)


def test_variants_of_a_strategy_have_one_look_each_in_all_pictures(tmp_path):
    scales = {"strategy.scale": ("sum", "mean")}
    write_sweep(tmp_path, {"l2": (1.0, 10.0)}, seeds=1, extra=scales, function=False)
    results = load(tmp_path)
    looks = arrange(results.runs, results.losses).looks
    assert looks["l2 (scale=sum)"] == looks["l2 (scale=sum), λ=10"] == (BLUE, SOLID)
    assert looks["l2 (scale=mean)"] == (ORANGE, SOLID)
    assert variant_looks({"l2": "l2"}) == {"l2": STRATEGY_LOOKS["l2"]}


def test_widths_get_their_best_lambda(tmp_path, unsaved):
    widths = {"model.hidden": ("[16, 16]", "[64, 64]")}
    write_sweep(tmp_path, {"l2": (1.0, 10.0)}, seeds=2, extra=widths, function=False)
    pictures, _ = draw_all(load(tmp_path))
    assert pictures[0].png.stem == "best_lambda"


def test_a_sweep_without_a_finished_run_is_reported(tmp_path):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=1, diverged=("naive,seed=0",))
    assert draw_all(load(tmp_path)) == (
        [],
        ["No pictures: no run was finished."],
    )


def test_without_the_runs_files_what_runs_csv_tells_is_drawn(sweep, tmp_path, unsaved):
    (tmp_path / "runs.csv").write_bytes((sweep.folder / "runs.csv").read_bytes())
    pictures, notes = draw_all(load(tmp_path))
    assert [picture.png.stem for picture in pictures] == ["lambda", "front"]
    assert len(notes) == 1 and "runs.csv" in notes[0]


def test_a_picture_leaves_no_partial_file(tmp_path):
    with styled():
        figure, axes = new_axes()
        axes[0].plot([1, 2])
        png, svg = save(figure, tmp_path / "below" / "line")
    assert sorted(tmp_path.rglob("*")) == sorted([tmp_path / "below", png, svg])


def test_drawing_needs_neither_pyplot_nor_torch(tmp_path):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=1)
    run = tmp_path
    code = (
        "import sys; from clbench.figures.gallery import draw_all; from clbench.analysis.load import load;"
        f"draw_all(load({str(run)!r}));"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_stages_of_unequal_length_are_drawn_side_by_side():
    of_a = [("a", 0, 0), ("a", 10, 0), ("a", 15, 1), ("a", 20, 1)]
    of_b = [("b", 0, 0), ("b", 10, 0), ("b", 20, 1), ("b", 30, 1)]
    rows = of_a + of_b
    losses = pd.DataFrame(rows, columns=["run", "step", "stage"])
    found, counted = est.along_stages(losses)
    assert list(found["step"]) == [0, 1, 1.5, 2, 0, 1, 1.5, 2] and counted.startswith("stage")
    assert est.stage_spans(found, ["A", "B"]) == {"A": (0, 1), "B": (1, 2)}
    same, counted = est.along_stages(losses[losses["run"] == "b"])
    assert list(same["step"]) == [0, 10, 20, 30] and counted == "gradient step"
