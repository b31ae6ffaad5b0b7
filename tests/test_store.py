"""Stored stages give the same bits, survive faults, let a stopped run go on, and stay within their bound."""

import sys

import pytest
from safetensors import safe_open
from test_engine_invariants import assert_same_bits, l2, make, results

from clbench.engine.phase import run_phase
from clbench.engine.store import StageStore
from clbench.engine.training import Cancelled
from clbench.importance import Fisher, PathIntegral
from clbench.optimizers import Adam
from clbench.runs import Run
from clbench.strategies import DarkReplay, ExperienceReplay, LwF, Naive, Regularized


def files(folder):
    return sorted(folder.glob("*.safetensors"))


def test_a_second_sweep_with_other_lambdas_trains_no_first_stage(tmp_path):
    store = StageStore(tmp_path)
    first = [make(strategy=l2(lam), seed=seed) for lam in (0.1, 1.0) for seed in (0, 1)]
    second = [make(strategy=l2(lam), seed=seed) for lam in (0.2, 3.0) for seed in (0, 1)]
    assert sum(result.trained_here for result in results(first, store=store)) == 2 + 4
    found = results(second, store=store)
    assert sum(result.trained_here for result in found) == 4
    for left, right in zip(found, results(second), strict=True):
        assert_same_bits(left, right)
    assert found[0].function.predictions.shape == (2, 201)


def test_what_shapes_a_stage_is_told_apart(tmp_path):
    store = StageStore(tmp_path)
    results([make()], store=store)
    for other in (make(seed=1), make(optimizer=Adam(lr=0.5)), make("class")):
        assert sum(r.trained_here for r in results([other], store=store)) == len(other.stream.build(0).tasks)
    assert sum(result.trained_here for result in results([make()], store=store)) == 1


def test_a_damaged_entry_is_trained_again(tmp_path):
    store = StageStore(tmp_path)
    expected = results([make()], store=store)[0]
    (entry,) = [path for path in files(tmp_path) if path.stat().st_size]
    for damage in (b"", entry.read_bytes()[:100], b"x" * 500):
        entry.write_bytes(damage)
        found = results([make()], store=store)[0]
        assert found.trained_here == 2
        assert_same_bits(expected, found)


def test_the_least_recently_used_entries_go_first(tmp_path):
    store = StageStore(tmp_path)
    results([make(strategy=Naive(), seed=seed) for seed in range(4)], store=store)
    size = files(tmp_path)[0].stat().st_size
    assert len(files(tmp_path)) == 4
    results([make(seed=0)], store=StageStore(tmp_path, limit=int(2.5 * size)))
    assert len(files(tmp_path)) == 2
    assert results([make(seed=0)], store=store)[0].trained_here == 1


def test_a_folder_that_cannot_be_written_costs_only_the_entry(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    found = results([make()], store=StageStore(blocked))[0]
    assert found.status == "done"


def stop_in(stage, monkeypatch):
    """Let the engine be stopped when it begins a stage, as by Ctrl-C."""

    def stopped(ready, *rest):
        if ready[0].phase.stage == stage and ready[0].phase.kind == "train":
            raise Cancelled
        return run_phase(ready, *rest)

    monkeypatch.setattr(sys.modules["clbench.engine.training"], "run_phase", stopped)


def states(folder):
    """Return how many entries have a state, and how many only a record."""
    whole = 0
    for path in files(folder):
        with safe_open(path, "pt") as file:
            whole += "state/theta" in file.keys()  # noqa: SIM118
    return whole, len(files(folder)) - whole


def last_step(path):
    """Return the last step that an entry recorded."""
    with safe_open(path, "pt") as file:
        return int(file.get_tensor("step").max())


LONG = {
    "naive": Naive(),
    "ewc": Regularized(anchor="each", importance=Fisher(), half=True),
    "si": Regularized(importance=PathIntegral()),
    "lwf": LwF(),
    "er": ExperienceReplay(buffer_size=20),
    "der": DarkReplay(buffer_size=20),
}


@pytest.mark.parametrize("strategy", LONG.values(), ids=LONG)
def test_a_stopped_run_goes_on_with_the_stage_it_was_in(strategy, tmp_path, monkeypatch):
    runs: list[Run] = [make("class", strategy, seed) for seed in (0, 1)]
    expected = results(runs)
    with monkeypatch.context() as patch:
        stop_in(3, patch)
        with pytest.raises(Cancelled):
            results(runs, threads=1, store=StageStore(tmp_path, least_seconds=0.0))
    found = results(runs, store=StageStore(tmp_path, least_seconds=0.0))
    for left, right in zip(found, expected, strict=True):
        assert_same_bits(left, right)
        assert left.trained_here == 2  # of five
        assert left.steps == right.steps


def test_of_a_long_run_one_state_stays(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_in(3, patch)
        with pytest.raises(Cancelled):
            results([make("class")], store=StageStore(tmp_path, least_seconds=0.0))
    assert states(tmp_path) == (2, 1)  # of stages 0 and 2; of stage 1 the record
    results([make("class")], store=StageStore(tmp_path, least_seconds=0.0))
    assert states(tmp_path) == (1, 3)
    again = results([make("class")], store=StageStore(tmp_path, least_seconds=0.0))[0]
    assert again.trained_here == 4  # nothing leads on from a finished run's records
    assert_same_bits(again, results([make("class")])[0])


def test_short_later_stages_are_not_kept(tmp_path):
    results([make("class")], store=StageStore(tmp_path))
    assert states(tmp_path) == (1, 0)


def test_a_damaged_later_stage_is_trained_again(tmp_path, monkeypatch):
    expected = results([make("class")])[0]
    with monkeypatch.context() as patch:
        stop_in(3, patch)
        with pytest.raises(Cancelled):
            results([make("class")], store=StageStore(tmp_path, least_seconds=0.0))
    latest = max(files(tmp_path), key=last_step)
    latest.write_bytes(latest.read_bytes()[:100])
    found = results([make("class")], store=StageStore(tmp_path, least_seconds=0.0))[0]
    assert found.trained_here == 4
    assert_same_bits(found, expected)
