"""How large an index will be, how long its build takes, and whether there is room."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from migopy.preflight.checked_step import CheckedStep
from migopy.preflight.findings import NOTICE, PROBLEM, Finding
from migopy.preflight.sightings import Sighting
from migopy.terminal import duration

#: How many documents make the build of an index worth telling.
LARGE = 1_000_000

#: Documents in a sample.
SAMPLE = 10_000

#: Bytes of an index entry beside its values, and of a document beside its fields.
OF_ENTRY = 12
OF_DOCUMENT = 5

MB = 1_000_000


class Size(NamedTuple):
    """The size of an index in bytes, and the seconds to read and sort its values."""

    size: int
    seconds: float


def builds(step: CheckedStep) -> Iterator[Finding]:
    """Find indexes of large collections, and those that the disk has no room for."""
    for sighting in step.sightings.of('createIndexes'):
        documents = step.server.count(sighting.namespace)
        for command in sighting.commands if documents >= LARGE else ():
            for index in command['indexes']:
                if not _is_there(step, sighting, index):
                    yield from _judged(step, sighting, index, documents)


def _judged(
    step: CheckedStep, sighting: Sighting, index: Mapping[str, Any], documents: int
) -> Iterator[Finding]:
    size = measured(step, sighting.namespace, index, documents)
    if size is None:
        return
    where = f'{step.short(sighting.namespace)}.{index["name"]}'
    about = f'about {size.size / MB:,.0f} MB'
    yield step.finding(
        'index-build',
        NOTICE,
        sighting.line,
        f'the index {where} takes {about}, of {documents:,} documents',
        f'roughly {duration(round(size.seconds * 1000))} on each member; reads and'
        ' writes go on, slower',
        'a quiet hour',
        documents=documents,
        bytes=size.size,
        seconds=round(size.seconds, 1),
    )
    room = free(step)
    if room is not None and size.size > room:
        yield step.finding(
            'disk',
            PROBLEM,
            sighting.line,
            f'the index {where} takes {about}, and {room / MB:,.0f} MB are free',
            'a server whose disk is full stops',
            'more room first, on each member',
            bytes=size.size,
            free=room,
        )


def measured(
    step: CheckedStep, namespace: str, index: Mapping[str, Any], documents: int
) -> Size | None:
    """Estimate an index by the first documents; `None` without an answer."""
    fields = {f'f{n}': f'${key}' for n, key in enumerate(index['key'])}
    values = {'_id': 0, **fields}
    began = time.monotonic()
    rows = step.server.rows(
        namespace,
        [
            {'$limit': min(SAMPLE, documents)},
            {'$project': values},
            {'$sort': dict.fromkeys(fields, 1)},
            {'$group': {'_id': None, 'n': {'$avg': {'$bsonSize': '$$ROOT'}}}},
        ],
    )
    if not rows or rows[0]['n'] is None:
        return None
    times = documents / min(SAMPLE, documents)
    entry = rows[0]['n'] - OF_DOCUMENT - 3 * len(fields) + OF_ENTRY
    return Size(round(entry * documents), (time.monotonic() - began) * times)


def _is_there(step: CheckedStep, sighting: Sighting, index: Mapping[str, Any]) -> bool:
    keys = list(index['key'].items())
    known = step.server.indexes(sighting.namespace)
    return any(list(each['key'].items()) == keys for each in known)


def free(step: CheckedStep) -> int | None:
    """Give the free bytes on the disk of the data; `None` if they are not known."""
    stats = step.server.ask(step.server.database, {'dbStats': 1}) or {}
    if 'fsTotalSize' not in stats or step.server.is_router:
        return None
    return int(stats['fsTotalSize'] - stats['fsUsedSize'])
