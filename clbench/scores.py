"""The scores that a stream may have, each declared once: its name, what it is of, which way is better.

A user's own score is declared in the same way, in the file of the stream that has it:

    @score("numbers", higher_is_better=False)
    def mae(outputs, targets):
        return (outputs - targets).abs().flatten(1).mean(1)

The engine calls the functions on tensors; records, tables and figures read the declarations, without torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # torch is there when there are outputs; who reads the declarations does not need it
    from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])

KINDS = {"labels": ("task", "domain", "class"), "numbers": ("regression",)}
"""What targets may be, and in which scenarios they are so."""


@dataclass(frozen=True)
class Score:
    """A score of outputs against targets.

    Args:
        name: the stream's name for it, and part of the columns `<split>_<score>_<task>`.
        of: `labels` or `numbers`, which the targets must be.
        higher_is_better: whether more of it is better.
        label: what axes call it; empty for its name.
        function: of outputs `[lane, samples, outputs]` (−inf where an output does not compete) and targets
            (int64 `[lane, samples]`, or float32 `[lane, samples, outputs]`); returns `[lane]`. None where
            records alone know the score.
    """

    name: str
    of: str
    higher_is_better: bool
    label: str
    function: Callable[[Tensor, Tensor], Tensor] | None

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the score, `[lane]`."""
        assert self.function is not None, f"streams have no score that is not declared; got {self.name}"
        return self.function(outputs, targets)

    @property
    def is_own(self) -> bool:
        """Whether it is a user's."""
        return is_own(self.function)

    @property
    def leads(self) -> bool:
        """Whether it can lead a stream's metrics; a regression is measured by its loss."""
        return self.of == "labels"


SCORES: dict[str, Score] = {}
"""Every score that is declared, by name."""


def score(of: str, *, higher_is_better: bool, label: str = "") -> Callable[[Function], Function]:
    """Declare a function as the score of its name (see `Score`); one's own may be declared again.

    Raises:
        ValueError: the targets are of neither kind, or columns of the score could be read as another's.
    """
    if of not in KINDS:
        raise ValueError(f"A score must be of {' or '.join(KINDS)}; got {of}. Choose one of them.")

    def declare(function: Function) -> Function:
        name = function.__name__
        others = {"loss", *SCORES} - ({name} if name in SCORES and SCORES[name].is_own else set())
        if clash := [other for other in others if _begins(name, other) or _begins(other, name)]:
            rule = "A score's name must not be, begin or go on another's"
            raise ValueError(f"{rule}; got {name} beside {clash[0]}. Call it otherwise.")
        SCORES[name] = Score(name, of, higher_is_better, label, function)
        return function

    return declare


def is_own(function: Callable[..., Any] | None) -> bool:
    """Return whether a function is a user's; so is one that is not here."""
    return function is None or function.__module__.partition(".")[0] != "clbench"


def _begins(one: str, other: str) -> bool:
    """Return whether a column of the other score may be one of the first, whose task begins as it goes on."""
    return f"{other}_".startswith(f"{one}_")


def scores_in(scenario: str) -> list[str]:
    """Return the names of the scores that fit a scenario's targets."""
    return [name for name, found in SCORES.items() if found.function and scenario in KINDS[found.of]]


@score("labels", higher_is_better=True)
def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the share of samples whose largest output is the target's."""
    return (outputs.argmax(2) == targets).float().mean(1)


@score("labels", higher_is_better=True, label="micro F1")
def f1_micro(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return 2·Σtp / (2·Σtp + Σfp + Σfn): the accuracy, as a sample has one label and one prediction."""
    return accuracy(outputs, targets)


@score("labels", higher_is_better=True, label="macro F1")
def f1_macro(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over classes of 2·tp / (2·tp + fp + fn).

    Averaged over the classes that occur among the targets or the predictions, as scikit-learn does.
    """
    predicted, ones = outputs.argmax(2), targets.new_ones(targets.shape)
    zeros = targets.new_zeros(outputs.shape[0], outputs.shape[2])
    hits = zeros.scatter_add(1, targets, (predicted == targets).long())
    total = zeros.scatter_add(1, predicted, ones).scatter_add(1, targets, ones)
    return (2.0 * hits / total.clamp(min=1)).sum(1) / (total > 0).sum(1)


@score("numbers", higher_is_better=False, label="RMSE")
def rmse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return √ mean (o − y)², in the targets' unit."""
    return (outputs - targets).square().flatten(1).mean(1).sqrt()


@score("numbers", higher_is_better=True, label="R²")
def r2(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return 1 − Σ(o − y)² / Σ(y − ȳ)², averaged over the outputs.

    An output whose target is constant counts 1 where it is met exactly and 0 otherwise.
    """
    residual = (outputs - targets).square().sum(1)
    total = (targets - targets.mean(1, keepdim=True)).square().sum(1)
    is_constant = targets.amin(1) == targets.amax(1)
    return (residual == 0).to(total.dtype).where(is_constant, 1 - residual / total).mean(1)
