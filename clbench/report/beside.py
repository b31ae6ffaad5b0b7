"""The report made by a process of its own, whose libraries are imported while the runs are trained.

It knows files only, as `clbench-report` does. It prints to the command's own output, and ends with it.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path


class Reporter:
    """A process that imports what a report needs, and waits to be told of which folder."""

    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, unless it runs, or the command's output is caught or its program is not known."""
        if self.process is None and sys.stdout is sys.__stdout__ and sys.executable:
            command = [sys.executable, "-P", "-m", __name__]  # -P: the working folder holds no libraries
            # A session of its own: Ctrl-C is for the command, which ends it.
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True
            )

    def present(self, folder: Path) -> bool:
        """Have a folder's report made; return whether it was, else it must be made here.

        Args:
            folder: of a run or a sweep, absolute.
        """
        if (
            self.process is None or "clbench.figures.chart" in sys.modules
        ):  # which somebody's own charts import
            return False
        sys.stdout.flush()
        sys.stderr.flush()
        self.process.communicate(f"{folder}\n")
        return self.process.returncode == 0

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def main() -> None:
    """Import what a report needs, then report on the folder that a line on standard input names."""
    from clbench.figures.gallery import all_charts
    from clbench.figures.style import warm
    from clbench.report.command import present

    all_charts()
    warm()
    import clbench.report.terminal  # noqa: F401

    folder = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8").readline().rstrip("\n")
    try:
        if folder:
            present(Path(folder))
    except Exception:  # the command makes the report itself then, and says what is wrong
        sys.exit(1)


if __name__ == "__main__":
    main()
