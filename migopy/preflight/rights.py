"""Checks of the rights that migrations, and migopy itself, need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from migopy.effects import namespace_of
from migopy.preflight.checked_step import CheckedStep
from migopy.preflight.findings import PROBLEM, Finding
from migopy.preflight.sightings import Sighting
from migopy.server import Privileges
from migopy.state import OF_IMAGES, OWN_ACTIONS

#: The actions that a command needs on the collection that it names.
ACTIONS: Mapping[str, tuple[str, ...]] = {
    'collMod': ('collMod',),
    'convertToCapped': ('convertToCapped',),
    'createIndexes': ('createIndex',),
    'delete': ('remove',),
    'drop': ('dropCollection',),
    'dropIndexes': ('dropIndex',),
    'find': ('find',),
    'insert': ('insert',),
    'update': ('update',),
}

#: What `$merge` may do with what it finds, or does not find, and need no action for.
MATCHED_LEFT = frozenset({'fail'})
UNMATCHED_LEFT = frozenset({'discard', 'fail'})

#: The actions that a rollback needs on the registry.
UNREGISTERING = 'find', 'remove'

#: What it costs that a migration, or migopy, lacks a right.
FAILS_THERE = 'the server refuses it, and the migration fails there'
NOTHING_RUNS = 'migopy keeps there what it has to know, so nothing is run'

UNREGISTERED = 'its down runs, and still counts as not rolled back'


class Lack(NamedTuple):
    """Actions that the user lacks for a collection, and where they are needed."""

    namespace: str
    actions: list[str]
    line: int


def own_rights(
    step: CheckedStep, privileges: Privileges, collection: str, direction: str
) -> Iterator[Finding]:
    """Find what migopy may not do to its own collections.

    `collection` is the registry's name.
    """
    of_registry = OWN_ACTIONS if direction == 'up' else UNREGISTERING
    for ending, actions in (
        ('', of_registry),
        ('_history', OWN_ACTIONS),
        ('_lock', OWN_ACTIONS),
    ):
        namespace = f'{step.server.database}.{collection}{ending}'
        lacked = privileges.lacks(namespace, actions)
        if lacked:
            cost = NOTHING_RUNS if ending or direction == 'up' else UNREGISTERED
            yield lack_of(step, privileges, Lack(namespace, lacked, 0), cost)


def image_rights(
    step: CheckedStep, privileges: Privileges, collection: str
) -> Iterator[Finding]:
    """Find what migopy may not do to the images that it is to keep of a step."""
    namespace = f'{step.server.database}.{collection}_undo'
    lacked = privileges.lacks(namespace, OF_IMAGES)
    if lacked:
        yield lack_of(step, privileges, Lack(namespace, lacked, 0), NOTHING_RUNS)


def rights(step: CheckedStep, privileges: Privileges) -> Iterator[Finding]:
    """Find commands of a step that the user may not send."""
    told = set()
    for sighting in step.sightings.all():
        for namespace, actions in _needed(sighting, privileges):
            lacked = privileges.lacks(namespace, actions)
            if lacked and (namespace, *lacked) not in told:
                told.add((namespace, *lacked))
                lack = Lack(namespace, lacked, sighting.line)
                yield lack_of(step, privileges, lack)


def lack_of(
    step: CheckedStep, privileges: Privileges, lack: Lack, cost: str = FAILS_THERE
) -> Finding:
    """Tell of rights that are lacking, and what that costs."""
    actions, where = ', '.join(lack.actions), step.short(lack.namespace)
    return step.finding(
        'rights',
        PROBLEM,
        lack.line,
        f'{privileges.user} has no right to {actions} on {where}',
        cost,
        'give its role the right, or execute as another user',
        user=privileges.user,
        actions=lack.actions,
    )


def _needed(
    sighting: Sighting, privileges: Privileges
) -> Iterator[tuple[str, Sequence[str]]]:
    """List what commands need: collections, each with the actions on it.

    The rest of what an aggregation reads is left out, and so is what is not certain.
    """
    name, namespace = sighting.name, sighting.namespace
    if name == 'create':
        is_view = any('viewOn' in each for each in sighting.commands)
        # Who may insert may also make the collection for that.
        if is_view or privileges.lacks(namespace, ['insert']):
            yield namespace, ['createCollection']
    elif name == 'findAndModify':
        for each in sighting.commands:
            yield namespace, ['find', *_modifying(each)]
    elif name == 'aggregate':
        yield namespace, ['find']
        for each in sighting.commands:
            target = namespace_of(name, namespace.partition('.')[0], each)
            if target is not None:
                yield target, _putting_out(each['pipeline'][-1])
    elif name in ACTIONS:
        yield namespace, ACTIONS[name]
        if any(map(_upserts, sighting.commands)):
            yield namespace, ['insert']


def _modifying(command: Mapping[str, Any]) -> list[str]:
    if command.get('remove'):
        return ['remove']
    return ['update', 'insert'] if _upserts(command) else ['update']


def _upserts(command: Mapping[str, Any]) -> bool:
    statements = *command.get('updates', ()), command
    return any(each.get('upsert') for each in statements)


def _putting_out(stage: Mapping[str, Any]) -> list[str]:
    """List what `$out` or `$merge` needs on the collection that it writes to."""
    if '$out' in stage:
        return ['insert', 'remove']
    merge = stage['$merge'] if isinstance(stage['$merge'], Mapping) else {}
    # It may be a pipeline.
    updates = str(merge.get('whenMatched', 'merge')) not in MATCHED_LEFT
    inserts = str(merge.get('whenNotMatched', 'insert')) not in UNMATCHED_LEFT
    return ['insert'] * inserts + ['update'] * updates
