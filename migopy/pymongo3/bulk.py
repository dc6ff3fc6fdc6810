"""The dropped bulk operations, which one `bulk_write()` runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import InvalidOperation

from migopy.pymongo3.sending import Document, with_write_concern


def initialize_ordered_bulk_op(
    collection: Collection[Any], bypass_document_validation: bool = False
) -> BulkOperation:
    """Begin operations that run in order, up to the first that fails."""
    return BulkOperation(collection, True, bypass_document_validation)


def initialize_unordered_bulk_op(
    collection: Collection[Any], bypass_document_validation: bool = False
) -> BulkOperation:
    """Begin operations that all run, in whatever order."""
    return BulkOperation(collection, False, bypass_document_validation)


class BulkOperation:
    """Operations that one `bulk_write()` will run.

    Invariant: it is executed at most once.
    """

    def __init__(
        self,
        collection: Collection[Any],
        ordered: bool,
        bypass_document_validation: bool,
    ) -> None:
        self._collection = collection
        self._ordered = ordered
        self._bypass_document_validation = bypass_document_validation
        self._operations: list[Any] = []
        self._executed = False

    def insert(self, document: Any) -> None:
        """Add the insertion of a document, which gets its `_id` now."""
        if not isinstance(document, RawBSONDocument) and '_id' not in document:
            document['_id'] = ObjectId()
        self._operations.append(InsertOne(document))

    def find(self, selector: Mapping[str, Any], collation: Any = None) -> BulkFind:
        """Select the documents that the next operation is for."""
        return BulkFind(self._operations, selector, collation)

    def execute(
        self, write_concern: Mapping[str, Any] | None = None
    ) -> Document | None:
        """Run all; give the counts `nInserted`, `nMatched`, … and `upserted`.

        Gives `None` for an unacknowledged write. Raises `BulkWriteError` where one
        failed, `InvalidOperation` for no operations and for a second call.
        """
        if self._executed:
            raise InvalidOperation('Bulk operations can only be executed once')
        if not self._operations:
            raise InvalidOperation('There are no bulk operations to execute')
        self._executed = True
        target = with_write_concern(self._collection, dict(write_concern or {}))
        result = target.bulk_write(
            self._operations,
            ordered=self._ordered,
            bypass_document_validation=self._bypass_document_validation or None,
        )
        return result.bulk_api_result if result.acknowledged else None


class BulkUpsert:
    """Adds an update of the selected documents, or of a new one if there is none."""

    _upsert = True

    def __init__(
        self, operations: list[Any], selector: Mapping[str, Any], collation: Any
    ) -> None:
        self._operations = operations
        self._selector = selector
        self._collation = collation

    def update(self, update: Mapping[str, Any]) -> None:
        """Add an update, by operators, of all selected documents."""
        self._add(UpdateMany, update)

    def update_one(self, update: Mapping[str, Any]) -> None:
        """Add an update, by operators, of one selected document."""
        self._add(UpdateOne, update)

    def replace_one(self, replacement: Mapping[str, Any]) -> None:
        """Add the replacement of one selected document."""
        self._add(ReplaceOne, replacement)

    def _add(self, operation: Any, document: Mapping[str, Any]) -> None:
        self._operations.append(
            operation(
                self._selector,
                document,
                upsert=self._upsert,
                collation=self._collation,
            )
        )


class BulkFind(BulkUpsert):
    """Adds an update or a removal of the selected documents."""

    _upsert = False

    def upsert(self) -> BulkUpsert:
        """Let the next update make a new document if none is selected."""
        return BulkUpsert(self._operations, self._selector, self._collation)

    def remove(self) -> None:
        """Add the removal of all selected documents."""
        self._operations.append(DeleteMany(self._selector, collation=self._collation))

    def remove_one(self) -> None:
        """Add the removal of one selected document."""
        self._operations.append(DeleteOne(self._selector, collation=self._collation))
