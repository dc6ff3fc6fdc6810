"""Whose effects are counted, on a real server: side by side, inside and outside."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable
from unittest import mock

from pymongo import AsyncMongoClient, InsertOne, MongoClient

from migopy.effects import EffectsListener, Recording, RefusedWrite
from tests.project import PlainTest
from tests.test_integrations.test_effects import EffectsTest

TOGETHER = 20


class SideBySideTest(EffectsTest):
    """Recordings in threads, all open at the same time."""

    def side_by_side(
        self, work: Callable[[Any, int], None], databases: list[str]
    ) -> list[str]:
        """Do the work in a thread for each database, and give the effects of each."""
        open_together = threading.Barrier(len(databases), timeout=60)

        def record(place: int) -> str:
            name = databases[place]
            with self.listener.recording(name) as effects:
                open_together.wait()
                work(self.watched[name], place)
                open_together.wait()
            return effects.describe(name)

        with ThreadPoolExecutor(len(databases)) as pool:
            return list(pool.map(record, range(len(databases))))

    def databases(self) -> list[str]:
        """Name databases that are dropped at the end of the test."""
        names = [f'{self.db.name}_{number}' for number in range(TOGETHER)]
        for name in names:
            self.addCleanup(self.client.drop_database, name)
        return names

    def plain(self, db: Any, place: int) -> None:
        for number in range(place + 1):
            db[f'notes_{place}'].insert_one({'number': number})
            with self.listener.own_work():
                db.migrations.insert_one({})
        db[f'notes_{place}'].update_many({}, {'$set': {'new': 1}})

    def in_transaction(self, db: Any, place: int) -> None:
        def work(session: Any) -> None:
            self.plain(db, place)

        with self.watched.start_session() as session:
            session.with_transaction(
                lambda session: self.bound(session, lambda: self.plain(db, place))
            )

    def bound(self, session: Any, work: Callable[[], None]) -> None:
        with session.bind(end_session=False):
            work()

    def in_own_pool(self, db: Any, place: int) -> None:
        """Write in a pool's threads, and in this one meanwhile."""
        with ThreadPoolExecutor(2) as pool:
            works = [
                pool.submit(db[f'notes_{place}'].insert_one, {}) for _ in range(place)
            ]
            db[f'notes_{place}'].insert_one({})
            for each in works:
                each.result()
        db[f'notes_{place}'].update_many({}, {'$set': {'new': 1}})

    def check_side_by_side(
        self, work: Callable[[Any, int], None], databases: list[str]
    ) -> None:
        told = self.side_by_side(work, databases)
        for text, place in zip(told, range(TOGETHER)):
            expected = f'notes_{place} {place + 1} inserted, {place + 1} updated'
            self.assertEqual(text, expected)

    def test_in_one_database(self) -> None:
        self.check_side_by_side(self.plain, [self.db.name] * TOGETHER)

    def test_in_databases_of_their_own(self) -> None:
        self.check_side_by_side(self.plain, self.databases())

    def test_in_transactions_in_one_database(self) -> None:
        for place in range(TOGETHER):
            self.db.create_collection(f'notes_{place}')
        self.db.create_collection('migrations')
        self.check_side_by_side(self.in_transaction, [self.db.name] * TOGETHER)

    def test_in_transactions_in_databases_of_their_own(self) -> None:
        names = self.databases()
        for place, name in enumerate(names):
            self.client[name].create_collection(f'notes_{place}')
            self.client[name].create_collection('migrations')
        self.check_side_by_side(self.in_transaction, names)

    def test_with_a_pool_of_threads_in_databases_of_their_own(self) -> None:
        self.check_side_by_side(self.in_own_pool, self.databases())

    def test_with_a_pool_of_threads_in_one_database(self) -> None:
        """Where Python does not tell who starts a thread, each says so."""
        told = self.side_by_side(self.in_own_pool, [self.db.name] * TOGETHER)
        for place, text in enumerate(told):
            own = f'notes_{place} {place + 1} inserted, {place + 1} updated'
            if sys.version_info >= (3, 12):
                self.assertEqual(text, own)
            else:
                self.assertIn("may be another migration's", text)


MIGRATION = """
    from meeting import meet
    {transaction}
    def up(db):
        {first}
        number = int(db.name.rpartition('_')[2])
        for _ in range(number + 1):
            db.notes.insert_one({{}})
        db.notes.update_many({{}}, {{'$set': {{'new': 1}}}})
        {last}
    """


class ManagersTest(PlainTest):
    """Managers in threads of one process, by what their histories say."""

    def setUp(self) -> None:
        super().setUp()
        self.names = [f'{self.db.name}_{number}' for number in range(TOGETHER)]
        for name in self.names:
            self.addCleanup(self.client.drop_database, name)
        # In the last one all meet: the steps of all are open at the same time.
        for number in range(1, 4):
            meet = 'meet()' if number == 3 else ''
            text = MIGRATION.format(
                transaction='transaction = True' if number == 2 else '',
                first=meet,
                last=meet,
            )
            self.migration(f'00{number}_a.py', text)

    def execute_together(self, managers: list[Any]) -> None:
        together = threading.Barrier(len(managers), timeout=60)
        meeting = mock.MagicMock(meet=together.wait)
        with (
            mock.patch.dict(sys.modules, meeting=meeting),
            ThreadPoolExecutor(len(managers)) as pool,
        ):
            for each in [pool.submit(each.execute) for each in managers]:
                each.result()

    def effects(self, name: str, collection: str = 'migrations') -> list[Any]:
        history = self.client[name][f'{collection}_history'].find()
        return [run['effects']['collections'] for run in history]

    def row(self, name: str, collection: str, count: int, updated: int) -> Any:
        return {
            'name': f'{name}.{collection}',
            'inserted': count,
            'matched': updated,
            'modified': count,
        }

    def test_twenty_with_databases_of_their_own(self) -> None:
        for name in self.names:
            self.client[name].create_collection('notes')
        self.execute_together(
            [self.manager(MONGO_DATABASE=name) for name in self.names]
        )
        for place, name in enumerate(self.names):
            count = place + 1
            rows = [self.row(name, 'notes', count, run * count) for run in (1, 2, 3)]
            self.assertEqual(self.effects(name), [[row] for row in rows])

    def test_two_with_one_database(self) -> None:
        """And registries of their own."""
        name = self.names[4]
        self.migration(
            '001_a.py',
            """
            def up(db):
                for _ in range(50):
                    db.notes.insert_one({})
            """,
        )
        settings: dict[str, Any] = {'MONGO_DATABASE': name, 'LOCK_TTL': 1}
        managers = [
            self.manager(**settings, MIGRATIONS_COLLECTION=registry)
            for registry in ('one', 'two')
        ]
        self.client[name].create_collection('notes')
        self.execute_together(managers)
        for registry in ('one', 'two'):
            inserted = [rows[0]['inserted'] for rows in self.effects(name, registry)]
            self.assertEqual(inserted, [50, 5, 5])
            for rows in self.effects(name, registry):
                self.assertEqual([row['name'] for row in rows], [f'{name}.notes'])


class KeptToTest(EffectsTest):
    """Writes that are refused before they are sent."""

    @contextlib.contextmanager
    def kept(self, strays: bool = False) -> Iterator[Recording]:
        """Bind a session, and keep to its transaction; it is aborted at the end."""
        session = self.watched.start_session()
        with (
            session,
            session.start_transaction(),
            self.listener.recording(self.db.name) as effects,
            session.bind(end_session=False),
            effects.kept_to(session.session_id, strays),
        ):
            yield effects
            session.abort_transaction()

    def check_refused(
        self, write: Callable[[Any], object], strays: bool = False
    ) -> None:
        before = self.db.cities.count_documents({})
        with self.kept(strays) as effects:
            db = self.watched[self.db.name]
            db.cities.insert_one({})
            with self.assertRaises(RefusedWrite):
                write(db)
            self.assertEqual(effects.outside.changes, {})
            self.assertEqual(effects.describe(self.db.name), 'cities 1 inserted')
            # The client goes on.
            db.cities.insert_one({})
        self.assertIsNotNone(effects.refused)
        self.assertEqual(self.db.cities.count_documents({}), before)
        self.assertFalse(effects.outside.wrote)

    def test_in_a_session_of_its_own(self) -> None:
        def write(db: Any) -> None:
            with db.client.start_session() as session:
                db.cities.insert_one({}, session=session)

        self.check_refused(write)

    def test_in_another_transaction(self) -> None:
        def by_hand(db: Any) -> None:
            with db.client.start_session() as session, session.start_transaction():
                db.cities.insert_one({}, session=session)

        def by_callback(db: Any) -> None:
            with db.client.start_session() as session:
                session.with_transaction(
                    lambda session: db.cities.insert_one({}, session=session)
                )

        self.check_refused(by_hand)
        self.check_refused(by_callback)

    def test_of_many_kinds(self) -> None:
        kinds: list[Callable[[Any, Any], object]] = [
            lambda c, s: c.bulk_write([InsertOne({})], session=s),
            lambda c, s: c.find_one_and_delete({}, session=s),
            lambda c, s: c.aggregate([{'$out': 'towns'}], session=s),
            lambda c, s: c.create_index('x', session=s),
            lambda c, s: c.drop(session=s),
            lambda c, s: c.database.command('collMod', 'cities', session=s),
        ]
        for kind in kinds:

            def write(db: Any, kind: Any = kind) -> None:
                with db.client.start_session() as session:
                    kind(db.cities, session)

            self.check_refused(write)

    def test_through_an_asynchronous_client(self) -> None:
        async def write(db: Any) -> None:
            client: Any = AsyncMongoClient(self.uri, event_listeners=[self.listener])
            try:
                self.assertEqual(await client[db.name].cities.count_documents({}), 10)
                await client[db.name].cities.insert_one({})
            finally:
                await client.close()

        self.check_refused(lambda db: asyncio.run(write(db)))

    def test_an_asynchronous_client_goes_on_afterwards(self) -> None:
        async def work() -> None:
            client: Any = AsyncMongoClient(self.uri, event_listeners=[self.listener])
            cities = client[self.db.name].cities
            for _ in range(3):
                with self.kept():
                    raised = await asyncio.gather(
                        cities.insert_one({}),
                        cities.insert_one({}),
                        return_exceptions=True,
                    )
                self.assertEqual([type(each) for each in raised], [RefusedWrite] * 2)
                await cities.insert_one({})
            self.assertEqual(await cities.count_documents({}), 13)
            await client.close()

        asyncio.run(work())

    def test_one_that_the_migration_swallows_is_known(self) -> None:
        def write() -> None:
            with self.watched.start_session() as session:
                self.watched[self.db.name].cities.insert_one({}, session=session)

        with self.kept() as effects:
            try:
                write()
            except Exception:
                self.fail('it cannot be swallowed by mistake')
            except BaseException:
                pass
        refused = effects.refused
        assert refused
        self.assertEqual(
            str(refused),
            f'insert on {self.db.name}.cities is outside of the transaction',
        )
        self.assertEqual(self.db.cities.count_documents({}), 10)

    def test_in_a_pool_of_threads(self) -> None:
        """Refused where Python tells who started them, or no other can be there."""

        def write(db: Any) -> None:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(db.cities.insert_one, {}).result()

        self.check_refused(write, strays=True)
        if sys.version_info >= (3, 12):
            self.check_refused(write)
        else:
            with self.kept() as effects:
                write(self.watched[self.db.name])
            self.assertEqual(
                effects.outside.describe(self.db.name), 'cities 1 inserted'
            )

    def test_another_transaction_that_was_committed_is_outside(self) -> None:
        """Where nothing is refused: what it has written is told, with figures."""
        db = self.watched[self.db.name]
        own = db.client.start_session()
        with own, self.listener.recording(db.name) as effects:
            with own.start_transaction():
                with effects.kept_to(own.session_id):
                    db.cities.insert_one({}, session=own)
                with db.client.start_session() as other, other.start_transaction():
                    db.cities.insert_many([{}, {}], session=other)
                self.assertEqual(effects.outside.describe(db.name), 'cities 2 inserted')
            self.assertEqual(effects.outside.describe(db.name), 'cities 2 inserted')
            self.assertEqual(effects.describe(db.name), 'cities 3 inserted')
        self.assertEqual(self.db.cities.count_documents({}), 13)


class UnknownsTest(EffectsTest):
    """What a recording says it cannot know."""

    def unknowns(self, work: Callable[[], object]) -> list[str]:
        with self.listener.recording(self.db.name) as effects:
            work()
            during = effects.unknowns()
        # Clients of other tests may live, which this test's listener does not hear.
        said = [each for each in effects.unknowns() if not each.startswith('a client')]
        self.assertEqual([each for each in during if 'client' not in each], said)
        return said

    def test_nothing(self) -> None:
        db = self.watched[self.db.name]
        self.assertEqual(self.unknowns(lambda: db.cities.insert_one({})), [])

    def test_a_child_process(self) -> None:
        """However it is started."""
        run = [sys.executable, '-c', 'sum(range(10**6))']
        name = os.path.basename(sys.executable)

        def fork() -> None:
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)

        def spawn() -> None:
            process = multiprocessing.get_context('spawn').Process(target=int)
            process.start()
            process.join()

        ways: dict[str, Callable[[], object]] = {
            f' ({name})': lambda: subprocess.run(run, check=True),
            ' (sh)': lambda: subprocess.run('true', shell=True, check=True),
            ' (true)': lambda: os.waitpid(os.posix_spawnp('true', ['true'], {}), 0),
        }
        for named, way in ways.items():
            with self.subTest(named=named):
                self.assertEqual(
                    self.unknowns(way), [f'a child process was started{named}']
                )
        started, running = 'a child process was started', 'a child process was running'
        self.assertEqual(self.unknowns(fork), [started])
        self.assertEqual(self.unknowns(lambda: os.system('true')), [started])
        self.assertEqual(self.unknowns(spawn), [running])

    def test_a_child_process_that_goes_on(self) -> None:
        """As those of a pool do, which may write for a later step, too."""
        context = multiprocessing.get_context('spawn')
        over = context.Event()
        process = context.Process(target=over.wait, args=(60,))
        running = ['a child process was running']
        self.assertEqual(self.unknowns(process.start), running)
        self.assertEqual(self.unknowns(int), running)
        over.set()
        self.assertEqual(self.unknowns(process.join), running)
        self.assertEqual(self.unknowns(int), [])

    def test_a_client_that_is_not_heard(self) -> None:
        other: Any = MongoClient(self.uri)
        self.addCleanup(other.close)
        with self.listener.recording() as effects:
            other[self.db.name].cities.insert_one({})
        self.assertFalse(effects.wrote)
        self.assertEqual(
            effects.unknowns(), ['a client that migopy does not hear may have written']
        )

    def test_a_command_that_is_not_answered(self) -> None:
        """As it is while Ctrl-C has just hit."""
        db = self.watched[self.db.name]
        with mock.patch.object(EffectsListener, 'succeeded', lambda *_: None):
            said = self.unknowns(lambda: db.cities.insert_one({}))
        self.assertEqual(
            said, [f'{db.name}.cities was perhaps changed by insert (no answer)']
        )
        with (
            self.watched.start_session() as session,
            self.listener.recording() as effects,
            effects.kept_to(session.session_id),
            session.start_transaction(),
            mock.patch.object(EffectsListener, 'succeeded', lambda *_: None),
        ):
            db.cities.insert_one({}, session=session)
            self.assertFalse(any('perhaps' in each for each in effects.unknowns()))


class NamesTest(EffectsTest):
    """A migration that touches more collections than are told."""

    def test_each_is_counted_and_the_line_is_short(self) -> None:
        db, other = self.watched[self.db.name], uuid.uuid4().hex
        with self.listener.recording(db.name) as effects:
            for number in range(150):
                db[f'{other}_{number:03}'].insert_one({})
        line = effects.describe(db.name)
        self.assertLessEqual(len(line), 1000)
        self.assertRegex(line, r'; and 1\d\d more collections$')
        self.assertEqual(len(effects.as_document()['collections']), 150)
