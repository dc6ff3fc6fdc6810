"""How many items a loop will have, and the name of what it goes through."""

from __future__ import annotations

from contextvars import Context
from numbers import Number
from typing import Any

from pymongo.collection import Collection
from pymongo.command_cursor import CommandCursor
from pymongo.cursor import Cursor
from pymongo.errors import PyMongoError

#: Milliseconds that a server may take to count what a cursor will give.
COUNT_MS = 2000


def title_of(iterable: object) -> str:
    """Give the name of a cursor's collection, else nothing."""
    collection = getattr(iterable, 'collection', None)
    if isinstance(iterable, CommandCursor):
        # PyMongo has no public way to ask an aggregation's cursor.
        collection = getattr(iterable, '_collection', None)
    return collection.name if isinstance(collection, Collection) else ''


def total_of(iterable: object) -> int | None:
    """Tell how many items an iterable has, or a cursor will give, if that is known."""
    if isinstance(iterable, Cursor):
        return _count(iterable)
    try:
        return len(iterable)  # type: ignore[arg-type]
    except TypeError:
        return None


def whole(total: Any) -> int | None:
    """Give a total that was given as an `int`, `None` where it is endless or unknown.

    Not all that counts (numpy's numbers, say) can be divided by a float, or sent to
    MongoDB. Raises `TypeError` for what is no number.
    """
    if not isinstance(total, Number) or isinstance(total, bool):
        raise TypeError(f'total must be a number, not {total!r}')
    try:
        return int(total)  # type: ignore[call-overload, no-any-return]
    except (ValueError, OverflowError):
        return None


def _count(cursor: Cursor[Any]) -> int | None:
    # PyMongo has no public way to ask a cursor for its query.
    query = getattr(cursor, '_spec', None)
    if query is None:
        return None
    options: dict[str, Any] = {'skip': getattr(cursor, '_skip', 0)}
    limit = getattr(cursor, '_limit', 0)
    if limit:
        options['limit'] = abs(limit)

    def count() -> int:
        if not query and not limit and not options['skip']:
            return cursor.collection.estimated_document_count(maxTimeMS=COUNT_MS)
        return cursor.collection.count_documents(query, maxTimeMS=COUNT_MS, **options)

    try:
        # An empty context knows no session, so a transaction that the loop is in is
        # not ended by a count that takes too long.
        return Context().run(count)
    except PyMongoError:
        return None
