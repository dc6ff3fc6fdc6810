"""Replica sets as others run them: with an arbiter, with MongoDB's own times."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.server import ReplicaSet, Server, future_members, mongod


@contextlib.contextmanager
def primary_secondary_arbiter() -> Iterator[ReplicaSet]:
    """Run a replica set whose last member keeps no data; the first is its primary."""
    roles: list[dict[str, Any]] = [{'priority': 2}, {}, {'arbiterOnly': True}]
    with future_members(len(roles)) as servers:
        yield _initiated(servers, roles, {'electionTimeoutMillis': 1000})


@contextlib.contextmanager
def usual_elections() -> Iterator[ReplicaSet]:
    """Run a replica set of three that waits 10 s for a primary that is gone."""
    with future_members(3) as servers:
        yield _initiated(servers, [{}] * 3, {})


def _initiated(
    servers: list[Server], roles: list[dict[str, Any]], settings: dict[str, Any]
) -> ReplicaSet:
    members = [
        {'_id': number, 'host': f'127.0.0.1:{server.port}', **role}
        for number, (server, role) in enumerate(zip(servers, roles))
    ]
    config = {'_id': mongod.REPLICA_SET, 'members': members, 'settings': settings}
    reply = mongod.ask(servers[0].port, {'replSetInitiate': config})
    if not reply['ok']:
        raise AssertionError(f'the replica set was refused: {reply}')
    replica_set = ReplicaSet(servers)
    replica_set.primary()
    return replica_set
