"""Holding parameters near an anchor: every penalty of the family, as one configurable strategy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.fields import choice, count, number
from clbench.importance import Importance, Ones
from clbench.models.base import Layout
from clbench.penalty import (
    ANCHORS,
    DISTANCES,
    FIXED_ANCHORS,
    SCALES,
    Group,
    Pull,
    add_term,
    anchor_file_problems,
    coefficients,
    fixed_anchor,
    group_of,
    moved_anchor,
    pull_weight,
    rate_factors,
    unmatched_groups,
)
from clbench.strategies.acts import Acts
from clbench.strategies.base import Strategy
from clbench.streams.base import Stream

STATE = ("importance", "anchor", "distance", "file", "groups.pattern", "groups.anchor")
"""What shapes the state that is kept, which λ does not."""

RATES = ("groups.learning_rate", "groups.frozen")


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

    lam: float = number(1.0, low=0)
    anchor: str = choice("previous", ANCHORS)
    importance: Importance = field(default_factory=Ones)
    distance: str = choice("l2", DISTANCES)
    half: bool = False
    scale: str = choice("sum", SCALES)
    biases: bool = True
    groups: tuple[Group, ...] = ()
    coupling: str = choice("loss", ("loss", "decoupled"))
    from_stage: int | None = count(None, low=0, none="as soon as anchor and Ω exist")
    file: str | None = None

    def __post_init__(self) -> None:
        """Take the groups as a list too, as a configuration file has them."""
        object.__setattr__(self, "groups", tuple(self.groups))

    def cross_problems(self, key: str) -> Iterator[str]:
        if not isinstance(self.importance, Importance):
            yield (
                f"{key}.importance must be an importance estimator; got {key}.importance={self.importance}. "
                "Give it a _target_, for example clbench.importance.Ones."
            )
            return
        name, decoupled = type(self.importance).__name__, self.coupling == "decoupled"
        if self.anchor == "each" and not self.importance.accumulates:
            yield (
                f"An importance that runs through the tasks has no term per task; got {key}.anchor=each with "
                f"{key}.importance={name}. Use {key}.anchor=previous."
            )
        if self.anchor == "each" and decoupled and self.distance != "l2":
            yield (
                f"The proximal step pulls to one anchor; got {key}.coupling=decoupled with {key}.anchor=each "
                f"and {key}.distance={self.distance}. Use {key}.anchor=previous or {key}.coupling=loss."
            )
        if self.distance == "norm" and decoupled and not isinstance(self.importance, Ones):
            yield (
                f"The proximal step of a norm needs one weight per tensor; got {key}.coupling=decoupled with "
                f"{key}.importance={name}. Use {key}.coupling=loss."
            )
        for index, group in enumerate(self.groups):
            if group.anchor not in (None, self.anchor) and "each" in (group.anchor, self.anchor):
                yield (
                    f"Terms per past task hold all groups or none; got {key}.anchor={self.anchor} with "
                    f"{key}.groups.{index}.anchor={group.anchor}. Use previous in one of the two."
                )
        if self.file is None and "file" in (self.anchor, *(group.anchor for group in self.groups)):
            yield f"An anchor from a file needs the file; got {key}.file=null. Name a safetensors file."
        if self.file is not None and not Path(self.file).is_file():
            yield f"{key}.file must be a file that can be read; got {key}.file={self.file}. Check the path."

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        """Return a line for every group without a parameter, for a wrong anchor's file and importance."""
        found = [*unmatched_groups(self.groups, layout), *self.importance.fit_problems(stream)]
        return found + anchor_file_problems(layout, self._anchor_kinds(layout), self.file)

    def at(self, stage: int) -> Acts:
        """Return where these fields act. Before the penalty does, λ shapes nothing.

        A stage that the importance only observes, or in which groups have other learning rates, and the
        consolidation that follows, are shared by all λ.
        """
        holds = self._holds_any(stage)
        rated = any(group.rate(stage) != 1.0 for group in self.groups)
        moves = self._moves_anchors() or not isinstance(self.importance, Ones)
        return Acts(
            pulls=self.pulls if holds else None,
            sums=self.importance.sums,
            after_step=self.importance.observe,
            interval=self.importance.observed_every,
            consolidate=self.consolidate if moves else None,
            rates=partial(rate_factors, groups=self.groups, stage=stage) if rated else None,
            shaped_by=None if holds else (*STATE, *RATES) if rated else STATE,
            kept_by=STATE,
        )

    def start(self, context: Context) -> State:
        """Return the anchor where it is fixed, and what the importance keeps."""
        state = self.importance.start(context)
        kinds = self._anchor_kinds(context.layout)
        if any(kind in FIXED_ANCHORS for kind in kinds.values()):
            initial = context.initial_theta() if "init" in kinds.values() else context.theta
            state["anchor"] = fixed_anchor(context.layout, kinds, initial, context.theta, self.file)
        return state

    def pulls(self, context: Context, state: State) -> tuple[Pull, ...]:
        """Return the penalty as it holds in this stage."""
        importance = state.get("importances" if "anchors" in state else "importance")
        found = self._coefficients(context)
        within = found[..., : context.layout.size]
        held = found != 0
        if importance is None and bool((within == within[..., :1]).all()):
            found = found[..., :1]  # one number a lane instead of one an element
        lam = self.lam if isinstance(self.lam, Tensor) else torch.full_like(found[..., :1], self.lam)
        strength = (lam.reshape(-1, 1) * (0.5 if self.half else 1.0)) * found
        return (
            Pull(
                anchor=state["anchors"] if "anchors" in state else state["anchor"],
                weight=pull_weight(self.distance, strength, importance),
                distance=self.distance,
                constant=(strength * state["spread"]).sum(1) if "spread" in state else None,
                decoupled=self.coupling == "decoupled",
                held=held,
            ),
        )

    def consolidate(self, context: Context, state: State) -> State:
        """Return the state with the ended task's Ω added, and the anchors that move moved to θ."""
        state = dict(state)
        fresh = self.importance.estimate(context, state)
        theta = context.theta.clone()
        if self.anchor == "each":
            fresh = torch.ones_like(theta) if fresh is None else fresh
            return {**state, **add_term(state, self.distance, fresh, theta, self._decay())}
        if fresh is not None:
            state["importance"] = self.importance.add(state.get("importance"), fresh)
        if "anchor" not in state:
            return {**state, "anchor": theta}
        kinds = self._anchor_kinds(context.layout)
        return {**state, "anchor": moved_anchor(context.layout, kinds, state["anchor"], theta)}

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

    def _penalised(self) -> list[Group | None]:
        return [None, *(group for group in self.groups if group.penalised)]

    def _holds_any(self, stage: int) -> bool:
        return any(self._first_stage(group) <= stage for group in self._penalised())

    def _moves_anchors(self) -> bool:
        return any(self._anchor_kind(group) not in FIXED_ANCHORS for group in self._penalised())

    def _coefficients(self, context: Context) -> Tensor:
        def acts_now(group: Group | None) -> bool:
            return self._first_stage(group) <= context.stage

        found = coefficients(context.layout, self.groups, self.scale, self.biases, acts_now)
        return found.to(context.theta)

    def _decay(self) -> Tensor:
        factor = torch.as_tensor(self.importance.decay())
        return factor[:, None] if factor.dim() else factor
