"""The MLP: against `torch.nn` with autograd, sample by sample, and bit for bit in any company."""

from __future__ import annotations

import itertools

import pytest
import scipy.stats
import torch
from torch import nn
from torch.func import functional_call

from clbench.models.mlp import MLP
from clbench.streams.base import Stream

ACTIVATION_MODULES = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "identity": nn.Identity,
}


def make_stream(features=(6,), outputs=3, tokens=None) -> Stream:
    return Stream(
        inputs=torch.zeros(4, *features),
        targets=torch.zeros(4, dtype=torch.int64),
        tasks=(),
        scenario="class",
        outputs=outputs,
        scores=("accuracy",),
        tokens=tokens,
    )


class Reference(nn.Module):
    """The same network in `torch.nn`, with the same parameter names."""

    def __init__(self, model: MLP, inputs: int, outputs: int) -> None:
        super().__init__()
        widths = (inputs, *model.hidden)
        pairs = itertools.pairwise(widths)
        self.layers = nn.ModuleList(nn.Linear(i, o, bias=model.bias) for i, o in pairs)
        self.head = nn.Linear(widths[-1], outputs, bias=model.bias)
        self.activation = ACTIVATION_MODULES[model.activation]()

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.layers:
            x = self.activation(layer(x))
        return self.head(x)


def make_lanes(model, stream, lanes, dtype=torch.float32, first=0):
    layout = model.layout(stream)
    flats = [
        layout.pack(model.initialise(stream, torch.Generator().manual_seed(first + lane)))
        for lane in range(lanes)
    ]
    theta = torch.stack(flats).to(dtype)
    gradient = torch.zeros_like(theta)
    return layout, theta, gradient, model.bind(stream, theta, gradient)


COMPANIES = ([4], [4, 31], [1, 0], [17, 3, 8], [0, 1, 2, 3, 32], range(8))
CASES = [
    (MLP(hidden=(8, 5), activation=name, bias=bias), (6,), 3)
    for name in ACTIVATION_MODULES
    for bias in (True, False)
] + [
    (MLP(hidden=(64, 64)), (1,), 1),
    (MLP(hidden=(7, 1, 4), activation="tanh"), (2, 3), 1),
    (MLP(hidden=(7,), bias=False), (1,), 1),
    (MLP(hidden=()), (200,), 1),
    (MLP(hidden=()), (1,), 4),
]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize(("model", "features", "outputs"), CASES)
def test_agrees_with_torch_modules_and_autograd(model, features, outputs, dtype, tolerance):
    stream = make_stream(features, outputs)
    layout, theta, gradient, network = make_lanes(model, stream, 3, dtype)
    draw = torch.Generator().manual_seed(0)
    for batch in (9, 4, 1, 33, 9):  # the room is reused, and changes with the batch size
        x = torch.randn(3, batch, *features, generator=draw, dtype=dtype)
        errors = torch.randn(3, batch, outputs, generator=draw, dtype=dtype)
        outputs_of_lanes = network.forward(x).clone()
        gradient.fill_(7.0)
        gradient[:, layout.size :] = 0.0
        network.backward(errors)
        predicted = network.predict(x)
        for lane in range(3):
            module = Reference(model, layout.parameters[0].shape[1], outputs).to(dtype)
            module.load_state_dict({name: view[lane] for name, view in layout.views(theta).items()})
            expected = module(x[lane])
            expected.backward(errors[lane])
            torch.testing.assert_close(outputs_of_lanes[lane], expected, rtol=tolerance, atol=tolerance)
            torch.testing.assert_close(predicted[lane], expected, rtol=tolerance, atol=tolerance)
            for name, parameter in module.named_parameters():
                got = layout.views(gradient)[name][lane]
                torch.testing.assert_close(got, parameter.grad, rtol=tolerance, atol=5 * tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize(("model", "features", "outputs"), CASES)
def test_squared_gradients_are_the_sum_over_samples(model, features, outputs, dtype, tolerance):
    stream = make_stream(features, outputs)
    layout, theta, _, network = make_lanes(model, stream, 2, dtype)
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(2, 5, *features, generator=draw, dtype=dtype)
    errors = torch.randn(2, 5, outputs, generator=draw, dtype=dtype)
    network.forward(x)
    squares = network.squared_gradients(errors)
    for lane in range(2):
        module = Reference(model, layout.parameters[0].shape[1], outputs).to(dtype)
        module.load_state_dict({name: view[lane] for name, view in layout.views(theta).items()})
        expected = {name: torch.zeros_like(p) for name, p in module.named_parameters()}
        for sample in range(5):
            module.zero_grad()
            module(x[lane, sample : sample + 1]).backward(errors[lane, sample : sample + 1])
            for name, parameter in module.named_parameters():
                expected[name] += parameter.grad**2
        for name, value in expected.items():
            torch.testing.assert_close(
                layout.views(squares)[name][lane], value, rtol=tolerance, atol=tolerance / 10
            )
    assert not squares[:, layout.size :].any()


@pytest.mark.parametrize("activation", list(ACTIVATION_MODULES))
@pytest.mark.parametrize(
    ("hidden", "features", "outputs", "batch"),
    [
        ((64, 64), 1, 1, 32),
        ((13, 5), 7, 3, 5),
        ((), 200, 1, 5),
        ((64,), 64, 10, 33),
        ((160, 130), 90, 5, 65),
        ((), 7, 5, 31),
        ((5, 1), 16, 42, 33),
        ((7, 64), 16, 10, 33),
        ((16,), 16, 3, 33),
    ],
)
def test_a_lane_has_the_same_bits_in_any_company(activation, hidden, features, outputs, batch):
    model, stream = MLP(hidden, activation), make_stream((features,), outputs)
    draw = torch.Generator().manual_seed(2)
    x = torch.randn(33, batch, features, generator=draw)
    errors = torch.randn(33, batch, outputs, generator=draw)
    _, all_theta, _, _ = make_lanes(model, stream, 33)

    def results(lanes):
        theta = all_theta[lanes].clone()
        gradient = torch.zeros_like(theta)
        network = model.bind(stream, theta, gradient)
        found = [network.forward(x[lanes]).clone()]
        network.backward(errors[lanes])
        found += [
            gradient.clone(),
            network.predict(x[lanes]).clone(),
            network.squared_gradients(errors[lanes]),
        ]
        return found

    whole = results(torch.arange(33))
    for company in COMPANIES:
        lanes = torch.tensor(list(company))
        for got, expected in zip(results(lanes), whole, strict=True):
            assert torch.equal(got, expected[lanes])


def test_many_samples_are_predicted_as_each_by_itself_and_a_larger_batch_leaves_no_trace():
    model, stream = MLP((16, 9), "tanh"), make_stream((5,), 3)
    _, _, _, network = make_lanes(model, stream, 2)
    x = torch.randn(2, 300, 5, generator=torch.Generator().manual_seed(4))
    whole = network.predict(x)
    for part in (slice(0, 1), slice(120, 140), slice(299, 300)):
        assert torch.equal(network.predict(x[:, part]), whole[:, part])
        assert torch.equal(network.forward(x[:, part]), whole[:, part])


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_predictions_are_the_same_for_shared_and_own_inputs_and_disturb_nothing(activation):
    model, stream = MLP((16, 16), activation), make_stream((1, 5), 3)
    _, _, gradient, network = make_lanes(model, stream, 4)
    draw = torch.Generator().manual_seed(3)
    x, shared = torch.randn(4, 7, 1, 5, generator=draw), torch.randn(1, 11, 1, 5, generator=draw)
    errors = torch.randn(4, 7, 3, generator=draw)
    network.forward(x)
    network.backward(errors)
    expected = gradient.clone()
    network.forward(x)
    once = network.predict(shared).clone()
    own = network.predict(shared.repeat(4, 1, 1, 1)).clone()
    longer = network.predict(shared.repeat(1, 3, 1, 1)).clone()
    again = network.predict(shared).clone()
    network.backward(errors)
    assert torch.equal(once, own)
    assert torch.equal(once, again)
    assert torch.equal(longer[:, :11], once)
    assert torch.equal(gradient, expected)


@pytest.mark.parametrize("bias", [True, False])
def test_initialisation_is_that_of_torch(bias):
    model, stream = MLP(hidden=(8, 5), bias=bias), make_stream((2, 3))
    torch.manual_seed(11)
    expected = Reference(model, 6, 3).state_dict()
    tensors = model.initialise(stream, torch.Generator().manual_seed(11))
    assert list(tensors) == [parameter.name for parameter in model.layout(stream).parameters]
    assert tensors.keys() == expected.keys()
    for name, value in tensors.items():
        assert torch.equal(value, expected[name])


@pytest.mark.parametrize(("init", "variance"), [("xavier", 2 / (300 + 200)), ("he", 2 / 300)])
def test_other_initialisations_have_their_variance(init, variance):
    model, stream = MLP(hidden=(200,), init=init), make_stream((300,))
    tensors = model.initialise(stream, torch.Generator().manual_seed(0))
    assert tensors["layers.0.weight"].var().item() == pytest.approx(variance, rel=0.03)
    assert not tensors["layers.0.bias"].any()


def test_truncated_initialisation_is_a_normal_cut_at_two_deviations():
    tensors = MLP(hidden=(200,), init="truncated").initialise(
        make_stream((300,)), torch.Generator().manual_seed(0)
    )
    weight = tensors["layers.0.weight"].double().flatten().numpy()
    assert scipy.stats.kstest(weight, scipy.stats.truncnorm(-2, 2, scale=0.1).cdf).pvalue > 0.01
    assert torch.equal(tensors["layers.0.bias"], torch.full((200,), 0.1))


def test_layout_names_and_shapes():
    layout = MLP(hidden=(8,)).layout(make_stream((2, 3)))
    assert [(p.name, p.shape, p.kind) for p in layout.parameters] == [
        ("layers.0.weight", (8, 6), "weight"),
        ("layers.0.bias", (8,), "bias"),
        ("head.weight", (3, 8), "weight"),
        ("head.bias", (3,), "bias"),
    ]
    assert [p.name for p in MLP(hidden=(), bias=False).layout(make_stream()).parameters] == ["head.weight"]


def test_padding_stays_zero_in_the_gradient():
    model, stream = MLP(hidden=(3,)), make_stream((5,), 2)
    layout, _, gradient, network = make_lanes(model, stream, 3)
    assert layout.padded > layout.size
    network.forward(torch.randn(3, 4, 5))
    network.backward(torch.randn(3, 4, 2))
    assert gradient[:, : layout.size].any()
    assert not gradient[:, layout.size :].any()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (MLP(hidden=(64, 0)), "model.hidden=[64,0]"),
        (MLP(hidden=(2.5,)), "model.hidden=[2.5]"),
        (MLP(hidden=64), "model.hidden=64"),
        (MLP(activation="swish"), "model.activation=swish"),
        (MLP(init="ones"), "model.init=ones"),
        (MLP(init="zeros"), "model.init=zeros"),
        (MLP(outputs=2), "model.outputs=2"),
    ],
)
def test_a_broken_field_is_one_line(model, said):
    (line,) = model.problems(make_stream())
    assert said in line
    assert "\n" not in line


def test_problems_are_told_together_and_a_good_model_has_none():
    assert MLP().problems(make_stream()) == []
    assert MLP(hidden=(), init="zeros", outputs=3).problems(make_stream()) == []
    assert len(MLP(hidden=(0,), activation="swish", outputs=0).problems(make_stream())) == 3
    assert "model=sequence" in MLP().problems(make_stream(tokens=9))[0]


def test_a_functional_call_of_the_reference_needs_no_other_parameters():
    model, stream = MLP(hidden=(4,), activation="tanh"), make_stream()
    tensors = model.initialise(stream, torch.Generator().manual_seed(0))
    x = torch.randn(5, 6)
    outputs = functional_call(Reference(model, 6, 3), tensors, (x,), strict=True)
    _, _, _, network = make_lanes(model, stream, 2)
    torch.testing.assert_close(network.predict(x.unsqueeze(0))[0], outputs)
