"""The engine against code that is not ours: plain torch loops and closed forms."""

from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from test_engine_invariants import assert_same_bits, make, results
from torch import nn

from clbench.config import COMPETING, Evaluation, Training
from clbench.engine.check import find_problems
from clbench.engine.data import batch_positions, step_bounds, steps_of
from clbench.engine.evaluate import evaluation_steps
from clbench.importance import PathIntegral
from clbench.models import MLP
from clbench.optimizers import SGD, Adagrad, Adam, AdamW
from clbench.strategies import Cumulative, Joint, LwF, Naive, NaiveRehearsal, Regularized
from clbench.streams import PermutedImages, SplitImages
from clbench.streams.base import generator

OPTIMIZERS = [SGD(lr=0.02, momentum=0.9), Adam(lr=0.003), AdamW(lr=0.003), Adagrad()]
TORCH = {
    SGD: (torch.optim.SGD, {"momentum": "momentum", "weight_decay": "weight_decay"}),
    Adam: (torch.optim.Adam, {"weight_decay": "weight_decay"}),
    AdamW: (torch.optim.AdamW, {"weight_decay": "weight_decay"}),
    Adagrad: (torch.optim.Adagrad, {"weight_decay": "weight_decay"}),
}


def plain_network(run, stream):
    sizes = [stream.inputs[0].numel(), *run.model.hidden, stream.outputs]
    layers = []
    for before, after in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(before, after), nn.Tanh() if run.model.activation == "tanh" else nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    initial = run.model.initialise(stream, generator(run.seed, "init"))
    for parameter, value in zip(network.parameters(), initial.values(), strict=True):
        parameter.data.copy_(value)
    return network


def inputs_of(stream, task, samples):
    """Return the samples as a task sees them, flat."""
    flat = stream.inputs[samples].flatten(1)
    permutation = stream.tasks[task].permutation
    return flat if permutation is None else flat[:, permutation]


def competing(run, stream, task, stage):
    """Return the range of outputs that compete in training for samples of a task."""
    choice = {"task": "task", "class": run.training.outputs}.get(stream.scenario, "all")
    if choice == "task":
        return stream.tasks[task].outputs
    last = stream.tasks[stage]
    return (0, stream.outputs if choice == "all" else last.classes_until or last.outputs[1])


def textbook_loss(run, stream, stage, owners, outputs, targets):
    """Return the mean of torch's losses, each over the outputs that compete for the sample."""
    if stream.loss == "mse":
        return nn.MSELoss()(outputs, targets)
    total = 0.0
    for task in owners.unique().tolist():
        own = owners == task
        first, last = competing(run, stream, task, stage)
        total = total + nn.functional.cross_entropy(
            outputs[own, first:last], targets[own] - first, reduction="sum"
        )
    return total / len(owners)


def textbook_lwf(run, stream, stage, outputs, taught):
    """Return LwF's loss on the outputs by torch's cross-entropy, up to a constant in the student."""
    part, temperature = run.strategy, run.strategy.temperature
    if stream.scenario == "task":
        heads = [(task.outputs, task.outputs) for task in stream.tasks[:stage]]
    elif stream.scenario == "class":
        past = stream.tasks[stage - 1]
        old = past.classes_until or past.outputs[1]  # blurred: all that the teacher had samples of
        first, last = competing(run, stream, stage, stage)
        heads = [((0, old), (0, last if part.new_classes and first == 0 else old))]
    else:
        heads = [((0, stream.outputs), (0, stream.outputs))]
    total = 0.0
    for (low, high), (first, last) in heads:
        target = torch.softmax(taught[:, low:high] / temperature, 1)
        target = nn.functional.pad(target, (low - first, last - high))
        divergence = nn.functional.cross_entropy(outputs[:, first:last] / temperature, target)
        total = total + divergence / (last - first if part.classes == "mean" else 1)
    return temperature**2 * total / len(heads)


def plain_loop(run, lam=0.0, data="own"):
    """Train as a textbook would and return the test loss of every task after every stage.

    A stage's data: its `own` task's, that of all tasks (`joint`) or of those so far (`cumulative`); or
    tensors of tasks and samples for every stage.
    """
    stream = run.stream.build(run.seed)
    network = plain_network(run, stream)
    kind, names = TORCH[type(run.optimizer)]
    options = {theirs: getattr(run.optimizer, ours) for theirs, ours in names.items()}
    optimizer = kind(network.parameters(), lr=run.optimizer.lr, **options)
    loss_of = nn.MSELoss() if stream.loss == "mse" else nn.CrossEntropyLoss()
    anchor, teacher, passed, rows = None, None, 0, []
    for stage, task in enumerate(stream.tasks):
        if run.optimizer.reset and stage:
            optimizer = kind(network.parameters(), lr=run.optimizer.lr, **options)
        chosen = {"joint": range(len(stream.tasks)), "cumulative": range(stage + 1)}.get(str(data), [stage])
        if isinstance(data, list):
            owners, samples = data[stage]
        else:
            owners = torch.cat([torch.full_like(stream.tasks[k].train, k) for k in chosen])
            samples = torch.cat([stream.tasks[k].train for k in chosen])
        seen = torch.cat([inputs_of(stream, k, samples[owners == k]) for k in owners.unique().tolist()])
        seen = seen[owners.argsort(stable=True).argsort()]  # back in the order of the samples
        steps = steps_of(len(task.train), run.training)
        bounds = step_bounds(len(samples), run.training, steps, passed if data == "joint" else 0)
        order = batch_positions(run.seed, "-".join(map(str, chosen)), len(samples), bounds)
        start = 0
        for _, low, high in bounds:
            picked = order[start : start + high - low]
            start += high - low
            inputs = seen[picked]
            outputs = network(inputs)
            targets = stream.targets[samples[picked]]
            loss = textbook_loss(run, stream, max(chosen), owners[picked], outputs, targets)
            if anchor is not None and lam:
                now = torch.nn.utils.parameters_to_vector(network.parameters())
                loss = loss + lam * (now - anchor).square().sum()
            if teacher is not None and isinstance(run.strategy, LwF):
                old = textbook_lwf(run, stream, stage, outputs, teacher(inputs).detach())
                share = run.strategy.lam * (1 - 1 / (stage + 1))
                by_tasks = run.strategy.weighting == "tasks"
                loss = (1 - share) * loss + share * old if by_tasks else loss + run.strategy.lam * old
            optimizer.zero_grad(set_to_none=False)
            loss.backward()
            optimizer.step()
        passed += steps
        anchor = torch.nn.utils.parameters_to_vector(network.parameters()).detach().clone()
        teacher = deepcopy(network)
        row = []
        for number, other in enumerate(stream.tasks):
            outputs = network(inputs_of(stream, number, other.test)).detach()
            first, last = other.outputs if stream.scenario == "task" else (0, stream.outputs)
            targets = stream.targets[other.test] - (first if stream.loss != "mse" else 0)
            row.append(float(loss_of(outputs[:, first:last], targets)))
        rows.append(row)
    return np.array(rows)


def stage_ends(result):
    return result.loss[result.full][1:, :, result.splits.index("test")]


@pytest.mark.parametrize("stream", ["regression", "task", "class"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_naive_is_the_textbook_loop(stream, optimizer, activation):
    run = make(stream, optimizer=optimizer, model=MLP(hidden=(24, 16), activation=activation), seed=2)
    np.testing.assert_allclose(stage_ends(results([run])[0]), plain_loop(run), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("outputs", COMPETING)
@pytest.mark.parametrize(
    ("strategy", "data"), [(Naive(), "own"), (Joint(), "joint"), (Cumulative(), "cumulative")]
)
def test_outputs_that_compete_are_the_textbook_loops(outputs, strategy, data):
    training = Training(steps=8, batch_size=16, outputs=outputs)
    run = make("class", strategy, seed=2, training=training)
    expected = plain_loop(run, data=data)
    np.testing.assert_allclose(stage_ends(results([run])[0]), expected, rtol=1e-4, atol=1e-4)
    other = replace(run, training=replace(training, outputs="all" if outputs == "task" else "task"))
    assert np.abs(plain_loop(other, data=data) - expected).max() > 1e-2


REHEARSED = {}


@dataclass(frozen=True)
class Watched(NaiveRehearsal):
    """Tell the tasks and samples of every stage."""

    def data(self, context, state, address):
        found = super().data(context, state, address)
        REHEARSED[context.stage] = (found[0] // context.pool, found[0] % context.pool)
        return found


@pytest.mark.parametrize("outputs", COMPETING)
def test_outputs_compete_for_samples_from_a_memory_as_in_the_textbook_loop(outputs):
    run = make(
        "class", Watched(buffer_size=40), seed=2, training=Training(steps=8, batch_size=16, outputs=outputs)
    )
    REHEARSED.clear()
    found = results([run], threads=1)[0]
    own = run.stream.build(run.seed).tasks[0].train  # the first stage is naive's
    data = [(torch.zeros_like(own), own), *(REHEARSED[stage] for stage in range(1, 5))]
    assert [len(owners.unique()) for owners, _ in data] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(stage_ends(found), plain_loop(run, data=data), rtol=1e-4, atol=1e-4)


def test_own_outputs_alone_are_refused_where_boundaries_are_blurred():
    run = make(SplitImages(scenario="class", blur=0.2), training=Training(outputs="task"))
    (line,) = find_problems([run])
    assert "got training.outputs=task with samples of other classes in task 0." in line
    assert find_problems([replace(run, training=Training(outputs="all"))]) == []
    (line,) = Training(outputs="none").problems()
    assert "got training.outputs=none. Known: all, seen, task." in line


LWF_SCENARIOS = [("task", "seen"), ("domain", "seen"), *(("class", outputs) for outputs in COMPETING)]


@pytest.mark.parametrize(("scenario", "outputs"), LWF_SCENARIOS)
@pytest.mark.parametrize(("weighting", "classes"), [("sum", "sum"), ("tasks", "mean")])
@pytest.mark.parametrize("new_classes", [False, True])
def test_lwf_is_the_textbook_loop_in_every_stage(scenario, outputs, weighting, classes, new_classes):
    """The last stage of a class-incremental stream has no mask: all outputs compete there."""
    part = LwF(lam=0.8, weighting=weighting, classes=classes, new_classes=new_classes)
    training = Training(steps=6, batch_size=16, outputs=outputs)
    run = make(SplitImages(scenario=scenario), part, seed=2, training=training)
    expected = plain_loop(run)
    np.testing.assert_allclose(stage_ends(results([run])[0]), expected, rtol=1e-4, atol=1e-4)
    other = replace(run, strategy=replace(part, new_classes=not new_classes))
    differs = np.abs(plain_loop(other)[-1] - expected[-1]).max() > 1e-2
    assert differs == (scenario == "class" and outputs != "task")


@pytest.mark.parametrize("new_classes", [False, True])
@pytest.mark.parametrize("outputs", ["seen", "all"])
def test_lwf_with_blurred_boundaries_is_the_textbook_loop(outputs, new_classes):
    """Early classes compete from the stage on in which their first samples come; before the last all do."""
    training = Training(steps=6, batch_size=16, outputs=outputs)
    part = LwF(lam=0.8, new_classes=new_classes)
    run = make(SplitImages(scenario="class", blur=0.3), part, seed=2, training=training)
    np.testing.assert_allclose(stage_ends(results([run])[0]), plain_loop(run), rtol=1e-4, atol=1e-4)


def test_a_large_net_alone_is_the_textbook_loop_and_itself_in_company():
    changes = {"model": MLP(hidden=(600, 520)), "optimizer": Adam(lr=3e-4)}
    run, other = (
        make("class", training=Training(steps=15, batch_size=64), seed=seed, **changes) for seed in (2, 5)
    )
    alone = results([run], threads=2)[0]
    np.testing.assert_allclose(stage_ends(alone), plain_loop(run), rtol=1e-4, atol=1e-5)
    assert_same_bits(alone, results([other, run], threads=1)[1])


def test_a_large_teacher_alone_has_the_bits_it_has_in_company():
    changes = {"strategy": LwF(lam=2.0), "model": MLP(hidden=(600, 520))}
    run, other = (
        make("class", training=Training(steps=8, batch_size=64), seed=seed, **changes) for seed in (2, 5)
    )
    assert_same_bits(results([run], threads=2)[0], results([other, run], threads=1)[1])


@pytest.mark.parametrize("reset", [False, True])
def test_state_of_the_optimizer_is_kept_or_reset(reset):
    run = make(optimizer=Adam(lr=0.003, reset=reset))
    np.testing.assert_allclose(stage_ends(results([run])[0]), plain_loop(run), rtol=1e-5)


@pytest.mark.parametrize("stream", ["regression", "task", "class"])
def test_joint_is_the_textbook_loop_on_the_union(stream):
    run = make(stream, Joint())
    found = results([run])[0]
    np.testing.assert_allclose(stage_ends(found), plain_loop(run, data="joint"), rtol=1e-5, atol=1e-5)
    assert found.steps == results([make(stream)])[0].steps


@pytest.mark.parametrize("stream", ["task", "class", SplitImages(scenario="domain"), PermutedImages(tasks=3)])
def test_cumulative_is_the_textbook_loop_on_the_tasks_so_far(stream):
    run = make(stream, Cumulative())
    expected = plain_loop(run, data="cumulative")
    np.testing.assert_allclose(stage_ends(results([run])[0]), expected, rtol=1e-5, atol=1e-5)


def test_l2_is_the_textbook_loop_with_a_penalty():
    run = make(strategy=Regularized(lam=0.3), optimizer=SGD(lr=0.02))
    np.testing.assert_allclose(stage_ends(results([run])[0]), plain_loop(run, lam=0.3), rtol=1e-5)


def mean_squared_error(stream, samples, theta):
    x, y = stream.inputs[samples, 0].numpy(), stream.targets[samples, 0].numpy()
    return float(np.mean((x * theta[0] + theta[1] - y) ** 2))


def test_a_linear_model_reaches_the_anchored_optimum_in_closed_form():
    """With full batches, θ = argmin mean (Xθ − y)² + λ‖θ − θ_A‖² = (XᵀX/n + λ)⁻¹ (Xᵀy/n + λθ_A)."""
    lam = 0.7
    base = make()
    size = len(base.stream.build(0).tasks[0].train)
    run = make(
        strategy=Regularized(lam=lam),
        model=MLP(hidden=()),
        optimizer=SGD(lr=0.05),
        training=Training(steps=None, epochs=3000, batch_size=size),
        evaluation=Evaluation(points=2, subset=40),
    )
    stream = run.stream.build(0)
    anchor, rows = None, []
    for task in stream.tasks:
        x, y = stream.inputs[task.train].double().numpy(), stream.targets[task.train].double().numpy()[:, 0]
        design = np.hstack([x, np.ones((len(x), 1))])
        gram, moment = design.T @ design / len(x), design.T @ y / len(x)
        if anchor is None:
            theta = np.linalg.solve(gram, moment)
        else:
            theta = np.linalg.solve(gram + lam * np.eye(2), moment + lam * anchor)
        anchor = theta
        rows.append([mean_squared_error(stream, other.test, theta) for other in stream.tasks])
    np.testing.assert_allclose(stage_ends(results([run])[0]), rows, rtol=1e-4)


def test_evaluation_points_are_dense_after_the_switch_and_end_with_the_stage():
    points = evaluation_steps(400, 20)
    assert points[0] == 1 and points[-1] == 400
    gaps = np.diff(points)
    assert gaps[0] == 1 and gaps.max() <= 400 / 10
    assert evaluation_steps(3, 20) == [1, 2, 3] and evaluation_steps(50, 1) == [50]


def test_every_sample_is_seen_once_a_pass():
    training = Training(steps=None, epochs=3, batch_size=8)
    assert steps_of(21, training) == 9
    bounds = step_bounds(21, training, 9, 0)
    order = batch_positions(4, "0", 21, bounds)
    assert order.view(3, 21).sort(1).values.tolist() == [list(range(21))] * 3
    assert not torch.equal(order[:21], order[21:42])
    dropped = step_bounds(21, Training(steps=5, batch_size=8, last_batch="drop"), 5, 0)
    assert [stop - start for _, start, stop in dropped] == [8] * 5


def test_a_joint_run_goes_on_in_its_pass_at_the_next_stage():
    training = Training(steps=5, batch_size=8)
    whole = step_bounds(40, training, 10, 0)
    assert step_bounds(40, training, 5, 0) + step_bounds(40, training, 5, 5) == whole


def test_recorded_task_loss_is_the_loss_of_the_batch_without_the_penalty():
    run = make(strategy=Regularized(lam=50.0), optimizer=SGD(lr=1e-4), evaluation=Evaluation(points=17))
    found = results([run])[0]
    later = found.stage[1:] == 1
    assert (found.training["penalty"][later][1:] > 0).all()
    assert (found.training["penalty"][~later] == 0).all()
    naive = results([make(strategy=Naive(), optimizer=SGD(lr=1e-4), evaluation=Evaluation(points=17))])[0]
    # The first step on B starts at θ_A in both: same batch, same θ, same task loss.
    first = int(np.argmax(later))
    assert found.training["task_loss"][first] == naive.training["task_loss"][first]


def loop_with_heads(run, keeps_zeros, lam):
    """A textbook loop with one `nn.Linear` a head; return the test loss of every task after every stage."""
    stream = run.stream.build(run.seed)
    layers = list(plain_network(run, stream))
    body, whole = nn.Sequential(*layers[:-1]), layers[-1]
    heads = nn.ModuleList()
    for task in stream.tasks:
        low, high = task.outputs
        heads.append(nn.Linear(whole.in_features, high - low))
        heads[-1].weight.data.copy_(whole.weight[low:high])
        heads[-1].bias.data.copy_(whole.bias[low:high])
    parameters = [*body.parameters(), *heads.parameters()]
    options = {"momentum": 0.9} if isinstance(run.optimizer, SGD) else {}
    optimizer = TORCH[type(run.optimizer)][0](parameters, lr=run.optimizer.lr, **options)
    rows = []
    for stage, task in enumerate(stream.tasks):
        anchor = nn.utils.parameters_to_vector(parameters).detach().clone() if stage else None
        bounds = step_bounds(len(task.train), run.training, steps_of(len(task.train), run.training), 0)
        picked = task.train[batch_positions(run.seed, str(stage), len(task.train), bounds)]
        for batch in picked.split([high - low for _, low, high in bounds]):
            outputs = heads[stage](body(stream.inputs[batch].flatten(1)))
            loss = nn.functional.cross_entropy(outputs, stream.targets[batch] - task.outputs[0])
            if anchor is not None and lam:
                loss = loss + lam * (nn.utils.parameters_to_vector(parameters) - anchor).square().sum()
            optimizer.zero_grad(set_to_none=not keeps_zeros)
            loss.backward()
            optimizer.step()
        row = []
        for head, other in zip(heads, stream.tasks, strict=True):
            outputs = head(body(stream.inputs[other.test].flatten(1))).detach()
            targets = stream.targets[other.test] - other.outputs[0]
            row.append(float(nn.functional.cross_entropy(outputs, targets)))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("optimizer", [SGD(lr=0.02, momentum=0.9), Adam(lr=0.003)])
@pytest.mark.parametrize("heads", ["separate", "separate_zeros"])
@pytest.mark.parametrize("lam", [0.0, 0.1])
def test_separate_heads_are_optimised_as_modules_of_their_own(optimizer, heads, lam):
    training = Training(steps=17, batch_size=16, heads=heads)
    strategy = Regularized(lam=lam) if lam else Naive()
    run = make("task", strategy, optimizer=optimizer, training=training)
    ours = stage_ends(results([run, replace(run, seed=1)])[0])
    keeps_zeros = heads == "separate_zeros"
    np.testing.assert_allclose(ours, loop_with_heads(run, keeps_zeros, lam), rtol=1e-4, atol=1e-5)
    is_same = np.allclose(ours, loop_with_heads(run, not keeps_zeros, lam), rtol=1e-3)
    assert is_same == (lam > 0)  # a penalty reaches every head, so none is idle
    sliced = replace(run, training=replace(training, heads="sliced"))
    assert not np.allclose(ours, stage_ends(results([sliced])[0]), rtol=1e-3) or isinstance(optimizer, SGD)


def test_heads_stay_idle_until_a_penalty_reaches_them():
    """SI looks at every step of the first stage, but its penalty comes with the second, as EWC's."""
    training = Training(steps=17, batch_size=16, heads="separate")
    strategy = Regularized(lam=1e-9, importance=PathIntegral())
    run = make("task", strategy, optimizer=Adam(lr=0.003), training=training)
    expected = loop_with_heads(run, keeps_zeros=False, lam=1e-9)
    np.testing.assert_allclose(stage_ends(results([run])[0]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", ["separate", "separate_zeros"])
def test_separate_heads_keep_their_bits_in_company(heads):
    training = Training(steps=17, batch_size=16, heads=heads)
    strategies = [Naive(), Regularized(lam=0.1), Regularized(lam=2.0), Joint()]
    runs = [make("task", strategy, seed, training=training) for strategy in strategies for seed in (0, 1)]
    for together, run in zip(results(runs), runs, strict=True):
        assert_same_bits(together, results([run], share=False)[0])
