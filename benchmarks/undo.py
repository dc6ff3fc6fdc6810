"""What images cost: a migration with them beside the same one without, and the undo."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from benchmarks.ground import Ground
from benchmarks.measuring import (
    Sample,
    fab,
    interleaved,
    megabytes,
    milliseconds,
    peak,
    ratio,
    table,
    typical,
    wall,
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
    """Execute each with images and without, and roll back those with them."""
    files, has_images = {}, {}
    for name, text in (('1_transaction', BULK), ('2_update_each', EACH)):
        for images in (False, True):
            file = f'{name}{"_undo" if images else ""}.py'
            files[file] = text.replace('IMAGES', str(images))
            has_images[file] = images
    project = ground.project('undo', FABFILE, files)
    with MongoClient(ground.uri) as client:
        stored: dict[str, tuple[int, int]] = {}
        cases = {}
        for file, images in has_images.items():
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
                milliseconds(typical(samples, wall)),
                f'{ratio(samples, without, wall):.2f}',
                f'{ratio(samples, without, peak):.2f}',
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
