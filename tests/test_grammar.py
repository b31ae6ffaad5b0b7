"""Values in Hydra's grammar, with Hydra's own parser as the oracle."""

from __future__ import annotations

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from clbench.launcher.grammar import rejoin, unreadable, written

TEXTS = ["", " x ", "1", "1e3", "1_0", ".5", "-3", "true", "null", "nan", "inf", "a,b", "run=3.csv", "größe"]
TEXTS += ["x(1).csv", "range(3)", "kind:bias", "${a}", "~/x", "C:\\dir\\", "a\nb", "l2", "a/b.csv"]
TEXTS += ["a'b\"c\\"]


@pytest.mark.parametrize(
    "value",
    [*TEXTS, TEXTS, dict.fromkeys(["a", "a b", "k:x", "a=b"], TEXTS), [], {}, [[{}]], 3, 1e-5, True, None],
    ids=repr,
)
def test_what_is_written_reads_back_as_it_was(value):
    override = OverridesParser.create().parse_override(f"key={written(value)}")
    assert repr(override.value()) == repr(value) and not override.is_sweep_override()


@pytest.mark.parametrize("text", ["run=3.csv", "x(1).csv", "größe", "it's", 'a"b', "${a:${b:c}}", "a:b=c,d"])
def test_the_quoting_that_is_told_works(text):
    advice = unreadable(f"stream.path={text}").partition("for Hydra, ")[2].removesuffix(".")
    (word,) = shlex.split(advice)
    assert OverridesParser.create().parse_override(word).value() == text


def test_what_the_shell_took_apart_is_put_together():
    words = ["seed=1", "a=[{b:", "1}]", "x", "c=2", "d={e:", "f", "g}"]
    whole, lines = rejoin(words)
    assert whole == ["seed=1", "a=[{b: 1}]", "x", "c=2", "d={e: f g}"]
    assert ["'a=[{b: 1}]'" in lines[0], "'d={e: f g}'" in lines[1], len(lines)] == [True, True, 2]
