"""Checks of the members of a replica set that an index build waits for."""

from __future__ import annotations

import time
from collections.abc import Iterator

from migopy.preflight.checked_step import CheckedStep
from migopy.preflight.findings import NOTICE, PROBLEM, Finding
from migopy.preflight.server_queries import Server

#: Seconds to wait for members that the client has not heard of, and between two looks.
PATIENCE = 3.0
PAUSE = 0.1

#: How many seconds behind make a member worth telling. Each one tells every ten seconds
#: how far it is.
BEHIND = 60.0


def members(step: CheckedStep) -> Iterator[Finding]:
    """Find voting members that are down or far behind, if an index is to be built."""
    builds = [
        each
        for each in step.sightings.of('createIndexes')
        if step.server.count(each.namespace)
    ]
    if not builds or 'setName' not in step.server.hello:
        return
    first = builds[0]
    where = step.short(first.namespace)
    down, behind = down_and_behind(step.server)
    for name in down:
        yield step.finding(
            'member-down',
            PROBLEM,
            first.line,
            f'{name} does not answer, and an index of {where} is to be built on all'
            ' voting members',
            'the command waits until that member is back, and the migration with it',
            'bring it back first; or create_indexes([IndexModel(…)],'
            " commitQuorum='majority'); or take its vote away, if it is gone for long",
            member=name,
        )
    for name, seconds in behind.items():
        yield step.finding(
            'member-behind',
            NOTICE,
            first.line,
            f'{name} is {round(seconds):,} s behind, and an index of {where} is to be'
            ' built on all voting members',
            'the command waits until that member has caught up',
            'wait until it has, before this runs',
            member=name,
            seconds=round(seconds),
        )


def down_and_behind(server: Server) -> tuple[list[str], dict[str, float]]:
    """List the voting members that are down, and those behind, with the seconds."""
    status = server.ask('admin', {'replSetGetStatus': 1})
    config = server.ask('admin', {'replSetGetConfig': 1})
    if status is None or config is None:
        return as_the_client_sees(server)
    voting = {
        each['host']
        for each in config['config']['members']
        if each.get('votes', 1) and not each.get('arbiterOnly')
    }
    found = [each for each in status['members'] if each['name'] in voting]
    down = [each['name'] for each in found if not each.get('health')]
    dates = {
        each['name']: each['optimeDate'].timestamp()
        for each in found
        if 'optimeDate' in each
    }
    return down, _behind({name: dates[name] for name in dates if name not in down})


def as_the_client_sees(server: Server) -> tuple[list[str], dict[str, float]]:
    """List them as far as a client hears of them, which needs no right.

    A client does not hear of hidden members, nor which members vote.
    """
    until = time.monotonic() + PATIENCE
    arbiters = set(server.hello.get('arbiters', ()))
    while True:
        topology = server.client.topology_description
        heard = {
            f'{host}:{port}': each
            for (host, port), each in topology.server_descriptions().items()
        }
        silent = [
            name
            for name, each in heard.items()
            if each.server_type_name == 'Unknown' and name not in arbiters
        ]
        if topology.topology_type_name == 'Single':
            return [], {}
        if not silent or time.monotonic() >= until:
            dates = {
                name: each.last_write_date
                for name, each in heard.items()
                if each.last_write_date is not None
            }
            return silent, _behind(dates)
        time.sleep(PAUSE)


def _behind(dates: dict[str, float]) -> dict[str, float]:
    # One that has just begun has not told when it wrote last.
    told = {name: date for name, date in dates.items() if date > 0}
    newest = max(told.values(), default=0.0)
    lags = {name: newest - date for name, date in told.items()}
    return {name: lag for name, lag in lags.items() if lag >= BEHIND}
