"""A stage is a value: stopped at any point, written, read and regrouped, it goes on to the same bits."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from test_conformance import TABLE
from test_golden import MODELS, STREAMS

from clbench.config import Evaluation, Training
from clbench.engine.check import find_problems
from clbench.engine.data import build_streams
from clbench.engine.plan import shape_of
from clbench.engine.program import Program
from clbench.engine.stage import consolidate_stage, train_stage
from clbench.engine.state import LaneState, fork, load, save
from clbench.models import MLP
from clbench.optimizers import SGD, Adam
from clbench.runs import Run
from clbench.testing.tiny import TinyStream


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run_of(strategy, seed, **changes):
    run = Run(
        stream=TinyStream("class"),
        model=MLP(hidden=(6,)),
        strategy=strategy,
        optimizer=Adam(lr=0.01),
        training=Training(steps=7, batch_size=8),
        evaluation=Evaluation(points=3, subset=8, splits=("test",), full=("test",)),
        seed=seed,
    )
    return replace(run, **changes)


CASES = {name: [run_of(strategy, seed) for seed in range(4)] for name, (strategy, _) in TABLE.items()}
for name in ("naive", "ewc", "si", "lwf", "er", "agem"):
    strategy = TABLE[name][0]
    text = {"stream": STREAMS["text"], "model": MODELS["text"]}
    heads = {
        "stream": TinyStream("task"),
        "training": Training(steps=None, epochs=1, batch_size=8, heads="separate"),
    }
    CASES[f"text, {name}"] = [run_of(strategy, seed, **text) for seed in range(4)]
    CASES[f"heads, {name}"] = [
        run_of(strategy, seed, optimizer=SGD(0.1, momentum=0.9, reset=True), **heads) for seed in range(4)
    ]


def life(runs, state=None):
    """Train some lanes from a state to the end; yield the state and what was recorded at every point."""
    streams = build_streams(runs)

    def program(stage, kind):
        acts = [run.strategy if shape_of(run.strategy, stage, kind) else None for run in runs]
        return Program(runs, streams, acts, stage)

    stages = len(streams[0].tasks)
    for stage in range(state.stage if state else 0, stages):
        state = state or program(stage, "train").begin()
        for segment in train_stage(program(stage, "train"), state):
            yield state, segment
        last = program(stage, "consolidate")
        if stage < stages - 1 and last.strategy is not None:
            consolidate_stage(last, state)


def numbers(segment, lanes):
    """Return all that a segment recorded of some lanes."""
    found = []
    for point in segment.points:
        found += [point.step, point.full]
        tensors = [*point.measured.values(), *point.subset.values()]
        found += [tensor[lanes] for tensor in tensors]
        found += [] if point.training is None else [point.training[:, lanes]]
    return found


def assert_same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        if isinstance(one, torch.Tensor):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
        else:
            assert one == other


@pytest.fixture(scope="module", params=CASES)
def undisturbed(request, tmp_path_factory):
    """All records of four lanes in two programs, with the file of every program's state at every point."""
    runs = CASES[request.param]
    assert not find_problems(runs)
    folder = tmp_path_factory.mktemp("states")
    records, files, structures = [], [], []
    with torch.no_grad():
        for part, group in enumerate((runs[:2], runs[2:])):
            records.append([]), files.append([])
            for place, (state, segment) in enumerate(life(group)):
                records[part].append(segment)
                files[part].append(folder / f"{part}-{place}.safetensors")
                save(files[part][-1], state, {}, {})
                shapes = {key: (value.shape, value.dtype) for key, value in state.tree.items()}
                structures.append((state.stage, state.step, state.stage_step, shapes))
    return SimpleNamespace(
        runs=runs, stages=structures[-1][0] + 1, records=records, files=files, structures=structures
    )


def test_a_run_goes_on_from_a_file_to_the_same_bits(undisturbed):
    segments, files = undisturbed.records[0], undisturbed.files[0]
    per_stage = len(segments) // undisturbed.stages
    assert per_stage >= 3
    first_middle_end_and_later = (0, 1, per_stage - 1, per_stage, 2 * per_stage - 1)
    for place in first_middle_end_and_later:
        state, others, plain = load(files[place], "cpu")
        assert (others, plain) == ({}, {})
        with torch.no_grad():
            later = [segment for _, segment in life(undisturbed.runs[:2], state)]
        assert len(later) == len(segments) - place - 1
        for left, right in zip(later, segments[place + 1 :], strict=True):
            assert_same(numbers(left, [0, 1]), numbers(right, [0, 1]))


def test_lanes_regrouped_inside_a_stage_keep_their_bits(undisturbed):
    """Of two programs of two lanes, three lanes go on together in another order."""
    segments, place = undisturbed.records, len(undisturbed.records[0]) // undisturbed.stages + 1
    states = [load(files[place], "cpu")[0] for files in undisturbed.files]
    assert states[0].stage == 1 and states[0].stage_step > 0
    state = fork([LaneState(states[1], 1), LaneState(states[0], 0), LaneState(states[0], 1)])
    runs = [undisturbed.runs[number] for number in (3, 0, 1)]
    with torch.no_grad():
        later = [segment for _, segment in life(runs, state)]
    for index, segment in enumerate(later, place + 1):
        assert_same(numbers(segment, [0]), numbers(segments[1][index], [1]))
        assert_same(numbers(segment, [1, 2]), numbers(segments[0][index], [0, 1]))


def test_a_state_keeps_its_structure_and_counts_steps(undisturbed):
    by_stage = {}
    for stage, _, _, shapes in undisturbed.structures:
        assert shapes == by_stage.setdefault(stage, shapes)
        assert all(shape[0] == 2 for shape, _ in shapes.values())
    assert sorted(by_stage) == list(range(undisturbed.stages))
    places = [(stage, step, stage_step) for stage, step, stage_step, _ in undisturbed.structures]
    steps = max(stage_step for _, _, stage_step in places)
    assert all(step == stage * steps + stage_step for stage, step, stage_step in places)
