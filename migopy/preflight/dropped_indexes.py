"""Checks of indexes that are dropped while in use, or before another one is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from migopy.preflight.checked_step import CheckedStep
from migopy.preflight.findings import NOTICE, Finding
from migopy.preflight.sightings import Sighting

#: How many documents make a missing index felt.
LARGE = 10_000

#: How many uses are more than a few looks, such as those of migopy's own dry runs.
USED = 10


def used_indexes(step: CheckedStep) -> Iterator[Finding]:
    """Find indexes that are to be dropped, and that queries have used."""
    for sighting in step.sightings.of('dropIndexes', 'deleteIndexes'):
        if step.server.count(sighting.namespace) < LARGE:
            continue
        uses = step.server.rows(sighting.namespace, [{'$indexStats': {}}]) or []
        for index in dropped(step, sighting):
            of_it = [each for each in uses if each['name'] == index['name']]
            count = sum(each['accesses']['ops'] for each in of_it)
            if count < USED:
                continue
            since = min(each['accesses']['since'] for each in of_it)
            where = f'{step.short(sighting.namespace)}.{index["name"]}'
            yield step.finding(
                'index-in-use',
                NOTICE,
                sighting.line,
                f'the index {where} was used {count:,} times since {since:%Y-%m-%d}',
                'queries that need it read the whole collection then',
                f"hide it first and watch: db.command('collMod', {_name(sighting)!r},"
                f" index={{'name': {index['name']!r}, 'hidden': True}})",
                uses=count,
                since=f'{since:%Y-%m-%dT%H:%M:%SZ}',
            )


def drops_and_builds(step: CheckedStep) -> Iterator[Finding]:
    """Find indexes that are dropped before one of the same first field is made."""
    sent = step.sightings.all()
    for place, sighting in enumerate(sent):
        is_drop = sighting.name in ('dropIndexes', 'deleteIndexes')
        if not is_drop or step.server.count(sighting.namespace) < LARGE:
            continue
        gone = {_first(each): each['name'] for each in dropped(step, sighting)}
        made = [
            (_first(index), index['name'])
            for later in sent[place:]
            if later.name == 'createIndexes' and later.namespace == sighting.namespace
            for command in later.commands
            for index in command['indexes']
        ]
        for first, name in made:
            if first in gone:
                where = step.short(sighting.namespace)
                yield step.finding(
                    'drop-and-build',
                    NOTICE,
                    sighting.line,
                    f'{gone[first]} of {where} is dropped before {name} is made, which'
                    f' begins with {first} as well',
                    'until that is built, queries by it read the whole collection; if'
                    ' the build fails, they go on doing so',
                    'make the new one first, and drop the old one in a later migration',
                )


def dropped(step: CheckedStep, sighting: Sighting) -> list[Mapping[str, Any]]:
    """List the indexes that are to be dropped, as far as they exist."""
    known = step.server.indexes(sighting.namespace)
    found: list[Mapping[str, Any]] = []
    for command in sighting.commands:
        which = command.get('index')
        for index in known:
            if index['name'] == '_id_':
                continue
            by_key = isinstance(which, Mapping) and (
                list(which.items()) == list(index['key'].items())
            )
            named = which if isinstance(which, list) else [which]
            if which == '*' or by_key or index['name'] in named:
                found.append(index)
    return found


def _first(index: Mapping[str, Any]) -> str:
    return str(next(iter(index['key'])))


def _name(sighting: Sighting) -> str:
    return sighting.namespace.partition('.')[2]
