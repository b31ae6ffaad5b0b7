"""The workloads of the benchmark by their shapes alone, so that every peer can read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """A multilayer perceptron on a stream of equally large tasks, trained by Adam.

    Args:
        name: in tables and on the command line.
        widths: units from the input to the output layer.
        batch: samples a step.
        tasks: tasks of the stream.
        samples: training samples of each task.
        loss: `mse` or `cross_entropy`.
    """

    name: str
    widths: tuple[int, ...]
    batch: int
    tasks: int
    samples: int
    loss: str

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Inputs and outputs of every dense layer."""
        return list(zip(self.widths[:-1], self.widths[1:], strict=True))

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(inputs * outputs + outputs for inputs, outputs in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one step's products: forward, ∂W, and ∂x of all layers but the first."""
        return step_multiply_adds(self.widths, self.batch)

    @property
    def step_bytes(self) -> int:
        """Fewest bytes of one step: θ and Adam's two moments read and written once, the batch read once."""
        return 4 * (6 * self.parameters + self.batch * self.widths[0])


def step_multiply_adds(widths: Sequence[int], batch: int) -> int:
    """Return the multiply-adds of a training step: three products a layer, without that for the inputs."""
    forward = [batch * inputs * outputs for inputs, outputs in zip(widths[:-1], widths[1:], strict=True)]
    return 3 * sum(forward) - forward[0]


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("regression", (1, 64, 64, 1), batch=32, tasks=2, samples=256, loss="mse"),
        Workload("digits", (64, 64, 64, 10), batch=32, tasks=5, samples=251, loss="cross_entropy"),
        Workload("mnist", (784, 400, 400, 10), batch=128, tasks=2, samples=30_000, loss="cross_entropy"),
        Workload("linear", (200, 1), batch=10, tasks=1, samples=20, loss="mse"),
    )
}
"""Two-task regression 1-64-64-1, split digits, 784-400-400-10 on data of MNIST's size, linear 200-1."""
