"""Checks of what a step writes against the oplog and the limits of transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from bson import encode
from bson.errors import BSONError

from migopy.preflight.checked_step import CheckedStep
from migopy.preflight.findings import NOTICE, PROBLEM, Finding
from migopy.terminal import duration

if TYPE_CHECKING:
    from migopy.effects import Changes

#: Bytes that an update, a deletion and an insertion take in the oplog beside values.
OF_UPDATE = 200
OF_DELETION = 120
OF_INSERTION = 100

#: The part of the oplog from which on writes are told of.
MUCH = 0.25

#: Seconds that a transaction may last if the server does not tell, and the part of them
#: from which on a step is told of.
LIFETIME = 60.0
LONG = 0.5

#: How many documents are many for one transaction.
MANY = 100_000

MB = 1_000_000


def oplog(step: CheckedStep) -> Iterator[Finding]:
    """Find steps that fill a large part of the oplog."""
    written = _written(step)
    if written < MB:
        return
    rows = step.server.rows('local.oplog.rs', [{'$collStats': {'storageStats': {}}}])
    room = rows[0]['storageStats'].get('maxSize') if rows else None
    if not room or written < MUCH * room:
        return
    over = written >= room
    yield step.finding(
        'oplog',
        PROBLEM if over else NOTICE,
        0,
        f'it writes about {written / MB:,.0f} MB into an oplog of {room / MB:,.0f} MB',
        'a member that falls behind by more than the oplog holds must be copied anew,'
        ' and change streams cannot be resumed',
        'migopy.update_each, which waits for members that are behind',
        bytes=written,
        oplog=room,
    )


def transaction_limits(step: CheckedStep) -> Iterator[Finding]:
    """Find steps that take too long, or change too much, for one transaction."""
    if not step.tried.in_transaction:
        return
    reply = step.server.ask(
        'admin', {'getParameter': 1, 'transactionLifetimeLimitSeconds': 1}
    )
    limit = float((reply or {}).get('transactionLifetimeLimitSeconds', LIFETIME))
    seconds = step.tried.seconds
    instead = 'transaction = False and migopy.update_each, a transaction a page'
    if seconds >= LONG * limit:
        yield step.finding(
            'transaction-limits',
            PROBLEM if seconds >= limit else NOTICE,
            0,
            f'it took {duration(round(seconds * 1000))} in the dry run, and the server'
            f' ends a transaction after {limit:g} s',
            'then the migration fails, and nothing is changed',
            instead,
            seconds=round(seconds, 1),
            limit=limit,
        )
    documents = sum(_documents(each) for each in _changes(step).values())
    if documents >= MANY:
        yield step.finding(
            'transaction-limits',
            NOTICE,
            0,
            f'it changes {documents:,} documents in one transaction',
            "they must all fit the server's cache, and others who write them wait or"
            ' fail',
            instead,
            documents=documents,
        )


def _written(step: CheckedStep) -> int:
    """Estimate the bytes that a step writes into the oplog."""
    total = 0.0
    for namespace, changes in _changes(step).items():
        size = step.server.stats(namespace).get('avgObjSize') or _first(step, namespace)
        total += changes.inserted * (size + OF_INSERTION)
        total += changes.modified * OF_UPDATE + changes.deleted * OF_DELETION
    return round(total)


def _first(step: CheckedStep, namespace: str) -> int:
    """Give the size of the first document that is inserted, in bytes."""
    for sighting in step.sightings.of('insert'):
        if sighting.namespace == namespace:
            with suppress(BSONError, ValueError, TypeError):
                return len(encode(sighting.commands[0]['documents'][0]))
    return 0


def _changes(step: CheckedStep) -> dict[str, Changes]:
    effects = step.tried.effects
    return {} if effects is None else dict(effects.changes)


def _documents(changes: Changes) -> int:
    return changes.inserted + changes.modified + changes.deleted
