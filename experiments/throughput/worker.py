"""A peer in a process of its own, asked over pipes: one line of JSON in, one line with the seconds out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Worker:
    """A process that imports its libraries once and then measures what it is asked for.

    Args:
        script: a file beside this one that calls `answer`.
        python: the interpreter, which may belong to another environment.
    """

    def __init__(self, script: str, python: str = sys.executable) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}", "PYTHONWARNINGS": "ignore"}
        # A pipe that nobody empties would stop a talkative library.
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the worker
        self.process = subprocess.Popen(
            [python, str(HERE / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
        )

    def seconds(self, **request: object) -> float:
        """Return how many seconds the asked work took; see `ask`."""
        return float(self.ask(**request)["seconds"])

    def ask(self, **request: object) -> dict[str, Any]:
        """Return the answer to a request: `seconds`, and whatever else the worker tells of the work.

        Raises:
            RuntimeError: the worker could not do it; the message is its own.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(self.errors.read().strip()[-800:] or "The worker ended.")
        found = json.loads(line)
        if "error" in found:
            raise RuntimeError(found["error"])
        return found

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()
        self.errors.close()


def answer(measure: Callable[..., float | Mapping[str, object]]) -> None:
    """Answer requests until the input ends; what libraries print goes to the other stream.

    Args:
        measure: takes a request, returns seconds, or a mapping with `seconds` and more.
    """
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request: Mapping[str, object] = json.loads(line)
        try:
            told = measure(**request)
            found = dict(told) if isinstance(told, Mapping) else {"seconds": told}
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"[:400]}
        out.write(json.dumps(found) + "\n")
        out.flush()
