"""What is read in a file before it runs: each finding, and what nearly is one."""

from __future__ import annotations

import json
import os
import tempfile
import textwrap
import unittest
from collections.abc import Mapping
from typing import Any

from migopy.commands import FabSpelling
from migopy.files import Migration
from migopy.files.creating import TEMPLATE
from migopy.preflight import Finding, Recorder, Server, Sightings, Tried
from migopy.preflight.checked_file import CheckedFile
from migopy.preflight.checked_step import CheckedStep
from migopy.preflight.file_checks import check, source_of, without_allowed
from migopy.preflight.kinds import shard_keys
from migopy.tell import Voice
from migopy.tell.preflight_findings import tell_foreseen
from migopy.tell.voice import KeptLines

SIZES = {'users': 12_000, 'settings': 1, 'empty': 0}


def size_of(name: str | None) -> int | None:
    """Give the number of documents of a collection."""
    return SIZES.get(name or '')


class FileTest(unittest.TestCase):
    """A file, read by itself."""

    def found(
        self,
        text: str,
        in_transaction: bool = False,
        is_tried: bool = False,
        direction: str = 'up',
    ) -> list[tuple[str, int]]:
        """Give the names and lines of what is found; `up` begins in line 1."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, '001_x.py')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(textwrap.dedent(text).lstrip())
            source = source_of(Migration('001_x.py', 1, folder), direction)
        assert source is not None
        size = SIZES.get
        checked = CheckedFile(
            source, in_transaction, lambda name: size(name or ''), is_tried
        )
        findings = without_allowed(source, check(checked))
        for each in findings:
            self.assertEqual((each.seen, each.migration), ('file', '001_x.py'))
        return [(each.name, each.line) for each in findings]

    def body(self, body: str, **options: bool) -> list[tuple[str, int]]:
        """Give what is found in the body of an `up`, whose lines count from 2."""
        lines = textwrap.indent(textwrap.dedent(body).strip(), '    ')
        return self.found(f'def up(db):\n{lines}\n', **options)

    def nothing(self, *bodies: str) -> None:
        """Find nothing in any of several bodies."""
        for body in bodies:
            with self.subTest(body):
                self.assertEqual(self.body(body), [])


class EmptyFilterTest(FileTest):
    def test_all_and_whichever_comes_first(self) -> None:
        for body in (
            'db.users.delete_many({})',
            "db['users'].delete_many(filter={})",
            'db.users.remove({})',
            "db.users.update_one({}, {'$set': {'a': 1}})",
            'db.users.find_one_and_delete({})',
            "db.get_collection('users').replace_one({}, {})",
            'users = db.users.with_options()\nusers.delete_many({})',
            'users: Collection = db.users\nusers.delete_many({})',
            "getattr(db, 'users').delete_many({})",
            '(users := db.users).delete_many({})',
            'if (users := db.users).find_one():\n    users.delete_many({})',
        ):
            with self.subTest(body):
                [(name, line)] = self.body(body)
                self.assertEqual(name, 'empty-filter')
                self.assertEqual(line, body.count('\n') + 2)

    def test_what_is_none(self) -> None:
        self.nothing(
            "db.users.delete_many({'a': 1})",
            "db.users.update_many({}, {'$set': {'a': 1}})",
            "db.settings.update_one({}, {'$set': {'a': 1}})",
            'db.empty.delete_many({})',
            'db.nowhere.delete_many({})',
            'db.users.delete_many({})\ndb.users.insert_many([{}])',
            'for name in names:\n    db[name].delete_many({})',
            'known.remove({})',
            'users = db.users\nusers = {}\nusers.remove({})',
        )

    def test_of_the_other_direction(self) -> None:
        text = """
            def up(db):
                db.users.find()

            def down(db):
                db.users.delete_many({})
            """
        self.assertEqual(self.found(text), [])
        self.assertEqual(self.found(text, direction='down'), [('empty-filter', 5)])


class EmptyUpTest(FileTest):
    def test_it_is_told(self) -> None:
        template = TEMPLATE.replace('{title}', 'Add an index')
        self.assertEqual(self.found(template), [('empty-up', 8)])
        for text in (
            'def up(db): pass',
            'def up(db): ...',
            'async def up(db):\n    pass\n',
            'class Migration:\n    def upgrade(self): pass\n',
        ):
            with self.subTest(text):
                self.assertEqual([name for name, _ in self.found(text)], ['empty-up'])
        allowed = 'def up(db): pass  # migopy: allow=empty-up a place is kept'
        self.assertEqual(self.found(allowed), [])

    def test_what_is_none(self) -> None:
        for text in (
            'def up(db): db.users.drop_index("a_1")',
            'def up(db): return None',
            'from other import up',
        ):
            with self.subTest(text):
                self.assertEqual(self.found(text), [])
        down = 'def up(db): pass\n\n\ndef down(db): pass\n'
        self.assertEqual(self.found(down, direction='down'), [])


class NoWayBackTest(FileTest):
    DROPS = 'def up(db):\n    db.users.drop()\n\n\n'

    def test_no_down_and_one_that_does_nothing(self) -> None:
        for text in (
            self.DROPS,
            f'{self.DROPS}def down(db):\n    pass\n',
            f'{self.DROPS}def down(db):\n    """Nothing to do."""\n',
            "def up(db):\n    db.drop_collection('users')\n",
            'class Migration:\n    def upgrade(self): self.db.users.drop()\n',
        ):
            with self.subTest(text):
                self.assertEqual(self.found(text), [('no-way-back', 2)])

    def test_what_is_none(self) -> None:
        for text in (
            f"{self.DROPS}def down(db):\n    raise ValueError('no way back')\n",
            f'{self.DROPS}def down(db):\n    db.users.insert_one({{}})\n',
            'def up(db):\n    db.empty.drop()\n',
            'def up(db):\n    db.nowhere.drop()\n',
            "def up(db):\n    frame.drop('users')\n",
            "def up(db):\n    db.users.drop_index('a_1')\n",
        ):
            with self.subTest(text):
                self.assertEqual(self.found(text), [])


class ConcernTest(FileTest):
    def test_writes_that_may_be_lost(self) -> None:
        for body in (
            'db.users.with_options(write_concern=WriteConcern(w=0))',
            'WriteConcern(0)',
            'pymongo.WriteConcern(w=1)',
            'db.users.insert({}, w=0)',
        ):
            with self.subTest(body):
                self.assertEqual(self.body(body), [('write-concern', 2)])

    def test_what_is_none(self) -> None:
        self.nothing(
            "WriteConcern(w='majority')",
            'WriteConcern(wtimeout=0)',
            'WriteConcern(w=number)',
            'plot.insert({}, w=1)',
            'draw(w=1)',
        )


class LocalTimeTest(FileTest):
    def test_times_that_are_given_to_the_database(self) -> None:
        for body in (
            "db.users.update_one({'a': 1}, {'$set': {'at': datetime.now()}})",
            "db.users.insert_one({'at': datetime.datetime.now()})",
            "now = datetime.now()\ndb.users.insert_one({'at': now})",
            "now: datetime = datetime.now()\ndb.users.insert_one({'at': now})",
            "print(now := datetime.now())\ndb.users.insert_one({'at': now})",
            "changes = [UpdateOne({}, {'$set': {'at': datetime.now()}})]",
            "db.users.delete_many({'at': {'$lt': datetime.now() - timedelta(1)}})",
        ):
            with self.subTest(body):
                self.assertEqual(self.body(body), [('local-time', 2)])

    def test_what_is_none(self) -> None:
        self.nothing(
            "db.users.insert_one({'at': datetime.now(timezone.utc)})",
            "db.users.insert_one({'at': datetime.now(tz=utc)})",
            "db.users.insert_one({'at': datetime.utcnow()})",
            "db.users.insert_one({'at': datetime.now().isoformat()})",
            "db.users.insert_one({'at': datetime.now().astimezone()})",
            "db.users.insert_one({'took': (datetime.now() - begun).seconds})",
            "db.users.insert_one({'note': f'{datetime.now()}'})",
            'print(datetime.now())',
            'begun = datetime.now()\ndb.users.insert_one({})\nprint(begun)',
        )


class MeansTest(FileTest):
    """What a file works with."""

    def test_javascript(self) -> None:
        self.assertEqual(
            self.body("db.users.find({\n    '$where': 'this.a > this.b'\n})"),
            [('where', 3)],
        )
        self.nothing("print('$where')", "db.users.find({'a': '$where'})")

    def test_cursors_that_do_not_time_out(self) -> None:
        for body in (
            'db.users.find({}, no_cursor_timeout=True)',
            'db.users.find(timeout=False)',
        ):
            self.assertEqual(self.body(body), [('cursor-timeout', 2)])
        self.nothing(
            'db.users.find({}, no_cursor_timeout=False)', 'soup.find(timeout=False)'
        )

    def test_clients(self) -> None:
        self.assertEqual(self.body("MongoClient('a').b.c"), [('own-client', 2)])
        self.assertEqual(
            self.found(
                """
                from mongoengine import connect

                connect('shop')

                def up(db): db.users.find()
                """
            ),
            [('own-client', 3)],
        )
        self.nothing('connect()', 'db.client.other.users.find()')
        self.assertEqual(
            self.found(
                """
                def up(db): db.users.find()

                if __name__ == '__main__':
                    up(MongoClient().shop)
                """
            ),
            [],
        )

    def test_threads(self) -> None:
        futures = 'from concurrent.futures import ThreadPoolExecutor\n'
        for text, line in (
            ('import threading\n\ndef up(db): threading.Thread(target=f).start()', 3),
            (f'{futures}def up(db): ThreadPoolExecutor().submit(f)\n', 2),
            (f'{futures}def up(db):\n    ThreadPoolExecutor().map(f, db)\n', 3),
            ('import multiprocessing as m\ndef up(db): multiprocessing.Pool(2)', 2),
        ):
            with self.subTest(text):
                self.assertEqual(self.found(text), [('threads', line)])
        for text in (
            f'{futures}def up(db): list(ThreadPoolExecutor().map(f, db))\n',
            f'{futures}def up(db): ThreadPoolExecutor().submit(f).result()\n',
            'def up(db): Pool(2)\n',
            'def up(db): Thread(db)\n',
        ):
            with self.subTest(text):
                self.assertEqual(self.found(text), [])

    def test_under_other_names(self) -> None:
        for text, name in (
            ('from pymongo import MongoClient as C\ndef up(db): C()', 'own-client'),
            ('from threading import Thread as T\ndef up(db): T(db)', 'threads'),
            ('import multiprocessing as m\ndef up(db): m.Pool(2)', 'threads'),
            (
                'from datetime import datetime as d\n'
                "def up(db): db.users.insert_one({'at': d.now()})",
                'local-time',
            ),
        ):
            with self.subTest(text):
                self.assertEqual(self.found(text), [(name, 2)])
        self.assertEqual(
            self.found('from shop import Thing as Thread\ndef up(db): Thread(db)'), []
        )

    def test_what_a_transaction_refuses_is_a_problem(self) -> None:
        body = 'MongoClient()\nthreading.Thread()'
        with tempfile.TemporaryDirectory() as folder:
            migration = Migration('001_x.py', 1, folder)
            with open(migration.path, 'w', encoding='utf-8') as file:
                file.write(body)
            source = source_of(migration, 'up')
        assert source is not None
        for inside, grave in ((True, 'problem'), (False, 'notice')):
            found = check(CheckedFile(source, inside, lambda name: None, True))
            self.assertEqual([each.severity for each in found], [grave] * 2)


class LoopTest(FileTest):
    """A loop that no dry run has counted."""

    LOOP = """
        for user in db.users.find():
            db.users.update_one({'_id': user['_id']}, {'$set': {'a': 1}})
        """

    def test_over_a_large_collection(self) -> None:
        self.assertEqual(self.body(self.LOOP), [('write-per-document', 3)])
        self.assertEqual(self.body(self.LOOP, is_tried=True), [])

    def test_what_is_none(self) -> None:
        self.nothing(
            self.LOOP.replace('find()', "find({'a': 1})"),
            self.LOOP.replace('db.users.find', 'db.settings.find'),
            self.LOOP.replace('db.users.find()', 'names'),
            self.LOOP.replace('update_one', 'find_one'),
        )


class AllowTest(FileTest):
    """`# migopy: allow=NAME reason`."""

    def test_on_the_line_and_on_its_statement(self) -> None:
        self.nothing(
            'db.users.delete_many({})  # migopy: allow=empty-filter they were a trial',
            """
            db.users.delete_many(
                {}
            )  # migopy: allow=empty-filter they were a trial
            """,
            """
            db.users.delete_many(  # noqa, migopy: allow=empty-filter: a trial
                {}
            )
            """,
        )

    def test_what_allows_nothing(self) -> None:
        for body, names in (
            (
                '# migopy: allow=empty-filter another line\ndb.users.delete_many({})',
                ['empty-filter'],
            ),
            (
                'db.users.delete_many({})  # migopy: allow=where another name',
                ['empty-filter'],
            ),
            (
                'db.users.delete_many({})  # migopy: allow=empty-filter',
                ['allow', 'empty-filter'],
            ),
            (
                'db.users.delete_many({})  # migopy: allow=emptyfilter for a reason',
                ['allow', 'empty-filter'],
            ),
            (
                "db.users.delete_many({}), '# migopy: allow=empty-filter a text'",
                ['empty-filter'],
            ),
        ):
            with self.subTest(body):
                found = sorted(name for name, _ in self.body(body))
                self.assertEqual(found, names)

    def test_a_file_that_cannot_be_parsed(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            migration = Migration('001_x.py', 1, folder)
            # Python compiles the last one, and looking through it goes too deep.
            deep = b'def up(db):\n    db.a.insert_one({"x": ' + b'1 + ' * 900 + b'1})\n'
            compile(deep, 'deep', 'exec')
            for content in (b'def up(', b'\x00', '# é\n'.encode('latin-1'), deep):
                with open(migration.path, 'wb') as file:
                    file.write(content)
                self.assertIsNone(source_of(migration, 'up'))


class Router(Server):
    """A router with one sharded collection, which there is none of to be had."""

    def __init__(self, *version: int) -> None:
        super().__init__(None, 'shop')
        self._version = version

    def ask(self, database: str, command: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer what is asked of a router."""
        if 'hello' in command:
            return {'msg': 'isdbgrid'}
        if 'buildInfo' in command:
            return {'versionArray': list(self._version)}
        [match] = command['pipeline']
        known: list[dict[str, Any]] = [
            {'_id': 'shop.users', 'key': {'country': 1}},
            {'_id': 'shop.moved', 'key': {'_id': 1}, 'unsplittable': True},
            {'_id': 'shop.gone', 'key': {'country': 1}, 'dropped': True},
        ]
        rows = [each for each in known if match['$match']['_id'] == each['_id']]
        return {'cursor': {'firstBatch': rows}}


class ShardKeyTest(unittest.TestCase):
    def severities(self, command: dict[str, Any], *version: int) -> list[str]:
        sightings = Sightings('001_x.py', '/x/001_x.py')
        sightings.saw(next(iter(command)), 'shop', command)
        step = CheckedStep(Router(*version), Tried(sightings, False))
        return [each.severity for each in shard_keys(step)]

    def test_updates_and_deletes(self) -> None:
        by_name: dict[str, Any] = {'q': {'name': 'x'}, 'u': {}}
        one = {'update': 'users', 'updates': [by_name]}
        self.assertEqual(self.severities(one, 6, 0), ['problem'])
        self.assertEqual(self.severities(one, 7, 0), ['notice'])
        many = {'update': 'users', 'updates': [{**by_name, 'multi': True}]}
        self.assertEqual(self.severities(many, 6, 0), ['notice'])
        delete = {'delete': 'users', 'deletes': [{'q': {'name': 'x'}, 'limit': 0}]}
        self.assertEqual(self.severities(delete, 6, 0), ['notice'])
        for fits in (
            {'update': 'users', 'updates': [{'q': {'country': 'CH', 'a': 1}}]},
            {'update': 'plans', 'updates': [by_name]},
            {'update': 'moved', 'updates': [by_name]},
            {'update': 'gone', 'updates': [by_name]},
            {'insert': 'users', 'documents': [{}]},
        ):
            with self.subTest(fits):
                self.assertEqual(self.severities(fits, 6, 0), [])


class FormTest(unittest.TestCase):
    def test_json_is_whole_whatever_a_name_has_in_it(self) -> None:
        what = 'a\x1b\x9b\u202e\ud800é'
        found = Finding('name', 'notice', 'server', '001_x.py', '001_x.py', 1, what)
        logger = KeptLines()
        tell_foreseen(Voice(logger), FabSpelling(), ['001_x.py'], [found], 'json')
        [said] = logger.said
        self.assertNotRegex(said, '[\x1b\x9b\u202e\ud800]')
        self.assertEqual(json.loads(said)[0]['what'], what)


class RecorderTest(unittest.TestCase):
    """Commands as they are shown to who is to agree to them."""

    def test_a_type_of_the_project_s_own_is_counted_and_left_out(self) -> None:
        recorder = Recorder(values=True)
        for value in (1, object()):
            recorder.saw('insert', 'shop', {'insert': 'a', 'documents': [{'a': value}]})
        self.assertEqual((recorder.count, recorder.left_out), (2, 1))
        self.assertEqual(len(recorder.commands), 1)
