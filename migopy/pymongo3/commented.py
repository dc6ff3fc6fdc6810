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


def _with_comment(method: Method) -> Method:
    """Wrap a method of PyMongo so that its command has a comment, ours or its own."""
    names = getattr(method, '__wrapped__', method).__code__.co_varnames
    # Some methods take it only by name, among the options of their command.
    place = names.index('comment') if 'comment' in names else len(names)

    @wraps(method)
    def commenting(*args: Any, **kwargs: Any) -> Any:
        # With more arguments by position, the author has given one.
        if len(args) <= place and kwargs.get('comment') is None:
            text = COMMENT.get()
            if text is not None:
                kwargs['comment'] = text
        return method(*args, **kwargs)

    return cast(Method, commenting)


class CommentedCollection(Collection[Any]):
    """A collection whose commands have a comment; an author's own stays.

    `find` is not among them, as its arguments are those of a cursor.
    """

    aggregate = _with_comment(Collection.aggregate)
    aggregate_raw_batches = _with_comment(Collection.aggregate_raw_batches)
    bulk_write = _with_comment(Collection.bulk_write)
    count_documents = _with_comment(Collection.count_documents)
    create_index = _with_comment(Collection.create_index)
    create_indexes = _with_comment(Collection.create_indexes)
    delete_many = _with_comment(Collection.delete_many)
    delete_one = _with_comment(Collection.delete_one)
    distinct = _with_comment(Collection.distinct)
    drop = _with_comment(Collection.drop)
    drop_index = _with_comment(Collection.drop_index)
    drop_indexes = _with_comment(Collection.drop_indexes)
    estimated_document_count = _with_comment(Collection.estimated_document_count)
    find_raw_batches = _with_comment(Collection.find_raw_batches)
    find_one_and_delete = _with_comment(Collection.find_one_and_delete)
    find_one_and_replace = _with_comment(Collection.find_one_and_replace)
    find_one_and_update = _with_comment(Collection.find_one_and_update)
    index_information = _with_comment(Collection.index_information)
    insert_many = _with_comment(Collection.insert_many)
    insert_one = _with_comment(Collection.insert_one)
    list_indexes = _with_comment(Collection.list_indexes)
    options = _with_comment(Collection.options)
    rename = _with_comment(Collection.rename)
    replace_one = _with_comment(Collection.replace_one)
    update_many = _with_comment(Collection.update_many)
    update_one = _with_comment(Collection.update_one)
    watch = _with_comment(Collection.watch)


#: The `bulk_write` of a client.
commented_bulk_write = _with_comment(MongoClient.bulk_write)


class CommentedDatabase(Database[Any]):
    """A database whose methods, but for `command`, send commands with a comment."""

    aggregate = _with_comment(Database.aggregate)
    create_collection = _with_comment(Database.create_collection)
    dereference = _with_comment(Database.dereference)
    drop_collection = _with_comment(Database.drop_collection)
    list_collection_names = _with_comment(Database.list_collection_names)
    list_collections = _with_comment(Database.list_collections)
    validate_collection = _with_comment(Database.validate_collection)
    watch = _with_comment(Database.watch)
