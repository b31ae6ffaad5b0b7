"""Who trains when: nobody waits for strangers, nobody is trained who can't go on, and a stop is a stop."""

import gc
import weakref
from dataclasses import dataclass, replace
from threading import Event

import pytest
import torch
from test_engine_invariants import Poisoned, assert_same_bits, l2, make, results

from clbench.config import Evaluation, Training
from clbench.engine import train, training
from clbench.engine.cohorts import program_lanes
from clbench.engine.data import build_streams
from clbench.engine.lane import ReadyPhase
from clbench.engine.memory import Budget
from clbench.engine.plan import plan_phases
from clbench.engine.schedule import Schedule
from clbench.execution import Execution
from clbench.strategies.base import Strategy

FREE = Event()


@dataclass(frozen=True)
class Waits(Strategy):
    """Takes its first step when it is let, or fails after a minute."""

    def gradient(self, context, state, gradient):
        assert FREE.wait(60), "nobody let it go on"


def test_a_run_ends_while_another_is_in_its_first_stage():
    """With a barrier between stages the quick one could not end before the slow one's first stage had."""
    FREE.clear()
    found = {}

    def keep(number, result):
        found[number] = result
        FREE.set()

    train([make(strategy=Waits()), make(seed=1)], keep, execution=Execution(threads=2))
    assert [found[number].status for number in found] == ["done", "done"]
    assert list(found) == [1, 0]


def test_a_stop_while_results_are_handed_over_ends_what_trains(monkeypatch):
    """What was handed over stays; a program that runs ends at its next point, and no other begins."""
    seen, began = [], []
    run_phase = training.run_phase

    def watch(ready, *rest):
        began.append(ready)
        return run_phase(ready, *rest)

    def stop(number, result):
        seen.append(number)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "run_phase", watch)
    long = {"training": Training(steps=100_000, batch_size=16), "evaluation": Evaluation(points=400)}
    with pytest.raises(KeyboardInterrupt):
        train([make(), make(seed=1, **long)], stop, execution=Execution(threads=2))
    assert len(seen) == 1
    assert len(began) <= 4


def test_what_follows_a_diverged_stage_is_not_trained(monkeypatch):
    lanes = []
    run_phase = training.run_phase

    def watch(ready, *rest):
        lanes.extend((each.phase.stage, each.phase.run.seed) for each in ready)
        return run_phase(ready, *rest)

    monkeypatch.setattr(training, "run_phase", watch)
    stream = Poisoned()
    poisoned = [make(stream=stream, strategy=l2(lam), seed=seed) for lam in (0.1, 1.0) for seed in (1, 2)]
    first_task = [replace(run, optimizer=replace(run.optimizer, lr=1e30)) for run in poisoned]
    found = results(first_task)
    assert {result.status for result in found} == {"diverged"}
    assert {stage for stage, _ in lanes} == {0} and len(
        lanes
    ) == 2  # one for each seed; all four runs have it
    assert_same_bits(found[0], found[2])


def test_a_claim_lasts_as_long_as_anybody_holds_it(monkeypatch):
    monkeypatch.setattr("clbench.engine.memory.held_memory", lambda: 0)
    runs = [make("class", l2(lam), seed) for seed in (0, 1) for lam in (0.1, 1.0)]
    phases = plan_phases(runs, build_streams(runs))
    roots = [phase for phase in phases if phase.parent is None]
    budget = Budget(10**9, torch.device("cpu"), phases)
    assert budget.fitting(roots) == 2
    need = sum(budget.need[root.key] for root in roots)
    assert need > sum(budget.own[root.key] for root in roots)
    claim = budget.claim(roots, whole=True, others=())
    inner = budget.claim(roots[:1], whole=False, others={claim})
    assert budget.left() == 10**9 - need - budget.own[roots[0].key]
    held = weakref.ref(claim)
    del claim
    assert held() is not None  # the inner one stands on it
    del inner
    gc.collect()
    assert budget.left() == 10**9
    small = Budget(need - 1, torch.device("cpu"), phases)
    assert small.fitting(roots) == 1


def test_what_consolidates_a_stage_shares_no_program_with_what_trains_the_next():
    """Both start from a state after the same steps, and from the second stage on l2 acts alike in them."""
    run = make("class", l2(1.0))
    phases = plan_phases([run], build_streams([run]))
    assert [phase.kind for phase in phases] == ["train", "consolidate"] * 4 + ["train"]
    schedule = Schedule(1, Budget(None, torch.device("cpu"), phases), lambda ready: None)
    schedule.add([ReadyPhase(phase) for phase in phases])
    programs = []
    while sum(len(program) for program in programs) < len(phases):
        program, _ = schedule.take()
        programs.append([each.phase for each in program])
    assert programs == [[phase] for phase in phases]


@pytest.mark.parametrize("count", [1, 2, 3, 11, 12, 64, 1000])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_programs_share_a_cohort_evenly(count, workers):
    sizes = program_lanes(count, 250_000, workers, torch.device("cpu"))
    assert sum(sizes) == count and max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 26  # 6.5 MB
    assert len(sizes) % workers == 0 or len(sizes) == count < workers
    assert len(sizes) == min(count, workers) or (len(sizes) - workers) * 26 < count  # no more than it takes
