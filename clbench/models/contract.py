"""The one door for models: what `Model.layout` and `Model.initialise` promise is looked at."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.errors import ConfigurationError, known
from clbench.models.base import Layout, Model
from clbench.streams.base import Stream

KINDS = ("weight", "bias", "embedding")


def layout_problems(model: Model, layout: Layout) -> list[str]:
    """Return a line for every promise of `Layout` that a model's layout breaks."""
    named = type(model).__name__
    if not isinstance(layout, Layout) or not layout.parameters:
        return [
            f"A model's layout must be a Layout of parameters; got {type(layout).__name__} from {named}. "
            "Return clbench.models.base.Layout((Parameter(name, shape), …))."
        ]
    found = []
    names = [parameter.name for parameter in layout.parameters]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        found.append(
            f"A layout's parameters must have names of their own; got {twice} twice from {named}. Rename one."
        )
    for parameter in layout.parameters:
        sides = parameter.shape
        whole = isinstance(sides, tuple) and all(isinstance(side, int) and side > 0 for side in sides)
        if not whole or parameter.kind not in KINDS:
            found.append(
                "A parameter must have a shape of whole numbers from 1 and a known kind; got "
                f"shape={sides} and kind={parameter.kind} of {parameter.name} from {named}. {known(KINDS)}"
            )
    return found


def draw_parameters(model: Model, stream: Stream, layout: Layout, generator: torch.Generator) -> Tensor:
    """Return one run's initial parameters as its flat vector `[padded]`.

    Args:
        model, stream: what is initialised, for what.
        layout: the model's, for this stream.
        generator: of the draw.

    Raises:
        ConfigurationError: names or shapes are not the layout's, or a value is not finite.
    """
    tensors = model.initialise(stream, generator)
    named = type(model).__name__
    wanted = {parameter.name: tuple(parameter.shape) for parameter in layout.parameters}
    got = {name: tuple(value.shape) for name, value in tensors.items()}
    if got != wanted:
        name = next(name for name in (*wanted, *got) if wanted.get(name) != got.get(name))
        raise ConfigurationError(
            "A model must initialise the parameters of its layout; got "
            f"{name} {_shape(got.get(name))} from initialise and {_shape(wanted.get(name))} in the layout of "
            f"{named}. Make the two agree."
        )
    flat = layout.pack(tensors)
    if not bool(torch.isfinite(flat).all()):
        name = next(name for name, value in tensors.items() if not bool(torch.isfinite(value).all()))
        raise ConfigurationError(
            f"Initial parameters must be finite; got NaN or infinity in {name} from {named}. "
            "Look at how it is drawn."
        )
    return flat


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else str(list(shape))
