"""Separate heads as ranges of one vector: places by hand, counts, and what stays idle."""

from dataclasses import replace

import pytest
import torch

from clbench.config import Training
from clbench.models import MLP
from clbench.optimizers import SGD, Adagrad, Adam, AdamW, SeparateHeads, heads_of, heads_problems
from clbench.testing.tiny import TinyStream

STREAM = TinyStream("task").build(0)
LAYOUT = MLP(hidden=(3,)).layout(STREAM)  # 6·3 + 3, then a head of 6 rows of 3 and 6 biases: 45 of 48
SEPARATE = Training(steps=5, heads="separate")
HEADS = heads_of(SEPARATE, LAYOUT, STREAM)
PLACES = {(0, 2): [(21, 27), (39, 41)], (2, 4): [(27, 33), (41, 43)], (4, 6): [(33, 39), (43, 45)]}


def using(optimizer, *heads):
    return SeparateHeads(optimizer, HEADS, frozenset(heads))


def draw(seed, lanes=2):
    return torch.randn(lanes, LAYOUT.padded, generator=torch.Generator().manual_seed(seed))


def columns(*heads):
    """Return the places of a lane that belong to some heads."""
    return [place for head in heads for start, stop in PLACES[head] for place in range(start, stop)]


def test_ranges_by_hand():
    assert [tuple(each) for each in using(Adam(), (2, 4)).ranges(48)] == [
        (0, 21, "step"),
        (45, 48, "step"),
        (27, 33, "step/head-2-4"),
        (41, 43, "step/head-2-4"),
    ]
    assert [tuple(each) for each in Adam().ranges(48)] == [(0, 48, "step")]


@pytest.mark.parametrize("optimizer", [Adam(lr=0.1), AdamW(lr=0.1, weight_decay=0.3), Adagrad(lr_decay=0.5)])
def test_every_head_is_a_tensor_of_its_own_that_begins_when_it_is_used(optimizer):
    """Against the optimiser on the whole vector, begun anew when a head is used for the first time."""
    theta, gradient = draw(0), torch.empty(2, LAYOUT.padded)
    begun = {"body": 0, (0, 2): 0, (2, 4): 2}
    alone = {name: theta.clone() for name in begun}
    own = {name: torch.empty_like(gradient) for name in begun}
    whole = {name: optimizer.bind(alone[name], own[name], optimizer.init(theta)) for name in begun}
    state = using(optimizer).init(theta)
    for step in range(5):
        used = [name for name, first in begun.items() if first <= step]
        gradient.copy_(draw(step + 1))
        using(optimizer, *used[1:]).bind(theta, gradient, state)()
        for name in used:
            own[name].copy_(gradient)
            whole[name]()
    for name in begun:
        heads = columns(*PLACES)
        held = columns(name) if name in PLACES else [place for place in range(48) if place not in heads]
        assert torch.equal(theta[:, held], alone[name][:, held])
    assert torch.equal(theta[:, columns((4, 6))], draw(0)[:, columns((4, 6))])
    counts = {key: value.tolist() for key, value in state.items() if key.startswith("step")}
    expected = {"step": 5, "step/head-0-2": 5, "step/head-2-4": 3, "step/head-4-6": 0}
    assert counts == {key: [value, value] for key, value in expected.items()}
    for value in state.values():
        assert value.dim() == 1 or value[:, columns((4, 6))].abs().max() == 0


def test_an_idle_head_keeps_its_momentum_and_takes_no_step_by_it():
    optimizer = SGD(lr=0.1, momentum=0.5)
    theta = draw(0)
    state = using(optimizer).init(theta)
    assert list(state) == ["momentum"]
    using(optimizer, (0, 2)).bind(theta, torch.ones_like(theta), state)()
    before = theta.clone()
    using(optimizer, (2, 4)).bind(theta, torch.zeros_like(theta), state)()
    moved = (theta - before)[0]
    torch.testing.assert_close(moved[:21], torch.full((21,), -0.05))  # lr · momentum · 1
    assert moved[columns((0, 2), (2, 4), (4, 6))].abs().max() == 0
    assert state["momentum"][:, columns((0, 2))].unique().tolist() == [1.0]


def test_heads_that_share_outputs_are_named():
    last = replace(STREAM.tasks[2], outputs=(3, 6))
    overlapping = replace(STREAM, tasks=(*STREAM.tasks[:2], last))
    (line,) = heads_problems(SEPARATE, LAYOUT, overlapping)
    assert "got training.heads=separate with tasks of the outputs 2 to 3 and 3 to 5" in line
    assert list(heads_problems(SEPARATE, LAYOUT, STREAM)) == []
    assert list(heads_problems(replace(SEPARATE, heads="sliced"), LAYOUT, overlapping)) == []
