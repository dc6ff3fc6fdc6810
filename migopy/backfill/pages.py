"""Documents read page after page, in the order of `_id`.

Each page is a query of its own: no cursor has to outlive hours of work, and PyMongo
may send it again where a network or a primary fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import bson
from bson.max_key import MaxKey
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import OperationFailure

from migopy.backfill.documents import AS_IT_IS, BY_ID, both
from migopy.pymongo3 import COMMENT


class Pages:
    """The documents of a collection that fit a query, a page at a time."""

    def __init__(
        self,
        collection: Collection[RawBSONDocument],
        query: Mapping[str, Any],
    ) -> None:
        self._collection = collection
        self._query = query
        self._comment = COMMENT.get()
        api = collection.database.client.options.pool_options.server_api
        self._may_use_min = not (api and api.strict)

    def after(self, size: int, *key: Any) -> list[RawBSONDocument]:
        """Read the next `size` documents, up to 16 MB of them.

        `$gt` outside of `$expr` would find only `_id`s of one type. `min` keeps the
        server from reading all documents before, which `$expr` alone does not before
        MongoDB 5.0 and in a clustered collection; but it leaves out MaxKey, and is not
        in the strict Stable API.
        """
        # One batch holds a page: without its size the server gives 101 documents.
        find = partial(
            self._collection.find,
            sort=BY_ID,
            hint=BY_ID,
            limit=-size,
            batch_size=size,
            comment=self._comment,
        )
        if not key:
            return listed(find(self._query))
        [last] = key
        if isinstance(last, MaxKey):
            return []
        greater = {'$expr': {'$gt': ['$_id', {'$literal': last}]}}
        query = both(greater, self._query)
        page: list[RawBSONDocument] = []
        if self._may_use_min:
            page = listed(find(query).min([('_id', last)]))
        return page or listed(find(query))

    def found(self, keys: Sequence[Any]) -> list[RawBSONDocument]:
        """Read the documents with these `_id`s that are there and still fit."""
        query = both({'_id': {'$in': list(keys)}}, self._query)
        size = len(keys) + 1
        found = self._collection.find(
            query, sort=BY_ID, batch_size=size, comment=self._comment
        )
        return listed(found)


def listed(cursor: Cursor[RawBSONDocument]) -> list[RawBSONDocument]:
    """Give all that a cursor finds; what the server answers instead can be read."""
    try:
        return cursor.to_list()
    except OperationFailure as error:
        details = error.details
        if not isinstance(details, RawBSONDocument):
            raise
        plain = bson.decode(details.raw, codec_options=AS_IT_IS)
        said = str(plain.get('errmsg'))
        raise type(error)(said, error.code, plain) from None
