"""Processes of `fab` that a campaign starts, of which none is left behind."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from tests import forks
from tests.project import FAB, TIMEOUT, Result, clean_environment


class Processes:
    """The commands that are run in a project.

    Invariant: `said` has what each that has ended said, and `violations` each that
    hung. After `close` none runs.
    """

    def __init__(self, folder: Path, violations: list[str]) -> None:
        self.said: list[str] = []
        self._folder = folder
        self._violations = violations
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `fab` and do not wait for it; see `tests.forks`."""
        start = forks.Forked if forks.are_possible() else subprocess.Popen[str]
        process = start(
            [str(FAB), *arguments],
            cwd=self._folder,
            env=clean_environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def ended(self, process: subprocess.Popen[str]) -> Result:
        """Wait for a command; a hanging one is a violation."""
        try:
            stdout, stderr = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            self._violations.append(f'{process.args} hung')
        result = Result(process.returncode, stdout, stderr)
        self.said.append(f'$ {process.args}\n{result.said}')
        return result

    def close(self) -> None:
        """End what still runs."""
        for process in self._started:
            with contextlib.suppress(OSError):
                process.kill()
            process.communicate()
