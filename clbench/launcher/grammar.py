"""Hydra's grammar of overrides: how a value is written, and what is wrong where it can't be read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

PLAIN = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./+*@%-]*")
"""Texts that need no quotes, unless they spell a number or a keyword."""


def parsed(word: str) -> Override | None:
    """Return an override as Hydra reads it, None where it can't be read."""
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def quoted(text: str) -> str:
    """Return a text in double quotes, as Hydra reads them."""
    return QuotedString(text, Quote.double).with_quotes()


def written(value: Any) -> str:
    """Return plain data, as a YAML file gives it, in Hydra's grammar: read back, it is equal."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_key(key)}:{written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(written(item) for item in value) + "]"
    if not isinstance(value, str):
        return str(value)
    override = parsed(f"k={value}") if PLAIN.fullmatch(value) else None
    return value if override is not None and override.value() == value else quoted(value)


def _key(key: Any) -> str:
    return re.sub(r"[\\()\[\]{}:=, \t]", r"\\\g<0>", str(key))


def rejoin(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return overrides, whole where the shell took them apart at spaces, and a line for each of these."""
    whole: list[str] = []
    found = []
    rest = list(words)
    while rest:
        ends = [] if parsed(rest[0]) else range(2, len(rest) + 1)
        end = next((end for end in ends if parsed(" ".join(rest[:end]))), 1)
        whole.append(" ".join(rest[:end]))
        del rest[:end]
        if end > 1:
            found.append(
                f"An argument must reach clbench whole; got {whole[-1]} in {end} pieces. Put it into quotes, "
                f"which keep the shell from it: {shlex.quote(whole[-1])}."
            )
    return whole, found


def unreadable(word: str) -> str:
    """Return the line for an override that Hydra can't read, and how to write it."""
    key, equals, value = word.partition("=")
    if not equals:
        return (
            f"An override must read key=value; got {word}. Put an argument with spaces into quotes, which "
            "keep the shell from it: 'key={a: 1, b: [2, 3]}'."
        )
    if parsed(f"{key}=1") is None:
        return (
            f"An override must read key=value, with names joined by dots as its key; got {word}. "
            "Write for example model.hidden.0=8 for an item of a list."
        )
    text = shlex.quote(f"{key}={_as_texts(value)}")
    fewer = _without_commas(value)
    if fewer != value and parsed(f"{key}={fewer}") is not None:
        right = shlex.quote(f"{key}={fewer}")
        return f"A comma must stand between two values; got {word}. Leave it out: {right}."
    if any(value.count(left) != value.count(right) for left, right in ("[]", "{}", "()")):
        return (
            f"Brackets must be closed; got {word}. Put the whole argument into quotes, which keep the shell "
            f"from it: '{key}=[{{a: 1}}]'; a text is written {text}."
        )
    return f"A text with signs must be in quotes; got {word}. Write, for the shell and for Hydra, {text}."


def _without_commas(value: str) -> str:
    return re.sub(r",\s*(?=,|\]|\}|$)", "", value).lstrip(", ")


def _as_texts(value: str) -> str:
    """Return a value's text in quotes; of a list each item's."""
    if re.fullmatch(r"\[[^\[\]{}]*\]", value):
        return "[" + ",".join(quoted(item.strip()) for item in value[1:-1].split(",")) + "]"
    return quoted(value)
