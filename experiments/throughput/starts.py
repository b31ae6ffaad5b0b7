"""One start, data and order of batches for all: drawn by numpy, in every environment the same."""

from __future__ import annotations

import numpy as np
from workloads import Workload

Layer = tuple[np.ndarray, np.ndarray]


def draw_layers(workload: Workload, seed: int) -> list[Layer]:
    """Return weights `[in, out]` and biases `[out]` of every layer, uniform in ±1/√in as torch's."""
    random = np.random.default_rng((seed, 0))
    layers = []
    for inputs, outputs in workload.layers:
        bound = inputs**-0.5
        weight = random.uniform(-bound, bound, (inputs, outputs)).astype(np.float32)
        layers.append((weight, random.uniform(-bound, bound, outputs).astype(np.float32)))
    return layers


def draw_data(workload: Workload, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return inputs `[samples, in]` and targets of every task, `[samples, out]` or labels `[samples]`."""
    random = np.random.default_rng((seed, 1))
    tasks = []
    for _ in range(workload.tasks):
        inputs = random.standard_normal((workload.samples, workload.widths[0]), dtype=np.float32)
        if workload.loss == "mse":
            targets = random.standard_normal((workload.samples, workload.widths[-1]), dtype=np.float32)
        else:
            targets = random.integers(workload.widths[-1], size=workload.samples)
        tasks.append((inputs, targets))
    return tasks


def draw_order(workload: Workload, seed: int, steps: int) -> np.ndarray:
    """Return the samples of every batch, `[steps, batch]`: shuffled passes without a smaller last batch."""
    random = np.random.default_rng((seed, 2))
    whole = workload.samples // workload.batch
    passes = [
        random.permutation(workload.samples)[: whole * workload.batch] for _ in range(-(-steps // whole))
    ]
    return np.concatenate(passes).reshape(-1, workload.batch)[:steps]
