"""Two tasks of one input and one output: two noisy functions on two ranges of x."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.config import SPLITS
from clbench.fields import Part, choice, count, number
from clbench.streams.base import Stream, StreamSource, Task, generator

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "line": lambda x: x,
    "square": torch.square,
    "cube": lambda x: x**3,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "bump": lambda x: torch.exp(-(x**2)),
    "step": lambda x: (x > 0).to(x.dtype),
    "abs": torch.abs,
}
"""The functions a curve can have, by name; `bump` is exp(−x²), `step` is 1 where x > 0."""


@dataclass(frozen=True)
class Curve(Part):
    """A noisy function on a range: y = scale · f(frequency · x) + shift + noise · ε, ε ~ N(0, 1).

    Args:
        function: a name of `FUNCTIONS`.
        low, high: the range; x is uniform in it.
        scale, shift, frequency: see the equation.
        noise: standard deviation of the noise, in all splits.
    """

    function: str = choice("sin", FUNCTIONS)
    low: float = number(-4.0)
    high: float = number(0.0)
    scale: float = number(1.0)
    shift: float = number(0.0)
    frequency: float = number(1.0)
    noise: float = number(0.1, low=0)

    def mean(self, x: Tensor) -> Tensor:
        """Return the function without its noise."""
        return self.scale * FUNCTIONS[self.function](self.frequency * x) + self.shift

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return x and y, each float32 `[count, 1]`."""
        x = self.low + (self.high - self.low) * torch.rand(count, 1, generator=generator)
        return x, self.mean(x) + self.noise * torch.randn(count, 1, generator=generator)

    def cross_problems(self, key: str) -> Iterable[str]:
        """Yield a line where the range is none."""
        if self.low >= self.high:
            yield (
                f"A range must go up; got {key}.low={self.low} and {key}.high={self.high}. "
                f"Set {key}.low below {key}.high."
            )


@dataclass(frozen=True)
class TwoTaskRegression(StreamSource):
    """Task A and task B: two curves, learned one after the other by one output.

    All samples depend on the seed, each split on its own draws: other sizes of one split leave the others
    as they are (a larger one is drawn anew).

    Args:
        a, b: the curves of the two tasks.
        train, val, test: samples of each task.
    """

    a: Curve = Curve()
    b: Curve = Curve(function="cos", low=0.0, high=4.0)
    train: int = count(256)
    val: int = count(128, 0)
    test: int = count(256)

    def build(self, seed: int) -> Stream:
        """Return the stream of a seed: `inputs` and `targets` `[samples, 1]`."""
        inputs, targets, tasks, start = [], [], [], 0
        for name, curve in (("A", self.a), ("B", self.b)):
            places = {}
            for split in SPLITS:
                count = getattr(self, split)
                x, y = curve.sample(count, generator(seed, "data", name, split))
                inputs.append(x)
                targets.append(y)
                places[split] = torch.arange(start, start + count)
                start += count
            tasks.append(Task(name=name, outputs=(0, 1), **places))
        return Stream(
            inputs=torch.cat(inputs),
            targets=torch.cat(targets),
            tasks=tuple(tasks),
            scenario="regression",
            outputs=1,
            scores=("rmse",),
        )
