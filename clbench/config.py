"""How long a stage trains, when a run is evaluated; fingerprints of frozen dataclasses, and seeds.

A *part* (a stream, model, strategy or optimiser) is a frozen dataclass. Its fields annotated `float`
may differ between the lanes of one program; all others are structure and split cohorts.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clbench.errors import ConfigurationError

SPLITS = ("train", "val", "test")
HEADS = ("sliced", "separate", "separate_zeros")
COMPETING = ("seen", "all", "task")


@dataclass(frozen=True)
class Training:
    """How long a stage trains.

    Args:
        steps: gradient steps a stage; exactly one of `steps` and `epochs` is given.
        epochs: passes over the stage's data.
        batch_size: samples a step.
        last_batch: `keep` the smaller batch at the end of a pass, or `drop` it.
        heads: how the optimiser sees the heads of task-incremental streams; others have a single one.
            `sliced`: as one layer, whose idle rows have the gradient 0 and move on by momentum.
            `separate`: each is a tensor with a state of its own, such as Adam's count of steps, and stands
            still while no gradient reaches it, as with `zero_grad()` of today's torch. `separate_zeros`: so,
            but once in use its gradient is 0 afterwards, as with `zero_grad(set_to_none=False)`, and it
            moves on by momentum.
        outputs: which outputs compete in training in the class-incremental scenario. `seen`: those of the
            tasks so far; `all`: those of tasks to come too (Avalanche, DER, van de Ven et al. 2022); `task`:
            those of a sample's own task, also of samples from a memory.
    """

    steps: int | None = 400
    epochs: int | None = None
    batch_size: int = 32
    last_batch: str = "keep"
    heads: str = "sliced"
    outputs: str = "seen"

    def problems(self) -> list[str]:
        """Return a line for every rule that these values break."""
        found = []
        if (self.steps is None) == (self.epochs is None):
            found.append(
                "Exactly one of training.steps and training.epochs must be set; got "
                f"training.steps={self.steps} and training.epochs={self.epochs}. Set the other one to null."
            )
        for name in ("steps", "epochs", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                found.append(f"training.{name} must be at least 1; got training.{name}={value}.")
        if self.last_batch not in ("keep", "drop"):
            found.append(
                "training.last_batch must be keep or drop; got "
                f"training.last_batch={self.last_batch}. Choose one of the two."
            )
        for name, choices in (("heads", HEADS), ("outputs", COMPETING)):
            value = getattr(self, name)
            if value not in choices:
                found.append(
                    f"training.{name} must be one of {', '.join(choices)}; got training.{name}={value}. "
                    "Choose one of them."
                )
        return found


@dataclass(frozen=True)
class Evaluation:
    """When and on what a run is evaluated.

    Args:
        points: evaluation points a stage, the end of the stage included; half of them lie dense
            (geometrically) after the switch, the others evenly spread.
        subset: samples of a split that are evaluated at the points inside a stage, fixed by the seed;
            null for all.
        splits: the splits that are evaluated.
        full: the splits evaluated in full at step 0 and at the end of every stage.
        outputs: `all` or `seen`: which outputs compete at evaluation in the class-incremental scenario.
    """

    points: int = 20
    subset: int | None = 128
    splits: tuple[str, ...] = SPLITS
    full: tuple[str, ...] = SPLITS
    outputs: str = "all"

    def problems(self) -> list[str]:
        """Return a line for every rule that these values break."""
        found = []
        if self.points < 1:
            found.append(f"evaluation.points must be at least 1; got evaluation.points={self.points}.")
        if self.subset is not None and self.subset < 1:
            found.append(
                "evaluation.subset must be at least 1, or null for whole splits; got "
                f"evaluation.subset={self.subset}."
            )
        for name in ("splits", "full"):
            unknown = [split for split in getattr(self, name) if split not in SPLITS]
            if unknown:
                found.append(
                    f"evaluation.{name} must name known splits; got {', '.join(unknown)}. "
                    f"Known: {', '.join(SPLITS)}."
                )
        if "test" not in self.splits:
            found.append(
                "evaluation.splits must contain test, on which runs are compared; got "
                f"evaluation.splits={list(self.splits)}. Add test."
            )
        if self.outputs not in ("all", "seen"):
            found.append(f"evaluation.outputs must be all or seen; got evaluation.outputs={self.outputs}.")
        return found


def describe(value: Any) -> Any:
    """Return a value as plain JSON data: dataclasses by class path and fields, floats exactly.

    Raises:
        ConfigurationError: a value has no stable description.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        return {
            "class": f"{kind.__module__}.{kind.__qualname__}",
            **{item.name: describe(getattr(value, item.name)) for item in dataclasses.fields(value)},
        }
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if isinstance(value, float):
        return f"float:{value!r}"
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    raise ConfigurationError(
        f"A part must be a frozen dataclass of plain values; got {type(value).__name__}. "
        "Decorate the class with @dataclass(frozen=True)."
    )


def fingerprint(*values: Any) -> str:
    """Return 16 hexadecimal digits that equal values share and different ones do not (SHA-256)."""
    text = json.dumps([describe(value) for value in values], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def derive_seed(seed: int, *purpose: object) -> int:
    """Return the 63-bit seed that belongs to a run's seed and a purpose, never to a position.

    Args:
        seed: the run's seed.
        purpose: words and numbers that name the use: `"init"`, `"order", stage, epoch`, ….
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
