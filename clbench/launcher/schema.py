"""The schema under the YAML, so that a typo fails while composing; made from the frozen dataclasses."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, get_args, get_origin

from hydra.core.config_store import ConfigStore

from clbench.config import Evaluation, Training
from clbench.execution import FIELDS, Execution
from clbench.field_types import type_of

PARTS = ("stream", "model", "strategy", "optimizer")
"""The parts of a run, each composed from a group of its name."""

TOP = (*PARTS, "training", "evaluation", "seed", "objective", *FIELDS)
"""The top-level keys that every run has."""

KEYS = (*TOP, "study")
"""All top-level keys that are read."""


def mutable(kind: type) -> type:
    """Return an unfrozen copy of a dataclass that Hydra can merge groups into."""
    return _made(f"{kind.__name__}Schema", schema_fields(kind))


def schema_fields(kind: type) -> list[tuple[str, Any, Any]]:
    """Return name, type and default of a dataclass's fields as Hydra takes them: tuples become lists."""
    fields = []
    for item in dataclasses.fields(kind):
        hint = type_of(kind, item.name)
        if get_origin(hint) is tuple:
            values: Any = item.default
            hint = list[get_args(hint)[0]]  # type: ignore[misc]
            default: Any = dataclasses.field(default_factory=functools.partial(list, values))
        else:
            default = dataclasses.field(default=item.default)
        fields.append((item.name, hint, default))
    return fields


def _made(name: str, fields: list[Any]) -> type:
    """Return a dataclass of this module, so that configurations can be pickled: each is kept below."""
    kind = dataclasses.make_dataclass(name, fields)
    kind.__module__ = __name__
    return kind


TrainingSchema = mutable(Training)
EvaluationSchema = mutable(Evaluation)


def schema() -> type:
    """Return the top level: parts are any user's class, the rest is typed."""
    return _made(
        "Configuration",
        [
            *((part, Any, dataclasses.field(default="???")) for part in PARTS),
            *(
                (name, hint, dataclasses.field(default_factory=hint))
                for name, hint in (("training", TrainingSchema), ("evaluation", EvaluationSchema))
            ),
            ("seed", int, dataclasses.field(default=0)),
            ("objective", str, dataclasses.field(default="val")),
            *schema_fields(Execution),
            ("study", Any, dataclasses.field(default=None)),
        ],
    )


Configuration = schema()


def store_schema() -> None:
    """Put the schema into Hydra's store."""
    ConfigStore.instance().store(name="clbench_schema", node=Configuration, provider="clbench")
