"""Strategies driven by the real engine: what they keep, and which outputs compete, in every stage."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from test_engine_invariants import assert_same_bits, make, results

from clbench.config import Training
from clbench.errors import ConfigurationError
from clbench.importance import Fisher, OutputSensitivity
from clbench.optimizers import SGD
from clbench.strategies import GEM, DarkReplay, ExperienceReplay, GDumb, LwF, NaiveRehearsal, Regularized
from clbench.strategies.replay_buffer import labels_of
from clbench.streams import PermutedImages, SplitImages

PERMUTED = PermutedImages(tasks=3, samples=400)
SEEN = []
"""What the watched strategies below saw, in the order of the stages."""


BLURRED = SplitImages(scenario="class", blur=0.3, samples=120)
CLEAR = SplitImages(scenario="class", samples=120)


@pytest.fixture(autouse=True)
def nothing_seen_yet():
    SEEN.clear()


def watched(kind):
    """Return a strategy's class that also tells which samples a memory holds, by task and by class."""

    @dataclass(frozen=True)
    class Watched(kind):
        def at(self, stage):
            acts = kind.at(self, stage)

            def data(context, state, address):
                found = address if acts.data is None else acts.data(context, state, address)
                if (state["buffer"] >= 0).any():
                    held = state["buffer"]
                    SEEN.append((held // context.pool, labels_of(context, held.clamp(min=0)), held))
                return found

            return acts._replace(data=data)

    return Watched


def accuracies(result):
    return result.score["accuracy"][result.full][1:, :, result.splits.index("test")]


@pytest.mark.parametrize("kind", [GDumb, ExperienceReplay])
def test_by_domain_a_balanced_memory_holds_every_task_in_its_share(kind):
    """Permuted digits: all ten classes come in every task."""
    size = 200
    fields = {} if kind is GDumb else {"policy": "balanced"}
    training = Training(steps=3, batch_size=32)
    runs = [
        make(PERMUTED, watched(kind)(buffer_size=size, **fields), seed, training=training)
        for seed in range(8)
    ]
    results(runs, threads=1)
    for stage, (tasks, labels, _) in enumerate(SEEN):  # ER's is filled when a task ends, and seen in the next
        shares = np.array([np.bincount(row, minlength=3)[: stage + 1] for row in tasks.numpy()])
        assert (shares.sum(1) == size).all()
        # Of 8 · 200 places each task has its share: within five standard deviations of a draw of so many.
        spread = 5 * (len(runs) * size * 0.25) ** 0.5
        assert abs(shares.sum(0) - len(runs) * size / (stage + 1)).max() <= spread
        for row in labels:
            assert set(np.bincount(row, minlength=10)) == {size // 10}


def test_gdumb_by_domain_learns_the_later_tasks_too():
    run = make(PERMUTED, GDumb(buffer_size=300), training=Training(steps=150, batch_size=32))
    end = accuracies(results([run], threads=1)[0])[-1]
    assert (end > 0.4).all()  # chance is 0.1


def test_a_memory_of_five_has_the_newest_classes_in_every_stage():
    training = Training(steps=60, batch_size=5)
    run = make("class", watched(GDumb)(buffer_size=5), training=training)
    end = accuracies(results([run], threads=1)[0])
    assert [labels.shape[1] for _, labels, _ in SEEN] == [5] * 5
    for stage, (_, labels, _) in enumerate(SEEN):
        assert {2 * stage, 2 * stage + 1} <= set(labels[0].tolist())
        assert end[stage, stage] > 0


def test_what_a_memory_holds_depends_on_the_seed_alone():
    part = watched(GDumb)(buffer_size=33)
    runs = [make(PERMUTED, part, seed, training=Training(steps=2, batch_size=16)) for seed in (4, 7)]
    found = results(runs, threads=1)
    together = [held for *_, held in SEEN]
    assert_same_bits(results(runs[1:], threads=1)[0], found[1])
    alone = [held for *_, held in SEEN[3:]]
    for both, one in zip(together, alone, strict=True):
        assert (both[1] == one[0]).all()
        assert not (both[0] == both[1]).all()


@pytest.mark.parametrize("last_batch", ["keep", "drop"])
def test_a_batch_is_as_large_as_the_data_where_these_are_fewer(last_batch):
    training = Training(steps=10, batch_size=32, last_batch=last_batch)
    few, same = (
        results(
            [make("class", GDumb(buffer_size=5), training=replace(training, batch_size=size))], threads=1
        )[0]
        for size in (32, 5)
    )
    assert few.status == "done"
    assert few.samples == 5 * 10 * 5
    assert_same_bits(few, same)


@dataclass(frozen=True)
class Forgetful(GDumb):
    def data(self, context, state, address):
        return address[:, : 0 if context.stage else None]


def test_a_stage_without_data_is_told_in_a_line():
    with pytest.raises(ConfigurationError, match=r"at least one sample; got none from Forgetful.data"):
        results([make("class", Forgetful())], threads=1)


@pytest.mark.parametrize(
    "part",
    [
        ExperienceReplay(buffer_size=40),
        DarkReplay(buffer_size=40, beta=0.5),
        NaiveRehearsal(buffer_size=40),
        GEM(buffer_size=40),
        LwF(),
    ],
)
def test_every_head_that_a_strategy_reaches_takes_its_step(part):
    """Plain SGD has no state, so that heads apart take the very steps of one layer."""
    training = Training(steps=6, batch_size=16)
    one, apart = (
        results(
            [make("task", part, optimizer=SGD(lr=0.05), training=replace(training, heads=heads))], threads=1
        )[0]
        for heads in ("sliced", "separate")
    )
    assert_same_bits(one, apart)


@dataclass(frozen=True)
class WatchedFisher(Fisher):
    def estimate(self, context, state):
        found = super().estimate(context, state)
        SEEN.append((context.layout, context.theta[0].clone(), found[0].clone()))
        return found


@dataclass(frozen=True)
class WatchedSensitivity(OutputSensitivity):
    def estimate(self, context, state):
        found = super().estimate(context, state)
        SEEN.append((context.layout, context.theta[0].clone(), found[0].clone()))
        return found


def slopes(layout, theta, inputs):
    """Return outputs `[sample, output]` of the two-layer ReLU net at θ, and their derivatives by θ."""

    def outputs(flat, sample):
        views = layout.views(flat[None])
        weights = [name for name in views if name.endswith("weight")]
        for index, name in enumerate(weights):
            sample = views[name][0] @ sample + views[name.replace("weight", "bias")][0]
            sample = torch.relu(sample) if index + 1 < len(weights) else sample
        return sample

    every = torch.stack([outputs(theta, sample) for sample in inputs])
    return every, torch.func.vmap(torch.func.jacrev(outputs), (None, 0))(theta, inputs)


def competing_classes(stream, stage, outputs):
    """Return the classes that compete in a stage's training, by hand: two a task, blurred two more."""
    if outputs == "all":
        return list(range(10))
    low = 2 * stage if outputs == "task" else 0
    early = 0 if stream.tasks[0].classes_until is None else 2
    return list(range(low, min(2 * stage + 2 + early, 10)))


CHOICES = [(CLEAR, "seen"), (CLEAR, "all"), (CLEAR, "task"), (BLURRED, "seen"), (BLURRED, "all")]


@pytest.mark.parametrize(("source", "outputs"), CHOICES)
def test_fisher_and_mas_count_the_outputs_that_compete_in_training(source, outputs):
    """By explicit derivatives of each output; blurred, all ten compete one stage before the last."""
    training = Training(steps=10, batch_size=16, outputs=outputs)
    stream = source.build(1)
    for importance in (WatchedFisher("exact"), WatchedSensitivity("sample")):
        SEEN.clear()
        results([make(source, Regularized(lam=0.0, importance=importance), 1, training=training)], threads=1)
        assert len(SEEN) == 4  # nothing starts from the last stage
        for stage in (1, 3):
            layout, theta, found = SEEN[stage]
            inputs = stream.inputs[stream.tasks[stage].train].flatten(1).double()
            logits, slope = slopes(layout, theta.double(), inputs)
            chosen = competing_classes(stream, stage, outputs)
            logits, slope = logits[:, chosen], slope[:, chosen]
            if isinstance(importance, Fisher):
                chance = logits.softmax(1)
                score = slope - (chance[..., None] * slope).sum(1, keepdim=True)  # ∂ log p_y / ∂θ
                expected = (chance[..., None] * score.square()).sum(1).mean(0)
            else:
                expected = (2 * logits[..., None] * slope).sum(1).abs().mean(0)
            torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-6)


@dataclass(frozen=True)
class WatchedDark(DarkReplay):
    def at(self, stage):
        return DarkReplay.at(self, stage)._replace(loss=self.note)

    def note(self, context, state, batch, outputs):
        own = outputs[0, : batch.new].detach().clone()
        replayed = state["logits"][0, batch.places[0]]
        SEEN.append((context.stage, batch.address[0], own, replayed))
        return outputs.new_zeros(context.lanes)


@pytest.mark.parametrize(("source", "outputs"), CHOICES)
def test_dark_replay_keeps_all_logits_whichever_compete(source, outputs):
    part = WatchedDark(buffer_size=30, beta=0.5)
    training = Training(steps=5, batch_size=16, outputs=outputs)
    result = results([make(source, part, 1, training=training)], threads=1)[0]
    assert np.isfinite(result.training["task_loss"]).all()
    given, met = {}, 0
    for stage, address, own, replayed in SEEN:
        for one, logits in zip(address[len(own) :].tolist(), replayed, strict=False):
            assert any(torch.equal(logits, other) for other in given[one])
            met += stage == 4
        for one, logits in zip(address.tolist(), own, strict=False):
            given.setdefault(one, []).append(logits)
    assert met == 5 * 16
    assert all(torch.isfinite(logits).all() for every in given.values() for logits in every)
