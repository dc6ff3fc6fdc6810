"""What the user of a client may do, as the server tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: The command whose reply tells it.
STATUS = {'connectionStatus': 1, 'showPrivileges': True}


class Privileges:
    """What the user of a client may do.

    Invariant: if the server needs no login, everything is allowed.
    """

    def __init__(self, reply: Mapping[str, Any] | None) -> None:
        """Take the reply to `STATUS`; without one, everything counts as allowed."""
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
