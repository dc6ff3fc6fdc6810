"""The folder of a dump: what belongs to it, its lock, its seal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_plus

from migopy.dumps.documents import Damaged, read_batches
from migopy.dumps.format import (
    DATA,
    METADATA,
    Stored,
    read_contents,
)
from migopy.folders import create_file, open_regular, size_of_regular
from migopy.texts import kept_line

MANIFEST = 'migopy.json'
TIME_FORMAT = '%Y%m%dT%H%M%SZ'

_MOST_MANIFEST_BYTES = 64 * 1024 * 1024

_THIS_MACHINE = ('localhost', '127.0.0.1', '::1')

# A clock that was set back by no more than this counts as right.
_TOLERANCE = timedelta(minutes=1)


@dataclass(frozen=True)
class Dump:
    """A complete dump: its folder, when it was begun (UTC), its size in bytes.

    Invariant: `files` are all that belongs to it, by their names below the folder, and
    their bytes. Whatever else lies in the folder is never read.
    """

    name: str
    path: Path
    database: str
    made: datetime
    size: int
    files: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    #: Of the dumps of one database a later one has a greater number, whatever the
    #: clock said; 0 where nobody counted.
    number: int = 0
    #: The addresses of the server's members; of two servers each may have a database
    #: of this name.
    servers: frozenset[str] = frozenset()
    #: What was unfinished in the database when it was made: the names of migrations, by
    #: the ids of their first runs that were.
    unfinished: Mapping[str, str] = field(default_factory=dict, compare=False)
    #: Whether it has no manifest: somebody called mongodump without migopy.
    foreign: bool = False

    @property
    def age(self) -> timedelta | None:
        """Give the time since it was begun, `None` if the clock was ahead then."""
        age = datetime.now(timezone.utc) - self.made
        return max(age, timedelta()) if age >= -_TOLERANCE else None

    def is_of(self, servers: Set[str]) -> bool:
        """Tell whether it was made on one of these servers, or may have been."""
        own = set(map(_plain_address, self.servers))
        return not own or not own.isdisjoint(map(_plain_address, servers))

    @classmethod
    def read(cls, path: Path) -> Dump:
        """Read what a folder holds. Raises `Damaged` where it is no complete dump."""
        try:
            if not path.name.isprintable():
                raise ValueError('its name does not fit in a line')
            require_folder(path)
            manifest = _read_manifest(path / MANIFEST)
            made = _time_in(path.name)
            number = manifest.get('number', 0)
            return cls(
                path.name,
                path,
                _database(manifest['database']),
                made,
                sum(manifest['files'].values()),
                files={
                    _plain(name): _count(n) for name, n in manifest['files'].items()
                },
                number=_count(number),
                servers=frozenset(map(str, manifest.get('servers', []))),
                unfinished={
                    run: kept_line(str(name))
                    for run, name in manifest.get('unfinished', {}).items()
                },
            )
        except (
            OSError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
        ) as error:
            raise Damaged(f'{path} is no dump: {error}') from error

    def contents(self) -> list[Stored]:
        """Read it from end to end, and give what is in it.

        Raises `Damaged` or `OSError` where a file is not as it was written.
        """
        folder = self.path / self.database
        require_folder(self.path)
        require_folder(folder)
        for name, size in self.files.items():
            path = self.path / name
            found = size_of_regular(path)
            if found is None:
                there = os.path.lexists(path)
                raise Damaged(f'{path} is {"no regular file" if there else "missing"}')
            if found != size:
                raise Damaged(f'{path} has {found} bytes, not {size}')
        start = f'{self.database}/'
        names = [n[len(start) :] for n in self.files if n.startswith(start)]
        return read_contents(folder, names)

    @property
    def names(self) -> set[str]:
        """Read the names of the collections that it holds; raises `Damaged`."""
        files = (self.path / name for name in self.files if name.endswith(METADATA))
        return {Stored.read(file).name for file in files}

    @property
    def data_bytes(self) -> dict[str, int]:
        """Give the bytes of each collection's documents by its name; reads nothing."""
        sizes = ((path.partition('/')[2], size) for path, size in self.files.items())
        return {
            unquote_plus(name[: -len(DATA)]): size
            for name, size in sizes
            if name.endswith(DATA)
        }

    @property
    def has_oplog(self) -> bool:
        """Tell whether mongodump has kept what was written meanwhile beside it."""
        return os.path.lexists(self.path / f'oplog{DATA}')

    def batches(self, stored: Stored) -> Iterator[list[bytes]]:
        """Read the documents of one of its collections; raises `Damaged`."""
        return read_batches(self.path / self.database / stored.data_file)

    def holds_nothing_else(self) -> bool:
        """Tell whether its folder holds no other file than those that belong to it."""
        found = {
            Path(folder, name).relative_to(self.path).as_posix()
            for folder, folders, files in os.walk(self.path)
            for name in (*files, *(n for n in folders if Path(folder, n).is_symlink()))
        }
        return found == {*self.files, MANIFEST}


def name_in(directory: Path, typed: str) -> str:
    """Give a dump's name; with Tab one types its path, of a folder in `directory`."""
    path = Path(typed)
    is_path = os.sep in typed and path.name
    is_here = is_path and os.path.realpath(path.parent) == os.path.realpath(directory)
    return path.name if is_here else typed


def seal(
    folder: Path,
    database: str,
    number: int,
    servers: Iterable[str] = (),
    unfinished: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Make a dump its owner's alone, list its files, and see all of it on the disk."""
    folders = [folder]
    sizes = {}
    for path in sorted(folder.rglob('*')):
        if path.is_symlink():
            raise Damaged(f'{path} is a symbolic link')
        if path.is_dir():
            path.chmod(0o700)
            folders.append(path)
        else:
            path.chmod(0o600)
            sync(path)
            sizes[path.relative_to(folder).as_posix()] = path.stat().st_size
    content = {
        'database': database,
        'number': number,
        'servers': sorted(servers),
        'unfinished': dict(unfinished),
        'files': sizes,
    }
    with create_file(folder / MANIFEST) as manifest:
        manifest.write(json.dumps(content, indent=1).encode())
    for path in (folder / MANIFEST, *folders):
        sync(path)


def sync(path: Path) -> None:
    """See a file or a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the operating system's lock on a folder; it ends with the process."""
    descriptor = _open_folder(folder)
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
        descriptor = _open_folder(folder)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _open_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)


def _plain_address(address: str) -> str:
    """Give an address as others spell it, too: this machine has several names."""
    host, _, port = address.lower().rpartition(':')
    return f'localhost:{port}' if host.strip('[]') in _THIS_MACHINE else address.lower()


def require_folder(path: Path) -> None:
    """Raise `Damaged` unless it is a folder, not a link to one."""
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise Damaged(f'{path} is no folder')


def _time_in(name: str) -> datetime:
    try:
        made = datetime.strptime(name.partition('_')[0], TIME_FORMAT)
    except ValueError as error:
        raise ValueError(
            'its name does not begin with the time when it was made, like'
            ' 20261122T093000Z_'
        ) from error
    return made.replace(tzinfo=timezone.utc)


def _read_manifest(path: Path) -> dict[str, Any]:
    with open_regular(path) as file:
        content = file.read(_MOST_MANIFEST_BYTES + 1)
    if len(content) > _MOST_MANIFEST_BYTES:
        raise ValueError('its manifest is too long')
    manifest: dict[str, Any] = json.loads(content)
    return manifest


def _database(name: str) -> str:
    if not isinstance(name, str) or '/' in _plain(name):
        raise TypeError(f'{name!r} is no name of a database')
    return name


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f'{value!r} is no count')
    return value


def _plain(name: str) -> str:
    """Make sure that a file lies in the dump's folder, or in a folder of that."""
    parts = name.split('/')
    if len(parts) > 2 or not name.isprintable() or {'', '.', '..'} & set(parts):
        raise ValueError(f'{name!r} is no name of a file in it')
    return name
