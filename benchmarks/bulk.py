"""Dumps and the way back, work far away, and the `db` that a migration gets.

Each is measured beside the least that it can cost, and beside MongoDB's own tools where
they are installed.
"""

from __future__ import annotations

import textwrap
from functools import partial
from pathlib import Path
from statistics import median

from pymongo import MongoClient

from benchmarks.ground import FABFILE, Ground
from benchmarks.measuring import (
    Sample,
    cpu,
    fab,
    interleaved,
    megabytes,
    milliseconds,
    peak,
    ratio,
    table,
    timed,
    tool,
    typical,
    wall,
)
from tests.faults.proxy import DelayedLine

#: Seconds that a message takes each way to a server far away.
WAY = 0.02

#: Documents that are changed far away, and those inserted one by one.
FAR = 40_000
LOOP = 20_000

#: The least that the way back of a dump can cost: its bytes, inserted by the megabyte.
LOADER = """
    import atexit, sys
    import pymongo
    from bson.raw_bson import RawBSONDocument
    from pymongo.synchronous import monitor

    atexit.unregister(monitor._shutdown_resources)
    client = pymongo.MongoClient('{uri}')
    client.drop_database('loaded')
    concern = pymongo.WriteConcern('majority')
    loaded = client.loaded.get_collection('cities', write_concern=concern)

    def insert(batch):
        loaded.insert_many([RawBSONDocument(document) for document in batch])

    batch, size = [], 0
    with open(sys.argv[1], 'rb') as file:
        while head := file.read(4):
            document = head + file.read(int.from_bytes(head, 'little') - 4)
            batch.append(document)
            size += len(document)
            if size > 1024 * 1024:
                insert(batch)
                batch, size = [], 0
    insert(batch)
    client.close()
"""

#: The same loop with the `db` of a migration and with PyMongo's, in one process, by
#: turns: CPU of this thread alone, and so that what else the machine does counts less.
INSERTS = """
    import time
    import pymongo

    def up(db):
        one = pymongo.WriteConcern(1)
        ours = db.get_collection('inserted', write_concern=one)
        client = pymongo.MongoClient('{uri}')
        plain = client[db.name].get_collection('inserted', write_concern=one)
        took = []
        for _ in range(LOOP // 500):
            took.append([insert(ours), insert(plain)])
        print('ratios', *[one / other for one, other in took[1:]])
        print('microseconds', *[one / 500 * 1e6 for one, _ in took[1:]])

    def insert(collection):
        began = time.thread_time()
        for number in range(500):
            collection.insert_one({'number': number, 'name': 'a name'})
        return time.thread_time() - began
"""

CHANGE = """
    def change(city):
        place = [city['longitude'], city['latitude']]
        point = {'type': 'Point', 'coordinates': place}
        return {'$set': {'location': point},
                '$unset': {'longitude': '', 'latitude': ''}}
"""

BY_HAND = """
    from pymongo import UpdateOne

    def up(db):
        bulk = []
        for city in db.cities.find():
            bulk.append(UpdateOne({'_id': city['_id']}, change(city)))
            if len(bulk) == 1000:
                db.cities.bulk_write(bulk, ordered=False)
                bulk = []
        if bulk:
            db.cities.bulk_write(bulk, ordered=False)
"""

EACH = """
    import migopy

    def up(db):
        migopy.update_each(db.cities, change{options})
"""

#: What is done far away.
FAR_AWAY = {
    '0_nothing.py': 'def up(db):\n    pass\n',
    '1_by_hand.py': BY_HAND + CHANGE,
    '2_update_each.py': EACH.replace('{options}', '') + CHANGE,
    '3_larger_batches.py': EACH.replace('{options}', ', batch_size=10_000') + CHANGE,
}


def dump(ground: Ground) -> None:
    """`dbdump` and `dbrestore` of the cities, against what is least, and the tools."""
    project = ground.project('dumped', FABFILE.replace('{database}', 'cities'))
    ground.load_cities()
    fab(ground.floor, 'reset')
    fab(project, 'migrations:dbdump')
    (made,) = (project / 'mongodumps').glob('*_cities')
    size = sum(file.stat().st_size for file in made.rglob('*') if file.is_file())
    (project / 'load.py').write_text(
        textwrap.dedent(LOADER).replace('{uri}', ground.uri)
    )
    name, data = made.name, made / 'cities' / 'cities.bson'
    dumping = {
        'start': ground.find,
        'dbdump': partial(fab, project, 'migrations:dbdump'),
        'copy of the files': partial(ground.copied, made),
    }
    restoring = {
        'start': ground.find,
        'dbrestore': partial(fab, project, f'migrations:dbrestore,{name},yes=yes'),
        # One of the two collections, which are the same.
        'insert_many of half': partial(timed, 'python', project, 'load.py', str(data)),
    }
    uri = f'--uri={ground.uri}'
    if mongodump := tool('mongodump'):
        arguments = [uri, '--db=cities', '--quiet', f'--out={project}/tools']
        dumping['mongodump'] = partial(timed, mongodump, project, *arguments)
    if mongorestore := tool('mongorestore'):
        arguments = [uri, '--drop', '--quiet', '--nsInclude=cities.*']
        arguments += ['--nsFrom=cities.*', '--nsTo=restored.*', f'--dir={made}']
        restoring['mongorestore'] = partial(timed, mongorestore, project, *arguments)
    for title, cases in (
        (f'A dump of {megabytes(size)}', dumping),
        (f'The way back of {megabytes(size)}', restoring),
    ):
        runs = interleaved(max(1, ground.rounds // 5), cases)
        _tell(title, runs)
    for program in ('mongodump', 'mongorestore'):
        if not tool(program):
            print(f'{program} is not installed, so it is not measured.')


def far(ground: Ground) -> None:
    """Change some cities through a slow line, by hand and by `update_each`."""
    ground.load_cities()
    runs: dict[float, dict[str, list[Sample]]] = {}
    for seconds in (0.0, WAY):
        line = DelayedLine(ground.server.members[0].port, seconds)
        with line.running():
            project = ground.project(_far(seconds), FABFILE, FAR_AWAY, line.uri)
            cases = {
                name: partial(_changed_far, ground, project, name) for name in FAR_AWAY
            }
            runs[seconds] = interleaved(max(1, ground.rounds // 5), cases)
    each = {}
    for seconds, samples in runs.items():
        walls = {name: typical(samples[name], wall) for name in samples}
        for name in FAR_AWAY:
            each[seconds, name] = (walls[name] - walls['0_nothing.py']) / FAR
    rows = [
        [
            name,
            milliseconds(max(0.0, each[0.0, name])),
            milliseconds(max(0.0, each[WAY, name])),
            f'{each[WAY, name] / each[0.0, name]:.2f}',
            f'{each[WAY, name] / each[WAY, "1_by_hand.py"]:.2f}',
        ]
        for name in FAR_AWAY
        if name != '0_nothing.py'
    ]
    table(
        f'A change of {FAR:,} cities, {milliseconds(WAY)} away each way',
        ['migration', 'each, near', 'each, far', 'far to near', 'far to by hand'],
        rows,
    )


def db(ground: Ground) -> None:
    """CPU of a loop of `insert_one` with a migration's `db` against PyMongo's own."""
    text = INSERTS.replace('LOOP', str(LOOP))
    project = ground.project('inserting', FABFILE, {'1_insert.py': text})
    ratios, each = [], []
    for _ in range(max(1, ground.rounds // 5)):
        with MongoClient(ground.uri) as client:
            client.drop_database('inserting')
        timed('fab', project, 'migrations:execute')
        for line in (project / 'fab.log').read_text().splitlines():
            kind, *figures = line.split() or ['']
            if kind == 'ratios':
                ratios += map(float, figures)
            elif kind == 'microseconds':
                each += map(float, figures)
    table(
        'insert_one with the db of a migration',
        ['CPU each', "to PyMongo's own"],
        [[f'{median(each):.1f} µs', f'{median(ratios):.3f}']],
    )


def _far(seconds: float) -> str:
    """Name the project, and the database, of a server so far away."""
    return f'far_{round(seconds * 1000)}'


def _changed_far(ground: Ground, project: Path, name: str) -> Sample:
    """Execute one of the changes on some cities, as they were."""
    with MongoClient(ground.uri) as client:
        client.drop_database(project.name)
        some = [{'$limit': FAR}, {'$out': {'db': project.name, 'coll': 'cities'}}]
        client.cities.original.aggregate(some)
    # The line carries large pages through this process, which may be larger then than
    # `fab`: no peak is told.
    return timed('fab', project, f'migrations:execute,{name}')


def _tell(title: str, runs: dict[str, list[Sample]]) -> None:
    start = typical(runs['start'], wall)
    rows = []
    for name, samples in runs.items():
        whole = typical(samples, wall)
        rows.append(
            [
                name,
                milliseconds(whole),
                milliseconds(max(0.0, whole - start)),
                milliseconds(typical(samples, cpu)),
                f'{ratio(samples, runs["start"], peak):.2f}',
            ]
        )
    head = ['process', 'wall', 'beyond a start', 'CPU', 'peak to a start']
    table(title, head, rows)
