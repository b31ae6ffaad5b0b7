"""YAML as OmegaConf prints it, at a fraction of the cost: printed once with blanks, then filled in.

The documents of a sweep's jobs differ in a few values; printing the other two hundred again and again is
what takes time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

Path = tuple[str, ...]
"""A leaf's keys, from the root."""

BLANK = "CLBENCHxBLANKx{}x"


class _Dumper(getattr(yaml, "CDumper", yaml.Dumper)):  # type: ignore[misc]
    """Prints by libyaml where there is one."""

    def ignore_aliases(self, data: Any) -> bool:
        """Print shared values twice."""
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    """Quote texts that would read back as a number or a truth value."""
    words = ("y", "yes", "n", "no", "true", "false", "on", "off")
    is_truth = text in words or (text.lower() in words and text in (text.upper(), text.capitalize()))
    quoted = is_truth or _converts(int, text) or _converts(float, text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if quoted else None)


def _converts(kind: Callable[[str], Any], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


_Dumper.add_representer(str, _represent_text)


def to_yaml(content: Any) -> str:
    """Return plain data as OmegaConf prints it."""
    return str(
        yaml.dump(content, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False)
    )


def with_leaf(content: Any, path: Path, value: Any) -> Any:
    """Return a copy of nested mappings and lists with one leaf changed; all else is shared with it."""
    head, *rest = path
    if isinstance(content, list):
        place = int(head)
        changed = with_leaf(content[place], tuple(rest), value) if rest else value
        return [*content[:place], changed, *content[place + 1 :]]
    return {**content, head: with_leaf(content[head], tuple(rest), value) if rest else value}


class Form:
    """A document with blanks.

    Args:
        content: plain data of one document.
        blanks: the leaves that differ between documents: one value, or a list of values, each.
    """

    def __init__(self, content: Mapping[str, Any], blanks: Sequence[Path]) -> None:
        self.content = content
        self.blanks = tuple(blanks)
        for number, path in enumerate(self.blanks):
            content = with_leaf(content, path, BLANK.format(number))
        self.text = to_yaml(content)

    def fill(self, values: Sequence[Any]) -> str:
        """Return the document with its blanks filled, equal to `to_yaml` of the content with these leaves."""
        text = self.text
        for number, value in enumerate(values):
            printed = _printed(value)
            blank = BLANK.format(number)
            if printed is None or text.count(blank) != 1:
                return to_yaml(self.filled(values))
            if printed.startswith("\n"):  # a list stands below its key, at the key's own indentation
                start = (
                    text.rindex("\n", 0, text.index(blank)) + 1 if "\n" in text[: text.index(blank)] else 0
                )
                line = text[start : text.index(blank)]
                if line.lstrip(" ").startswith("- "):  # the key opens an item of a list
                    return to_yaml(self.filled(values))
                indent = " " * (len(line) - len(line.lstrip(" ")))
                text = text.replace(" " + blank, printed.replace("\n", f"\n{indent}"))
            else:
                text = text.replace(blank, printed)
        return text

    def filled(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return the document's data with its blanks filled."""
        content = dict(self.content)
        for path, value in zip(self.blanks, values, strict=True):
            content = with_leaf(content, path, value)
        return content


def _printed(value: Any) -> str | None:
    """Return a value as it stands after its key, None where that depends on the place."""
    if isinstance(value, list):
        items = [_printed_scalar(type(item), item) if _is_scalar(item) else None for item in value]
        return "[]" if not items else None if None in items else "".join(f"\n- {item}" for item in items)
    return _printed_scalar(type(value), value) if _is_scalar(value) else None


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


@functools.lru_cache(maxsize=100_000)
def _printed_scalar(kind: type, value: Any) -> str | None:
    """Return a scalar as YAML, None for a text that libyaml may fold by its place in the line.

    The type is part of the key because 1, 1.0 and True are equal.
    """
    if kind is str and (" " in value or "\n" in value or len(value) > 1000):
        return None
    return to_yaml({"k": value})[len("k: ") : -1]
