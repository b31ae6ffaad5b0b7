"""Pretrained word vectors from a text file, as GloVe and word2vec write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clbench.errors import ConfigurationError


def read_vectors(path: str | Path, vocabulary: Sequence[str], dimension: int) -> tuple[Tensor, Tensor]:
    """Return the vectors of a vocabulary's words, and which words have one.

    A line is a word and `dimension` numbers with single spaces between; a first line of two whole
    numbers (word2vec's count and dimension) is passed over. Of a word's lines the first one counts.

    Args:
        path: the file, UTF-8.
        vocabulary: `vocabulary[token]` is the word of a token.
        dimension: numbers of a vector.

    Returns:
        float32 `[tokens, dimension]`, zero where a word has no vector, and bool `[tokens]`.

    Raises:
        ConfigurationError: the file can't be read, a line has another length or no numbers, or no word of the
            vocabulary has a vector.
    """
    token_of = {word: token for token, word in enumerate(vocabulary)}
    vectors = torch.zeros(len(vocabulary), dimension)
    known = torch.zeros(len(vocabulary), dtype=torch.bool)
    place = Path(path).expanduser()
    try:
        if place.exists() and not place.is_file():
            raise OSError(f"no regular file: {place}")
        with place.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                word, *numbers = line.rstrip("\n ").rsplit(" ", dimension)
                if number == 1 and word.isdigit() and len(numbers) == 1 and dimension > 1:
                    _check_header(path, numbers[0], dimension)
                    continue
                token = token_of.get(word)
                if len(numbers) == dimension and (token is None or known[token]):
                    continue
                vectors[token] = _vector(path, number, numbers, dimension)
                known[token] = True
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"A file of word vectors must be readable; got {type(error).__name__}: {error}. Correct the path."
        ) from None
    if not known.any():
        raise ConfigurationError(
            f"A file of word vectors must have words of the vocabulary; got none of {len(vocabulary)} in "
            f"{path}. Set the dimension of the file, or choose vectors of lower-case words."
        )
    return vectors, known


def _vector(path: str | Path, line: int, numbers: list[str], dimension: int) -> Tensor:
    """Return a line's numbers as a vector."""
    if len(numbers) != dimension:
        raise ConfigurationError(
            f"Word vectors must have {dimension} numbers; got {len(numbers)} in {path}, line {line}. "
            "Set the dimension of the file."
        )
    try:
        vector = torch.from_numpy(np.array(numbers, dtype=np.float32))
    except ValueError as error:
        raise ConfigurationError(
            f"A word vector must be numbers; got {error} in {path}, line {line}. Set the dimension of the "
            "file."
        ) from None
    if not torch.isfinite(vector).all():
        raise ConfigurationError(f"A word vector must be finite; got {path}, line {line}. Correct the file.")
    return vector


def _check_header(path: str | Path, found: str, dimension: int) -> None:
    if found != str(dimension):
        raise ConfigurationError(
            f"Vectors must have {dimension} numbers; got {found} in the first line of {path}. "
            "Set the dimension of the file."
        )
