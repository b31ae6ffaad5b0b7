"""The report: the command's exit codes and lines, and a page that needs nothing but itself."""

from __future__ import annotations

import base64
import html.parser
import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from written_sweep import write_sweep, written_loss

from clbench.analysis.load import load
from clbench.figures import gallery
from clbench.report.command import main, present
from clbench.report.origin import origin_of
from clbench.report.sheets import choice_sheet, difference_sheets, in_words, outcome_sheet

STRATEGIES = {"naive": (None,), "l2": (1.0, 10.0), "joint": (None,)}
STUDY = {"question": "How much of A is lost?", "claim": "Most <of it>."}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return a sweep's folder after its report was made once, with real pictures."""
    folder = tmp_path_factory.mktemp("results") / "written"
    write_sweep(folder, STRATEGIES, seeds=3, function=False)
    overrides = {"hydra": ["hydra.mode=MULTIRUN", "hydra.sweep.dir=/elsewhere"], "task": ["seed=range(3)"]}
    hydra = {"overrides": overrides, "runtime": {"choices": {"experiments": "two_task"}}}
    (folder / "multirun.yaml").write_text(yaml.safe_dump({"hydra": hydra, "study": STUDY}))
    present(folder)
    return folder


@pytest.fixture
def unsaved(monkeypatch):
    """Pictures take most of the time: other tests do without."""
    monkeypatch.setattr(gallery, "all_charts", list)


class Page(html.parser.HTMLParser):
    """A page's tags with their attributes; a closing tag must close the last open one."""

    VOID = ("meta", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def exit_code(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code or 0


# The page --------------------------------------------------------------------------------------------------


def test_page_is_well_formed_and_fetches_nothing(drawn):
    text = (drawn / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not re.search(r"https?://|//[a-z]", text)
    assert not any(tag in ("script", "link", "iframe") for tag, _ in page.tags)
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(sources) == 3 and all(source.startswith("data:image/svg+xml;base64,") for source in sources)


def test_pages_pictures_are_the_files(drawn):
    page = Page((drawn / "report.html").read_text(encoding="utf-8"))
    sources = [attributes["src"].split(",")[1] for tag, attributes in page.tags if tag == "img"]
    pictures = {path.read_bytes() for path in (drawn / "figures").glob("*.svg")}
    assert {base64.b64decode(source) for source in sources} == pictures
    assert all(ElementTree.fromstring(picture).tag.endswith("svg") for picture in pictures)


def test_page_names_study_command_and_origin(drawn):
    text = (drawn / "report.html").read_text(encoding="utf-8")
    assert "How much of A is lost?" in text
    assert "Most &lt;of it&gt;." in text  # escaped
    assert "<pre>clbench -m &#39;seed=range(3)&#39;</pre>" in text
    assert "<title>two_task · clbench</title>" in text
    assert "12 done" in text


# Tables ----------------------------------------------------------------------------------------------------


def test_outcome_holds_interval_mean_and_n(drawn):
    sheet = outcome_sheet(load(drawn).runs)
    assert sheet.header == ("strategy", "λ", "n", "loss A", "loss B", "mean loss", "forgetting")
    naive = dict(zip(sheet.header, sheet.rows[0], strict=True))
    values = [1.05 * written_loss("naive", None, seed, 0, 2) for seed in range(3)]
    assert (naive["strategy"], naive["λ"], naive["n"]) == ("naive", "", "3")
    found = [float(text) for text in re.findall(r"[\d.]+", naive["loss A"])]
    expected = [np.mean(values), *stats.ttest_1samp(values, 0.0).confidence_interval(0.95)]
    np.testing.assert_allclose(found, expected, rtol=6e-3)
    both = [written_loss("naive", None, seed, task, 2) for seed in range(3) for task in range(2)]
    assert float(naive["mean loss"].split()[0]) == pytest.approx(1.05 * np.mean(both), rel=6e-3)


def test_differences_are_paired_and_turned_back_to_losses(drawn):
    sheet, _ = difference_sheets(load(drawn), "naive")
    joint = dict(zip(sheet.header, sheet.rows[-1], strict=True))

    def mean(strategy, seed):
        return 1.05 * np.mean([written_loss(strategy, None, seed, task, 2) for task in range(2)])

    expected = np.mean([mean("joint", seed) - mean("naive", seed) for seed in range(3)])
    assert float(joint["mean loss − naive's"].split()[0]) == pytest.approx(expected, rel=6e-3)
    assert (joint["strategy"], joint["pairs"], joint["p"]) == ("joint", "3", "0.250")  # 2 of 8 sign patterns


def test_choice_names_the_oracle_apart(drawn):
    sheet = choice_sheet(load(drawn).runs)
    l2 = next(dict(zip(sheet.header, row, strict=True)) for row in sheet.rows if row[0] == "l2")
    assert (l2["chosen λ"], l2["n"], l2["oracle's λ"]) == ("10", "3", "10")
    assert "nobody could have chosen it" in sheet.note


def test_no_table_of_choices_or_differences_without_any(tmp_path):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=2, function=False)
    results = load(tmp_path)
    assert choice_sheet(results.runs) is None and difference_sheets(results, "naive") == []


def test_no_table_of_choices_where_nothing_was_chosen(tmp_path):
    for seeds, lams in ((1, (1.0, 10.0)), (3, (1.0,))):
        folder = tmp_path / str(seeds)
        write_sweep(folder, {"naive": (None,), "l2": lams}, seeds=seeds, function=False)
        assert choice_sheet(load(folder).runs) is None


def test_rows_at_every_lambda_are_exploratory(drawn):
    family, others = difference_sheets(load(drawn), "naive")
    assert [row[:2] for row in family.rows] == [("l2", "10"), ("joint", "")]
    assert [row[:2] for row in others.rows] == [("l2", "1"), ("l2", "10")]
    assert family.header[-2:] == ("p", "p (Holm)") and others.header[-1] == "p"
    assert "Exploratory" in others.note and "for the 2 compared within one setting" in family.note


def test_the_least_possible_p_is_named_where_it_is_large(drawn, tmp_path):
    # 3 pairs have 8 sign patterns: p is 2/8 at best, 0.5 after Holm's for 2 tests. 2 · 2/2ⁿ ≤ 0.05 at n = 7.
    note = difference_sheets(load(drawn), "naive")[0].note
    assert note.endswith(
        "3 pairs and 2 tests no corrected p can be below 0.500; 7 pairs could show a difference."
    )
    write_sweep(tmp_path, {"naive": (None,), "l2": (1.0,)}, seeds=7, function=False)
    assert "can be below" not in difference_sheets(load(tmp_path), "naive")[0].note


def test_lost_runs_stand_in_every_table(tmp_path):
    write_sweep(
        tmp_path, STRATEGIES, seeds=3, function=False, diverged=("joint,seed=1", "l2,lam=10.0,seed=0")
    )
    results = load(tmp_path)
    for sheet in (outcome_sheet(results.runs), *difference_sheets(results), choice_sheet(results.runs)):
        assert "1" in [row[sheet.header.index("lost")] for row in sheet.rows], sheet.title


def test_estimates_are_written_point_first(drawn):
    assert in_words(0.1, 0.3, 0.2) == "0.200 [0.100, 0.300]"
    assert in_words(-0.3, -0.1, -0.2, turned=True) == "0.200 [0.100, 0.300]"
    text = (drawn / "report.html").read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert re.search(r'<td class="number"><b>0\.509</b> \[0\.442, 0\.576\]</td>', text)
    assert in_words(np.nan, np.nan, 0.2) == "0.200"
    assert in_words(np.nan, np.nan, np.nan) == "–"


# The command -----------------------------------------------------------------------------------------------


def test_command_makes_the_same_page_again_and_prints_where_all_is(drawn, capsys):
    before = (drawn / "report.html").read_bytes()
    assert exit_code(drawn) == 0
    assert (drawn / "report.html").read_bytes() == before
    out = capsys.readouterr().out
    for expected in ("strategy", "forgetting", "loss_A.png", "report.html"):
        assert expected in out


def test_a_folder_without_runs_is_one_line_and_exit_2(tmp_path, capsys):
    assert exit_code(tmp_path / "nothing") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "nothing" in error
    assert not (tmp_path / "nothing").exists()


def test_any_setting_is_a_baseline_on_the_command_line(drawn, tmp_path, unsaved):
    assert exit_code(drawn, "--out", tmp_path, "--baseline", "strategy=l2,lam=1") == 0
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "Difference from l2, lam=1" in text and "mean loss − l2, lam=1&#39;s" in text


def test_an_unknown_baseline_is_one_line_and_exit_2(drawn, capsys, unsaved):
    assert exit_code(drawn, "--baseline", "nobody") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "baseline=nobody" in error and "naive" in error


def greater(strategy, than):
    return {"metric": "test_loss_A", "greater": {"strategy": strategy}, "than": {"strategy": than}}


@pytest.mark.parametrize(
    ("claim", "mark", "code", "total"),
    [
        (greater("naive", "joint"), "✅", 0, "1 ✅, 0 ❌, 0 undecided, 0 not checked"),
        (greater("joint", "naive"), "❌", 1, "0 ✅, 1 ❌, 0 undecided, 0 not checked"),
        (greater("naive", "joint") | {"seeds": 9}, "–", 1, "0 ✅, 0 ❌, 1 undecided, 0 not checked"),
        (greater("ewc", "naive"), "–", 1, "0 ✅, 0 ❌, 0 undecided, 1 not checked"),  # no such runs
    ],
)
def test_claims_are_marked_and_checked(tmp_path, capsys, unsaved, claim, mark, code, total):
    write_sweep(tmp_path, STRATEGIES, seeds=3, function=False)
    text = f"{claim['greater']['strategy']} forgets"
    study = {"claims": [{"claim": text, **claim}]}
    (tmp_path / "multirun.yaml").write_text(yaml.safe_dump({"study": study}))
    assert exit_code(tmp_path) == 0  # reported, but no failure unless asked
    assert exit_code(tmp_path, "--check-claims") == code
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if text in line).startswith(f"{mark} {text}")
    assert f"Claims: {total}" in lines
    assert f'<td>{mark}</td><td class="free claim">{text}</td>' in (tmp_path / "report.html").read_text(
        "utf-8"
    )
    assert text in (tmp_path / "claims.csv").read_text("utf-8")


def test_diagnoses_are_printed_and_kept(tmp_path, capsys, unsaved):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=2, function=False, diverged=("naive,seed=1",))
    present(tmp_path)
    assert "Diagnosis: naive: 1 of 2 runs diverged" in capsys.readouterr().out
    assert "1 of 2 runs diverged" in (tmp_path / "report.html").read_text("utf-8")
    summary = json.loads((tmp_path / "naive,seed=1" / "summary.json").read_text("utf-8"))
    assert len(summary["diagnostics"]) == 1


def test_a_report_of_many_tasks_warns_of_nothing(tmp_path, unsaved):
    """Sixteen tasks make more than a hundred columns; pytest makes pandas's PerformanceWarning an error."""
    runs = write_sweep(tmp_path, {"naive": (None,), "l2": (1.0, 10.0)}, seeds=1, tasks=16, function=False)
    assert len(runs.columns) > 100
    present(tmp_path)


def test_pictures_that_are_not_of_this_report_are_named(tmp_path, capsys, unsaved):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=1, function=False)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "loss_A-hidden=8.png").touch()
    present(tmp_path)
    assert "not of this report: loss_A-hidden=8.png." in capsys.readouterr().out


def test_out_leaves_the_sweeps_folder_alone(drawn, tmp_path, unsaved):
    before = {path: path.stat().st_mtime_ns for path in drawn.rglob("*") if path.is_file()}
    assert exit_code(drawn, "--out", tmp_path / "elsewhere") == 0
    assert (tmp_path / "elsewhere" / "report.html").is_file()
    assert {path: path.stat().st_mtime_ns for path in drawn.rglob("*") if path.is_file()} == before


def test_a_single_run_has_a_report(tmp_path, unsaved, capsys):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=1, function=False)
    run = tmp_path / "naive,seed=0"
    (run / "runs.csv").write_bytes((tmp_path / "runs.csv").read_bytes())
    (run / ".hydra").mkdir()
    (run / ".hydra" / "overrides.yaml").write_text("- strategy=naive\n- seed=0\n")
    present(run)
    assert "clbench strategy=naive seed=0" in (run / "report.html").read_text(encoding="utf-8")
    assert "naive" in capsys.readouterr().out


def test_several_folders_are_compared_as_one_sweep(tmp_path, unsaved, capsys):
    for rate in (0.1, 0.2):
        folder = tmp_path / f"rate{rate}"
        write_sweep(folder, {"naive": (None,)}, seeds=2, extra={"optimizer.lr": (rate,)}, function=False)
    assert exit_code(tmp_path / "rate0.1", tmp_path / "rate0.2") == 2
    assert "--out" in capsys.readouterr().err
    assert exit_code(tmp_path / "rate0.1", tmp_path / "rate0.2", "--out", tmp_path / "both") == 0
    out = capsys.readouterr().out
    assert "lr" in out.splitlines()[2].split() and "0.1" in out and "0.2" in out


def test_origin_gathers_all_versions(drawn, tmp_path):
    results = load(drawn)
    first = results.run_folder(results.runs["run"][0]) / "summary.json"
    text = first.read_text()
    summary = json.loads(text)
    summary["provenance"]["device"] = "cuda"
    first.write_text(json.dumps(summary))
    try:
        facts = origin_of(results).facts
    finally:
        first.write_text(text)
    assert facts["device"] == "cuda; cpu"
    assert facts["gradient steps of all runs"] == "2,400"


def test_the_report_needs_no_torch(tmp_path):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=1, function=False)
    code = (
        "import sys; from pathlib import Path; import clbench.figures.gallery as g;"
        "from clbench.report.command import present;"
        f"g.all_charts = list; present(Path({str(tmp_path)!r}));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_diverged_sweep_has_a_table_and_a_reason(tmp_path, capsys):
    write_sweep(tmp_path, {"naive": (None,)}, seeds=1, diverged=("naive,seed=0",), function=False)
    runs = pd.read_csv(tmp_path / "runs.csv")
    runs.loc[:, runs.columns.str.startswith(("train_", "val_", "test_"))] = np.nan
    runs.assign(acc=np.nan, forgetting=np.nan).to_csv(tmp_path / "runs.csv", index=False)
    present(tmp_path)
    out = capsys.readouterr().out
    assert "diverged" in out and "No pictures: no run was finished." in out
