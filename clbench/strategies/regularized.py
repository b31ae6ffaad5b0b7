"""Holding parameters near an anchor: every penalty of the family, as one configurable strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.importance import Importance, Ones
from clbench.models.base import Layout
from clbench.penalty import (
    FIXED_ANCHORS,
    Group,
    add_term,
    anchor_file_problems,
    closed_form,
    coefficients,
    fixed_anchor,
    group_of,
    moved_anchor,
    penalty_value,
    pull_weight,
    rate_factors,
    shrink,
)
from clbench.strategies.base import Strategy
from clbench.strategies.regularized_problems import problems_of, unmatched_groups
from clbench.streams.base import Stream


@dataclass(frozen=True)
class Regularized(Strategy):
    """penalty = λ · h · Σ_group c_group · Σ_k scale_k · Ω_k · dist(θ_k − θ*_k).

    Methods of this family differ in these fields alone; conf/strategy/ names them (l2, ewc, si, …).

    Args:
        lam: λ ≥ 0. With `half`, `l2` and Ω = 1 its gradient is λ(θ − θ*), as in weight decay.
        anchor: θ*: `zero`; `init` (θ at step 0); `previous` (θ at the end of the last task, one anchor);
            `each` (one per past task, each with its own Ω); `identity` ([I | 0], for an added dense
            layer); `file`.
        importance: Ω.
        distance: `l2` Σ(·)²; `l1` Σ|·|; `norm` ‖·‖₂, one root per tensor: Σ_tensors √(Σ Ω (θ − θ*)²).
        half: h = ½ where true, 1 where false.
        scale: per tensor `sum` (1), `mean` (1/n) or `fan` ((n_in + n_out) / (n_in · n_out)).
        biases: whether biases are held.
        groups: parameters with their own λ, anchor and learning rate; the first that matches has it.
        coupling: `loss`: part of the gradient; `decoupled`: applied to θ after the optimiser's step.
        from_stage: first stage with the penalty. null: as soon as anchor and Ω exist, which is stage 0 for
            a fixed anchor with Ω = 1 and stage 1 otherwise.
        file: safetensors file with the anchor's tensors by parameter name.
    """

    lam: float = 1.0
    anchor: str = "previous"
    importance: Importance = field(default_factory=Ones)
    distance: str = "l2"
    half: bool = False
    scale: str = "sum"
    biases: bool = True
    groups: tuple[Group, ...] = ()
    coupling: str = "loss"
    from_stage: int | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        """Take the groups as a list too, as a configuration file has them."""
        object.__setattr__(self, "groups", tuple(self.groups))

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        return problems_of(self)

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        """Return a line for every group without a parameter, for a wrong anchor's file and importance."""
        found = [*unmatched_groups(self.groups, layout), *self.importance.fit_problems(stream)]
        return found + anchor_file_problems(layout, self._anchor_kinds(layout), self.file)

    # Sharing ------------------------------------------------------------------------------------

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return all fields where the penalty acts, and less where less acts.

        Before it acts λ shapes nothing: a stage that the importance only observes, or in which groups
        have other learning rates, and the consolidation that follows, are shared by all λ.
        """
        if phase == "train" and self._holds_any(stage):
            return self.fields()
        found: dict[str, Any] = {}
        if phase == "train":
            rates = {group.pattern: rate for group in self.groups if (rate := group.rate(stage)) != 1.0}
            if rates:
                found["rates"] = [[group.pattern, group.rate(stage)] for group in self.groups]
            if self.importance.observes:
                found["importance"] = self.importance
        elif self._moves_anchors() or not isinstance(self.importance, Ones):
            found["importance"] = self.importance
        if found:
            anchors = [[group.pattern, self._anchor_kind(group)] for group in self.groups]
            state = {"anchor": self.anchor, "anchors": anchors, "distance": self.distance}
            found |= {"class": self.fields()["class"], **state, "file": self.file}
        return found or None

    def learning_rate_factors(self, layout: Layout, stage: int) -> Tensor | None:
        """Return what the groups declare."""
        return rate_factors(layout, self.groups, stage)

    def acts(self, place: str) -> bool:
        """Tell whether these fields make the strategy act at a place."""
        if place == "observe_step":
            return self.importance.observes or self.coupling == "decoupled"
        return Strategy.acts(self, place)

    # The places ---------------------------------------------------------------------------------

    def start(self, context: Context) -> State:
        """Return the anchor where it is fixed, and what the importance keeps."""
        state = self.importance.start(context)
        kinds = self._anchor_kinds(context.layout)
        if any(kind in FIXED_ANCHORS for kind in kinds.values()):
            initial = context.initial_theta() if "init" in kinds.values() else context.theta
            state["anchor"] = fixed_anchor(context.layout, kinds, initial, context.theta, self.file)
        return state

    def penalty(self, context: Context, state: State, theta: Tensor) -> Tensor:
        """Return the penalty `[lane]`, differentiable in θ."""
        if not self._holds_any(context.stage):
            return (theta * 0.0).sum(1)
        anchor, weight, constant = self._pull(context, state)
        blocks = list(context.layout.slices().values())
        value = penalty_value(self.distance, theta, anchor, weight, blocks)
        return value if constant is None else value + constant

    def penalty_gradient(self, context: Context, state: State, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the penalty `[lane]` and what it adds to the gradient `[lane, padded]`.

        Before the penalty acts both are 0. Where it is decoupled the gradient is 0, whatever the value. At
        steps that are not recorded the value is not computed, and NaN stands for it.
        """
        if not self._holds_any(context.stage):
            if "_nothing" not in state:
                state["_nothing"] = torch.zeros_like(theta)
            return state["_nothing"][:, 0], state["_nothing"]
        anchor, weight, constant = self._pull(context, state)
        if "_gradient" not in state:
            state["_gradient"] = torch.empty_like(anchor)
            state["_unknown"] = torch.full_like(theta[:, 0], float("nan"))
        blocks = list(context.layout.slices().values()) if self.distance == "norm" else ()
        buffer, recorded = state["_gradient"], context.recorded
        value, gradient = closed_form(self.distance, theta, anchor, weight, blocks, buffer, recorded)
        if value is None:
            value = state["_unknown"]
        elif constant is not None:
            value = value + constant
        return value, gradient.zero_() if self.coupling == "decoupled" else gradient

    def observe_step(self, context: Context, state: State) -> None:
        """Shrink θ towards the anchor where decoupled, then let the importance look at the step."""
        if self.coupling == "decoupled" and self._holds_any(context.stage):
            anchor, weight, _ = self._pull(context, state)
            if "_rate" not in state:
                factors = context.rate_factors()
                rate = context.lr[:, None]
                state["_rate"] = rate if factors is None else rate * factors
            blocks = list(context.layout.slices().values())
            rate = state["_rate"]
            shrink(self.distance, context.theta, context.theta_before, anchor, weight, rate, blocks)
        if self.importance.observes:
            self.importance.observe(context, state)

    def consolidate(self, context: Context, state: State) -> State:
        """Return the state with the ended task's Ω added, and the anchors that move moved to θ."""
        fresh = self.importance.estimate(context, state)
        theta = context.theta.clone()
        state = {name: value for name, value in state.items() if not name.startswith("_")}
        if self.anchor == "each":
            fresh = torch.ones_like(theta) if fresh is None else fresh
            return {**state, **add_term(state, self.distance, fresh, theta, self._decay())}
        if fresh is not None:
            state["importance"] = self.importance.add(state.get("importance"), fresh)
        if "anchor" not in state:
            return {**state, "anchor": theta}
        kinds = self._anchor_kinds(context.layout)
        return {**state, "anchor": moved_anchor(context.layout, kinds, state["anchor"], theta)}

    def anchor_distance(self, context: Context, state: State) -> Tensor | None:
        """Return ‖θ − θ*‖₂ over the parameters that are held; None before the penalty acts."""
        if not self._holds_any(context.stage):
            return None
        if "_held" not in state:
            state["_held"] = self._coefficients(context) != 0
        return ((context.theta - state["anchor"]) * state["_held"]).square().sum(1).sqrt()

    # What they share ----------------------------------------------------------------------------

    def _anchor_kind(self, group: Group | None) -> str:
        return self.anchor if group is None or group.anchor is None else group.anchor

    def _anchor_kinds(self, layout: Layout) -> dict[str, str]:
        return {
            parameter.name: self._anchor_kind(group_of(parameter, self.groups))
            for parameter in layout.parameters
        }

    def _first_stage(self, group: Group | None) -> int:
        ready = self._anchor_kind(group) in FIXED_ANCHORS and isinstance(self.importance, Ones)
        return max(0 if ready else 1, self.from_stage or 0)

    def _holds_any(self, stage: int) -> bool:
        held = [None, *(group for group in self.groups if group.penalised)]
        return any(self._first_stage(group) <= stage for group in held)

    def _moves_anchors(self) -> bool:
        held = [None, *(group for group in self.groups if group.penalised)]
        return any(self._anchor_kind(group) not in FIXED_ANCHORS for group in held)

    def _coefficients(self, context: Context) -> Tensor:
        def acts_now(group: Group | None) -> bool:
            return self._first_stage(group) <= context.stage

        found = coefficients(context.layout, self.groups, self.scale, self.biases, acts_now)
        return found.to(context.theta)

    def _decay(self) -> Tensor:
        factor = torch.as_tensor(self.importance.decay())
        return factor[:, None] if factor.dim() else factor

    def _pull(self, context: Context, state: State) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return anchor, weight and the penalty's constant part; computed once in a phase."""
        if "_weight" not in state:
            importance = state.get("importances" if "anchors" in state else "importance")
            found = self._coefficients(context)
            held = found[..., : context.layout.size]
            if importance is None and bool((held == held[..., :1]).all()):
                found = held[..., :1]  # one number a lane instead of one an element
            lam = self.lam if isinstance(self.lam, Tensor) else torch.full_like(found[..., :1], self.lam)
            strength = (lam.reshape(-1, 1) * (0.5 if self.half else 1.0)) * found
            state["_weight"] = pull_weight(self.distance, strength, importance)
            if "spread" in state:
                state["_constant"] = (strength * state["spread"]).sum(1)
        anchor = state["anchors"] if "anchors" in state else state["anchor"]
        return anchor, state["_weight"], state.get("_constant")
