"""Many databases: `execute` with 1, 4 and 8 workers, and status, with their floors."""

from __future__ import annotations

from pymongo import MongoClient

from benchmarks.ground import Ground
from benchmarks.measuring import Sample, fab, megabytes, milliseconds, table

#: Databases, few and many, by which one sees whether memory grows with their number.
FEW, MANY = 100, 1000

WORKERS = (1, 4, 8)

STEPS = 5

STEP = '''"""Write one document."""


def up(db):
    db.notes.insert_one({'step': 1})


def down(db):
    db.notes.delete_one({'step': 1})
'''

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASES = ['{database}_%04d' % number for number in range(COUNT)]

    migrations = Migrations.create_task()
"""

#: What the server alone takes for the collections and indexes of new databases, and for
#: two queries in each.
FLOOR = """
    import atexit
    import pymongo
    from pymongo.synchronous import monitor

    atexit.unregister(monitor._shutdown_resources)
    client = pymongo.MongoClient('{uri}')
    names = ['{database}_%04d' % number for number in range(COUNT)]

    def make():
        for name in names:
            db = client[name]
            db.notes.insert_one({})
            db.migrations.create_index('name', unique=True)
            db.migrations_history.create_index('unsettled')
            db.create_collection('migrations_lock')

    def find():
        for name in names:
            list(client[name].migrations.find())
            list(client[name].migrations_history.find({'unsettled': True}))
"""


def measure(ground: Ground) -> None:
    """Migrate few and many databases, and ask for their status."""
    steps = {f'{number:03}_step.py': STEP for number in range(1, STEPS + 1)}
    rows, shown = [], []
    for count in (FEW, MANY):
        name = f'fleet{count}'
        text = FABFILE.replace('COUNT', str(count))
        project = ground.project(name, text, steps)
        floor = ground.project(f'made{count}', FLOOR.replace('COUNT', str(count)))
        made = fab(floor, 'make')
        found = fab(floor, 'find')
        empty(ground.uri, f'made{count}')
        for workers in WORKERS:
            empty(ground.uri, name)
            sample = fab(project, f'migrations:execute,workers={workers}')
            rows.append(row(count, workers, sample, made))
        status = fab(project, 'migrations')
        shown.append(
            [
                f'{count:,}',
                milliseconds(status.wall),
                milliseconds(found.wall),
                megabytes(status.peak),
            ]
        )
        empty(ground.uri, name)
    head = ['databases', 'workers', 'in all', 'databases a second', 'peak']
    table(
        f'{STEPS} migrations in each of many new databases',
        [*head, 'their collections alone'],
        rows,
    )
    table(
        'Status of many databases that are up to date',
        ['databases', 'fab migrations', 'two queries in each', 'peak'],
        shown,
    )


def row(count: int, workers: int, sample: Sample, made: Sample) -> list[str]:
    """Set one run in a row."""
    return [
        f'{count:,}',
        str(workers),
        milliseconds(sample.wall),
        f'{count / sample.wall:.1f}',
        megabytes(sample.peak),
        milliseconds(made.wall),
    ]


def empty(uri: str, name: str) -> None:
    """Drop a project's databases."""
    with MongoClient(uri) as client:
        for database in client.list_database_names():
            if database.startswith(f'{name}_'):
                client.drop_database(database)
