"""Answer calls that no transaction can do, in a dry run, by what stands in.

PyMongo's public methods are turned into the server's commands, as PyMongo does, and put
to what answers in this context; outside of a dry run nothing does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson import SON
from pymongo import IndexModel
from pymongo.client_session import ClientSession
from pymongo.command_cursor import CommandCursor
from pymongo.errors import CollectionInvalid, OperationFailure

from migopy.codes import NAMESPACE_NOT_FOUND
from migopy.pymongo3.answers import ANSWERS, answer, batch_of, listed
from migopy.pymongo3.commented import CommentedCollection, CommentedDatabase
from migopy.pymongo3.sending import Document


class AnsweredCollection(CommentedCollection):
    """A collection whose indexes, names and options may be answered for."""

    def create_indexes(
        self,
        indexes: Sequence[IndexModel],
        session: ClientSession | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Create indexes as PyMongo does."""
        documents = [each.document for each in indexes]
        if documents and self._answer('createIndexes', session, indexes=documents):
            return [each['name'] for each in documents]
        return super().create_indexes(indexes, session, comment=comment, **kwargs)

    def create_index(
        self,
        keys: Any,
        session: ClientSession | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> str:
        """Create an index as PyMongo does."""
        if ANSWERS.get() is not None and session is None:
            kwargs.pop('maxTimeMS', None)
            return self.create_indexes([IndexModel(keys, **kwargs)])[0]
        return super().create_index(keys, session, comment=comment, **kwargs)

    def drop_indexes(
        self,
        session: ClientSession | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> None:
        """Drop all indexes as PyMongo does."""
        self.drop_index('*', session, comment=comment, **kwargs)

    def drop_index(
        self,
        index_or_name: Any,
        session: ClientSession | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> None:
        """Drop an index as PyMongo does."""
        name = index_or_name
        if isinstance(name, list):
            name = IndexModel(name).document['name']
        try:
            if self._answer('dropIndexes', session, index=name):
                return
        except OperationFailure as error:
            if error.code == NAMESPACE_NOT_FOUND:
                return
            raise
        if name == '*':
            super().drop_indexes(session, comment=comment, **kwargs)
        else:
            super().drop_index(index_or_name, session, comment=comment, **kwargs)

    def drop(self, *args: Any, **kwargs: Any) -> None:
        """Drop the collection as PyMongo does."""
        if ANSWERS.get() is None:
            super().drop(*args, **kwargs)
        else:
            self.database.drop_collection(self.name, *args, **kwargs)

    def list_indexes(
        self, session: ClientSession | None = None, comment: Any | None = None
    ) -> CommandCursor[Any]:
        """List the indexes as PyMongo does."""
        reply = self._answer('listIndexes', session)
        if reply is None:
            return super().list_indexes(session, comment=comment)
        return listed(self, [SON(each) for each in batch_of(reply)])

    def index_information(
        self, session: ClientSession | None = None, comment: Any | None = None
    ) -> Any:
        """Describe the indexes as PyMongo does."""
        reply = self._answer('listIndexes', session)
        if reply is None:
            return super().index_information(session, comment=comment)
        described = {}
        for index in batch_of(reply):
            rest = {key: index[key] for key in index if key not in ('name', 'ns')}
            described[index['name']] = {**rest, 'key': list(index['key'].items())}
        return described

    def options(
        self, session: ClientSession | None = None, comment: Any | None = None
    ) -> Any:
        """Give the options of the collection as PyMongo does."""
        command = {'listCollections': 1, 'filter': {'name': self.name}}
        reply = answer(self.database.name, command, session)
        if reply is None:
            return super().options(session, comment=comment)
        found = batch_of(reply)
        return found[0].get('options', {}) if found else {}

    def rename(
        self,
        new_name: str,
        session: ClientSession | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> Any:
        """Rename the collection as PyMongo does."""
        command = {
            'renameCollection': self.full_name,
            'to': f'{self.database.name}.{new_name}',
            **kwargs,
        }
        reply = answer('admin', command, session)
        return reply or super().rename(new_name, session, comment=comment, **kwargs)

    def estimated_document_count(
        self, comment: Any | None = None, **kwargs: Any
    ) -> int:
        """Count the documents as PyMongo does; in a dry run those that it sees."""
        reply = self._answer('count', None)
        if reply is not None:
            return int(reply['n'])
        return super().estimated_document_count(comment=comment, **kwargs)

    def _answer(
        self, name: str, session: ClientSession | None, **more: Any
    ) -> Document | None:
        return answer(self.database.name, {name: self.name, **more}, session)


class AnsweredDatabase(CommentedDatabase):
    """A database whose commands and collections may be answered for."""

    def command(self, command: Any, value: Any = 1, *args: Any, **kwargs: Any) -> Any:
        """Run a command as PyMongo does."""
        if ANSWERS.get() is None or kwargs.get('session') is not None or args:
            return super().command(command, value, *args, **kwargs)
        options = {key: kwargs[key] for key in kwargs if key not in OF_COMMAND}
        body = {command: value} if isinstance(command, str) else dict(command)
        try:
            reply = answer(self.name, {**body, **options})
        except OperationFailure as error:
            if kwargs.get('check', True) and not _is_allowed(error, kwargs):
                raise
            return dict(error.details or {})
        if reply is None:
            return super().command(command, value, **kwargs)
        return reply

    def create_collection(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Create a collection as PyMongo does."""
        if args or ANSWERS.get() is None or kwargs.get('session') is not None:
            return super().create_collection(name, *args, **kwargs)
        of_collection = {key: kwargs.pop(key) for key in OF_COLLECTION if key in kwargs}
        if kwargs.pop('check_exists', True):
            wanted = {'listCollections': 1, 'filter': {'name': name}, 'nameOnly': True}
            reply = answer(self.name, wanted)
            # PyMongo does not look in a transaction, where nothing is answered.
            if reply is not None and batch_of(reply):
                raise CollectionInvalid(f'collection {name} already exists')
        kwargs.pop('session', None)
        answer(self.name, {'create': name, **kwargs})
        return self.get_collection(name, **of_collection)

    def drop_collection(
        self,
        name_or_collection: Any,
        session: ClientSession | None = None,
        comment: Any | None = None,
        encrypted_fields: Mapping[str, Any] | None = None,
    ) -> Any:
        """Drop a collection as PyMongo does."""
        name = getattr(name_or_collection, 'full_name', None)
        name = name.partition('.')[2] if name else name_or_collection
        try:
            reply = answer(self.name, {'drop': name}, session)
        except OperationFailure as error:
            if error.code != NAMESPACE_NOT_FOUND:
                raise
            return dict(error.details or {})
        return reply or super().drop_collection(
            name_or_collection,
            session,
            comment=comment,
            encrypted_fields=encrypted_fields,
        )

    def list_collections(
        self,
        session: ClientSession | None = None,
        filter: Mapping[str, Any] | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> CommandCursor[Any]:
        """List the collections as PyMongo does."""
        command = {'listCollections': 1, 'filter': filter}
        reply = answer(self.name, command, session)
        if reply is None:
            return super().list_collections(session, filter, comment=comment, **kwargs)
        return listed(self['$cmd'], batch_of(reply))

    def list_collection_names(
        self,
        session: ClientSession | None = None,
        filter: Mapping[str, Any] | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """List the names of the collections as PyMongo does."""
        command = {'listCollections': 1, 'filter': filter, 'nameOnly': True}
        reply = answer(self.name, command, session)
        if reply is None:
            return super().list_collection_names(
                session, filter, comment=comment, **kwargs
            )
        return [each['name'] for each in batch_of(reply)]


#: The arguments of `Database.command` that are no part of the command.
OF_COMMAND = (
    'allowable_errors',
    'check',
    'codec_options',
    'comment',
    'read_preference',
    'session',
)

#: The arguments of `create_collection` for the collection that it returns.
OF_COLLECTION = ('codec_options', 'read_preference', 'write_concern', 'read_concern')


def _is_allowed(error: OperationFailure, options: Mapping[str, Any]) -> bool:
    allowed = options.get('allowable_errors') or ()
    return error.code in allowed or str(error).partition(',')[0] in allowed
