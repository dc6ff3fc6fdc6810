"""One call of `update_each`.

Pages are read ahead of the function and bulks are written after it, in other threads;
the function is called in the caller's thread.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Callable

from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from migopy.backfill.answers import Answer, Counts, DocumentsFailed
from migopy.backfill.changes import Batch, ChangedMeanwhile, Changes, Failed
from migopy.backfill.checkpoints import REMEMBERED, Checkpoint, images_here, save
from migopy.backfill.documents import RAW, id_of, on_primary, shown
from migopy.backfill.exactly_once import ExactlyOnce, TooLarge
from migopy.backfill.pages import Pages
from migopy.backfill.resuming import say_where, total_of_call
from migopy.backfill.sizes import BASE, SECONDS
from migopy.backfill.target import Target
from migopy.backfill.threads import Submit
from migopy.backfill.throttle import Throttle
from migopy.backfill.transactions import NotOnce
from migopy.backfill.writes import EndedTransaction, Writes, Written, about_capped
from migopy.server import is_in_transaction
from migopy.signals import Stopped, Terminated
from migopy.terminal import Meter, say
from migopy.traces import summary

#: A batch that is being written, and a call that waits for the result.
Pending = tuple[Batch, Callable[[], Written]]

#: Round trips of a bulk outside of a transaction of its own.
TRIPS = 1

#: How often a document is given to the function again, if others keep changing it.
ATTEMPTS = 100


class UpdateCall:
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
        throttle: Throttle,
        checkpoint: Checkpoint,
        stops_at_failure: bool,
        exactly_once: bool,
    ) -> None:
        self.counts = Counts()
        self._collection = collection
        self._name = collection.name
        self._full_name = collection.full_name
        self._throttle = throttle
        there = on_primary(collection)
        raw: Collection[RawBSONDocument] = there.with_options(RAW)
        self._raw = raw
        self._total = partial(total_of_call, there, query, checkpoint)
        self._pages = Pages(raw, query)
        self._changes = Changes(
            function,
            query,
            collection.codec_options,
            target.has_collation,
            keeps_seen=images_here() is not None,
        )
        self._writes = Writes(collection, raw, is_in_transaction())
        self._checkpoint = checkpoint
        self._answer = throttle.silence.answer
        self._stops_at_failure = stops_at_failure
        self._exactly_once = exactly_once
        self._failures: list[tuple[Any, str]] = []
        self._first_error: Exception | None = None

    def run(
        self,
        submit: Submit,
        in_flight: int,
        session: ClientSession | None,
        show: Meter,
    ) -> None:
        """Do the work; raises `DocumentsFailed`, `NotOnce`.

        `session` is for transactions, where each batch can be one.
        """
        if not say_where(self._name, self._checkpoint):
            return
        try:
            with self._throttle.silence.told():
                if session is None or not self._work_once(submit, session, show):
                    self._work(submit, in_flight, show)
        except EndedTransaction as ended:
            self._note([ended.failed])
            self.counts.add(Counts(matched=1, failed=1))
            raise self._failure(
                f'With _id {shown(ended.failed.id)} the server ended the transaction:'
                ' nothing that was written in it is kept, and nothing more was tried.'
            ) from ended.failed.error
        if self._failures:
            note = about_capped(self._name, self._first_error)
            raise self._failure(note) from self._first_error
        self._checkpoint.finish()

    def _work_once(self, submit: Submit, session: ClientSession, show: Meter) -> bool:
        """Write each batch in a transaction, while the function is given the next.

        Returns whether that could be done; if not, the function gets the rest again.
        """
        sizes = self._throttle.sizes
        once = ExactlyOnce(
            self._collection,
            self._raw,
            self._checkpoint,
            session,
            self._exactly_once,
            self._throttle,
        )
        sizes.trips = once.trips
        batches = self._batches(submit)
        while True:
            try:
                return self._write_once(once, batches, submit, show)
            except TooLarge as large:
                sizes.keep_to(large.documents)
                begin = self._batches if large.is_retried else self._following
                batches = begin(submit)

    def _write_once(
        self, once: ExactlyOnce, batches: Iterator[Batch], submit: Submit, show: Meter
    ) -> bool:
        """Write batches, each in a transaction; raises `TooLarge`."""
        # Documents are counted while the first page is read.
        count_all = submit(self._total)
        writing: tuple[Batch, Callable[[], Written]] | None = None
        for batch in batches:
            show(self._name, self._checkpoint.count, count_all())
            if writing is not None and not self._settle_once(once, *writing):
                return False
            if self._stops_at_failure and self._failures:
                return True
            count = len(batch.changes)
            wait = self._throttle.start(submit, once.write, batch, count, once.trips)
            writing = batch, wait
            if self._stops_at_failure and batch.failures:
                break
        if writing is not None and not self._settle_once(once, *writing):
            return False
        show(self._name, self._checkpoint.count, count_all())
        return True

    def _settle_once(
        self, once: ExactlyOnce, batch: Batch, wait: Callable[[], Written]
    ) -> bool:
        """Wait for a batch, and repeat what others have changed meanwhile.

        Returns whether the next one can be written in a transaction as well. Raises
        `TooLarge` if smaller pages may help, else `NotOnce`.
        """
        try:
            written = self._answer(wait)
            for _ in range(ATTEMPTS):
                if not written.again:
                    break
                found = self._pages.found(written.again)
                batch.replace(written.again, self._changes.of(found))
                written = once.write(batch)
            if written.again:
                batch.leave(written.again, ChangedMeanwhile(ATTEMPTS))
                written = once.write(batch)
        except NotOnce as error:
            self._throttle.goes_on()
            count, is_retried = batch.counts.matched, bool(batch.retried)
            if self._throttle.sizes.grows and count > BASE:
                raise TooLarge(BASE, is_retried) from error
            if error.is_too_large and count > 1:
                raise TooLarge(count // 2, is_retried) from error
            if once.is_required:
                raise
            say(error.in_place_of_it)
            if not error.is_for_all:
                self._settle(batch, self._writes.write(batch.changes))
                save()
            return not error.is_for_all
        self._count(batch, written)
        return True

    def _work(self, submit: Submit, in_flight: int, show: Meter) -> None:
        total = self._total()
        pending: deque[Pending] = deque()
        try:
            for batch in self._batches(submit):
                show(self._name, self._checkpoint.count, total)
                write, changes = self._writes.write, batch.changes
                count = len(changes)
                wait = self._throttle.start(submit, write, changes, count, TRIPS)
                pending.append((batch, wait))
                if len(pending) > in_flight:
                    self._settle_first(pending)
                if self._stops_at_failure and (batch.failures or self._failures):
                    break
        except (KeyboardInterrupt, Stopped, Terminated):
            # Threads are writing these already: if not noted, they are written twice.
            if in_flight:
                self._settle_all(pending)
            raise
        self._settle_all(pending)
        show(self._name, self._checkpoint.count, total)

    def _settle_all(self, pending: deque[Pending]) -> None:
        while pending:
            self._settle_first(pending)

    def _settle_first(self, pending: deque[Pending]) -> None:
        """Settle the first pending batch; if interrupted, none is pending any more."""
        batch, wait = pending[0]
        written = self._answer(wait)
        _, *later = pending
        pending.clear()
        self._settle(batch, written)
        pending.extend(later)

    def _batches(self, submit: Submit) -> Iterator[Batch]:
        failed = self._checkpoint.failed
        while failed:
            size = self._throttle.size
            keys, failed = failed[:size], failed[size:]
            yield self._changes.of(self._pages.found(keys), retried=keys)
        yield from self._following(submit)

    def _following(self, submit: Submit) -> Iterator[Batch]:
        """Read page after page after the checkpoint, and call the function."""
        after = [self._checkpoint.after] if self._checkpoint.is_begun else []
        sizes = self._throttle.sizes
        sizes.begin()
        began = time.monotonic()
        page = submit(self._pages.after, self._throttle.size, *after)
        while documents := self._answer(page):
            last = id_of(documents[-1])
            sizes.round_trip.saw(time.monotonic() - began)
            sizes.read(documents)
            page = submit(self._pages.after, self._throttle.size, last)
            while documents:
                batch = self._changes.of(
                    documents[: sizes.at_once],
                    stops_at_failure=self._stops_at_failure,
                    seconds=SECONDS,
                )
                yield batch
                documents = documents[batch.counts.matched :]

    def _settle(self, batch: Batch, written: Written) -> None:
        """Repeat what others have changed meanwhile, and note how far the call is."""
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
        error = ChangedMeanwhile(ATTEMPTS)
        written.failures += [Failed(key, error) for key in written.again]
        failures = self._count(batch, written)
        self._checkpoint.passed(batch, [each.id for each in failures])

    def _count(self, batch: Batch, written: Written) -> list[Failed]:
        """Count what became of a batch; note what failed, and give it."""
        failures = [*batch.failures, *written.failures]
        batch.counts.add(written.counts)
        batch.counts.failed = len(failures)
        self.counts.add(batch.counts)
        self._note(failures)
        return failures

    def _note(self, failures: Sequence[Failed]) -> None:
        for key, error in failures[: REMEMBERED - len(self._failures)]:
            self._failures.append((key, summary(error)))
        if failures and self._first_error is None:
            self._first_error = failures[0].error

    def _failure(self, note: str) -> DocumentsFailed:
        return DocumentsFailed(self._full_name, self._failures, self.counts, note)
