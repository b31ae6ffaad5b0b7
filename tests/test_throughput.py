"""The benchmark of experiments/throughput: what it counts, its budgets, and that peers train the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

FOLDER = Path(__file__).resolve().parent.parent / "experiments" / "throughput"
JAX = FOLDER.parent.parent / "build" / "peers" / "jax" / "bin" / "python"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let tests import the benchmark's modules by their names, as it does."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("name", ["regression", "digits", "mnist", "linear"])
def test_multiply_adds_of_a_step_are_those_that_torch_counts(name):
    from loops import network
    from workloads import WORKLOADS

    chosen = WORKLOADS[name]
    model = network(chosen)
    with FlopCounterMode(display=False) as counted:
        model(torch.randn(chosen.batch, chosen.widths[0])).sum().backward()
    assert counted.get_total_flops() == 2 * chosen.multiply_adds


@pytest.mark.parametrize("rounds", [0, 1, 7, 20])
def test_every_counted_multiply_add_of_the_rate_is_taken(rounds):
    from rate import ROUND, multiply_add

    # a ← a / 2 + 1 from 0 is 2 − 2^(1 − n), exact in float32, in each of the ROUND places.
    assert multiply_add(rounds, 0.5, 1.0) == pytest.approx(ROUND * (2 - 2.0 ** (1 - rounds)), rel=1e-6)


@pytest.mark.parametrize("transposed", [False, True])
def test_timed_products_are_products(transposed):
    from product_loop import repeat

    random = np.random.default_rng(0)
    left = random.standard_normal((5, 3) if transposed else (3, 5)).astype(np.float32)
    left = left.T if transposed else left
    right, out = random.standard_normal((5, 7)).astype(np.float32), np.full((3, 7), np.nan, np.float32)
    repeat(2, left, right, out)
    assert out == pytest.approx(left.astype(float) @ right, abs=1e-5)


def test_order_is_of_shuffled_passes():
    from starts import draw_order
    from workloads import WORKLOADS

    order = draw_order(WORKLOADS["digits"], seed=3, steps=20)
    assert order.shape == (20, 32)
    for start in (0, 7):  # 251 samples: seven whole batches a pass
        assert len(np.unique(order[start : start + 7])) == 7 * 32
    assert (order == draw_order(WORKLOADS["digits"], seed=3, steps=20)).all()


class Known:
    """A worker to whom a step takes 2 ms beside 0.1 s of setup, whatever is asked."""

    def __init__(self):
        self.asked = []

    def ask(self, steps=0, **request):
        self.asked.append(steps)
        return {"seconds": 0.1 + 0.002 * steps, "samples": 32 * steps + 5}


def test_step_is_the_difference_of_two_lengths_over_runs_tasks_and_steps():
    from comparison import Entry
    from contenders import Contender

    entry = Entry(Contender("steps", "digits", "known", "lanes", {}, short=8, lanes=4, tasks=2))
    entry.calibrate(Known(), seconds=0.5)
    assert entry.long % 8 == 0 and 0.4 < 0.002 * (entry.long - entry.short) <= 0.5
    row = entry.measure(Known())
    assert row["step_us"] == pytest.approx(2000 / 4 / 2)
    assert row["samples"] == pytest.approx(32 / 2)


def test_lengths_stay_within_what_a_peer_can_train():
    from comparison import Entry
    from contenders import Contender

    entry = Entry(Contender("steps", "mnist", "known", "avalanche", {}, short=10, most=230))
    worker = Known()
    entry.calibrate(worker, seconds=100.0)
    assert entry.long == 230 and max(worker.asked) <= 230


def rows(part, workload, times, **more):
    """Return rows of measurements.csv, one repetition of who takes how many µs."""
    first = {"part": part, "workload": workload, "repetition": 0, "x": 1, "lanes": 1, "tasks": 2, "long": 8}
    first |= {"multiply_adds": 1000, "samples": 32.0, "whole_us": 0.0}
    return [{**first, "contender": name, "step_us": value, **more} for name, value in times.items()]


def test_budgets_hold_ratios_against_their_limits():
    from budgets import budgets

    times = {
        "clbench naive, 1 run": 8.0,
        "JAX jit(scan), 1 run": 10.0,
        "JAX jit(vmap(scan)), 64 runs": 12.0,
        "JAX jit(vmap(scan)), 256 runs": 9.0,
        "JAX jit(scan), 2 processes of 1 run": 5.0,
        "Avalanche naive": 520.0,
    }
    measured = rows("steps", "regression", times)
    measured += rows("steps", "regression", {"clbench naive, 256 runs": 4.0}, lanes=256)
    found = {line.line: line for line in budgets(pd.DataFrame(measured), commands())}
    net = "1-64-64-1"
    alone = found[f"{net}: 1 run by JAX's jit(scan)"]
    assert (alone.measured, alone.holds) == (pytest.approx(0.8), True)
    vmap = found[f"{net}: 256 runs by JAX's vmap"]  # the faster of its sizes
    assert (vmap.measured, vmap.holds) == (pytest.approx(4 / 9), True)
    share = found[f"{net}: 256 runs by a run's share of JAX processes, one a core"]
    assert (share.measured, share.holds) == (pytest.approx(0.8), False)
    avalanche = found[f"{net}: 256 runs by Avalanche naive"]
    assert avalanche.row()["measured"] == avalanche.row()["budget"][2:] == "1/130" and avalanche.holds
    assert found["784-400-400-10: 1 run by JAX"].row()["measured"] == "not measured"


def commands(**seconds):
    """Return commands.csv with so many seconds a command."""
    names = {name.replace("_", " "): value for name, value in seconds.items()}
    columns = {"kind": "command", "repetition": 0, "runs": 10_000, "peak_mb": 1500.0}
    found = [{**columns, "name": name, "seconds": value} for name, value in names.items()]
    return pd.DataFrame(found, columns=["kind", "name", "repetition", "runs", "seconds", "peak_mb"])


def test_budgets_of_commands_and_memory():
    from budgets import budgets

    empty = pd.DataFrame(rows("limits", "-", {"multiply_add": 1e-5}))
    found = {line.line: line.row() for line in budgets(empty, commands(help=0.4, bad_value=1.5))}
    assert [found["command: help"][key] for key in ("measured", "holds")] == ["0.4 s", "✅"]
    assert [found["command: bad value"][key] for key in ("ratio", "holds")] == ["1.50", "❌"]
    assert found["command: 10,000 runs, memory"]["measured"] == "1.5 GB"


def test_a_rerun_fills_the_table_of_budgets(tmp_path):
    from tables import write_tables

    write_tables(tmp_path)
    empty = pd.read_csv(tmp_path / "budgets.csv")
    assert set(empty.measured) == {"not measured"}
    commands(help=0.4).to_csv(tmp_path / "commands.csv", index=False)
    steps = rows("steps", "regression", {"clbench naive, 1 run": 8.0, "JAX jit(scan), 1 run": 10.0})
    more = {"short": 8, "short_seconds": 0.1}
    pd.DataFrame(steps).assign(**more).to_csv(tmp_path / "measurements.csv", index=False)
    write_tables(tmp_path)
    filled = pd.read_csv(tmp_path / "budgets.csv")
    assert list(filled.line) == list(empty.line)
    assert list(filled.measured[filled.measured != "not measured"]) == ["0.80", "0.4 s", "1.5 GB"]
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "| 1-64-64-1: 1 run by JAX's jit(scan) | ≤ 0.80 | 0.80 | 1.00 | ✅ |" in table


def test_clocked_functions_are_there():
    from phases import CLOCKED, found_at

    for places in CLOCKED.values():
        for module, path in places:
            owner, name = found_at(module, path)
            assert callable(getattr(owner, name)), (module, path)


def test_share_of_the_limit_and_of_a_cores_rate():
    from budgets import budgets
    from medians import machine_rate, of_workload, shares

    measured = rows("limits", "-", {"multiply_add": 1e-5}, x=1) + rows(
        "limits", "-", {"multiply_add": 5e-6}, x=2
    )
    measured += rows("steps", "regression", {"clbench naive, 1 run": 0.01})
    measured += rows("products", "-", {"64×64 · 64×32": 1.25e-5})
    frame = pd.DataFrame(measured)
    # 1,000 multiply-adds at 2·10¹¹ a second take 5 ns, half of the step's 10.
    assert shares(of_workload(frame, "regression"), machine_rate(frame))[0:1].item() == pytest.approx(0.5)
    line = next(line for line in budgets(frame, commands()) if line.line.startswith("product "))
    assert (line.measured, line.holds, line.row()["budget"]) == (pytest.approx(0.8), False, "≥ 85 %")


def test_strategies_are_held_against_naive_of_the_same_repetition():
    from medians import strategy_ratios

    measured = []
    for repetition, slow in enumerate((1.0, 3.0, 1.0)):  # in the second one the machine was busy
        times = {"naive": 10 * slow, "er": 22 * slow}
        measured += rows("strategies", "digits", {"naive": times["naive"]}, repetition=repetition)
        measured += rows("strategies", "digits", {"er": times["er"]}, repetition=repetition, samples=64.0)
    found = strategy_ratios(pd.DataFrame(measured), "digits").loc["er"]
    assert found.to_dict() == pytest.approx({"step": 2.2, "samples": 2.0, "sample": 1.1})


@pytest.mark.skipif(not JAX.exists(), reason="needs JAX in the environment of setup_peers.sh")
def test_jax_learns_what_the_plain_loop_learns():
    from agreement import check_peer
    from worker import Worker

    worker = Worker("jax_peer.py", str(JAX))
    try:
        assert max(check_peer(worker, ["regression", "digits"]).values()) < 1e-5
    finally:
        worker.close()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_gpu_benchmark_refuses_in_one_line_without_a_gpu():
    done = subprocess.run([sys.executable, str(FOLDER / "gpu.py")], capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "cuda" in done.stderr


def test_gpu_benchmark_times_the_engines_stepper():
    from gpu_stage import Stage, measure_lanes
    from workloads import WORKLOADS

    row = measure_lanes(Stage(WORKLOADS["regression"], lanes=3, steps=9, device="cpu"), repetitions=1)
    assert (
        row["lanes"] == 3
        and row["step_us_of_one_run"] * 3 == pytest.approx(row["step_us"])
        and row["step_us"] > 0
    )
