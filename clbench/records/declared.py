"""What a metric is: a formula, declared once with its orientation and its heading in tables."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from clbench.scores import is_own

OF_A_RUN = ("matrix", "initial", "curve", "stage", "step", "gaps")
OF_A_PAIR = ("diagonal", "reference")
"""What a formula may be computed from, by the names of its parameters: one run's scores, or R[j,j] of a run
and of the reference run (joint, or else cumulative) of the same seed and setting, `[tasks]` each."""

Formula = TypeVar("Formula", bound=Callable[..., float])


@dataclass(frozen=True)
class Metric:
    """A metric of continual learning, a column of `runs.csv`.

    Args:
        name: of the column.
        formula: a function of some of `OF_A_RUN`, or of `OF_A_PAIR`; None where records alone know it.
        higher_is_better: whether more of it is better.
        heading: in the tables of a sweep, which leave out a metric without.
        heading_of_losses: that of its negative, which tables show where scores are losses with their sign
            turned; empty to show the metric itself.
    """

    name: str
    formula: Callable[..., float] | None
    higher_is_better: bool
    heading: str = ""
    heading_of_losses: str = ""

    @functools.cached_property
    def inputs(self) -> tuple[str, ...]:
        """What the formula is computed from."""
        return tuple(inspect.signature(self.formula).parameters) if self.formula else ()

    @property
    def needs_reference(self) -> bool:
        """Whether it compares a run with the reference run, and so is known of a sweep only."""
        return "reference" in self.inputs

    def shown(self, losses: bool) -> tuple[str, float]:
        """Return its heading in tables, and what its values are multiplied by there: 1 or −1.

        Args:
            losses: whether the scores that it is computed from are losses with their sign turned.
        """
        turns = losses and bool(self.heading_of_losses)
        return (self.heading_of_losses, -1.0) if turns else (self.heading or self.name, 1.0)

    @property
    def is_own(self) -> bool:
        """Whether it is a user's."""
        return is_own(self.formula)

    def of(self, values: Mapping[str, Any]) -> float:
        """Return the metric, given all that it may be computed from; NaN where that lacks something."""
        if self.formula is None or not values.keys() >= set(self.inputs):
            return float("nan")
        return float(self.formula(*(values[name] for name in self.inputs)))


METRICS: dict[str, Metric] = {}
"""Every metric that is declared, by name, in the order of the columns; the package's own are in `metrics`."""


def heading_of(column: str) -> str:
    """Return what tables call a column of `runs.csv`: a metric's heading, or its name."""
    return METRICS[column].shown(losses=False)[0] if column in METRICS else column


def metric(
    *, higher_is_better: bool, heading: str = "", heading_of_losses: str = ""
) -> Callable[[Formula], Formula]:
    """Declare a formula as the metric of its name (see `Metric`); one's own may be declared again.

    Raises:
        ValueError: the name is taken, or a parameter is nothing that a metric can be computed from.
    """

    def declare(formula: Formula) -> Formula:
        found = Metric(formula.__name__, formula, higher_is_better, heading, heading_of_losses)
        if not (set(found.inputs) <= set(OF_A_RUN) or set(found.inputs) <= set(OF_A_PAIR)):
            rule = f"A metric must be of {', '.join(OF_A_RUN)}; or of {' and '.join(OF_A_PAIR)}"
            raise ValueError(f"{rule}; got {found.name}({', '.join(found.inputs)}). Name its parameters so.")
        if found.name in METRICS and not METRICS[found.name].is_own:
            raise ValueError(f"A metric's name must be free; got {found.name}. Call it otherwise.")
        METRICS[found.name] = found
        return formula

    return declare
