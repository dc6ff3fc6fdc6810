"""A database of PyMongo 4 that knows what it dropped."""

from __future__ import annotations

from typing import Any, Callable, cast

import pymongo
from pymongo.database import Database

from migopy.callers import called_by_driver
from migopy.pymongo3.answered import AnsweredDatabase
from migopy.pymongo3.answers import answer
from migopy.pymongo3.collection import (
    LegacyCollection,
    legacy_collection,
    options_of,
    refuse_attribute,
)
from migopy.pymongo3.commented import commented_bulk_write
from migopy.pymongo3.deprecations import Deprecations
from migopy.pymongo3.methods import CLIENT_METHODS
from migopy.pymongo3.old_names import ConnectionCollection, SystemJsCollection
from migopy.pymongo3.refusals import REFUSED_CLIENT_METHODS, refuse


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
    return LegacyClient(client, Deprecations(notify))[name]


class LegacyDatabase(AnsweredDatabase):
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
        self._deprecations = deprecations
        super().__init__(client, *args, **kwargs)
        self._legacy_client = LegacyClient(client, deprecations)

    @property
    def client(self) -> pymongo.MongoClient[Any]:
        """Give the client, whose databases are legacy as well.

        PyMongo gets the client itself: it lets a session be used only with the very
        client that started it.
        """
        return self._client if called_by_driver() else self._legacy_client

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the client's dropped method of this name.

        Raises `DroppedByPyMongo` for one that cannot be run any more, and `TypeError`
        where there was no such method.
        """
        if self.name in REFUSED_CLIENT_METHODS:
            refuse(f'client.{self.name}()', REFUSED_CLIENT_METHODS[self.name])
        if self.name not in CLIENT_METHODS:
            raise TypeError(f"a client has no method '{self.name}'")
        method = CLIENT_METHODS[self.name]
        self._deprecations.say(
            f'client.{self.name}()', f'write client.{method.instead} instead'
        )
        return method.run(self._client, *args, **kwargs)

    def command(self, command: Any, *args: Any, **kwargs: Any) -> Any:
        """Run a command as PyMongo does; tell of writes whose failure it keeps."""
        reply = super().command(command, *args, **kwargs)
        if errors := reply.get('writeErrors'):
            name = command if isinstance(command, str) else next(iter(command))
            self._deprecations.remark(
                f'writeErrors of {name}',
                f'this {name} has not written all that it was to:'
                f' {errors[0].get("errmsg")}. db.command() raises no error for that:'
                ' look at writeErrors in its reply, or call a method of the collection',
            )
        return reply

    def with_options(self, *args: Any, **kwargs: Any) -> LegacyDatabase:
        """Give this database with other options, as PyMongo 4 does."""
        plain: Database[Any] = super().with_options(*args, **kwargs)
        return LegacyDatabase(
            self._client,
            plain.name,
            deprecations=self._deprecations,
            **options_of(plain),
        )

    def __bool__(self) -> Any:
        """Be true, as under PyMongo 3."""
        self._deprecations.say(
            'the truth of a database', 'write "db is not None" instead'
        )
        return True

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith('_'):
            refuse_attribute(name, self._deprecations)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> LegacyCollection:
        if name in _OLD_NAMES:
            return _OLD_NAMES[name](
                self, name, deprecations=self._deprecations, **options_of(self)
            )
        plain: Any = super().__getattr__(name)
        return cast(LegacyCollection, plain)

    def __getitem__(self, name: str) -> LegacyCollection:
        return LegacyCollection(self, name, deprecations=self._deprecations)

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
        found = getattr(self._stands_for, name)
        return self[name] if isinstance(found, Database) else found

    def __getitem__(self, name: str) -> LegacyDatabase:
        return self._legacy(self._stands_for[name])

    def get_database(self, *args: Any, **kwargs: Any) -> LegacyDatabase:
        """Give a database with options of its own, as PyMongo 4 does."""
        return self._legacy(self._stands_for.get_database(*args, **kwargs))

    def get_default_database(self, *args: Any, **kwargs: Any) -> LegacyDatabase:
        """Give the database that the address names, as PyMongo 4 does."""
        return self._legacy(self._stands_for.get_default_database(*args, **kwargs))

    def drop_database(self, name_or_database: Any, *args: Any, **kwargs: Any) -> None:
        """Drop a database, as PyMongo does."""
        name = getattr(name_or_database, 'name', name_or_database)
        if args or kwargs or answer(name, {'dropDatabase': 1}) is None:
            self._stands_for.drop_database(name_or_database, *args, **kwargs)

    def bulk_write(self, *args: Any, **kwargs: Any) -> Any:
        """Write to several collections, as PyMongo does, with a comment."""
        return commented_bulk_write(self._stands_for, *args, **kwargs)

    def server_info(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Describe the server, as PyMongo does."""
        reply = None
        if not args and not kwargs:
            reply = answer('admin', {'buildInfo': 1})
        return reply or self._stands_for.server_info(*args, **kwargs)

    def list_database_names(self, *args: Any, **kwargs: Any) -> list[str]:
        """List the names of the databases, as PyMongo does."""
        reply = None
        if not args and not kwargs:
            reply = answer('admin', {'listDatabases': 1, 'nameOnly': True})
        if reply is None:
            return self._stands_for.list_database_names(*args, **kwargs)
        return [each['name'] for each in reply['databases']]

    def close(self) -> None:
        """Leave the client open: what has run is still to be registered with it.

        A client of PyMongo 2 and 3 was opened again by its next use. `with db.client:`
        comes here at its end.
        """
        self._deprecations.remark(
            'client.close()',
            'client.close() does nothing here: migopy goes on with this client, and'
            ' closes it itself',
        )

    def _legacy(self, plain: Database[Any]) -> LegacyDatabase:
        options = options_of(plain)
        options['codec_options'] = self._deprecations.watched(plain.codec_options)
        return LegacyDatabase(
            self._stands_for,
            plain.name,
            deprecations=self._deprecations,
            **options,
        )

    def __eq__(self, other: object) -> bool:
        return bool(self._stands_for == other)

    def __hash__(self) -> int:
        return hash(self._stands_for)

    def __repr__(self) -> str:
        return repr(self._stands_for)

    def __del__(self) -> None:
        """Leave the client open, as it is not this object's."""


#: Collections that meant something else, where an attribute of a database is one.
_OLD_NAMES = {'connection': ConnectionCollection, 'system_js': SystemJsCollection}

#: What a `LegacyClient` answers for itself.
_OF_LEGACY_CLIENT = frozenset(vars(LegacyClient)) | {
    '__class__',
    '_stands_for',
    '_deprecations',
}
