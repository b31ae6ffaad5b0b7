"""Several strategies in one run: a part alone is itself, penalties add up, one part chooses the data."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from fake_context import FakeContext, classification_stream
from test_conformance import TABLE
from test_engine_invariants import assert_same_bits, make, results

from clbench.config import Training
from clbench.importance import Fisher
from clbench.strategies import Combined, DarkReplay, ExperienceReplay, Joint, LwF, Naive, Regularized

ALONE = [
    "naive",
    "joint",
    "l2_init",
    "weight_decay, decoupled",
    "groups",
    "ewc",
    "si",
    "lwf, by tasks",
    "er",
    "derpp",
    "gem, rehearsing",
    "agem",
    "gdumb",
    "shrink_perturb",
]


@dataclass(frozen=True)
class OneByOne(ExperienceReplay):
    """Asked for every step by itself, as what depends on θ must be."""

    def at(self, stage):
        acts = ExperienceReplay.at(self, stage)
        return acts._replace(replay=None, batch=self.batch) if acts.replay else acts

    def batch(self, context, state, address):
        step = context.stage_step - 1
        found = self.replay(context, state, address[None], range(step, step + 1))
        return found.address[0], found.weight


@pytest.mark.parametrize("weighting", ["samples", "tasks"])
@pytest.mark.parametrize("scenario", ["class", "task"])
def test_a_memory_asked_step_by_step_has_the_bits_of_one_asked_for_many(scenario, weighting):
    training = Training(steps=None, epochs=2, batch_size=48, last_batch="keep")  # a batch of another size
    fields = {"buffer_size": 30, "replay_batch_size": 7, "weighting": weighting}
    kinds = (ExperienceReplay, OneByOne)
    one, other = results([make(scenario, kind(**fields), training=training) for kind in kinds])
    assert one.status == "done"
    assert_same_bits(one, other)


def test_a_part_alone_has_its_own_bits():
    parts = [TABLE[name][0] for name in ALONE]
    wrapped = [Combined((part,)) for part in parts]
    found = results([make("class", part) for part in [*parts, *wrapped]])
    for name, one, other in zip(ALONE, found[: len(parts)], found[len(parts) :], strict=True):
        assert one.status == "done", name
        assert_same_bits(one, other)


def test_penalties_of_one_anchor_add_up():
    pulled = [Regularized(lam=lam, anchor="init") for lam in (0.1, 0.3, 0.4)]
    together, at_once = results([make("class", Combined(tuple(pulled[:2]))), make("class", pulled[2])])
    np.testing.assert_allclose(together.loss, at_once.loss, rtol=2e-3)
    np.testing.assert_allclose(together.training["penalty"], at_once.training["penalty"], rtol=2e-3)


def test_the_pulls_are_the_sum_of_both_formulas():
    context = FakeContext(classification_stream(tasks=3))
    part = Combined(
        (
            Regularized(lam=0.5, anchor="init"),
            Regularized(lam=3.0, anchor="each", importance=Fisher(), half=True),
        )
    )
    state = part.start(context)
    context.theta += 0.1
    fisher, end = Fisher().estimate(context, {}), context.theta.clone()
    state = part.at(0).consolidate(context, state)
    context.stage = 1
    context.theta += 0.2
    blocks = list(context.layout.slices().values())
    pulls = part.at(1).pulls(context, state)
    assert len(pulls) == 2
    expected = 0.5 * (context.theta - context.initial).square().sum(1)
    expected += 1.5 * (fisher * (context.theta - end).square()).sum(1)
    torch.testing.assert_close(sum(pull.value(context.theta, blocks) for pull in pulls), expected)


def test_lambda_of_a_later_part_shapes_no_first_stage():
    runs = [
        make("class", Combined((LwF(lam=lam), Regularized(lam=lam, importance=Fisher()))))
        for lam in (0.1, 0.2)
    ]
    trained = [result.trained_here for result in results([make("class", Naive()), *runs])]
    assert sorted(trained) == [4, 4, 5]  # of five stages the first is shared


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((), "got strategy.parts=[]"),
        ((ExperienceReplay(), DarkReplay()), "may choose batch; got ExperienceReplay and DarkReplay"),
        ((ExperienceReplay(), OneByOne()), "may choose batch; got ExperienceReplay and OneByOne"),
        ((Joint(), Joint()), "may choose tasks; got Joint and Joint"),
        ((Naive(), Regularized(lam=-1.0)), "got strategy.parts.1.lam=-1.0"),
        ((3,), "must be a strategy; got int"),
    ],
)
def test_bad_parts_are_named(parts, words):
    (line,) = Combined(parts).problems()
    assert words in line
