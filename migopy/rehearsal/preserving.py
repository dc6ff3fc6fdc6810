"""Collections that are copied at the last moment before they are written to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from contextvars import Context
from typing import Any

from bson import decode
from pymongo.database import Database
from pymongo.errors import PyMongoError

from migopy.rehearsal.fingerprint import Fingerprint, digest_of
from migopy.server import reason_of

#: Options that the order of `_id`s depends on.
ORDERING = ('collation',)


class Preserver:
    """Keeps collections as they are at one moment, in a database beside.

    Invariant: the database beside has the documents of each collection in `kept` as
    they were at that moment; `seconds` is how long it took to copy them.
    """

    def __init__(
        self,
        db: Database[Any],
        beside: Database[Any],
        state: Fingerprint,
        own_work: Callable[[], AbstractContextManager[object]],
        most: int | None = None,
    ) -> None:
        """Take the database, the one beside it, and the state that it is in now.

        A collection of more bytes than `most` is not kept.
        """
        self._most = most
        self.db = db
        self.beside = beside
        self.state = state
        self._own_work = own_work
        self._turn = threading.Lock()
        self.kept: set[str] = set()
        #: The collections that may have been written to since.
        self.touched: set[str] = set()
        #: Why a collection could not be kept, by its name.
        self.reasons: dict[str, str] = {}
        self.seconds = 0.0

    def about_to_write(self, names: Iterable[str] | None) -> None:
        """Keep the collections that are about to be written to, for `None` all."""
        names = list(self.state) if names is None else list(names)
        with self._turn:
            self.touched.update(names)
            for name in names:
                shape = self.state.get(name)
                known = name in self.kept or name in self.reasons
                if shape is not None and shape.has_documents and not known:
                    began = time.monotonic()
                    # In an empty context, so outside of the migration's transaction.
                    Context().run(self._keep, name)
                    self.seconds += time.monotonic() - began

    def _keep(self, name: str) -> None:
        options = self.state[name].options
        ordering = {
            key: decode(options[key])[key] for key in ORDERING if key in options
        }
        try:
            with self._own_work():
                if self._is_too_large(name):
                    self.reasons[name] = 'it is too large to be kept a second time'
                    return
                self.beside.command({'create': name, **ordering})
                out = {'$out': {'db': self.beside.name, 'coll': name}}
                self.db[name].aggregate([out])
        # An `Exception` would not reach the migration, as PyMongo swallows it.
        except PyMongoError as error:
            self.reasons[name] = reason_of(error)
        else:
            self.kept.add(name)

    def _is_too_large(self, name: str) -> bool:
        if self._most is None:
            return False
        size: int = self.db.command('collStats', name)['size']
        return size > self._most

    def is_sound(self, name: str) -> bool:
        """Tell whether what is kept of a collection is what it was, byte for byte.

        It is not if something that nobody hears has written to it before.
        """
        if name not in self.kept:
            return False
        return digest_of(self.beside, name) == self.state[name].digest

    def forget(self) -> None:
        """Drop what was kept."""
        for name in {*self.kept, *self.reasons}:
            self.beside.drop_collection(name)
        self.kept.clear()
