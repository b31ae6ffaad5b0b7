"""Hydra's view of clbench: its search path, the launcher `lanes` and the sweeper `study`.

Every start of any Hydra application in the environment imports this module: it stays small, and what it
does lies in `clbench.launcher`. No `from __future__ import annotations` here: Hydra's scan fails on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Dict, List, Optional  # noqa: UP035

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class LanesConf:
    """Configuration of the launcher `lanes`."""

    _target_: str = "hydra_plugins.clbench_lanes.LanesLauncher"


@dataclass
class StudyConf:
    """Configuration of the sweeper `study`.

    `params` are overrides by key, as the basic sweeper has them; `max_batch_size` jobs are launched at once.
    """

    _target_: str = "hydra_plugins.clbench_lanes.StudySweeper"
    max_batch_size: Optional[int] = None  # noqa: UP045
    params: Optional[Dict[str, str]] = None  # noqa: UP006, UP045


ConfigStore.instance().store(group="hydra/launcher", name="lanes", node=LanesConf, provider="clbench")
ConfigStore.instance().store(group="hydra/sweeper", name="study", node=StudyConf, provider="clbench")


class ClbenchSearchPath(SearchPathPlugin):
    """Makes schema, resolvers and studies known where clbench's configuration is composed, nowhere else."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the studies where the primary configuration is clbench's."""
        from clbench.launcher import places

        if places.is_primary(search_path):
            places.register()
            places.StudySearchPath().manipulate_search_path(search_path)


class LanesLauncher(Launcher):
    """Trains all jobs of a sweep together where the task function can, and one by one elsewhere."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra gives."""
        self.given = (hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs and return them in order."""
        from clbench.launcher.launch import launch

        return launch(*self.given, job_overrides, initial_job_idx)


class StudySweeper(Sweeper):
    """Sweeps over the product of the command line, or over the union of a study's grids."""

    def __init__(self, max_batch_size: Optional[int] = None, params: Optional[Dict[str, str]] = None):  # noqa: UP006, UP045
        self.max_batch_size = max_batch_size
        self.params = dict(params or {})

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra gives, and make the launcher."""
        from clbench.launcher.sweep import Sweep

        self.hydra_context = hydra_context
        self.config = config
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        loader = hydra_context.config_loader
        self.sweeps = Sweep(loader, config, launcher.launch, self.params, self.max_batch_size)

    def sweep(self, arguments: List[str]) -> Any:  # noqa: UP006
        """Run the sweep and return what its jobs returned, one list per batch."""
        return self.sweeps.run(arguments)
