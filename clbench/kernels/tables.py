"""What steps are about, as tables of addresses and counts, int64: of a program, its lanes and what acts on them.

An address of 0 stands for what is not there.
"""

from __future__ import annotations

(
    PADDED, OPTIMIZER, RANGES, RANGE_COUNT, RATES, TENSORS, TENSOR_COUNT, TERMS, TERM_COUNT, DECAY_STRIDE, DECOUPLED,
    SCALES, CHAIN, ROOM, FEATURES, POOL, LOSS, STARTS, MASKS, NUMBERS_OUT, LABELS, TASKS, SHARES, ROWS_OUT,
) = range(24)  # fmt: skip
"""A program: floats of a lane; code of the optimiser; what it steps (table `[range, 3]`: start, stop, which count);
factors on the steps; tensors (table `[tensor, 2]`: start, stop); terms of the pulls (table `[term, 3]`: distance,
decoupled, stride of the weight); stride of the decoupled pulls' rates, and whether there are such pulls; scratch
for norms `[member, term, tensor]`; the chain and its room; features and samples of the stream; code of the loss; what is
added to the labels `[task]`; masks `[task, output]`; and scratch of a batch: targets `[sample, output]`, labels, tasks,
weights, and two rows of the room."""

PROGRAM = 24

(
    THETA, GRADIENT, TOTAL, PREVIOUS, FIRST, SECOND, COUNTS, NUMBERS, PATH, TOTAL_PATH, SQUARES, FIRST_SQUARES, DECAYS,
    ADDRESSES, WEIGHTS, INPUTS, TARGETS, ORDERS, PULLS, FOUND,
) = range(20)  # fmt: skip
"""A lane: its parameters, their gradient, what the optimiser is given, θ before the step, moments, counts of steps
(float32), numbers of the optimiser (float64); sums over steps; rates of decoupled pulls; addresses and weights of its
samples, batch after batch; inputs, targets and orders of the features of its stream; its pulls (table `[term, 2]`:
anchor, weight); where its task loss goes (float64)."""

LANE = 20
