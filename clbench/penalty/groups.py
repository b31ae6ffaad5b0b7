"""Which parameters a penalty holds, how strongly, and how fast they may move."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from clbench.errors import known
from clbench.fields import choice, number
from clbench.models.base import Layout, Parameter
from clbench.penalty.anchors import ANCHORS

SCALES = ("sum", "mean", "fan")
FREEZING = ("never", "always", "first", "later")


@dataclass(frozen=True)
class Group:
    """Parameters that share a λ, an anchor and a learning rate. The first group that matches has it.

    Args:
        pattern: shell pattern on the parameter's name (`layers.0.*`), or `kind:embedding`, `kind:bias`,
            `kind:weight`.
        lam: c_group, the factor on the strategy's λ; λ · c_group is the group's own λ.
        anchor: the group's anchor; null for the strategy's.
        penalised: False leaves the group out of the penalty.
        learning_rate: factor on the optimiser's step.
        frozen: `never`, `always`, in the `first` stage only, or in all `later` ones.
    """

    pattern: str
    lam: float = number(1.0, low=0)
    anchor: str | None = choice(None, ANCHORS, none="the strategy's")
    penalised: bool = True
    learning_rate: float = number(1.0, low=0, per_lane=False)
    frozen: str = choice("never", FREEZING)

    def matches(self, parameter: Parameter) -> bool:
        """Tell whether a parameter belongs to this group, if no group before it does."""
        if self.pattern.startswith("kind:"):
            return parameter.kind == self.pattern[5:]
        return fnmatchcase(parameter.name, self.pattern)

    def rate(self, stage: int) -> float:
        """Return the factor on the optimiser's step in a stage."""
        still = {"never": False, "always": True, "first": stage == 0, "later": stage > 0}[self.frozen]
        return 0.0 if still else self.learning_rate


def group_of(parameter: Parameter, groups: Sequence[Group]) -> Group | None:
    """Return the first group that matches a parameter, or None."""
    return next((group for group in groups if group.matches(parameter)), None)


def unmatched_groups(groups: Sequence[Group], layout: Layout) -> list[str]:
    """Return a line for every group that no parameter belongs to: it would hold nothing, silently."""
    owners = [group_of(parameter, groups) for parameter in layout.parameters]
    return [
        "A group must match a parameter that no group before it has; got "
        f"strategy.groups.{index}.pattern={group.pattern}. "
        f"{known(parameter.name for parameter in layout.parameters)}"
        for index, group in enumerate(groups)
        if not any(owner is group for owner in owners)
    ]


def tensor_scale(parameter: Parameter, scale: str) -> float:
    """Return the factor of one tensor: `sum` 1, `mean` 1/n, `fan` (n_in + n_out) / (n_in · n_out).

    n_in and n_out as `torch.nn.init` counts them: columns and rows of a matrix, times the kernel's size
    for convolutions; a vector (a bias) is a matrix of one column.
    """
    if scale == "sum":
        return 1.0
    if scale == "mean":
        return 1.0 / parameter.size
    kernel = math.prod(parameter.shape[2:])
    n_out = (parameter.shape[0] if parameter.shape else 1) * kernel
    n_in = (parameter.shape[1] if len(parameter.shape) > 1 else 1) * kernel
    return (n_in + n_out) / (n_in * n_out)


def coefficients(
    layout: Layout,
    groups: Sequence[Group],
    scale: str,
    biases: bool,
    acting: Callable[[Group | None], bool],
) -> Tensor:
    """Return c_group · scale of every element, 0 where nothing holds it (padding included).

    Args:
        layout: names and places of the parameters.
        groups: in order; parameters that match none have c_group = 1.
        scale: `sum`, `mean` or `fan`, per tensor.
        biases: whether parameters of kind `bias` are held.
        acting: tells whether a group (None: parameters without one) is held at present.

    Returns:
        float64 `[padded]`, or `[lane, padded]` where a group's λ is a tensor `[lane]`.
    """
    factors: list[Tensor | float] = []
    for parameter in layout.parameters:
        group = group_of(parameter, groups)
        held = (group is None or group.penalised) and (biases or parameter.kind != "bias") and acting(group)
        strength = 1.0 if group is None else group.lam
        factors.append(strength * tensor_scale(parameter, scale) if held else 0.0)
    lanes = [factor for factor in factors if isinstance(factor, Tensor)]
    device = lanes[0].device if lanes else None
    shape = (lanes[0].shape[0], layout.padded) if lanes else (layout.padded,)
    result = torch.zeros(shape, dtype=torch.float64, device=device)
    for place, factor in zip(layout.slices().values(), factors, strict=True):
        result[..., place] = factor[:, None] if isinstance(factor, Tensor) else factor
    return result


def rate_factors(layout: Layout, groups: Sequence[Group], stage: int) -> Tensor | None:
    """Return the factor on every element's step, `[padded]`, 0 where frozen; None where all are 1."""
    rates = [
        1.0 if (group := group_of(parameter, groups)) is None else group.rate(stage)
        for parameter in layout.parameters
    ]
    if all(rate == 1.0 for rate in rates):
        return None
    result = torch.ones(layout.padded)
    for place, rate in zip(layout.slices().values(), rates, strict=True):
        result[place] = rate
    return result
