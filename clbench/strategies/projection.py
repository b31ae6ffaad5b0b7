"""Projecting a gradient so that it does not point against those of past tasks, exactly and lane by lane."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from clbench.models.base import ALIGNMENT

PIVOTS = 200
"""Most pivots tried before what has been found is taken."""

RESOLUTION = 1e-5
"""References that differ by less of their length are taken for one: so much is left of a zero in float32."""

WIDENED = 2**15
"""Numbers of a lane that are widened to float64 at once: on the CPU they stay in the cache."""


def project_one(gradient: Tensor, reference: Tensor) -> Tensor:
    """Return g − (g·r / r·r) r where g·r < 0, and g itself, bit for bit, elsewhere.

    It is the closest vector to g whose product with r is not negative (Chaudhry et al. 2019, eq. 11). The
    products are taken in float64, and one below the rounding of ‖g‖ ‖r‖ is none.

    Args:
        gradient: g `[lane, padded]`.
        reference: r `[lane, padded]`.
    """
    gram = _gram(gradient, reference[:, None])
    against = _opposed(gram, gradient.dtype)
    share = gram[:, 1:, 0] / torch.where(against, gram[:, 1:, 1], 1.0)
    return torch.where(against, _combined(gradient, reference[:, None], -share), gradient)


def project_many(
    gradient: Tensor, references: Tensor, margin: Tensor | float = 0.0, ridge: Tensor | float = 0.0
) -> Tensor:
    """Return g + Σ_t v_t r_t where any g·r_t < 0, and g itself, bit for bit, elsewhere.

    v minimises ½ vᵀ (R Rᵀ + ridge · I) v + (R g)ᵀ v over v ≥ margin. With margin = ridge = 0 the result is
    the closest vector to g whose products with all r_t are not negative (Lopez-Paz & Ranzato 2017, eq. 11),
    and never longer than g. Products and sums are taken in float64.

    Args:
        gradient: g `[lane, padded]`.
        references: R, the gradients of past tasks, `[lane, terms, padded]`.
        margin: lower bound of v, or `[lane]`: above 0 it pulls towards past tasks that agree with g too.
        ridge: added to the diagonal, or `[lane]`; 0.001 in the authors' code (keeps equal references apart).
    """
    gram = _gram(gradient, references)
    against = _opposed(gram, gradient.dtype).any(1, keepdim=True)
    products, gram = gram[:, 1:, 0], gram[:, 1:, 1:]
    margin = torch.as_tensor(margin, dtype=gram.dtype, device=gram.device).reshape(-1, 1)
    ridge = torch.as_tensor(ridge, dtype=gram.dtype, device=gram.device).reshape(-1, 1, 1)
    gram = gram + ridge * torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    # v = margin + u with u ≥ 0: the linear term gains margin · (R Rᵀ + ridge I) 1.
    weights = solve_nonnegative(gram, products + margin * gram.sum(2)) + margin
    return torch.where(against, _combined(gradient, references, weights), gradient)


def _parts(gradient: Tensor, references: Tensor) -> Iterator[Tensor]:
    """Yield g and R as rows, some columns at a time, float64 `[lane, 1 + terms, columns]`.

    Every lane's rows begin at the same offset of a cache line, and a lane alone is doubled: otherwise torch's
    products might round by place and company.
    """
    fitting = max(WIDENED // (1 + references.shape[1]) // ALIGNMENT, 1) * ALIGNMENT
    columns = gradient.shape[1] if gradient.is_cuda else fitting
    for own, rows in zip(gradient.split(columns, 1), references.split(columns, 2), strict=True):
        part = torch.cat([own[:, None], rows], 1).double()
        yield part if len(part) > 1 else part.repeat(2, 1, 1)


def _gram(gradient: Tensor, references: Tensor) -> Tensor:
    """Return the products of g and all r with each other, g first, float64 `[lane, 1 + terms, 1 + terms]`."""
    first, *others = (torch.bmm(part, part.transpose(1, 2)) for part in _parts(gradient, references))
    return sum(others, start=first)[: len(gradient)]


def _combined(gradient: Tensor, references: Tensor, weights: Tensor) -> Tensor:
    """Return g + Σ_t v_t r_t, as precise as g is."""
    weights = torch.cat([torch.ones_like(weights[:, :1]), weights], 1)[:, None]
    weights = weights if len(weights) > 1 else weights.repeat(2, 1, 1)
    parts = [torch.bmm(weights, part).squeeze(1) for part in _parts(gradient, references)]
    return torch.cat([part.to(gradient.dtype) for part in parts], 1)[: len(gradient)]


def _opposed(gram: Tensor, given: torch.dtype) -> Tensor:
    """Tell which products g·r are negative beyond the rounding of the numbers as they were `given`."""
    lengths = gram.diagonal(dim1=1, dim2=2).sqrt()
    return gram[:, 1:, 0] < -torch.finfo(given).eps * lengths[:, :1] * lengths[:, 1:]


def solve_nonnegative(gram: Tensor, linear: Tensor) -> Tensor:
    """Return the u ≥ 0 that minimises ½ uᵀ P u + qᵀ u for every lane, `[lane, terms]`.

    Block principal pivoting with Murty's rule as a backup: on a set of free terms P u = −q is solved
    exactly; terms with u < 0 leave the set, terms with P u + q < 0 enter it, until none does. A lane's pivots
    depend on that lane alone; a finished lane has no wrong term and stays as it is.

    The terms are scaled to P's diagonal 1, to which RESOLUTION² is added: so references that depend on each
    other don't leave P singular, however short some of them are.

    Args:
        gram: P, symmetric and positive semidefinite up to rounding, float64 `[lane, terms, terms]`.
        linear: q, float64 `[lane, terms]`.

    Source: Júdice & Pires 1994; Kim & Park 2011.
    """
    lanes, terms = linear.shape
    size = gram.diagonal(dim1=1, dim2=2).sqrt()
    size = torch.where(size > 0, size, 1.0)
    eye = torch.eye(terms, dtype=gram.dtype, device=gram.device)
    gram = gram / (size[:, :, None] * size[:, None, :]) + RESOLUTION**2 * eye
    linear = linear / size
    free = torch.zeros(lanes, terms, dtype=torch.bool, device=gram.device)
    best = torch.full((lanes,), terms + 1, device=gram.device)
    chances = torch.full((lanes,), 3, device=gram.device)
    place = torch.arange(terms, device=gram.device)
    for _ in range(PIVOTS):
        both = free[:, :, None] & free[:, None, :]
        system = torch.where(both, gram, eye)
        solution = torch.linalg.solve(system, torch.where(free, -linear, 0.0))
        slope = torch.einsum("lij,lj->li", gram, solution) + linear
        # What rounding may leave of a slope of 0: of q's size, and of the sums that cancel.
        rounding = 1e-12 * linear.abs().amax(1, keepdim=True) + 1e-14 * solution.abs().sum(1, keepdim=True)
        wrong = torch.where(free, solution < 0, slope < -rounding)
        count = wrong.sum(1)
        if not bool(count.any()):
            break
        better = count < best
        best = torch.where(better, count, best)
        chances = torch.where(better, 3, chances - 1)
        # Without progress only the last wrong term changes sides, which can't cycle (Murty 1974).
        last = torch.where(wrong, place, -1).amax(1, keepdim=True)
        changed = torch.where(chances[:, None] >= 0, wrong, place == last)
        free = free ^ changed
    solution = solution.clamp(min=0)
    return torch.where(count[:, None] > 0, _best_multiple(solution, gram, linear), solution) / size


def _best_multiple(solution: Tensor, gram: Tensor, linear: Tensor) -> Tensor:
    """Return t · u with the t ≥ 0 that minimises ½ t² uᵀ P u + t qᵀ u: never worse than 0."""
    curve = torch.einsum("li,lij,lj->l", solution, gram, solution)
    slope = (linear * solution).sum(1)
    factor = (-slope / torch.where(curve > 0, curve, 1.0)).clamp(min=0)
    return factor[:, None] * solution
