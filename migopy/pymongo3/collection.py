"""Collections and cursors of PyMongo 4 that know what it dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from bson.codec_options import CodecOptions, TypeRegistry
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.command_cursor import CommandCursor
from pymongo.cursor import Cursor
from pymongo.database import Database
from pymongo.write_concern import WriteConcern

from migopy.pymongo3.answered import AnsweredCollection
from migopy.pymongo3.answers import answer_aggregation
from migopy.pymongo3.commented import COMMENT
from migopy.pymongo3.counting import send_count
from migopy.pymongo3.deprecations import Deprecations
from migopy.pymongo3.find import modernized
from migopy.pymongo3.methods import COLLECTION_METHODS, DATABASE_METHODS
from migopy.pymongo3.refusals import (
    PASSED_OVER_ATTRIBUTES,
    REFUSED_ATTRIBUTES,
    REFUSED_COLLECTION_METHODS,
    REFUSED_DATABASE_METHODS,
    refuse,
)
from migopy.pymongo3.sending import Document, bound_session

_NO_TYPES = TypeRegistry()


class LegacyCollection(AnsweredCollection):
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

        Raises `DroppedByPyMongo` for one that cannot be run any more, and PyMongo's
        own `TypeError` where there was no such method.
        """
        parent_name, _, method_name = self.name.rpartition('.')
        methods = COLLECTION_METHODS if parent_name else DATABASE_METHODS
        refused = (
            REFUSED_COLLECTION_METHODS if parent_name else REFUSED_DATABASE_METHODS
        )
        if method_name in refused:
            refuse(f'{method_name}()', refused[method_name])
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

    def __bool__(self) -> Any:
        """Be true, as under PyMongo 3."""
        self._say('the truth of a collection', 'write "collection is not None" instead')
        return True

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith('_'):
            refuse_attribute(name, self._deprecations)
        super().__setattr__(name, value)

    def __getitem__(self, name: str) -> LegacyCollection:
        return legacy_collection(super().__getitem__(name), self._deprecations)

    def with_options(self, *args: Any, **kwargs: Any) -> LegacyCollection:
        """Give this collection with other options, as PyMongo 4 does."""
        return legacy_collection(
            super().with_options(*args, **kwargs), self._deprecations
        )

    @property
    def codec_options(self) -> CodecOptions[Any]:
        """Give the codec options; UUIDs are PyMongo 3's in a file that is."""
        return self._deprecations.for_caller(super().codec_options)

    @property
    def _write_response_codec_options(self) -> CodecOptions[Any]:
        # PyMongo writes single documents with a copy of the options that it makes with
        # the collection, when it may not be known yet for which PyMongo the file is.
        options = self.codec_options
        if options is self._options_at_first:
            return self._response_options
        return options.with_options(unicode_decode_error_handler='replace')

    @_write_response_codec_options.setter
    def _write_response_codec_options(self, made: CodecOptions[Any]) -> None:
        """Keep PyMongo's copy for as long as the options are the same."""
        self._options_at_first = self.codec_options
        # Replies to writes are decoded without custom types; PyMongo would make a copy
        # of the options without them for each reply. An author's types stay, as what
        # is written is encoded by the same options.
        is_ours = self._deprecations.are_watched(made)
        self._response_options = (
            made._replace(type_registry=_NO_TYPES) if is_ours else made
        )

    def find(self, *args: Any, **kwargs: Any) -> LegacyCursor:
        """Query as PyMongo 4 does; `find()`'s arguments of PyMongo 2 are known too."""
        arguments = modernized(kwargs, self._deprecations)
        arguments.setdefault('comment', COMMENT.get())
        options: Document = {}
        if 'as_class' in arguments:
            advice = 'write with_options(codec_options=…).find(…) instead'
            self._say('find(as_class=…)', advice)
            options['codec_options'] = self.codec_options.with_options(
                document_class=arguments.pop('as_class') or dict
            )
        if 'read_preference' in arguments:
            advice = 'write with_options(read_preference=…).find(…) instead'
            self._say('find(read_preference=…)', advice)
            options['read_preference'] = arguments.pop('read_preference')
        collection = self.with_options(**options) if options else self
        return LegacyCursor(collection, *args, **arguments)

    def find_one(self, filter: Any | None = None, *args: Any, **kwargs: Any) -> Any:
        """Query as PyMongo 4 does; `spec_or_id`, `filter`'s old name, is known too."""
        if filter is None and 'spec_or_id' in kwargs:
            self._say('find_one(spec_or_id=…)', 'write find_one(filter=…) instead')
            filter = kwargs.pop('spec_or_id')
        return super().find_one(filter, *args, **kwargs)

    def aggregate(self, pipeline: Any, *args: Any, **kwargs: Any) -> CommandCursor[Any]:
        """Aggregate as PyMongo 4 does; PyMongo 2's single step is known too."""
        if isinstance(pipeline, Mapping):
            self._say('aggregate({…})', 'write aggregate([{…}]) instead')
            pipeline = [pipeline]
        if 'useCursor' in kwargs:
            self._say('aggregate(useCursor=…)', 'it is passed over; leave it out')
            del kwargs['useCursor']
        answer = answer_aggregation(self, pipeline, kwargs) if not args else None
        return answer or super().aggregate(pipeline, *args, **kwargs)

    def _aggregate(
        self,
        aggregation_command: Any,
        pipeline: Any,
        cursor_class: Any,
        *args: Any,
        **kwargs: Any,
    ) -> CommandCursor[Any]:
        # PyMongo has no public way to choose the class of the cursor.
        if cursor_class is CommandCursor:
            cursor_class = LegacyCommandCursor
        return super()._aggregate(
            aggregation_command, pipeline, cursor_class, *args, **kwargs
        )

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
        return super().create_index(keys, session, comment=comment, **kwargs)

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

    def max_scan(self, max_scan: int | None) -> LegacyCursor:
        """Refuse what servers dropped as well."""
        advice = 'write limit(…) or max_time_ms(…) instead, as MongoDB 4.2 dropped it'
        refuse('cursor.max_scan()', advice)


class LegacyCommandCursor(CommandCursor[Any]):
    """A `CommandCursor` of PyMongo 4 that can be read as PyMongo 2's answer too.

    Invariant: `['result']` has all documents that the cursor had not given yet.
    """

    _result: list[Any] | None = None

    def __getitem__(self, name: str) -> Any:
        """Give `['result']`, the list of documents, or `['ok']`, which is 1.0."""
        if name not in ('result', 'ok'):
            raise TypeError(f'{type(self).__name__!r} object is not subscriptable')
        collection = cast(LegacyCollection, self._collection)
        collection._say(f"aggregate(…)['{name}']", 'write list(aggregate(…)) instead')
        if name == 'ok':
            return 1.0
        if self._result is None:
            self._result = list(self)
        return self._result


def refuse_attribute(name: str, deprecations: Deprecations) -> None:
    """Refuse to set an attribute that PyMongo 2 let be set, or say it is ignored."""
    if name in REFUSED_ATTRIBUTES:
        refuse(f'{name} = …', REFUSED_ATTRIBUTES[name])
    if name in PASSED_OVER_ATTRIBUTES:
        deprecations.say(f'{name} = …', 'it is passed over; leave it out')


def legacy_collection(
    plain: Collection[Any], deprecations: Deprecations
) -> LegacyCollection:
    """Turn a collection that PyMongo made into a legacy one."""
    return LegacyCollection(
        plain.database, plain.name, deprecations=deprecations, **options_of(plain)
    )


def options_of(source: Any) -> Document:
    """Collect the options that a database or a collection passes on."""
    return {
        'codec_options': source.codec_options,
        'read_preference': source.read_preference,
        'write_concern': source.write_concern,
        'read_concern': source.read_concern,
    }
