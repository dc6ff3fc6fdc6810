"""Checks of filters that read all of a large collection, and of single writes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from migopy.preflight.checked_step import SELECTING, CheckedStep, statements_of
from migopy.preflight.findings import NOTICE, PROBLEM, Finding
from migopy.preflight.sightings import Sighting
from migopy.terminal import duration

#: How many documents make a collection large for one command, and for many commands.
LARGE = 100_000
LARGE_FOR_MANY = 10_000

#: How many commands are many.
MANY = 100

#: Documents in a sample, and the part of a collection that counts as most of it.
SAMPLE = 10_000
MOST = 0.3

#: Seconds of scanning that are a problem.
TOO_LONG = 60.0

#: How many commands of one line had better be a bulk.
SINGLE = 1000


def scans(step: CheckedStep) -> Iterator[Finding]:
    """Find filters for which the server has to read all of a large collection."""
    for sighting in step.sightings.of(*SELECTING):
        documents = step.server.count(sighting.namespace)
        least = LARGE_FOR_MANY if sighting.statements >= MANY else LARGE
        if documents < least or step.server.kind(sighting.namespace) != 'collection':
            continue
        shapes: dict[Any, Mapping[str, Any]] = {}
        for each in statements_of(sighting):
            shapes.setdefault(tuple(sorted(map(str, each['filter']))), each)
        for selected in shapes.values():
            yield from _judged(step, sighting, selected, documents)


def _judged(
    step: CheckedStep, sighting: Sighting, selected: Mapping[str, Any], documents: int
) -> Iterator[Finding]:
    if not selected['filter']:
        if selected['multi'] and documents >= LARGE:
            yield _large_write(step, sighting, documents, documents)
        return
    if _will_have_index(step, sighting, selected) or not _is_scan(
        step, sighting, selected
    ):
        return
    sample = min(SAMPLE, documents)
    began = time.monotonic()
    rows = step.server.rows(
        sighting.namespace,
        [{'$limit': sample}, {'$match': selected['filter']}, {'$count': 'n'}],
        collation=selected.get('collation'),
    )
    if rows is None:
        return
    each_takes = (time.monotonic() - began) * documents / sample
    matched = (rows[0]['n'] if rows else 0) / sample
    if matched >= MOST and sighting.statements < MANY:
        if selected['multi'] and documents >= LARGE:
            amount = round(matched * documents)
            yield _large_write(step, sighting, documents, amount)
        return
    yield _scan(step, sighting, selected, documents, each_takes * sighting.statements)


def _scan(
    step: CheckedStep,
    sighting: Sighting,
    selected: Mapping[str, Any],
    documents: int,
    seconds: float,
) -> Finding:
    name, where = sighting.name, step.short(sighting.namespace)
    fields = ', '.join(map(str, selected['filter']))
    times = sighting.statements
    doing = f'{times:,} times {name}' if times > 1 else name
    return step.finding(
        'scan',
        PROBLEM if seconds >= TOO_LONG else NOTICE,
        sighting.line,
        f'{doing} by {fields} reads all {documents:,} documents of {where}: no index'
        ' fits',
        f'about {duration(round(seconds * 1000))}, by a sample of'
        f' {min(SAMPLE, documents):,}',
        'an index on a field of the filter, made before; or migopy.update_each, which'
        ' reads once and gives way',
        documents=documents,
        times=times,
        seconds=round(seconds, 3),
    )


def _large_write(
    step: CheckedStep, sighting: Sighting, documents: int, amount: int
) -> Finding:
    where = step.short(sighting.namespace)
    about = 'all' if amount == documents else 'about'
    return step.finding(
        'large-write',
        NOTICE,
        sighting.line,
        f'one {sighting.name} changes {about} {amount:,} documents of {where}',
        'it cannot be paused, secondaries fall behind, and if killed it is half done',
        'migopy.update_each, which writes page by page, gives way and resumes',
        documents=documents,
        amount=amount,
    )


def _will_have_index(
    step: CheckedStep, sighting: Sighting, selected: Mapping[str, Any]
) -> bool:
    """Tell whether an index that fits was made earlier in the dry run."""
    made = [
        index
        for each in step.before(sighting)
        if each.name == 'createIndexes' and each.namespace == sighting.namespace
        for command in each.commands
        for index in command['indexes']
    ]
    return any(next(iter(index['key'])) in selected['filter'] for index in made)


def _is_scan(
    step: CheckedStep, sighting: Sighting, selected: Mapping[str, Any]
) -> bool:
    database, _, name = sighting.namespace.partition('.')
    find = {'find': name, **selected}
    find.pop('multi')
    reply = step.server.ask(database, {'explain': find, 'verbosity': 'queryPlanner'})
    planner = (reply or {}).get('queryPlanner', {})
    return _has_stage(planner.get('winningPlan'), 'COLLSCAN')


def _has_stage(plan: Any, stage: str) -> bool:
    """Tell whether a stage is in a plan, whichever engine and topology it is of."""
    if isinstance(plan, Mapping):
        return plan.get('stage') == stage or any(
            _has_stage(each, stage) for each in plan.values()
        )
    return isinstance(plan, list) and any(_has_stage(each, stage) for each in plan)


def single_writes(step: CheckedStep) -> Iterator[Finding]:
    """Find lines that have sent very many writes of a single document."""
    for sighting in step.sightings.of('insert', 'update', 'delete', 'findAndModify'):
        if sighting.single < SINGLE or not sighting.line:
            continue
        where = step.short(sighting.namespace)
        is_insert = sighting.name == 'insert'
        yield step.finding(
            'write-per-document',
            NOTICE,
            sighting.line,
            f'{sighting.single:,} commands of one {sighting.name} each for {where}',
            'a round trip for each; if it is killed, it starts over',
            'insert_many, a thousand documents at a time'
            if is_insert
            else 'migopy.update_each, which writes in bulk and resumes; or bulk_write',
            commands=sighting.single,
        )
