"""The diagonal of the Fisher information: the importance of EWC, in the variants that the field uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Batch, Context
from clbench.fields import choice, count, number
from clbench.importance.base import Importance
from clbench.importance.passes import active_outputs, batches, is_regression, predicted_distribution
from clbench.streams.base import Stream

LABELS = ("exact", "sampled", "predicted", "empirical")


@dataclass(frozen=True)
class Fisher(Importance):
    """Squared gradients of the log-likelihood at the end of a task, averaged over its training data.

    exact       F = (1/n) Σ_n Σ_y p(y|x_n) (∂ log p(y|x_n) / ∂θ)²        the Fisher itself
    sampled     F = (1/n) Σ_n (∂ log p(y_n|x_n) / ∂θ)², y_n ~ p(·|x_n)   one draw a sample
    predicted   the same with y_n = argmax p(·|x_n)                      Hsu 2018, van de Ven 2018
    empirical   the same with the true label                             «empirical Fisher»

    The penalty adds its own ½ (`strategy.half`); F has none. p is the softmax over the outputs that compete
    in training (of the task, or of the classes seen). In regression the outputs are means of Gaussians of
    variance 1, so log p = −½ Σ_o (f_o − y_o)² and exact is (1/n) Σ_n Σ_o (∂f_o/∂θ)²; `predicted` would be 0
    there and is refused. Gradients are those of the task loss's likelihood alone, never of a penalty.

    With `per=batch` the gradient of a batch's mean is squared and averaged over batches. That is not the
    Fisher: it shrinks as 1/batch_size, so its λ means something else; it is here for tables that used it.

    Args:
        label: see above.
        per: `sample`, in closed form from one backward pass; or `batch`.
        batch_size: samples a pass; it changes the result with `per=batch` only.
        samples: how many training samples are drawn; null for all.
        gamma: γ, factor on the importance of the tasks before when a task's is added (online EWC).

    Source: Kirkpatrick et al. 2017; Schwarz et al. 2018 (γ); the choices: van de Ven 2025, «On the
    computation of the Fisher information in continual learning».
    """

    label: str = choice("exact", LABELS)
    per: str = choice("sample", ("sample", "batch"))
    batch_size: int = count(128)
    samples: int | None = count(None, none="all")
    gamma: float = number(1.0, low=0)

    def cross_problems(self, key: str) -> Iterable[str]:
        if self.per == "batch" and self.label == "exact":
            yield (
                "A batch's mean gradient has one label a sample; "
                f"got {key}.per=batch with {key}.label=exact. Use empirical, predicted or sampled."
            )

    def fit_problems(self, stream: Stream) -> list[str]:
        """Refuse predicted labels where none is predicted."""
        if self.label != "predicted" or stream.scenario != "regression":
            return []
        return [
            "A regression predicts its own mean, whose gradient of the likelihood is 0; got "
            "strategy.importance.label=predicted on a regression stream. Use exact."
        ]

    def decay(self) -> Tensor | float:
        """Return γ."""
        return self.gamma

    def estimate(self, context: Context, state: dict[str, Tensor]) -> Tensor:
        """Return F of the ended task, `[lane, padded]`."""
        total = torch.zeros_like(context.theta)
        generators = context.random("fisher/labels") if self.label == "sampled" else []
        passes = samples = 0
        for batch in batches(context, self.batch_size, self.samples, "fisher/samples"):
            outputs = context.network.forward(batch.inputs)
            size = outputs.shape[1]
            for errors in self._errors(batch, outputs, generators):
                if self.per == "sample":
                    total += context.network.squared_gradients(errors)
                else:
                    context.network.backward(errors / size)
                    total.addcmul_(context.task_gradient, context.task_gradient)
            passes += 1
            samples += size
        return total.div_(samples if self.per == "sample" else passes)

    def _errors(self, batch: Batch, outputs: Tensor, generators: list[torch.Generator]) -> Iterator[Tensor]:
        """Yield errors −∂ log p / ∂ outputs, whose squared gradients add up to the sample's Fisher."""
        if is_regression(batch):
            yield from _regression_errors(self.label, batch, outputs, generators)
            return
        likelihood = predicted_distribution(batch, outputs)
        if self.label == "exact":
            active = active_outputs(batch, outputs).expand(-1, 1, -1) if batch.mask is None else None
            active = batch.mask == 0 if active is None else active
            for index in active.flatten(0, -2).any(0).nonzero().flatten().tolist():
                errors = likelihood.clone()
                errors[..., index] -= 1.0
                yield errors.mul_(likelihood[..., index : index + 1].sqrt())
            return
        if self.label == "predicted":
            label = likelihood.argmax(2)
        elif self.label == "sampled":
            label = _draw(likelihood, generators)
        else:
            label = batch.targets
        errors = likelihood.clone()
        errors.scatter_add_(2, label[..., None], torch.full_like(errors[..., :1], -1.0))
        yield errors


def _regression_errors(
    label: str, batch: Batch, outputs: Tensor, generators: list[torch.Generator]
) -> Iterator[Tensor]:
    if label == "exact":
        for index in range(outputs.shape[2]):
            errors = torch.zeros_like(outputs)
            errors[..., index] = 1.0
            yield errors
    elif label == "sampled":
        shape = outputs.shape[1:]
        noise = [torch.randn(shape, generator=one, dtype=outputs.dtype) for one in generators]
        yield torch.stack(noise).to(outputs.device)
    elif label == "empirical":
        yield outputs - batch.targets
    else:
        yield torch.zeros_like(outputs)


def _draw(likelihood: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Return one label a sample, `[lane, batch]`, by the inverse of the cumulative distribution."""
    uniform = torch.stack([torch.rand(likelihood.shape[1], generator=one) for one in generators])
    reached = likelihood.cumsum(2)
    aim = uniform.to(reached)[..., None] * reached[..., -1:]
    label = (reached <= aim).sum(2)
    # A draw that rounds up to the very end belongs to the last output that can be drawn at all.
    last = likelihood.shape[2] - 1 - (likelihood > 0).flip(2).to(torch.int8).argmax(2)
    return torch.minimum(label, last)
