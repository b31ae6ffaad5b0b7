"""A classifier of token sequences, with an added layer on top where that is all that may be trained."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import init

from clbench.errors import ConfigurationError
from clbench.fields import count
from clbench.models.base import Layout, Model, Network, Parameter
from clbench.models.initialisation import dense_tensors
from clbench.models.mlp import head_problems
from clbench.models.sequence_network import PADDING, SequenceNetwork
from clbench.streams.base import Stream
from clbench.streams.vectors import read_vectors


@dataclass(frozen=True)
class SequenceClassifier(Model):
    """Embedding → LSTM → additive attention over the sequence's own positions → dense layer `head`.

    With `adapter`, one more dense layer follows on the concatenation [logits; features], weight
    `[outputs, outputs + hidden]`, that begins as `[I | 0]` without bias: the model then answers exactly
    as without it. The first stage trains everything below it; all later stages train it alone.

    Args:
        embedding: width of a token's vector.
        hidden: units of the LSTM, the number of features.
        attention: units of the attention's scores.
        adapter: whether there is an added layer.
        vectors: text file of word vectors with `embedding` numbers a word, from which embeddings start;
            words that it lacks are drawn with the standard deviation of those it has.
        outputs: units of the head; null for what the stream needs.
    """

    embedding: int = count(64)
    hidden: int = count(200, unit="units")
    attention: int = count(64, unit="units")
    adapter: bool = False
    vectors: str | None = None
    outputs: int | None = count(None, none="what the stream needs")

    def fit_problems(self, stream: Stream) -> Iterable[str]:
        """Yield a line where the stream or its vocabulary doesn't fit."""
        if stream.tokens is None:
            yield (
                "This model reads tokens, the stream gives numbers; got model=sequence on a stream "
                "without a vocabulary. Use model=mlp or model=linear."
            )
        elif self.vectors is not None and stream.vocabulary is None:
            yield (
                "Word vectors need a stream of words, this one has numbered tokens only; got "
                f"model.vectors={self.vectors}. Use model.vectors=null."
            )
        elif self.vectors is not None:
            try:
                _known_vectors(self.vectors, stream, self.embedding)
            except ConfigurationError as error:
                yield from (f"{line} (model.vectors={self.vectors})" for line in error.problems)
        yield from head_problems(self.outputs, stream)

    def trainable(self, stage: int) -> tuple[str, ...] | None:
        """Return all below the adapter for the first stage, the adapter alone for later ones."""
        if not self.adapter:
            return None
        return ("adapter.*",) if stage else ("embedding.*", "lstm.*", "attention.*", "head.*")

    def layout(self, stream: Stream) -> Layout:
        """Return the parameters from the embedding up, named as in `torch.nn`."""
        gates, outputs = 4 * self.hidden, stream.outputs
        parameters = [
            Parameter("embedding.weight", (_tokens(stream), self.embedding), "embedding"),
            Parameter("lstm.weight_ih", (gates, self.embedding)),
            Parameter("lstm.weight_hh", (gates, self.hidden)),
            Parameter("lstm.bias_ih", (gates,), "bias"),
            Parameter("lstm.bias_hh", (gates,), "bias"),
            Parameter("attention.projection.weight", (self.attention, self.hidden)),
            Parameter("attention.projection.bias", (self.attention,), "bias"),
            Parameter("attention.score.weight", (1, self.attention)),
            Parameter("head.weight", (outputs, self.hidden)),
            Parameter("head.bias", (outputs,), "bias"),
        ]
        if self.adapter:
            parameters += [
                Parameter("adapter.weight", (outputs, outputs + self.hidden)),
                Parameter("adapter.bias", (outputs,), "bias"),
            ]
        return Layout(tuple(parameters))

    def initialise(self, stream: Stream, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw as `torch.nn` does, from the embedding up; the adapter is not drawn.

        Embeddings are N(0, 1) where no file gives them and 0 for padding, the LSTM is U(±1/√hidden),
        dense layers are as `torch.nn.Linear`.
        """
        vectors = torch.zeros(_tokens(stream), self.embedding).normal_(generator=generator)
        if self.vectors is not None:
            found, known = _known_vectors(self.vectors, stream, self.embedding)
            spread = found[known].std(correction=0)
            vectors = torch.where(known.unsqueeze(1), found, spread * vectors)
        vectors[PADDING] = 0.0
        tensors = {"embedding.weight": vectors}
        for parameter in self.layout(stream).parameters:
            if parameter.name.startswith("lstm."):
                bound = 1 / math.sqrt(self.hidden)
                tensors[parameter.name] = init.uniform_(
                    torch.zeros(parameter.shape), -bound, bound, generator=generator
                )
        for name, out, inputs, bias in (
            ("attention.projection", self.attention, self.hidden, True),
            ("attention.score", 1, self.attention, False),
            ("head", stream.outputs, self.hidden, True),
        ):
            tensors.update(dense_tensors("torch", name, out, inputs, bias, generator))
        if self.adapter:
            tensors["adapter.weight"] = torch.eye(stream.outputs, stream.outputs + self.hidden)
            tensors["adapter.bias"] = torch.zeros(stream.outputs)
        return tensors

    def bind(self, stream: Stream, theta: Tensor, gradient: Tensor) -> Network:
        """Return the network over views of `theta` and `gradient`."""
        return SequenceNetwork(self.layout(stream), theta, gradient)


def _tokens(stream: Stream) -> int:
    """Return the size of the vocabulary; a stream without one is refused before."""
    assert stream.tokens is not None
    return stream.tokens


def _known_vectors(path: str, stream: Stream, dimension: int) -> tuple[Tensor, Tensor]:
    """Return what `read_vectors` does, reading a file once for all seeds while it does not change."""
    file = Path(path).expanduser()
    changed = file.stat().st_mtime_ns if file.exists() else 0
    return _read_once(str(file), changed, tuple(stream.vocabulary or ()), dimension)


@lru_cache(maxsize=4)
def _read_once(path: str, changed: int, vocabulary: tuple[str, ...], dimension: int) -> tuple[Tensor, Tensor]:
    return read_vectors(path, vocabulary, dimension)
