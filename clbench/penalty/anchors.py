"""Where a penalty pulls to: anchors that exist before any training, and those that follow the tasks."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from clbench.errors import ConfigurationError, known
from clbench.models.base import Layout, Parameter

FIXED_ANCHORS = ("zero", "init", "identity", "file")
"""Anchors that exist before any training."""

ANCHORS = (*FIXED_ANCHORS, "previous", "each")


def fixed_anchor(
    layout: Layout, kinds: dict[str, str], initial: Tensor, current: Tensor, file: str | None
) -> Tensor:
    """Return θ* `[lane, padded]` as it is before any task has ended.

    Args:
        layout: names and places of the parameters.
        kinds: the anchor's kind by the parameter's name.
        initial: θ at step 0, `[lane, padded]`.
        current: θ now; stands in for `previous` and `each`, which do not exist yet.
        file: a safetensors file with a tensor per parameter whose kind is `file`.

    Raises:
        ConfigurationError: the file can't be read, lacks a tensor, or has one of another shape or not finite.
    """
    stored = _stored(file) if "file" in kinds.values() else {}
    anchor = current.clone()
    for parameter in layout.parameters:
        place, kind = layout.slices()[parameter.name], kinds[parameter.name]
        if kind == "zero":
            anchor[:, place] = 0.0
        elif kind == "init":
            anchor[:, place] = initial[:, place]
        elif kind == "identity":
            anchor[:, place] = identity(parameter).to(anchor).reshape(-1)
        elif kind == "file":
            anchor[:, place] = _tensor_of(parameter, stored, file).to(anchor).reshape(-1)
    return anchor


def moved_anchor(layout: Layout, kinds: dict[str, str], anchor: Tensor, theta: Tensor) -> Tensor:
    """Return θ* `[lane, padded]` after a task has ended: θ where the anchor is not a fixed one."""
    moved = anchor.clone()
    for parameter in layout.parameters:
        if kinds[parameter.name] not in FIXED_ANCHORS:
            place = layout.slices()[parameter.name]
            moved[:, place] = theta[:, place]
    return moved


def anchor_file_problems(layout: Layout, kinds: dict[str, str], file: str | None) -> list[str]:
    """Return a line for everything for which `fixed_anchor` would refuse the file.

    A path that is no file is refused by the strategy's own rules, before there is a layout.
    """
    if "file" not in kinds.values() or file is None or not Path(file).is_file():
        return []
    try:
        stored = _stored(file)
    except ConfigurationError as error:
        return list(error.problems)
    found: list[str] = []
    for parameter in layout.parameters:
        try:
            if kinds[parameter.name] == "file":
                _tensor_of(parameter, stored, file)
        except ConfigurationError as error:
            found += error.problems
    return found


def identity(parameter: Parameter) -> Tensor:
    """Return `[I | 0]` for a matrix `[out, in]` (torch.eye of that shape) and 0 for a bias.

    This is the added dense layer that copies its first `out` inputs to its outputs.
    """
    if len(parameter.shape) == 2:
        return torch.eye(*parameter.shape)
    return torch.zeros(parameter.shape)


def _stored(file: str | None) -> dict[str, Tensor]:
    from safetensors import SafetensorError  # loaded only where a file is given
    from safetensors.torch import load_file

    try:
        return load_file(Path(str(file)))
    except (OSError, SafetensorError) as error:
        raise ConfigurationError(
            f"An anchor's file must hold tensors as safetensors writes them; got strategy.file={file} "
            f"({str(error).splitlines()[0]}). Save it by safetensors.torch.save_file."
        ) from error


def _tensor_of(parameter: Parameter, stored: dict[str, Tensor], file: str | None) -> Tensor:
    if parameter.name not in stored:
        raise ConfigurationError(
            f"The anchor's file must hold a tensor for {parameter.name}; got strategy.file={file} "
            f"without it. Add it or leave that parameter out by a group. {known(stored)}"
        )
    tensor = stored[parameter.name]
    if tuple(tensor.shape) != parameter.shape:
        raise ConfigurationError(
            f"The anchor of {parameter.name} must have the shape {list(parameter.shape)}; "
            f"got {list(tensor.shape)} in strategy.file={file}. Save it from the same model."
        )
    if not torch.isfinite(tensor).all():
        raise ConfigurationError(
            f"The anchor of {parameter.name} must be finite; got NaN or infinite values in "
            f"strategy.file={file}. Save it from a run that didn't diverge."
        )
    return tensor
