"""Hydra inside another application: what it keeps for the whole process is left as it was."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from hydra.version import VersionBase

from clbench.launcher.destinations import OWNERS


@contextmanager
def hydra_apart() -> Iterator[None]:
    """Give this block a Hydra that nobody has initialised, and afterwards the process the one it had.

    That holds for its globals and ours, the root logger and the working folder, which jobs may change.
    """
    shared, version, current, runtime = _singletons()
    root = logging.getLogger()
    hydra, base, config, conf = shared.hydra, version.version_base, current.cfg, copy.deepcopy(runtime.conf)
    handlers, level, folder, owners = list(root.handlers), root.level, os.getcwd(), dict(OWNERS)
    shared.clear()
    OWNERS.clear()
    try:
        yield
    finally:
        GlobalHydra.set_instance(shared)  # `initialize_config_dir` leaves a copy in its place
        shared.hydra, version.version_base, current.cfg, runtime.conf = hydra, base, config, conf
        root.handlers[:] = handlers
        root.setLevel(level)
        OWNERS.clear()
        OWNERS.update(owners)
        os.chdir(folder)


def _singletons() -> tuple[GlobalHydra, VersionBase, HydraConfig, JobRuntime]:
    return GlobalHydra.instance(), VersionBase.instance(), HydraConfig.instance(), JobRuntime.instance()
