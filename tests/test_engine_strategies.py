"""Strategies driven by the real engine: what they keep, and which outputs compete, in every stage."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from test_engine_invariants import assert_same_bits, make, results

from clbench.config import Training
from clbench.errors import ConfigurationError
from clbench.optimizers import SGD
from clbench.strategies import GEM, DarkReplay, ExperienceReplay, GDumb, LwF, NaiveRehearsal
from clbench.strategies.memory import labels_of
from clbench.streams import PermutedImages

PERMUTED = PermutedImages(tasks=3, samples=400)
SEEN = []
"""What the watched strategies below saw, in the order of the stages."""


@pytest.fixture(autouse=True)
def nothing_seen_yet():
    SEEN.clear()


def watched(kind):
    """Return a strategy's class that also tells which samples a memory holds, by task and by class."""

    @dataclass(frozen=True)
    class Watched(kind):
        def stage_data(self, learner, state, address):
            found = kind.stage_data(self, learner, state, address)
            if "memory" in state:
                held = state["memory"]
                SEEN.append((held // learner.pool, labels_of(learner, held.clamp(min=0)), held))
            return found

    return Watched


def accuracies(result):
    return result.score["accuracy"][result.full][1:, :, result.splits.index("test")]


@pytest.mark.parametrize("kind", [GDumb, ExperienceReplay])
def test_by_domain_a_balanced_memory_holds_every_task_in_its_share(kind):
    """Permuted digits: all ten classes come in every task."""
    memory = 200
    fields = {} if kind is GDumb else {"policy": "balanced"}
    training = Training(steps=3, batch_size=32)
    runs = [
        make(PERMUTED, watched(kind)(memory=memory, **fields), seed, training=training) for seed in range(8)
    ]
    results(runs, threads=1)
    for stage, (tasks, labels, _) in enumerate(SEEN):  # ER's is filled when a task ends, and seen in the next
        shares = np.array([np.bincount(row, minlength=3)[: stage + 1] for row in tasks.numpy()])
        assert (shares.sum(1) == memory).all()
        # Of 8 · 200 places each task has its share: within five standard deviations of a draw of so many.
        spread = 5 * (len(runs) * memory * 0.25) ** 0.5
        assert abs(shares.sum(0) - len(runs) * memory / (stage + 1)).max() <= spread
        for row in labels:
            assert set(np.bincount(row, minlength=10)) == {memory // 10}


def test_gdumb_by_domain_learns_the_later_tasks_too():
    run = make(PERMUTED, GDumb(memory=300), training=Training(steps=150, batch_size=32))
    end = accuracies(results([run], threads=1)[0])[-1]
    assert (end > 0.4).all()  # chance is 0.1


def test_a_memory_of_five_has_the_newest_classes_in_every_stage():
    training = Training(steps=60, batch_size=5)
    run = make("class", watched(GDumb)(memory=5), training=training)
    end = accuracies(results([run], threads=1)[0])
    assert [labels.shape[1] for _, labels, _ in SEEN] == [5] * 5
    for stage, (_, labels, _) in enumerate(SEEN):
        assert {2 * stage, 2 * stage + 1} <= set(labels[0].tolist())
        assert end[stage, stage] > 0


def test_what_a_memory_holds_depends_on_the_seed_alone():
    part = watched(GDumb)(memory=33)
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
        results([make("class", GDumb(memory=5), training=replace(training, batch_size=size))], threads=1)[0]
        for size in (32, 5)
    )
    assert few.status == "done"
    assert few.samples == 5 * 10 * 5
    assert_same_bits(few, same)


@dataclass(frozen=True)
class Forgetful(GDumb):
    def stage_data(self, learner, state, address):
        return address[:, : 0 if learner.stage else None]


def test_a_stage_without_data_is_told_in_a_line():
    with pytest.raises(ConfigurationError, match=r"at least one sample; got none from Forgetful.stage_data"):
        results([make("class", Forgetful())], threads=1)


@pytest.mark.parametrize(
    "part",
    [
        ExperienceReplay(memory=40),
        DarkReplay(memory=40, beta=0.5),
        NaiveRehearsal(memory=40),
        GEM(memory=40),
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
