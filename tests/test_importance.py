"""Importance estimators against slow loops over samples with autograd, closed forms and sums by hand."""

import dataclasses
import math

import pytest
import torch
from fake_context import FakeContext, classification_stream, regression_stream
from torch.nn import functional

from clbench.importance import Fisher, OutputSensitivity, PathIntegral, RWalk, StepSums
from clbench.importance.passes import batches

SCENARIOS = ("task", "domain", "class")


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def sample_gradient(context, lane, scalar_of_outputs, sample):
    """∂ scalar(outputs of one sample) / ∂ θ of one lane, by autograd."""
    leaf = context.theta[lane : lane + 1].clone().requires_grad_()
    outputs = context.forward(leaf, context.stream.inputs[None, sample : sample + 1])[0, 0]
    return torch.autograd.grad(scalar_of_outputs(outputs), leaf)[0][0]


def log_likelihood(context, outputs, label):
    masks = context.masks()
    masked = outputs if masks is None else outputs + masks[context.stage]
    return functional.log_softmax(masked, 0)[label]


def likelihood(context, lane, sample):
    outputs = context.forward(
        context.theta[lane : lane + 1], context.stream.inputs[None, sample : sample + 1]
    )
    masks = context.masks()
    return functional.softmax(outputs[0, 0] if masks is None else outputs[0, 0] + masks[context.stage], 0)


def slow_fisher(context, lane, label):
    samples = context.stream.tasks[context.stage].train.tolist()
    total = torch.zeros_like(context.theta[0])
    for sample in samples:
        chances = likelihood(context, lane, sample)
        if label == "exact":
            weighted = [(index, chance) for index, chance in enumerate(chances.tolist()) if chance > 0]
        elif label == "predicted":
            weighted = [(int(chances.argmax()), 1.0)]
        else:
            weighted = [(int(context.stream.targets[sample]), 1.0)]
        for index, chance in weighted:
            gradient = sample_gradient(
                context, lane, lambda out, index=index: log_likelihood(context, out, index), sample
            )
            total += chance * gradient.square()
    return total / len(samples)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("label", ["exact", "predicted", "empirical"])
def test_fisher_is_the_slow_loop_over_samples(scenario, label):
    context = FakeContext(classification_stream(scenario=scenario))
    context.stage = 1
    found = Fisher(label=label, batch_size=5).estimate(context, {})
    for lane in range(context.lanes):
        expected = slow_fisher(context, lane, label)
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(found[lane], expected, rtol=1e-10, atol=1e-12)


def test_fisher_in_regression_is_the_slow_loop():
    context = FakeContext(regression_stream())
    samples = context.stream.tasks[0].train.tolist()
    for label in ("exact", "empirical"):
        found = Fisher(label=label).estimate(context, {})
        expected = torch.zeros_like(found)
        for lane in range(context.lanes):
            for sample in samples:
                if label == "exact":
                    for index in range(context.outputs):
                        gradient = sample_gradient(context, lane, lambda out, index=index: out[index], sample)
                        expected[lane] += gradient.square()
                else:
                    target = context.stream.targets[sample]
                    gradient = sample_gradient(
                        context, lane, lambda out, target=target: -0.5 * (out - target).square().sum(), sample
                    )
                    expected[lane] += gradient.square()
        torch.testing.assert_close(found, expected / len(samples), rtol=1e-10, atol=1e-12)


def test_fisher_of_logistic_regression_in_closed_form():
    context = FakeContext(classification_stream(scenario="domain", classes=2), hidden=())
    found = context.layout.views(Fisher(label="exact").estimate(context, {}))
    x = context.stream.inputs[context.stream.tasks[0].train]
    logits = context.forward(context.theta, x.expand(context.lanes, -1, -1))
    p = torch.sigmoid(logits[..., 1] - logits[..., 0])
    variance = p * (1 - p)  # of the label: the Fisher of one logit
    expected = torch.einsum("ln,nf->lf", variance, x.square()) / len(x)
    for row in (0, 1):
        torch.testing.assert_close(found["head.weight"][:, row], expected, rtol=1e-10, atol=0)
        torch.testing.assert_close(found["head.bias"][:, row], variance.mean(1), rtol=1e-10, atol=0)


def test_sampled_fisher_tends_to_the_exact_one_and_belongs_to_the_seed():
    context = FakeContext(classification_stream(samples=6, scenario="class"))
    exact = Fisher(label="exact").estimate(context, {})
    draws = []
    for step in range(400):
        context.step = step
        draws.append(Fisher(label="sampled").estimate(context, {}))
    mean, error = torch.stack(draws).mean(0), torch.stack(draws).std(0) / math.sqrt(len(draws))
    assert ((mean - exact).abs() <= 5 * error + 1e-12).all()
    context.step = 7
    assert torch.equal(Fisher(label="sampled").estimate(context, {}), draws[7])
    context.seeds = context.seeds[::-1]
    assert not torch.equal(Fisher(label="sampled").estimate(context, {}), draws[7])


def test_batch_fisher_squares_the_mean_gradient_of_each_batch():
    context = FakeContext(classification_stream())
    found = Fisher(label="empirical", per="batch", batch_size=5).estimate(context, {})
    parts = context.train_addresses(0).split(5, 1)
    assert [part.shape[1] for part in parts] == [5, 5, 2]
    expected = torch.stack([context.gradient_of(context.fetch(part)).square() for part in parts]).mean(0)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14)


def test_drawn_samples_are_distinct_and_the_seeds_own():
    context = FakeContext(classification_stream())
    drawn = torch.cat([batch.address for batch in batches(context, 3, 7, "purpose")], 1)
    assert drawn.shape == (2, 7)
    assert all(len(set(row.tolist())) == 7 for row in drawn)
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("scenario", ["class", "task", "domain"])
def test_output_sensitivity_is_the_slow_loop(scenario):
    context = FakeContext(classification_stream(scenario=scenario))
    active = [0, 1]  # of the first task, and of all classes seen then
    samples = context.stream.tasks[0].train.tolist()
    found = OutputSensitivity(per="sample").estimate(context, {})
    for lane in range(context.lanes):
        gradients = [
            sample_gradient(context, lane, lambda out: out[active].square().sum(), sample)
            for sample in samples
        ]
        expected = torch.stack(gradients).abs().mean(0)
        torch.testing.assert_close(found[lane], expected, rtol=1e-10, atol=1e-12)
    found = OutputSensitivity(per="batch", batch_size=5).estimate(context, {})
    for lane in range(context.lanes):
        gradients = []
        for part in (samples[:5], samples[5:10], samples[10:]):
            leaf = context.theta[lane : lane + 1].clone().requires_grad_()
            outputs = context.forward(leaf, context.stream.inputs[None, part])[..., active]
            gradients.append(torch.autograd.grad(outputs.square().mean(), leaf)[0][0].abs())
        torch.testing.assert_close(found[lane], torch.stack(gradients).mean(0), rtol=1e-10, atol=1e-12)


def take_step(context, estimator, state, gradient, move, penalty=0.0):
    """Pretend that a step with this gradient moved θ."""
    context.step += 1
    context.stage_step += 1
    context.theta_before = context.theta.clone()
    context.task_gradient = torch.zeros_like(context.theta)
    context.task_gradient[:, :2] = torch.tensor(gradient, dtype=torch.float64)
    context.total_gradient = context.task_gradient + penalty
    context.theta[:, :2] += torch.tensor(move, dtype=torch.float64)
    StepSums(estimator.sums(context, state), context.theta).add(context)
    if estimator.observe is not None and context.stage_step % estimator.observed_every == 0:
        estimator.observe(context, state)


STEPS = [((1.0, 2.0), (-0.1, -0.2)), ((0.5, -1.0), (-0.2, 0.1)), ((-2.0, 1.0), (-0.1, 0.3))]


@pytest.mark.parametrize("gradient", ["unregularised", "regularised"])
def test_path_integral_by_hand_on_three_steps(gradient):
    context = FakeContext(classification_stream())
    estimator = PathIntegral(gradient=gradient, clamp="none")
    state = estimator.start(context)
    for value, move in STEPS:
        take_step(context, estimator, state, value, move, penalty=0.5)
    found = estimator.estimate(context, state)[:, :2]
    # −Σ g·δ: 0.1 + 0.1 − 0.2 = 0 and 0.4 + 0.1 − 0.3 = 0.2; total moves −0.4 and 0.2.
    path = double([0.0, 0.2])
    if gradient == "regularised":  # 0.5 more in every g: −0.5 · (−0.4) and −0.5 · 0.2
        path = path + double([0.2, -0.1])
    expected = path / double([0.16 + 0.1, 0.04 + 0.1])
    torch.testing.assert_close(found, expected.expand(2, -1), rtol=1e-12, atol=1e-12)
    assert state["path"].abs().max() == 0
    assert torch.equal(state["origin"], context.theta)


def test_clamp_drops_what_raised_the_loss():
    context = FakeContext(classification_stream())
    for clamp, expected in (("none", -0.1 / (0.01 + 0.1)), ("task", 0.0)):
        estimator = PathIntegral(clamp=clamp)
        state = estimator.start(context)
        take_step(context, estimator, state, (1.0, 0.0), (0.1, 0.0))
        assert float(estimator.estimate(context, state)[0, 0]) == pytest.approx(expected, abs=1e-12)


def test_clamps_of_three_tasks_by_hand():
    """One step a task: Ω_task is 1, −3 and 1 times 0.1 / 0.11; the authors' code clamps the running sum."""
    context = FakeContext(classification_stream())
    found = {}
    for clamp in ("none", "task", "total"):
        estimator, total = PathIntegral(clamp=clamp), None
        state = estimator.start(context)
        for gradient in (-1.0, 3.0, -1.0):
            take_step(context, estimator, state, (gradient, 0.0), (0.1, 0.0))
            total = estimator.add(total, estimator.estimate(context, state))
        found[clamp] = float(total[0, 0]) / (0.1 / 0.11)
    assert found == {"none": pytest.approx(-1), "task": pytest.approx(2), "total": pytest.approx(1)}


def test_rwalk_by_hand():
    context = FakeContext(classification_stream())
    estimator = RWalk(decay_rate=0.9, interval=2, damping=0.01, half=False, normalised=False)
    state = estimator.start(context)
    for value, move in STEPS[:2]:
        take_step(context, estimator, state, value, move)
    # F begins with 1 and 4; ΔL = 0.1 + 0.1 and 0.4 + 0.1; moves −0.3 and −0.1.
    score = double([0.2 / (1 * 0.09 + 0.01), 0.5 / (4 * 0.01 + 0.01)])
    fisher = double([0.1 * 1 + 0.9 * (1 + 0.25) / 2, 0.1 * 4 + 0.9 * (4 + 1) / 2])
    found = estimator.estimate(context, state)[0, :2]
    torch.testing.assert_close(found, fisher + score, rtol=1e-12, atol=1e-12)
    context.stage, context.stage_step = 1, 0
    for value, move in STEPS[:2]:
        take_step(context, estimator, state, value, move)
    fresh = double([0.2, 0.5]) / (fisher * double([0.09, 0.01]) + double(0.01))
    fisher = 0.1 * fisher + 0.9 * double([(1 + 0.25) / 2, (4 + 1) / 2])
    found = estimator.estimate(context, state)[0, :2]
    torch.testing.assert_close(found, fisher + 0.5 * (score + fresh), rtol=1e-12, atol=1e-12)


def test_rwalk_as_in_the_authors_code_by_hand():
    """Squares add up over the task, and ½ (s + s_task) is added onto s."""
    context = FakeContext(classification_stream())
    estimator = RWalk(
        decay_rate=0.9,
        interval=1,
        damping=0.01,
        half=False,
        normalised=False,
        score="added",
        window="task",
    )
    state = estimator.start(context)
    fisher, score = double([1.0, 4.0]), double([0.0, 0.0])
    for stage in range(2):
        context.stage, context.stage_step = stage, 0
        squares, fresh = double([0.0, 0.0]), double([0.0, 0.0])
        for gradient, move in STEPS[:2]:
            take_step(context, estimator, state, gradient, move)
            gradient, move = double(gradient), double(move)
            fresh += (-gradient * move / (fisher * move**2 + 0.01)).clamp(min=0)
            squares += gradient**2
            fisher = 0.1 * fisher + 0.9 * squares
        score = fresh if stage == 0 else score + 0.5 * (score + fresh)
        found = estimator.estimate(context, state)[0, :2]
        torch.testing.assert_close(found, fisher + score, rtol=1e-12, atol=1e-12)


def test_rwalk_without_score_is_a_running_fisher_between_0_and_1():
    context = FakeContext(classification_stream())
    estimator = RWalk(interval=1, score="none")
    state = estimator.start(context)
    take_step(context, estimator, state, *STEPS[0])
    found = estimator.estimate(context, state)
    torch.testing.assert_close(found[0, :2], double([0.25, 1.0]), rtol=1e-12, atol=1e-12)
    assert found[:, 2:].abs().max() == 0


def test_rwalk_normalised_maps_both_parts_to_0_and_1():
    context = FakeContext(classification_stream())
    estimator = RWalk(interval=1)
    state = estimator.start(context)
    take_step(context, estimator, state, *STEPS[0])
    found = estimator.estimate(context, state)
    # F is 1 and 4, s is 0.1 / (½ · 0.01 + 0.001) and 0.4 / (½ · 4 · 0.04 + 0.001), all others 0.
    expected = double([0.25 + 1.0, 1.0 + (0.4 / 0.081) / (0.1 / 0.006)])
    torch.testing.assert_close(found[0, :2], expected, rtol=1e-12, atol=1e-12)
    assert found[:, 2:].abs().max() == 0


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Fisher(label="true"), "strategy.importance.label=true. Known: empirical, exact"),
        (Fisher(per="batch"), "strategy.importance.per=batch with strategy.importance.label=exact"),
        (Fisher(gamma=-1.0), "strategy.importance.gamma=-1.0"),
        (Fisher(samples=0), "strategy.importance.samples=0"),
        (PathIntegral(damping=0.0), "strategy.importance.damping=0.0"),
        (PathIntegral(clamp="all"), "strategy.importance.clamp=all. Known: none, task, total"),
        (PathIntegral(gradient="both"), "strategy.importance.gradient=both"),
        (OutputSensitivity(per="task"), "strategy.importance.per=task"),
        (RWalk(interval=0), "strategy.importance.interval=0"),
        (RWalk(score="sum"), "strategy.importance.score=sum. Known: "),
        (RWalk(window="run"), "strategy.importance.window=run. Known: "),
        (RWalk(decay_rate=float("nan")), "strategy.importance.decay_rate=nan"),
    ],
)
def test_bad_fields_are_named(part, words):
    assert any(words in line for line in part.problems()), part.problems()
    assert dataclasses.replace(part, **{}).problems() == part.problems()
    assert type(part)().problems() == []
