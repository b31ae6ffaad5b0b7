"""What the machine allows, multiply-adds and bytes a second, and how near to it clbench's product comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Barrier, Thread

import numpy as np
from worker import answer


def measure(kind: str, threads: int, **request: int) -> float:
    """Return seconds: of one `multiply_add`, one byte's `copy`, or a multiply-add of clbench's `product`."""
    return {"multiply_add": multiply_add, "copy": copy, "product": product}[kind](threads, **request)


def multiply_add(threads: int, rounds: int = 400_000, repetitions: int = 5) -> float:
    """Return the seconds of one multiply-add when every thread takes nothing else, in registers."""
    from rate import ROUND
    from rate import multiply_add as run

    seconds = _together(threads, lambda: lambda: run(rounds, 0.5, 1.0), repetitions)
    return seconds / (threads * repetitions * rounds * ROUND)


def copy(threads: int, megabytes: int = 256, repetitions: int = 5) -> float:
    """Return the seconds of one byte read or written when every thread copies an array larger than caches."""
    floats = megabytes * 2**20 // 4

    def make() -> Callable[[], object]:
        source, target = np.ones(floats, np.float32), np.empty(floats, np.float32)
        return lambda: np.copyto(target, source)

    return _together(threads, make, repetitions) / (threads * repetitions * 8 * floats)


def product(threads: int, rows: int, columns: int, inner: int, transposed: int = 0) -> float:
    """Return the seconds of a multiply-add in clbench's product [rows, inner] · [inner, columns].

    Args:
        threads: how many work, each on its own.
        rows, columns, inner: the shape.
        transposed: 1 where the left factor is stored [inner, rows], as for ∂W.
    """
    from product_loop import repeat

    multiply_adds = rows * columns * inner
    times = max(1, 2 * 10**8 // multiply_adds)

    def make() -> Callable[[], object]:
        random = np.random.default_rng(0)
        stored = random.standard_normal((inner, rows) if transposed else (rows, inner), np.float32)
        left = stored.T if transposed else stored
        right = random.standard_normal((inner, columns), np.float32)
        out = np.empty((rows, columns), np.float32)
        return lambda: repeat(times, left, right, out)

    return _together(threads, make, 3) / (threads * 3 * times * multiply_adds)


def _together(threads: int, make: Callable[[], Callable[[], object]], repetitions: int) -> float:
    """Return the seconds in which all threads do their work `repetitions` times, after one unmeasured go."""
    barrier = Barrier(threads + 1)

    def run() -> None:
        work = make()
        work()
        barrier.wait()
        for _ in range(repetitions):
            work()
        barrier.wait()

    workers = [Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    began = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return seconds


if __name__ == "__main__":
    answer(measure)
