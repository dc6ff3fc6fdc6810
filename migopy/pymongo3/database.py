"""A database of PyMongo 4 that knows what it dropped."""

from __future__ import annotations

from typing import Any, Callable

import pymongo
from pymongo.database import Database

from migopy.pymongo3.callers import called_by_driver
from migopy.pymongo3.collection import LegacyCollection, legacy_collection, options_of
from migopy.pymongo3.deprecations import Deprecations


def legacy_database(
    client: Any, name: str, notify: Callable[[str], None] | None = None
) -> Database[Any]:
    """Give the client's database with the methods that PyMongo 4 dropped.

    `notify` is called with a sentence for a person ("001_x.py, line 2: …") once for
    each dropped method that a file uses; a `DeprecationWarning` is given as well. A
    client that is no `pymongo.MongoClient` (a test's) gives its own database.
    """
    if not isinstance(client, pymongo.MongoClient):
        database: Database[Any] = client[name]
        return database
    return LegacyDatabase(client, name, deprecations=Deprecations(notify))


class LegacyDatabase(Database[Any]):
    """A `Database` of PyMongo 4 whose collections have PyMongo 3's methods too.

    Invariant: every collection, and every database with other options, that is
    reached from it is legacy as well, and tells the same `Deprecations`.
    """

    def __init__(
        self,
        client: pymongo.MongoClient[Any],
        *args: Any,
        deprecations: Deprecations,
        **kwargs: Any,
    ) -> None:
        super().__init__(client, *args, **kwargs)
        self._deprecations = deprecations
        self._legacy_client = LegacyClient(client, deprecations)

    @property
    def client(self) -> pymongo.MongoClient[Any]:
        """Give the client, whose databases are legacy as well.

        PyMongo gets the client itself: it lets a session be used only with the very
        client that started it.
        """
        return self._client if called_by_driver() else self._legacy_client

    def with_options(self, *args: Any, **kwargs: Any) -> LegacyDatabase:
        """Give this database with other options, as PyMongo 4 does."""
        plain: Database[Any] = super().with_options(*args, **kwargs)
        return LegacyDatabase(
            self._client,
            plain.name,
            deprecations=self._deprecations,
            **options_of(plain),
        )

    def __getitem__(self, name: str) -> LegacyCollection:
        return legacy_collection(super().__getitem__(name), self._deprecations)

    def get_collection(self, *args: Any, **kwargs: Any) -> LegacyCollection:
        """Give a collection with options of its own, as PyMongo 4 does."""
        return legacy_collection(
            super().get_collection(*args, **kwargs), self._deprecations
        )

    def create_collection(self, *args: Any, **kwargs: Any) -> LegacyCollection:
        """Create a collection, as PyMongo 4 does."""
        return legacy_collection(
            super().create_collection(*args, **kwargs), self._deprecations
        )


class LegacyClient(pymongo.MongoClient[Any]):
    """A client as a migration gets it: its databases have PyMongo 3's methods too.

    Invariant: it has no state but the client that it stands for, which does all the
    work. Sessions, which PyMongo lets one client use only, are that client's.
    """

    def __init__(
        self, client: pymongo.MongoClient[Any], deprecations: Deprecations
    ) -> None:
        self._stands_for = client
        self._deprecations = deprecations

    def __getattribute__(self, name: str) -> Any:
        if name in _OF_LEGACY_CLIENT:
            return object.__getattribute__(self, name)
        found = getattr(object.__getattribute__(self, '_stands_for'), name)
        return self._legacy(found) if isinstance(found, Database) else found

    def __getitem__(self, name: str) -> LegacyDatabase:
        return self._legacy(self._stands_for[name])

    def get_database(self, *args: Any, **kwargs: Any) -> LegacyDatabase:
        """Give a database with options of its own, as PyMongo 4 does."""
        return self._legacy(self._stands_for.get_database(*args, **kwargs))

    def get_default_database(self, *args: Any, **kwargs: Any) -> LegacyDatabase:
        """Give the database that the address names, as PyMongo 4 does."""
        return self._legacy(self._stands_for.get_default_database(*args, **kwargs))

    def _legacy(self, plain: Database[Any]) -> LegacyDatabase:
        return LegacyDatabase(
            self._stands_for,
            plain.name,
            deprecations=self._deprecations,
            **options_of(plain),
        )

    def __eq__(self, other: object) -> bool:
        return bool(self._stands_for == other)

    def __hash__(self) -> int:
        return hash(self._stands_for)

    def __repr__(self) -> str:
        return repr(self._stands_for)

    def __del__(self) -> None:
        """Leave the client open, as it is not this object's."""


#: What a `LegacyClient` answers for itself.
_OF_LEGACY_CLIENT = frozenset(vars(LegacyClient)) | {
    '__class__',
    '_stands_for',
    '_deprecations',
}
