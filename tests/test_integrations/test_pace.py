"""`update_each` gives way to secondaries that are behind, and says what it misses."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any
from unittest import mock

from pymongo import MongoClient

from migopy import Pace, update_each
from migopy.backfill import silence
from migopy.backfill.pages import Pages
from migopy.backfill.server_load import ServerLoad
from migopy.pace import CAREFUL, NOTHING
from tests import readme
from tests.faults import PATIENCE, eventually
from tests.project import PlainTest
from tests.server import DatabaseTest, replica_set, with_auth

DOCUMENTS = 4000

#: Of a set that elects nobody while the machine is busy, and of which each member
#: follows the primary, so that one that hangs keeps no other from following.
STEADY = {'electionTimeoutMillis': 10_000, 'chainingAllowed': False}


class LagTest(PlainTest):
    """A set of three members of which one is suspended while documents are written."""

    UP = """
        import migopy

        def up(db):
            migopy.update_each(db.notes, change, batch_size=50)

        def change(note):
            migopy.nap()
            return {'$inc': {'calls': 1}}
        """

    def said(self, part: str) -> bool:
        return any(part in message for _, message in self.logger.said)

    def test_it_waits_for_one_that_is_behind_and_goes_on_by_itself(self) -> None:
        self.migration('1_a.py', self.UP)
        awake = threading.Event()

        def nap() -> None:
            # It takes longer than anything here is waited for.
            if not awake.is_set():
                time.sleep(2 * PATIENCE / DOCUMENTS)

        with (
            replica_set(members=3, **STEADY) as cluster,
            MongoClient(cluster.uri) as client,
            mock.patch('migopy.nap', nap, create=True),
            contextlib.ExitStack() as stack,
        ):
            db = client[self.db.name]
            db.notes.insert_many([{'_id': n} for n in range(DOCUMENTS)])
            primary = cluster.primary()
            secondary = next(each for each in cluster.members if each is not primary)
            stack.callback(secondary.wake)
            lag_alone = NOTHING._replace(max_lag=2)
            manager = self.manager(MONGO_URI=cluster.uri, MIGRATION_PACE=lag_alone)
            work = threading.Thread(target=manager.execute)
            work.start()
            stack.callback(work.join, 60)
            stack.callback(awake.set)

            def written() -> int:
                return db.notes.count_documents({'calls': 1})

            eventually(written, 'a batch')
            secondary.suspend()
            named = f'notes: paused: secondary 127.0.0.1:{secondary.port} is '
            eventually(lambda: self.said(named), 'a pause')
            paused_at = written()
            self.assertLess(paused_at, DOCUMENTS)
            [said] = [each for each in self.logger.of('white') if named in each]
            self.assertTrue(said.endswith(' s behind (limit 2 s)'), said)
            time.sleep(2)  # a while in which it would have written more
            self.assertEqual(written(), paused_at)
            awake.set()
            secondary.wake()
            eventually(
                lambda: self.said('notes: goes on after '), 'an end of the pause'
            )
            work.join(60)
            self.assertEqual(written(), DOCUMENTS)
            self.assertTrue(self.said('1_a.py executed in '))

    def test_at_full_pace_it_does_not(self) -> None:
        self.migration('1_a.py', self.UP)
        with (
            replica_set(members=3) as cluster,
            MongoClient(cluster.uri) as client,
            mock.patch('migopy.nap', lambda: None, create=True),
            mock.patch.object(ServerLoad, 'look', side_effect=AssertionError),
        ):
            notes = client[self.db.name].notes
            notes.insert_many([{'_id': n} for n in range(DOCUMENTS)])
            manager = self.manager(MONGO_URI=cluster.uri, MIGRATION_PACE='full')
            manager.execute()
            self.assertEqual(notes.count_documents({'calls': 1}), DOCUMENTS)


class SilentTest(PlainTest):
    """A server that does not answer for a while."""

    UPS = {
        'update_each': """
            import migopy

            def up(db):
                migopy.update_each(db.notes, lambda note: {'$inc': {'calls': 1}})
            """,
        'batches': """
            import migopy

            def up(db):
                for batch in migopy.batches(db.notes, transaction=True):
                    pass
            """,
    }

    def test_a_person_is_told_that_it_does_not_answer(self) -> None:
        self.db.notes.insert_many([{'_id': n} for n in range(10)])
        said = 'notes: waits for the server, which has not answered for '
        read = Pages.after

        def late(*what: Any) -> Any:
            eventually(
                lambda: any(said in text for _, text in self.logger.said),
                'a line that says so',
            )
            return read(*what)

        for number, (name, up) in enumerate(self.UPS.items(), 1):
            with (
                self.subTest(name),
                mock.patch.multiple(silence, SILENCE=0.1, LOOK_EVERY=0.01),
                mock.patch.object(Pages, 'after', late),
            ):
                self.logger.said.clear()
                self.migration(f'{number}_a.py', up)
                self.manager().execute()
                self.assertIn('notes: goes on after ', str(self.logger.said))


class PageTest(PlainTest):
    """What `docs/large.rst` has of it."""

    def test_its_migration(self) -> None:
        text = readme.block('pace')
        self.assertIn("hours=('22:00', '06:00')", text)
        self.migration('1_a.py', text.replace("('22:00', '06:00')", 'None'))
        self.db.cities.insert_many([{'_id': n, 'code': 'CH'} for n in range(10)])
        self.manager().execute()
        self.assertEqual(self.db.cities.count_documents({'code': 'ch'}), 10)

    def test_its_limits(self) -> None:
        rows = readme.rows('docs/large.rst', 'pace-limits')
        shown = {name.strip('`'): default for name, default, _ in rows}
        limits = CAREFUL._asdict().items()
        expected = {name: f'{limit or "none"}' for name, limit in limits}
        self.assertEqual({**expected, 'max_lag': '5', 'min_oplog_hours': '1'}, shown)


class SignalsTest(DatabaseTest):
    """What a real server tells of itself."""

    def test_of_a_server_that_tells_all(self) -> None:
        watch = ServerLoad(self.client, self.client, CAREFUL)
        texts = [each.text for each in watch.look()]
        self.assertRegex(
            str(texts), r"[0-9]+% of the server's cache is not on disk yet"
        )
        self.assertRegex(str(texts), r'[0-9]+ operations wait on the server')
        self.assertEqual(watch.unread, [])

    def test_of_a_user_who_may_only_write(self) -> None:
        with with_auth() as server:
            user: dict[str, Any] = {
                'username': 'ann',
                'password': 'secret',
                'authSource': 'shop',
            }
            with MongoClient(server.uri, **user) as client:
                watch = ServerLoad(client, client, CAREFUL)
                self.assertEqual(watch.look(), [])
                self.assertEqual(
                    watch.unread,
                    [
                        'flow control, dirty cache, queued operations',
                        'the oplog window',
                        'hidden and delayed members',
                    ],
                )


class CallTest(DatabaseTest):
    """A call with a pace of its own."""

    def test_so_many_a_second(self) -> None:
        self.db.notes.insert_many([{'_id': n} for n in range(60)])
        began = time.monotonic()
        pace = Pace(max_per_second=30)
        update_each(self.db.notes, lambda note: {'$set': {'x': 1}}, pace=pace)
        # The second half is written a second after the first one at the earliest.
        self.assertGreaterEqual(time.monotonic() - began, 1.0)
        self.assertEqual(self.db.notes.count_documents({'x': 1}), 60)

    def test_one_that_is_none(self) -> None:
        with self.assertRaises(ValueError) as caught:
            update_each(self.db.notes, self.fail, pace='fast')
        self.assertEqual(
            str(caught.exception),
            "pace must be 'careful', 'full', or a migopy.Pace(max_lag=5)",
        )
