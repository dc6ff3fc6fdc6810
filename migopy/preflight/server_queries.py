"""Questions to the server before a run: nothing is written, and time is bounded."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from bson.son import SON
from pymongo import ReadPreference
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, PyMongoError

Document = dict[str, Any]

#: Milliseconds for one question, and seconds for all questions of a look.
EACH_MS = 3000
ALL = 30.0


class Server:
    """The server, as it is asked before a run.

    Invariant: a question only reads. It takes at most `EACH_MS` milliseconds, and all
    together at most `ALL` seconds. What the server does not answer, for want of rights
    or of time, is `None`, and nothing is found then. Most answers are kept, so that the
    same is not asked twice.
    """

    def __init__(self, client: Any, database: str) -> None:
        """Take the client, and the name of the database that migrations are for."""
        self.client = client
        self.database = database
        self._until = time.monotonic() + ALL
        self._counts: dict[str, int] = {}
        self._listed: dict[str, dict[str, Document]] = {}
        self._stats: dict[str, Document | None] = {}
        self._indexes: dict[str, list[Document]] = {}

    @property
    def is_out_of_time(self) -> bool:
        """Tell whether there is no time for more questions."""
        return time.monotonic() >= self._until

    def ask(self, database: str, command: Mapping[str, Any]) -> Document | None:
        """Send a command that reads; give the reply.

        Raises `ConnectionFailure` where the server is gone.
        """
        left = round((self._until - time.monotonic()) * 1000)
        if left <= 0:
            return None
        bounded = SON({**command, 'maxTimeMS': min(EACH_MS, left)})
        try:
            return dict(self._database(database).command(bounded))
        except ConnectionFailure:
            raise
        except PyMongoError:
            return None

    def rows(
        self,
        namespace: str,
        pipeline: Sequence[Mapping[str, Any]],
        **options: Any,
    ) -> list[Document] | None:
        """Give the few rows that a pipeline gives, `None` if there is no answer."""
        database, _, name = namespace.partition('.')
        given = {key: value for key, value in options.items() if value is not None}
        reply = self.ask(
            database,
            {'aggregate': name, 'pipeline': list(pipeline), 'cursor': {}, **given},
        )
        return None if reply is None else list(reply['cursor']['firstBatch'])

    def count(self, namespace: str) -> int:
        """Give the server's own count of documents; 0 for a view or an unknown name."""
        if namespace not in self._counts:
            database, _, name = namespace.partition('.')
            is_view = self.kind(namespace) == 'view'
            reply = None if is_view else self.ask(database, {'count': name})
            self._counts[namespace] = int(reply['n']) if reply else 0
        return self._counts[namespace]

    def kind(self, namespace: str) -> str:
        """Give the type of a collection, `''` if it does not exist."""
        return str(self._described(namespace).get('type', ''))

    def options(self, namespace: str) -> Document:
        """Give the options of a collection."""
        return dict(self._described(namespace).get('options', {}))

    def stats(self, namespace: str) -> Document:
        """Give the figures of a collection's storage, `{}` if there is no answer."""
        if namespace not in self._stats:
            rows = self.rows(namespace, [{'$collStats': {'storageStats': {}}}])
            self._stats[namespace] = rows[0].get('storageStats') if rows else None
        return self._stats[namespace] or {}

    def indexes(self, namespace: str) -> list[Document]:
        """List the indexes of a collection."""
        if namespace not in self._indexes:
            database, _, name = namespace.partition('.')
            reply = self.ask(database, {'listIndexes': name})
            found = reply['cursor']['firstBatch'] if reply else []
            self._indexes[namespace] = list(found)
        return self._indexes[namespace]

    @cached_property
    def hello(self) -> Document:
        """Give what the server says of itself."""
        return self.ask('admin', {'hello': 1}) or {}

    @cached_property
    def version(self) -> tuple[int, ...]:
        """Give the server's version."""
        reply = self.ask('admin', {'buildInfo': 1}) or {}
        return tuple(reply.get('versionArray', ()))

    @property
    def has_transactions(self) -> bool:
        """Tell whether it is a member of a replica set, or a router."""
        return 'setName' in self.hello or self.is_router

    @property
    def is_router(self) -> bool:
        """Tell whether it is a mongos."""
        return self.hello.get('msg') == 'isdbgrid'

    def _described(self, namespace: str) -> Document:
        database, _, name = namespace.partition('.')
        if database not in self._listed:
            listed = {'listCollections': 1, 'cursor': {'batchSize': 10_000}}
            few = {'nameOnly': True, 'authorizedCollections': True}
            # The second needs no right, and does not tell the options.
            reply = self.ask(database, listed) or self.ask(database, {**listed, **few})
            found = reply['cursor']['firstBatch'] if reply else []
            self._listed[database] = {each['name']: each for each in found}
        return self._listed[database].get(name, {})

    def _database(self, name: str) -> Database[Any]:
        return Database(self.client, name, read_preference=ReadPreference.PRIMARY)
