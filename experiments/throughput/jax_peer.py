"""The forty lines of JAX that a researcher writes, `jit(vmap(scan(step)))`, in an environment apart."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from starts import draw_data, draw_layers, draw_order
from worker import Worker, answer
from workloads import WORKLOADS, Workload

RATE, DECAY, SQUARE_DECAY, TINY = 1e-3, 0.9, 0.999, 1e-8  # Adam's, as torch has them

Parameters = list[tuple[jax.Array, jax.Array]]


def network(parameters: Parameters, inputs: jax.Array) -> jax.Array:
    """Return the outputs `[batch, out]`."""
    *hidden, (weight, bias) = parameters
    for inner_weight, inner_bias in hidden:
        inputs = jax.nn.relu(inputs @ inner_weight + inner_bias)
    return inputs @ weight + bias


def squared_error(parameters: Parameters, inputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Return the mean squared error."""
    return jnp.mean((network(parameters, inputs) - targets) ** 2)


def cross_entropy(parameters: Parameters, inputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Return the mean cross-entropy of labels."""
    chances = jax.nn.log_softmax(network(parameters, inputs))
    return -jnp.mean(jnp.take_along_axis(chances, targets[:, None], 1))


LOSSES = {"mse": squared_error, "cross_entropy": cross_entropy}


def adam(state: Any, gradient: Any) -> Any:
    """Return parameters, moments and count after a step (Kingma & Ba 2015)."""
    parameters, first, second, count = state
    count = count + 1
    first = jax.tree.map(lambda m, g: DECAY * m + (1 - DECAY) * g, first, gradient)
    second = jax.tree.map(lambda v, g: SQUARE_DECAY * v + (1 - SQUARE_DECAY) * g * g, second, gradient)
    rate, scale = RATE / (1 - DECAY**count), 1 / (1 - SQUARE_DECAY**count)
    parameters = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v * scale) + TINY), parameters, first, second
    )
    return parameters, first, second, count


@lru_cache(maxsize=64)
def trainer(loss: str, many: bool, pool: bool) -> Any:
    """Return the compiled training of a task: `(state, order, inputs, targets) -> state, losses [steps]`.

    Args:
        loss: name.
        many: whether every argument has runs in front.
        pool: whether many runs share one pool of data.
    """
    value_and_gradient = jax.value_and_grad(LOSSES[loss])

    def train(state: Any, order: jax.Array, inputs: jax.Array, targets: jax.Array) -> Any:
        def step(state: Any, batch: jax.Array) -> Any:
            value, gradient = value_and_gradient(state[0], inputs[batch], targets[batch])
            return adam(state, gradient), value

        return jax.lax.scan(step, state, order)

    data = None if pool else 0
    return jax.jit(jax.vmap(train, in_axes=(0, 0, data, data)) if many else train)


def begin(workload: Workload, seeds: range) -> Any:
    """Return the state before any training, of one run without and of many with runs in front."""
    drawn = [draw_layers(workload, seed) for seed in seeds]
    stacked = jax.tree.map(lambda *each: jnp.asarray(np.stack(each) if len(each) > 1 else each[0]), *drawn)
    zeros = jax.tree.map(jnp.zeros_like, stacked)
    return stacked, zeros, zeros, jnp.zeros(len(seeds)) if len(seeds) > 1 else jnp.zeros(())


@lru_cache(maxsize=4)
def task_data(workload: Workload, lanes: int) -> tuple[bool, list[tuple[jax.Array, jax.Array]]]:
    """Return whether the runs share one pool, and every task's data; a pool of MNIST's size is shared."""
    pool = lanes == 1 or workload.samples > 10_000
    if pool:
        return True, [(jnp.asarray(x), jnp.asarray(y)) for x, y in draw_data(workload, 0)]
    runs = zip(*(draw_data(workload, seed) for seed in range(lanes)), strict=True)
    return False, [(jnp.stack([x for x, _ in run]), jnp.stack([y for _, y in run])) for run in runs]


def train_seconds(workload: Workload, steps: int, lanes: int) -> float:
    """Return the seconds of all tasks, compiled; state, data and order of batches are there beforehand."""
    seeds = range(lanes)
    pool, data = task_data(workload, lanes)
    train = trainer(workload.loss, lanes > 1, pool)
    drawn = [draw_order(workload, seed, steps) for seed in seeds]
    order = jnp.asarray(np.stack(drawn) if lanes > 1 else drawn[0])
    state = begin(workload, seeds)
    if (workload, steps, lanes) not in COMPILED:
        jax.block_until_ready(train(state, order, *data[0]))
        COMPILED.add((workload, steps, lanes))
    jax.block_until_ready((state, order))
    began = time.perf_counter()
    for inputs, targets in data:
        state, _ = train(state, order, inputs, targets)
    jax.block_until_ready(state)
    return time.perf_counter() - began


COMPILED: set[tuple[Workload, int, int]] = set()


def losses(workload: Workload, steps: int) -> list[float]:
    """Return the loss of every step of the first task from the start that all share."""
    (inputs, targets), *_ = draw_data(workload, 0)
    train = trainer(workload.loss, False, True)
    order = jnp.asarray(draw_order(workload, 0, steps))
    _, found = train(begin(workload, range(1)), order, jnp.asarray(inputs), jnp.asarray(targets))
    return [float(value) for value in found]


@lru_cache(maxsize=1)
def processes(count: int) -> list[Worker]:
    """Return so many processes of this file, which end with this one."""
    return [Worker("jax_peer.py", sys.executable) for _ in range(count)]


def apart_seconds(request: dict[str, object], count: int) -> float:
    """Return the seconds in which so many processes take one run each, all at the same time."""
    workers = processes(count)
    with ThreadPoolExecutor(count) as pool:
        for _ in range(
            2
        ):  # the first time some compile, and the others would have the machine for themselves
            found = list(pool.map(lambda worker: worker.seconds(**request), workers))
    return max(found)


def measure(workload: str, kind: str, steps: int, lanes: int = 1) -> dict[str, object]:
    """Return the seconds of `runs` in one program or in `processes` of one each, or the `losses` of a run."""
    chosen = WORKLOADS[workload]
    if kind == "losses":
        return {"losses": losses(chosen, steps), "version": jax.__version__}
    if kind == "processes":
        return {"seconds": apart_seconds({"workload": workload, "kind": "runs", "steps": steps}, lanes)}
    return {"seconds": train_seconds(chosen, steps, lanes)}


if __name__ == "__main__":
    answer(measure)
