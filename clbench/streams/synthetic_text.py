"""Labelled token sequences whose class follows from the order of words that all classes share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.config import SPLITS
from clbench.fields import count, number
from clbench.streams.base import Stream, StreamSource, Task, generator, task_names

PADDING, UNKNOWN = 0, 1
WORDS_BEFORE = ("<pad>", "<unk>")
FIRST_TWO = task_names(2)
"""What the first two tasks' documents are drawn by, however many follow; a task alone is drawn by `0`."""


@dataclass(frozen=True)
class SyntheticText(StreamSource):
    """Sequences of filler words among which one ordered pair of marker words stands together: the class.

    **A document.** There are m marker words, m the smallest number with m (m − 1) ≥ classes (7 for 42). Each
    class has one ordered pair of them. A document of class (u, v) holds *every* marker exactly once; u is
    followed by v at once, and every other marker by a filler. So a bag of words learns nothing from
    markers, as (u, v) and (v, u) are different classes. Fillers are drawn from a Zipf distribution that does
    not depend on the class. The length is uniform from `shortest` to `longest`.

    **The classes** have the probabilities p_r ∝ r^−skew, class 0 the most frequent one.

    **The shift** from task A to every later task has three parts, each the share of what changes:
    `pair_shift` of the classes exchange their pairs, so that the same words mean another class (A and B
    contradict each other); `word_shift` of the filler words are replaced by words that A never uses;
    `prior_shift` of the classes exchange their probabilities. With all three 0 the tasks differ in
    nothing but the draw.

    All tasks share the outputs (domain-incremental). The language (pairs, shifts) and the documents
    depend on the seed. Token 0 is padding, 1 is unknown and does not occur.

    Args:
        classes: how many.
        vocabulary: tokens, padding, unknown, markers and fillers together; half the fillers are A's.
        tasks: how many.
        train, val, test: documents of each task.
        shortest, longest: tokens of a document.
        skew: exponent of the class probabilities; 0 for equal ones.
        pair_shift, word_shift, prior_shift: see above.
        noise: share of the documents whose label is drawn anew.
    """

    classes: int = count(42, 2)
    vocabulary: int = count(200, unit="tokens")
    tasks: int = count(2)
    train: int = count(2048, unit="documents")
    val: int = count(512, 0, unit="documents")
    test: int = count(512, unit="documents")
    shortest: int = count(14, unit="tokens")
    longest: int = count(24, unit="tokens")
    skew: float = number(1.0, low=0)
    pair_shift: float = number(0.5, low=0, high=1)
    word_shift: float = number(0.5, low=0, high=1)
    prior_shift: float = number(0.5, low=0, high=1)
    noise: float = number(0.0, low=0, high=1)

    @property
    def markers(self) -> int:
        """How many marker words there are."""
        return math.ceil((1 + math.sqrt(1 + 4 * self.classes)) / 2)

    def cross_problems(self, key: str) -> Iterable[str]:
        """Yield a line where documents or the vocabulary are too short for the markers of so many classes."""
        least, words = 2 * self.markers - 1, len(WORDS_BEFORE) + self.markers + 2
        if not least <= self.shortest <= self.longest:
            yield (
                f"Documents must hold {self.markers} markers and fillers between ({least} tokens), "
                f"and lengths must go up; got {key}.shortest={self.shortest} and "
                f"{key}.longest={self.longest}. Lengthen them."
            )
        if self.vocabulary < words:
            yield (
                f"The vocabulary must hold padding, unknown, {self.markers} markers and 2 fillers; got "
                f"{key}.vocabulary={self.vocabulary}. Use at least {words}."
            )

    def build(self, seed: int) -> Stream:
        """Return the stream of a seed: `inputs` int64 `[documents, longest]` and `targets` `[documents]`."""
        pairs = self._pairs(seed)
        inputs, targets, tasks, start = [], [], [], 0
        for task, name in enumerate(task_names(self.tasks)):
            shift = generator(seed, "language", task)
            pair_of = _exchange(self.classes, self.pair_shift if task else 0.0, shift)
            rank_of = _exchange(self.classes, self.prior_shift if task else 0.0, shift)
            fillers = self._fillers(self.word_shift if task else 0.0, shift)
            prior = (1.0 + rank_of).double() ** -self.skew
            owner = FIRST_TWO[task] if self.tasks > 1 and task < len(FIRST_TWO) else str(task)
            places = {}
            for split in SPLITS:
                count, draw = getattr(self, split), generator(seed, "documents", owner, split)
                labels = _draw(prior, count, draw)
                inputs.append(self._write(pairs[pair_of[labels]], fillers, draw))
                anew = torch.rand(count, generator=draw) < self.noise
                targets.append(torch.where(anew, _draw(prior, count, draw), labels))
                places[split] = torch.arange(start, start + count)
                start += count
            tasks.append(Task(name=name, outputs=(0, self.classes), **places))
        return Stream(
            inputs=torch.cat(inputs),
            targets=torch.cat(targets),
            tasks=tuple(tasks),
            scenario="domain",
            outputs=self.classes,
            scores=("accuracy", "f1_micro", "f1_macro"),
            tokens=self.vocabulary,
            vocabulary=self._words(),
        )

    def _pairs(self, seed: int) -> Tensor:
        """Return the ordered pair of markers of every class, as tokens `[classes, 2]`."""
        first, second = torch.meshgrid(torch.arange(self.markers), torch.arange(self.markers), indexing="ij")
        every = torch.stack([first, second], dim=-1)[first != second]
        order = torch.randperm(len(every), generator=generator(seed, "language", "pairs"))
        return every[order[: self.classes]] + len(WORDS_BEFORE)

    def _fillers(self, share: float, shift: torch.Generator) -> Tensor:
        """Return a task's filler tokens by rank: A's, a share of them replaced by words of their own."""
        first = len(WORDS_BEFORE) + self.markers
        half = (self.vocabulary - first) // 2
        replaced = torch.randperm(half, generator=shift)[: round(share * half)]
        fillers = torch.arange(first, first + half)
        fillers[replaced] += half
        return fillers

    def _write(self, pair: Tensor, fillers: Tensor, draw: torch.Generator) -> Tensor:
        """Return documents `[documents, longest]` that hold the pairs `[documents, 2]`.

        A document is a random order of units: the pair, each other marker, and single fillers. A filler
        follows every unit with a marker, so that no other two markers touch.
        """
        count, singles = len(pair), self.markers - 2
        length = torch.randint(self.shortest, self.longest + 1, (count, 1), generator=draw)
        extra = self.longest - (2 * self.markers - 1)
        markers = torch.arange(self.markers) + len(WORDS_BEFORE)
        others = markers.expand(count, -1)
        others = others[(others != pair[:, :1]) & (others != pair[:, 1:])].view(count, singles)

        keys = torch.rand(count, 1 + singles + extra, generator=draw)
        absent = torch.arange(extra) >= length - (2 * self.markers - 1)
        keys[:, 1 + singles :] += absent  # what a short document lacks goes behind its end
        order = keys.argsort(1)
        width = torch.tensor([3] + [2] * singles + [1] * extra)[order]
        place = torch.empty_like(order).scatter_(1, order, width.cumsum(1) - width)

        weight = 1.0 / torch.arange(1, len(fillers) + 1, dtype=torch.float64)
        documents = fillers[_draw(weight, count * self.longest, draw)].view(count, self.longest)
        documents.scatter_(1, place[:, :1], pair[:, :1]).scatter_(1, place[:, :1] + 1, pair[:, 1:])
        documents.scatter_(1, place[:, 1 : 1 + singles], others)
        return documents.where(torch.arange(self.longest) < length, PADDING)

    def _words(self) -> tuple[str, ...]:
        first = len(WORDS_BEFORE) + self.markers
        markers = tuple(f"marker{index}" for index in range(self.markers))
        return (*WORDS_BEFORE, *markers, *(f"word{index}" for index in range(self.vocabulary - first)))


def _exchange(count: int, share: float, draw: torch.Generator) -> Tensor:
    """Return 0 … count − 1 with a share of the entries passed round in a cycle."""
    moved = torch.randperm(count, generator=draw)[: round(share * count)]
    result = torch.arange(count)
    result[moved] = moved.roll(1)
    return result


def _draw(weight: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """Return `count` independent draws of an index with these weights."""
    if count == 0:
        return torch.empty(0, dtype=torch.int64)
    return torch.multinomial(weight, count, replacement=True, generator=draw)
