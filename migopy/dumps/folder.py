"""The folder of a dump: its lock, its manifest, its seal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from migopy.dumps.format import Damaged, Stored, read_contents

MANIFEST = 'migopy.json'
TIME_FORMAT = '%Y%m%dT%H%M%SZ'


@dataclass(frozen=True)
class Dump:
    """A complete dump: its folder, when it was begun (UTC), its size in bytes."""

    name: str
    path: Path
    database: str
    made: datetime
    size: int

    @classmethod
    def read(cls, path: Path) -> Dump:
        """Read what a folder holds. Raise `Damaged` where it is no complete dump."""
        try:
            manifest = json.loads((path / MANIFEST).read_text(encoding='utf-8'))
            made = datetime.strptime(path.name.partition('_')[0], TIME_FORMAT)
            made = made.replace(tzinfo=timezone.utc)
            size = sum(manifest['files'].values())
            return cls(path.name, path, manifest['database'], made, size)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(f'{path} is no dump: {error}') from error

    def contents(self) -> list[Stored]:
        """Read it from end to end, and give what is in it.

        Raise `Damaged` or `OSError` where a file is not as it was written.
        """
        manifest = json.loads((self.path / MANIFEST).read_text(encoding='utf-8'))
        for name, size in manifest['files'].items():
            path = self.path / name
            if not path.is_file():
                raise Damaged(f'{path} is missing')
            if path.stat().st_size != size:
                raise Damaged(f'{path} has {path.stat().st_size} bytes, not {size}')
        return read_contents(self.path / self.database)


def seal(folder: Path, database: str) -> None:
    """Make a dump its owner's alone, list its files, and see all of it on the disk."""
    folders = [folder]
    sizes = {}
    for path in sorted(folder.rglob('*')):
        if path.is_dir():
            path.chmod(0o700)
            folders.append(path)
        else:
            path.chmod(0o600)
            sync(path)
            sizes[path.relative_to(folder).as_posix()] = path.stat().st_size
    manifest = folder / MANIFEST
    manifest.touch(mode=0o600)
    content = {'database': database, 'files': sizes}
    manifest.write_text(json.dumps(content, indent=1), encoding='utf-8')
    for path in (manifest, *folders):
        sync(path)


def sync(path: Path) -> None:
    """See a file or a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the operating system's lock on a folder; it ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Where a file system has no such locks, nothing is ever taken for abandoned.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_abandoned(folder: Path) -> bool:
    """Tell whether no process holds the lock on a folder any more."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
