"""What a file is told of its use of what PyMongo 4 dropped."""

from __future__ import annotations

import os
import threading
import warnings
from typing import Callable

from migopy.pymongo3.callers import calling_file


class Deprecations:
    """Say that a file uses what PyMongo 4 dropped, and what to write instead.

    Invariant: each use is said at most once a file, from whatever thread, whatever
    the interpreter's warning filters remember.
    """

    def __init__(self, notify: Callable[[str], None] | None = None) -> None:
        self._notify = notify
        self._said: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def say(self, use: str, advice: str) -> None:
        """Warn the file that called PyMongo, unless it was told of this use before.

        Raises `DeprecationWarning` where the interpreter's filters make it an error.
        """
        file_name, line, module = calling_file()
        with self._lock:
            if (file_name, use) in self._said:
                return
            self._said.add((file_name, use))
        message = f'PyMongo 4 dropped {use}: {advice}'
        if self._notify is not None:
            self._notify(f'{os.path.basename(file_name)}, line {line}: {message}')
        warnings.warn_explicit(message, DeprecationWarning, file_name, line, module)
