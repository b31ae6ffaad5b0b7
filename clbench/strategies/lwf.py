"""Learning without Forgetting: the previous network's outputs on the new data as soft targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from clbench.context import Batch, Context, State
from clbench.fields import choice, number
from clbench.strategies.acts import Acts
from clbench.strategies.base import Strategy


@dataclass(frozen=True)
class LwF(Strategy):
    """Distil the network as it was at the end of the last task, on the new task's inputs.

    L_old = T² · mean over old heads · mean_x KL(softmax(z_teacher / T) ‖ softmax(z / T))

    over the outputs of a head: in task-incremental streams each past task's own; in class-incremental ones
    all classes of past tasks (with blurred boundaries all that they had samples of), as one; else all
    outputs. With classes `mean`, KL is divided by the number of classes in the student's softmax. In
    regression L_old = mean over samples and outputs of (z − z_teacher)².

    weighting `sum`: L = L_new + λ L_old (Li & Hoiem 2017). `tasks`: L = (1 − s) L_new + s L_old with
    s = λ (1 − 1/n), n being the tasks so far; λ = 1 is van de Ven & Tolias 2018's 1/n and 1 − 1/n. There the
    gradient of KL is that of their cross-entropy. λ = 0 is naive in both.

    Args:
        lam: λ ≥ 0, at most 1 with `tasks`.
        temperature: T.
        weighting: `sum` or `tasks`, see above.
        new_classes: in class-incremental streams: whether the student's softmax also runs over the new
            classes that compete in training beside the old ones (`training.outputs`: `seen` or `all`), for
            which the target is 0 (van de Ven & Tolias 2018).
        classes: `sum`: KL is a sum over classes, as printed everywhere; `mean`: it is an average, as in the
            first release of van de Ven & Tolias 2018's code.

    Source: Li & Hoiem 2017; Hinton, Vinyals & Dean 2015 (T²).
    """

    lam: float = number(1.0, low=0)
    temperature: float = number(2.0, above=0)
    weighting: str = choice("sum", ("sum", "tasks"))
    new_classes: bool = False
    classes: str = choice("sum", ("sum", "mean"))

    def cross_problems(self, key: str) -> list[str]:
        if self.weighting != "tasks" or self.lam <= 1:
            return []
        return [
            "With weighting by tasks λ is a share; "
            f"got {key}.lam={self.lam} with {key}.weighting=tasks. Use at most 1."
        ]

    def at(self, stage: int) -> Acts:
        teaching = Acts(consolidate=self.consolidate, kept_by=())
        if stage == 0:
            return teaching
        return teaching._replace(
            loss=self.loss, gradient=self.gradient if self.weighting == "tasks" else None
        )

    def loss(self, context: Context, state: State, batch: Batch, outputs: Tensor) -> Tensor:
        """Return λ L_old, or with `tasks` s / (1 − s) · L_old, whose gradient is then multiplied by 1 − s."""
        taught = context.outputs_of(batch, state["teacher"])
        if batch.targets.is_floating_point():
            old = (outputs - taught).square().mean((1, 2))
        else:
            terms = [self._divergence(batch, outputs, taught, head) for head in state["heads"].unbind(1)]
            old = torch.stack(terms).mean(0)
        if self.weighting == "sum":
            return self.lam * old
        share = self._share(context)
        return share / (1.0 - share) * old

    def gradient(self, context: Context, state: State, gradient: Tensor) -> None:
        """Multiply the gradient by 1 − s."""
        share = self._share(context)
        gradient.mul_(1.0 - (share[:, None] if isinstance(share, Tensor) else share))

    def consolidate(self, context: Context, state: State) -> State:
        """Keep θ as the teacher, and which outputs the past tasks have."""
        heads = _heads(context)
        mask = torch.full_like(context.theta[:, :1, None], float("-inf")).repeat(
            1, len(heads), context.outputs
        )
        for index, (low, high) in enumerate(heads):
            mask[:, index, low:high] = 0.0
        return {"teacher": context.theta.clone(), "heads": mask}

    def _divergence(self, batch: Batch, outputs: Tensor, taught: Tensor, head: Tensor) -> Tensor:
        teacher = student = head[:, None]
        if self.new_classes:
            # Without a mask all outputs compete, those of the last task of a class-incremental stream too.
            mask = torch.zeros_like(teacher) if batch.mask is None else batch.mask
            # With known tasks the new task's outputs are another head's, and compete with no old one.
            compete = ((mask == 0) | (teacher != 0)).all(2, keepdim=True)
            student = torch.where(compete, mask, teacher)
        averaged = self.classes == "mean"
        return distillation(outputs, taught, teacher, student, self.temperature, averaged)

    def _share(self, context: Context) -> Tensor | float:
        return self.lam * (1.0 - 1.0 / (context.stage + 1))


def _heads(context: Context) -> list[tuple[int, int]]:
    """Return the outputs of past tasks, those together that compete with each other."""
    past = context.task_outputs[: context.stage + 1]
    if context.scenario == "task":
        return list(dict.fromkeys(past))
    return [(0, max(high for _, high in past) if context.scenario == "class" else context.outputs)]


def distillation(
    outputs: Tensor,
    taught: Tensor,
    teacher_mask: Tensor,
    student_mask: Tensor,
    temperature: Tensor | float,
    averaged: bool = False,
) -> Tensor:
    """Return T² · mean over samples of KL(teacher ‖ student), `[lane]`.

    Args:
        outputs, taught: logits of student and teacher, `[lane, batch, outputs]`.
        teacher_mask, student_mask: 0 or −inf, broadcastable to them; the student's allows all that the
            teacher's does.
        temperature: T, or `[lane]`.
        averaged: divide KL by the number of classes that the student's mask allows.
    """
    scale = temperature.reshape(-1, 1, 1) if isinstance(temperature, Tensor) else temperature
    target = torch.log_softmax(taught / scale + teacher_mask, 2)
    found = torch.log_softmax(outputs / scale + student_mask, 2)
    # Where the teacher is masked its probability is 0 and −inf stands on both sides of a difference.
    allowed = (teacher_mask == 0).expand_as(target)
    found, target = torch.where(allowed, found, 0.0), torch.where(allowed, target, float("-inf"))
    divergence = functional.kl_div(found, target, reduction="none", log_target=True)
    summed = torch.where(allowed, divergence, 0.0).sum(2)
    if averaged:
        summed = summed / (student_mask == 0).expand_as(target).sum(2)
    return summed.mean(1) * (temperature * temperature)
