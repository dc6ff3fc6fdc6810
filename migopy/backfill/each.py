"""`update_each`: change each document of a large collection.

Pages are read ahead and bulks are written behind the function, which is called in the
caller's thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable

from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.errors import WriteError

from migopy.backfill.answers import Answer, Counts, DocumentsFailed
from migopy.backfill.changes import Batch, Changes, Failed
from migopy.backfill.checkpoints import REMEMBERED, Checkpoint, begin
from migopy.backfill.documents import RAW, id_of, shown
from migopy.backfill.pages import Pages
from migopy.backfill.session import is_bound, is_in_transaction
from migopy.backfill.target import Target, target_of
from migopy.backfill.writes import EndedTransaction, Writes, Written
from migopy.terminal import Meter, meter, say, total_of
from migopy.traces import summary

#: How often a document that others change all the time is given to the function.
ATTEMPTS = 100


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
    is called again with what it is now. (What does not fit into 16 MB together with
    its replacement is replaced in any case.) An update is made by `_id`, and where
    there is a filter only if it still fits.

    In a migration it goes on where the run before stopped, if that is unfinished, of
    the same direction, and this is the same call: the same one in order, the same
    collection, filter and name of the function, and this run has sent no write to the
    collection before it. The documents of the last moments may be given to the
    function twice; none is left out. In a transaction and in a dry run all is done in
    this thread and from the beginning.

    Raises `NotACollection` for a view and a time-series collection before anything is
    done, and `DocumentsFailed`, which names the `_id`, once all before that document is
    written; with `on_error='collect'` once all the others are. The next run tries
    those that failed first.
    """
    if on_error not in ('raise', 'collect'):
        raise ValueError(f"on_error={on_error!r} is neither 'raise' nor 'collect'")
    if batch_size < 1 or workers < 1:
        raise ValueError('batch_size and workers are numbers from 1 on')
    target = target_of(collection)
    backfill = Backfill(
        collection,
        target,
        function,
        query=filter or {},
        batch_size=batch_size,
        checkpoint=begin(collection, target.uuid, function, filter or {}),
        stops_at_failure=on_error == 'raise',
    )
    # Other threads do not inherit a bound session, so they would be outside of it.
    in_flight = 0 if is_bound() else workers
    with _threads(in_flight) as submit, meter() as show:
        backfill.run(submit, in_flight, show)
    return backfill.counts


#: Starts work, and gives what waits for its result.
Submit = Callable[..., Callable[[], Any]]


class Backfill:
    """One call of `update_each`.

    Invariant: batches are settled in the order in which they were read, so all that
    the checkpoint covers is written. Other threads only read pages and write.
    """

    def __init__(
        self,
        collection: Collection[Any],
        target: Target,
        function: Callable[[Any], Answer],
        query: Mapping[str, Any],
        batch_size: int,
        checkpoint: Checkpoint,
        stops_at_failure: bool,
    ) -> None:
        self.counts = Counts()
        self._name = collection.name
        self._full_name = collection.full_name
        self._everything = collection.find(query)
        self._batch_size = batch_size
        raw: Collection[RawBSONDocument] = collection.with_options(
            codec_options=RAW, read_preference=ReadPreference.PRIMARY
        )
        self._pages = Pages(raw, query, batch_size)
        self._changes = Changes(
            function, query, collection.codec_options, target.has_collation
        )
        self._writes = Writes(collection, raw, is_in_transaction())
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
                f'{self._name}: goes on after _id {shown(self._checkpoint.after)},'
                f' {self._checkpoint.count:,} documents are done'
            )
        try:
            self._work(submit, in_flight, show)
        except EndedTransaction as ended:
            self._note([ended.failed])
            self.counts.add(Counts(matched=1, failed=1))
            raise self._failure(
                f'With _id {shown(ended.failed.id)} the server ended the transaction:'
                ' nothing that was written in it is kept, and nothing more was tried.'
            ) from ended.failed.error
        if self._failures:
            raise self._failure(self._about_capped()) from self._first_error
        self._checkpoint.finish()

    def _work(self, submit: Submit, in_flight: int, show: Meter) -> None:
        total = total_of(self._everything)
        pending: deque[tuple[Batch, Callable[[], Written]]] = deque()
        for batch in self._batches(submit):
            show(self._name, self._checkpoint.count, total)
            pending.append((batch, submit(self._writes.write, batch.changes)))
            if len(pending) > in_flight:
                self._settle(*pending.popleft())
            if self._stops_at_failure and (batch.failures or self._failures):
                break
        while pending:
            self._settle(*pending.popleft())
        show(self._name, self._checkpoint.count, total)

    def _batches(self, submit: Submit) -> Iterator[Batch]:
        failed = self._checkpoint.failed
        for start in range(0, len(failed), self._batch_size):
            keys = failed[start : start + self._batch_size]
            yield self._changes.of(self._pages.found(keys), retried=keys)
        after = [self._checkpoint.after] if self._checkpoint.begun else []
        page = submit(self._pages.after, *after)
        while documents := page():
            page = submit(self._pages.after, id_of(documents[-1]))
            yield self._changes.of(documents, stops_at_failure=self._stops_at_failure)

    def _settle(self, batch: Batch, wait: Callable[[], Written]) -> None:
        """Wait for a batch, see to what was changed meanwhile, note how far that is."""
        written = wait()
        for _ in range(ATTEMPTS):
            if not written.again:
                break
            found = self._pages.found(written.again)
            written.counts.gone += len(written.again) - len(found)
            written.again = []
            repeated = self._changes.of(found)
            written.failures += repeated.failures
            written.counts.left += repeated.counts.left
            written.add(self._writes.write(repeated.changes))
        failures = [*batch.failures, *written.failures]
        failures += [Failed(key, ChangedMeanwhile()) for key in written.again]
        batch.counts.add(written.counts)
        batch.counts.failed = len(failures)
        self.counts.add(batch.counts)
        self._note(failures)
        self._checkpoint.passed(batch, [each.id for each in failures])

    def _note(self, failures: Sequence[Failed]) -> None:
        for key, error in failures[: REMEMBERED - len(self._failures)]:
            self._failures.append((key, summary(error)))
        if failures and self._first_error is None:
            self._first_error = failures[0].error

    def _failure(self, note: str) -> DocumentsFailed:
        return DocumentsFailed(self._full_name, self._failures, self.counts, note)

    def _about_capped(self) -> str:
        error = self._first_error
        if not (isinstance(error, WriteError) and 'capped collection' in str(error)):
            return ''
        return (
            f'{self._name} is a capped collection: before MongoDB 5.0 its documents can'
            ' neither change their size nor be deleted.'
        )


class ChangedMeanwhile(Exception):
    """Others changed a document each time that it was to be replaced or deleted."""

    def __init__(self) -> None:
        super().__init__(f'others changed it {ATTEMPTS} times meanwhile')


@contextmanager
def _threads(count: int) -> Iterator[Submit]:
    """Give what starts work in threads; for 0 it is done here when it is waited for."""
    if not count:
        yield partial
        return
    # One more than there are bulks, which reads.
    with ThreadPoolExecutor(count + 1, 'migopy-update') as pool:
        yield lambda work, *arguments: pool.submit(work, *arguments).result
