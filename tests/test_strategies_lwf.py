"""Learning without forgetting against torch's kl_div and explicit sums; shrink and perturb by hand."""

import math

import pytest
import torch
from fake_context import FakeContext, classification_stream, regression_stream
from torch.nn import functional

from clbench.engine.distillations import Distillations
from clbench.engine.plan import shape_of
from clbench.lanes import stack
from clbench.strategies import Distillation, LwF, ShrinkPerturb


def taught(part, context, stages):
    """Return the state after some stages, with θ moved away from the teacher."""
    state = part.start(context)
    for stage in range(stages):
        context.stage = stage
        state = part.consolidate(context, state)
    teacher = context.theta.clone()
    context.theta[:, : context.layout.size] += 0.3
    context.stage = stages
    return state, teacher


def student_and_teacher(context, teacher, stage):
    inputs = context.fetch(context.train_addresses(stage)[:, :5]).inputs
    return context.forward(context.theta, inputs), context.forward(teacher, inputs)


def held(part, context, state):
    """Return what the outputs are held to in the context's stage."""
    (found,) = part.at(context.stage).distillations(context, state)
    return found


def kl(student, teacher, temperature):
    """T² · mean over samples of KL, by torch."""
    found = functional.kl_div(
        functional.log_softmax(student / temperature, 1),
        functional.softmax(teacher / temperature, 1),
        reduction="batchmean",
    )
    return temperature**2 * found


@pytest.mark.parametrize(
    ("scenario", "heads", "new"),
    [
        ("domain", [(0, 2)], False),
        ("domain", [(0, 2)], True),
        ("class", [(0, 4)], False),
        ("task", [(0, 2), (2, 4)], False),
        ("task", [(0, 2), (2, 4)], True),  # another head's outputs are no new classes of an old one
    ],
)
def test_loss_is_torchs_kl_over_the_old_heads(scenario, heads, new):
    context = FakeContext(classification_stream(tasks=3, scenario=scenario))
    part = LwF(lam=1.5, temperature=2.0, new_classes=new)
    state, teacher = taught(part, context, 2)
    outputs, targets = student_and_teacher(context, teacher, 2)
    found = held(part, context, state).value(outputs, targets)
    for lane in range(2):
        terms = [kl(outputs[lane, :, low:high], targets[lane, :, low:high], 2.0) for low, high in heads]
        expected = 1.5 * sum(terms) / len(terms)
        assert float(expected) > 1e-4
        assert float(found[lane]) == pytest.approx(float(expected), rel=1e-10)


def test_new_classes_compete_in_the_students_softmax():
    context = FakeContext(classification_stream(tasks=2, scenario="class"))
    part = LwF(temperature=2.0, new_classes=True)
    state, teacher = taught(part, context, 1)
    outputs, targets = student_and_teacher(context, teacher, 1)
    leaf = outputs.detach().requires_grad_()
    gradient = held(part, context, state).errors(leaf.detach(), targets)
    # van de Ven's: cross-entropy of all four classes with targets padded by 0, times T².
    padded = torch.cat([functional.softmax(targets[..., :2] / 2, 2), torch.zeros_like(targets[..., :2])], 2)
    losses = -(padded * functional.log_softmax(leaf / 2, 2)).sum(2).mean(1) * 4
    expected = torch.autograd.grad(losses.sum(), leaf)[0]
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-14)
    assert torch.isfinite(gradient).all()
    assert gradient[..., 2:].abs().min() > 0


VARIANTS = {
    **{f"{scenario}, a sum": (scenario, {}) for scenario in ("task", "domain", "class")},
    "by tasks": ("task", {"weighting": "tasks"}),
    "new classes": ("class", {"new_classes": True}),
    "new classes, averaged": ("class", {"new_classes": True, "classes": "mean"}),
    "averaged over heads of their own": ("task", {"classes": "mean", "weighting": "tasks"}),
    "squares": ("regression", {}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_errors_are_the_gradient_of_the_value(name):
    scenario, fields = VARIANTS[name]
    stream = regression_stream(tasks=3)
    if scenario != "regression":
        stream = classification_stream(tasks=3, scenario=scenario)
    context = FakeContext(stream)
    part = stack([LwF(lam=0.7, temperature=2.0, **fields), LwF(lam=0.2, temperature=0.5, **fields)])
    state, teacher = taught(part, context, 2)
    outputs, targets = student_and_teacher(context, teacher, 2)
    found = held(part, context, state)
    leaf = outputs.clone().requires_grad_()
    (expected,) = torch.autograd.grad(found.value(leaf, targets).sum(), leaf)
    assert expected.abs().amax((1, 2)).min() > 1e-4
    torch.testing.assert_close(found.errors(outputs, targets), expected, rtol=1e-6, atol=1e-12)
    assert torch.equal(found.errors(outputs, targets) == 0, expected == 0)
    assert torch.equal(found.taught, teacher)


def test_the_values_gradient_is_finite_differences():
    student, teacher = torch.randn(1, 3, 4, dtype=torch.float64), torch.randn(1, 3, 4, dtype=torch.float64)
    mask = torch.tensor([[[0.0, 0.0, float("-inf"), 0.0]]], dtype=torch.float64)
    found = Distillation(torch.zeros(1, 8), temperature=3.0, teacher=mask, student=mask)
    assert torch.autograd.gradcheck(
        lambda outputs: found.value(outputs, teacher), (student.requires_grad_(),)
    )
    assert found.errors(student.detach(), teacher)[..., 2].abs().max() == 0


@pytest.mark.parametrize(
    ("scenario", "new", "classes"), [("domain", False, 2), ("class", False, 4), ("class", True, 6)]
)
def test_average_over_classes_is_torchs_mean(scenario, new, classes):
    context = FakeContext(classification_stream(tasks=3, scenario=scenario))
    part = LwF(classes="mean", new_classes=new)
    state, teacher = taught(part, context, 2)
    outputs, targets = student_and_teacher(context, teacher, 2)
    found = held(part, context, state).value(outputs, targets)
    old = min(classes, 4)
    for lane in range(2):
        target = functional.softmax(targets[lane, :, :old] / 2.0, 1)
        target = functional.pad(target, (0, classes - old))
        student = functional.log_softmax(outputs[lane, :, :classes] / 2.0, 1)
        expected = 4.0 * functional.kl_div(student, target, reduction="none").mean()
        assert float(found[lane]) == pytest.approx(float(expected), rel=1e-10)


def test_zero_at_the_teacher():
    context = FakeContext(classification_stream(tasks=2))
    part = LwF()
    state, teacher = taught(part, context, 1)
    _, targets = student_and_teacher(context, teacher, 1)
    found = held(part, context, state)
    assert found.value(targets, targets).abs().max() < 1e-15
    assert found.errors(targets, targets).abs().max() == 0


def test_regression_distils_the_squared_difference():
    context = FakeContext(regression_stream())
    part = LwF(lam=0.5)
    state, teacher = taught(part, context, 1)
    outputs, targets = student_and_teacher(context, teacher, 1)
    found = held(part, context, state).value(outputs, targets)
    expected = [0.5 * functional.mse_loss(outputs[lane], targets[lane]) for lane in range(2)]
    torch.testing.assert_close(found, torch.stack(expected))


def test_weighting_by_tasks_is_a_share_of_both_losses():
    context = FakeContext(classification_stream(tasks=3))
    part = stack([LwF(lam=1.0, weighting="tasks"), LwF(lam=0.0, weighting="tasks")])
    state, teacher = taught(part, context, 2)
    batch = context.fetch(context.train_addresses(2)[:, :5])
    outputs, targets = student_and_teacher(context, teacher, 2)
    old = held(stack([LwF(), LwF()]), context, state).value(outputs, targets)
    found = held(part, context, state)
    # n = 3: a third of the new loss, two thirds of the old.
    assert found.task_weight.tolist() == [pytest.approx(1 / 3), 1.0]
    assert found.value(outputs, targets).tolist() == [pytest.approx(float(old[0]) * 2 / 3), 0.0]
    errors = Distillations(context, (found,)).add(batch, outputs, torch.full_like(outputs, 6.0))
    torch.testing.assert_close(errors[0], 2.0 + found.errors(outputs, targets)[0])
    assert (errors[1] == 6.0).all()


def test_the_first_stage_is_naives_and_lambda_shapes_no_teacher():
    part, other = LwF(), LwF(lam=9.0, temperature=5.0)
    assert shape_of(part, 0, "train") is None
    assert shape_of(part, 0, "consolidate") == shape_of(other, 0, "consolidate") is not None
    assert shape_of(part, 1, "train") != shape_of(other, 1, "train")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (LwF(lam=-1.0), "got strategy.lam=-1.0."),
        (LwF(temperature=0.0), "got strategy.temperature=0.0."),
        (LwF(weighting="both"), "got strategy.weighting=both."),
        (LwF(lam=2.0, weighting="tasks"), "got strategy.lam=2.0 with strategy.weighting=tasks."),
        (ShrinkPerturb(shrink=1.5), "got strategy.shrink=1.5."),
        (ShrinkPerturb(perturb=math.inf), "got strategy.perturb=inf."),
    ],
)
def test_bad_fields_are_named(part, words):
    lines = part.problems()
    assert len(lines) == 1
    assert words in lines[0]


def test_shrink_and_perturb():
    context = FakeContext(classification_stream(samples=200), lanes=2, hidden=(40, 40))
    size = context.layout.size
    before = context.theta.clone()
    ShrinkPerturb(shrink=0.5, perturb=0.0).consolidate(context, {})
    torch.testing.assert_close(context.theta, 0.5 * before)
    context.theta.copy_(before)
    ShrinkPerturb(shrink=1.0, perturb=0.1).consolidate(context, {})
    noise = (context.theta - before)[:, :size]
    assert noise.std().item() == pytest.approx(0.1, rel=0.05)
    assert not torch.equal(noise[0], noise[1])
    assert (context.theta - before)[:, size:].abs().sum() == 0
    factors = torch.ones(context.layout.padded, dtype=torch.float64)
    factors[:5] = 0.0
    context.rate_factors = lambda: factors
    before = context.theta.clone()
    ShrinkPerturb().consolidate(context, {})
    assert torch.equal(context.theta[:, :5], before[:, :5])
    assert not torch.equal(context.theta[:, 5:], before[:, 5:])
