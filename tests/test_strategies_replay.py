"""Replay memories: what they keep, what is drawn, and what the batches and losses become."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from fake_context import FakeContext, classification_stream
from scipy.optimize import minimize
from scipy.stats import chisquare
from torch.nn import functional

from clbench.engine.distillations import Distillations
from clbench.lanes import stack
from clbench.strategies import AGEM, GEM, DarkReplay, ExperienceReplay, GDumb, NaiveRehearsal
from clbench.strategies.balance import share_places
from clbench.strategies.projection import project_many, project_one
from clbench.strategies.replay_buffer import draws, empty, keep, reservoir_slots, uniforms


def memories(context, policy, places, stages):
    """Yield the memory after each of the stages."""
    state = empty(context, places, context.outputs)
    memory, seen = state["buffer"], state["seen"]
    for stage in range(stages):
        context.stage = stage
        memory, seen = keep(policy, context, memory, seen)
        yield memory


def test_reservoir_keeps_every_sample_with_equal_chance():
    lanes, places, stages = 400, 8, 3
    context = FakeContext(classification_stream(tasks=stages, samples=15), lanes=lanes)
    *_, memory = memories(context, "reservoir", places, stages)
    assert (memory >= 0).all()
    assert all(len(set(row)) == places for row in memory.tolist())
    counts = Counter(memory.flatten().tolist())
    offered = [address for task in range(stages) for address in context.train_addresses(task)[0].tolist()]
    assert set(counts) <= set(offered)
    assert chisquare([counts[address] for address in offered]).pvalue > 0.01


def test_reservoir_of_one_place_keeps_the_later_of_two_half_the_time():
    context = FakeContext(classification_stream(tasks=2, samples=1), lanes=1000)
    *_, memory = memories(context, "reservoir", 1, 2)
    counts = Counter(memory.flatten().tolist())
    assert len(counts) == 2
    assert chisquare(list(counts.values())).pvalue > 0.01


def test_reservoir_slots_are_those_of_the_loop_and_uniform():
    places, lanes, size = 5, 3000, 7
    draws = torch.Generator().manual_seed(0)
    memory = torch.full((lanes, places + 1), -1)
    slow = [[-1] * places for _ in range(lanes)]
    for batch in range(4):
        numbers = torch.rand(lanes, size, generator=draws)
        seen = torch.full((lanes, 1), batch * size)
        slots = reservoir_slots(places, seen, numbers)
        offered = torch.arange(batch * size, (batch + 1) * size).expand(lanes, -1)
        memory.scatter_(1, slots, offered)
        for lane in range(lanes):
            for index in range(size):
                number = batch * size + index
                place = number if number < places else int(float(numbers[lane, index]) * (number + 1))
                if place < places:
                    slow[lane][place] = number
    assert memory[:, :places].tolist() == slow
    counts = torch.bincount(memory[:, :places].flatten(), minlength=4 * size)
    assert chisquare(counts.numpy()).pvalue > 0.01


def test_ring_keeps_equal_parts_of_tasks_and_classes():
    context = FakeContext(classification_stream(tasks=3, samples=30), lanes=2)
    for stage, memory in enumerate(memories(context, "ring", 12, 3)):
        for row in memory:
            held = row[row >= 0]
            assert len(held) == 4 * (stage + 1)
            tasks = Counter((held // context.pool).tolist())
            assert tasks == {task: 4 for task in range(stage + 1)}
            labels = Counter(context.stream.targets[held % context.pool].tolist())
            assert labels == {label: 2 for label in range(2 * (stage + 1))}
    assert not torch.equal(memory[0], memory[1])


def test_balanced_keeps_equal_parts_of_classes_and_is_always_full():
    context = FakeContext(classification_stream(tasks=3, samples=30), lanes=2)
    for stage, memory in enumerate(memories(context, "balanced", 24, 3)):
        for row in memory:
            held = row[row >= 0]
            assert len(set(held.tolist())) == 24
            labels = Counter(context.stream.targets[held % context.pool].tolist())
            assert labels == {label: 24 // (2 * (stage + 1)) for label in range(2 * (stage + 1))}


def test_balanced_gives_the_places_of_a_rare_class_to_the_others():
    stream = classification_stream(tasks=1, samples=20)
    stream.targets[:] = 0
    stream.targets[3] = 1
    context = FakeContext(stream, lanes=1)
    (memory,) = memories(context, "balanced", 10, 1)
    assert (memory >= 0).all()
    assert 3 in memory[0].tolist()
    (memory,) = memories(context, "balanced", 30, 1)
    assert (memory >= 0).sum() == 20  # no more than there are


def test_balanced_holds_every_sample_of_a_class_seen_so_far_with_equal_chance():
    """By domain the classes come back, here with an odd number of places for each."""
    lanes, stages = 500, 3
    stream = classification_stream(tasks=stages, samples=16, scenario="domain")
    context = FakeContext(stream, lanes=lanes)
    for stage, memory in enumerate(memories(context, "balanced", 9, stages)):
        offered = [one for task in range(stage + 1) for one in context.train_addresses(task)[0].tolist()]
        for label in range(2):
            own = [one for one in offered if stream.targets[one % context.pool] == label]
            counts = Counter(one for one in memory.flatten().tolist() if one in set(own))
            assert 4 * lanes <= counts.total() <= 5 * lanes
            assert chisquare([counts[one] for one in own]).pvalue > 0.001
        assert all(len(set(row)) == 9 for row in memory.tolist())


def held_classes(context, memory):
    """Return the count of every class by lane, `[lane, classes]`."""
    labels = context.stream.targets[memory.clamp(min=0) % context.pool]
    return functional.one_hot(labels, context.outputs).mul((memory >= 0)[..., None]).sum(1)


def test_the_newest_classes_have_a_place_as_long_as_there_is_one():
    context = FakeContext(classification_stream(tasks=5, samples=20), lanes=60)
    for stage, memory in enumerate(memories(context, "balanced", 5, 5)):
        held = held_classes(context, memory)
        assert (held.sum(1) == 5).all()
        assert (held[:, 2 * stage : 2 * stage + 2] >= 1).all()
        assert held[:, : 2 * stage + 2].amax() - held[:, : 2 * stage + 2].amin() <= max(1, 3 - 2 * stage)
    assert (held[:, :8].sum(0) > 0).all()  # which of the old ones stay differs by seed


@pytest.mark.parametrize("policy", ["balanced", "ring"])
def test_which_classes_have_the_odd_places_depends_on_the_seed_and_not_on_the_label(policy):
    lanes = 400
    stream = classification_stream(tasks=2, samples=60, classes=4, scenario="domain")
    *_, memory = memories(FakeContext(stream, lanes=lanes), policy, 6 if policy == "balanced" else 12, 2)
    held = held_classes(FakeContext(stream, lanes=lanes), memory)
    low = 1 if policy == "balanced" else 2
    assert (held >= low).all()
    assert chisquare((held - low).sum(0).numpy()).pvalue > 0.001


def slow_shares(places, available, order, newest):
    """Hand out one place after the other, as the paper's sampler ends up."""
    room = [0] * len(available)
    for _ in range(places):
        open_classes = [one for one in order if room[one] < available[one]]
        if not open_classes:
            break
        least = min(room[one] for one in open_classes)
        first = [one for one in open_classes if room[one] == least]
        room[sorted(first, key=lambda one: not (least == 0 and newest[one]))[0]] += 1
    return room


def test_places_are_shared_as_one_by_one():
    random = np.random.default_rng(0)
    for _ in range(300):
        classes = random.integers(1, 8)
        available = random.integers(0, 9, classes)
        order, newest = random.permutation(classes), random.random(classes) < 0.4
        places = int(random.integers(0, 30))
        expected = slow_shares(places, available.tolist(), order.tolist(), newest.tolist())
        assert share_places(places, available, order, newest).tolist() == expected


@pytest.mark.parametrize("policy", ["reservoir", "ring", "balanced"])
def test_a_memory_belongs_to_its_seed(policy):
    stream = classification_stream(tasks=2, samples=20)
    together = FakeContext(stream, lanes=3)
    *_, memory = memories(together, policy, 7, 2)
    alone = FakeContext(stream, lanes=1)
    alone.seeds = (2,)
    *_, other = memories(alone, policy, 7, 2)
    assert torch.equal(memory[2], other[0])
    assert not torch.equal(memory[2], memory[1])


def test_draws_are_uniform_over_the_filled_places_and_belong_to_seed_and_step():
    context = FakeContext(classification_stream(), lanes=2)
    context.stage = 1
    memory = torch.tensor([[7, -1, 9, 11, -1], [-1, 3, -1, -1, -1]])
    drawn = []
    for step in range(1, 201):
        drawn.append(draws(context, memory, 10, range(step - 1, step))[0])
    found = torch.cat(drawn, 1)
    assert set(found[1].tolist()) == {3}
    counts = Counter(found[0].tolist())
    assert set(counts) == {7, 9, 11}
    assert chisquare(list(counts.values())).pvalue > 0.01
    # A step in the middle of a block, without what went before, and many over the ends of blocks.
    assert torch.equal(draws(context, memory, 10, range(69, 70))[0], drawn[69])
    assert torch.equal(draws(context, memory, 10, range(60, 150)), torch.stack(drawn[60:150]))
    assert not torch.equal(drawn[69], drawn[70])


def test_uniform_numbers_lie_in_the_half_open_interval_and_differ_by_purpose():
    context = FakeContext(classification_stream(), lanes=2)
    one, other = (uniforms(context, purpose, 500, range(2, 3))[0] for purpose in "ab")
    assert one.shape == (2, 500)
    assert 0 <= one.min() < 0.01
    assert 0.99 < one.max() < 1
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


@pytest.mark.parametrize("weighting", ["samples", "tasks"])
def test_replay_weighs_batch_and_memory(weighting):
    context = FakeContext(classification_stream(tasks=3))
    part = ExperienceReplay(buffer_size=6, replay_batch_size=5, weighting=weighting)
    state = part.start(context)
    own = context.train_addresses(0)[:, :4]
    assert part.at(0).replay is None
    state = part.at(0).consolidate(context, state)
    context.stage = 1
    state = part.at(1).consolidate(context, state)
    context.stage = 2
    (address,), weight, *_ = part.at(2).replay(context, state, own[None], range(1))
    assert address.shape == (2, 5)
    assert weight.shape == (9,)
    for lane in range(2):
        assert set(address[lane].tolist()) <= set(state["buffer"][lane].tolist())
    if weighting == "samples":
        assert weight.tolist() == [pytest.approx(1 / 9)] * 9
    else:  # a third for the third task, two thirds for the memory
        assert weight.tolist() == [pytest.approx(1 / 12)] * 4 + [pytest.approx(2 / 15)] * 5


def test_naive_rehearsal_replicates_to_about_one_to_one():
    context = FakeContext(classification_stream(tasks=3, samples=20))
    part = NaiveRehearsal(buffer_size=6)
    state = part.start(context)
    own = context.train_addresses(0)
    assert part.at(0).data is None
    state = part.consolidate(context, state)
    assert state["buffer"].shape == (2, 6)
    context.stage = 1
    own = context.train_addresses(1)
    data = part.data(context, state, own)
    assert data.shape == (2, 3 * 6 + 20)  # 20 // 6 = 3 copies
    counts = Counter(data[0].tolist())
    assert sorted(counts.values()) == [1] * 20 + [3] * 6
    first = state["buffer"]
    state = part.consolidate(context, state)
    tasks = state["buffer"] // context.pool
    assert tasks[0].tolist() == [0] * 3 + [1] * 3
    assert torch.equal(state["buffer"][:, :3], first[:, :3])


def test_gdumb_trains_on_its_memory_alone_and_starts_again():
    context = FakeContext(classification_stream(tasks=2, samples=20))
    part = GDumb(buffer_size=8)
    state = part.start(context)
    data = part.data(context, state, context.train_addresses(0))
    assert data.shape == (2, 8)
    context.theta += 1.0
    state = part.consolidate(context, state)
    assert torch.equal(context.theta, context.initial)
    context.stage = 1
    data = part.data(context, state, context.train_addresses(1))
    assert Counter((data[0] // context.pool).tolist()) == {0: 4, 1: 4}


def dark_steps(part, context, state, own, steps):
    """Let the strategy see steps of own samples `[step, lane, batch]`; return what it adds, and outputs."""
    acts = part.at(context.stage)
    held = Distillations(context, acts.distillations(context, state))
    replay, seen = acts.replay(context, state, own, steps), []
    for index in range(len(steps)):
        address = torch.cat([own[index], replay.address[index]], 1)
        places, slots = replay.places[index], replay.slots[index]
        batch = replace(context.fetch(address, new=own.shape[2]), places=places, slots=slots)
        outputs = context.forward(context.theta, batch.inputs)
        seen.append((outputs, held.add(batch, outputs, torch.zeros_like(outputs))))
        context.theta += 0.1
    return replay, seen


def test_dark_replay_keeps_samples_with_the_outputs_of_their_step():
    context = FakeContext(classification_stream(tasks=2, samples=20))
    part = stack([DarkReplay(0.3, 0.7, buffer_size=6, replay_batch_size=4), DarkReplay(2.0, 0.1, 6, 4)])
    state = part.start(context)
    own = torch.stack(context.train_addresses(0).split(5, 1))
    replay, seen = dark_steps(part, context, state, own, range(4))
    assert replay.address.shape == (4, 2, 0)
    given = {}
    for addresses, (outputs, errors) in zip(own, seen, strict=True):
        assert errors.abs().max() == 0
        for lane in range(2):
            given |= {
                (lane, one): each for one, each in zip(addresses[lane].tolist(), outputs[lane], strict=True)
            }
    assert state["seen"].tolist() == [[20], [20]]
    for lane in range(2):
        for address, logits in zip(state["buffer"][lane, :6].tolist(), state["logits"][lane], strict=False):
            assert torch.equal(logits, given[lane, address])
    context.stage = 1
    own, before = context.train_addresses(1)[None, :, :5], state["buffer"].clone()
    replay, ((outputs, errors),) = dark_steps(part, context, state, own, range(1))
    assert replay.address.shape == (1, 2, 8)
    assert replay.weight[:, :4].abs().max() == 0
    torch.testing.assert_close(replay.weight[:, 4:], torch.tensor([[0.7 / 4] * 4, [0.1 / 4] * 4]))
    assert errors[:, :5].abs().max() == errors[:, 9:].abs().max() == 0
    for lane, alpha in ((0, 0.3), (1, 2.0)):
        address = replay.address[0, lane].tolist()
        assert set(address) <= set(before[lane, :6].tolist())
        stored = torch.stack([given[lane, one] for one in address[:4]])
        leaf = outputs[lane, 5:9].clone().requires_grad_()
        (expected,) = torch.autograd.grad(alpha * functional.mse_loss(leaf, stored), leaf)
        torch.testing.assert_close(errors[lane, 5:9], expected, rtol=1e-6, atol=1e-12)


def test_steps_asked_for_at_once_are_those_asked_for_one_by_one():
    part = DarkReplay(buffer_size=6, replay_batch_size=4)
    found = []
    for asked in ([range(7)], [range(3), range(3, 7)], [range(step, step + 1) for step in range(7)]):
        context = FakeContext(classification_stream(tasks=2, samples=35))
        state = part.start(context)
        dark_steps(part, context, state, context.train_addresses(0)[None, :, :9], range(1))
        context.stage = 1
        own = torch.stack(context.train_addresses(1).split(5, 1))
        parts = [dark_steps(part, context, state, own[steps.start : steps.stop], steps) for steps in asked]
        replays, seen = zip(*parts, strict=True)
        addresses, slots = (
            torch.cat([getattr(one, name) for one in replays]) for name in ("address", "slots")
        )
        errors = torch.stack([step[1] for steps in seen for step in steps])
        found.append({"addresses": addresses, "slots": slots, "errors": errors, **state})
    assert any(task == 1 for task in (found[0]["addresses"][1:] // 70).flatten().tolist())
    for other in found[1:]:
        assert all(torch.equal(value, other[name]) for name, value in found[0].items())


def filled(part, context):
    """Return the state after two tasks."""
    state = part.start(context)
    for stage in range(2):
        context.stage = stage
        state = part.at(stage).consolidate(context, state)
    context.stage, context.stage_step = 2, 1
    return state


def test_agem_projects_on_the_mean_gradient_of_its_draw():
    context = FakeContext(classification_stream(tasks=3, samples=20), lanes=4)
    part = AGEM(buffer_size=12, reference=10)
    state = filled(part, context)
    drawn = draws(context, state["buffer"], 10, range(1))[0]
    reference = context.gradient_of(context.fetch(drawn))
    gradient = -reference + 0.1
    gradient[0] = reference[0]
    expected = project_one(gradient, reference)
    part.gradient(context, state, gradient)
    assert torch.equal(gradient, expected)
    assert torch.equal(gradient[0], reference[0])
    assert not torch.equal(gradient[1], -reference[1] + 0.1)


def test_gem_projects_on_the_gradient_of_every_past_task():
    context = FakeContext(classification_stream(tasks=3, samples=20), lanes=3)
    part = GEM(buffer_size=12, margin=0.2, ridge=0.01)
    state = filled(part, context)
    parts = state["buffer"].split(6, 1)
    assert [(part[0] // context.pool).unique().tolist() for part in parts] == [[0], [1]]
    references = torch.stack([context.gradient_of(context.fetch(part)) for part in parts], 1)
    gradient = -references.sum(1)
    expected = project_many(gradient.clone(), references, 0.2, 0.01)
    stacked = stack([part] * 3)
    stacked.gradient(context, state, gradient)
    torch.testing.assert_close(gradient, expected)


def test_gem_with_two_parts_holds_two_constraints_a_task():
    """Hsu et al.'s code; the oracle is scipy's solver on the gradients of the quarters of the memory."""
    context = FakeContext(classification_stream(tasks=3, samples=20), lanes=3)
    part = GEM(buffer_size=12, margin=0.2, ridge=0.01, parts=2)
    state = filled(part, context)
    quarters = state["buffer"].split(3, 1)
    assert [(one[0] // context.pool).unique().tolist() for one in quarters] == [[0], [0], [1], [1]]
    references = torch.stack([context.gradient_of(context.fetch(one)) for one in quarters], 1)
    gradient = 1.5 * references[:, 2] - references[:, 0]  # two weights are inside, two at the margin
    expected = []
    for own, rows in zip(gradient.double().numpy(), references.double().numpy(), strict=True):
        gram, linear = rows @ rows.T + 0.01 * np.eye(4), rows @ own
        found = minimize(
            lambda v, gram=gram, linear=linear: v @ gram @ v / 2 + linear @ v,
            np.full(4, 0.2),
            jac=lambda v, gram=gram, linear=linear: gram @ v + linear,
            bounds=[(0.2, None)] * 4,
            method="L-BFGS-B",
            options={"ftol": 1e-15, "gtol": 1e-12},
        )
        assert 0 < (found.x > 0.2 + 1e-9).sum() < 4
        expected.append(own + found.x @ rows)
    part.gradient(context, state, gradient)
    torch.testing.assert_close(gradient.double(), torch.tensor(np.array(expected)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("shared_by", "sizes"), [("seen", ([12], [6, 6])), ("stream", ([4], [4, 4]))])
def test_gem_shares_its_memory_by_the_tasks_seen_or_by_those_of_the_stream(shared_by, sizes):
    context = FakeContext(classification_stream(tasks=3, samples=20), lanes=3)
    part = GEM(buffer_size=12, shared_by=shared_by)
    state = part.start(context)
    for stage, expected in enumerate(sizes):
        context.stage = stage
        state = part.consolidate(context, state)
        for row in state["buffer"].tolist():
            assert list(Counter(address // context.pool for address in row).values()) == expected
            assert len(set(row)) == len(row)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (ExperienceReplay(buffer_size=-1), "at least 0; got strategy.buffer_size=-1."),
        (ExperienceReplay(replay_batch_size=0), "got strategy.replay_batch_size=0."),
        (ExperienceReplay(policy="all"), "got strategy.policy=all. Known: balanced, reservoir, ring."),
        (ExperienceReplay(weighting="none"), "got strategy.weighting=none."),
        (NaiveRehearsal(buffer_size=-5), "got strategy.buffer_size=-5."),
        (DarkReplay(alpha=-1.0), "got strategy.alpha=-1.0."),
        (DarkReplay(beta=math.nan), "got strategy.beta=nan."),
        (GEM(margin=-0.5), "got strategy.margin=-0.5."),
        (GEM(shared_by="all"), "got strategy.shared_by=all."),
        (GEM(parts=0), "got strategy.parts=0."),
        (AGEM(reference=0), "got strategy.reference=0."),
        (AGEM(policy="fifo"), "got strategy.policy=fifo."),
        (GDumb(buffer_size=0), "got strategy.buffer_size=0."),
    ],
)
def test_bad_fields_are_named(part, words):
    lines = part.problems()
    assert len(lines) == 1
    assert words in lines[0]


def test_a_memory_too_small_for_the_tasks_is_named():
    stream = classification_stream(tasks=3)
    layout = FakeContext(stream).layout
    for part in (
        GEM(buffer_size=2),
        AGEM(buffer_size=2),
        NaiveRehearsal(buffer_size=2),
        ExperienceReplay(2, "ring"),
    ):
        assert "got strategy.buffer_size=2. Use at least 3, or 0" in part.fit_problems(stream, layout)[0]
    assert (
        "got strategy.buffer_size=5. Use at least 6, or 0" in GEM(5, parts=2).fit_problems(stream, layout)[0]
    )
    enough = (GEM(buffer_size=3), GEM(6, parts=2), AGEM(buffer_size=0), AGEM(2, "reservoir"))
    for part in (*enough, ExperienceReplay(buffer_size=1)):
        assert part.fit_problems(stream, layout) == []
