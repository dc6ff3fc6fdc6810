"""What images cost: a migration with them beside the same one without, and the undo."""

from __future__ import annotations

import textwrap
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from pymongo import MongoClient

from benchmarks.ground import Ground
from benchmarks.measuring import (
    Sample,
    fab,
    interleaved,
    megabytes,
    milliseconds,
    ratio,
    table,
)

#: Documents, of some 247 bytes.
DOCUMENTS = 200_000

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = 'undo'
        MIGRATION_PACE = 'full'

    migrations = Migrations.create_task()
"""

BULK = """
    import pymongo

    transaction = True
    undo = IMAGES

    def up(db):
        changes = [
            pymongo.UpdateOne({'_id': each['_id']}, {'$set': {'total': each['n'] * 2}})
            for each in db.a.find({}, ['n'])
        ]
        db.a.bulk_write(changes, ordered=False)
"""

EACH = """
    import migopy

    undo = IMAGES

    def up(db):
        migopy.update_each(db.a, lambda each: {'$set': {'total': each['n'] * 2}})
"""


def measure(ground: Ground) -> None:
    """Measure it."""
    uri = ground.server.members[0].uri
    project = ground.folder / 'undo'
    steps = project / 'mongomigrations'
    steps.mkdir(parents=True)
    fabfile = textwrap.dedent(FABFILE).replace('{uri}', uri)
    (project / 'fabfile.py').write_text(fabfile)
    files = {}
    for name, text in (('1_transaction', BULK), ('2_update_each', EACH)):
        for images in (False, True):
            file = f'{name}{"_undo" if images else ""}.py'
            source = textwrap.dedent(text).replace('IMAGES', str(images))
            (steps / file).write_text(source)
            files[file] = images
    with MongoClient(uri) as client:
        stored: dict[str, tuple[int, int]] = {}
        cases = {}
        for file, images in files.items():
            cases[file] = partial(executed, project, client, file, stored)
            if images:
                cases[f'rollback of {file}'] = partial(undone, project, file)
        runs = interleaved(max(1, ground.rounds // 5), cases)
    rows = []
    for name, samples in runs.items():
        without = runs.get(name.replace('_undo', ''), samples)
        size, kept = stored.get(name, (0, 0))
        rows.append(
            [
                name,
                milliseconds(median(each.wall for each in samples)),
                f'{ratio(samples, without, lambda each: each.wall):.2f}',
                f'{ratio(samples, without, lambda each: each.peak):.2f}',
                f'{kept / size:.2f}' if size else '-',
                megabytes(max(each.peak for each in samples)),
            ]
        )
    head = ['migration', 'in all', 'to without', 'its peak', 'stored', 'peak']
    table(f'{DOCUMENTS:,} updates with images', head, rows)


def executed(
    project: Path, client: MongoClient[Any], file: str, stored: dict[str, Any]
) -> Sample:
    """Execute a migration on documents as they were; note what is stored of it."""
    client.drop_database('undo')
    db = client.undo
    for start in range(0, DOCUMENTS, 1000):
        db.a.insert_many(
            {
                '_id': n,
                'n': n,
                'name': f'customer {n * 7919 % DOCUMENTS}',
                'email': f'{n * 104729 % DOCUMENTS}@example.org',
                'street': f'{n % 97} Long Road of the Town {n % 1013}',
                'tags': ['new', 'trusted', f'group {n % 11}'],
                'balance': n * 1.17,
            }
            for n in range(start, start + 1000)
        )
    size = db.command('collStats', 'a')['size']
    sample = fab(project, f'migrations:execute,{file}')
    kept = db.migrations_undo.find_one({'runs': {'$exists': True}}) or {}
    if kept:
        stored[file] = size, kept['stored']
    return sample


def undone(project: Path, file: str) -> Sample:
    """Roll the migration back that was executed last."""
    return fab(project, f'migrations:rollback,{file}')
