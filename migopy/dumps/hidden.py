"""Hidden folders of dumps that are being made or removed, and their removal."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from migopy.dumps.folder import TIME_FORMAT, is_abandoned, locked

_UNFINISHED = '.part'


@contextlib.contextmanager
def begun(directory: Path, database: str) -> Iterator[Path]:
    """Give a new hidden folder, locked; remove it in the end if it is there.

    What killed processes left is removed first.
    """
    with contextlib.ExitStack() as stack:
        # Nobody may take the new folder for abandoned before it is locked.
        with locked(directory):
            _remove_abandoned(directory)
            folder = _reserve(directory, database)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(locked(folder))
        yield folder


def finish(folder: Path) -> Path:
    """Give a dump its own name, now that it is complete."""
    return folder.rename(folder.with_name(folder.name[1 : -len(_UNFINISHED)]))


def remove(dump: Path) -> None:
    """Remove a dump; it is hidden first, so never listed in part. Raises `OSError`."""
    shutil.rmtree(dump.rename(_hidden(dump)))


def _reserve(directory: Path, database: str) -> Path:
    """Make a folder named by a second that no other dump of the database has."""
    while True:
        path = directory / f'{datetime.now(timezone.utc):{TIME_FORMAT}}_{database}'
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                _hidden(path).mkdir(mode=0o700)
                return _hidden(path)
        time.sleep(0.05)


def _hidden(path: Path) -> Path:
    return path.with_name(f'.{path.name}{_UNFINISHED}')


def _remove_abandoned(directory: Path) -> None:
    for path in directory.glob(f'.*Z_*{_UNFINISHED}'):
        if is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)
