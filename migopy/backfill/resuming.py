"""Where a call begins: with the first document, or after what was done before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import bson
from pymongo.collection import Collection

from migopy.backfill.checkpoints import CHECKPOINTS, Checkpoint
from migopy.backfill.documents import shown
from migopy.terminal import say, total_of


def begin(
    collection: Collection[Any],
    uuid: Any,
    function: str,
    query: Mapping[str, Any],
) -> Checkpoint:
    """Give the checkpoint of a call in the run that is going on here, if any.

    `function` is the name of what documents are given to.
    """
    checkpoints = CHECKPOINTS.get()
    if checkpoints is None:
        return Checkpoint({}, lambda: None)
    what = {
        # One that was dropped and made anew has another.
        'uuid': uuid,
        'filter': query,
        'function': function,
    }
    data = bson.encode(what, codec_options=collection.codec_options)
    return checkpoints.begin(collection.full_name, hashlib.sha256(data).hexdigest())


def total_of_call(
    there: Collection[Any], query: Mapping[str, Any], checkpoint: Checkpoint
) -> int | None:
    """Count the documents of a call, if that is quick: done, failed, and the rest.

    What is done may fit the query no more.
    """
    if not (query and checkpoint.is_begun):
        return total_of(there.find(query))
    # Outside of `$expr` it would find `_id`s of one type alone.
    follows = {'$expr': {'$gt': ['$_id', {'$literal': checkpoint.after}]}}
    rest = total_of(there.find({'$and': [query, follows]}))
    if rest is None:
        return None
    return checkpoint.count + len(checkpoint.failed) + rest


def say_where(name: str, checkpoint: Checkpoint) -> bool:
    """Say where a call goes on or that it starts over, if there was an earlier run.

    Returns whether anything is left to do.
    """
    if checkpoint.anew:
        say(
            f'{name}: starts over with the first document, and so does what comes'
            f' after it: {checkpoint.anew}'
        )
    if checkpoint.is_done:
        say(f'{name}: was done by the run before')
        return False
    if checkpoint.is_begun:
        say(
            f'{name}: goes on after _id {shown(checkpoint.after)},'
            f' {checkpoint.count:,} documents are done'
        )
    return True
