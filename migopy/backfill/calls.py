"""What a migration calls: `update_each` and `batches`, for each document or batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Callable

import bson
from pymongo.collection import Collection

from migopy.backfill.answers import Answer, Counts
from migopy.backfill.batch_loop import BatchLoop
from migopy.backfill.checkpoints import images_here
from migopy.backfill.left_loops import Call
from migopy.backfill.loops import IN_CALL, TRIED, require_no_loop
from migopy.backfill.resuming import begin
from migopy.backfill.target import (
    require_collection,
    require_order,
    require_the_same,
    target_of,
)
from migopy.backfill.threads import threads
from migopy.backfill.throttle import throttle_of
from migopy.backfill.transactions import TRANSACTION, can_be_once, session_for
from migopy.backfill.update_call import UpdateCall
from migopy.callers import calling_lines
from migopy.pace import Wanted, is_count, require_yes_or_no, wish_for
from migopy.server import is_bound
from migopy.terminal import meter


def update_each(
    collection: Collection[Any],
    function: Callable[[Any], Answer],
    filter: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    workers: int = 4,
    on_error: str = 'raise',
    exactly_once: bool = False,
    pace: Wanted = None,
) -> Counts:
    """Call `function(document)` for each document and write what it returns.

    It returns an update (`{'$set': …}`, or a list: an aggregation pipeline), a whole
    new document, `None` to leave it, or `migopy.DELETE`. The function is called in this
    thread, in the order of `_id`, while up to `workers` bulks of `batch_size` documents
    are being written; by default that is 1,000, and up to 16,000 small ones if the
    server is so far away that most of the time would be spent waiting for it. No
    document is ever made. A document is replaced or deleted only if it still is what
    the function saw; if not, the function is called again with what it is now. (A
    document that does not fit into 16 MB together with its replacement is replaced in
    any case.) An update is made by `_id`, and if there is a filter, only if it still
    fits.

    In a migration it goes on where an earlier, unfinished run in the same direction
    stopped, if this is the same call: the same one in order, with the same collection,
    filter and name of the function, and if this run has not written to the collection
    before it. No document is left out. On a replica set each batch is written in one
    transaction with the call's position, one batch after the other, so what the
    function returns for a document is written once, whatever is killed. If that is not
    possible, a person is told so, and the documents of the last moments may be written
    twice; with `exactly_once` it raises `NotOnce` instead. In a transaction and in a
    dry run all is done in this thread and from the beginning.

    `pace` is `'careful'`, the default for a replica set of several members, `'full'`,
    or a `migopy.Pace`: between batches it slows down and waits while secondaries are
    behind or the server is busy, and says so.

    Before anything is done it raises `NotACollection` for a view or a time-series
    collection, and `InLoop` in a loop over `batches` or in the function of another
    call. If a document fails it raises `DocumentsFailed`, which names the `_id`, once
    all documents before it are written; with `on_error='collect'` once all the others
    are. The next run tries those that failed first. At the end it raises
    `ReplacedMeanwhile` if it is another collection then.
    """
    _require_usable(collection, function, on_error)
    require_yes_or_no('exactly_once', exactly_once)
    if not is_count(workers) or not (batch_size is None or is_count(batch_size)):
        raise ValueError('batch_size and workers must be whole numbers from 1 on')
    if wish := wish_for(pace):
        raise ValueError(f'pace must be {wish}')
    require_order('update_each', filter)
    require_no_loop('update_each', collection.full_name)
    began = time.monotonic()
    target = target_of(collection)
    answered = time.monotonic() - began
    name = getattr(function, '__qualname__', type(function).__qualname__)
    can_once = can_be_once(collection, exactly_once)
    throttle = throttle_of(collection, pace, batch_size)
    throttle.sizes.round_trip.saw(answered)
    backfill = UpdateCall(
        collection,
        target,
        function,
        query=filter or {},
        throttle=throttle,
        checkpoint=begin(collection, target.uuid, name, filter or {}),
        stops_at_failure=on_error == 'raise',
        exactly_once=exactly_once,
    )
    # Other threads do not inherit a bound session, so they would be outside of it.
    in_flight = 0 if is_bound() else workers
    with ExitStack() as stack:
        stack.callback(IN_CALL.reset, IN_CALL.set(True))
        client = collection.database.client
        session = stack.enter_context(session_for(client)) if can_once else None
        submit = stack.enter_context(threads(in_flight))
        backfill.run(submit, in_flight, session, stack.enter_context(meter()))
    require_the_same(collection, target)
    return backfill.counts


def batches(
    collection: Collection[Any],
    size: int = 1000,
    filter: Mapping[str, Any] | None = None,
    transaction: bool = False,
    pace: Wanted = None,
) -> Iterator[list[Any]]:
    """Give the documents in lists of up to `size`, in the order of `_id`.

    A batch is done when the loop goes on to the next one; a batch in which the loop was
    left, by an error or by `break`, is not. In a migration the loop goes on after the
    last batch that an earlier, unfinished run in the same direction has done, if this
    is the same call: the same one in order, with the same collection and filter, and if
    this run has not written before it to the collection, nor to one that the loop has
    written to. After `kill -9` the batches of the last second may be given again.

    With `transaction`, all that is written between two batches is in one transaction
    with the loop's position, whatever is killed. That needs a replica set. Writes in
    the loop's thread and with the same client are part of it by themselves. A batch is
    given again if the server could not commit it. In a migration that is a transaction
    itself, and in a dry run, all is part of that one and begins with the first
    document. Where images are kept, each batch is a transaction in any case.

    `pace` is as in `update_each`: between batches it waits, or is stopped.

    Before anything is done it raises `NotACollection` for a view or a time-series
    collection, `NotOnce` if a transaction is wanted and not possible, and `InLoop`
    within another loop over batches; later `OutsideBatch` after a write past the
    transaction, and at the end `ReplacedMeanwhile` if it is another collection then.
    """
    require_collection(
        'batches',
        collection,
        'batches(db.notes, filter={…})',
        'batches(db.notes.find({…}))',
    )
    if not is_count(size):
        is_filter = isinstance(size, Mapping)
        right = ': write batches(db.notes, filter={…})' if is_filter else ''
        raise ValueError(f'size must be a whole number from 1 on, not {size!r}{right}')
    require_yes_or_no('transaction', transaction)
    if wish := wish_for(pace):
        raise ValueError(f'pace must be {wish}')
    require_order('migopy.batches', filter)
    require_no_loop('migopy.batches', collection.full_name)
    target = target_of(collection, 'migopy.batches')
    is_wanted = transaction or images_here() is not None
    is_once = is_wanted and can_be_once(collection, True, TRANSACTION)
    tried = TRIED.get()
    is_tried = tried is not None and (transaction or tried.keeps_images)
    throttle = throttle_of(collection, pace, size)
    query = bson.encode(filter or {}, codec_options=collection.codec_options)
    loop = BatchLoop(
        collection,
        target,
        filter or {},
        throttle,
        is_once,
        Call(collection.full_name, query, calling_lines()),
        tried.effects if tried is not None and is_tried else None,
    )
    return loop.begin()


def _require_usable(collection: object, function: object, on_error: str) -> None:
    """Raise `TypeError` or `ValueError` for what a call cannot use."""
    require_collection(
        'update_each',
        collection,
        'update_each(db.notes, function, {…})',
        'update_each(db.notes.find({…}), function)',
    )
    if not callable(function):
        raise TypeError(
            'update_each needs a function that is called with each document, not a'
            f' {type(function).__name__}: lambda document: {{…}}'
        )
    if on_error not in ('raise', 'collect'):
        raise ValueError(f"on_error={on_error!r} is neither 'raise' nor 'collect'")
