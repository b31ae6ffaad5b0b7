"""Synthetic text: its rule read off each document; bags of words fail, bags of bigrams don't."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from scipy.stats import chisquare
from sklearn.linear_model import LogisticRegression

from clbench.streams import SyntheticText

MARKERS = range(2, 9)


def pair(document):
    """Return the only two markers that stand side by side, found by a loop."""
    found = [(a, b) for a, b in zip(document, document[1:], strict=False) if a in MARKERS and b in MARKERS]
    assert len(found) == 1
    return found[0]


def pairs_of(stream, task):
    """Return the pair of every class that occurs in a task; each class must have one only."""
    found = {}
    for index in torch.cat([task.train, task.test]).tolist():
        found.setdefault(int(stream.targets[index]), set()).add(pair(stream.inputs[index].tolist()))
    assert all(len(pairs) == 1 for pairs in found.values())
    return {label: pairs.pop() for label, pairs in found.items()}


def test_every_document_follows_the_rule():
    stream = SyntheticText(train=300, val=20, test=50).build(0)
    assert stream.inputs.dtype == torch.int64 and stream.inputs.shape == (740, 24) and stream.tokens == 200
    lengths = set()
    for document in stream.inputs.tolist():
        length = len([token for token in document if token])
        lengths.add(length)
        assert all(document[:length]) and not any(document[length:])
        assert sorted(token for token in document if token in MARKERS) == list(MARKERS)
        assert max(document) < 200 and 1 not in document
    assert lengths == set(range(14, 25))
    for task in stream.tasks:
        pairs = pairs_of(stream, task)
        assert len(set(pairs.values())) == len(pairs)


def test_the_shape_of_the_stream():
    stream = SyntheticText(train=30, val=0, test=10).build(0)
    assert [task.name for task in stream.tasks] == ["A", "B"]
    assert [task.outputs for task in stream.tasks] == [(0, 42)] * 2
    assert (stream.scenario, stream.outputs, stream.loss) == ("domain", 42, "cross_entropy")
    assert len(stream.vocabulary) == 200 and len(set(stream.vocabulary)) == 200
    assert stream.vocabulary[:3] == ("<pad>", "<unk>", "marker0")
    assert sorted(
        torch.cat([t.split(s) for t in stream.tasks for s in ("train", "val", "test")]).tolist()
    ) == list(range(80))


def test_class_frequencies_follow_zipf():
    stream = SyntheticText(tasks=1, train=20_000, classes=12, skew=1.5).build(3)
    counts = torch.bincount(stream.targets[stream.tasks[0].train], minlength=12).numpy()
    weight = np.arange(1, 13) ** -1.5
    assert chisquare(counts, 20_000 * weight / weight.sum()).pvalue > 1e-3


def test_the_shift_changes_the_asked_share_of_pairs_words_and_priors():
    source = SyntheticText(
        train=20_000, val=0, test=1, pair_shift=0.25, word_shift=0.5, prior_shift=0.5, skew=0.5
    )
    stream = source.build(0)
    a, b = (pairs_of(stream, task) for task in stream.tasks)
    assert len(a) == len(b) == 42
    assert sum(a[label] != b[label] for label in a) == round(0.25 * 42)
    assert set(a.values()) == set(b.values())  # so that B contradicts A
    words = [set(stream.inputs[task.train].unique().tolist()) - set(range(9)) for task in stream.tasks]
    assert len(words[0]) == len(words[1]) == (200 - 9) // 2
    assert len(words[1] - words[0]) == round(0.5 * len(words[0]))
    counts = [torch.bincount(stream.targets[task.train], minlength=42).double() for task in stream.tasks]
    moved = (counts[0] - counts[1]).abs() > 5 * (counts[0] + counts[1]).sqrt()
    assert 10 <= moved.sum() <= 21


def test_without_a_shift_the_tasks_differ_in_their_draws_only():
    stream = SyntheticText(train=6000, pair_shift=0.0, word_shift=0.0, prior_shift=0.0).build(1)
    a, b = stream.tasks
    assert pairs_of(stream, a) == pairs_of(stream, b)
    assert set(stream.inputs[a.train].unique().tolist()) == set(stream.inputs[b.train].unique().tolist())
    assert not torch.equal(stream.inputs[a.train], stream.inputs[b.train])


def test_noise_redraws_the_given_share_of_labels():
    source = SyntheticText(tasks=1, train=8000, classes=6, skew=0.0, noise=0.3)
    noisy, clean = source.build(2), SyntheticText(tasks=1, train=8000, classes=6, skew=0.0).build(2)
    assert torch.equal(noisy.inputs, clean.inputs)
    wrong = (noisy.targets != clean.targets)[noisy.tasks[0].train].double().mean().item()
    assert wrong == pytest.approx(0.3 * 5 / 6, abs=4 * math.sqrt(0.25 * 0.75 / 8000))


def test_a_seed_fixes_the_stream_and_seeds_differ():
    source = SyntheticText(train=50, test=10)
    one, again, other = source.build(5), source.build(5), source.build(6)
    assert torch.equal(one.inputs, again.inputs) and torch.equal(one.targets, again.targets)
    assert not torch.equal(one.inputs, other.inputs)
    assert pairs_of(one, one.tasks[0]).items() != pairs_of(other, other.tasks[0]).items()


def counted(documents, tokens, bigrams):
    """Return how often each word, or each ordered pair of neighbours, occurs in each document."""
    if bigrams:
        values = documents[:, :-1] * tokens + documents[:, 1:]
        kept = (documents[:, :-1] > 0) & (documents[:, 1:] > 0)
    else:
        values, kept = documents, documents > 0
    rows = np.repeat(np.arange(len(documents)), kept.sum(1))
    columns = values[kept]
    return csr_matrix(
        (np.ones(len(rows)), (rows, columns)), shape=(len(documents), tokens * (tokens if bigrams else 1))
    )


def test_a_bag_of_words_does_no_better_than_the_largest_class_where_bigrams_do():
    stream = SyntheticText(tasks=1, train=3000, test=800).build(0)
    (task,) = stream.tasks
    x, y = stream.inputs.numpy(), stream.targets.numpy()
    train, test = task.train.numpy(), task.test.numpy()
    largest = (y[test] == 0).mean()

    def accuracy(bigrams):
        model = LogisticRegression(C=1.0, max_iter=100, tol=1e-2)
        model.fit(counted(x[train], 200, bigrams), y[train])
        return (model.predict(counted(x[test], 200, bigrams)) == y[test]).mean()

    assert accuracy(bigrams=False) < largest + 0.03
    assert accuracy(bigrams=True) > 0.85


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (SyntheticText(), []),
        (SyntheticText(classes=2, vocabulary=6, shortest=3), []),
        (SyntheticText(classes=1, tasks=0), ["stream.classes=1", "stream.tasks=0"]),
        (SyntheticText(shortest=12), ["(13 tokens)"]),
        (SyntheticText(shortest=25), ["stream.shortest=25 and stream.longest=24"]),
        (SyntheticText(vocabulary=10), ["stream.vocabulary=10. Use at least 11."]),
        (SyntheticText(noise=math.nan, pair_shift=1.5), ["stream.pair_shift=1.5", "stream.noise=nan"]),
        (SyntheticText(skew=-1.0, train=0), ["stream.train=0", "stream.skew=-1.0"]),
    ],
)
def test_every_broken_rule_is_one_line(source, words):
    problems = source.problems()
    assert len(problems) == len(words), problems
    for line, word in zip(problems, words, strict=True):
        assert word in line and "\n" not in line
    if not words:
        source.build(0)


def test_a_further_task_leaves_the_documents_of_the_others():
    two, three, four = (SyntheticText(tasks=count, train=64, val=8, test=16).build(1) for count in (2, 3, 4))
    for longer in (three, four):
        assert torch.equal(longer.inputs[: len(two.inputs)], two.inputs)
        assert torch.equal(longer.targets[: len(two.targets)], two.targets)
    assert torch.equal(four.inputs[: len(three.inputs)], three.inputs)
