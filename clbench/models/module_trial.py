"""A module is tried on a few samples: what its forward pass does that no lane could have for itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call

TRIED = 8
"""Samples on which a module is tried."""

MIXED = 1e-3
"""Outputs that differ by this share of the largest one are no rounding: they depend on the batch."""

_DRAWING = threading.Lock()


@contextmanager
def global_generator(seed: int | None = None) -> Iterator[None]:
    """Let a module draw from torch's global generator, one thread at a time, and restore it afterwards.

    Args:
        seed: what it is set to before; None to leave it as it is.
    """
    with _DRAWING, torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        yield


def trial_samples(inputs: Tensor) -> Tensor:
    """Return a few samples from all over a pool, `[TRIED, *features]`."""
    return inputs[torch.linspace(0, len(inputs) - 1, TRIED).long()]


def outputs_twice(module: nn.Module, samples: Tensor) -> tuple[object, object]:
    """Return what two calls of a module with the same samples return."""
    with global_generator(), torch.no_grad():
        return module(samples), module(samples)


def mixing(module: nn.Module, samples: Tensor) -> str | None:
    """Return how a module's output for a sample depends on those beside it, None if f(x)_n = f(x_n).

    Tried with the parameters as drawn, and moved from there: a last layer drawn as 0 would hide all.
    """
    drawn = {name: value.detach() for name, value in module.named_parameters()}
    random = torch.Generator().manual_seed(0)
    moved = {name: value + 0.1 * torch.randn(value.shape, generator=random) for name, value in drawn.items()}
    for parameters in (drawn, moved):
        together = _outputs(module, parameters, samples)
        try:
            alone = torch.cat([_outputs(module, parameters, sample[None]) for sample in samples])
        except Exception as error:  # whatever a user's forward pass raises
            return f"which fails for a batch of one: {summary(error)}"
        if alone.shape != together.shape:
            return f"which returned {list(alone.shape)} for {len(samples)} samples taken one by one"
        apart = float((alone - together).abs().max())
        if apart > MIXED * float(together.abs().max()):
            return f"whose outputs for {len(samples)} samples differ by {apart:.2g} when taken one by one"
    return None


def summary(error: Exception) -> str:
    """Return the kind and the first line of an error."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0].rstrip('.')}"


def _outputs(module: nn.Module, parameters: Mapping[str, Tensor], samples: Tensor) -> Tensor:
    with global_generator(), torch.no_grad():
        return functional_call(module, dict(parameters), (samples,))
