"""How long a stage trains, when a run is evaluated; fingerprints of frozen dataclasses, and seeds.

A *part* (a stream, model, strategy or optimiser) is a frozen dataclass. Its fields annotated `float`
may differ between the lanes of one program; all others are structure and split cohorts.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from clbench.errors import ConfigurationError, shown
from clbench.fields import Part, choice, count

SPLITS = ("train", "val", "test")
HEADS = ("sliced", "separate", "separate_zeros")
COMPETING = ("seen", "all", "task")


@dataclass(frozen=True)
class Training(Part):
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

    KEY: ClassVar[str] = "training"

    steps: int | None = count(400, none="epochs instead")
    epochs: int | None = count(None, none="steps instead")
    batch_size: int = count(32, unit="samples")
    last_batch: str = choice("keep", ("keep", "drop"))
    heads: str = choice("sliced", HEADS)
    outputs: str = choice("seen", COMPETING)

    def cross_problems(self, key: str) -> Iterable[str]:
        """Yield a line where not exactly one of `steps` and `epochs` is given."""
        if (self.steps is None) == (self.epochs is None):
            yield (
                f"Exactly one of {key}.steps and {key}.epochs must be set; got "
                f"{key}.steps={shown(self.steps)} and {key}.epochs={shown(self.epochs)}. "
                "Set the other one to null."
            )


@dataclass(frozen=True)
class Evaluation(Part):
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

    KEY: ClassVar[str] = "evaluation"

    points: int = count(20)
    subset: int | None = count(128, none="whole splits", unit="samples")
    splits: tuple[str, ...] = choice(SPLITS, SPLITS)
    full: tuple[str, ...] = choice(SPLITS, SPLITS)
    outputs: str = choice("all", ("all", "seen"))

    def cross_problems(self, key: str) -> Iterable[str]:
        """Yield a line where the test split is missing."""
        if "test" not in self.splits:
            yield (
                f"{key}.splits must contain test, on which runs are compared; got "
                f"{key}.splits={shown(self.splits)}. Add test."
            )


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
