"""Words on axes and in captions: what a quantity is called, its unit, how a number and a mean are written."""

from __future__ import annotations

from collections.abc import Iterable

from clbench.scores import SCORES

QUANTITIES = {
    "mse": "mean squared error",
    "cross_entropy": "cross-entropy (nats)",
    "anchor_distance": "distance ‖θ − θ*‖",
}
"""What axes call what is no score; a score has its label."""


def quantity(metric: str, loss: str = "loss") -> str:
    """Return how a metric is called on an axis; `loss` says which loss it is, `mse` or `cross_entropy`."""
    name = loss if metric == "loss" else metric
    label = SCORES[name].label if name in SCORES else QUANTITIES.get(name)
    return label or name.replace("_", " ")


def title_word(metric: str) -> str:
    """Return how a metric is called at the beginning of a title: `Loss`, `Accuracy`."""
    return "Loss" if metric == "loss" else quantity(metric).capitalize()


def literal(text: str) -> str:
    """Return a text so that matplotlib prints it as it stands: nothing between two `$` is a formula."""
    return text.replace("$", r"\$")


def number_text(value: float) -> str:
    """Return a hyperparameter as a person writes it: `0.1`, `100`, `1e-6`."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return f"{float(f'{value:.4g}'):g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def seeds(counts: Iterable[int]) -> str:
    """Return over how many seeds an estimate was taken: `10 seeds`, `8 to 10 seeds`."""
    found = sorted(counts)
    low, high = found[0], found[-1]
    if low == high:
        return f"{low} seed" + ("s" if low != 1 else "")
    return f"{low} to {high} seeds"


def how_read(counts: Iterable[int]) -> str:
    """Return how lines and bands are to be read."""
    found = list(counts)
    return "one seed, so no interval" if max(found) == 1 else f"mean and 95 % interval over {seeds(found)}"


def how_stages_read(has_joint: bool) -> str:
    """Return how the stages above the axes are to be read."""
    mark = "Dashed vertical lines mark the switches"
    return f"{mark}; joint trains on all tasks from the start." if has_joint else f"{mark}."
