"""`batches`: go through a large collection, a batch of documents at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import bson
from pymongo.collection import Collection

from migopy.backfill.batch_loop import BatchLoop
from migopy.backfill.checkpoints import images_here
from migopy.backfill.left_loops import Call
from migopy.backfill.loops import TRIED, require_no_loop
from migopy.backfill.target import require_collection, require_order, target_of
from migopy.backfill.throttle import throttle_of
from migopy.backfill.transactions import TRANSACTION, can_be_once
from migopy.callers import calling_lines
from migopy.pace import Wanted, is_count, require_yes_or_no, wish_for


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
        raise ValueError('size must be a whole number from 1 on')
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
