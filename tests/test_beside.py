"""The report by a process of its own: it says what this process would, and never outlives the command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clbench.figures import cores
from clbench.report.beside import Reporter
from tests.written_sweep import write_sweep


def started(monkeypatch):
    """Return a reporter whose process runs, as that of a command whose output is nobody else's."""
    monkeypatch.setattr(sys, "stdout", sys.__stdout__)
    for name in [name for name in sys.modules if name.startswith("clbench.figures")]:
        monkeypatch.delitem(sys.modules, name)
    reporter = Reporter()
    reporter.start()
    return reporter


def test_a_report_is_made_as_by_the_command_for_it(tmp_path, monkeypatch):
    write_sweep(tmp_path, {"naive": (None,), "l2": (0.1, 1.0, 10.0)}, seeds=2)
    reporter = started(monkeypatch)
    try:
        assert reporter.present(tmp_path)
    finally:
        reporter.stop()
    page = (tmp_path / "report.html").read_bytes()
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    command = "import torch; from clbench.report.command import main; main()"  # torch: drawn by one process
    subprocess.run([sys.executable, "-c", command, str(tmp_path)], check=True, capture_output=True)
    assert len(pictures) > 4 and page == (tmp_path / "report.html").read_bytes()
    assert pictures == {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}


def test_what_it_cannot_report_is_left_to_the_command(tmp_path, monkeypatch, capfd):
    reporter = started(monkeypatch)
    try:
        assert not reporter.present(tmp_path)  # no results
    finally:
        reporter.stop()
    assert capfd.readouterr().err == ""


def test_somebodys_own_charts_are_drawn_by_the_process_that_knows_them(tmp_path, monkeypatch):
    reporter = started(monkeypatch)
    try:
        monkeypatch.setitem(sys.modules, "clbench.figures.chart", sys)
        assert not reporter.present(tmp_path)
    finally:
        process = reporter.process
        reporter.stop()
    assert process is not None and process.returncode is not None and reporter.process is None


def test_output_that_is_caught_is_written_here(tmp_path, capsys):
    reporter = Reporter()
    reporter.start()
    assert reporter.process is None and not reporter.present(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux only")
def test_all_cores_give_what_one_gives_in_order():
    code = (
        "import os; from clbench.figures import cores; cores._cores = lambda: 3\n"
        "found = cores.on_all_cores(lambda n: (n * n, os.getpid()), range(9))\n"
        "assert [n for n, _ in found] == [n * n for n in range(9)]\n"
        "assert os.getpid() not in {place for _, place in found}\n"
        "import torch\n"
        "assert {p for _, p in cores.on_all_cores(lambda n: (n, os.getpid()), range(9))} == {os.getpid()}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_an_error_of_a_picture_is_the_callers():
    with pytest.raises(ZeroDivisionError):
        cores.on_all_cores(lambda n: 1 / n, [1, 0])


def test_a_commands_own_process_imports_nothing_that_only_a_report_needs():
    code = (
        "import sys, clbench.app, clbench.session.session, clbench.launcher.building\n"
        "from clbench.launcher.claims import claim_problems\n"
        "assert claim_problems([{'claim': 'c', 'metric': 'acc'}])\n"
        "found = {'pandas', 'matplotlib', 'jinja2', 'rich', 'sklearn'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
