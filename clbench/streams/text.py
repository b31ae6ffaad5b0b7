"""The user's own labelled texts, as token sequences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clbench.errors import ConfigurationError
from clbench.streams.base import Stream
from clbench.streams.bounds import count_problems
from clbench.streams.tables import TaskTable, encode_labels, paths_of, place_of, read_tasks
from clbench.streams.user_files import FileSource

PADDING, UNKNOWN = "<pad>", "<unk>"
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
"""A word: letters and digits, with apostrophes inside it."""


@dataclass(frozen=True)
class TextFile(FileSource):
    """Texts and labels from CSV, TSV, JSONL or Parquet files; all tasks share the outputs (domain scenario).

    A text is cut into lower-case words (`WORD`). Tokens are 0 for padding (on the right), 1 for words
    that are not in the vocabulary, and 2, 3, … for the words of task A's training split, the most frequent
    first. A text without any word is one unknown token. Labels are the classes of all tasks, sorted.
    Where `split_seed` is set, all seeds share the vocabulary too.

    Args:
        path, task, split, val, test, split_seed: see `FileSource`.
        text, label: the columns (or keys) of the text and its label.
        longest: words of a text that are read.
        least_count: how often a word must occur in A's training split to have a token.
        words: most words in the vocabulary; null for all.
    """

    text: str = "text"
    label: str = "label"
    longest: int = 64
    least_count: int = 1
    words: int | None = None

    def field_problems(self) -> list[str]:
        """Return a line for every count that is out of bounds."""
        return [
            *count_problems("longest", self.longest),
            *count_problems("least_count", self.least_count),
            *([] if self.words is None else count_problems("words", self.words)),
        ]

    def read(self, owner: int) -> Stream:
        """Return the stream: `inputs` int64 `[rows, length]` and `targets` `[rows]`."""
        tables = read_tasks(paths_of(self.path), (self.text, self.label), self.task, self.split)
        joined = [text for table in tables for text in _texts(table, self.text)]
        targets, classes = encode_labels(tables, self.label)
        tasks = self.tasks(tables, targets, len(classes), owner)
        training = (joined[index] for index in tasks[0].train.tolist())
        vocabulary = make_vocabulary(training, self.least_count, self.words)
        return Stream(
            inputs=encode(joined, vocabulary, self.longest),
            targets=torch.cat(targets),
            tasks=tasks,
            scenario="domain",
            outputs=len(classes),
            scores=("accuracy", "f1_micro", "f1_macro"),
            tokens=len(vocabulary),
            vocabulary=vocabulary,
        )


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return WORD.findall(text.lower())


def make_vocabulary(
    texts: Iterable[Sequence[str]], least_count: int = 1, words: int | None = None
) -> tuple[str, ...]:
    """Return padding, unknown and the words, by falling count, then by the alphabet.

    Args:
        texts: the words of each text.
        least_count: rarer words are left out.
        words: at most so many words.
    """
    counts = Counter(word for text in texts for word in text)
    frequent = [word for word, count in counts.items() if count >= least_count]
    return (PADDING, UNKNOWN, *sorted(frequent, key=lambda word: (-counts[word], word))[:words])


def encode(texts: Sequence[Sequence[str]], vocabulary: Sequence[str], longest: int) -> Tensor:
    """Return texts as tokens, int64 `[texts, length]`; `length` is the longest text's, at most `longest`."""
    token_of = {word: token for token, word in enumerate(vocabulary)}
    rows = [[token_of.get(word, 1) for word in text[:longest]] or [1] for text in texts]
    result = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for index, row in enumerate(rows):
        result[index, : len(row)] = row
    return torch.from_numpy(result)


def _texts(table: TaskTable, column: str) -> list[list[str]]:
    values = table.rows[column].tolist()
    wrong = next((index for index, value in enumerate(values) if not isinstance(value, str)), None)
    if wrong is not None:
        raise ConfigurationError(
            f"The column {column} must hold texts; got {values[wrong]} ({place_of(table.rows, wrong)}). "
            "Correct it."
        )
    return [words_of(value) for value in values]
