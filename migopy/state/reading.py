"""The registry and the history read with one request, as a command begins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from migopy.state.documents import raw
from migopy.state.history import UNSETTLED, History
from migopy.state.holder import Holder
from migopy.state.lock import Lock
from migopy.state.registry import EVERYTHING, Contents, Registry
from migopy.state.runs import Run

#: The field in which a document of the history comes, and how such a document begins;
#: one of the registry begins with its `_id`. Bytes, as some cannot be decoded.
RUN = 'run'
BEGINS = slice(4, 9)
HAS_RUN = b'\x03run\0'


def read(
    history: History, registry: Registry, lock: Lock, in_full: bool
) -> tuple[Sequence[Run], Sequence[Holder], Contents]:
    """Read the runs that may have left something half done, and what is registered.

    Where there are such runs, who holds the locks is read, too. `in_full` is of
    `Registry.read`.
    """
    try:
        runs, contents = _read_at_once(history, registry, in_full)
    except OperationFailure:
        # Two requests may succeed, and tell by their own which one was refused.
        runs, contents = history.unsettled(), None
    holders = lock.holders() if runs else []
    if runs or contents is None:
        # In this order: a run that ends well meanwhile is in the registry then.
        contents = registry.read(in_full)
    return runs, holders, contents


def _read_at_once(
    history: History, registry: Registry, in_full: bool
) -> tuple[Sequence[Run], Contents]:
    pipeline: list[dict[str, Any]] = [
        {'$match': UNSETTLED},
        {'$replaceWith': {RUN: '$$ROOT'}},
        {
            '$unionWith': {
                'coll': registry.collection.name,
                'pipeline': [{'$project': dict.fromkeys(registry.fields(in_full), 1)}],
            }
        },
    ]
    found = raw(history.collection).aggregate(pipeline, batchSize=EVERYTHING).to_list()
    runs = list(takewhile(_has_run, found))
    inner = [RawBSONDocument(each.raw[BEGINS.stop : -1]) for each in runs]
    return history.unsettled_of(inner), registry.contents_of(found[len(runs) :])


def _has_run(document: RawBSONDocument) -> bool:
    return document.raw[BEGINS] == HAS_RUN
