"""What is to be known of a dump that was made elsewhere, or by mongodump alone."""

from __future__ import annotations

import gzip
import os
import shlex
import zlib
from collections.abc import Set
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pymongo.database import Database

from migopy.dumps.database import dumped, servers_of
from migopy.dumps.documents import Damaged
from migopy.dumps.errors import FAILURES, refused
from migopy.dumps.folder import Dump, require_folder
from migopy.dumps.format import DATA, METADATA, shown
from migopy.errors import enumerated
from migopy.folders import open_regular, size_of_regular

_COMPRESSED = '.gz'

#: With these bytes an archive of mongodump's begins, before it is compressed.
_ARCHIVE = b'\x6d\xe2\x99\x81'

#: So begin the files of a database's users and roles, which belong to no collection.
_USERS = '$admin.system.'


def read_foreign(path: Path, database: str) -> Dump:
    """Read a folder that mongodump has written for somebody.

    Raises `Damaged` where it holds no dump of the database.
    """
    try:
        if not path.name.isprintable():
            raise ValueError('its name does not fit in a line')
        if _is_archive(path):
            raise Damaged(
                f'{path} is an archive of mongodump, which mongorestore alone reads.'
                ' dbrestore takes a folder, as mongodump --out makes it.'
            )
        require_folder(path)
        _require_database(path, database)
        made = datetime.fromtimestamp(path.lstat().st_mtime, timezone.utc)
        names = sorted(os.listdir(path / database))
    except (OSError, ValueError, OverflowError) as error:
        raise Damaged(f'{path} holds no dump of {database}: {error}') from error
    files = {}
    for name in names:
        if not name.isprintable():
            raise Damaged(f'{path} holds {name!r}, which is of no dump')
        if name.endswith((DATA + _COMPRESSED, METADATA + _COMPRESSED)):
            there = shlex.quote(str(path))
            raise Damaged(f'{path} is compressed. Unpack it: gunzip -r {there}')
        if name.endswith((DATA, METADATA)) and not name.startswith(_USERS):
            files[f'{database}/{name}'] = size_of_regular(path / database / name)
    sizes = {name: size or 0 for name, size in files.items()}
    if not any(name.endswith(METADATA) for name in sizes):
        raise Damaged(f'{path} holds no dump of {database}')
    size = sum(sizes.values())
    return Dump(path.name, path, database, made, size, files=sizes, foreign=True)


def _is_archive(path: Path) -> bool:
    if size_of_regular(path) is None:
        return False
    with open_regular(path) as file:
        start = file.read(len(_ARCHIVE))
        if start == _ARCHIVE:
            return True
        file.seek(0)
        try:
            return gzip.GzipFile(fileobj=file).read(len(_ARCHIVE)) == _ARCHIVE
        except (OSError, EOFError, zlib.error):
            return False


def _require_database(path: Path, database: str) -> None:
    """Raise `Damaged` unless a dump has the database, and say what it has instead."""
    if os.path.lexists(path / database):
        return require_folder(path / database)
    metadata = [*path.glob(f'*{METADATA}*'), *path.glob(f'*/*{METADATA}*')]
    if any(each.parent == path for each in metadata):
        raise Damaged(
            f'{path} holds no dump, but the files of one: they belong in a folder in'
            f' it, {database}'
        )
    said = f'{path} holds no dump of {database}'
    if others := sorted({shown(each.parent.name) for each in metadata}):
        raise Damaged(f'{said}, but of {enumerated(others)}')
    raise Damaged(f'{said}: no folder of this name is in it')


def origin(db: Database[Any], dump: Dump) -> list[str]:
    """Tell from which server a dump was made, if that is not the database's.

    As the members have other addresses for each other than a tunnel or a router has,
    it may be the same one all the same. Raises `RestoreRefused` where the server does
    not tell its address.
    """
    try:
        here = servers_of(db)
    except FAILURES as error:
        raise refused(dump.name, error, dump.path.parent) from error
    if dump.is_of(set(here)):
        return []
    there = ', '.join(sorted(dump.servers))
    return [f'{dump.name} was made from {there}; here the server is {", ".join(here)}']


def cautions(db: Database[Any], dump: Dump, excluded: Set[str]) -> list[str]:
    """Tell which collections a restore would drop, and what it would leave out.

    It may be a dump of some collections, as nothing in it tells. Raises
    `RestoreRefused` where it is not sound.
    """
    try:
        lacking = set(dumped(db.list_collection_names(), excluded)) - dump.names
    except FAILURES as error:
        raise refused(dump.name, error, dump.path.parent) from error
    said = []
    if lacking:
        names = ', '.join(map(shown, sorted(lacking)))
        said.append(f'{dump.name} lacks what {db.name} has, which is dropped: {names}')
    if dump.has_oplog:
        said.append(
            'Its oplog.bson is not replayed, so its collections may be of different'
            ' moments.'
        )
    if any((dump.path / dump.database).glob(f'{_USERS}*')):
        said.append('Its users and roles are not restored; those of today stay.')
    return said
