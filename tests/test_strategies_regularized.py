"""The penalty as a strategy: states through stages, sharing, coupling, groups, and problems."""

import dataclasses
import math

import pytest
import torch
from fake_context import FakeContext, classification_stream, regression_stream

from clbench.engine.plan import shape_of
from clbench.importance import Fisher, OutputSensitivity, PathIntegral, RWalk
from clbench.lanes import stack
from clbench.penalty import Group, anchor_distance
from clbench.strategies import Naive, Regularized
from clbench.strategies.autograd import penalty_by_autograd


def move(context, seed):
    """Put θ somewhere else, as training would."""
    draw = torch.Generator().manual_seed(seed)
    size = context.layout.size
    context.theta[:, :size] += torch.randn(context.lanes, size, generator=draw, dtype=torch.float64)


def after_tasks(part, tasks, context):
    """Return the state after some tasks, with θ at each of their ends and the importances found there."""
    state, ends, importances = part.start(context), [], []
    for stage in range(tasks):
        context.stage = stage
        move(context, stage)
        ends.append(context.theta.clone())
        importances.append(part.importance.estimate(context, dict(state)))
        state = part.consolidate(context, state)
    context.stage = tasks
    move(context, tasks)
    return state, ends, importances


def pull_of(part, context, state):
    """Return the only pull, and what it needs of the layout."""
    (pull,) = part.at(context.stage).pulls(context, state)
    return pull, list(context.layout.slices().values())


def value_of(part, context, state):
    pull, blocks = pull_of(part, context, state)
    value, gradient = pull.gradient(context.theta, blocks, torch.empty_like(pull.anchor))
    by_autograd = penalty_by_autograd(
        lambda context, state, theta: pull.value(theta, blocks), context, state, context.theta
    )
    torch.testing.assert_close(by_autograd[0], value, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(by_autograd[1], gradient, rtol=1e-10, atol=1e-12)
    return value


def test_l2_pulls_to_the_end_of_the_last_task():
    context = FakeContext(classification_stream(tasks=4))
    part = Regularized(lam=0.7)
    state, ends, _ = after_tasks(part, 2, context)
    expected = 0.7 * (context.theta - ends[-1]).square().sum(1)
    torch.testing.assert_close(value_of(part, context, state), expected)


@pytest.mark.parametrize("distance", ["l2", "l1", "norm"])
def test_ewc_is_a_sum_of_a_term_per_task(distance):
    context = FakeContext(classification_stream(tasks=4))
    part = Regularized(lam=3.0, anchor="each", importance=Fisher(), half=True, distance=distance)
    state, ends, fishers = after_tasks(part, 3, context)
    expected = 0.0
    for end, fisher in zip(ends, fishers, strict=True):
        delta = context.theta - end
        if distance == "l2":
            expected += 1.5 * (fisher * delta.square()).sum(1)
        elif distance == "l1":
            expected += 1.5 * (fisher * delta.abs()).sum(1)
        else:
            for place in context.layout.slices().values():
                expected += 1.5 * (fisher * delta.square())[:, place].sum(1).sqrt()
    torch.testing.assert_close(value_of(part, context, state), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("gamma", [1.0, 0.5, 0.0])
def test_online_ewc_decays_old_importance_and_keeps_one_anchor(gamma):
    context = FakeContext(classification_stream(tasks=4))
    part = Regularized(lam=3.0, importance=Fisher(gamma=gamma), half=True)
    state, ends, fishers = after_tasks(part, 3, context)
    omega = gamma**2 * fishers[0] + gamma * fishers[1] + fishers[2]
    expected = 1.5 * (omega * (context.theta - ends[-1]).square()).sum(1)
    torch.testing.assert_close(value_of(part, context, state), expected, rtol=1e-9, atol=1e-12)


def test_each_with_gamma_decays_whole_terms():
    context = FakeContext(classification_stream(tasks=4))
    part = Regularized(lam=1.0, anchor="each", importance=Fisher(gamma=0.5))
    state, ends, fishers = after_tasks(part, 3, context)
    terms = zip((0.25, 0.5, 1.0), fishers, ends, strict=True)
    expected = sum(decay * (fisher * (context.theta - end).square()).sum(1) for decay, fisher, end in terms)
    torch.testing.assert_close(value_of(part, context, state), expected, rtol=1e-9, atol=1e-12)


def test_fixed_anchors_act_in_the_first_stage():
    context = FakeContext(classification_stream())
    move(context, 3)
    for anchor, target in (("zero", torch.zeros_like(context.theta)), ("init", context.initial)):
        part = Regularized(lam=2.0, anchor=anchor, half=True)
        value = value_of(part, context, part.start(context))
        torch.testing.assert_close(value, (context.theta - target).square().sum(1))


def test_moving_anchors_do_nothing_in_the_first_stage():
    acts = Regularized(importance=PathIntegral()).at(0)
    assert not acts.penalises
    assert acts.sums is not None
    assert acts.trains
    assert Regularized().at(0).trains is False


def test_groups_have_their_own_anchor_and_lambda():
    context = FakeContext(classification_stream())
    groups = (Group("layers.*", lam=10.0, anchor="init"), Group("head.bias", penalised=False))
    part = Regularized(lam=2.0, anchor="zero", groups=groups)
    state = part.start(context)
    move(context, 5)
    views, initial = context.layout.views(context.theta), context.layout.views(context.initial)
    expected = torch.zeros(2, dtype=torch.float64)
    for name in ("layers.0.weight", "layers.0.bias"):
        expected += 20.0 * (views[name] - initial[name]).square().flatten(1).sum(1)
    expected += 2.0 * views["head.weight"].square().flatten(1).sum(1)
    torch.testing.assert_close(value_of(part, context, state), expected)
    distance = anchor_distance([pull_of(part, context, state)[0]], context.theta)
    held = views["head.weight"].square().flatten(1).sum(1)
    for name in ("layers.0.weight", "layers.0.bias"):
        held += (views[name] - initial[name]).square().flatten(1).sum(1)
    torch.testing.assert_close(distance, held.sqrt())


def test_groups_mix_fixed_and_moving_anchors():
    context = FakeContext(classification_stream(tasks=3))
    part = Regularized(lam=1.0, groups=(Group("head.*", anchor="zero"),))
    state = part.start(context)
    head = context.layout.views(context.theta)["head.weight"].square().flatten(1).sum(1)
    head = head + context.layout.views(context.theta)["head.bias"].square().sum(1)
    torch.testing.assert_close(value_of(part, context, state), head)
    state, ends, _ = after_tasks(part, 2, context)
    views, end = context.layout.views(context.theta), context.layout.views(ends[-1])
    expected = views["head.weight"].square().flatten(1).sum(1) + views["head.bias"].square().sum(1)
    for name in ("layers.0.weight", "layers.0.bias"):
        expected = expected + (views[name] - end[name]).square().flatten(1).sum(1)
    torch.testing.assert_close(value_of(part, context, state), expected)


def test_lanes_have_their_own_numbers():
    context = FakeContext(classification_stream(tasks=3), lanes=2)
    groups = (Group("head.*", lam=5.0),)
    parts = [
        Regularized(lam=1.0, importance=Fisher(gamma=0.5), groups=groups),
        Regularized(lam=4.0, importance=Fisher(gamma=1.0), groups=(Group("head.*", lam=0.5),)),
    ]
    together = stack(parts)
    state, _, _ = after_tasks(together, 2, context)
    found = value_of(together, context, state)
    for lane, part in enumerate(parts):
        alone = FakeContext(classification_stream(tasks=3), lanes=2)
        state, _, _ = after_tasks(part, 2, alone)
        assert float(found[lane]) == pytest.approx(float(value_of(part, alone, state)[lane]), rel=1e-6)


def sgd_step(part, context, state, coupling):
    """One plain SGD step with or without the penalty in the gradient."""
    context.theta_before = context.theta.clone()
    pull, blocks = pull_of(part, context, state)
    assert pull.decoupled == (coupling == "decoupled")
    _, gradient = pull.gradient(context.theta, blocks, torch.empty_like(pull.anchor))
    context.theta -= context.lr[:, None] * (context.task_gradient + gradient)
    if pull.decoupled:
        pull.shrink(context.theta, context.theta_before, context.lr[:, None], blocks)


def test_decoupled_is_loss_coupled_for_plain_sgd():
    ends = {}
    for coupling in ("loss", "decoupled"):
        context = FakeContext(regression_stream(), lr=0.05)
        part = Regularized(lam=0.3, anchor="zero", half=True, coupling=coupling)
        state = part.start(context)
        for step in range(5):
            size = context.layout.size
            context.task_gradient[:, :size] = torch.sin(torch.arange(size) + step).double()
            sgd_step(part, context, state, coupling)
        ends[coupling] = context.theta.clone()
    torch.testing.assert_close(ends["loss"], ends["decoupled"], rtol=1e-12, atol=1e-12)
    assert not torch.equal(ends["loss"], FakeContext(regression_stream()).theta)


def test_decoupled_l1_makes_exact_zeros_and_l2_does_not():
    for distance, zeros in (("l1", True), ("l2", False)):
        context = FakeContext(regression_stream(), lr=0.1)
        part = Regularized(lam=1.0, anchor="zero", distance=distance, coupling="decoupled")
        state = part.start(context)
        for _ in range(3):
            sgd_step(part, context, state, "decoupled")
        held = context.theta[:, : context.layout.size]
        assert bool((held == 0).any()) == zeros
        initial = context.initial[:, : context.layout.size]
        # Three soft thresholds of lr · λ, or three decays by 1 − lr · λ · 2.
        thresholded = initial.sign() * (initial.abs() - 0.3).clamp(min=0)
        expected = thresholded if zeros else initial * 0.8**3
        torch.testing.assert_close(held, expected, rtol=1e-12, atol=1e-12)


def test_frozen_parameters_are_not_shrunk():
    context = FakeContext(regression_stream())
    factors = torch.ones(context.layout.padded, dtype=torch.float64)
    frozen = context.layout.slices()["head.weight"]
    factors[frozen] = 0.0
    part = Regularized(lam=1.0, anchor="zero", coupling="decoupled")
    pull, blocks = pull_of(part, context, part.start(context))
    pull.shrink(context.theta, context.theta.clone(), context.lr[:, None] * factors, blocks)
    assert torch.equal(context.theta[:, frozen], context.initial[:, frozen])
    assert not torch.equal(context.theta, context.initial)


# Sharing ------------------------------------------------------------------------------------------


def test_what_does_not_act_in_a_stage_does_not_shape_it():
    for part in (Regularized(), Regularized(anchor="each", importance=Fisher(), half=True)):
        assert shape_of(part, 0, "train") is None
        assert shape_of(part, 1, "train") is not None
        other = dataclasses.replace(part, lam=77.0, half=True, scale="mean", coupling="decoupled")
        assert shape_of(part, 0, "consolidate") == shape_of(other, 0, "consolidate") is not None
        assert shape_of(part, 1, "train") != shape_of(other, 1, "train")
    assert shape_of(Regularized(importance=Fisher("empirical")), 0, "consolidate") != shape_of(
        Regularized(importance=Fisher()), 0, "consolidate"
    )


@pytest.mark.parametrize("importance", [PathIntegral(), RWalk()])
def test_observing_shapes_the_first_stage_but_lambda_does_not(importance):
    part = Regularized(importance=importance)
    for phase in ("train", "consolidate"):
        assert shape_of(part, 0, phase) is not None
        assert shape_of(part, 0, phase) == shape_of(dataclasses.replace(part, lam=9.0), 0, phase)
    assert shape_of(part, 1, "train") != shape_of(dataclasses.replace(part, lam=9.0), 1, "train")
    other = Regularized(importance=dataclasses.replace(importance, damping=0.5))
    assert shape_of(part, 0, "train") != shape_of(other, 0, "train")


def test_fixed_anchors_shape_every_stage_unless_they_start_later():
    part = Regularized(anchor="init")
    assert shape_of(part, 0, "train") != shape_of(dataclasses.replace(part, lam=3.0), 0, "train")
    assert shape_of(part, 0, "consolidate") is None
    later = dataclasses.replace(part, from_stage=1)
    assert shape_of(later, 0, "train") is None
    assert shape_of(later, 1, "train") is not None


def test_freezing_shapes_its_stages():
    groups = (Group("head.*", frozen="later", penalised=False), Group("*"))
    part = Regularized(groups=groups)
    assert shape_of(part, 0, "train") is None
    first = Regularized(groups=(Group("head.*", frozen="first"),))
    assert shape_of(first, 0, "train") is not None
    assert shape_of(first, 0, "train") == shape_of(dataclasses.replace(first, lam=9.0), 0, "train")


def test_naive_never_acts():
    assert all(
        shape_of(Naive(), stage, phase) is None for stage in (0, 5) for phase in ("train", "consolidate")
    )


# Problems -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", [-1.0, math.nan, math.inf])
def test_lambda_must_be_finite_and_not_negative(lam):
    line = f"strategy.lam must be finite and at least 0; got strategy.lam={lam}."
    assert [found[: len(line)] for found in Regularized(lam=lam).problems()] == [line]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Regularized(anchor="start"), "got strategy.anchor=start. Known: each, file, identity"),
        (Regularized(distance="l3"), "got strategy.distance=l3. Known: l1, l2, norm."),
        (Regularized(scale="max"), "got strategy.scale=max. Known: fan, mean, sum."),
        (Regularized(coupling="both"), "got strategy.coupling=both. Known: decoupled, loss."),
        (Regularized(anchor="file"), "got strategy.file=null. Name a safetensors file."),
        (Regularized(anchor="file", file="no.safetensors"), "got strategy.file=no.safetensors."),
        (Regularized(from_stage=-1), "got strategy.from_stage=-1."),
        (Regularized(importance="fisher"), "got strategy.importance=fisher."),
        (
            Regularized(anchor="each", importance=PathIntegral(clamp="total")),
            "strategy.anchor=each with strategy.importance=PathIntegral",
        ),
        (
            Regularized(anchor="each", importance=RWalk()),
            "strategy.anchor=each with strategy.importance=RWalk",
        ),
        (Regularized(groups=(Group("*", lam=-2.0),)), "got strategy.groups.0.lam=-2.0."),
        (Regularized(groups=(Group("*", anchor="each"),)), "with strategy.groups.0.anchor=each"),
        (Regularized(groups=(Group("*", frozen="now"),)), "got strategy.groups.0.frozen=now."),
        (Regularized(groups=(Group("*", learning_rate=-1.0),)), "strategy.groups.0.learning_rate=-1.0"),
        (
            Regularized(anchor="each", distance="l1", coupling="decoupled"),
            "strategy.coupling=decoupled with strategy.anchor=each",
        ),
        (
            Regularized(distance="norm", coupling="decoupled", importance=OutputSensitivity()),
            "strategy.coupling=decoupled with strategy.importance=OutputSensitivity",
        ),
    ],
)
def test_broken_rules_are_named(part, words):
    lines = part.problems()
    assert len(lines) == 1
    assert words in lines[0]


def test_all_problems_come_together():
    assert len(Regularized(lam=-1.0, anchor="a", distance="b", importance=Fisher(gamma=-1.0)).problems()) == 4


def test_a_step_that_is_not_recorded_has_the_same_gradient_and_no_value():
    for distance in ("l2", "l1", "norm"):
        context = FakeContext(classification_stream(tasks=3))
        part = Regularized(lam=0.7, distance=distance, importance=Fisher())
        state, _, _ = after_tasks(part, 2, context)
        pull, blocks = pull_of(part, context, state)
        value, gradient = pull.gradient(context.theta, blocks, torch.empty_like(pull.anchor))
        nothing, again = pull.gradient(context.theta, blocks, torch.empty_like(pull.anchor), valued=False)
        assert torch.equal(again, gradient)
        assert nothing is None
        assert not torch.isnan(value).any()
