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
    HEADS = auto()
    "of a distillation; 0 for the squared difference"
    AVERAGED = auto()
    "whether over a head's outputs"
    PARTS = auto()
    "where each batch's own samples begin among all own ones, and those taught, int64 `[1 + steps, 2]`"
    TAUGHT = auto()
    "scratch of a batch: outputs that are taught `[output, room]`"
    SOFTENED = auto()
    "`[2 · outputs + 2, room]`"


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
    DISTILLED = auto()
    "numbers of its distillation, float64, see `distillation`"
    TEACHER = auto()
    "θ whose outputs are taught"
    STORED = auto()
    "outputs that are taught instead, `[place, output]`"
    PLACES = auto()
    "of those taught to the first samples from memory, batch after batch, int64"
    SLOTS = auto()
    "where the outputs of the own samples are stored, batch after batch, int64"
    TEACHER_HEADS = auto()
    "which outputs its heads have, 0 or −∞ `[head, output]`"
    STUDENT_HEADS = auto()
    "which of the student's compete in them"


PROGRAM, LANE = len(Program), len(Lane)
"""Columns of each."""
