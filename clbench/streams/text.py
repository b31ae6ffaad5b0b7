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
from clbench.fields import choice, count
from clbench.streams.base import Stream
from clbench.streams.readers import place_of
from clbench.streams.tables import TaskTable, encode_labels, paths_of, read_tasks
from clbench.streams.user_files import FileSource, Reading

PADDING, UNKNOWN = "<pad>", "<unk>"
VOCABULARIES = ("first", "all")
UNITS = ("word", "character")
MANY_UNKNOWN = 0.2
"""From this share of unknown words on, the log says what can be done."""
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
"""A word: letters and digits, with apostrophes inside it."""


@dataclass(frozen=True)
class TextFile(FileSource):
    """Texts and labels from CSV, TSV, JSONL or Parquet files; all tasks share the outputs (domain scenario).

    A text is cut into lower-case words (`WORD`), or into characters other than blanks. Tokens are 0 for
    padding (on the right), 1 for words that are not in the vocabulary, and 2, 3, … for the words of task A's
    training split (or of every task's), the most frequent first. A text without any word is one unknown
    token. Labels are the classes of all tasks, sorted. Where `split_seed` is set, all seeds share the
    vocabulary too. The share of unknown words is logged before training.

    Args:
        path, task, split, val, test, split_seed: see `FileSource`.
        text, label: the columns (or keys) of the text and its label.
        longest: words of a text that are read.
        least_count: how often a word must occur in these training splits to have a token.
        words: most words in the vocabulary; null for all.
        vocabulary: whose words have tokens: `first`, task A's, as later words can't be known when A is
            learned; or `all`, every task's, as a pretrained tokenizer would know them.
        unit: what is a token: `word`, or `character` for languages without spaces between words.
    """

    text: str = "text"
    label: str = "label"
    longest: int = count(64, unit="tokens")
    least_count: int = count(1)
    words: int | None = count(None, none="all")
    vocabulary: str = choice("first", VOCABULARIES)
    unit: str = choice("word", UNITS)

    def read(self, owner: int) -> Reading:
        """Return the stream: `inputs` int64 `[rows, length]` and `targets` `[rows]`."""
        found = read_tasks(paths_of(self.path), (self.text,), self.label, self.task, self.split)
        tables = found.tasks
        cut = words_of if self.unit == "word" else characters_of
        joined = [cut(text) for table in tables for text in _texts(table, self.text)]
        targets, classes = encode_labels(tables, self.label)
        tasks = self.tasks(tables, targets, len(classes), owner)
        known = tasks[:1] if self.vocabulary == "first" else tasks
        training = (joined[index] for task in known for index in task.train.tolist())
        vocabulary = make_vocabulary(training, self.least_count, self.words)
        stream = Stream(
            inputs=encode(joined, vocabulary, self.longest),
            targets=torch.cat(targets),
            tasks=tasks,
            scenario="domain",
            outputs=len(classes),
            scores=("accuracy", "f1_micro", "f1_macro"),
            tokens=len(vocabulary),
            vocabulary=vocabulary,
        )
        return Reading(stream, [*found.notes, self._note(stream)])

    def _note(self, stream: Stream) -> str:
        """Return a line on how much of the test texts is unknown, and what can be done."""
        shares = unknown_shares(stream)
        line = f"Unknown {self.unit}s in the test texts: {shares[0]:.0%} in task {stream.tasks[0].name}"
        later = max(range(1, len(shares)), key=shares.__getitem__, default=0)
        if later:
            most = "" if len(shares) == 2 else "at most "
            line += f", {most}{shares[later]:.0%} in task {stream.tasks[later].name}"
        line += "."
        if self.vocabulary == "first" and shares[later] - shares[0] > MANY_UNKNOWN:
            line += " The vocabulary is the first task's; stream.vocabulary=all takes every task's."
        if self.unit == "word" and shares[0] > MANY_UNKNOWN:
            line += " For texts without spaces between words there is stream.unit=character."
        return line


def unknown_shares(stream: Stream) -> list[float]:
    """Return for each task which share of its test texts' tokens is unknown."""
    texts = [stream.inputs[task.test] for task in stream.tasks]
    return [((tokens == 1).sum() / (tokens != 0).sum()).item() for tokens in texts]


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return WORD.findall(text.lower())


def characters_of(text: str) -> list[str]:
    """Return the characters of a text in lower case, without blanks."""
    return [character for character in text.lower() if not character.isspace()]


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


def _texts(table: TaskTable, column: str) -> list[str]:
    values = table.rows[column].tolist()
    wrong = next((index for index, value in enumerate(values) if not isinstance(value, str)), None)
    if wrong is not None:
        raise ConfigurationError(
            f"The column {column} must hold texts; got {str(values[wrong])[:40]} "
            f"({place_of(table.rows, wrong)}). Correct it."
        )
    return values
