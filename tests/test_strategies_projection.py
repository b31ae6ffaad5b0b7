"""GEM's and A-GEM's projections against a quadratic program solved by scipy, and by hand."""

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, nnls

from clbench.strategies import projection
from clbench.strategies.projection import project_many, project_one, solve_nonnegative


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def closest(gradient, references):
    """scipy: the x closest to g with R x ≥ 0."""
    start = np.zeros_like(gradient)
    found = minimize(
        lambda x: 0.5 * ((x - gradient) ** 2).sum(),
        start,
        jac=lambda x: x - gradient,
        constraints={"type": "ineq", "fun": lambda x: references @ x, "jac": lambda x: references},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return found.x


@pytest.mark.parametrize("terms", [1, 2, 5])
def test_projection_is_scipys_quadratic_program(terms):
    gradient, references = random(12, 8), random(12, terms, 8, seed=1)
    found = project_many(gradient, references)
    changed = 0
    for lane in range(12):
        expected = closest(gradient[lane].numpy(), references[lane].numpy())
        np.testing.assert_allclose(found[lane].numpy(), expected, atol=1e-6)
        changed += not torch.equal(found[lane], gradient[lane])
        if not (references[lane] @ gradient[lane] < 0).any():
            assert torch.equal(found[lane], gradient[lane])
    assert changed > 0


def test_projection_in_float32_holds_its_constraints():
    gradient, references = random(20, 64).float(), random(20, 4, 64, seed=1).float()
    found = project_many(gradient, references)
    products = torch.einsum("ltp,lp->lt", references, found)
    assert products.min() > -1e-4


@pytest.mark.parametrize(("margin", "ridge"), [(0.0, 0.0), (0.5, 0.001)])
def test_dual_is_solved_as_nnls_solves_it(margin, ridge):
    for lanes, terms in ((30, 3), (30, 12)):
        gradient, references = random(lanes, 20), random(lanes, terms, 20, seed=2)
        found = project_many(gradient, references, margin, ridge)
        for lane in range(lanes):
            g, rows = gradient[lane].numpy(), references[lane].numpy()
            if not (rows @ g < 0).any():
                continue
            # ½ vᵀ(R Rᵀ + ridge)v + (R g)ᵀ v over v ≥ margin, as least squares over u = v − margin ≥ 0.
            gram = rows @ rows.T + ridge * np.eye(terms)
            root = np.linalg.cholesky(gram).T
            aim = np.linalg.solve(root.T, -(rows @ g + margin * gram.sum(1)))
            weights = nnls(root, aim)[0] + margin
            np.testing.assert_allclose(found[lane].numpy(), g + weights @ rows, atol=1e-8)


def test_equal_and_opposed_references_do_not_break_the_solver():
    row = random(1, 1, 6, seed=3)
    references = torch.cat([row, row, -row], 1)
    found = project_many(-row[:, 0], references)
    assert torch.isfinite(found).all()
    assert torch.einsum("ltp,lp->lt", references, found).abs().max() < 1e-6


def test_a_lane_is_solved_alone_as_in_company():
    gram = random(40, 9, 15)
    gram = gram @ gram.transpose(1, 2)
    linear = random(40, 9, seed=4)
    together = solve_nonnegative(gram, linear)
    for lane in (0, 17):
        assert torch.equal(
            solve_nonnegative(gram[lane : lane + 2], linear[lane : lane + 2])[0], together[lane]
        )
    assert torch.equal(solve_nonnegative(gram.flip(0), linear.flip(0)).flip(0), together)
    slope = torch.einsum("lij,lj->li", gram, together) + linear  # the optimality conditions
    assert together.min() >= 0
    assert slope.min() > -1e-8
    assert (slope * together).abs().max() < 1e-8


def test_one_reference_by_hand():
    gradient = torch.tensor([[1.0, -2.0], [1.0, 2.0], [1.0, 1.0]])
    reference = torch.tensor([[0.0, 2.0], [0.0, 2.0], [0.0, 0.0]])
    found = project_one(gradient, reference)
    assert found.tolist() == [[1.0, 0.0], [1.0, 2.0], [1.0, 1.0]]


def test_one_reference_is_the_projection_of_many():
    gradient, reference = random(10, 7), random(10, 7, seed=1)
    torch.testing.assert_close(project_one(gradient, reference), project_many(gradient, reference[:, None]))


def closest_by_trial(gradient, references):
    """Float64: project on every subset of the constraints, and take the closest that holds them all."""
    lengths = np.linalg.norm(references, axis=1) * np.linalg.norm(gradient)
    found = []
    for count in range(len(references) + 1):
        for chosen in combinations(range(len(references)), count):
            basis = np.linalg.qr(references[list(chosen)].T)[0]
            point = gradient - basis @ (basis.T @ gradient)
            if (references @ point >= -1e-11 * lengths).all():
                found.append(point)
    return min(found, key=lambda point: np.linalg.norm(point - gradient))


NEAR = [(size, sign) for size in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8) for sign in (1, -1)]


def nearly_dependent(size, sign, lanes=100, features=16):
    """Return float32 g and three references: r, ±r with a small part of its own, and another one."""
    own, other, third = random(3, lanes, features, seed=7)
    references = torch.stack([own, sign * (own + size * other), 0.01 * third], 1).float()
    return random(lanes, features, seed=8).float(), references


@pytest.mark.parametrize(("size", "sign"), NEAR)
def test_with_nearly_parallel_or_opposed_references_a_projection_is_not_longer(size, sign):
    gradient, references = nearly_dependent(size, sign)
    found = project_many(gradient, references).double()
    lengths = gradient.double().norm(dim=1)
    assert (found.norm(dim=1) <= lengths * (1 + 1e-6)).all()
    products = torch.einsum("ltp,lp->lt", references.double(), found)
    relative = products / (references.double().norm(dim=2) * lengths[:, None])
    assert relative.min() > -1e-5
    if size >= 1e-3 or sign == 1:  # what differs is far above rounding, or both say the same
        for one, rows, point in zip(gradient, references, found, strict=True):
            expected = closest_by_trial(one.double().numpy(), rows.double().numpy())
            assert np.linalg.norm(point.numpy() - expected) < 1e-3 * np.linalg.norm(one.numpy())


def test_the_rounding_of_opposed_references_is_no_signal():
    """±r to seven digits hold g to the plane that r is normal to, and to nothing that their digits say."""
    gradient, references = nearly_dependent(1e-7, -1)
    exact = torch.stack([references[:, 0], -references[:, 0], references[:, 2]], 1)
    found, expected = project_many(gradient, references), project_many(gradient, exact)
    assert (found - expected).norm(dim=1).max() < 1e-3


@pytest.mark.parametrize("scale", [1e-15, 1e-20, 1e-25, 1e15])
def test_projections_do_not_depend_on_the_length_of_a_reference(scale):
    """Squares of float32 underflow below 1e-19 and overflow above 1e19."""
    gradient, reference = random(50, 16).float(), random(50, 16, seed=1)
    small = (reference * scale).float()
    expected = project_one(gradient.double(), reference)
    for found in (project_one(gradient, small), project_many(gradient, small[:, None])):
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
        assert (found.norm(dim=1) <= gradient.norm(dim=1) * (1 + 1e-6)).all()


def test_a_product_below_rounding_is_none():
    """g ⟂ r up to float32's last digit: g stays to the last bit, also where a margin would pull."""
    gradient = torch.tensor([[1.0, -3e-8, 0.0], [1.0, -3e-8, 0.0]])
    reference = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1e-9, 0.0]])
    assert torch.equal(project_one(gradient, reference), gradient)
    assert torch.equal(project_many(gradient, reference[:, None], margin=0.5), gradient)
    assert not torch.equal(project_one(gradient * torch.tensor([1.0, 10.0, 1.0]), reference), gradient)


def test_a_search_that_is_cut_off_does_not_lengthen_the_gradient(monkeypatch):
    monkeypatch.setattr(projection, "PIVOTS", 2)
    gradient, references = random(60, 20), random(60, 12, 20, seed=2)
    found = project_many(gradient, references)
    assert (found.norm(dim=1) <= gradient.norm(dim=1) * (1 + 1e-12)).all()


@pytest.mark.parametrize("size", [4112, 12352, 300_016])  # in whole alignments, as lanes have it
@pytest.mark.parametrize("terms", [1, 2, 5])
def test_a_lane_alone_is_projected_as_in_company(terms, size):
    draw = torch.Generator().manual_seed(3)
    references = torch.randn(4, terms, size, generator=draw)
    gradient = 0.1 * torch.randn(4, size, generator=draw) - references.mean(1)
    company = project_many(gradient, references)
    for lane in range(4):
        alone = project_many(gradient[lane : lane + 1].clone(), references[lane : lane + 1].clone())
        assert torch.equal(alone[0], company[lane])
