"""Which code shapes a run's numbers: this package's own sources, and those of the user's modules.

A commit's name would also change with every edit of a picture or a table, and would not with an edit that
is not committed yet. So contents are hashed.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

ABOVE_TRAINING = ("__init__.py", "analysis", "api", "app.py", "figures", "launcher")
ABOVE_TRAINING += ("records", "report", "session", "testing")
"""What only starts, records or shows runs."""

LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()


@functools.cache
def training_sources() -> str:
    """Return 16 hexadecimal digits over all modules of this package that shape what a run computes."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE)
        if place.parts[0] not in ABOVE_TRAINING:
            digest.update(place.as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Source:
    """One module's file.

    Args:
        place: as an import would find it, `package/module.py`.
        digest: 16 hexadecimal digits over its contents.
        imports: dotted names that it imports anywhere; some may be no modules.
    """

    place: str
    digest: str
    imports: tuple[str, ...]


def user_sources(module: str) -> dict[str, str]:
    """Return the digests, by place, of a module's file and of all the user's files that it imports.

    Imports are followed, inside functions as well, to files that belong neither to Python's library nor to
    an installed package. A module that is loaded counts as it was when it was first asked for (or loaded
    again), since later edits of its file do not run.
    """
    found: dict[str, str] = {}
    seen = {module}
    waiting = [module]
    while waiting:
        source = _source(waiting.pop())
        if source is None:
            continue
        found[source.place] = source.digest
        fresh = [name for name in source.imports if name not in seen and is_users(name)]
        seen.update(fresh)
        waiting += fresh
    return found


def is_users(module: str) -> bool:
    """Tell whether a name is a module in a file of the user's."""
    if module.partition(".")[0] in (sys.stdlib_module_names - {"__main__"}) | {"clbench"}:
        return False
    file = _file(module)
    if file is None or {"site-packages", "dist-packages"} & set(file.parts):
        return False
    return not (file.is_relative_to(PACKAGE) or file.is_relative_to(LIBRARY))


_LOADED: dict[str, tuple[object, Source]] = {}
"""Of loaded modules: what tells one loading from another, and the file as it was then."""


def _source(module: str) -> Source | None:
    loaded = sys.modules.get(module)
    loading = getattr(loaded, "__spec__", None) or loaded
    if module in _LOADED and _LOADED[module][0] is loading:
        return _LOADED[module][1]
    file = _file(module)
    if file is None:
        return None
    content = file.read_bytes()
    is_package = file.stem == "__init__"
    name = file.stem if module == "__main__" else module.replace(".", "/")
    source = Source(
        place=f"{name}/{file.name}" if is_package else f"{name}{file.suffix}",
        digest=hashlib.sha256(content).hexdigest()[:16],
        imports=tuple(dict.fromkeys(_imports(content, module if is_package else module.rpartition(".")[0]))),
    )
    if loaded is not None:
        _LOADED[module] = (loading, source)
    return source


def _file(module: str) -> Path | None:
    """Return the file of a module, without importing it; None where there is none."""
    if module in sys.modules:
        place = getattr(sys.modules[module], "__file__", None)
        return Path(place).resolve() if place and Path(place).is_file() else None
    spec, above = None, None
    names = module.split(".")
    for end in range(1, len(names) + 1):
        spec = PathFinder.find_spec(".".join(names[:end]), above)
        above = None if spec is None else spec.submodule_search_locations
        if spec is None or (end < len(names) and above is None):
            return None
    return Path(spec.origin).resolve() if spec is not None and spec.has_location and spec.origin else None


def _imports(content: bytes, package: str) -> Iterator[str]:
    """Yield the dotted names, packages above them included, that a file's import statements may load."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # a compiled module
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_packages(alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from _with_packages(base)
            yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call) and node.args and _is_import(node.func):
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield from _with_packages(name.value)


def _is_import(called: ast.expr) -> bool:
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
    return name in ("import_module", "__import__")


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))
