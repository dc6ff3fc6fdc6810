"""What giving way costs where nobody needs it, and what it is worth where one does."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from benchmarks.ground import Ground
from benchmarks.measuring import (
    Sample,
    cpu,
    fab,
    interleaved,
    milliseconds,
    ratio,
    table,
    typical,
    wall,
)
from tests.server import ReplicaSet, Server, replica_set

#: Documents of one run, where all is quiet and where a member is slow.
QUIET = 30_000
SLOWED = 120_000

#: Seconds that a slowed member works, and that it is stopped, in turns.
WORKS, STOPPED = 0.15, 0.85

#: Seconds that a member may be behind in the run that gives way.
LIMIT = 3

#: Seconds between two looks at how far a member is behind.
LOOK_EVERY = 0.1

#: A set that elects nobody while a member is stopped.
STEADY = {'electionTimeoutMillis': 10_000, 'chainingAllowed': False}

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = 'pace'
        MIGRATION_PACE = {pace}

    migrations = Migrations.create_task()
"""

UP = """
    import migopy

    def up(db):
        migopy.update_each(db.notes, change)

    def change(note):
        return {'$set': {'n': note.get('n', 0) + 1}}
"""

#: The oplog of a new set is short once it is full, which is not what is measured.
PACES = {
    'full': "'full'",
    'careful': f'migopy.Pace(max_lag={LIMIT}, min_oplog_hours=None)',
}


def measure(ground: Ground) -> None:
    """Run it on a set of three members on loopback, all quiet and one of them slow."""
    with (
        replica_set(members=3, **STEADY) as cluster,
        MongoClient(cluster.uri) as client,
    ):
        projects = {
            name: ground.project(
                f'pace_{name}',
                FABFILE.replace('{pace}', pace),
                {'1_notes.py': UP},
                cluster.uri,
            )
            for name, pace in PACES.items()
        }
        _quiet(projects, client, max(5, ground.rounds // 2))
        _slowed(projects, client, cluster)


def _quiet(projects: dict[str, Path], client: MongoClient[Any], rounds: int) -> None:
    _fill(client, QUIET)
    runs = interleaved(
        rounds,
        {name: partial(_run, project, client) for name, project in projects.items()},
    )
    rows = [
        [
            name,
            milliseconds(typical(runs[name], wall)),
            f'{ratio(runs[name], runs["full"], wall):.3f}',
            f'{ratio(runs[name], runs["full"], cpu):.3f}',
        ]
        for name in projects
    ]
    head = ['pace', 'median', 'wall to full', 'CPU to full']
    table(f'update_each of {QUIET:,}, nobody behind, {rounds} pairs', head, rows)


def _slowed(
    projects: dict[str, Path], client: MongoClient[Any], cluster: ReplicaSet
) -> None:
    primary = cluster.primary()
    member = next(each for each in cluster.members if each is not primary)
    rows = []
    for name, project in projects.items():
        _fill(client, SLOWED)
        with _slow(member), _lags(client, member) as lags:
            sample = _run(project, client)
        rows.append(
            [
                name,
                f'{SLOWED / sample.wall:,.0f}/s',
                f'{max(lags):.0f} s',
                f'{sum(lag > LIMIT for lag in lags) / len(lags):.0%}',
            ]
        )
    head = ['pace', 'documents', 'most behind', f'time beyond {LIMIT} s']
    share = WORKS / (WORKS + STOPPED)
    title = f'update_each of {SLOWED:,}, a secondary that runs {share:.0%} of the time'
    table(title, head, rows)


def _run(project: Path, client: MongoClient[Any]) -> Sample:
    for name in ('migrations', 'migrations_history'):
        client.pace[name].delete_many({})
    return fab(project, 'migrations:execute')


def _fill(client: MongoClient[Any], count: int) -> None:
    """Fill the collection anew, on all members."""
    client.drop_database('pace')
    notes = client.pace.notes
    for start in range(0, count, 10_000):
        notes.insert_many({'_id': start + n, 'text': 'x' * 100} for n in range(10_000))
    while _behind(client, None) > 0:
        client.pace.other.insert_one({})


def _behind(client: MongoClient[Any], member: Server | None) -> float:
    """Give the seconds that a member is behind the primary, or the last of all."""
    members = client.admin.command('replSetGetStatus')['members']
    [primary] = [each for each in members if each['stateStr'] == 'PRIMARY']
    return max(
        (primary['optimeDate'] - each['optimeDate']).total_seconds()
        for each in members
        if member is None or each['name'].endswith(f':{member.port}')
    )


@contextlib.contextmanager
def _slow(member: Server) -> Iterator[None]:
    """Have a member run for a moment of each second, in the block."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            member.suspend()
            over.wait(STOPPED)
            member.wake()
            over.wait(WORKS)

    with _beside(work, over):
        yield


@contextlib.contextmanager
def _lags(client: MongoClient[Any], member: Server) -> Iterator[list[float]]:
    """Look in the block, again and again, how far a member is behind."""
    over = threading.Event()
    lags = [0.0]

    def look() -> None:
        while not over.wait(LOOK_EVERY):
            lags.append(_behind(client, member))

    with _beside(look, over):
        yield lags


@contextlib.contextmanager
def _beside(work: Any, over: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
