"""A rehearsal, beside a dump of the same database and its restore to another server."""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path
from statistics import median
from typing import Any

from pymongo import MongoClient

from benchmarks.ground import Ground
from benchmarks.measuring import Sample, fab, megabytes, milliseconds, ratio, table
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
    """Measure in pairs, on the same database one after the other."""
    uri = ground.server.members[0].uri
    dumps = ground.folder / 'rehearse_dumps'
    here = _project(ground.folder / 'rehearse', uri, dumps)
    pairs: list[tuple[Sample, Sample, Sample]] = []
    with replica_set(members=1) as scratch, MongoClient[Any](uri) as client:
        there = _project(
            ground.folder / 'rehearse_scratch', scratch.members[0].uri, dumps
        )
        size = _fill(client)
        for _ in range(max(1, ground.rounds // 5)):
            rehearsed = fab(here, 'migrations:rehearse')
            dumped = fab(here, 'migrations:dbdump')
            [name] = (each for each in os.listdir(dumps) if each.endswith('_rehearse'))
            restored = fab(there, f'migrations:dbrestore,{name},yes=yes')
            pairs.append((rehearsed, dumped, restored))
            shutil.rmtree(dumps)
            with MongoClient[Any](scratch.members[0].uri) as other:
                other.drop_database('rehearse')
        client.drop_database('rehearse')
    both = [_sum(dumped, restored) for _, dumped, restored in pairs]
    rehearsals = [rehearsed for rehearsed, _, _ in pairs]
    table(
        f'rehearse of one migration with a down on {megabytes(size)}',
        # No CPU: that of the rehearsal's own mongod is in it, of the others' is not.
        ['rehearse', 'dbdump', 'dbrestore', 'ratio'],
        [
            [
                milliseconds(median(each.wall for each in rehearsals)),
                milliseconds(median(each.wall for _, each, _ in pairs)),
                milliseconds(median(each.wall for _, _, each in pairs)),
                f'{ratio(rehearsals, both, lambda each: each.wall):.2f}',
            ]
        ],
    )


def _sum(one: Sample, other: Sample) -> Sample:
    peak = max(one.peak, other.peak)
    return Sample(one.wall + other.wall, one.cpu + other.cpu, peak)


def _project(folder: Path, uri: str, dumps: Path) -> Path:
    steps = folder / 'mongomigrations'
    steps.mkdir(parents=True)
    fabfile = textwrap.dedent(FABFILE).replace('{uri}', uri)
    (folder / 'fabfile.py').write_text(fabfile.replace('{dumps}', str(dumps)))
    (steps / '001_seen.py').write_text(textwrap.dedent(MIGRATION))
    return folder


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
