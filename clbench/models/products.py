"""Matrix products of lanes: by which library, and with how many cores and lanes a small program takes them.

The library is chosen by the shape of a lane and by the machine alone.

A lane's bits must not depend on its company, but a product may round in another way when it is taken of one
lane instead of two, or by two threads instead of one. A program of one run therefore trains a double of it,
and every program has one thread. For small matrices that costs nothing that shows; for large ones it is most
of the time. So where a program is alone on the machine, each large product is tried out once, with random
numbers in the same shapes and places: if the cheaper way gives the same bits it is used, otherwise it is not.
"""

from __future__ import annotations

import threading

import torch
from torch import Tensor

from clbench.models.onednn import faster_linear

LARGE = 2**21
"""Multiplications of a lane from which other ways are tried; fewer take less time than waking a thread, and
no longer by MKL than by oneDNN."""

DRAWS = 2
"""How often a way must give the same bits."""

Way = tuple[int, int]
"""Of how many lanes a product is taken, from the first on, and by how many threads."""


class Products:
    """Takes the products of a network's layers.

    Attributes:
        cores: cores that nobody else uses.
        doubled: whether the second lane is the first's double, so that its products may be left out.
    """

    def __init__(self) -> None:
        """Take all products of all lanes by one thread."""
        self.cores, self.doubled = 1, False

    def __call__(self, bias: Tensor | None, left: Tensor, right: Tensor, out: Tensor) -> None:
        """Write `left right`, plus `bias` where there is one, into `out`; all `[lane, …]`."""
        rows, inner = left.shape[1:]
        if rows * inner * right.shape[2] < LARGE or left.device.type != "cpu":
            _multiply_together(bias, left, right, out)
        elif self.cores > 1 or self.doubled:
            _multiply_large(bias, left, right, out, *self._way(bias, left, right, out))
        else:
            _multiply_large(bias, left, right, out, len(left), 1)

    def _way(self, bias: Tensor | None, left: Tensor, right: Tensor, out: Tensor) -> Way:
        lanes = 1 if self.doubled else len(left)
        places = tuple(
            (tensor.shape[1:], tensor.stride(), tensor.storage_offset() % 16) for tensor in (left, right, out)
        )
        key = (lanes, len(left), self.cores, bias is None, places)
        with _LOCK:
            if key not in _PROVED:
                _PROVED[key] = _prove(bias, left, right, out, lanes, self.cores)
            return _PROVED[key]


_PROVED: dict[object, Way] = {}
_LOCK = threading.Lock()


def _multiply_large(
    bias: Tensor | None, left: Tensor, right: Tensor, out: Tensor, lanes: int, threads: int
) -> None:
    """Write the product of the first lanes, by that many threads."""
    left, right, out = left[:lanes], right[:lanes], out[:lanes]
    bias = None if bias is None else bias[:lanes]
    if threads > 1:
        torch.set_num_threads(threads)
    linear = faster_linear() if left.dtype is torch.float32 else None
    if linear is None:
        _multiply_together(bias, left, right, out)
    else:
        weights = right.transpose(1, 2)
        for lane in range(lanes):
            out[lane] = linear(left[lane], weights[lane], None if bias is None else bias[lane, 0])
    if threads > 1:
        torch.set_num_threads(1)


def _multiply_together(bias: Tensor | None, left: Tensor, right: Tensor, out: Tensor) -> None:
    if bias is None:
        torch.bmm(left, right, out=out)
    else:
        torch.baddbmm(bias, left, right, out=out)


def _prove(bias: Tensor | None, left: Tensor, right: Tensor, out: Tensor, lanes: int, cores: int) -> Way:
    """Return the cheapest way that gives the bits of the product of all lanes by one thread."""
    usual = (len(left), 1)
    for way in ((lanes, cores), (lanes, 1), (len(left), cores)):
        if way == usual or all(_agrees(bias, left, right, out, way, draw) for draw in range(DRAWS)):
            return way
    return usual


def _agrees(bias: Tensor | None, left: Tensor, right: Tensor, out: Tensor, way: Way, draw: int) -> bool:
    """Tell whether random numbers in the places of these tensors give the usual bits."""
    random = torch.Generator().manual_seed(draw)
    left, right = (_like(tensor).normal_(generator=random) for tensor in (left, right))
    if bias is not None:
        bias = _like(bias).normal_(generator=random)
    expected, found = _like(out), _like(out)
    _multiply_large(bias, left, right, expected, len(left), 1)
    _multiply_large(bias, left, right, found, *way)
    return torch.equal(expected[: way[0]], found[: way[0]])


def _like(tensor: Tensor) -> Tensor:
    """Return zeros of the same shape and strides that begin at the same offset of a cache line."""
    offset = tensor.storage_offset() % 16
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)) + 1
    return tensor.new_zeros(offset + reach).as_strided(tensor.shape, tensor.stride(), offset)
