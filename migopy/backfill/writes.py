"""Write the changes of a page in one unordered bulk, and find out what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, ReplaceOne, UpdateOne, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import (
    BulkWriteError,
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
    WriteError,
)

from migopy.backfill.answers import Counts
from migopy.backfill.changes import Change, Failed
from migopy.backfill.documents import id_of, packed
from migopy.backfill.loops import SENDING
from migopy.pymongo3 import COMMENT

#: Statements of one command.
STATEMENTS = 100_000

#: What a server says to a statement that is too large for BSON.
BSON_TOO_LARGE = 10334


@dataclass
class Written:
    """What became of changes; the function has to see the documents in `again` anew."""

    counts: Counts = field(default_factory=Counts)
    failures: list[Failed] = field(default_factory=list)
    again: list[Any] = field(default_factory=list)

    def add(self, other: Written) -> None:
        """Add what became of other changes."""
        self.counts.add(other.counts)
        self.failures += other.failures
        self.again += other.again


class EndedTransaction(Exception):
    """The server refused a write and ended the transaction that it was in."""

    def __init__(self, failed: Failed) -> None:
        self.failed = failed
        super().__init__(failed)


class Writes:
    """Writes changes, in any thread, and finds out what became of each."""

    def __init__(
        self,
        collection: Collection[Any],
        raw: Collection[RawBSONDocument],
        in_transaction: bool,
        session: ClientSession | None = None,
    ) -> None:
        """Write to `collection`; `raw` is the same one, which reads what is there.

        `session` is that of the transaction, unless it is the one that is bound here.
        """
        self._in_transaction = in_transaction
        self._session = session
        self._comment = COMMENT.get()
        self._codec_options: CodecOptions[Any] = collection.codec_options
        # What is not acknowledged cannot be taken for written.
        concern = collection.write_concern
        self._collection = collection.with_options(
            write_concern=concern if concern.acknowledged else WriteConcern(1)
        )
        self._raw = raw

    @property
    def concern(self) -> WriteConcern:
        """Give how writes are acknowledged."""
        return self._collection.write_concern

    def write(self, changes: Sequence[Change]) -> Written:
        """Make changes.

        Raises errors that are the fault of no single document, and `EndedTransaction`.
        """
        if not changes:
            return Written()
        failures: list[Failed] = []
        sending = SENDING.set(True)
        try:
            reply = self._send(changes)
        except BulkWriteError as error:
            reply = error.details
            refused = {each['index']: each for each in reply['writeErrors']}
            if not refused:
                raise
            for place, each in sorted(refused.items()):
                cause = WriteError(each.get('errmsg', ''), each.get('code'), each)
                failures.append(Failed(changes[place].id, cause))
            if self._in_transaction:
                # All that is sent from now on fails, and the errors look transient.
                raise EndedTransaction(failures[0]) from error
            changes = [each for n, each in enumerate(changes) if n not in refused]
        except Exception as error:
            if isinstance(error, PyMongoError) and not _is_of_a_document(error):
                raise
            # One of them does not fit into BSON, and nothing says which one.
            if len(changes) == 1:
                return Written(failures=[Failed(changes[0].id, error)])
            middle = len(changes) // 2
            written = self.write(changes[:middle])
            written.add(self.write(changes[middle:]))
            return written
        finally:
            SENDING.reset(sending)
        return self._outcome(changes, failures, reply)

    def _send(self, changes: Sequence[Change]) -> Mapping[str, Any]:
        """Send changes; give what a bulk of PyMongo gives, or raises."""
        if self._session is not None and len(changes) <= STATEMENTS:
            kinds = {change.kind for change in changes}
            # If it is more than one command takes, nothing of it was sent.
            with suppress(DocumentTooLarge):
                if DeleteOne not in kinds:
                    return self._command('update', 'updates', 'nMatched', changes)
                if len(kinds) == 1:
                    return self._command('delete', 'deletes', 'nRemoved', changes)
        result = self._collection.bulk_write(
            [change.operation for change in changes],
            ordered=False,
            session=self._session,
            comment=self._comment,
        )
        reply: Mapping[str, Any] = result.bulk_api_result
        return reply

    def _command(
        self, name: str, field: str, count: str, changes: Sequence[Change]
    ) -> Mapping[str, Any]:
        """Send changes in one command, as a bulk does, for half of the CPU.

        A bulk makes objects of them, and tries again, which a transaction does not.
        """
        command: dict[str, Any] = {
            name: self._collection.name,
            field: [change.statement for change in changes],
            'ordered': False,
        }
        if self._comment is not None:
            command['comment'] = self._comment
        reply = self._collection.database.command(
            command, codec_options=self._codec_options, session=self._session
        )
        if errors := reply.get('writeErrors'):
            raise BulkWriteError({'writeErrors': errors})
        return {'nMatched': 0, 'nRemoved': 0, count: reply['n']}

    def _outcome(
        self,
        changes: Sequence[Change],
        failures: list[Failed],
        reply: Mapping[str, Any],
    ) -> Written:
        """Work out from the sums in the server's reply what became of each change."""
        kinds = Counter(change.kind for change in changes)
        counts = Counts(
            updated=kinds[UpdateOne],
            replaced=kinds[ReplaceOne],
            deleted=kinds[DeleteOne],
        )
        again: list[Any] = []
        if reply['nMatched'] + reply['nRemoved'] != len(changes):
            again = self._changed_meanwhile(changes, counts)
            counts.updated = min(counts.updated, reply['nMatched'] - counts.replaced)
            counts.deleted = min(counts.deleted, reply['nRemoved'])
            done = counts.updated + counts.replaced + counts.deleted
            counts.gone = len(changes) - done - len(again)
        return Written(counts, failures, again)

    def _changed_meanwhile(
        self, changes: Sequence[Change], counts: Counts
    ) -> list[Any]:
        """List the `_id`s of documents that were not replaced or deleted as wanted.

        They, and those that do not exist any more, are taken out of `counts`.
        """
        wary = [each for each in changes if each.kind is not UpdateOne]
        query = {'_id': {'$in': [each.id for each in wary]}}
        found = self._raw.find(query, batch_size=len(wary) + 1, session=self._session)
        now = {packed(id_of(each)): each.raw for each in found}
        again = []
        for key, answer, kind, *_ in wary:
            raw = now.get(packed(key))
            if kind is DeleteOne:
                if raw is not None:
                    again.append(key)
                    counts.deleted -= 1
            elif raw != self._encoded(key, answer):
                counts.replaced -= 1
                if raw is not None:
                    again.append(key)
        return again

    def _encoded(self, key: Any, answer: Mapping[str, Any]) -> bytes:
        return bson.encode({'_id': key, **answer}, codec_options=self._codec_options)


def _is_of_a_document(error: PyMongoError) -> bool:
    if isinstance(error, OperationFailure):
        return error.code == BSON_TOO_LARGE
    return isinstance(error, DocumentTooLarge)


def about_capped(name: str, error: Exception | None) -> str:
    """Explain an error of a capped collection; `''` for any other error."""
    if not (isinstance(error, WriteError) and 'capped collection' in str(error)):
        return ''
    return (
        f'{name} is a capped collection: on this server its documents can neither'
        ' change their size nor be deleted.'
    )
