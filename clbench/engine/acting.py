"""What acts on the parameters of some lanes in a stage, ready for its steps."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.engine.lanes_context import LanesContext
from clbench.engine.penalties import Penalties


class Acting:
    """Rates, penalties, sums and distillations of a stage. Gives the context the buffers that they need.

    Args:
        context: the lanes, in the stage that they train.
    """

    def __init__(self, context: LanesContext) -> None:
        self.context, acts = context, context.acts
        self.factors = context.rate_factors()
        if self.factors is not None:
            places = context.layout.slices().items()
            context.network.freeze([name for name, place in places if not self.factors[place].any()])
        self.penalties = Penalties(context, self.factors) if acts.penalises else None
        if self.penalties is not None:
            context.total_gradient = torch.zeros_like(context.theta)
        shrinks = self.penalties is not None and self.penalties.decoupled
        self.sums = () if acts.sums is None else acts.sums(context, context.state)
        self.distillations = ()
        if acts.distillations is not None:
            self.distillations = acts.distillations(context, context.state)
        follows = any(each.kind == "path" for each in self.sums)
        if acts.after_step or follows or shrinks or self.factors is not None:
            context.before = torch.empty_like(context.theta)

    def columns(self) -> dict[str, Tensor]:
        """Return the columns of training.csv that θ before a step gives, apart from the penalties' own."""
        context, columns = self.context, {}
        if self.penalties is None:
            columns["penalty"] = torch.zeros(context.lanes, device=context.device)
            columns["penalty_grad_norm"] = columns["penalty"]
            distance = context.anchor_distance()
        else:
            distance = self.penalties.anchor_distance()
        return columns if distance is None else {**columns, "anchor_distance": distance}
