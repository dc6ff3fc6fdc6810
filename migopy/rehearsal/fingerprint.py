"""A fingerprint of a database at one moment, short enough to be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from bson import encode
from pymongo.database import Database
from pymongo.errors import OperationFailure

from migopy.dumps import plain_database
from migopy.rehearsal.measured import Measured, measured
from migopy.undo import OPTION_DEFAULTS

SYSTEM = 'system.'
BUCKETS = 'system.buckets.'

#: The digest of a collection without documents.
NOTHING = 'd41d8cd98f00b204e9800998ecf8427e'


@dataclass(frozen=True)
class Shape:
    """A collection, view or time series: all about it but its documents.

    Invariant: two have the same `digest` only if their documents are the same, byte for
    byte; a view has none. `options` and `indexes` are by name, each as bytes. A time
    series has what was `measured`, too: the same documents may have another digest.
    """

    kind: str
    options: Mapping[str, bytes]
    indexes: Mapping[str, bytes]
    unique: Set[str]
    digest: str | None
    measured: Measured | None = None

    @property
    def is_bare(self) -> bool:
        """Tell whether it is as the server creates one at a first write."""
        others = self.options or set(self.indexes) - {'_id_'}
        return self.has_documents and self.digest == NOTHING and not others

    @property
    def has_documents(self) -> bool:
        """Tell whether it is a plain_database collection."""
        return self.kind == 'collection'


#: The collections of a database by their names.
Fingerprint = Mapping[str, Shape]


def fingerprint_of(
    db: Database[Any],
    excluded: Set[str],
    earlier: Fingerprint | None = None,
    touched: Set[str] = frozenset(),
) -> Fingerprint:
    """Take the fingerprint of a database, but for the collections in `excluded`.

    If an `earlier` one is given, only the collections in `touched` were written since;
    the documents of the others are not read again.
    """
    db = plain_database(db)
    found = {
        str(each['name']): each
        for each in db.list_collections()
        if each['name'] not in excluded and not each['name'].startswith(SYSTEM)
    }
    untouched = {
        name: earlier[name]
        for name in found.keys() - touched
        if earlier and name in earlier and earlier[name].kind != 'view'
    }
    digests = _digests_beside(db, found.keys() - untouched.keys())
    shapes = {}
    for name, each in found.items():
        kind = str(each['type'])
        indexes = [] if kind == 'view' else list(db[name].list_indexes())
        digest, read = digests.get(name), None
        if name in untouched:
            digest, read = untouched[name].digest, untouched[name].measured
        elif kind == 'timeseries':
            digest = digests.get(BUCKETS + name) or _read(db, BUCKETS + name)
            read = measured(db, name)
        options = {
            key: encode({key: value})
            for key, value in each['options'].items()
            if OPTION_DEFAULTS.get(key) != value
        }
        by_name = {str(index['name']): encode(index) for index in indexes}
        unique = {str(index['name']) for index in indexes if index.get('unique')}
        shapes[name] = Shape(kind, options, by_name, unique, digest, read)
    return shapes


def digest_of(db: Database[Any], name: str) -> str | None:
    """Give the digest of one collection's documents, `None` where it is not there."""
    return _digests(db, [name]).get(name)


def _digests_beside(db: Database[Any], names: Set[str]) -> Mapping[str, str]:
    """Give the digests of some collections, and of the buckets of time series."""
    buckets = [BUCKETS + name for name in names]
    # Without any name the server gives those of all.
    return _digests(db, sorted([*names, *buckets])) if names else {}


def _digests(db: Database[Any], names: list[str]) -> Mapping[str, str]:
    found: Mapping[str, str] = db.command('dbHash', 1, collections=names)['collections']
    return found


def _read(db: Database[Any], name: str) -> str | None:
    """Make a digest of all documents, if the server gives none; `None` if refused."""
    digest = hashlib.sha256()
    try:
        for batch in db[name].find_raw_batches({}, sort=[('_id', 1)]):
            digest.update(batch)
    except OperationFailure:
        return None
    return digest.hexdigest()
