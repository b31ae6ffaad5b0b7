"""Any module as a model: against our own MLP, sample by sample, in any company, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from clbench.models.mlp import MLP
from clbench.models.module import Module
from clbench.streams.base import Stream


def make_stream(features=(6,), outputs=3, tokens=None) -> Stream:
    inputs = torch.zeros(4, *features, dtype=torch.float32 if tokens is None else torch.int64)
    return Stream(inputs, torch.zeros(4, dtype=torch.int64), (), "class", outputs, ("accuracy",), tokens)


class Net(nn.Module):
    """The MLP of 8 and 5 hidden units, under its names."""

    def __init__(self, features, outputs, width=8):
        super().__init__()
        self.layers = nn.ModuleList((nn.Linear(features[0], width), nn.Linear(width, 5)))
        self.head = nn.Linear(5, outputs)

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.head(x)


def convolution(outputs):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(64, outputs)
    )


class Recurrent(nn.Module):
    """A small classifier of tokens."""

    def __init__(self, tokens, outputs):
        super().__init__()
        self.embedding = nn.Embedding(tokens, 4)
        self.recurrent = nn.GRU(4, 5, batch_first=True)
        self.norm = nn.LayerNorm(5)
        self.head = nn.Linear(5, outputs, bias=False)

    def forward(self, tokens):
        return self.head(self.norm(self.recurrent(self.embedding(tokens))[0][:, -1]))


KINDS = {
    "seven": lambda: 7,
    "empty": nn.Tanh,
    "lazy": lambda: nn.LazyLinear(3),
    "narrow": lambda: nn.Linear(5, 3),
    "wide": lambda: nn.Linear(6, 4),
    "running": lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)),
    "dropout": lambda: nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3)),
    "harmless": lambda: nn.Sequential(
        nn.Linear(6, 8), nn.LayerNorm(8), nn.Dropout(0.0), nn.Softmax(dim=1), nn.Linear(8, 3)
    ),
}


def kind(name):
    return KINDS[name]()


def make_lanes(model, stream, lanes, dtype=torch.float32):
    layout = model.layout(stream)
    draws = [model.initialise(stream, torch.Generator().manual_seed(lane)) for lane in range(lanes)]
    theta = torch.stack([layout.pack(tensors) for tensors in draws]).to(dtype)
    gradient = torch.zeros_like(theta)
    return layout, theta, gradient, model.bind(stream, theta, gradient)


@pytest.mark.parametrize("exact", [True, False])
def test_agrees_with_our_mlp(exact):
    stream = make_stream()
    mlp = MLP(hidden=(8, 5), activation="tanh")
    _, theta, expected, own = make_lanes(mlp, stream, 3, torch.float64)
    layout, same, gradient, network = make_lanes(Module(Net, exact=exact), stream, 3, torch.float64)
    assert [p.name for p in layout.parameters] == [p.name for p in mlp.layout(stream).parameters]
    assert torch.equal(same, theta)  # both draw as torch does, from the same seeds
    draw = torch.Generator().manual_seed(0)
    for batch in (7, 4):
        x = torch.randn(3, batch, 6, generator=draw, dtype=torch.float64)
        errors = torch.randn(3, batch, 3, generator=draw, dtype=torch.float64)
        torch.testing.assert_close(network.forward(x), own.forward(x))
        gradient.fill_(3.0)
        for each in (own, network):
            each.backward(errors)
        torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(network.squared_gradients(errors), own.squared_gradients(errors))
        torch.testing.assert_close(network.predict(x[:1]), own.predict(x[:1]))
        theta.mul_(0.9)
        same.mul_(0.9)


@pytest.mark.parametrize(
    ("model", "stream"),
    [
        (Module(Net, {"width": 13}), make_stream()),
        (Module(convolution), make_stream((1, 6, 6))),
        (Module(Recurrent), make_stream((5,), tokens=9)),
        (Module(Net, {"width": 16}, exact=False), make_stream((16,), 16)),
    ],
)
def test_a_lane_has_the_same_bits_in_any_company(model, stream):
    draw = torch.Generator().manual_seed(1)
    shape = (9, 32, *stream.features)
    x = torch.randn(shape, generator=draw)
    if stream.tokens:
        x = torch.randint(0, stream.tokens, shape, generator=draw)
    errors = torch.randn(9, 32, stream.outputs, generator=draw)
    _, all_theta, _, _ = make_lanes(model, stream, 9)

    def results(lanes):
        theta = all_theta[lanes].clone()
        gradient = torch.zeros_like(theta)
        network = model.bind(stream, theta, gradient)
        found = [network.forward(x[lanes])]
        network.backward(errors[lanes])
        return [*found, gradient.clone(), network.predict(x[lanes]), network.predict(x[:1])]

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        whole = results(torch.arange(9))
        for company in ([4, 8], [2, 1, 0], range(8)):
            lanes = torch.tensor(list(company))
            for got, expected in zip(results(lanes), whole, strict=True):
                assert torch.equal(got, expected[lanes])
    finally:
        torch.set_num_threads(threads)


def test_initialisation_belongs_to_the_seed_alone():
    stream, model = make_stream(), Module(f"{__name__}.Net")
    torch.manual_seed(5)
    expected = Net((6,), 3).state_dict()
    state = torch.get_rng_state()
    tensors = model.initialise(stream, torch.Generator().manual_seed(5))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensors[name], value) for name, value in expected.items())


def test_kinds_and_frozen_parameters():
    def factory(tokens, outputs):
        module = Recurrent(tokens, outputs)
        module.embedding.weight.requires_grad_(False)
        return module

    stream = make_stream((5,), tokens=9)
    layout, _, gradient, network = make_lanes(Module(factory), stream, 2)
    kinds = {parameter.name: parameter.kind for parameter in layout.parameters}
    assert kinds["embedding.weight"] == "embedding"
    assert kinds["recurrent.weight_hh_l0"] == kinds["head.weight"] == "weight"
    assert kinds["recurrent.bias_ih_l0"] == kinds["norm.weight"] == kinds["norm.bias"] == "bias"
    assert not layout.parameters[0].trainable
    network.forward(torch.ones(2, 3, 5, dtype=torch.int64))
    network.backward(torch.ones(2, 3, 3))
    assert not layout.views(gradient)["embedding.weight"].any()
    assert layout.views(gradient)["head.weight"].any()


class Noise(nn.Module):
    """A module with a buffer that is drawn."""

    def __init__(self):
        super().__init__()
        self.register_buffer("directions", torch.randn(6, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(x @ self.directions)


class Branching(nn.Linear):
    """A module whose way depends on its data, sample by sample."""

    def forward(self, x):
        return super().forward(torch.stack([row if row.sum() > 0 else -row for row in x]))


class OverBatch(nn.Module):
    """A linear layer, and after it something that mixes the samples of a batch."""

    def __init__(self, mix, blank=False):
        super().__init__()
        self.layer, self.head, self.mix = nn.Linear(6, 8), nn.Linear(8, 3), mix
        if blank:  # at the start all outputs are 0, whatever the batch
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, x):
        return self.head(self.mix(self.layer(x)))


MIXES = {
    "norm": nn.BatchNorm1d(8, track_running_stats=False),
    "softmax": nn.Softmax(dim=0),
    "mean": lambda x: x - x.mean(0),
    "largest": lambda x: x / x.norm(dim=1).max(),
    "neighbour": lambda x: x + 0.1 * x.roll(1, 0),
    "attention": lambda x: nn.functional.scaled_dot_product_attention(x[None], x[None], x[None])[0],
    "alone": lambda x: x.squeeze(),
}


def over_batch(name, blank=False):
    return OverBatch(MIXES[name], blank)


@pytest.mark.parametrize("blank", [False, True])
@pytest.mark.parametrize("name", MIXES)
def test_outputs_that_depend_on_the_batch_are_refused_in_one_line(name, blank):
    stream = make_stream()
    stream.inputs.normal_(generator=torch.Generator().manual_seed(2))
    (line,) = Module(over_batch, {"name": name, "blank": blank}).problems(stream)
    assert "must not depend on the rest of its batch; got model.factory=over_batch" in line
    assert "track_running_stats" not in line and "\n" not in line


def branching():
    return Branching(6, 3)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Module(), "no factory is given"),
        (Module("Net"), "a dotted path is needed"),
        (Module("nowhere.Net"), "No module named 'nowhere'"),
        (Module(Net, {"depth": 3}), "depth"),
        (Module(kind, {"name": "seven"}), "returned int"),
        (Module(kind, {"name": "empty"}), "must have parameters"),
        (Module(kind, {"name": "lazy"}), "weight, bias"),
        (Module(kind, {"name": "narrow"}), "RuntimeError"),
        (Module(kind, {"name": "wide"}), "returned [8, 4]"),
        (Module(kind, {"name": "running"}), "1.running_mean, 1.running_var, 1.num_batches_tracked"),
        (Module(kind, {"name": "dropout"}), "random numbers"),
        (Module(Noise), "directions"),
        (Module(branching, exact=False), "model.exact=true"),
        (Module(lambda: nn.Linear(6, 3)), "<lambda>"),
    ],
)
def test_what_belongs_to_no_lane_is_refused_in_one_line(model, said):
    stream = make_stream()
    stream.inputs.normal_(generator=torch.Generator().manual_seed(2))
    (line,) = model.problems(stream)
    assert said in line
    assert "\n" not in line and "track_running_stats" not in line


@pytest.mark.parametrize(
    ("model", "stream"),
    [
        (Module(Net), make_stream()),
        (Module(Net, exact=False), make_stream()),
        (Module(branching), make_stream()),
        (Module(kind, {"name": "harmless"}), make_stream()),
        (Module(convolution), make_stream((1, 6, 6))),
        (Module(Recurrent), make_stream((5,), tokens=9)),
    ],
)
def test_what_fits_is_taken(model, stream):
    state = torch.get_rng_state()
    assert model.problems(stream) == []
    assert torch.equal(torch.get_rng_state(), state)
