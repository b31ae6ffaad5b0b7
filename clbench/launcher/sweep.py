"""The sweeper `study`: the product of the command line, or the union of a study's grids."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clbench.errors import ConfigurationError, raise_together
from clbench.launcher.building import problems_of
from clbench.launcher.changes import changes, is_change
from clbench.launcher.claims import claim_problems
from clbench.launcher.destinations import folder_problems
from clbench.launcher.grammar import parsed, written
from clbench.launcher.grids import Grid, expand
from clbench.launcher.jobs import override_problems, plain_task
from clbench.launcher.places import GROUP
from clbench.launcher.renamed import study_problems

log = logging.getLogger(__name__)

Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]
"""What runs jobs: it is given the overrides of each, and the number of the first."""


class Sweep:
    """One multirun.

    Args:
        loader: of Hydra.
        config: of the sweep.
        launch: runs the jobs.
        params: overrides by key from `hydra.sweeper.params`, before those of the command line.
        max_batch_size: jobs that are launched at a time, None for all.
    """

    def __init__(
        self,
        loader: ConfigLoader,
        config: DictConfig,
        launch: Launch,
        params: Mapping[str, str],
        max_batch_size: int | None = None,
    ) -> None:
        self.loader = loader
        self.config = config
        self.launch = launch
        self.params = params
        self.max_batch_size = max_batch_size
        self.parser = OverridesParser.create(config_loader=self.loader)

    def run(self, arguments: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Launch all jobs; return what they returned, one list per batch.

        Raises:
            Exception: the first job's that failed, after all jobs of its batch have ended.
        """
        jobs = self.jobs(arguments)
        folder = Path(self.config.hydra.sweep.dir)
        study = OmegaConf.to_container(self.config, resolve=False).get("study")  # type: ignore[union-attr]
        claims = study.get("claims") if isinstance(study, dict) else None
        choices = override_problems(chain.from_iterable(jobs))
        batches = batch_problems(self.max_batch_size)
        swept = {line.partition("=")[0] for line in chain.from_iterable(jobs)}
        of_study = [*claim_problems(claims), *study_problems(study, swept)]
        raise_together([*choices, *batches, *folder_problems(folder), *of_study])
        if isinstance(study, dict):
            OmegaConf.update(self.config, "study.changes", self.changes(arguments), force_add=True)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        return self._launch(jobs)

    def changes(self, arguments: Sequence[str]) -> list[str]:
        """Return what the command line changes of its study, which is composed only where it may change."""
        overrides = [item for item in self.parser.parse_overrides(list(arguments)) if is_change(item)]
        name = self.config.hydra.runtime.choices.get(GROUP)
        if not overrides or name is None:
            return []
        study = self._study(str(name))
        given = {item.get_key_element(): self._values(item) for item in overrides}
        return changes(overrides, given, self._grids(study), study)

    def _study(self, name: str) -> DictConfig:
        """Return a study's configuration, without the rest of the command line."""
        return self.loader.load_configuration(
            config_name=self.config.hydra.job.config_name,
            overrides=[*self.config.hydra.overrides.hydra, f"{GROUP}={name}"],
            run_mode=RunMode.MULTIRUN,
        )

    def _launch(self, jobs: Sequence[list[str]]) -> list[Sequence[JobReturn]]:
        size = self.max_batch_size or max(len(jobs), 1)
        returned: list[Sequence[JobReturn]] = []
        for start in range(0, max(len(jobs), 1), size):
            batch = self.launch(jobs[start : start + size], start)
            for job in batch:
                _ = job.return_value  # raises the error of a job that failed
            returned.append(batch)
        return returned

    def jobs(self, arguments: Sequence[str]) -> list[list[str]]:
        """Return the overrides of every job.

        Raises:
            ConfigurationError: a study's grids aren't what they must be, or there is nothing to run.
            HydraException: an override is continuous, or can't be read.
        """
        lines = [*(f"{key}={value}" for key, value in self.params.items()), *arguments]
        overrides = self.parser.parse_overrides(lines)
        given = {item.get_key_element(): self._values(item) for item in overrides}
        for item in overrides:
            if isinstance(item.value(), Glob):
                given[item.get_key_element()] = self._fitting(item.get_key_element(), given)
        jobs: list[list[str]] = []
        for study, grids in self._studies(given):
            jobs += expand(grids, given | study, self._is_group)
        if not jobs:
            empty = [str(item.input_line) for item in overrides if not given[item.get_key_element()]]
            raise ConfigurationError(
                "A sweep must have a value for every key; "
                f"got {' '.join(empty) or 'an empty grid'}. Give it one, or leave the key out."
            )
        return jobs

    def _fitting(self, key: str, given: Grid) -> list[str]:
        """Return those of a glob's choices that can be used with the first of all other values.

        The others are logged. Problems that all choices have are none of theirs, and are found later.
        """
        others = [f"{name}={values[0]}" for name, values in given.items() if name != key and values]
        problems = {choice: self._problems([*others, f"{key}={choice}"]) for choice in given[key]}
        shared = set.intersection(*(set(found) for found in problems.values())) if problems else set()
        kept = []
        for choice, found in problems.items():
            if own := [line for line in found if line not in shared]:
                log.info("%s=glob(…) leaves out %s: %s", key, choice, own[0])
            else:
                kept.append(choice)
        return kept

    def _problems(self, overrides: list[str]) -> list[str]:
        try:
            config = self.loader.load_sweep_config(self.config, overrides)
            return problems_of(plain_task(config))
        except (HydraException, OmegaConfBaseException) as error:
            return [str(error).splitlines()[0]]

    def _studies(self, given: Grid) -> list[tuple[Grid, list[Grid]]]:
        """Return each study's choice, as an axis, with its grids."""
        names = given.get(GROUP, [])
        if len(names) < 2:
            return [({}, self._grids(self.config))]
        studies = {name: self._study(name) for name in names}
        raise_together(line for item in studies.items() for line in self._machinery_problems(*item))
        return [({GROUP: [name]}, self._grids(config)) for name, config in studies.items()]

    def _machinery_problems(self, name: str, config: DictConfig) -> list[str]:
        """Return a line for what a study among several chooses, of which a sweep has but one."""
        return [
            f"Studies that are swept share one {part}; got {GROUP}={name}, which chooses "
            f"{config.hydra.runtime.choices[f'hydra/{part}']} with settings of its own. "
            f"Run it by itself, or choose for all: hydra/{part}=…."
            for part in ("launcher", "sweeper")
            if config.hydra[part] != self.config.hydra[part]
        ]

    def _grids(self, config: DictConfig) -> list[Grid]:
        """Return the grids of `study.grids`, if the configuration has any."""
        node = OmegaConf.select(config, "study.grids")
        plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
        if plain is None:
            return []
        if not isinstance(plain, list) or not all(isinstance(grid, dict) and grid for grid in plain):
            raise ConfigurationError(
                f"study.grids must be a list of mappings from keys to values; got study.grids={plain}. "
                'Write for example: [{strategy: l2, strategy.lam: "0.1,1", seed: "range(10)"}].'
            )
        return [
            {str(key): self._axis(f"study.grids.{number}", str(key), value) for key, value in grid.items()}
            for number, grid in enumerate(plain)
        ]

    def _axis(self, place: str, key: str, value: Any) -> list[str]:
        """Return the values of a grid's key: a YAML list, or a text as on the command line.

        Raises:
            ConfigurationError: the text can't be read; names its place in the study.
        """
        if isinstance(value, list):
            return [written(item) for item in value]
        text = value if isinstance(value, str) else written(value)
        override = parsed(f"{key}={text}")
        if override is None:
            raise ConfigurationError(
                f"A grid's text is read as on the command line; got {place}.{key}={text}, which can't be. "
                f'Write a list of values as they are: {key}: ["…"].'
            )
        override.config_loader = self.loader
        return self._values(override)

    def _values(self, override: Override) -> list[str]:
        if not override.is_sweep_override():
            return [override.get_value_element_as_str()]
        if not override.is_discrete_sweep():
            raise HydraException(
                f"The sweeper study sweeps over lists and ranges only; got {override.input_line}. "
                "Use a list, range(), or another sweeper."
            )
        return list(override.sweep_string_iterator())

    def _is_group(self, key: str) -> bool:
        return bool(self.loader.get_group_options(key, results_filter=None))


def batch_problems(size: int | None) -> list[str]:
    """Return a line for a size of batches in which no job would ever be launched."""
    if size is None or size > 0:
        return []
    return [f"hydra.sweeper.max_batch_size must be at least 1, or null for all; got {size}. Leave it out."]
