"""A rehearsal, beside a dump of the same database and its restore to another server."""

from __future__ import annotations

import os
import shutil
from typing import Any

from pymongo import MongoClient

from benchmarks.ground import Ground
from benchmarks.measuring import (
    Sample,
    fab,
    megabytes,
    milliseconds,
    ratio,
    table,
    typical,
    wall,
)
from tests.server import replica_set

#: Collections, documents in each, and bytes of each: 300 MB.
COLLECTIONS, DOCUMENTS, BYTES = 5, 60_000, 1_000

#: Documents in one insert: this process is to stay smaller than what it measures.
BATCH = 500

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = 'rehearse'
        MONGO_DUMP_DIRECTORY = '{dumps}'

    migrations = Migrations.create_task()
"""

#: One document in each hundred is changed, and is as before then.
MIGRATION = """
    def up(db):
        db.c0.update_many({'n': {'$mod': [100, 0]}}, {'$set': {'seen': True}})

    def down(db):
        db.c0.update_many({}, {'$unset': {'seen': ''}})
"""


def measure(ground: Ground) -> None:
    """Rehearse, dump and restore one database, by turns."""
    dumps = ground.folder / 'rehearse_dumps'
    fabfile = FABFILE.replace('{dumps}', str(dumps))
    files = {'001_seen.py': MIGRATION}
    here = ground.project('rehearse', fabfile, files)
    rehearsals: list[Sample] = []
    dumpings: list[Sample] = []
    restores: list[Sample] = []
    with replica_set(members=1) as scratch, MongoClient[Any](ground.uri) as client:
        uri = scratch.members[0].uri
        there = ground.project('rehearse_scratch', fabfile, files, uri)
        size = _fill(client)
        for _ in range(max(1, ground.rounds // 5)):
            rehearsals.append(fab(here, 'migrations:rehearse'))
            dumpings.append(fab(here, 'migrations:dbdump'))
            [name] = (each for each in os.listdir(dumps) if each.endswith('_rehearse'))
            restores.append(fab(there, f'migrations:dbrestore,{name},yes=yes'))
            shutil.rmtree(dumps)
            with MongoClient[Any](uri) as other:
                other.drop_database('rehearse')
        client.drop_database('rehearse')
    both = [_sum(*each) for each in zip(dumpings, restores)]
    table(
        f'rehearse of one migration with a down on {megabytes(size)}',
        # No CPU: that of the rehearsal's own mongod is in it, of the others' is not.
        ['rehearse', 'dbdump', 'dbrestore', 'ratio'],
        [
            [
                milliseconds(typical(rehearsals, wall)),
                milliseconds(typical(dumpings, wall)),
                milliseconds(typical(restores, wall)),
                f'{ratio(rehearsals, both, wall):.2f}',
            ]
        ],
    )


def _sum(one: Sample, other: Sample) -> Sample:
    peak = max(one.peak, other.peak)
    return Sample(one.wall + other.wall, one.cpu + other.cpu, peak)


def _fill(client: MongoClient[Any]) -> int:
    """Make the database; give its bytes."""
    for collection in range(COLLECTIONS):
        for start in range(0, DOCUMENTS, BATCH):
            client.rehearse[f'c{collection}'].insert_many(
                # Of random text no server makes less.
                {'n': n, 'text': os.urandom(BYTES // 2).hex()}
                for n in range(start, start + BATCH)
            )
        client.rehearse[f'c{collection}'].create_index('n')
    return int(client.rehearse.command('dbStats')['dataSize'])
