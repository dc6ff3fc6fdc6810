"""The private server of a run of tests, shared by its processes."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from migopy.server.embedded import PrivateMongod
from migopy.testing.folder import PREFIX, remove

#: After so many seconds a folder counts as left by a killed run.
OLD = 86_400.0


@contextlib.contextmanager
def server_in(folder: Path) -> Iterator[str]:
    """Give the URI of the private server of a folder, while a process needs it.

    The first one that needs it starts it, the last one ends it. Raises `NoMongod`,
    `MongodFailed`.
    """
    _sweep()
    with PrivateMongod(folder).running() as uri:
        yield uri


def _sweep() -> None:
    """Remove what runs that were killed long ago have left."""
    for folder in Path(tempfile.gettempdir()).glob(f'{PREFIX}*'):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > OLD:
                remove(folder)
