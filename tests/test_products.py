"""Products of lanes: what they are taken by, their numbers and their bits."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from clbench.models import onednn, products
from clbench.models.onednn import faster_linear, onednn_linear
from clbench.models.products import Products

AMD = {"avx512_f": True, "cpu_name": "AMD EPYC"}


@pytest.fixture
def by_onednn(monkeypatch):
    """Take large products by oneDNN, whatever the machine."""
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(products, "faster_linear", lambda: onednn_linear)


def operands(kind, lanes=3, batch=40, out=280, inputs=272):
    """Return bias, left and right as a layer has them, of gapped and transposed tensors."""
    random = torch.Generator().manual_seed(1)
    x = torch.randn(lanes, batch, inputs, generator=random)
    errors = torch.randn(lanes, batch, out, generator=random)
    weight = torch.randn(lanes, out * inputs + 48, generator=random)[:, 16:-32].view(lanes, out, inputs)
    bias = torch.randn(lanes, 1, out, generator=random)
    return {
        "forward": (bias, x, weight.transpose(1, 2)),
        "forward without bias": (None, x, weight.transpose(1, 2)),
        "gradient": (None, errors.transpose(1, 2), x),
        "backward": (None, errors, weight),
    }[kind]


def multiply(bias, left, right):
    out = torch.full((len(left), left.shape[1], right.shape[2] + 16), float("nan"))[:, :, :-16]
    Products()(bias, left, right, out)
    return out


@pytest.mark.parametrize("kind", ["forward", "forward without bias", "gradient", "backward"])
def test_products_are_those_in_float64_and_the_same_alone(by_onednn, kind):
    bias, left, right = operands(kind)
    found = multiply(bias, left, right)
    expected = left.double() @ right.double() + (0 if bias is None else bias.double())
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)
    for lane in (0, 2):
        part = slice(lane, lane + 1)
        alone = multiply(
            None if bias is None else bias[part].clone(), left[part].clone(), right[part].clone()
        )
        assert torch.equal(alone[0], found[lane])


def test_small_products_and_other_precisions_are_not_taken_by_it(monkeypatch):
    def refuse():
        raise AssertionError("asked for")

    monkeypatch.setattr(products, "faster_linear", refuse)
    _, left, right = operands("forward", out=16)
    torch.testing.assert_close(multiply(None, left, right), torch.bmm(left, right))
    _, left, right = operands("forward")
    out = torch.empty(3, 40, 280, dtype=torch.float64)
    Products()(None, left.double(), right.double(), out)
    torch.testing.assert_close(out, left.double() @ right.double())


@pytest.mark.parametrize(
    ("capabilities", "chosen"),
    [
        (AMD, True),
        ({**AMD, "avx512_f": False}, False),
        ({**AMD, "cpu_name": "Intel(R) Xeon(R) Platinum 8480C"}, False),
        ({}, False),
    ],
)
def test_it_is_chosen_by_the_machine(capabilities, chosen, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(onednn.torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(onednn.torch.backends.mkldnn, "is_available", lambda: True)
    assert faster_linear.__wrapped__() is (onednn_linear if chosen else None)


def products_of(lanes, doubled, cores=2, out=300, inputs=300, batch=40):
    """Return what a chunk takes as x Wᵀ, torch's own, and what any chunk of one thread takes."""
    random = torch.Generator().manual_seed(1)
    left = torch.randn(lanes, batch, inputs, generator=random)
    weight = torch.randn(lanes, out, inputs, generator=random)
    product = Products()
    product.cores, product.doubled = cores, doubled
    found, usual = torch.zeros(2, lanes, batch, out)
    product(None, left, weight.transpose(1, 2), found)
    Products()(None, left, weight.transpose(1, 2), usual)
    return found, torch.bmm(left, weight.transpose(1, 2)), usual


@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("doubled", [True, False])
def test_a_product_is_spared_only_where_the_bits_were_proved(answer, doubled, monkeypatch):
    monkeypatch.setattr(products, "_PROVED", {})
    monkeypatch.setattr(products, "_agrees", lambda *_: answer)
    with one_thread():
        found, expected, _ = products_of(2, doubled)
    assert torch.allclose(found[0], expected[0], atol=1e-4)
    assert bool((found[1] == 0).all()) == (doubled and answer)
    assert list(products._PROVED.values()) == [(1 if doubled else 2, 2) if answer else (2, 1)]


def test_a_way_that_rounds_otherwise_is_not_taken(monkeypatch):
    real = products._multiply_large

    def rounding(bias, left, right, out, lanes, threads):
        real(bias, left, right, out, lanes, threads)
        if threads > 1:  # as a kernel that shares a sum out between threads may
            out[0, 3, 5] = torch.nextafter(out[0, 3, 5], torch.tensor(9e9))

    monkeypatch.setattr(products, "_PROVED", {})
    monkeypatch.setattr(products, "_multiply_large", rounding)
    with one_thread():
        found, _, expected = products_of(3, doubled=False)
    assert torch.equal(found, expected) and list(products._PROVED.values()) == [(3, 1)]


def test_small_products_are_taken_as_ever(monkeypatch):
    monkeypatch.setattr(products, "_prove", None)
    with one_thread():
        found, expected, _ = products_of(2, doubled=True, out=16, inputs=16)
    assert torch.equal(found, expected)


@contextmanager
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
