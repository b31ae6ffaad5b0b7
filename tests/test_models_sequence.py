"""The sequence classifier: against `torch.nn`, sample by sample, and bit for bit in any company."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from clbench.models.sequence import SequenceClassifier
from clbench.streams.base import Stream

TOKENS, LENGTH, OUTPUTS = 11, 6, 3


def make_stream(tokens: int | None = TOKENS, outputs: int = OUTPUTS, words=None) -> Stream:
    return Stream(
        inputs=torch.zeros(4, LENGTH, dtype=torch.int64),
        targets=torch.zeros(4, dtype=torch.int64),
        tasks=(),
        scenario="class",
        outputs=outputs,
        scores=("accuracy",),
        tokens=tokens,
        vocabulary=words,
    )


class Reference(nn.Module):
    """The same classifier of `torch.nn` modules, on packed sequences."""

    def __init__(self, model: SequenceClassifier, tokens: int, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, model.embedding, padding_idx=0)
        self.lstm = nn.LSTM(model.embedding, model.hidden, batch_first=True)
        self.projection = nn.Linear(model.hidden, model.attention)
        self.score = nn.Linear(model.attention, 1, bias=False)
        self.head = nn.Linear(model.hidden, outputs)
        self.adapter = nn.Linear(outputs + model.hidden, outputs) if model.adapter else None

    def forward(self, tokens):
        lengths = (tokens != 0).sum(1)
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=tokens.shape[1])
        scores = self.score(torch.tanh(self.projection(states))).squeeze(2)
        weights = scores.masked_fill(tokens == 0, -torch.inf).softmax(1)
        features = torch.einsum("bt,bth->bh", weights, states)
        logits = self.head(features)
        return logits if self.adapter is None else self.adapter(torch.cat((logits, features), 1))

    def names(self):
        """Map our names to theirs."""
        pairs = {"attention.projection": "projection", "attention.score": "score"}
        found = {}
        for name in self.state_dict():
            ours = next((name.replace(value, key) for key, value in pairs.items() if value in name), name)
            found[ours.replace("_l0", "")] = name
        return found


def draw_tokens(lanes, batch, generator, length=LENGTH):
    tokens = torch.randint(1, TOKENS, (lanes, batch, length), generator=generator)
    lengths = torch.randint(1, length + 1, (lanes, batch, 1), generator=generator)
    return tokens.masked_fill(torch.arange(length) >= lengths, 0)


def make_lanes(model, stream, lanes, dtype=torch.float32, jitter=0.0):
    layout = model.layout(stream)
    flats = [
        layout.pack(model.initialise(stream, torch.Generator().manual_seed(lane))) for lane in range(lanes)
    ]
    theta = torch.stack(flats).to(dtype)
    theta[:, : layout.size] += jitter * torch.randn(
        lanes, layout.size, generator=torch.Generator().manual_seed(99), dtype=dtype
    )
    gradient = torch.zeros_like(theta)
    return layout, theta, gradient, model.bind(stream, theta, gradient)


def make_reference(model, layout, theta, lane):
    module = Reference(model, TOKENS, OUTPUTS).to(theta.dtype)
    names = module.names()
    module.load_state_dict({names[name]: view[lane] for name, view in layout.views(theta).items()})
    return module, names


MODELS = [
    SequenceClassifier(embedding=5, hidden=7, attention=4),
    SequenceClassifier(embedding=4, hidden=8, attention=16, adapter=True),
    SequenceClassifier(embedding=1, hidden=1, attention=1, adapter=True),
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_agrees_with_torch_modules_and_autograd(model, dtype, tolerance):
    stream = make_stream()
    layout, theta, gradient, network = make_lanes(model, stream, 3, dtype, jitter=0.3)
    layout.views(theta)["embedding.weight"][:, 0] = 0.0
    draw = torch.Generator().manual_seed(0)
    for batch in (4, 5, 4):
        tokens = draw_tokens(3, batch, draw)
        errors = torch.randn(3, batch, OUTPUTS, generator=draw, dtype=dtype)
        outputs = network.forward(tokens).clone()
        gradient[:, : layout.size] = 7.0
        network.backward(errors)
        predicted = network.predict(tokens)
        for lane in range(3):
            module, names = make_reference(model, layout, theta, lane)
            expected = module(tokens[lane])
            expected.backward(errors[lane])
            torch.testing.assert_close(outputs[lane], expected, rtol=tolerance, atol=tolerance)
            torch.testing.assert_close(predicted[lane], expected, rtol=tolerance, atol=tolerance)
            slopes = dict(module.named_parameters())
            for name, view in layout.views(gradient).items():
                torch.testing.assert_close(
                    view[lane], slopes[names[name]].grad, rtol=tolerance, atol=tolerance, msg=name
                )


@pytest.mark.parametrize("model", MODELS)
def test_squared_gradients_are_the_sum_over_samples(model):
    stream = make_stream()
    layout, theta, _, network = make_lanes(model, stream, 2, torch.float64, jitter=0.3)
    layout.views(theta)["embedding.weight"][:, 0] = 0.0
    draw = torch.Generator().manual_seed(1)
    tokens = draw_tokens(2, 4, draw)
    errors = torch.randn(2, 4, OUTPUTS, generator=draw, dtype=torch.float64)
    network.forward(tokens)
    squares = network.squared_gradients(errors)
    for lane in range(2):
        module, names = make_reference(model, layout, theta, lane)
        slopes = dict(module.named_parameters())
        expected = {name: torch.zeros_like(value) for name, value in slopes.items()}
        for sample in range(4):
            module.zero_grad()
            module(tokens[lane, sample : sample + 1]).backward(errors[lane, sample : sample + 1])
            for name, value in slopes.items():
                expected[name] += value.grad**2
        for name, view in layout.views(squares).items():
            torch.testing.assert_close(view[lane], expected[names[name]], rtol=1e-10, atol=1e-13, msg=name)
    assert not squares[:, layout.size :].any()


@pytest.mark.parametrize(
    ("model", "batch"),
    [
        (SequenceClassifier(embedding=8, hidden=16, attention=8, adapter=True), 4),
        (SequenceClassifier(embedding=5, hidden=7, attention=3, adapter=True), 5),
        (SequenceClassifier(embedding=20, hidden=50, attention=30), 33),
    ],
)
def test_a_lane_has_the_same_bits_in_any_company(model, batch):
    stream = make_stream()
    draw = torch.Generator().manual_seed(2)
    tokens = draw_tokens(17, batch, draw)
    errors = torch.randn(17, batch, OUTPUTS, generator=draw)
    _, all_theta, _, _ = make_lanes(model, stream, 17, jitter=0.1)
    threads = torch.get_num_threads()

    def results(lanes):
        theta = all_theta[lanes].clone()
        gradient = torch.zeros_like(theta)
        network = model.bind(stream, theta, gradient)
        found = [network.forward(tokens[lanes]).clone()]
        network.backward(errors[lanes])
        found += [gradient.clone(), network.predict(tokens[lanes]).clone()]
        return [*found, network.squared_gradients(errors[lanes])]

    try:
        torch.set_num_threads(1)
        whole = results(torch.arange(17))
        for company in ([3], [16], [3, 16], [2, 1, 0], [0, 1, 2, 3, 8], range(8)):
            lanes = torch.tensor(list(company))
            for got, expected in zip(results(lanes), whole, strict=True):
                assert torch.equal(got, expected[lanes])
    finally:
        torch.set_num_threads(threads)


def test_predictions_are_the_same_for_shared_and_own_inputs_and_disturb_nothing():
    model, stream = MODELS[0], make_stream()
    _, _, gradient, network = make_lanes(model, stream, 3)
    draw = torch.Generator().manual_seed(3)
    tokens, shared = draw_tokens(3, 5, draw), draw_tokens(1, 131, draw)
    errors = torch.randn(3, 5, OUTPUTS, generator=draw)
    network.forward(tokens)
    network.backward(errors)
    expected = gradient.clone()
    network.forward(tokens)
    once = network.predict(shared).clone()
    assert torch.equal(once, network.predict(shared.repeat(3, 1, 1)))
    network.backward(errors)
    assert torch.equal(gradient, expected)


def test_padding_has_no_influence():
    model, stream = MODELS[0], make_stream()
    layout, theta, gradient, network = make_lanes(model, stream, 2)
    draw = torch.Generator().manual_seed(4)
    tokens = draw_tokens(2, 5, draw)
    longer = torch.cat((tokens, torch.zeros(2, 5, 4, dtype=torch.int64)), 2)
    torch.testing.assert_close(network.predict(longer), network.predict(tokens), rtol=0, atol=1e-6)
    network.forward(tokens)
    network.backward(torch.ones(2, 5, OUTPUTS))
    assert not layout.views(gradient)["embedding.weight"][:, 0].any()
    assert network.predict(torch.zeros(2, 3, LENGTH, dtype=torch.int64)).isfinite().all()


def test_the_adapter_begins_as_identity_and_keeps_the_answers():
    plain, stream = SequenceClassifier(embedding=6, hidden=9, attention=5), make_stream()
    added = SequenceClassifier(embedding=6, hidden=9, attention=5, adapter=True)
    layout, theta, _, network = make_lanes(added, stream, 2)
    _, _, _, base = make_lanes(plain, stream, 2)
    tokens = draw_tokens(2, 5, torch.Generator().manual_seed(5))
    assert torch.equal(network.predict(tokens), base.predict(tokens))
    weight = layout.views(theta)["adapter.weight"][0]
    assert torch.equal(weight, torch.cat((torch.eye(OUTPUTS), torch.zeros(OUTPUTS, 9)), 1))


def test_the_adapter_of_the_question_has_its_shape():
    layout = SequenceClassifier(hidden=200, adapter=True).layout(make_stream(outputs=42))
    assert {p.name: p.shape for p in layout.parameters}["adapter.weight"] == (42, 242)


def test_stages_train_below_the_adapter_first_and_then_the_adapter_alone():
    model = SequenceClassifier(adapter=True)
    assert model.trainable(1) == model.trainable(5) == ("adapter.*",)
    assert "adapter.*" not in model.trainable(0)
    kept = {name.split(".")[0] for name in model.trainable(0)}
    assert kept == {p.name.split(".")[0] for p in model.layout(make_stream()).parameters} - {"adapter"}
    assert SequenceClassifier().trainable(3) is None


def test_freezing_spares_what_lies_below_and_keeps_the_adapters_gradient():
    model, stream = MODELS[1], make_stream()
    layout, _, gradient, network = make_lanes(model, stream, 2, jitter=0.1)
    tokens = draw_tokens(2, 4, torch.Generator().manual_seed(6))
    errors = torch.randn(2, 4, OUTPUTS)
    network.forward(tokens)
    network.backward(errors)
    whole = gradient.clone()
    below = [p.name for p in layout.parameters if not p.name.startswith("adapter")]
    network.freeze(below)
    network.forward(tokens)
    network.backward(errors)
    for name, view in layout.views(gradient).items():
        expected = torch.zeros_like(view) if name in below else layout.views(whole)[name]
        assert torch.equal(view, expected)
    network.freeze(())
    network.backward(errors)
    assert torch.equal(gradient, whole)


def test_initialisation_is_that_of_torch():
    model, stream = SequenceClassifier(embedding=5, hidden=7, attention=4), make_stream()
    torch.manual_seed(11)
    module = Reference(model, TOKENS, OUTPUTS)
    names, expected = module.names(), module.state_dict()
    tensors = model.initialise(stream, torch.Generator().manual_seed(11))
    assert list(tensors) == [parameter.name for parameter in model.layout(stream).parameters]
    for name, value in tensors.items():
        assert torch.equal(value, expected[names[name]]), name


@pytest.mark.parametrize(
    ("model", "stream", "said"),
    [
        (SequenceClassifier(hidden=0), make_stream(), "model.hidden=0"),
        (SequenceClassifier(embedding=-3), make_stream(), "model.embedding=-3"),
        (SequenceClassifier(attention=0), make_stream(), "model.attention=0"),
        (SequenceClassifier(outputs=5), make_stream(), "model.outputs=5"),
        (SequenceClassifier(), make_stream(tokens=None), "model=mlp"),
    ],
)
def test_a_broken_field_is_one_line(model, stream, said):
    (line,) = model.problems(stream)
    assert said in line
    assert SequenceClassifier().problems(make_stream()) == []


WORDS = ("<pad>", "<unknown>", *"abcdefghi")


def test_embeddings_start_from_a_file_of_vectors(tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_text("b 1.0 -2.0 0.5\nnowhere 9 9 9\nd 0 3 0.25\n")
    model = SequenceClassifier(embedding=3, hidden=4, attention=2, vectors=str(file))
    stream = make_stream(words=WORDS)
    assert model.problems(stream) == []
    tensors = model.initialise(stream, torch.Generator().manual_seed(1))
    without = SequenceClassifier(embedding=3, hidden=4, attention=2).initialise(
        stream, torch.Generator().manual_seed(1)
    )
    vectors = tensors["embedding.weight"]
    assert vectors[3].tolist() == [1.0, -2.0, 0.5]
    assert vectors[5].tolist() == [0.0, 3.0, 0.25]
    assert not vectors[0].any()
    spread = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0, 0.25]).std(correction=0)
    torch.testing.assert_close(vectors[4], spread * without["embedding.weight"][4])
    for name, value in without.items():  # the draws of all other layers do not depend on the file
        assert name == "embedding.weight" or torch.equal(tensors[name], value)


def test_problems_with_vectors_are_told_before_training(tmp_path):
    missing = SequenceClassifier(embedding=3, vectors=str(tmp_path / "none.txt"))
    (line,) = missing.problems(make_stream(words=WORDS))
    assert "none.txt" in line
    (line,) = missing.problems(make_stream())
    assert "model.vectors" in line
