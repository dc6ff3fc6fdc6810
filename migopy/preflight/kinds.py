"""Checks of capped, time series and sharded collections, and of change streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from migopy.preflight.checked_step import CheckedStep, statements_of
from migopy.preflight.findings import NOTICE, PROBLEM, Finding
from migopy.preflight.sightings import Sighting
from migopy.texts import counted

WRITES = ('delete', 'findAndModify', 'insert', 'update')

#: The first MongoDB that deletes documents of capped collections.
DELETES_FROM_CAPPED = (5, 0)

#: The first MongoDB that finds one document of a sharded collection by any filter.
ANY_FILTER = (7, 0)

#: Commands that end the change streams of a collection.
ENDING = ('drop', 'renameCollection')


def kinds(step: CheckedStep) -> Iterator[Finding]:
    """Find writes that a capped collection or a time series refuses."""
    for sighting in step.sightings.of(*WRITES):
        where = step.short(sighting.namespace)
        is_capped = bool(step.server.options(sighting.namespace).get('capped'))
        is_series = step.server.kind(sighting.namespace) == 'timeseries'
        inside = step.tried.in_transaction
        if inside and (is_capped or is_series):
            kind = 'a capped collection' if is_capped else 'a time series'
            yield step.finding(
                'capped' if is_capped else 'time-series',
                PROBLEM,
                sighting.line,
                f'{where} is {kind}, which no transaction writes to',
                'the migration fails there',
                'transaction = False in the file',
            )
        elif (
            is_capped
            and sighting.name == 'delete'
            and step.server.version < DELETES_FROM_CAPPED
        ):
            yield step.finding(
                'capped',
                PROBLEM,
                sighting.line,
                f'{where} is capped, and its documents cannot be deleted',
                'the migration fails there',
                'a new capped collection with what is to stay, then a rename',
            )
        elif is_series and sighting.name in ('findAndModify', 'update'):
            yield from _of_series(step, sighting, where)


def _of_series(step: CheckedStep, sighting: Sighting, where: str) -> Iterator[Finding]:
    options = step.server.options(sighting.namespace).get('timeseries', {})
    meta = str(options.get('metaField', ''))
    for each in statements_of(sighting):
        fields = [str(key).partition('.')[0] for key in each['filter']]
        if not each['multi'] or any(field != meta for field in fields):
            yield step.finding(
                'time-series',
                PROBLEM,
                sighting.line,
                f'{where} is a time series, where update_many alone works, and only'
                f' where it selects by the metadata ({meta or "it has none"})',
                'the migration fails there',
                'a new collection with the documents as they are to be',
            )
            return


def watched(step: CheckedStep) -> Iterator[Finding]:
    """Find collections that go away though change streams watch them."""
    for sighting in step.sightings.of(*ENDING):
        where = step.short(sighting.namespace)
        images = step.server.options(sighting.namespace).get(
            'changeStreamPreAndPostImages', {}
        )
        streams = _streams(step, sighting.namespace)
        if not streams and not images.get('enabled'):
            continue
        told = 'it keeps images for change streams'
        if streams:
            watch = 'watches' if streams == 1 else 'watch'
            told = f'{counted(streams, "change stream")} {watch} it'
        yield step.finding(
            'watched',
            NOTICE,
            sighting.line,
            f'{where} goes away, and {told}',
            'each ends with the event invalidate and cannot be resumed',
            'tell who watches it',
            streams=streams,
        )


def _streams(step: CheckedStep, namespace: str) -> int:
    """Count the change streams of a collection, as far as the user may see them."""
    name = namespace.partition('.')[2]
    for every in (True, False):
        reply = step.server.ask(
            'admin',
            {
                'aggregate': 1,
                'pipeline': [
                    {'$currentOp': {'allUsers': every, 'idleCursors': True}},
                    {'$match': {'ns': namespace}},
                ],
                'cursor': {},
            },
        )
        if reply is not None:
            return sum(_is_stream(each, name) for each in reply['cursor']['firstBatch'])
    return 0


def _is_stream(operation: Mapping[str, Any], collection: str) -> bool:
    cursor = operation.get('cursor') or {}
    command = cursor.get('originatingCommand') or operation.get('command') or {}
    pipeline = command.get('pipeline')
    first = pipeline[0] if isinstance(pipeline, list) and pipeline else {}
    return command.get('aggregate') == collection and '$changeStream' in first


def shard_keys(step: CheckedStep) -> Iterator[Finding]:
    """Find writes to sharded collections whose filters leave out the shard key."""
    for sighting in step.sightings.of('delete', 'findAndModify', 'update'):
        if not step.server.is_router:
            return
        rows = step.server.rows(
            'config.collections', [{'$match': {'_id': sighting.namespace}}]
        )
        row = rows[0] if rows else {}
        # MongoDB 8 gives a key to what it moved whole; 4.4 keeps what was dropped.
        is_sharded = not (row.get('unsplittable') or row.get('dropped'))
        keys = set(row.get('key', {})) if is_sharded else set()
        for each in statements_of(sighting):
            if not keys or keys <= {*map(str, each['filter'])}:
                continue
            where, key = step.short(sighting.namespace), ', '.join(sorted(keys))
            by_id = '_id' in each['filter'] and sighting.name != 'findAndModify'
            is_of_one = not each['multi'] and not by_id
            fails = is_of_one and step.server.version < ANY_FILTER
            yield step.finding(
                'shard-key',
                PROBLEM if fails else NOTICE,
                sighting.line,
                f'{sighting.name} on {where} does not name the shard key, {key}',
                'it fails on such a server' if fails else 'it goes to every shard',
                f'a filter that has {key}',
                shard_key=sorted(keys),
            )
            break
