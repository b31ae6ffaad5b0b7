"""Learning without Forgetting: the previous network's outputs on the new data as soft targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.fields import choice, number
from clbench.strategies.acts import Acts
from clbench.strategies.base import Strategy
from clbench.strategies.distillation import Distillation


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
        return teaching._replace(distillations=self.distillations)

    def distillations(self, context: Context, state: State) -> tuple[Distillation, ...]:
        """Return what the outputs are held to, with the weights of both losses."""
        share = self.lam * (1.0 - 1.0 / (context.stage + 1))
        by_tasks = self.weighting == "tasks"
        return (
            Distillation(
                taught=state["teacher"],
                weight=share if by_tasks else self.lam,
                temperature=None if context.scenario == "regression" else self.temperature,
                teacher=state["heads"],
                student=self._competing(context, state["heads"]),
                averaged=self.classes == "mean",
                task_weight=1.0 - share if by_tasks else 1.0,
            ),
        )

    def consolidate(self, context: Context, state: State) -> State:
        """Keep θ as the teacher, and which outputs the past tasks have."""
        heads = _heads(context)
        mask = torch.full_like(context.theta[:, :1, None], float("-inf")).repeat(
            1, len(heads), context.outputs
        )
        for index, (low, high) in enumerate(heads):
            mask[:, index, low:high] = 0.0
        return {"teacher": context.theta.clone(), "heads": mask}

    def _competing(self, context: Context, heads: Tensor) -> Tensor:
        """Return which outputs the student's softmax runs over beside those of each old head."""
        if not self.new_classes:
            return heads
        # Without a mask all outputs compete, those of the last task of a class-incremental stream too.
        mask = context.fetch(context.train_addresses(context.stage)[:, :1]).mask
        mask = torch.zeros_like(heads[:, :1]) if mask is None else mask
        # With known tasks the new task's outputs are another head's, and compete with no old one.
        compete = ((mask == 0) | (heads != 0)).all(2, keepdim=True)
        return torch.where(compete, mask, heads)


def _heads(context: Context) -> list[tuple[int, int]]:
    """Return the outputs of past tasks, those together that compete with each other."""
    past = context.task_outputs[: context.stage + 1]
    if context.scenario == "task":
        return list(dict.fromkeys(past))
    return [(0, max(high for _, high in past) if context.scenario == "class" else context.outputs)]
