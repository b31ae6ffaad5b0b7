"""`clbench strategy=ewc --help` says what each field means and may be."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from omegaconf import OmegaConf
from test_fields import CONF, KINDS, dataclasses

from clbench.field_types import owner_of
from clbench.fields import declaration_of, number
from clbench.launcher.field_help import field_help, meanings
from clbench.launcher.places import compose
from clbench.strategies import Strategy


@dataclass(frozen=True)
class Own(Strategy):
    """An own strategy, which costs 3 $.

    Args:
        lam: λ, and a second
            line.
        low, high: both.

    Source: nobody.
    """

    lam: float = number(0.1, low=0, unit="metres")
    low: float = 1.0
    high: int | None = number(2, none="none", help="The upper end.")
    word: str = "a"


def test_an_own_part_is_explained_by_its_declarations_and_its_docstring():
    config = {"strategy": {"_target_": f"{__name__}.Own", "lam": 2.0}, "seed": 0}
    assert field_help(config, ["seed=1", "+strategy.low=3"]).splitlines() == [
        "== Fields of strategy: Own ==",
        "An own strategy, which costs 3 $.",
        "",
        "  strategy.lam=2.0  (finite and at least 0; in metres)",
        "      λ, and a second line.",
        "  strategy.low=1.0  (a number)",
        "      both.",
        "  strategy.high=2  (finite; null for none)",
        "      The upper end.",
        "  strategy.word=a  (text)",
        "",
    ]
    assert field_help(config, ["seed=1"]) == ""
    assert field_help({"strategy": {"_target_": "no.such.Class"}}, ["strategy=own"]) == ""


def test_the_command_explains_what_it_names_and_parts_within_parts():
    words = ["strategy=ewc", "training.steps=3"]
    text = field_help(OmegaConf.to_container(compose(words)), words)
    for line in (
        "== Fields of strategy: Regularized ==",
        "== Fields of strategy.importance: Fisher ==",
        "  strategy.importance.label=exact  (exact, sampled, predicted, empirical)",
        "== Fields of strategy.groups.0: Group ==",
        "  training.steps=3  (a whole number of at least 1; null for epochs instead)",
        "      gradient steps a stage; exactly one of `steps` and `epochs` is given.",
    ):
        assert line in text.splitlines()


def test_every_field_of_every_part_says_what_it_means():
    silent = [
        f"{kind.__name__}.{item.name}"
        for kind in KINDS
        for item in dataclasses.fields(kind)
        if not meanings(owner_of(kind, item.name)).get(item.name)
        and not (declaration_of(item) and declaration_of(item).help)
    ]
    assert silent == []


def test_the_command_line_ends_with_the_fields_of_what_it_names(tmp_path):
    command = [sys.executable, "-m", "clbench", "training.steps=3", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(CONF.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    place = lines.index("  training.steps=3  (a whole number of at least 1; null for epochs instead)")
    assert (
        lines.index("== Config ==")
        < place
        < lines.index("clbench strategy=l2 strategy.lam=1 seed=3          one run")
    )
