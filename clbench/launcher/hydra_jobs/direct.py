"""Jobs without Hydra's `run_job`: the same folders and files, byte for byte, at a tenth of the cost.

`run_job` copies and prints each configuration several times, about 20 ms a job. None of that is needed where
nothing of the user's looks at it: no callbacks of a job, no change of directory, no logging of one's own,
no `${hydra:…}` in the task's configuration. Elsewhere `nest` calls `run_job`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobRuntime, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clbench.launcher.folders import folder_name, labels
from clbench.launcher.hydra_jobs.forms import Form, to_yaml
from clbench.launcher.hydra_jobs.templates import Composer, Template, override_dirname, task_lines
from clbench.launcher.jobs import Job, unused_keys
from clbench.launcher.objective import is_tuned

LOG_FILE = "${hydra.runtime.output_dir}/${hydra.job.name}.log"
"""Where Hydra's default logging of jobs writes; any other logging goes the long way."""


@dataclass(frozen=True)
class ComposedJob:
    """One job, and what its files say.

    Args:
        job: as the application trains it.
        overrides: the job's, as typed.
        task, hydra: the forms of its configuration's two parts, and what goes into their blanks.
        task_values, hydra_values: in the order of the blanks.
    """

    job: Job
    overrides: list[str]
    task: Form
    task_values: tuple[Any, ...]
    hydra: Form
    hydra_values: tuple[Any, ...]

    def write(self, output_subdir: str) -> None:
        """Write `config.yaml`, `hydra.yaml`, `overrides.yaml` and an empty log, as Hydra does."""
        from clbench.records.files import write_whole

        folder = self.job.folder / output_subdir
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("config.yaml", self.task.fill(self.task_values)),
            ("hydra.yaml", self.hydra.fill(self.hydra_values)),
            ("overrides.yaml", to_yaml(self.overrides)),
        ):
            write_whole(folder / name, text.encode())
        if self.job.log is not None:
            self.job.log.touch()

    def returned(self, outcome: Any) -> JobReturn:
        """Return what Hydra expects of a job: what it returned, or the error that it raises."""
        return DirectReturn(self, outcome)


class DirectReturn(JobReturn):
    """A `JobReturn` whose configurations are made when somebody asks for them.

    Args:
        composed: the job.
        outcome: what the job returns, or the error that it raises.
    """

    def __init__(self, composed: ComposedJob, outcome: Any) -> None:
        super().__init__(overrides=composed.overrides, working_dir=os.getcwd())
        self.composed = composed
        self.task_name = JobRuntime.instance().get("name")
        self.status = JobStatus.FAILED if isinstance(outcome, Exception) else JobStatus.COMPLETED
        self._return_value = outcome

    def __getattribute__(self, name: str) -> Any:
        """Return an attribute; the two configurations are made here."""
        value = object.__getattribute__(self, name)
        if value is None and name == "cfg":
            value = self.cfg = OmegaConf.create(self.composed.task.filled(self.composed.task_values))
        if value is None and name == "hydra_cfg":
            value = self.hydra_cfg = OmegaConf.create(self.composed.hydra.filled(self.composed.hydra_values))
        return value


def compose_directly(
    context: HydraContext,
    composer: Composer,
    config: DictConfig,
    first: int,
    job_overrides: Sequence[Sequence[str]],
) -> list[ComposedJob] | None:
    """Return all jobs of a sweep, nothing written yet; None if one of them has to go through `run_job`.

    Args:
        context: Hydra's loader and callbacks.
        composer: of the sweep.
        config: of the sweep.
        first: number of the first job.
        job_overrides: of every job, as typed.
    """
    if not _can_go_direct(context, config):
        return None
    direct = _Direct(config)
    found = []
    for number, overrides in enumerate(job_overrides, first):
        template, parsed = composer.find(overrides)
        try:
            job = None if template is None else direct.job(number, template, parsed)
        except OmegaConfBaseException:  # Hydra words the same error for its users
            job = None
        if job is None:
            return None
        found.append(job)
    return found


def _can_go_direct(context: HydraContext, config: DictConfig) -> bool:
    """Return whether nothing but `.hydra/` files would come of calling `run_job` in this sweep."""
    job_logging = OmegaConf.to_container(config.hydra.job_logging, resolve=False)
    handlers = job_logging.get("handlers") if isinstance(job_logging, dict) else None
    return (
        config.hydra.job.chdir is False
        and not config.hydra.job.env_set
        and not config.hydra.job.env_copy
        and not config.hydra.verbose
        and config.hydra.output_subdir is not None
        and isinstance(handlers, dict)
        and set(handlers) == {"console", "file"}
        and handlers["file"].get("filename") == LOG_FILE
        and not any(_watches_jobs(callback) for callback in getattr(context.callbacks, "callbacks", ()))
    )


def _watches_jobs(callback: Any) -> bool:
    kind = type(callback)
    return any(
        getattr(kind, name, None) is not getattr(Callback, name) for name in ("on_job_start", "on_job_end")
    )


HYDRA_BLANKS = (
    ("hydra", "overrides", "task"),
    ("hydra", "job", "override_dirname"),
    ("hydra", "job", "id"),
    ("hydra", "job", "num"),
    ("hydra", "runtime", "output_dir"),
)
"""What of Hydra's own node differs between the jobs of a template."""


class _Direct:
    """Composes the jobs of one sweep.

    Args:
        config: the configuration of the sweep.
    """

    def __init__(self, config: DictConfig) -> None:
        self.sweep_dir = str(config.hydra.sweep.dir)
        self.tuned = is_tuned(config.hydra)
        self.forms: dict[int, tuple[Form, Form]] = {}

    def job(self, number: int, template: Template, overrides: Sequence[Override]) -> ComposedJob | None:
        """Return one job; None where its configuration reads Hydra's own.

        Raises:
            OmegaConfBaseException: a value doesn't fit its key, or can't be resolved.
        """
        lines = task_lines(overrides)  # as typed: reading them from the configuration would resolve `${…}`
        values = template.values(overrides)
        task_form, hydra_form = self._forms(template)
        task = task_form.filled(values)
        resolved: Mapping[str, Any] = task
        if "${" in repr(task):
            if "${hydra:" in repr(task):
                return None
            resolved = template.resolved(overrides)
        node = hydra_form.content["hydra"]
        names = labels(resolved, node["runtime"]["choices"], lines)
        subdir, name = node["sweep"]["subdir"], node["job"]["name"]
        if subdir == "${run_folder:}" and "${" not in name:
            subdir = folder_name(resolved, names)
        else:
            config = template.fill(number, overrides)
            subdir, name = str(OmegaConf.select(config, "hydra.sweep.subdir")), str(config.hydra.job.name)
        folder = Path(os.path.abspath(os.path.join(self.sweep_dir, subdir)))
        dirname = override_dirname(overrides, node["job"]["config"]["override_dirname"])
        return ComposedJob(
            job=Job(resolved, names, folder, folder / f"{name}.log", unused_keys(task), self.tuned),
            overrides=lines,
            task=task_form,
            task_values=values,
            hydra=hydra_form,
            hydra_values=(lines, dirname, str(number), number, str(folder)),
        )

    def _forms(self, template: Template) -> tuple[Form, Form]:
        """Return the template's forms of `config.yaml` and `hydra.yaml`."""
        if id(template) not in self.forms:
            node = OmegaConf.to_container(template.config.hydra, resolve=False, enum_to_str=True)
            task = Form(template.task_container(), [tuple(key.split(".")) for key in template.keys])
            self.forms[id(template)] = (task, Form({"hydra": node}, HYDRA_BLANKS))
        return self.forms[id(template)]
