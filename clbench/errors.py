"""The one kind of error a user causes: a problem with a rule, what was got, and what to do."""

from __future__ import annotations

from collections.abc import Iterable


class ConfigurationError(ValueError):
    """One or more problems of a configuration, each in one line.

    A problem reads «rule; got what (where). What to do.» and is found before anything trains. The
    application prints the lines without a traceback and exits with code 2.

    Args:
        problems: the lines, one per problem.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def raise_together(problems: Iterable[str]) -> None:
    """Raise one `ConfigurationError` that names all problems, or return when there is none."""
    if lines := tuple(dict.fromkeys(problems)):
        raise ConfigurationError(*lines)


def known(names: Iterable[str]) -> str:
    """Return the known names as the end of an error line."""
    return "Known: " + ", ".join(sorted(names)) + "."


def shown(value: object) -> str:
    """Return a value as it is typed."""
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(shown, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
