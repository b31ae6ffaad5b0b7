"""What `Stream` and `Model` promise is looked at before anything trains: one line a broken promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from own_streams import FAULTS, Days, Subjects

from clbench.config import Evaluation, Training
from clbench.engine import find_problems, train
from clbench.engine.data import build_streams
from clbench.errors import ConfigurationError
from clbench.execution import Execution
from clbench.models import MLP
from clbench.models.base import Layout, Parameter
from clbench.models.contract import draw_parameters, layout_problems
from clbench.optimizers import SGD
from clbench.runs import Run
from clbench.strategies import Naive
from clbench.streams.base import generator
from clbench.streams.door import Door

BROKEN = {
    "int64": "inputs must be float32 [pool, *features]; got inputs=int64 [240, 4] (Subjects, seed 0).",
    "flat": "inputs must be float32 [pool, *features]; got inputs=float32 [240]",
    "text": "inputs must be float32 [pool, *features]; got inputs=<U1 [240]",
    "missing": "inputs must be finite; got NaN or infinity in inputs[7]",
    "huge": "inputs must be finite; got NaN or infinity in inputs[7]",
    "no_token": "tokens must be from 0 to tokens − 1; got tokens=5 and 9 to",
    "float_tokens": "inputs must be int64 [pool, length] for tokens; got inputs=float32 [240, 4]",
    "vocabulary": "A vocabulary must have a word per token; got 1 words and tokens=5",
    "column": "targets of the domain scenario must be int64 [pool]; got targets=int64 [240, 1]",
    "float_labels": "targets of the domain scenario must be int64 [pool]; got targets=float32 [240]",
    "vector": "targets of the regression scenario must be float32 [pool, 2]; got targets=float32 [240]",
    "short": "a target for every input; got 240 inputs and 239 targets",
    "first": "labels must be among its outputs; got 1 to 2 in train of task A with outputs=(0, 2)",
    "relative": "labels must be among its outputs; got 0 to 1 in train of task B with outputs=(2, 4)",
    "relative_task": "labels must be among its outputs; got 0 to 1 in train of task B with outputs=(2, 4)",
    "typo": "got scenario='Domain' (Subjects, seed 0). Known: class, domain, regression, task.",
    "rmse": "known ones of the domain scenario; got scores=rmse (Subjects, seed 0). Known: accuracy,",
    "score": "known ones of the domain scenario; got scores=auc",
    "one_text": "scores must be a tuple of names; got scores='accuracy'",
    "scores_twice": "must have each score once; got scores=accuracy, accuracy",
    "no_outputs": "outputs must be a whole number from 1; got outputs=0",
    "outputs": "a range (low, high) within 0 to 2; got outputs=(0, 3) of task B",
    "classes_until": "classes_until must be from outputs[1] to 2; got classes_until=1 of task B",
    "permutation": "permutation must have each of 0 to 3 once, int64; got permutation=int64 [4] of task B",
    "list": "indices must be int64 [samples]; got train=list of task B",
    "float_indices": "indices must be int64 [samples]; got train=float32 [80] of task B",
    "beyond": "indices must be from 0 to 239, places in the pool; got 221 to 240 in test of task B",
    "negative": "indices must be from 0 to 239, places in the pool; got -20 to -1 in test of task B",
    "untrained": "Every task must have training samples; got none in task B",
    "shared": "must be different samples, over all tasks; got sample 120 in train of task B, test of task B",
    "returned": "different samples, over all tasks; got sample 0 in train of task A, test of task B",
    "empty": "at least one task; got none",
    "pairs": "tasks must be a tuple of Task; got tasks=tuple",
    "no_stream": "must build a Stream; got tuple from Subjects, seed 0",
    "raises": "must be built without an error; got KeyError: 'column' (Subjects, seed 0, own_streams.py:",
    "twice": "Tasks must have names of their own; got 'A' twice",
    "nameless": "name must be one line of text, without blanks around it; got '' for task number 2",
    "number": "name must be one line of text, without blanks around it; got 1 for task number 2",
    "lines": "name must be one line of text, without blanks around it; got 'A\\nB' for task number 2",
    "blank": "name must be one line of text, without blanks around it; got 'A ' for task number 2",
    "interval": "called like the end of another's interval; got 'A_low' beside 'A'",
}
WIDTHS = ("float64", "numpy", "uint8", "int32")


def small_run(stream, seed=0, model=None):
    return Run(
        *(stream, model or MLP(hidden=(4,)), Naive(), SGD(lr=0.1)),
        training=Training(steps=4, batch_size=8),
        evaluation=Evaluation(points=2),
        seed=seed,
    )


def test_every_fault_has_a_row():
    assert set(FAULTS) == {"none", *WIDTHS, *BROKEN}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_promise_is_one_line_before_training(fault):
    lines = find_problems([small_run(Subjects(fault))])
    assert len(lines) == 1 and BROKEN[fault] in lines[0] and lines[0].endswith(".")


@pytest.mark.parametrize("fault", ["missing", "relative", "typo", "list", "returned", "twice"])
def test_the_command_ends_with_that_line_and_leaves_nothing(clbench, tmp_path, fault):  # noqa: F811
    code, lines = clbench(
        *("stream=own", "stream._target_=own_streams.Subjects", f"+stream.fault={fault}"),
        *("training.steps=4", "model.hidden=[4]", "cache=off", "hydra.run.dir=out"),
    )
    assert code == 2 and len(lines) == 1 and BROKEN[fault] in lines[0]
    assert not (tmp_path / "out" / "losses.csv").exists()


@pytest.mark.parametrize("fault", WIDTHS)
def test_numbers_of_another_width_give_the_same_bits(fault):
    results = {}
    runs = [small_run(Subjects(name)) for name in ("none", fault)]
    assert find_problems(runs) == []
    train(runs, results.__setitem__, execution=Execution(threads=1))
    assert results[0].status == results[1].status == "done"
    assert np.array_equal(results[0].loss, results[1].loss)


def test_every_seeds_stream_is_looked_at_before_any_trains():
    runs = [small_run(Subjects("missing", from_seed=3), seed) for seed in range(5)]
    results = []
    with pytest.raises(ConfigurationError, match=r"inputs\[7\] \(Subjects, seed 3\)"):
        train(runs, lambda number, result: results.append(number), execution=Execution(threads=1))
    assert not results


def test_shared_tensors_stay_shared_through_the_door():
    @dataclass(frozen=True)
    class Shared(Subjects):
        def build(self, seed):
            return stream

    stream = FAULTS["float64"](Subjects().build(0))
    first, second = build_streams([small_run(Shared(), seed) for seed in (0, 1)])
    assert first.inputs is second.inputs and first.inputs.dtype == torch.float32
    assert first.targets is stream.targets


def test_a_task_may_return_with_its_split_and_other_permutations_are_other_samples():
    Door().build(Days(("A", "B", "A again")), 0)
    stream = FAULTS["returned"](Subjects().build(0))
    turned = FAULTS["none"](stream)
    turned = turned.__class__(**{**vars(turned), "tasks": (turned.tasks[0], _permuted(turned.tasks[1]))})

    @dataclass(frozen=True)
    class Turned(Subjects):
        def build(self, seed):
            return turned

    Door().build(Turned(), 0)


def _permuted(task):
    return task.__class__(**{**vars(task), "permutation": torch.tensor([3, 2, 1, 0])})


@dataclass(frozen=True)
class Odd(MLP):
    """An MLP with a fault."""

    fault: str = "none"

    def layout(self, stream):
        layout = super().layout(stream)
        first, *others = layout.parameters
        changed = {
            "kind": Parameter(first.name, first.shape, "gain"),
            "shape": Parameter(first.name, [4, 4.0]),
            "twice": others[0],
        }
        return Layout((changed.get(self.fault, first), *others)) if self.fault != "no_layout" else "none"

    def initialise(self, stream, generator):
        tensors = super().initialise(stream, generator)
        name = next(iter(tensors))
        if self.fault == "turned":
            tensors["head.weight"] = tensors["head.weight"].T
        if self.fault == "renamed":
            tensors["first"] = tensors.pop(name)
        if self.fault == "large":
            tensors = {key: value * 1e30 for key, value in tensors.items()}
        if self.fault == "infinite":
            tensors[name] = tensors[name] / 0
        return tensors


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no_layout", "layout must be a Layout of parameters; got str from Odd"),
        ("kind", "kind=gain of layers.0.weight from Odd. Known: bias, embedding, weight."),
        ("shape", "shape=[4, 4.0] and kind=weight of layers.0.weight"),
        ("twice", "names of their own; got layers.0.bias twice"),
        ("turned", "got head.weight [4, 2] from initialise and [2, 4] in the layout of Odd"),
        ("renamed", "got layers.0.weight missing from initialise and [4, 4] in the layout"),
        ("infinite", "must be finite; got NaN or infinity in layers.0.weight from Odd"),
    ],
)
def test_a_models_broken_promise_is_one_line_before_training(fault, words):
    lines = find_problems([small_run(Subjects(), model=Odd(hidden=(4,), fault=fault))])
    assert len(lines) == 1 and words in lines[0]


def test_what_a_model_draws_of_later_seeds_is_looked_at_too():
    stream, model = Subjects().build(0), Odd(hidden=(4,), fault="infinite")
    assert layout_problems(model, model.layout(stream)) == []
    with pytest.raises(ConfigurationError, match="Initial parameters must be finite"):
        draw_parameters(model, stream, model.layout(stream), generator(1, "init"))


def test_a_loss_that_is_infinite_at_step_0_is_laid_to_data_or_initialisation():
    results = {}
    train(
        [small_run(Subjects(), model=Odd(hidden=(4,), fault="large"))],
        results.__setitem__,
        execution=Execution(threads=1),
    )
    assert results[0].status == "diverged" and results[0].diverged_after is None
    assert "at step 0, before any training" in results[0].message
    assert "λ" not in results[0].message and "learning rate" not in results[0].message
