"""The conformance table: one line per strategy. The properties are those of `clbench.testing`."""

import re
from pathlib import Path

import pytest

from clbench.importance import Fisher, OutputSensitivity, PathIntegral, RWalk
from clbench.penalty import Group
from clbench.strategies import (
    AGEM,
    GEM,
    Combined,
    Cumulative,
    DarkReplay,
    ExperienceReplay,
    GDumb,
    Joint,
    LwF,
    Naive,
    NaiveRehearsal,
    Regularized,
    ShrinkPerturb,
)
from clbench.testing import check_strategy

SI = Regularized(importance=PathIntegral())
TABLE = {
    "naive": (Naive(), {"untouched": True}),
    "joint": (Joint(), {"untouched": False}),
    "cumulative": (Cumulative(), {"untouched": True}),
    "l2": (Regularized(lam=0.1), {"untouched": True}),
    "l2_init": (Regularized(lam=0.1, anchor="init"), {"untouched": False}),
    "weight_decay": (Regularized(lam=0.1, anchor="zero", half=True), {"untouched": False}),
    "weight_decay, decoupled": (Regularized(anchor="zero", coupling="decoupled"), {"untouched": False}),
    "l1": (Regularized(lam=0.01, anchor="zero", distance="l1"), {"untouched": False}),
    "l1, decoupled": (
        Regularized(anchor="previous", distance="l1", coupling="decoupled"),
        {"untouched": True},
    ),
    "norm": (Regularized(distance="norm", scale="mean"), {"untouched": True}),
    "norm, decoupled": (Regularized(distance="norm", coupling="decoupled"), {"untouched": True}),
    "groups": (
        Regularized(groups=(Group("head.*", lam=3.0, anchor="zero"), Group("*.bias", penalised=False))),
        {"untouched": False},
    ),
    "ewc": (Regularized(anchor="each", importance=Fisher(), half=True), {"untouched": True}),
    "ewc, l1": (Regularized(anchor="each", importance=Fisher(), distance="l1"), {"untouched": True}),
    "online_ewc": (Regularized(importance=Fisher("sampled", gamma=0.9), half=True), {"untouched": True}),
    "si": (SI, {"untouched": True}),
    "si, the sum clamped": (Regularized(importance=PathIntegral(clamp="total")), {"untouched": True}),
    "mas": (Regularized(importance=OutputSensitivity()), {"untouched": True}),
    "mas, per sample": (Regularized(importance=OutputSensitivity("sample", samples=9)), {"untouched": True}),
    "rwalk": (Regularized(importance=RWalk(interval=5)), {"untouched": True}),
    "rwalk_code": (
        Regularized(importance=RWalk(interval=5, half=False, score="added", window="task")),
        {"untouched": True},
    ),
    "lwf": (LwF(), {"untouched": True}),
    "lwf, by tasks": (LwF(lam=0.9, weighting="tasks", new_classes=True), {"untouched": True}),
    "er": (ExperienceReplay(buffer_size=20), {"untouched": True}),
    "er, ring": (ExperienceReplay(buffer_size=20, policy="ring", replay_batch_size=5), {"untouched": True}),
    "er, balanced": (
        ExperienceReplay(buffer_size=20, policy="balanced", weighting="tasks"),
        {"untouched": True},
    ),
    "naive_rehearsal": (NaiveRehearsal(buffer_size=20), {"untouched": True}),
    "der": (DarkReplay(buffer_size=20), {"untouched": True}),
    "derpp": (DarkReplay(buffer_size=20, beta=0.5, replay_batch_size=3), {"untouched": True}),
    "gem": (GEM(buffer_size=20), {"untouched": True}),
    "gem, fixed parts": (GEM(buffer_size=20, shared_by="stream"), {"untouched": True}),
    "gem, rehearsing": (GEM(buffer_size=20, rehearse=True), {"untouched": True}),
    "gem, two constraints a task": (GEM(buffer_size=20, parts=2), {"untouched": True}),
    "agem": (AGEM(buffer_size=20, reference=16), {"untouched": True}),
    "gdumb": (GDumb(buffer_size=20), {"untouched": False}),
    "combined": (
        Combined(
            (Regularized(lam=0.1, anchor="init"), Regularized(anchor="each", importance=Fisher(), half=True))
        ),
        {"untouched": False},
    ),
    "combined, replay and si": (Combined((ExperienceReplay(buffer_size=20), SI)), {"untouched": True}),
    "shrink_perturb": (ShrinkPerturb(), {"untouched": True, "neutral": ShrinkPerturb(1.0, 0.0)}),
}


@pytest.mark.parametrize("name", TABLE)
def test_conformance(name):
    strategy, expected = TABLE[name]
    check_strategy(strategy, **expected)


def test_every_strategy_of_conf_has_its_line():
    names = {path.stem for path in (Path(__file__).parent.parent / "conf" / "strategy").glob("*.yaml")}
    assert "l2" in names
    # A user's class, and configurations that need a model with those layers.
    names -= {"own", "adapter", "embedding_l2_init", "weight_decay_rest"}
    assert names - set(TABLE) == set()


def test_every_strategy_of_conf_is_told_of_in_the_table_of_methods():
    root = Path(__file__).parent.parent
    names = {path.stem for path in (root / "conf" / "strategy").glob("*.yaml")} - {"own"}
    rows = [
        line for line in (root / "docs" / "methods.md").read_text("utf-8").splitlines() if line[:3] == "| `"
    ]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    assert names - told == set()
