"""A penalty's gradient by autograd, for strategies that give only its value."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.errors import ConfigurationError


def penalty_by_autograd(
    penalty: Callable[[Context, State, Tensor], Tensor], context: Context, state: State, theta: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the penalty `[lane]` and its gradient `[lane, padded]`, by autograd through its value.

    Args:
        penalty: `Acts.penalty`.
        context, state: handed on.
        theta: parameters `[lane, padded]`; not changed.

    Raises:
        ConfigurationError: the value has no gradient although it is not a constant 0 (the usual cause is
            `.data` or `.detach()`), or it is not one number per lane.
    """
    name = getattr(penalty, "__qualname__", repr(penalty))
    leaf = theta.detach().clone().requires_grad_()
    with torch.enable_grad():
        value = penalty(context, state, leaf)
    if not isinstance(value, Tensor) or value.shape != theta.shape[:1]:
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ConfigurationError(
            f"A penalty must be one number per lane, shape ({theta.shape[0]},); got {got} from "
            f"{name}. Sum over the parameters but not over the lanes: .sum(1)."
        )
    found = None
    if value.requires_grad:
        (found,) = torch.autograd.grad(value, leaf, torch.ones_like(value), allow_unused=True)
    if found is None:
        if bool((value == 0).all()):
            return value.detach(), torch.zeros_like(theta)
        raise ConfigurationError(
            "A penalty must have a gradient, or it holds nothing; got a value without one from "
            f"{name}. Compute it from theta itself: "
            ".data, .detach() and torch.no_grad() cut the gradient off."
        )
    return value.detach(), found
