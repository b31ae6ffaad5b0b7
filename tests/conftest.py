"""What all tests share: a cache of their own, and the command."""

from __future__ import annotations

import logging
import os
import sys

import pytest
from guarded import GuardedMemory
from hydra.core.global_hydra import GlobalHydra

from clbench import app
from clbench.launcher.present import Present


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Keep the user's store of stages out of the tests, in subprocesses as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def memory():
    """Return memory for kernels; see that they have written nowhere else."""
    memory = GuardedMemory()
    yield memory
    memory.check()


@pytest.fixture
def clbench(tmp_path, monkeypatch, capsys, hydra_restore_singletons):
    """Return a function that runs the command in an empty folder and returns its exit code and stderr."""
    shown = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("clbench.report.command.present", shown.append)
    handlers = list(logging.getLogger().handlers)

    def run(*words: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(Present, "folder", None)
        monkeypatch.setattr(sys, "argv", ["clbench", *words])
        code = 0
        try:
            app.main()
        except SystemExit as stop:
            code = stop.code
        finally:
            GlobalHydra.instance().clear()
            os.environ.pop("HYDRA_FULL_ERROR", None)
            for handler in set(logging.getLogger().handlers) - set(handlers):
                handler.close()
            logging.getLogger().handlers[:] = handlers
        return code, capsys.readouterr().err.splitlines()

    run.shown = shown
    return run
