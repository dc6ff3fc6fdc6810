"""Add a comment to commands that tells a DBA which run of a migration sent them.

The server shows a command's `comment` in `$currentOp`, its log and its profiler.
MongoDB takes one with each command since 4.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Callable, TypeVar, cast

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

Method = TypeVar('Method', bound=Callable[..., Any])

#: The comment of commands in this context that have none of their own.
COMMENT: ContextVar[str | None] = ContextVar('COMMENT', default=None)


@contextmanager
def commented(text: str) -> Iterator[None]:
    """Give commands in the block this comment."""
    token = COMMENT.set(text)
    try:
        yield
    finally:
        COMMENT.reset(token)


def _said(method: Method) -> Method:
    """Wrap a method of PyMongo so that its command has a comment in any case."""
    names = getattr(method, '__wrapped__', method).__code__.co_varnames
    # Some methods take it only by name, among the options of their command.
    place = names.index('comment') if 'comment' in names else len(names)

    @wraps(method)
    def saying(*args: Any, **kwargs: Any) -> Any:
        # With more arguments by position, the author has given one.
        if len(args) <= place and kwargs.get('comment') is None:
            text = COMMENT.get()
            if text is not None:
                kwargs['comment'] = text
        return method(*args, **kwargs)

    return cast(Method, saying)


class CommentedCollection(Collection[Any]):
    """A collection whose commands have a comment; an author's own stays.

    `find` is not among them, as its arguments are those of a cursor.
    """

    aggregate = _said(Collection.aggregate)
    aggregate_raw_batches = _said(Collection.aggregate_raw_batches)
    bulk_write = _said(Collection.bulk_write)
    count_documents = _said(Collection.count_documents)
    create_index = _said(Collection.create_index)
    create_indexes = _said(Collection.create_indexes)
    delete_many = _said(Collection.delete_many)
    delete_one = _said(Collection.delete_one)
    distinct = _said(Collection.distinct)
    drop = _said(Collection.drop)
    drop_index = _said(Collection.drop_index)
    drop_indexes = _said(Collection.drop_indexes)
    estimated_document_count = _said(Collection.estimated_document_count)
    find_raw_batches = _said(Collection.find_raw_batches)
    find_one_and_delete = _said(Collection.find_one_and_delete)
    find_one_and_replace = _said(Collection.find_one_and_replace)
    find_one_and_update = _said(Collection.find_one_and_update)
    index_information = _said(Collection.index_information)
    insert_many = _said(Collection.insert_many)
    insert_one = _said(Collection.insert_one)
    list_indexes = _said(Collection.list_indexes)
    options = _said(Collection.options)
    rename = _said(Collection.rename)
    replace_one = _said(Collection.replace_one)
    update_many = _said(Collection.update_many)
    update_one = _said(Collection.update_one)
    watch = _said(Collection.watch)


#: The `bulk_write` of a client.
commented_bulk_write = _said(MongoClient.bulk_write)


class CommentedDatabase(Database[Any]):
    """A database whose methods, but for `command`, send commands with a comment."""

    aggregate = _said(Database.aggregate)
    create_collection = _said(Database.create_collection)
    dereference = _said(Database.dereference)
    drop_collection = _said(Database.drop_collection)
    list_collection_names = _said(Database.list_collection_names)
    list_collections = _said(Database.list_collections)
    validate_collection = _said(Database.validate_collection)
    watch = _said(Database.watch)
