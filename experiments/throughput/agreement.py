"""Whether a peer trains the same thing: its losses beside the plain PyTorch loop's from the same start."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from loops import network
from starts import draw_data, draw_layers, draw_order
from torch import nn
from worker import Worker
from workloads import WORKLOADS, Workload

STEPS = 30
CLOSE = 1e-4
"""Losses are of the size 1. Roundings move them apart by 1e-6, on 784-400-400 by 3e-5 after 40 steps."""


def plain_losses(workload: Workload, steps: int) -> list[float]:
    """Return the loss of every step of the first task, by the loop that everybody writes."""
    model = network(workload)
    dense = [layer for layer in model if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer, (weight, bias) in zip(dense, draw_layers(workload, 0), strict=True):
            layer.weight.copy_(torch.from_numpy(weight.T))
            layer.bias.copy_(torch.from_numpy(bias))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.MSELoss() if workload.loss == "mse" else nn.CrossEntropyLoss()
    inputs, targets = (torch.from_numpy(each) for each in draw_data(workload, 0)[0])
    losses = []
    for batch in torch.from_numpy(draw_order(workload, 0, steps)):
        optimizer.zero_grad()
        loss = criterion(model(inputs[batch]), targets[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def check_peer(worker: Worker, names: Sequence[str]) -> dict[str, float]:
    """Return by workload how far a peer's losses are from the plain loop's at most.

    Raises:
        RuntimeError: it trains something else.
    """
    apart = {}
    for name in names:
        theirs = worker.ask(workload=name, kind="losses", steps=STEPS)["losses"]
        ours = plain_losses(WORKLOADS[name], STEPS)
        apart[name] = max(abs(one - other) for one, other in zip(ours, theirs, strict=True))
        if not apart[name] <= CLOSE:
            raise RuntimeError(
                f"A peer's losses must be the plain loop's within {CLOSE}; got {apart[name]:.2g} on {name}. "
                "Its times would be those of another training."
            )
    return apart
