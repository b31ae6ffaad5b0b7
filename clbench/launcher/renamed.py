"""Options that once had another name: whoever types the old one is answered with the new one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

RENAMED = {"strategy.memory": "strategy.buffer_size", "strategy.replay": "strategy.replay_batch_size"}
"""New names by the old ones. An old one counts only where it names nothing, and the new one does."""


def renamed_problem(key: str, value: str, existing: Collection[str]) -> str | None:
    """Return the line for an unknown key that has another name now, None where it hasn't.

    Args:
        key: the unknown one, dotted.
        value: that it was given, as typed.
        existing: dotted names that exist in its place.
    """
    new = RENAMED.get(key)
    if new not in existing:
        return None
    return f"{key} is now called {new}; got {key}={value}. Write {new}={value}."


def study_problems(study: Any, swept: Collection[str]) -> Iterable[str]:
    """Yield a line for every old name by which a study speaks of a key that its runs sweep.

    Args:
        study: the node `study` or what is in it, as plain data.
        swept: dotted keys of the runs' overrides.
    """
    pairs = study.items() if isinstance(study, dict) else enumerate(study) if isinstance(study, list) else ()
    for key, value in pairs:
        if str(key) not in swept and (line := renamed_problem(str(key), str(value), swept)):
            yield line
        yield from study_problems(value, swept)
