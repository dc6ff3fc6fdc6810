"""What a migration may leave changed in its process, put back as it was before it."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

from migopy.terminal import put_back


class Surroundings:
    """The working directory, and where stdout and stderr go.

    Invariant: once no file's function runs in this process any more, they are as they
    were before the first one that did. So the next migration finds what it would find
    alone, a hook its files, and a person what is said.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._inside = 0
        self._folder: str | None = None
        self._streams = sys.stdout, sys.stderr

    def enter(self) -> None:
        """Hear that a function begins."""
        with self._turn:
            self._inside += 1
            if self._inside == 1:
                self._folder = _folder()
                self._streams = sys.stdout, sys.stderr

    def leave(self) -> None:
        """Hear that a function has ended; those of other databases may still run."""
        with self._turn:
            self._inside -= 1
            if self._inside:
                return
            put_back(self._streams)
            if self._folder is not None and _folder() != self._folder:
                with suppress(OSError):
                    os.chdir(self._folder)


#: There is one process.
SURROUNDINGS = Surroundings()


def _folder() -> str | None:
    """Give the working directory; `None` where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return None
