"""Change each document of a large collection, and go on where it stopped.

The documents are read page by page in the order of `_id`, each page with a query of
its own: no cursor has to outlive hours of work, and PyMongo may send a read or a write
again where a network or a primary fails. The changes of a page are one unordered bulk.
"""

from __future__ import annotations

import hashlib
import textwrap
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, NamedTuple, Union

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.max_key import MaxKey
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, ReadPreference, ReplaceOne, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import (
    BulkWriteError,
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
    WriteError,
)
from pymongo.synchronous import client_session

from migopy.errors import MigopyException, listing
from migopy.terminal import Meter, meter, say, total_of
from migopy.traces import summary

Document = dict[str, Any]
Operation = Union[UpdateOne, ReplaceOne[Any], DeleteOne]

#: Seconds between two checkpoints at least.
CHECKPOINT_EVERY = 1.0

#: Failed documents that are remembered by `_id`; of more only the number is known.
REMEMBERED = 1000

#: Failed documents that a message shows.
SHOWN = 20

#: How often a document that others change all the time is given to the function.
ATTEMPTS = 100

#: Bytes up to which a document and its replacement fit into one statement.
COMPARED_UP_TO = 7_000_000

#: What a server says to a statement that is too large for BSON.
TOO_LARGE = 10334

#: Reads an `_id` as it is, whatever the options of its collection.
AS_IT_IS: CodecOptions[Document] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
RAW = AS_IT_IS.with_options(document_class=RawBSONDocument)

BY_ID = [('_id', 1)]


class Delete:
    """The kind of `DELETE`."""

    def __repr__(self) -> str:
        return 'migopy.DELETE'


#: What a function returns for a document that is to be deleted.
DELETE = Delete()

Answer = Union[Mapping[str, Any], Sequence[Mapping[str, Any]], Delete, None]


@dataclass
class Counts:
    """What came of the documents that the filter matched, in this call.

    Invariant: `matched` is the sum of the others. `left` are those for which the
    function returned `None`; `gone` were deleted meanwhile, or do not fit the filter
    any more.
    """

    matched: int = 0
    updated: int = 0
    replaced: int = 0
    deleted: int = 0
    left: int = 0
    gone: int = 0
    failed: int = 0

    def add(self, other: Counts) -> None:
        """Add what came of other documents."""
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)

    def __str__(self) -> str:
        said = [f'{count:,} {name}' for name, count in vars(self).items() if count]
        return ', '.join(said) or '0 matched'


class DocumentsFailed(MigopyException):
    """Documents of `update_each` failed.

    `failures` are pairs of `_id` and text, of the first thousand; `counts` says what
    came of all. The first error is chained.
    """

    def __init__(
        self, namespace: str, failures: Sequence[tuple[Any, str]], counts: Counts
    ) -> None:
        self.failures = failures
        self.counts = counts
        if counts.failed == 1:
            key, reason = failures[0]
            text = f'{namespace}: the document with _id {key!r} failed: {reason}'
        else:
            rows = [f'_id {key!r}: {reason}' for key, reason in failures[:SHOWN]]
            if counts.failed > SHOWN:
                rows.append(f'and {counts.failed - SHOWN:,} more')
            text = f'{namespace}: {counts.failed:,} documents failed:\n{listing(rows)}'
        super().__init__(f'{text}\nOf all in this call: {counts}')


def update_each(
    collection: Collection[Any],
    function: Callable[[Any], Answer],
    filter: Mapping[str, Any] | None = None,
    batch_size: int = 1000,
    workers: int = 4,
    on_error: str = 'raise',
) -> Counts:
    """Call `function(document)` for each document and write what it returns.

    That is an update (`{'$set': …}`, or a list: an aggregation pipeline), a whole new
    document, `None` to leave it, or `migopy.DELETE`. The function is called in this
    thread, in the order of `_id`, while up to `workers` bulks of `batch_size`
    documents are being written. No document is ever made. A replacement or deletion
    takes place only if the document is still what the function saw, else the function
    is called again with what it is now (beyond 7 MB it takes place in any case). An
    update is made by `_id`, and where there is a filter only if it still fits.

    In a migration it goes on where the run before stopped, if that is unfinished, of
    the same direction, and this is the same call: the same one in order, the same
    collection, filter and name of the function, and this run has sent no write to the
    collection before it. The documents of the last moments may be given to the
    function twice; none is left out. In a transaction and in a dry run all is done in
    this thread and from the beginning.

    Raises `DocumentsFailed`, which names the `_id`, once all before that document is
    written; with `on_error='collect'` once all the others are. The next run tries
    those that failed first.
    """
    if on_error not in ('raise', 'collect'):
        raise ValueError(f"on_error={on_error!r} is neither 'raise' nor 'collect'")
    if batch_size < 1 or workers < 1:
        raise ValueError('batch_size and workers are numbers from 1 on')
    backfill = Backfill(
        collection,
        function,
        query=filter or {},
        batch_size=batch_size,
        checkpoint=_begin(collection, function, filter or {}),
        stops_at_failure=on_error == 'raise',
    )
    # Other threads do not inherit a bound session, so they would be outside of it.
    in_flight = 0 if _is_bound() else workers
    with _threads(in_flight) as submit, meter() as show:
        backfill.run(submit, in_flight, show)
    return backfill.counts


# Where it goes on


class Checkpoint:
    """How far one call has come.

    Invariant: all documents up to `after` are written, but for those in `failed`.
    """

    def __init__(self, start: Document, keep: Callable[[Document], None]) -> None:
        """Begin with what was kept, `{}` for nothing; `keep` takes it from now on."""
        self.begun = 'after' in start
        self.after: Any = unpacked(start['after']) if self.begun else None
        self.failed = [unpacked(each) for each in start.get('failed', ())]
        self.count: int = start.get('count', 0)
        self.done: bool = start.get('done', False)
        self._keep = keep

    def passed(self, batch: Batch, failed: Sequence[Any]) -> None:
        """Hear that a batch is written, the next one in order, but for `failed`."""
        tried = {packed(each) for each in batch.retried}
        still = [each for each in self.failed if packed(each) not in tried]
        self.failed = [*still, *failed]
        if not batch.retried:
            self.after, self.begun = batch.last, True
        self.count += batch.counts.matched - len(failed)
        # Those that are too many to remember are repeated with all that follow.
        if len(self.failed) <= REMEMBERED:
            self._keep(self.document())

    def finish(self) -> None:
        """Hear that all documents are written."""
        self.done = True
        self._keep(self.document())

    def document(self) -> Document:
        """Give what is to be kept."""
        document: Document = {
            'count': self.count,
            'failed': [packed(each) for each in self.failed],
            'done': self.done,
        }
        if self.begun:
            document['after'] = packed(self.after)
        return document


class Checkpoints:
    """How far the calls of `update_each` in one run of a migration have come.

    Invariant: a call goes on from an entry of the run before only where that can
    leave out no document; where it begins anew, no later entry holds either.
    """

    def __init__(
        self,
        earlier: Sequence[Document],
        save: Callable[[list[Document]], None],
        was_written: Callable[[str], bool],
    ) -> None:
        """Take the entries of the run before, and what writes those of this run.

        `was_written` tells of a namespace whether this run has sent it a write.
        """
        self.entries: list[Document] = []
        self._earlier = list(earlier)
        self._save = save
        self._was_written = was_written
        self._saved = time.monotonic()

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Serve the calls of `update_each` in the block, in this thread."""
        token = CHECKPOINTS.set(self)
        try:
            yield
        finally:
            CHECKPOINTS.reset(token)

    def begin(self, namespace: str, key: str) -> Checkpoint:
        """Give the checkpoint of the next call; `key` tells it from any other."""
        place = len(self.entries)
        entry: Document = {'collection': namespace, 'key': key}
        self.entries.append(entry)

        def keep(document: Document) -> None:
            entry.update(document)
            if time.monotonic() - self._saved >= CHECKPOINT_EVERY:
                self.save()

        earlier = self._earlier[place : place + 1]
        if earlier and earlier[0]['key'] == key and not self._was_written(namespace):
            entry.update(earlier[0])
            # From now on it is this run that the next one looks at.
            self.save()
        else:
            del self._earlier[place:]
        return Checkpoint(entry, keep)

    def save(self) -> None:
        """Write the entries."""
        self._save(self.entries)
        self._saved = time.monotonic()


#: Those of the run of a migration that is going on in this context.
CHECKPOINTS: ContextVar[Checkpoints | None] = ContextVar('CHECKPOINTS', default=None)


def packed(key: Any) -> bytes:
    """Put an `_id` into bytes, which no options of a collection change."""
    return bson.encode({'_id': key})


def unpacked(data: bytes) -> Any:
    """Give back what `packed` took."""
    return bson.decode(data, codec_options=AS_IT_IS)['_id']


def _begin(
    collection: Collection[Any],
    function: Callable[[Any], Answer],
    query: Mapping[str, Any],
) -> Checkpoint:
    checkpoints = CHECKPOINTS.get()
    if checkpoints is None:
        return Checkpoint({}, lambda document: None)
    found = list(collection.database.list_collections(filter={'name': collection.name}))
    what = {
        # One that was dropped and made anew has another.
        'uuid': found[0].get('info', {}).get('uuid') if found else None,
        'filter': query,
        'function': getattr(function, '__qualname__', type(function).__qualname__),
    }
    data = bson.encode(what, codec_options=collection.codec_options)
    return checkpoints.begin(collection.full_name, hashlib.sha256(data).hexdigest())


# The work


class Change(NamedTuple):
    """What is to be done with a document."""

    id: Any
    answer: Any
    operation: Operation


class Failed(NamedTuple):
    """A document that failed: its `_id`, and the error."""

    id: Any
    error: Exception


@dataclass
class Batch:
    """What is to be done with the documents of a page.

    `retried` are the `_id`s of one that failed in the run before; else `last` is the
    last `_id`.
    """

    changes: list[Change] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    retried: Sequence[Any] = ()
    last: Any = None


@dataclass
class Written:
    """What became of changes; the function is to see the documents `again` again."""

    counts: Counts = field(default_factory=Counts)
    failures: list[Failed] = field(default_factory=list)
    again: list[Any] = field(default_factory=list)

    def add(self, other: Written) -> None:
        """Add what became of other changes."""
        self.counts.add(other.counts)
        self.failures += other.failures
        self.again += other.again


#: Starts work, and gives what waits for its result.
Submit = Callable[..., Callable[[], Any]]


class Backfill:
    """One call of `update_each`.

    Invariant: batches are settled in the order in which they were read, so all that
    the checkpoint covers is written. Only `_page` and `_write` run in other threads.
    """

    def __init__(
        self,
        collection: Collection[Any],
        function: Callable[[Any], Answer],
        query: Mapping[str, Any],
        batch_size: int,
        checkpoint: Checkpoint,
        stops_at_failure: bool,
    ) -> None:
        self.counts = Counts()
        self._name = collection.name
        self._full_name = collection.full_name
        self._codec_options = collection.codec_options
        # What is not acknowledged cannot be taken for written.
        concern = collection.write_concern
        self._collection = collection.with_options(
            write_concern=concern if concern.acknowledged else WriteConcern(1)
        )
        self._raw: Collection[RawBSONDocument] = collection.with_options(
            codec_options=RAW, read_preference=ReadPreference.PRIMARY
        )
        self._function = function
        self._query = query
        self._batch_size = batch_size
        self._checkpoint = checkpoint
        self._stops_at_failure = stops_at_failure
        self._failures: list[tuple[Any, str]] = []
        self._first_error: Exception | None = None

    def run(self, submit: Submit, in_flight: int, show: Meter) -> None:
        """Do the work; raises `DocumentsFailed`."""
        if self._checkpoint.done:
            say(f'{self._name}: was done by the run before')
            return
        if self._checkpoint.begun:
            say(
                f'{self._name}: goes on after _id {self._checkpoint.after!r},'
                f' {self._checkpoint.count:,} documents are done'
            )
        total = total_of(self._collection.find(self._query))
        pending: deque[tuple[Batch, Callable[[], Written]]] = deque()
        for batch in self._batches(submit):
            show(self._name, self._checkpoint.count, total)
            pending.append((batch, submit(self._write, batch.changes)))
            if len(pending) > in_flight:
                self._settle(*pending.popleft())
            if self._stops_at_failure and (batch.failures or self._failures):
                break
        while pending:
            self._settle(*pending.popleft())
        show(self._name, self._checkpoint.count, total)
        if self._failures:
            raise DocumentsFailed(
                self._full_name, self._failures, self.counts
            ) from self._first_error
        self._checkpoint.finish()

    # What is read

    def _batches(self, submit: Submit) -> Iterator[Batch]:
        failed = self._checkpoint.failed
        for start in range(0, len(failed), self._batch_size):
            keys = failed[start : start + self._batch_size]
            yield self._batch(self._found(keys), retried=keys)
        after = [self._checkpoint.after] if self._checkpoint.begun else []
        page = submit(self._page, *after)
        while documents := page():
            page = submit(self._page, _id_of(documents[-1]))
            yield self._batch(documents)

    def _page(self, *after: Any) -> list[RawBSONDocument]:
        """Read the next documents, up to 16 MB of them.

        `$gt` outside of `$expr` would only find the `_id`s of one type. `min` keeps the
        server from reading all before, where `$expr` alone does not (before MongoDB
        5.0, and in a clustered collection); but it leaves out MaxKey.
        """
        find = partial(self._raw.find, sort=BY_ID, hint=BY_ID, limit=-self._batch_size)
        if not after:
            return list(find(self._query))
        key = after[0]
        if isinstance(key, MaxKey):
            return []
        greater = {'$expr': {'$gt': ['$_id', {'$literal': key}]}}
        query = _both(greater, self._query)
        return list(find(query).min([('_id', key)])) or list(find(query))

    def _found(self, keys: Sequence[Any]) -> list[RawBSONDocument]:
        query = _both({'_id': {'$in': list(keys)}}, self._query)
        return list(self._raw.find(query, sort=BY_ID))

    # What the function says

    def _batch(
        self,
        documents: Sequence[RawBSONDocument],
        retried: Sequence[Any] = (),
        to_the_end: bool = False,
    ) -> Batch:
        batch = Batch(retried=retried)
        for document in documents:
            batch.last = _id_of(document)
            batch.counts.matched += 1
            try:
                change = self._change(document, batch.last)
            except Exception as error:
                batch.failures.append(Failed(batch.last, error))
                if self._stops_at_failure and not (retried or to_the_end):
                    break
            else:
                if change is None:
                    batch.counts.left += 1
                else:
                    batch.changes.append(change)
        return batch

    def _change(self, document: RawBSONDocument, key: Any) -> Change | None:
        seen = bson.decode(document.raw, codec_options=self._codec_options)
        answer: Any = self._function(seen)
        kind = kind_of(answer)
        if kind is None:
            return None
        query: dict[str, Any] = {'_id': key}
        if kind is UpdateOne:
            hint = BY_ID if self._query else None
            update = UpdateOne(_both(query, self._query), answer, hint=hint)
            return Change(key, answer, update)
        if len(document.raw) <= COMPARED_UP_TO:
            query['$expr'] = {'$eq': ['$$ROOT', {'$literal': document}]}
        if kind is DeleteOne:
            return Change(key, answer, DeleteOne(query))
        return Change(key, answer, ReplaceOne(query, answer))

    # What is written

    def _write(self, changes: Sequence[Change]) -> Written:
        if not changes:
            return Written()
        failures: list[Failed] = []
        try:
            operations = [change.operation for change in changes]
            result = self._collection.bulk_write(operations, ordered=False)
            reply: Mapping[str, Any] = result.bulk_api_result
        except BulkWriteError as error:
            reply = error.details
            refused = {each['index']: each for each in reply['writeErrors']}
            if not refused:
                raise
            for place, each in sorted(refused.items()):
                cause = WriteError(each.get('errmsg', ''), each.get('code'), each)
                failures.append(Failed(changes[place].id, cause))
            changes = [each for n, each in enumerate(changes) if n not in refused]
        except Exception as error:
            if isinstance(error, PyMongoError) and not _is_of_a_document(error):
                raise
            # BSON cannot hold one of them, and nobody says which.
            if len(changes) == 1:
                return Written(failures=[Failed(changes[0].id, error)])
            written = Written()
            for change in changes:
                written.add(self._write([change]))
            return written
        return self._outcome(changes, failures, reply)

    def _outcome(
        self,
        changes: Sequence[Change],
        failures: list[Failed],
        reply: Mapping[str, Any],
    ) -> Written:
        """Find out what the sums in the server's reply say of each change."""
        kinds = Counter(type(change.operation) for change in changes)
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
        """List the `_id`s of documents that are neither replaced nor deleted.

        They, and those that do not exist any more, are taken out of `counts`.
        """
        wary = [each for each in changes if not isinstance(each.operation, UpdateOne)]
        query = {'_id': {'$in': [each.id for each in wary]}}
        now = {packed(_id_of(each)): each.raw for each in self._raw.find(query)}
        again = []
        for key, answer, operation in wary:
            raw = now.get(packed(key))
            if isinstance(operation, DeleteOne):
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

    def _settle(self, batch: Batch, wait: Callable[[], Written]) -> None:
        """Wait for a batch, see to what was changed meanwhile, note how far that is."""
        written = wait()
        for _ in range(ATTEMPTS):
            if not written.again:
                break
            found = self._found(written.again)
            written.counts.gone += len(written.again) - len(found)
            written.again = []
            repeated = self._batch(found, to_the_end=True)
            written.failures += repeated.failures
            written.counts.left += repeated.counts.left
            written.add(self._write(repeated.changes))
        failures = [*batch.failures, *written.failures]
        failures += [Failed(key, ChangedMeanwhile()) for key in written.again]
        batch.counts.add(written.counts)
        batch.counts.failed = len(failures)
        self.counts.add(batch.counts)
        for key, error in failures[: REMEMBERED - len(self._failures)]:
            self._failures.append((key, summary(error)))
        if failures and self._first_error is None:
            self._first_error = failures[0].error
        self._checkpoint.passed(batch, [each.id for each in failures])


class ChangedMeanwhile(Exception):
    """Others changed a document each time that it was to be replaced or deleted."""

    def __init__(self) -> None:
        super().__init__(f'others changed it {ATTEMPTS} times meanwhile')


def kind_of(answer: object) -> type | None:
    """Tell what a function wants done; raises `TypeError`."""
    if answer is None:
        return None
    if answer is DELETE:
        return DeleteOne
    if isinstance(answer, list) and answer:
        return UpdateOne
    if isinstance(answer, Mapping) and answer:
        return UpdateOne if str(next(iter(answer))).startswith('$') else ReplaceOne
    raise TypeError(
        f'the function returned {textwrap.shorten(repr(answer), 80)}, which is no'
        ' update, no document, not None and not migopy.DELETE'
    )


def _is_of_a_document(error: PyMongoError) -> bool:
    if isinstance(error, OperationFailure):
        return error.code == TOO_LARGE
    return isinstance(error, DocumentTooLarge)


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    return {'$and': [one, other]} if other else one


def _id_of(document: RawBSONDocument) -> Any:
    key = document['_id']
    return unpacked(packed(key)) if isinstance(key, RawBSONDocument) else key


@contextmanager
def _threads(count: int) -> Iterator[Submit]:
    """Give what starts work in threads; for 0 it is done here when it is waited for."""
    if not count:
        yield partial
        return
    # One more than there are bulks, which reads.
    with ThreadPoolExecutor(count + 1, 'migopy-update') as pool:
        yield lambda work, *arguments: pool.submit(work, *arguments).result


def _is_bound() -> bool:
    """Tell whether a session is bound here; where PyMongo does not tell, say yes."""
    bound = getattr(client_session, '_SESSION', None)
    return bound is None or bound.get() is not None
