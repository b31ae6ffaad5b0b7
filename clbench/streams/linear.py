"""High-dimensional linear regression with fewer samples than inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from clbench.config import SPLITS
from clbench.fields import count, number
from clbench.streams.base import Stream, StreamSource, Task, generator


@dataclass(frozen=True)
class LinearRegression(StreamSource):
    """One task: y = Σ_j weight · x_j + bias + noise · ε with x_j, ε ~ N(0, 1).

    The defaults are those of Dive into Deep Learning, section «Weight Decay» (Zhang et al.): 20 training
    samples, 200 inputs, every true weight 0.01, bias 0.05, noise 0.01. The loss here is the mean squared
    error without that section's ½.

    All samples depend on the seed, each split on its own draws.

    Args:
        features: inputs d.
        train, val, test: samples.
        weight: every entry of the true weight vector.
        bias: the true bias.
        noise: standard deviation of the noise, in all splits.
    """

    features: int = count(200)
    train: int = count(20)
    val: int = count(100, 0)
    test: int = count(100)
    weight: float = number(0.01)
    bias: float = number(0.05)
    noise: float = number(0.01, low=0)

    def build(self, seed: int) -> Stream:
        """Return the stream of a seed: `inputs` `[samples, features]`, `targets` `[samples, 1]`."""
        inputs, targets, places, start = [], [], {}, 0
        for split in SPLITS:
            count, draw = getattr(self, split), generator(seed, "data", split)
            x = torch.randn(count, self.features, generator=draw)
            clean = self.weight * x.sum(1, keepdim=True) + self.bias
            inputs.append(x)
            targets.append(clean + self.noise * torch.randn(count, 1, generator=draw))
            places[split] = torch.arange(start, start + count)
            start += count
        return Stream(
            inputs=torch.cat(inputs),
            targets=torch.cat(targets),
            tasks=(Task(name="0", outputs=(0, 1), **places),),
            scenario="regression",
            outputs=1,
            scores=("rmse", "r2"),
        )
