"""Checks of the rights that migrations, and migopy itself, need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from migopy.preflight.findings import PROBLEM, Finding
from migopy.preflight.server_queries import Server
from migopy.preflight.sightings import Sighting
from migopy.preflight.tried_step import Look

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


class Privileges:
    """What the user of a client may do.

    Invariant: if the server needs no login, everything is allowed.
    """

    def __init__(self, server: Server) -> None:
        reply = server.ask('admin', {'connectionStatus': 1, 'showPrivileges': True})
        status = (reply or {}).get('authInfo', {})
        self.users: list[Mapping[str, Any]] = status.get('authenticatedUsers', [])
        self._privileges = status.get('authenticatedUserPrivileges', [])

    def lacks(self, namespace: str, actions: Iterable[str]) -> list[str]:
        """List the actions that are not allowed on a collection."""
        if not self.users:
            return []
        database, _, name = namespace.partition('.')
        allowed = {
            action
            for each in self._privileges
            if _covers(each.get('resource', {}), database, name)
            for action in each.get('actions', ())
        }
        if 'anyAction' in allowed:
            return []
        return [each for each in actions if each not in allowed]

    @property
    def user(self) -> str:
        """Name the user."""
        return ', '.join(f'{each["user"]}@{each["db"]}' for each in self.users)


def _covers(resource: Mapping[str, Any], database: str, collection: str) -> bool:
    if resource.get('anyResource'):
        return True
    is_system = collection.startswith('system.')
    fits = resource.get('db') in ('', database) and 'collection' in resource
    if resource.get('collection') == '' and is_system:
        return False
    return fits and resource['collection'] in ('', collection)


class Lack(NamedTuple):
    """Actions that the user lacks for a collection, and where they are needed."""

    namespace: str
    actions: list[str]
    line: int


def own_rights(
    look: Look, privileges: Privileges, collection: str
) -> Iterator[Finding]:
    """Find what migopy may not do to its own collections.

    `collection` is the registry's name.
    """
    for ending, actions in OF_OUR_OWN.items():
        namespace = f'{look.server.database}.{collection}{ending}'
        lacked = privileges.lacks(namespace, actions)
        if lacked:
            yield lack_of(look, privileges, Lack(namespace, lacked, 0))


def rights(look: Look, privileges: Privileges) -> Iterator[Finding]:
    """Find commands of a step that the user may not send."""
    told = set()
    for sighting in look.sightings.all():
        lacked = privileges.lacks(sighting.namespace, _needed(sighting))
        if lacked and (sighting.namespace, *lacked) not in told:
            told.add((sighting.namespace, *lacked))
            lack = Lack(sighting.namespace, lacked, sighting.line)
            yield lack_of(look, privileges, lack)


def lack_of(look: Look, privileges: Privileges, lack: Lack) -> Finding:
    """Tell of rights that are lacking."""
    actions, where = ', '.join(lack.actions), look.short(lack.namespace)
    return look.finding(
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
