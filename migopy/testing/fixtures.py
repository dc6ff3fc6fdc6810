"""Documents for the test of a migration: `mongomigrations/fixtures/003.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bson import json_util
from bson.errors import BSONError
from pymongo.database import Database

from migopy.errors import MigopyException
from migopy.files import Migration

FOLDER = 'fixtures'


class BadFixture(MigopyException):
    """A file of fixtures is not as it should be; `path` is where it is."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(
            f'{path} cannot be used: {reason}.\n'
            'It is to be Extended JSON: {"COLLECTION": [{…}, …], …}'
        )


def fixture_of(migration: Migration) -> Path | None:
    """Find the file of a migration's fixtures: by its name, or by its number."""
    folder = Path(migration.directory, FOLDER)
    named = folder / f'{migration.stem}.json'
    if named.exists():
        return named
    for path in sorted(folder.glob('*.json')):
        if path.stem.isdecimal() and int(path.stem) == migration.number:
            return path
    return None


def load_fixture(path: Path, db: Database[Any]) -> None:
    """Insert what a file of fixtures has; raises `BadFixture`."""
    try:
        content = json_util.loads(path.read_text(encoding='utf-8'))
        if not isinstance(content, dict):
            raise TypeError('it is no object')
        for collection, found in content.items():
            if not isinstance(found, list):
                raise TypeError(f'{collection} is no list')
            if found:
                db[collection].insert_many(found)
            else:
                db.create_collection(collection)
    except (OSError, ValueError, TypeError, BSONError) as error:
        raise BadFixture(path, str(error)) from error
