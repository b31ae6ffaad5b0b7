"""The lane rules of the design, bit for bit, on the real engine."""

from dataclasses import dataclass, replace
from weakref import WeakSet

import numpy as np
import pytest
import torch

from clbench.config import Evaluation, Training
from clbench.engine import RunResult, train, training
from clbench.engine.lane import LaneRecord
from clbench.engine.phase import run_phase
from clbench.engine.plan import plan_phases
from clbench.engine.store import StageStore
from clbench.execution import Execution
from clbench.models import MLP
from clbench.optimizers import SGD, Adagrad, Adam, AdamW
from clbench.runs import Run
from clbench.strategies import Joint, Naive, Regularized
from clbench.strategies.base import Strategy
from clbench.streams import SplitImages, TwoTaskRegression
from clbench.streams.base import Stream, StreamSource

STREAMS = {
    "regression": TwoTaskRegression(),
    "task": SplitImages(scenario="task"),
    "class": SplitImages(scenario="class"),
}
OPTIMIZERS = {
    "sgd": SGD(lr=0.01, momentum=0.9),
    "adam": Adam(lr=0.002),
    "adamw": AdamW(lr=0.002),
    "adagrad": Adagrad(lr=0.02),
}


def l2(lam: float) -> Regularized:
    return Regularized(lam=lam)


def make(
    stream: str | StreamSource = "regression",
    strategy: Strategy | None = None,
    seed: int = 0,
    **changes: object,
) -> Run:
    run = Run(
        stream=STREAMS[stream] if isinstance(stream, str) else stream,
        model=MLP(hidden=(20, 12), activation="relu"),
        strategy=strategy or Naive(),
        optimizer=OPTIMIZERS["adam"],
        training=Training(steps=17, batch_size=16),
        evaluation=Evaluation(points=4, subset=40),
        seed=seed,
    )
    return replace(run, **changes)


def results(
    runs: list[Run], share: bool = True, store: StageStore | None = None, **used: object
) -> list[RunResult]:
    found: dict[int, RunResult] = {}
    train(runs, found.__setitem__, execution=Execution(**used), share=share, store=store)
    return [found[number] for number in range(len(runs))]


def assert_same_bits(left: RunResult, right: RunResult) -> None:
    assert left.status == right.status
    for name in ("step", "stage", "full", "loss"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    for kind in ("score", "training"):
        for name, values in getattr(left, kind).items():
            np.testing.assert_array_equal(values, getattr(right, kind)[name], err_msg=name)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_alone_in_company_in_another_order_on_any_threads(stream, activation, optimizer):
    changes = {"model": MLP(hidden=(20, 12), activation=activation), "optimizer": OPTIMIZERS[optimizer]}
    runs = [make(stream, l2(lam), seed, **changes) for seed in (0, 3, 4) for lam in (0.1, 2.0)]
    runs += [make(stream, Joint(), 3, **changes), make(stream, Naive(), 3, **changes)]
    company = results(runs)
    for number in (0, 3, 6):
        assert_same_bits(company[number], results([runs[number]], threads=1)[0])
    for left, right in zip(company, reversed(results(runs[::-1], threads=1)), strict=True):
        assert_same_bits(left, right)
    for left, right in zip(company, results(runs, threads=2), strict=True):
        assert_same_bits(left, right)


def test_one_and_many_lanes_of_a_chunk_agree():
    runs = [make(seed=seed) for seed in range(67)]
    many = results(runs)
    for number in (0, 33, 66):
        assert_same_bits(many[number], results([runs[number]])[0])


@pytest.mark.parametrize("bias", [True, False])
def test_a_large_layer_keeps_its_bits_alone_in_company_and_on_any_threads(bias):
    model = MLP(hidden=(300, 300), bias=bias)  # too large for ∂W to be copied to its place
    changes = {"model": model, "training": Training(steps=3, batch_size=32)}
    runs = [make("class", seed=seed, **changes) for seed in range(3)]
    company = results(runs, threads=1)
    for number in (0, 2):
        assert_same_bits(company[number], results([runs[number]], threads=1)[0])
        assert_same_bits(company[number], results([runs[number]], threads=2)[0])


def test_lanes_of_different_learning_rates_share_a_program():
    runs = [make(seed=seed, optimizer=Adam(lr=lr)) for lr in (0.001, 0.01) for seed in range(3)]
    company = results(runs, threads=1)
    assert company[0].program["lanes"] == 6
    for number, run in enumerate(runs):
        assert_same_bits(company[number], results([run])[0])
    assert not np.array_equal(company[0].loss, company[3].loss)


@pytest.mark.parametrize("stream", ["regression", "task"])
def test_shared_prefix_equals_unshared(stream):
    runs = [make(stream, l2(lam), seed) for seed in (0, 1) for lam in (0.0, 0.5, 3.0)]
    shared, alone = results(runs), results(runs, share=False)
    for left, right in zip(shared, alone, strict=True):
        assert_same_bits(left, right)
    stages = len(shared[0].tasks)
    assert sum(result.trained_here for result in alone) == 6 * stages
    assert sum(result.trained_here for result in shared) == 2 + 6 * (stages - 1)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_lambda_zero_is_naive(optimizer):
    pair = [make(strategy=s, optimizer=OPTIMIZERS[optimizer]) for s in (Naive(), l2(0.0), l2(1.0))]
    naive, zero, one = results(pair, share=False)
    np.testing.assert_array_equal(naive.loss, zero.loss)
    assert not np.array_equal(naive.loss, one.loss)


@dataclass(frozen=True)
class Poisoned(StreamSource):
    """The two-task regression, with targets in task B of one seed whose squares are infinite."""

    bad_seed: int = 1

    def build(self, seed: int) -> Stream:
        stream = TwoTaskRegression().build(seed)
        targets = stream.targets.clone()
        if seed == self.bad_seed:
            targets[stream.tasks[1].train] = 1e30
        return replace(stream, targets=targets)


def test_a_diverging_lane_leaves_its_neighbours_bits():
    evaluation = Evaluation(points=4, subset=40, splits=("test",), full=("test",))
    sick = [make(seed=seed, stream=Poisoned(), evaluation=evaluation) for seed in range(3)]
    well = [make(seed=seed, evaluation=evaluation) for seed in range(3)]
    healthy, mixed = results(well), results(sick)
    assert [result.status for result in mixed] == ["done", "diverged", "done"]
    for number in (0, 2):
        assert_same_bits(healthy[number], mixed[number])
    kept = len(mixed[1].step)
    assert mixed[1].diverged_after == 17 == mixed[1].step[-1]
    np.testing.assert_array_equal(mixed[1].loss, healthy[1].loss[:kept])
    assert np.isfinite(mixed[1].loss).all()
    assert "after step 17" in mixed[1].message


def test_a_failing_part_fails_its_own_runs_only():
    @dataclass(frozen=True)
    class Broken(Strategy):
        def gradient(self, context, state, gradient):
            raise RuntimeError("no such gradient")

    runs = [make(), make(strategy=Broken()), make(seed=1)]
    found = results(runs)
    assert [result.status for result in found] == ["done", "failed", "done"]
    assert "no such gradient" in found[1].message
    assert_same_bits(found[0], results(runs[:1])[0])


@dataclass(frozen=True)
class Touchy(Strategy):
    """Raises in a stage, or at its end, where λ is 1 in any of the lanes."""

    lam: float = 0.1
    where: str = "penalty"

    def check(self, context, place):
        if self.where == place and context.stage == (place == "penalty") and bool((self.lam == 1).any()):
            raise MemoryError("not with λ = 1")

    def start(self, context):
        return {"anchor": context.initial_theta()}

    def penalty(self, context, state, theta):
        self.check(context, "penalty")
        return self.lam * (theta - state["anchor"]).square().sum(1)

    def consolidate(self, context, state):
        self.check(context, "consolidate")
        return state


@pytest.mark.parametrize("at", ["penalty", "consolidate"])
def test_a_lane_that_raises_fails_alone(at):
    runs = [make(strategy=Touchy(lam, at), seed=seed) for lam in (0.1, 1.0, 10.0) for seed in (0, 1)]
    found = results(runs)
    assert [result.status for result in found] == ["done", "done", "failed", "failed", "done", "done"]
    assert {result.message for result in found[2:4]} == {"MemoryError: not with λ = 1"}
    for number in (0, 1, 4, 5):
        assert_same_bits(found[number], results([runs[number]])[0])


def test_losses_are_summed_over_lanes_so_that_company_does_not_shrink_a_step():
    lone = results([make(optimizer=SGD(lr=0.05))])[0]
    crowd = results([make(optimizer=SGD(lr=0.05), seed=seed) for seed in range(5)])[0]
    assert_same_bits(lone, crowd)


def test_seeds_pair_strategies():
    naive, pulled, joint = results([make(strategy=s, seed=5) for s in (Naive(), l2(1.0), Joint())])
    np.testing.assert_array_equal(naive.loss[0], joint.loss[0])
    stage_a = naive.stage == 0
    np.testing.assert_array_equal(naive.loss[stage_a], pulled.loss[stage_a])


def test_torch_threads_are_left_as_they_were():
    before = torch.get_num_threads()
    results([make()], threads=1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("strategies", [[Naive()], [l2(0.1), l2(1.0), l2(2.0), Joint(), Naive()]])
def test_a_short_memory_takes_a_part_to_its_end_first_and_changes_no_bit(strategies, monkeypatch):
    runs = [make("task", strategy, seed) for seed in range(6) for strategy in strategies]
    state = 12 * runs[0].model.layout(runs[0].stream.build(0)).padded
    alive, programs, states = [], [], WeakSet()

    def watch(ready, *rest):
        left = run_phase(ready, *rest)
        states.add(left[0][0].state)
        alive.append(sum(tensor.nbytes for each in list(states) for tensor in each.tree.values()))
        programs.append(len(ready))
        return left

    monkeypatch.setattr(training, "run_phase", watch)
    wide, most, whole = results(runs, threads=1), max(alive), len(programs)
    assert len(states) == 0  # nobody holds what nobody needs
    alive.clear(), programs.clear()
    monkeypatch.setattr("clbench.engine.memory.held_memory", lambda: 0)
    narrow = results(runs, threads=1, memory=9 * state)
    assert len(programs) > whole
    assert max(alive) < most and max(alive) <= 9 * state
    for left, right in zip(wide, narrow, strict=True):
        assert_same_bits(left, right)
    assert sum(result.trained_here for result in wide) == sum(result.trained_here for result in narrow)
    assert narrow[0].program["peak_bytes"] > 10**7


def test_a_chain_of_records_may_be_as_long_as_a_stream():
    (stage,) = plan_phases([make(strategy=Naive())], [make().stream.build(0)])[:1]
    record = None
    for _ in range(3000):
        record = LaneRecord(stage, record, None)
    assert len(record.chain()) == 3000
    assert record.chain()[-1] is record
