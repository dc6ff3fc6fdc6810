"""What a client knows of replica set members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient

_KINDS = {
    'RSSecondary': 'secondary',
    'RSArbiter': 'arbiter',
    'RSPrimary': 'primary',
    'RSOther': 'hidden or recovering member',
}

#: A server that was started as a member, and has no configuration of a set.
_IN_NO_SET = 'RSGhost'


@dataclass(frozen=True)
class Member:
    """A member of a replica set; `kind` is empty for another server."""

    kind: str
    replica_set: str
    #: All members' addresses, as the set's own configuration has them.
    hosts: tuple[str, ...]
    primary: str | None

    @property
    def described(self) -> str:
        """Say what it is: `a secondary of the replica set rs0`."""
        article = 'an' if self.kind == 'arbiter' else 'a'
        return f'{article} {self.kind} of the replica set {self.replica_set}'


def only_member(client: MongoClient[Any]) -> Member | None:
    """Give the member that a client is directly connected to, else `None`."""
    topology = client.topology_description
    if topology.topology_type_name != 'Single':
        return None
    [server] = topology.server_descriptions().values()
    return Member(
        kind=_KINDS.get(server.server_type_name, ''),
        replica_set=server.replica_set_name or '',
        hosts=tuple(sorted(f'{host}:{port}' for host, port in server.all_hosts)),
        primary=':'.join(map(str, server.primary)) if server.primary else None,
    )


def is_in_no_set(client: MongoClient[Any]) -> bool:
    """Tell whether what answers was to be a member of a set, and is in none."""
    servers = client.topology_description.server_descriptions().values()
    kinds = {each.server_type_name for each in servers} - {'Unknown'}
    return kinds == {_IN_NO_SET}


def has_members(client: object) -> bool:
    """Tell whether a client's server is a member of a set with others."""
    if not isinstance(client, MongoClient):
        return False
    members = client.topology_description.server_descriptions().values()
    return any(len(each.all_hosts) > 1 for each in members)
