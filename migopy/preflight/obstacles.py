"""Documents that stand in the way of an index or a validator, or expire by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from migopy.preflight.checked_step import CheckedStep
from migopy.preflight.findings import NOTICE, PROBLEM, Finding
from migopy.standin import (
    ARRAYS,
    COUNTED,
    DUPLICATES,
    EXPIRED,
    GEO,
    MISFITS,
    TEXT,
    Foretold,
)


class Obstacle(NamedTuple):
    """How one kind is told: what it is, what it costs, what to do instead."""

    what: str
    cost: str
    instead: str
    severity: str = PROBLEM


KINDS = {
    DUPLICATES: Obstacle(
        'the unique index {subject} of {where} would meet {number} duplicated {values}',
        'the migration fails there, on every try',
        'first make them differ, or delete all but one of each, in the same file or an'
        ' earlier one',
    ),
    MISFITS: Obstacle(
        'the validator of {where} would reject {number} {documents} that are there',
        'they stay, and each later update of one of them fails',
        "first change them, then set the validator; or validationLevel='moderate',"
        ' which leaves them alone',
    ),
    ARRAYS: Obstacle(
        'the index {subject} of {where} cannot take {number} {documents} with arrays'
        ' in several of its fields, or in a hashed one',
        'the migration fails there, and later writes of such documents would, too',
        'an index for each of the fields',
    ),
    GEO: Obstacle(
        'the index {subject} of {where} cannot take {number} {documents} whose'
        ' geometry is not valid',
        'the migration fails there, and later writes of such documents would, too',
        'first correct them; GeoJSON is longitude, then latitude',
    ),
    EXPIRED: Obstacle(
        '{number} {documents} of {where} {have} expired already by {limit}',
        'the server deletes them within about a minute, and no rollback brings them'
        ' back',
        'first a dump, or dates in that field which let those stay that are wanted',
        NOTICE,
    ),
    TEXT: Obstacle(
        'the index {subject} of {where} cannot take {number} {documents} whose'
        ' language field names a language that it does not know',
        'the migration fails there, and later writes of such documents would, too',
        'language_override, set to a name that no field has',
    ),
}


#: By what documents expire in a time series and in a clustered collection.
BY_OPTION = 'its expireAfterSeconds'

NOT_COUNTED = (
    'documents of {where} may have expired already by {limit}, which were not counted:'
    ' {number}'
)


def obstacles(step: CheckedStep) -> Iterator[Finding]:
    """Find documents in the way of an index or a validator that would be made."""
    for found in step.tried.found:
        kind = KINDS.get(found.obstacle)
        if kind is None:
            continue
        is_cut = found.number >= COUNTED and found.obstacle != EXPIRED
        more = ' or more' if is_cut else ''
        number = f'{found.number:,}{more}'
        is_one = found.number == 1
        of_what = kind.what
        if found.unknown:
            of_what, number = NOT_COUNTED, found.unknown
        what = of_what.format(
            subject=found.subject,
            limit=f'the index {found.subject}' if found.subject else BY_OPTION,
            where=step.short(found.namespace),
            number=number,
            have='has' if is_one else 'have',
            values='value' if is_one else 'values',
            documents='document' if is_one else 'documents',
        )
        yield step.finding(
            found.obstacle,
            kind.severity,
            _line_of(step, found),
            what,
            kind.cost,
            kind.instead,
            values=found.values,
            **({} if found.unknown else {'number': found.number}),
        )


def _line_of(step: CheckedStep, found: Foretold) -> int:
    """Give the line that has sent the command, 0 if there are several."""
    lines = set()
    for sighting in step.sightings.of('createIndexes', 'collMod', 'create'):
        named = [
            index.get('name')
            for command in sighting.commands
            for index in command.get('indexes', (command.get('index', {}),))
        ]
        is_it = not found.subject or found.subject in named
        if sighting.namespace == found.namespace and is_it:
            lines.add(sighting.line)
    return lines.pop() if len(lines) == 1 else 0
