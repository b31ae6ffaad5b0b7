"""A chart is one module: what it declares is drawn, shown in the report and drawn by `results.plot`."""

from __future__ import annotations

import re
import sys

import pytest
from written_sweep import write_sweep

import clbench
from clbench.figures import charts, gallery
from clbench.figures.chart import CHARTS, Drawing, chart
from clbench.figures.gallery import all_charts, draw_all
from clbench.report.command import present

MODULE = '''
from clbench.figures.axes import new_axes
from clbench.figures.chart import Drawing, chart


@chart(
    "count",
    place=45,
    needs="two settings",
    metrics=lambda setting: [setting.scores.selection] if setting.name else [],
    file=lambda setting, metric: f"{metric}_counted",
)
def draw_count(setting, metric):
    """Draw how many runs a setting has."""
    figure, (ax,) = new_axes()
    ax.bar(["runs"], [len(setting.runs)])
    return Drawing("Runs < counted", f"{len(setting.runs)} runs.", figure)
'''


@pytest.fixture
def added(tmp_path, monkeypatch):
    """Lay a module beside the package's charts; the charts are as before when the test ends."""
    all_charts()
    before = dict(CHARTS)
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "count.py").write_text(MODULE)
    monkeypatch.setattr(charts, "__path__", [*charts.__path__, str(tmp_path / "charts")])
    yield
    CHARTS.clear()
    CHARTS.update(before)
    sys.modules.pop("clbench.figures.charts.count", None)


def test_a_chart_added_as_one_module_is_in_gallery_report_and_plots(tmp_path, added):
    folder = tmp_path / "sweep"
    write_sweep(
        folder, {"naive": (None,)}, seeds=2, tasks=1, extra={"optimizer.lr": (0.1, 0.2)}, function=False
    )
    present(folder)
    names = [path.name for path in (folder / "figures").glob("*_counted*.png")]
    assert sorted(names) == ["loss_counted-lr=0.1.png", "loss_counted-lr=0.2.png"]
    page = (folder / "report.html").read_text("utf-8")
    alternatives = re.findall(r'alt="(.*?)"', page)
    assert alternatives[1] == "Runs &lt; counted (lr=0.1)" and alternatives[0].startswith("Loss on task 0")
    assert page.count("<figcaption>2 runs.</figcaption>") == 2
    plot = clbench.load(folder).plot
    assert "count" in dir(plot)
    assert [bar.get_height() for bar in plot.count(setting="lr=0.2").axes[0].patches] == [2]


def test_a_chart_is_left_out_where_it_does_not_apply(tmp_path, added, monkeypatch):
    monkeypatch.setattr(gallery, "save", lambda _, path: (path.with_suffix(".png"), path.with_suffix(".svg")))
    write_sweep(tmp_path / "sweep", {"naive": (None,)}, seeds=1, function=False)
    pictures, _ = draw_all(clbench.load(tmp_path / "sweep").records)
    assert pictures and not [picture for picture in pictures if "counted" in picture.png.name]


def test_no_two_charts_have_one_name_or_one_place(added):
    places = [item.place for item in all_charts()]
    assert places == sorted(set(places)) and "count" in CHARTS

    @chart("mine", place=1000, needs="nothing")
    def draw_mine(setting, metric) -> Drawing | None:
        return None

    assert all_charts()[-1].draw is draw_mine
    with pytest.raises(ValueError, match="must be its own; got 'mine' twice"):
        chart("mine", place=1, needs="nothing")(draw_mine)
