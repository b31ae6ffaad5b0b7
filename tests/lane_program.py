"""The rows of a program and its lanes between guards, for the kernels that take whole steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Thread

import numpy as np
from guarded import GuardedMemory, at

from clbench.kernels import losses
from clbench.kernels.activations import CODES as ACTIVATIONS
from clbench.kernels.dense import ROOM, SAMPLES, chain_table
from clbench.kernels.optimizers import ADAM
from clbench.kernels.tables import LANE, PROGRAM, Lane, Program
from clbench.kernels.training import train_lanes
from clbench.kernels.vectors import WIDTH


@dataclass
class Job:
    """What lanes do: a chain, a loss, an optimiser, at most one pull."""

    sizes: tuple[int, ...]
    activation: str = "relu"
    loss: str = "mse"
    batch: int = 32
    steps: int = 20
    optimizer: int = ADAM
    numbers: tuple[float, ...] = (0.01, 0.9, 0.999, 1e-8, 0.0)
    pull: tuple[int, int] | None = None
    rates: bool = False
    pool: int = 61
    tasks: int = 3
    ends: list[int] = field(default_factory=list)

    def __post_init__(self):
        self.ends = [0, *(self.batch * step for step in range(1, self.steps)), self.batch * self.steps - 3]
        pairs = list(zip(self.sizes, self.sizes[1:], strict=False))
        self.layers, place = [], 0
        for inputs, outputs in pairs:
            weight, bias = place, place + inputs * outputs
            self.layers.append((inputs, outputs, weight, bias, 1, 1))
            place = bias + outputs
        self.count, self.padded = place, -(-place // WIDTH) * WIDTH


def lane_of(job, seed):
    """Return a lane's arrays by the names of its row."""
    random = np.random.default_rng(seed)

    def draw(*shape):
        return random.standard_normal(shape).astype(np.float32)

    padded, outputs, samples = job.padded, job.sizes[-1], job.ends[-1]
    labels = np.arange(job.pool) % (outputs // job.tasks or 1)
    arrays = {
        name: np.zeros(padded, np.float32) for name in ("GRADIENT", "TOTAL", "PREVIOUS", "FIRST", "SECOND")
    }
    sums = ("PATH", "TOTAL_PATH", "SQUARES", "FIRST_SQUARES")
    arrays |= {name: np.zeros(padded, np.float32) for name in sums}
    arrays |= {
        "THETA": draw(padded) * np.float32(0.3),
        "COUNTS": np.zeros(1, np.float32),
        "NUMBERS": np.array(job.numbers),
        "ADDRESSES": random.integers(0, job.tasks * job.pool, samples),
        "WEIGHTS": np.abs(draw(samples)) / np.float32(job.batch),
        "INPUTS": draw(job.pool, job.sizes[0]),
        "TARGETS": draw(job.pool, outputs) if job.loss == "mse" else labels,
        "ORDERS": np.stack([random.permutation(job.sizes[0]) for _ in range(job.tasks)]),
        "DECAYS": np.full(1, 0.05, np.float32),
        "FOUND": np.zeros(1),
        "anchor": draw(padded) * np.float32(0.3),
        "weight": np.abs(draw(padded)) * np.float32(0.1),
    }
    return arrays


GIVEN = (
    "NUMBERS",
    "COUNTS",
    "ADDRESSES",
    "WEIGHTS",
    "INPUTS",
    "TARGETS",
    "ORDERS",
    "DECAYS",
    "anchor",
    "weight",
)


def masks_of(job):
    """Return masks under which every task has its own outputs, and where they begin."""
    own = job.sizes[-1] // job.tasks
    masks = np.full((job.tasks, job.sizes[-1]), -np.inf, np.float32)
    for task in range(job.tasks):
        masks[task, own * task : own * (task + 1)] = 0
    return masks, own * np.arange(job.tasks)


def rates_of(job):
    """Return a rate for each parameter, some of them 0."""
    return np.random.default_rng(5).choice(np.float32([0, 0.5, 1]), job.padded)


def train(job, seeds, team=1, repeat=1):
    """Return the arrays of lanes after their steps by the kernel."""
    memory = GuardedMemory()
    lanes = [
        {
            name: memory.given(each) if name in GIVEN else memory.wanted(each)
            for name, each in lane_of(job, seed).items()
        }
        for seed in seeds
    ]
    chain = chain_table(job.layers, ACTIVATIONS[job.activation], job.batch)
    room, outputs = int(chain[0, SAMPLES]), job.sizes[-1]
    tensors = [(start, stop) for layer in job.layers for start, stop in spans(layer)]
    values = {
        "PADDED": job.padded, "OPTIMIZER": job.optimizer, "RANGE_COUNT": 1, "TENSOR_COUNT": len(tensors),
        "FEATURES": job.sizes[0], "POOL": job.pool, "LOSS": losses.CODES[job.loss],
        "TERM_COUNT": int(job.pull is not None), "DECOUPLED": int(job.pull is not None and job.pull[1]),
    }  # fmt: skip
    masks, starts = masks_of(job)
    places = {
        "RANGES": np.array([[0, job.padded, 0]]), "TENSORS": np.array(tensors), "CHAIN": chain,
        "STARTS": starts, "MASKS": masks, "TERMS": np.array([[*(job.pull or (0, 0)), 1]]),
    }  # fmt: skip
    if job.rates:
        places["RATES"] = rates_of(job)
    scratch = {
        "SCALES": np.zeros(team * len(tensors), np.float32),
        "ROOM": np.full(chain[0, ROOM], np.nan, np.float32),
        "BATCH_TARGETS": np.zeros(job.batch * outputs, np.float32),
        "BATCH_LABELS": np.zeros(job.batch, np.int64), "BATCH_TASKS": np.zeros(job.batch, np.int64),
        "BATCH_WEIGHTS": np.zeros(job.batch, np.float32), "BATCH_ROWS": np.zeros((2, room), np.float32),
    }  # fmt: skip
    held = {name: memory.given(each) for name, each in places.items()}
    held |= {name: memory.wanted(each) for name, each in scratch.items()}
    program, rows = np.zeros(PROGRAM, np.int64), np.zeros((len(lanes), LANE), np.int64)
    for name, value in values.items():
        program[Program[name]] = value
    for name, array in held.items():
        program[Program[name]] = at(array)
    pulls = [memory.given(np.array([at(lane["anchor"]), at(lane["weight"])])) for lane in lanes]
    for row, lane, pull in zip(rows, lanes, pulls, strict=True):
        for name, array in {**lane, "PULLS": pull}.items():
            if name in Lane.__members__:
                row[Lane[name]] = at(array)
    ends, meeting = memory.given(np.array(job.ends)), np.zeros(1, np.int64)

    def work(member):
        for _ in range(repeat):
            train_lanes.python(
                at(program), at(rows), len(lanes), at(ends), job.steps, 0, member, team, at(meeting)
            )

    threads = [Thread(target=work, args=(member,)) for member in range(1, team)]
    for thread in threads:
        thread.start()
    work(0)
    for thread in threads:
        thread.join()
    memory.check()
    return lanes


def spans(layer):
    """Return where a layer's tensors begin and end."""
    inputs, outputs, weight, bias, *_ = layer
    return (weight, weight + inputs * outputs), (bias, bias + outputs)
