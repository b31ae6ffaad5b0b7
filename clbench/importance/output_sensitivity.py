"""Memory Aware Synapses: how much the outputs' length reacts to each parameter; needs no labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Context
from clbench.fields import choice, count, number
from clbench.importance.base import Importance
from clbench.importance.passes import active_outputs, batches


@dataclass(frozen=True)
class OutputSensitivity(Importance):
    """|∂ of the squared outputs / ∂θ| over the ended task's training data.

    sample   Ω_task = (1/n) Σ_n |∂ ‖f(x_n)‖² / ∂θ|                          Aljundi 2018, eq. 2 and 4
    batch    Ω_task = (1/B) Σ_b |∂ mean_{samples of b, outputs} f² / ∂θ|    Hsu 2018

    Signs cancel inside a batch and the mean divides by the outputs, so λ means different things in the two.
    Outputs are logits, without softmax; only those that compete in training count. Ω adds up over tasks
    (times γ). The penalty is λ Σ Ω (θ − θ*)² without ½. `sample` takes one backward pass per sample.

    Args:
        per: `sample` or `batch`.
        batch_size: samples a batch, with `per=batch`.
        samples: how many training samples are drawn; null for all.
        gamma: γ, factor on the importance of the tasks before.

    Source: Aljundi et al. 2018.
    """

    per: str = choice("batch", ("sample", "batch"))
    batch_size: int = count(128)
    samples: int | None = count(None, none="all")
    gamma: float = number(1.0, low=0)

    def decay(self) -> Tensor | float:
        """Return γ."""
        return self.gamma

    def estimate(self, context: Context, state: dict[str, Tensor]) -> Tensor:
        """Return Ω_task, `[lane, padded]`."""
        total = torch.zeros_like(context.theta)
        passes = 0
        size = self.batch_size if self.per == "batch" else 1
        for batch in batches(context, size, self.samples, "mas/samples"):
            outputs = context.network.forward(batch.inputs)
            active = active_outputs(batch, outputs)
            errors = 2.0 * outputs * active
            if self.per == "batch":
                errors /= outputs.shape[1] * active.sum(2, keepdim=True)
            context.network.backward(errors)
            total += context.task_gradient.abs()
            passes += 1
        return total.div_(passes)
