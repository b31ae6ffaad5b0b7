"""Split, permuted and rotated digits, against scikit-learn's arrays, scipy's rotation and plain counting."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage
import torch
from sklearn.datasets import load_digits

from clbench.engine.data import LaneData
from clbench.streams import PermutedImages, RotatedImages, SplitImages
from clbench.streams.rotation import rotate
from clbench.streams.sampling import allotment, blur_boundaries, draw_stratified

SOURCES = (SplitImages, PermutedImages, RotatedImages)
SCENARIOS = ("task", "domain", "class")
BUNDLE = load_digits()


def seen(stream, task, index):
    """Return inputs and targets of a task's samples, as the engine sees them."""
    data = LaneData([stream], [0], torch.device("cpu"))
    rows = data.resolve((index + task * data.pool)[None])
    return data.gather_inputs(rows.inputs, rows.task)[0], data.gather_targets(rows.targets, rows.task)[0]


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("kind", SOURCES)
def test_splits_are_disjoint_and_no_image_is_lost(kind, scenario):
    stream = kind(scenario=scenario).build(7)
    pools = len(BUNDLE.target)
    for task in stream.tasks:
        joined = torch.cat([task.train, task.val, task.test])
        assert len(joined.unique()) == len(joined)
    for split in ("train", "val", "test"):
        images = [set((task.split(split) % pools).tolist()) for task in stream.tasks]
        others = set().union(
            *(
                (task.split(s) % pools).tolist()
                for task in stream.tasks
                for s in ("train", "val", "test")
                if s != split
            )
        )
        assert not set().union(*images) & others
    used = torch.cat([torch.cat([task.train, task.val, task.test]) for task in stream.tasks]) % pools
    assert len(used.unique()) == pools


@pytest.mark.parametrize("kind", SOURCES)
def test_the_test_split_is_fixed_and_the_validation_split_is_the_seeds(kind):
    one, other = kind().build(0), kind().build(1)
    assert one.inputs is other.inputs
    for a, b in zip(one.tasks, other.tasks, strict=True):
        assert torch.equal(a.test, b.test)
        assert not torch.equal(a.val, b.val) and len(a.val) == len(b.val)
        assert not torch.equal(a.train, b.train) and len(a.train) == len(b.train)
    again = kind().build(0)
    for a, b in zip(one.tasks, again.tasks, strict=True):
        assert torch.equal(a.train, b.train) and torch.equal(a.val, b.val)
        assert (a.permutation is None and b.permutation is None) or torch.equal(a.permutation, b.permutation)


def test_every_split_keeps_the_share_of_every_class():
    stream = PermutedImages().build(2)
    counts = np.bincount(BUNDLE.target)
    for split, share in (("test", 359 / 1797), ("val", 180 / 1797), ("train", 1258 / 1797)):
        found = torch.bincount(stream.targets[stream.tasks[0].split(split)], minlength=10).numpy()
        assert np.abs(found - share * counts).max() < 1.5


@pytest.mark.parametrize(("scenario", "outputs"), [("task", 10), ("domain", 2), ("class", 10)])
def test_split_digits_against_the_bundled_arrays(scenario, outputs):
    stream = SplitImages(scenario=scenario).build(3)
    assert (stream.outputs, stream.scenario, stream.scores) == (outputs, scenario, ("accuracy",))
    assert [task.name for task in stream.tasks] == ["0", "1", "2", "3", "4"]
    for k, task in enumerate(stream.tasks):
        assert task.outputs == ((0, 2) if scenario == "domain" else (2 * k, 2 * k + 2))
        inputs, targets = seen(stream, k, task.train)
        index = task.train.numpy()
        assert np.allclose(inputs.numpy(), BUNDLE.data[index] / 16.0)
        expected = BUNDLE.target[index] - (2 * k if scenario == "domain" else 0)
        assert (targets.numpy() == expected).all()
        assert set(BUNDLE.target[index]) == {2 * k, 2 * k + 1}


def test_a_class_order_relabels_by_position():
    order = (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)
    stream = SplitImages(scenario="class", class_order=list(order)).build(0)
    for k, task in enumerate(stream.tasks):
        labels = BUNDLE.target[task.test.numpy()]
        assert set(labels) == set(order[2 * k : 2 * k + 2])
        assert (np.array(order)[stream.targets[task.test].numpy()] == labels).all()


def test_a_random_class_order_belongs_to_the_seed():
    source = SplitImages(scenario="class", class_order="random")
    orders = []
    for seed in range(5):
        stream = source.build(seed)
        order = [int(stream.targets[torch.from_numpy(BUNDLE.target == label)][0]) for label in range(10)]
        assert sorted(order) == list(range(10))
        assert torch.equal(stream.targets, source.build(seed).targets)
        orders.append(tuple(order))
    assert len(set(orders)) == 5


@pytest.mark.parametrize(
    ("tasks", "size", "names"), [(1, 10, ["0"]), (2, 5, ["A", "B"]), (10, 1, list("0123456789"))]
)
def test_other_numbers_of_split_tasks(tasks, size, names):
    source = SplitImages(tasks=tasks, scenario="class")
    assert source.problems() == []
    stream = source.build(0)
    assert [task.name for task in stream.tasks] == names
    assert [task.outputs for task in stream.tasks] == [(k * size, (k + 1) * size) for k in range(tasks)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_permuted_digits_are_the_same_images_in_another_order_of_pixels(scenario):
    stream = PermutedImages(scenario=scenario, tasks=4).build(5)
    assert stream.outputs == (10 if scenario == "domain" else 40)
    orders = []
    for k, task in enumerate(stream.tasks):
        inputs, targets = seen(stream, k, task.train)
        index = task.train.numpy()
        order = np.arange(64) if task.permutation is None else task.permutation.numpy()
        assert sorted(order) == list(range(64))
        assert np.allclose(inputs.numpy(), BUNDLE.data[index][:, order] / 16.0)
        first = 0 if scenario == "domain" else 10 * k
        assert task.outputs == (first, first + 10)
        assert (targets.numpy() == BUNDLE.target[index] + first).all()
        orders.append(tuple(order))
    assert orders[0] == tuple(range(64)) and len(set(orders)) == 4


def test_permutations_belong_to_the_seed_unless_fixed():
    random, fixed = PermutedImages(permute_first=True), PermutedImages(permutations="fixed")
    assert random.build(0).tasks[0].permutation is not None
    assert not torch.equal(random.build(0).tasks[1].permutation, random.build(1).tasks[1].permutation)
    assert torch.equal(fixed.build(0).tasks[1].permutation, fixed.build(1).tasks[1].permutation)


@pytest.mark.parametrize("angle", [0.0, 17.0, 90.0, -45.0, 180.0, 301.5])
@pytest.mark.parametrize("side", [8, 9])
def test_rotation_is_scipys(angle, side):
    images = np.random.default_rng(0).random((3, side, side)).astype(np.float32)
    expected = [scipy.ndimage.rotate(i, angle, reshape=False, order=1, mode="grid-constant") for i in images]
    assert np.abs(rotate(torch.from_numpy(images), angle).numpy() - np.stack(expected)).max() < 1e-6


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_rotated_digits_are_the_same_images_turned(scenario):
    source = RotatedImages(scenario=scenario, tasks=3, span=90.0)
    stream = source.build(1)
    assert stream.outputs == (10 if scenario == "domain" else 30)
    for k, task in enumerate(stream.tasks):
        inputs, targets = seen(stream, k, task.test[:20])
        index = task.test[:20].numpy() - k * 1797
        images = BUNDLE.images[index] / 16.0
        turned = [
            scipy.ndimage.rotate(i, 30.0 * k, reshape=False, order=1, mode="grid-constant") for i in images
        ]
        assert np.abs(inputs.numpy().reshape(-1, 8, 8) - np.stack(turned)).max() < 1e-6
        assert (targets.numpy() == BUNDLE.target[index] + (0 if scenario == "domain" else 10 * k)).all()
    listed = replace(source, angles=[0, 30, 60]).build(1)
    assert torch.equal(listed.inputs, stream.inputs)


def test_padding_and_normalisation():
    plain = SplitImages().build(0).inputs.view(-1, 8, 8)
    changed = SplitImages(padding=2, mean=0.3, std=0.5).build(0).inputs.view(-1, 12, 12)
    assert torch.allclose(changed[:, 2:10, 2:10], (plain - 0.3) / 0.5)
    assert torch.allclose(changed[:, :2], torch.tensor(-0.6)) and torch.allclose(
        changed[:, :, 10:], torch.tensor(-0.6)
    )


@pytest.mark.parametrize("kind", SOURCES)
def test_limited_samples_are_drawn_by_class_from_the_training_split(kind):
    whole, limited = kind(val=0.2).build(0), kind(val=0.2, samples=50).build(0)
    for task, all_of_it in zip(limited.tasks, whole.tasks, strict=True):
        assert len(task.train) == 50 and torch.isin(task.train, all_of_it.train).all()
        assert torch.equal(task.val, all_of_it.val)
        counts = torch.bincount(limited.targets[task.train])
        counts = counts[counts > 0]
        assert counts.max() - counts.min() <= 1
    assert not torch.equal(limited.tasks[0].train % 1797, limited.tasks[1].train % 1797)


def test_no_validation_split():
    for kind in SOURCES:
        assert [len(task.val) for task in kind(val=0.0).build(0).tasks] == [0] * 5


@pytest.mark.parametrize("scenario", ["domain", "class"])
def test_blurred_boundaries_exchange_a_share_with_the_neighbours(scenario):
    clear = SplitImages(scenario=scenario).build(4)
    blurred = SplitImages(scenario=scenario, blur=0.2).build(4)
    home = {int(i): k for k, task in enumerate(clear.tasks) for i in task.train}
    sizes = [len(task.train) for task in clear.tasks]
    across = [round(0.1 * min(a, b)) for a, b in zip(sizes, sizes[1:], strict=False)]
    for k, task in enumerate(blurred.tasks):
        origin = [home[int(i)] for i in task.train]
        assert len(set(task.train.tolist())) == sizes[k]
        expected = {k - 1: across[k - 1] if k else 0, k + 1: across[k] if k < 4 else 0}
        assert {n: origin.count(n) for n in expected} == expected
        assert sum(expected.values()) + origin.count(k) == sizes[k]
        assert torch.equal(task.test, clear.tasks[k].test)
    everything = sorted(torch.cat([task.train for task in blurred.tasks]).tolist())
    assert everything == sorted(home)  # no sample is lost or trained on twice


def test_samples_of_a_blurred_stage_always_have_an_output_that_competes():
    stream = SplitImages(scenario="class", blur=0.3).build(0)
    data = LaneData([stream], [0], torch.device("cpu"))
    for stage, task in enumerate(stream.tasks):
        mask = data.masks(stage, "seen", training=True)
        needed = int(stream.targets[task.train].max())
        assert needed == min(2 * stage + 3, 9)
        assert mask is None or (mask[stage, needed] == 0 and torch.isinf(mask[stage, needed + 1 :]).all())


def test_allotment_by_hand():
    assert allotment([10, 20, 30], 6) == [1, 2, 3]
    assert allotment([1, 1, 1], 2) == [1, 1, 0]
    assert allotment([5, 3, 2], 4) == [2, 1, 1]  # 2.0, 1.2, 0.8


def test_a_stratified_draw_is_uniform_within_its_class():
    indices, labels = torch.arange(8) + 100, torch.tensor([0] * 6 + [1] * 2)
    counts = torch.zeros(8)
    for seed in range(600):
        drawn, others = draw_stratified(indices, labels, 4, torch.Generator().manual_seed(seed))
        assert sorted(torch.cat([drawn, others]).tolist()) == indices.tolist()
        counts[drawn - 100] += 1
    assert ((counts / 600 - 0.5).abs() < 4 * math.sqrt(0.25 / 600)).all()


def test_blurring_two_tasks_completely_exchanges_half():
    left, right = blur_boundaries([torch.arange(10), torch.arange(10, 16)], 1.0, seed=0)
    assert (left >= 10).sum() == 3 and (right < 10).sum() == 3


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (SplitImages(tasks=0), ["stream.tasks=0"]),
        (SplitImages(tasks=3), ["stream.tasks=3. Choose 1, 2, 5 or 10."]),
        (SplitImages(tasks=10), ["at least 2 classes apart"]),
        (SplitImages(scenario="tasks"), ["stream.scenario=tasks. Known: class, domain, task."]),
        (SplitImages(source="cifar"), ["stream.source=cifar. Known: digits, mnist."]),
        (SplitImages(class_order=(0, 1)), ["stream.class_order=(0, 1)"]),
        (SplitImages(class_order="sorted"), ["stream.class_order=sorted"]),
        (SplitImages(samples=300), ["stream.samples=300 where the smallest task has 247"]),
        (
            SplitImages(samples=300, class_order="random"),
            ["stream.samples=300 where the smallest task has 245"],
        ),
        (SplitImages(blur=0.1, scenario="task"), ["stream.blur=0.1"]),
        (SplitImages(blur=1.1), ["stream.blur=1.1"]),
        (SplitImages(val=1.0, std=0.0), ["stream.val=1.0", "stream.std=0.0"]),
        (SplitImages(mean=math.nan, padding=-1), ["stream.padding=-1", "stream.mean=nan"]),
        (PermutedImages(tasks=0, permutations="none"), ["stream.tasks=0", "Known: fixed, random."]),
        (PermutedImages(samples=0), ["stream.samples=0"]),
        (RotatedImages(angles=(0.0, 1.0)), ["got 2 for stream.tasks=5"]),
        (RotatedImages(tasks=1, angles=(math.nan,)), ["stream.angles=[nan]"]),
        (RotatedImages(span=math.inf), ["stream.span=inf"]),
        (RotatedImages(val=0.9999), ["got none beside stream.val=0.9999"]),
    ],
)
def test_every_broken_rule_is_one_line(source, words):
    problems = source.problems()
    assert len(problems) == len(words), problems
    for line, word in zip(problems, words, strict=True):
        assert word in line and "\n" not in line


@pytest.mark.parametrize("kind", SOURCES)
def test_the_defaults_have_no_problem(kind):
    assert kind().problems() == []
