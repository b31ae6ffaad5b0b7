"""Optimisers on flat lanes: torch's fused kernels over `[lane, padded]`.

An optimiser's numbers are scalars to the fused kernels, so lanes with equal numbers lie side by side
and share one call; elementwise arithmetic keeps every lane's bits independent of its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from clbench.fields import number
from clbench.kernels import optimizers as kernels
from clbench.optimizers.base import COUNT, Optimizer, State, StepKernel


def _fused(name: str) -> Callable[..., None]:
    """Return one of torch's fused kernels, which its own optimisers call and its type stubs leave out."""
    return getattr(torch, f"_fused_{name}_")


_sgd, _adagrad = _fused("sgd"), _fused("adagrad")


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent as `torch.optim.SGD`.

    g ← g + weight_decay · θ;  b ← momentum · b + g  (b = g at the first step);  θ ← θ − lr · b

    Args:
        lr: learning rate.
        momentum: 0 for none.
        weight_decay: coefficient of θ in the gradient, that is of ½‖θ‖² in the loss, biases included.
        reset: start with fresh momentum at every switch of tasks.
    """

    lr: float = number(0.01, above=0)
    momentum: float = number(0.0, low=0, below=1)
    weight_decay: float = number(0.0, low=0)
    reset: bool = False

    def init(self, theta: Tensor) -> State:
        """Return the momentum buffer."""
        return {"momentum": torch.zeros_like(theta)} if self.momentum else {}

    def kernel(self) -> StepKernel | None:
        if type(self) is not SGD:
            return None
        moments = ("momentum",) if self.momentum else ()
        return StepKernel(kernels.SGD, (self.lr, self.momentum, 0.0, 0.0, self.weight_decay), moments)

    def bind(self, theta: Tensor, gradient: Tensor, state: State) -> Callable[[], None]:
        """Return the step, by `torch._fused_sgd_`."""
        buffers = [state["momentum"]] if self.momentum else []
        # b starts at 0, so momentum · b + g is g at the first step, as torch's own first step has it.
        options = {
            "weight_decay": self.weight_decay,
            "momentum": self.momentum,
            "lr": self.lr,
            "dampening": 0.0,
            "nesterov": False,
            "maximize": False,
            "is_first_step": False,
        }
        return lambda: _sgd([theta], [gradient], buffers, **options)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015) as `torch.optim.Adam`.

    m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  θ ← θ − lr · (m / (1−β₁ᵗ)) / (√(v / (1−β₂ᵗ)) + ε)

    Args:
        lr: learning rate.
        beta1, beta2: decay of the moments.
        eps: ε, outside the root.
        weight_decay: coefficient of θ in the gradient (not decoupled), biases included.
        reset: start with fresh moments and t = 0 at every switch of tasks.
    """

    lr: float = number(0.001, above=0)
    beta1: float = number(0.9, low=0, below=1)
    beta2: float = number(0.999, low=0, below=1)
    eps: float = number(1e-8, low=0)
    weight_decay: float = number(0.0, low=0)
    reset: bool = False

    FUSED: ClassVar[Callable[..., None]] = _fused("adam")

    def init(self, theta: Tensor) -> State:
        """Return the two moments and the count of steps."""
        return {"first": torch.zeros_like(theta), "second": torch.zeros_like(theta), COUNT: _zeros(theta)}

    def kernel(self) -> StepKernel | None:
        if type(self) not in (Adam, AdamW):
            return None
        code = kernels.ADAMW if type(self) is AdamW else kernels.ADAM
        numbers = (self.lr, self.beta1, self.beta2, self.eps, self.weight_decay)
        return StepKernel(code, numbers, ("first", "second"))

    def bind(self, theta: Tensor, gradient: Tensor, state: State) -> Callable[[], None]:
        """Return the step, by torch's fused kernel."""
        kernel, count = type(self).FUSED, state[COUNT]
        lists = ([theta], [gradient], [state["first"]], [state["second"]], [], [count[0]])
        options = {
            "lr": self.lr,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "weight_decay": self.weight_decay,
            "eps": self.eps,
            "amsgrad": False,
            "maximize": False,
        }

        def step() -> None:
            count.add_(1)
            kernel(*lists, **options)

        return step


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019) as `torch.optim.AdamW`.

    θ ← θ − lr · weight_decay · θ before Adam's step.

    Args:
        lr: learning rate.
        beta1, beta2: decay of the moments.
        eps: ε, outside the root.
        weight_decay: decoupled decay, biases included.
        reset: start with fresh moments and t = 0 at every switch of tasks.
    """

    weight_decay: float = number(0.01, low=0)

    FUSED: ClassVar[Callable[..., None]] = _fused("adamw")


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011) as `torch.optim.Adagrad`.

    s ← s + g²;  θ ← θ − lr / (1 + (t−1) · lr_decay) · g / (√s + ε)

    Args:
        lr: learning rate.
        lr_decay: decay of the learning rate.
        eps: ε, outside the root.
        weight_decay: coefficient of θ in the gradient, biases included.
        reset: start with s = 0 at every switch of tasks.
    """

    lr: float = number(0.01, above=0)
    lr_decay: float = number(0.0, low=0)
    eps: float = number(1e-10, low=0)
    weight_decay: float = number(0.0, low=0)
    reset: bool = False

    def init(self, theta: Tensor) -> State:
        """Return the sum of squares and the count of steps."""
        return {"sum": torch.zeros_like(theta), COUNT: _zeros(theta)}

    def kernel(self) -> StepKernel | None:
        if type(self) is not Adagrad:
            return None
        numbers = (self.lr, self.lr_decay, 0.0, self.eps, self.weight_decay)
        return StepKernel(kernels.ADAGRAD, numbers, ("sum",))

    def bind(self, theta: Tensor, gradient: Tensor, state: State) -> Callable[[], None]:
        """Return the step, elementwise where no fused kernel exists (CUDA)."""
        total, count = state["sum"], state[COUNT]

        def step() -> None:
            count.add_(1)
            if theta.is_cuda:
                used = gradient.add(theta, alpha=self.weight_decay) if self.weight_decay else gradient
                total.addcmul_(used, used)
                scale = self.lr / (1 + (count[:, None] - 1) * self.lr_decay)
                theta.sub_(scale * used / (total.sqrt() + self.eps))
            else:
                _adagrad(
                    [theta],
                    [gradient],
                    [total],
                    [count[0]],
                    lr=self.lr,
                    lr_decay=self.lr_decay,
                    weight_decay=self.weight_decay,
                    eps=self.eps,
                    maximize=False,
                )

        return step


def _zeros(theta: Tensor) -> Tensor:
    return torch.zeros(theta.shape[0], device=theta.device)
