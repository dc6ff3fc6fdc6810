"""Warn of an index build that would wait for a member that is down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from migopy.effects import Address, BeforeBuild
from migopy.run.observer import Observer
from migopy.run.site import Site
from migopy.run.step import Step
from migopy.server import has_members

Document = Mapping[str, Any]

#: Seconds for the look, at most.
LOOK_SECONDS = 6.0

#: The members that the server waits for where a command does not say.
VOTERS = 'votingMembers'


def teller_of_members(site: Site, step: Step, observer: Observer) -> BeforeBuild:
    """Give what hears of a step's index builds before they are sent.

    Once a step, it warns of a build that would wait for members that are down. It asks
    the server only where a set has several members.
    """
    told: set[str] = set()

    def tell(database: str, command: Document, address: Address) -> None:
        client = site.db.client
        waits = command.get('commitQuorum', VOTERS) == VOTERS
        if told or not waits or 'autocommit' in command:
            return
        if not has_members(client) or address not in client.nodes:
            return
        try:
            with site.listener.own_work(), pymongo.timeout(LOOK_SECONDS):
                down = _down(client, database, command)
        except PyMongoError:
            # The command meets it as well.
            return
        if down:
            told.update(down)
            observer.warned(f'{step.name}: {_said(command, down)}')

    return tell


def _down(client: Any, database: str, command: Document) -> list[str]:
    """List the members that a build would wait for; none where nothing is built."""
    # `fab migrations` is to start fast.
    from migopy.preflight import Server, down_and_behind

    server = Server(client, database)
    down, _ = down_and_behind(server)
    if not down:
        return []
    namespace = f'{database}.{command["createIndexes"]}'
    there = {each['name'] for each in server.indexes(namespace)}
    is_new = any(each['name'] not in there for each in command['indexes'])
    # On an empty collection it is made at once.
    return down if is_new and server.count(namespace) else []


def _said(command: Document, down: list[str]) -> str:
    names = ', '.join(each['name'] for each in command['indexes'])
    collection = command['createIndexes']
    does, back = 'does', 'that member is'
    if len(down) > 1:
        does, back = 'do', 'those members are'
    return (
        f'{", ".join(down)} {does} not answer, and an index is built on all voting'
        f' members: that of {collection} ({names}) waits until {back} back. Ctrl-C ends'
        ' it. So that it does not wait, write create_indexes([IndexModel(…)],'
        " commitQuorum='majority')"
    )
