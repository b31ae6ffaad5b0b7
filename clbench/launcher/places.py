"""Where the configuration lies: `conf/` and `experiments/`, in a checkout or inside an installed wheel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

GROUP = "experiments"


def root() -> Path:
    """Return the folder that holds `conf/` and `experiments/`: the checkout, or else the package."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent
    is_checkout = (checkout / "pyproject.toml").is_file() and (checkout / "conf" / "config.yaml").is_file()
    return checkout if is_checkout else package


def conf() -> str:
    """Return the absolute path of the primary configuration folder."""
    return str(root() / "conf")


class StudySource(ConfigSource):
    """Hydra group `experiments`, read from a folder that does not lie in the primary folder.

    Putting the checkout itself on Hydra's search path would make groups of `tests/` and all else.
    """

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider=provider, path=path)
        self.folder = Path(self.path)

    @staticmethod
    def scheme() -> str:
        """Return the scheme of the search path entry."""
        return "studies"

    def _inside(self, config_path: str) -> Path | None:
        head, _, rest = config_path.strip("/").partition("/")
        return self.folder / rest if head == GROUP else None

    def load_config(self, config_path: str) -> ConfigResult:
        """Return the study's configuration and its header (`@package`)."""
        file = self._inside(self._normalize_file_name(config_path))
        if file is None or not file.is_file():
            raise ConfigLoadError(f"Config not found : {config_path}")
        text = file.read_text(encoding="utf-8")
        return ConfigResult(
            config=OmegaConf.create(text),
            path=self.full_path(),
            provider=self.provider,
            header=self._get_header_dict(text[:512]),
        )

    def available(self) -> bool:
        """Return whether the folder exists."""
        return self.folder.is_dir()

    def is_group(self, config_path: str) -> bool:
        """Return whether the path names the group, a folder in it, or the root."""
        inside = self._inside(config_path)
        return config_path == "" or (inside is not None and inside.is_dir())

    def is_config(self, config_path: str) -> bool:
        """Return whether the path names a study."""
        inside = self._inside(self._normalize_file_name(config_path))
        return inside is not None and inside.is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the names below a path."""
        if config_path == "":
            return [GROUP] if results_filter in (None, ObjectType.GROUP) else []
        found: list[str] = []
        inside = self._inside(config_path)
        for item in sorted(inside.iterdir()) if inside is not None and inside.is_dir() else ():
            if item.suffix == ".yaml" or item.is_dir():
                path = os.path.join(config_path, item.name)
                self._list_add_result(found, path, item.name, results_filter)
        return sorted(set(found))


def studies() -> str:
    """Return the entry of a search path that adds the studies."""
    return f"{StudySource.scheme()}://{root() / GROUP}"


class StudySearchPath(SearchPathPlugin):
    """Adds the studies to the search path, behind the primary configuration."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the studies, unless they are there."""
        if all(item.path != studies() for item in search_path.get_path()):
            search_path.append(provider="clbench", path=studies())


def is_primary(search_path: ConfigSearchPath) -> bool:
    """Return whether the primary configuration is clbench's, whoever composes it."""
    ours = Path(conf()).resolve()
    folders = (
        item.path.removeprefix("file://") for item in search_path.get_path() if item.provider == "main"
    )
    return any(Path(folder).resolve() == ours for folder in folders)


def compose(overrides: Sequence[str], name: str = "config", folder: Path | None = None) -> DictConfig:
    """Return the task configuration of one job, composed by Hydra outside the application.

    Hydra's version base, a global, is left as it was: other Hydra applications of the process depend on it.

    Args:
        overrides: the job's.
        name: of the primary configuration.
        folder: of further configuration, as `--config-dir` gives it.
    """
    from hydra import compose, initialize_config_dir
    from hydra.version import VersionBase

    register()
    folders = [conf()] if folder is None else [conf(), str(folder.absolute())]
    # The primary configuration is looked for before the search path is known.
    folders.sort(key=lambda place: not (Path(place) / f"{name}.yaml").is_file())
    further = [f"hydra.searchpath=['file://{place}','{studies()}']" for place in folders[1:]]
    version = VersionBase.instance()
    before = version.version_base  # it may be unset, which setbase can't say
    try:
        with initialize_config_dir(config_dir=folders[0], version_base="1.3", job_name="clbench"):
            return compose(name, [*further, *overrides])
    finally:
        version.version_base = before


def register() -> None:
    """Make schema, resolvers and the source of studies known to Hydra."""
    from clbench.launcher.field_help import resolve_help
    from clbench.launcher.folders import register_resolvers
    from clbench.launcher.schema import store_schema

    store_schema()
    register_resolvers()
    OmegaConf.register_new_resolver("field_help", resolve_help, replace=True)
    Plugins.instance().register(StudySource)
