"""Read the registry and the history with one request, as a command begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from bson import Int64
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.errors import (
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from migopy.codes import AUTHENTICATION_FAILED
from migopy.server import code_of
from migopy.state.documents import RAW, batch_of
from migopy.state.history import UNSETTLED, History
from migopy.state.holder import Holder
from migopy.state.lock import Lock
from migopy.state.registry import EVERYTHING, Contents, Registry
from migopy.state.runs import Run

#: The field that holds a document of the history, and how such a result begins; one of
#: the registry begins with its `_id`. They are bytes, as some cannot be decoded.
RUN = 'run'
BEGINS = slice(4, 9)
HAS_RUN = b'\x03run\0'


class MoreThanOneReply(Exception):
    """What was asked for does not fit into the 16 MB of one reply."""


def read(
    history: History, registry: Registry, lock: Lock, in_full: bool
) -> tuple[Sequence[Run], Sequence[Holder], Contents]:
    """Read the runs that may have left something half done, and what is registered.

    If there are such runs, it also reads who holds the locks. `in_full` is as in
    `Registry.read`.
    """
    try:
        runs, contents = _read_at_once(history, registry, in_full)
    except ServerSelectionTimeoutError:
        raise
    except (OperationFailure, ConnectionFailure, MoreThanOneReply) as error:
        if code_of(error) == AUTHENTICATION_FAILED:
            # PyMongo would wait ten seconds before it logs in once more.
            raise
        # Two requests may succeed, or show which one is refused; and if the connection
        # was lost, they are a second try.
        runs, contents = history.unsettled(), None
    holders = lock.holders() if runs else []
    if runs or contents is None:
        # In this order: if a run ends well meanwhile, the registry has it then.
        # With how long each took, which the history may not know of all of these.
        contents = registry.read(in_full or bool(runs))
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
    documents = _reply_of(history.collection, pipeline)
    runs, others = [], []
    for each in documents:
        if each[BEGINS] != HAS_RUN:
            others.append(each)
            break
        runs.append(RawBSONDocument(each[BEGINS.stop : -1]))
    contents = registry.contents_of(chain(others, documents))
    return history.unsettled_of(runs), contents


def _reply_of(
    collection: Collection[Any], pipeline: Sequence[Mapping[str, Any]]
) -> Iterator[bytes]:
    """Aggregate with one command, and give the documents; raises `MoreThanOneReply`."""
    database, name = collection.database, collection.name
    cursor = {'batchSize': EVERYTHING}
    command = {'aggregate': name, 'pipeline': pipeline, 'cursor': cursor}
    reply = database.command(command, codec_options=RAW)
    documents, left = batch_of(bytes(reply['cursor'].raw))
    if left:
        with suppress(PyMongoError):
            database.command({'killCursors': name, 'cursors': [Int64(left)]})
        raise MoreThanOneReply
    return documents
