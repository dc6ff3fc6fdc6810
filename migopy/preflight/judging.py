"""All findings about steps before they run: of their files and of the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from pymongo.errors import OperationFailure

from migopy.files import Migration
from migopy.preflight.builds import builds
from migopy.preflight.checked_file import CheckedFile
from migopy.preflight.checked_step import CheckedStep, Tried
from migopy.preflight.dropped_indexes import drops_and_builds, used_indexes
from migopy.preflight.file_checks import check, source_of, without_allowed
from migopy.preflight.findings import (
    FILE,
    NOTICE,
    PROBLEM,
    SERVER,
    Finding,
    in_order,
)
from migopy.preflight.kinds import kinds, shard_keys, watched
from migopy.preflight.limits import oplog, transaction_limits
from migopy.preflight.members import members
from migopy.preflight.obstacles import obstacles
from migopy.preflight.rights import image_rights, own_rights, rights
from migopy.preflight.scans import scans, single_writes
from migopy.preflight.server_queries import ALL, Server
from migopy.preflight.sightings import Sightings
from migopy.preflight.source import Source
from migopy.server import STATUS, Privileges
from migopy.traces import line_in, summary

CHECKS: tuple[Callable[[CheckedStep], Iterator[Finding]], ...] = (
    members,
    builds,
    used_indexes,
    drops_and_builds,
    scans,
    single_writes,
    kinds,
    watched,
    shard_keys,
    oplog,
    transaction_limits,
)

#: Characters of the error of a dry run that failed: it may name two indexes.
WIDTH = 500


class Ahead(NamedTuple):
    """A step that is to be judged: its file, and what a dry run has told of it.

    `tried` is `None` if it was not tried; `has_images` is whether images are kept of
    what it changes.
    """

    migration: Migration
    direction: str
    in_transaction: bool
    tried: Tried | None = None
    has_images: bool = False


def judge(server: Server, steps: Sequence[Ahead], own: str) -> list[Finding]:
    """Find what to know before steps run.

    Nothing is written. `own` is the name of the registry's collection. Raises
    `ConnectionFailure` if the server is gone.
    """
    privileges = Privileges(server.ask('admin', STATUS))
    found: list[Finding] = []
    earlier: list[Sightings] = []
    keeps_images = next((each for each in steps if each.has_images), None)
    for place, ahead in enumerate(steps):
        source = source_of(ahead.migration, ahead.direction)
        of_step = _of_file(server, ahead, source)
        if not server.has_transactions:
            of_step += _standalone(ahead)
        elif ahead is keeps_images and ahead.direction == 'up':
            # Without the right nothing is executed, so the dry run need not reach it.
            of_step += image_rights(_checked(server, ahead), privileges, own)
        if ahead.tried is not None:
            step = CheckedStep(server, ahead.tried, tuple(earlier))
            if place == 0:
                of_step += own_rights(step, privileges, own, ahead.direction)
            of_step += _of_server(step, privileges)
            earlier.append(ahead.tried.sightings)
        found += without_allowed(source, of_step)
    if server.is_out_of_time and steps:
        found.append(_out_of_time(steps[0]))
    return in_order(found)


def _checked(server: Server, ahead: Ahead) -> CheckedStep:
    name, path = ahead.migration.name, ahead.migration.path
    untried = Tried(Sightings(name, path), ahead.in_transaction)
    return CheckedStep(server, ahead.tried or untried)


def _of_file(server: Server, ahead: Ahead, source: Source | None) -> list[Finding]:
    """Find what a step's file tells."""
    if source is None:
        return [_not_read(ahead)]
    file = CheckedFile(
        source,
        ahead.in_transaction,
        partial(_size, server),
        is_tried=ahead.tried is not None,
        has_images=ahead.has_images,
    )
    return check(file)


def _of_server(step: CheckedStep, privileges: Privileges) -> Iterator[Finding]:
    """Find what the server tells of a step that was tried."""
    tried = step.tried
    lacking, met = list(rights(step, privileges)), list(obstacles(step))
    yield from lacking
    yield from met
    for each in CHECKS:
        yield from each(step)
    stops = any(each.is_problem for each in met)
    is_explained = lacking or (stops and isinstance(tried.error, OperationFailure))
    if tried.error is not None and not is_explained:
        yield step.finding(
            'fails',
            PROBLEM,
            line_in(tried.error, tried.sightings.path) or 0,
            f'it failed in the dry run: {summary(tried.error, width=WIDTH)}',
            '',
            'see all of it by a dry run',
        )
    elif tried.untold:
        yield step.finding(
            'not-shown',
            NOTICE,
            0,
            f'it cannot be tried to its end: {tried.untold}',
            'what comes after that was read in the file alone',
        )


def _of_all(
    ahead: Ahead, name: str, severity: str, what: str, cost: str, instead: str = ''
) -> Finding:
    """Make a finding about a whole step, not about a line of its file."""
    file = ahead.migration
    return Finding(name, severity, SERVER, file.name, file.path, 0, what, cost, instead)


def _not_read(ahead: Ahead) -> Finding:
    """Tell that nobody has looked through a file that Python has imported."""
    file = ahead.migration
    what = 'its code is nested too deeply to be looked through, as in a very long sum'
    cost = 'what can be read in a file is not told of this one'
    return Finding('not-read', NOTICE, FILE, file.name, file.path, 0, what, cost)


def _out_of_time(ahead: Ahead) -> Finding:
    return _of_all(
        ahead,
        'not-shown',
        NOTICE,
        f'the server took more than {ALL:g} s to answer, so it was not asked all',
        'something may be missing here, of this migration or of the next ones',
    )


def _standalone(ahead: Ahead) -> Iterator[Finding]:
    wishes = {
        'transaction = False': 'to run in a transaction'
        if ahead.in_transaction
        else '',
        'undo = False': 'to be undone without a down' if ahead.has_images else '',
    }
    for without, wish in wishes.items():
        if wish:
            yield _of_all(
                ahead,
                'standalone',
                PROBLEM,
                f'it is {wish}, and the server is no member of a replica set',
                'it is refused before anything runs',
                f'{without} in the file; or a replica set, of one member if need be',
            )


def _size(server: Server, collection: str | None) -> int | None:
    if collection is None:
        return None
    return server.count(f'{server.database}.{collection}')
