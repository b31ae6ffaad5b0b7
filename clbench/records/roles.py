"""What a strategy is to a comparison, as its class declares it (`Strategy.role`): a bound, or none."""

from __future__ import annotations

NAIVE, JOINT, CUMULATIVE = "naive", "joint", "cumulative"

ROLES = (NAIVE, JOINT, CUMULATIVE)

REFERENCES = (JOINT, CUMULATIVE)
"""Against which of them a run is measured, the first that a sweep has."""

ORDER = (NAIVE, "", CUMULATIVE, JOINT)
"""Of rows: the lower bound first, the references last."""


def role_of_label(strategy: str) -> str:
    """Return the role in a folder of times before roles were recorded: the label, where that is one."""
    return strategy if strategy in ROLES else ""
