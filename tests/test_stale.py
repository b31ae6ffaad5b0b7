"""What was finished counts only while all of the user's that shaped it is as it was: edit, and run again."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from dataclasses import make_dataclass, replace

import pandas as pd
import pytest
from test_engine_invariants import make, results
from test_records import GOOD, config_of, make_result, make_run

from clbench.analysis.settings import context_columns, varying_columns
from clbench.ingredients import Ingredients
from clbench.launcher.building import build_run
from clbench.models.sequence import SequenceClassifier
from clbench.records import write_run, write_sweep
from clbench.records.run import losses_bytes
from clbench.sources import is_users, user_sources
from clbench.strategies import Regularized

OWN = {
    "net.py": """
from torch import nn

def build(features, outputs):
    return nn.Sequential(nn.Linear(features[0], 4), nn.ReLU(), nn.Linear(4, outputs))
""",
    "pull.py": """
from dataclasses import dataclass
from clbench.strategies import Strategy
from omega import Omega

@dataclass(frozen=True)
class Pull(Strategy):
    importance: Omega
    lam: float = 0.1

    def start(self, context):
        return {"anchor": context.initial_theta()}

    def penalty(self, context, state, theta):
        return 1.0 * self.lam * self.importance.of() * (theta - state["anchor"]).square().sum(1)
""",
    "omega.py": """
from dataclasses import dataclass

@dataclass(frozen=True)
class Omega:
    power: int = 1

    def of(self):
        from kit.strengths import STRENGTH
        return 2.0 * STRENGTH**self.power
""",
    "kit/__init__.py": "",
    "kit/strengths.py": "STRENGTH = 3.0\n",
    "rows.py": """
from dataclasses import dataclass
import torch
from clbench.streams.base import Stream, StreamSource, Task

@dataclass(frozen=True)
class Rows(StreamSource):
    table: str = "rows.txt"

    def build(self, seed):
        with open(self.table) as file:
            x = torch.tensor([[float(word)] for word in file.read().split()])
        rows = torch.arange(10)
        tasks = tuple(Task(n, rows + s, rows[:0], rows + s + 10, (0, 1)) for n, s in (("A", 0), ("B", 20)))
        return Stream(x, x.square(), tasks, "regression", 1, ("rmse",))
""",
    "rows.txt": " ".join(f"{(k - 20) / 10}" for k in range(40)),
}
WORDS = (
    *("stream=own", "stream._target_=rows.Rows", "model=module", "model.factory=net.build", "strategy=own"),
    *("strategy._target_=pull.Pull", "+strategy.importance._target_=omega.Omega"),
    *("training.steps=6", "training.batch_size=8", "evaluation=final", "threads=1"),
)
EDITS = {
    "the factory": ("net.py", "ReLU", "Tanh"),
    "the strategy": ("pull.py", "1.0 *", "4.0 *"),
    "a part within a part": ("omega.py", "2.0 *", "9.0 *"),
    "a module that it imports": ("kit/strengths.py", "3.0", "8.0"),
    "the stream": ("rows.py", "x.square()", "x.sign()"),
    "a data file": ("rows.txt", "-2.0", "-1.0"),
}


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Return a function that edits a file as a person does between two commands."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a pyc is told apart by whole seconds
    for name, text in OWN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def new_process():
        for name in OWN:
            sys.modules.pop(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."), None)
        importlib.invalidate_caches()

    def change(name, old, new):
        text = (tmp_path / name).read_text()
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new))
        new_process()

    new_process()
    yield change
    new_process()


def losses(folder):
    return (folder / "losses.csv").read_bytes()


def fresh_losses(folder):
    """Return what the engine alone, without a store or a folder, makes of a run's configuration."""
    config = json.loads((folder / "summary.json").read_text())["provenance"]["config"]
    return losses_bytes(results([build_run(config, {})])[0])


def trained(folder):
    return json.loads((folder / "summary.json").read_text())["trained_here"]


def test_an_edit_of_anything_that_shaped_a_run_trains_it_again(clbench, edit, tmp_path):
    assert clbench(*WORDS, "hydra.run.dir=one") == (0, [])
    seen = [losses(tmp_path / "one")]
    for name, words in EDITS.items():
        edit(*words)
        assert clbench(*WORDS, "hydra.run.dir=one") == (0, [])
        assert losses(tmp_path / "one") == fresh_losses(tmp_path / "one"), name
        assert losses(tmp_path / "one") not in seen, name
        seen.append(losses(tmp_path / "one"))
        assert trained(tmp_path / "one") == 2, name
    # Nothing is edited: nothing is trained, and of another folder's run only what is not in the store.
    written = (tmp_path / "one" / "summary.json").stat().st_mtime_ns
    edit("net.py", "Tanh", "Tanh")
    assert clbench(*WORDS, "hydra.run.dir=one") == (0, [])
    assert clbench(*WORDS, "hydra.run.dir=two") == (0, [])
    assert (tmp_path / "one" / "summary.json").stat().st_mtime_ns == written
    assert trained(tmp_path / "two") == 1 and losses(tmp_path / "two") == seen[-1]


TABLE = ("stream=tabular_file", "stream.path=d.csv", "stream.task=task", "training.batch_size=4", "cache=on")
SWEEP = ("-m", *TABLE, "training.epochs=1", "model.hidden=[4]", "evaluation=final", "hydra.sweep.dir=out")


def rows(labels):
    return "x,task,target\n" + "".join(f"{k % 7},{k // 40},{labels[k % 2]}\n" for k in range(80))


def test_a_sweep_is_never_extended_beside_runs_of_other_data(clbench, tmp_path):
    def csv():
        return {path.parent.name: path.read_bytes() for path in tmp_path.glob("out/*/losses.csv")}

    (tmp_path / "d.csv").write_text(rows("ab"))
    assert clbench(*SWEEP, "strategy=l2", "strategy.lam=1,2") == (0, [])
    old = csv()
    (tmp_path / "d.csv").write_text(rows("ba").replace("3,", "4,"))
    code, lines = clbench(*SWEEP, "strategy=l2", "strategy.lam=2,3")
    assert code == 2 and len(lines) == 1 and csv() == old
    assert "got 1 in hydra.sweep.dir=" in lines[0] and " from before d.csv and data of" in lines[0]
    assert clbench(*SWEEP, "strategy=l2", "strategy.lam=1,2,3")[0] == 0
    assert len(csv()) == 3 and not set(csv().values()) & set(old.values())
    assert len(pd.read_csv(tmp_path / "out" / "runs.csv")) == 3


def test_runs_of_other_data_put_into_one_table_are_of_another_setting(tmp_path):
    for name, data, own in (("first", "a", "x"), ("second", "b", "x"), ("second", "b", "y")):
        files = {"stream": {"d.csv": data}, "model": {"net.py": "same"}, "strategy": {"own.py": own}}
        result = replace(make_result(GOOD), files=files)
        write_run(tmp_path / name / f"l2-{own}", make_run("l2", 1.0), result, config_of("l2", 1.0))
        plain = replace(make_result(GOOD), files={"stream": {"d.csv": data}})
        write_run(tmp_path / name / "joint", make_run("joint"), plain, config_of("joint"))
    runs = pd.read_csv(write_sweep(tmp_path))
    assert varying_columns(runs) == ["stream.files.d.csv", "strategy.files.own.py"]
    assert context_columns(runs) == ["stream", "stream.files.d.csv"]
    pairs = runs.groupby("stream.files.d.csv")["strategy"].apply(sorted)
    assert pairs.to_dict() == {"a": ["joint", "l2"], "b": ["joint", "l2", "l2"]}


def test_the_intransigence_has_its_reference_on_the_same_data(tmp_path):
    for name, data in (("l2", "a"), ("joint", "b")):
        result = replace(make_result(GOOD), files={"stream": {"d.csv": data}})
        write_run(tmp_path / name, make_run(name), result, config_of(name))
    runs = pd.read_csv(write_sweep(tmp_path)).set_index("strategy")
    assert runs["intransigence"].isna()["l2"]


NET = """
from . import blocks
from .deep.layers import Layer as L

def build():
    import importlib
    importlib.import_module("aside")
    import torch, json, no_such_module
"""
FILES = {
    "kit/__init__.py": "",
    "kit/net.py": NET,
    "kit/blocks.py": "import kit.net",
    "kit/deep/__init__.py": "",
    "kit/deep/layers.py": "from .. import norms\nclass Layer: ...",
    "kit/norms.py": "syntax error",
    "kit/unused.py": "",
    "aside.py": "",
}


def test_a_users_imports_are_followed_to_the_users_own_files(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = user_sources("kit.net")
    assert set(found) == set(FILES) - {"kit/unused.py"}
    assert found["aside.py"] == hashlib.sha256(b"").hexdigest()[:16]
    assert "kit" not in sys.modules
    assert not any(map(is_users, ("torch.nn", "json", "clbench.config", "kit.net.build")))


def test_a_loaded_module_counts_as_it_was_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "own_loaded_module.py").write_text("A = 1")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("own_loaded_module")
    before = user_sources("own_loaded_module")
    (tmp_path / "own_loaded_module.py").write_text("A = 2")
    assert user_sources("own_loaded_module") == before
    importlib.reload(module)
    assert user_sources("own_loaded_module") != before


def test_files_that_parts_name_count_by_their_contents(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("anchor.safetensors", "words.txt"):
        (tmp_path / name).write_text(name)

    def found():
        strategy = Regularized(anchor="file", file="anchor.safetensors")
        run = make(strategy=strategy, model=SequenceClassifier(vectors="words.txt"))
        return Ingredients().of_run(run)

    before = found()
    assert {part: list(files) for part, files in before.items()} == {
        "model": ["words.txt"],
        "strategy": ["anchor.safetensors"],
    }
    (tmp_path / "anchor.safetensors").write_text("other")
    assert found()["strategy"] != before["strategy"] and found()["model"] == before["model"]


def test_code_without_a_file_is_never_shared_between_sessions():
    kind = make_dataclass("Own", [("lam", float, 1.0)], frozen=True, namespace={"__module__": "no_file"})
    first, again = Ingredients().of_part(kind()), Ingredients().of_part(kind(2.0))
    assert list(first) == ["no_file"] and first == again
