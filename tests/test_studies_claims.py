"""The sentence of every claim of the house's studies says what is checked."""

from __future__ import annotations

import re

import pandas as pd
import pytest
import yaml

from clbench.analysis.claim_grammar import filters_of, grammar_problems
from clbench.launcher.places import root

STUDIES = sorted((root() / "experiments").glob("*.yaml"))
CLAIMS = [
    pytest.param(path.stem, claim, id=f"{path.stem}-{number}")
    for path in STUDIES
    for number, claim in enumerate(yaml.safe_load(path.read_text("utf-8"))["study"].get("claims", []))
]
MEANT = {
    r"\bmean loss\b": r"acc",
    r"\bloss on (\w+)\b": r"test_loss_{}",
    r"\bmicro-F1 on (\w+)\b": r"test_f1_micro_{}",
    r"\btrain loss\b": r"train_loss_0",
    r"\btest loss\b": r"test_loss_0",
    r"\baccuracy\b": r"acc|test_accuracy_\w+|forgetting",
    r"\bACC\b": r"acc",
    r"\bforgets\b": r"forgetting|test_loss_\w+",
    r"‖w‖": r"anchor_distance",
}
"""What words of a sentence say of its metric; the first that is found counts."""
WORDS = {2: ("twice", "half"), 0.5: ("half",), 3: ("a third",), 10: ("ten times",)}
"""Numbers that may be told in words."""


@pytest.mark.parametrize(("study", "claim"), CLAIMS)
def test_the_metric_is_the_one_that_the_sentence_names(study, claim):
    assert grammar_problems([claim]) == []
    for words, metric in MEANT.items():
        if found := re.search(words, claim["claim"]):
            assert re.fullmatch(metric.format(*found.groups()), claim["metric"])
            break


@pytest.mark.parametrize(("study", "claim"), CLAIMS)
def test_every_bound_is_told(study, claim):
    asked = [
        claim.get(key, 0) for key in ("factor", "by", "at_least", "at_most", "tolerance", "above", "below")
    ]
    for bound in [*asked, *claim.get("within", [])]:
        told = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", claim["claim"])}
        in_words = any(word in claim["claim"] for word in WORDS.get(bound, ()))
        assert float(bound) in told | {0.0, 1.0} or in_words, bound


@pytest.mark.parametrize(("study", "claim"), CLAIMS)
def test_metrics_and_settings_are_columns_of_the_committed_outcome(study, claim):
    columns = pd.read_csv(root() / "results" / "reference" / study / "runs.csv", nrows=0).columns
    assert claim["metric"] in {*columns, "anchor_distance"}
    assert {name for conditions in filters_of(claim) for name in conditions} <= set(columns)


@pytest.mark.parametrize(("study", "claim"), CLAIMS)
def test_every_seed_is_asked_for_where_the_sentence_says_so(study, claim):
    assert ("every seed" in claim["claim"]) == (claim.get("seeds") == "all")
