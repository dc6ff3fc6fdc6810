"""Checks of the rights that migrations, and migopy itself, need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from migopy.preflight.checked_step import CheckedStep
from migopy.preflight.findings import PROBLEM, Finding
from migopy.preflight.sightings import Sighting
from migopy.server import Privileges

#: The actions that a command needs on the collection that it names.
ACTIONS: Mapping[str, tuple[str, ...]] = {
    'collMod': ('collMod',),
    'convertToCapped': ('convertToCapped',),
    'create': ('createCollection',),
    'createIndexes': ('createIndex',),
    'delete': ('remove',),
    'drop': ('dropCollection',),
    'dropIndexes': ('dropIndex',),
    'find': ('find',),
    'findAndModify': ('find', 'update'),
    'insert': ('insert',),
    'update': ('update',),
}

#: The actions that migopy needs on its own collections, by the endings of their names.
OF_OUR_OWN: Mapping[str, tuple[str, ...]] = {
    '': ('find', 'insert'),
    '_history': ('find', 'insert', 'update'),
    '_lock': ('find', 'insert', 'remove', 'update'),
}

#: What it needs on the collection that images are kept in.
OF_IMAGES = 'find', 'insert', 'remove', 'update'


class Lack(NamedTuple):
    """Actions that the user lacks for a collection, and where they are needed."""

    namespace: str
    actions: list[str]
    line: int


def own_rights(
    step: CheckedStep, privileges: Privileges, collection: str
) -> Iterator[Finding]:
    """Find what migopy may not do to its own collections.

    `collection` is the registry's name.
    """
    for ending, actions in OF_OUR_OWN.items():
        namespace = f'{step.server.database}.{collection}{ending}'
        lacked = privileges.lacks(namespace, actions)
        if lacked:
            yield lack_of(step, privileges, Lack(namespace, lacked, 0))


def image_rights(
    step: CheckedStep, privileges: Privileges, collection: str
) -> Iterator[Finding]:
    """Find what migopy may not do to the images that it is to keep of a step."""
    namespace = f'{step.server.database}.{collection}_undo'
    lacked = privileges.lacks(namespace, OF_IMAGES)
    if lacked:
        yield lack_of(step, privileges, Lack(namespace, lacked, 0))


def rights(step: CheckedStep, privileges: Privileges) -> Iterator[Finding]:
    """Find commands of a step that the user may not send."""
    told = set()
    for sighting in step.sightings.all():
        lacked = privileges.lacks(sighting.namespace, _needed(sighting))
        if lacked and (sighting.namespace, *lacked) not in told:
            told.add((sighting.namespace, *lacked))
            lack = Lack(sighting.namespace, lacked, sighting.line)
            yield lack_of(step, privileges, lack)


def lack_of(step: CheckedStep, privileges: Privileges, lack: Lack) -> Finding:
    """Tell of rights that are lacking."""
    actions, where = ', '.join(lack.actions), step.short(lack.namespace)
    return step.finding(
        'rights',
        PROBLEM,
        lack.line,
        f'{privileges.user} has no right to {actions} on {where}',
        'the server refuses it, and the migration fails there',
        'give its role the right, or execute as another user',
        user=privileges.user,
        actions=lack.actions,
    )


def _needed(sighting: Sighting) -> list[str]:
    if sighting.name == 'aggregate':
        last = [each['pipeline'][-1] for each in sighting.commands if each['pipeline']]
        writes = any({'$out', '$merge'} & set(each) for each in last)
        return [] if writes else ['find']
    needed = list(ACTIONS.get(sighting.name, ()))
    upserts = any(
        each.get('upsert')
        for command in sighting.commands
        for each in (*command.get('updates', ()), command)
    )
    return [*needed, 'insert'] if upserts else needed
