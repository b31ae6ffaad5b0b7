"""What steps are about, as rows of addresses and counts, int64; 0 stands for what is not there."""

from __future__ import annotations

from enum import IntEnum, auto


class Program(IntEnum):
    """A row for all lanes."""

    PADDED = 0
    "floats of a lane"
    OPTIMIZER = auto()
    "its code"
    RANGES = auto()
    "what it steps, `[range, 3]`: start, stop, which count"
    RANGE_COUNT = auto()
    RATES = auto()
    "factors on the steps, `[padded]`"
    TENSORS = auto()
    "`[tensor, 2]`: start, stop"
    TENSOR_COUNT = auto()
    TERMS = auto()
    "what pulls, `[term, 3]`: distance, whether decoupled, stride of the weight"
    TERM_COUNT = auto()
    DECOUPLED = auto()
    "whether any is"
    DECAY_STRIDE = auto()
    "of the rates of decoupled pulls"
    SCALES = auto()
    "scratch of norms, `[member, term, tensor]`"
    CHAIN = auto()
    "the network, see `dense`"
    ROOM = auto()
    "what its pass needs"
    FEATURES = auto()
    "of a sample"
    POOL = auto()
    "samples of a stream"
    LOSS = auto()
    "its code"
    STARTS = auto()
    "what is added to the labels, int64 `[task]`"
    MASKS = auto()
    "0 or −∞, `[task, output]`"
    BATCH_TARGETS = auto()
    "scratch of a batch: targets `[sample, output]`"
    BATCH_LABELS = auto()
    "the same in a classification, int64 `[sample]`"
    BATCH_TASKS = auto()
    "int64 `[sample]`"
    BATCH_WEIGHTS = auto()
    "`[sample]`"
    BATCH_ROWS = auto()
    "`[2, room]`"


class Lane(IntEnum):
    """A row for every lane; vectors are `[padded]`."""

    THETA = 0
    GRADIENT = auto()
    "of the task loss"
    TOTAL = auto()
    "what the optimiser is given"
    PREVIOUS = auto()
    "θ before a step"
    FIRST = auto()
    "moments, see the optimiser"
    SECOND = auto()
    COUNTS = auto()
    "of steps taken, float32 `[count]`"
    NUMBERS = auto()
    "of the optimiser, float64"
    PATH = auto()
    "sums over steps"
    TOTAL_PATH = auto()
    SQUARES = auto()
    FIRST_SQUARES = auto()
    DECAYS = auto()
    "rates of decoupled pulls, `[padded]` or one"
    ADDRESSES = auto()
    "of its samples, batch after batch, int64"
    WEIGHTS = auto()
    "of its samples in the loss"
    INPUTS = auto()
    "of its stream, `[pool, features]`"
    TARGETS = auto()
    "of its stream, float32 `[pool, output]` or int64 `[pool]`"
    ORDERS = auto()
    "of the features in its stream, int64 `[task, features]`"
    PULLS = auto()
    "`[term, 2]`: anchor, weight"
    FOUND = auto()
    "where its task loss goes, float64"


PROGRAM, LANE = len(Program), len(Lane)
"""Columns of each."""
