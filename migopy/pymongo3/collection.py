"""Collections and cursors of PyMongo 4 that know what it dropped."""

from __future__ import annotations

from typing import Any, cast

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.database import Database
from pymongo.write_concern import WriteConcern

from migopy.pymongo3.counting import send_count
from migopy.pymongo3.deprecations import Deprecations
from migopy.pymongo3.methods import COLLECTION_METHODS, DATABASE_METHODS
from migopy.pymongo3.sending import Document, bound_session

_RENAMED_FIND_ARGUMENTS = {
    'spec': 'filter',
    'fields': 'projection',
    'partial': 'allow_partial_results',
}
_LOST_FIND_ARGUMENTS = ('manipulate', 'network_timeout', 'slave_okay')


class LegacyCollection(Collection[Any]):
    """A `Collection` of PyMongo 4 that, called, is a dropped method of its parent.

    Invariant: whatever PyMongo 4 gives a meaning keeps that meaning; only calls and
    arguments that it refuses are taken over. And a write in a transaction that was
    bound with `session.bind()` carries no write concern of its own.
    """

    def __init__(
        self,
        database: Database[Any],
        name: str,
        *args: Any,
        deprecations: Deprecations,
        **kwargs: Any,
    ) -> None:
        self._deprecations = deprecations
        super().__init__(database, name, *args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the dropped method that the last part of the name says.

        Raises PyMongo's own `TypeError` where there was no such method.
        """
        parent_name, _, method_name = self.name.rpartition('.')
        methods = COLLECTION_METHODS if parent_name else DATABASE_METHODS
        if method_name not in methods:
            return super().__call__(*args, **kwargs)
        method = methods[method_name]
        self._say(f'{method_name}()', f'write {method.instead} instead')
        if not parent_name:
            return method.run(self.database, *args, **kwargs)
        parent = LegacyCollection(
            self.database,
            parent_name,
            deprecations=self._deprecations,
            **options_of(self),
        )
        return method.run(parent, *args, **kwargs)

    def __getitem__(self, name: str) -> LegacyCollection:
        return legacy_collection(super().__getitem__(name), self._deprecations)

    def with_options(self, *args: Any, **kwargs: Any) -> LegacyCollection:
        """Give this collection with other options, as PyMongo 4 does."""
        return legacy_collection(
            super().with_options(*args, **kwargs), self._deprecations
        )

    def find(self, *args: Any, **kwargs: Any) -> LegacyCursor:
        """Query as PyMongo 4 does; `find()`'s arguments of PyMongo 2 are known too."""
        collection = self._with_old_find_options(kwargs)
        self._modernize_find(kwargs)
        return LegacyCursor(collection, *args, **kwargs)

    def find_one(self, filter: Any | None = None, *args: Any, **kwargs: Any) -> Any:
        """Query as PyMongo 4 does; `spec_or_id`, `filter`'s old name, is known too."""
        if filter is None and 'spec_or_id' in kwargs:
            self._say('find_one(spec_or_id=…)', 'write find_one(filter=…) instead')
            filter = kwargs.pop('spec_or_id')
        return super().find_one(filter, *args, **kwargs)

    def create_index(
        self,
        keys: Any,
        session: ClientSession | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> str:
        """Create an index as PyMongo 4 does; options of PyMongo 2 are known too.

        `drop_dups`, `dropDups`, `cache_for` and `ttl` are passed over.
        """
        for option in ('drop_dups', 'dropDups'):
            if kwargs.pop(option, False):
                self._say(
                    f'create_index({option}=…)',
                    'it is passed over, as MongoDB no longer drops duplicates;'
                    ' delete them before you create a unique index',
                )
        for option in ('cache_for', 'ttl'):
            if kwargs.pop(option, None) is not None:
                self._say(
                    f'create_index({option}=…)', 'it is passed over; leave it out'
                )
        if 'bucket_size' in kwargs:
            kwargs['bucketSize'] = kwargs.pop('bucket_size')
        return super().create_index(keys, session, comment, **kwargs)

    def _with_old_find_options(self, arguments: Document) -> LegacyCollection:
        """Take PyMongo 2's options of `find()` that are a collection's today."""
        collection = self
        if 'as_class' in arguments:
            advice = 'write with_options(codec_options=…).find(…) instead'
            self._say('find(as_class=…)', advice)
            document_class = arguments.pop('as_class') or dict
            collection = self.with_options(
                codec_options=self.codec_options.with_options(
                    document_class=document_class
                )
            )
        if 'read_preference' in arguments:
            advice = 'write with_options(read_preference=…).find(…) instead'
            self._say('find(read_preference=…)', advice)
            collection = collection.with_options(
                read_preference=arguments.pop('read_preference')
            )
        return collection

    def _modernize_find(self, arguments: Document) -> None:
        """Replace PyMongo 2's arguments of `find()` in place."""
        for old, new in _RENAMED_FIND_ARGUMENTS.items():
            if old in arguments:
                self._say(f'find({old}=…)', f'write find({new}=…) instead')
                arguments[new] = arguments.pop(old)
                if old == 'fields' and arguments[new] in ([], (), {}):
                    # Without a field PyMongo 2 gave the _id, PyMongo 4 gives all.
                    arguments[new] = {'_id': 1}
        if 'timeout' in arguments:
            self._say('find(timeout=…)', 'write find(no_cursor_timeout=…) instead')
            arguments['no_cursor_timeout'] = not arguments.pop('timeout')
        for option in _LOST_FIND_ARGUMENTS:
            if option in arguments:
                del arguments[option]
                self._say(f'find({option}=…)', 'it is passed over; leave it out')

    def _write_concern_for(self, session: Any) -> WriteConcern:
        # PyMongo 4.17 to 4.20 leave the write concern out for a session that is
        # passed, but not for a bound one: the server then refuses the write, and
        # with w=0 insert_many() and bulk_write() happen outside the transaction.
        return super()._write_concern_for(session or bound_session(self))

    def _say(self, use: str, advice: str) -> None:
        self._deprecations.say(use, advice)


class LegacyCursor(Cursor[Any]):
    """A `Cursor` of PyMongo 4 that still has `count()`."""

    def count(self, with_limit_and_skip: bool = False) -> int:
        """Count the documents that match; `limit()` and `skip()` only if asked to."""
        collection = cast(LegacyCollection, self.collection)
        collection._say('cursor.count()', 'write count_documents(filter) instead')
        options = {
            'maxTimeMS': self._max_time_ms,
            'comment': self._comment,
            'hint': self._hint,
            'collation': self._collation,
        }
        if with_limit_and_skip:
            options.update(limit=self._limit, skip=self._skip)
        return send_count(collection, self._spec, self.session, **options)


def legacy_collection(
    plain: Collection[Any], deprecations: Deprecations
) -> LegacyCollection:
    """Give a collection that PyMongo made the class it must have here."""
    return LegacyCollection(
        plain.database, plain.name, deprecations=deprecations, **options_of(plain)
    )


def options_of(source: Any) -> Document:
    """Collect the options that a database or a collection hands on to its like."""
    return {
        'codec_options': source.codec_options,
        'read_preference': source.read_preference,
        'write_concern': source.write_concern,
        'read_concern': source.read_concern,
    }
