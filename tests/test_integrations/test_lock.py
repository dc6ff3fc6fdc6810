"""One deploy at a time: the lock by itself, and between `fab` commands."""

from __future__ import annotations

import contextlib
import errno
import getpass
import os
import signal
import socket
import subprocess
import threading
import time
import unittest
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Callable
from unittest import mock

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import AutoReconnect, DuplicateKeyError, OperationFailure

from migopy.machine import NO_THREAD
from migopy.signals import HELD, Held, Terminated
from migopy.state import concerns
from migopy.state.agent import Agent, place
from migopy.state.concerns import PAUSE
from migopy.state.guarded import GuardedWriter
from migopy.state.holder import Holder, Locked, LockLost, TakenMeanwhile
from migopy.state.lock import Lock
from migopy.state.unlocking import unlock
from migopy.state.usable import NoLock
from migopy.terminal import told_by
from tests import server
from tests.commands import Commands
from tests.faults import PATIENCE, eventually, failing, obliging_server
from tests.project import NOTHING, TIMEOUT, WAITING, FabTest, PlainTest, end
from tests.server import DatabaseTest

#: It would write for a minute.
LOOP = """
    import time

    def up(db):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            db.ran.update_one({'_id': 1}, {'$inc': {'count': 1}}, upsert=True)
            time.sleep(0.01)
        db.ran.update_one({'_id': 1}, {'$set': {'ended': True}})
"""


def nobody(holder: Holder) -> None:
    raise AssertionError(f'waited for {holder}')


class LockTestCase(DatabaseTest):
    def setUp(self) -> None:
        super().setUp()
        self.document = self.db.migrations_lock

    def lock(self, ttl: float = 60) -> Lock:
        return Lock(self.document, ttl)

    def found(self) -> dict[str, Any]:
        document = self.document.find_one()
        assert document is not None
        return document

    def await_renewal(self) -> None:
        expires = self.found()['expires']
        eventually(lambda: self.found()['expires'] > expires, 'a renewal')

    def refused(self, wait: float, waiting: Callable[[Holder], None]) -> Locked:
        """Try to get a lock that is held; give the error."""
        with (
            self.assertRaises(Locked) as caught,
            self.lock().held('rollback', wait, waiting),
        ):
            pass
        return caught.exception

    def let_run_out(self) -> None:
        """Make the lock one whose holder has not renewed it in time."""
        past = self.found()['expires'] - timedelta(minutes=2)
        self.document.update_one({}, {'$set': {'expires': past}})


class HeldTest(LockTestCase):
    """While the lock is held, and after."""

    def test_that_it_was_lost_is_told_until_the_block_ends(self) -> None:
        """A dry run that follows in the same process has lost nothing."""
        lock = self.lock()
        with lock.held('execute', 0, nobody):
            self.document.delete_one({})
            self.assertRaises(LockLost, lock.check)
            self.assertTrue(lock.is_lost)
        self.assertFalse(lock.is_lost)

    def test_the_document_says_who_holds_it_for_what_since_when(self) -> None:
        lock = self.lock(ttl=30)
        with lock.held('execute', 0, nobody):
            found = self.found()
            self.assertEqual(found.pop('expires') - found['since'], timedelta(0, 30))
            now = self.db.command('hello')['localTime']
            self.assertLess(abs(now - found.pop('since')), timedelta(seconds=5))
            self.assertEqual(
                found,
                {
                    '_id': 'lock',
                    'owner': lock.owner,
                    'user': getpass.getuser(),
                    'host': socket.gethostname(),
                    'pid': os.getpid(),
                    'subtask': 'execute',
                    'place': place(),
                    'ttl': 30,
                },
            )
            self.assertEqual(len(lock.owner), 32)

    def test_nothing_is_left_when_it_is_released(self) -> None:
        with self.lock().held('execute', 0, nobody):
            pass
        self.assertIsNone(self.document.find_one())

    def test_it_is_released_after_an_error_too(self) -> None:
        with (
            self.assertRaises(ZeroDivisionError),
            self.lock().held('execute', 0, nobody),
        ):
            raise ZeroDivisionError
        self.assertIsNone(self.document.find_one())

    def test_it_is_taken_and_released_in_one_operation_each(self) -> None:
        commands = Commands()
        with MongoClient(self.uri, event_listeners=[commands]) as client:
            lock = Lock(client[self.db.name].migrations_lock, 60)
            with lock.held('execute', 0, nobody):
                pass
        self.assertEqual(commands.names[:2], ['findAndModify', 'delete'])

    def test_no_time_of_this_machine_goes_into_it(self) -> None:
        commands = Commands()
        with MongoClient(self.uri, event_listeners=[commands]) as client:
            lock = Lock(client[self.db.name].migrations_lock, 0.3)
            with lock.held('execute', 0, nobody):
                eventually(
                    lambda: commands.names.count('findAndModify') > 1, 'a renewal'
                )
                GuardedWriter(lock).merge(client[self.db.name].kept, [{'_id': 1}])
        for event in commands.sent:
            self.assertNotIn('datetime.datetime(', repr(event.command))
            if event.command_name in ('findAndModify', 'aggregate'):
                self.assertIn('$$NOW', repr(event.command))

    def test_who_holds_it_can_be_read(self) -> None:
        lock = self.lock()
        self.assertIsNone(lock.holder())
        with self.lock().held('rollback', 0, nobody):
            holder = lock.holder()
        assert holder is not None
        self.assertEqual(holder.agent, Agent.current())
        self.assertEqual(holder.command, 'rollback')

    def test_a_name_with_a_dollar_is_no_field(self) -> None:
        with self.lock().held('$exe.cute', 0, nobody):
            self.assertEqual(self.found()['subtask'], '$exe.cute')

    def test_only_the_owner_releases_it(self) -> None:
        with self.lock().held('execute', 0, nobody):
            unlock(self.lock(), force=True)
            with self.lock().held('ignore', 0, nobody):
                pass
            self.document.insert_one({'_id': 'lock', 'owner': 'another'})
        self.assertEqual(self.found()['owner'], 'another')

    def test_an_object_can_hold_it_again_as_another_owner(self) -> None:
        lock = self.lock(ttl=0.6)
        owners = []
        for _ in range(2):
            with lock.held('execute', 0, nobody):
                owners.append(lock.owner)
                self.await_renewal()
                GuardedWriter(lock).merge(self.db.kept, [{'_id': len(owners)}])
        self.assertEqual(len(set(owners)), 2)
        self.assertEqual(self.db.kept.count_documents({}), 2)

    def test_the_server_s_time_is_known(self) -> None:
        lock = self.lock()
        began = time.monotonic()
        with lock.held('execute', 0, nobody):
            # It is behind by no more than the time that the server's reply took.
            behind = timedelta(seconds=time.monotonic() - began, milliseconds=1)
            time.sleep(0.2)
            before = self.db.command('hello')['localTime']
            now = lock.now()
            after = self.db.command('hello')['localTime']
        self.assertLess(before - behind, now)
        self.assertLessEqual(now, after + timedelta(milliseconds=1))
        self.assertIsNone(lock.now().tzinfo)
        self.assertEqual(lock.now().microsecond % 1000, 0)


class WaitTest(LockTestCase):
    """Two that want it."""

    def test_the_process_is_told_to_end(self) -> None:
        """In the thread of one of many databases, which no signal reaches."""
        first = Held()

        def waiting(_holder: Holder) -> None:
            first.number = signal.SIGTERM

        self.addCleanup(HELD.reset, HELD.set(first))
        with (
            self.lock().held('execute', 0, nobody),
            self.assertRaises(Terminated),
            self.lock().held('rollback', PATIENCE, waiting),
        ):
            pass

    def test_the_second_is_told_once_for_whom_it_waits_then_gets_it(self) -> None:
        told: list[Holder] = []
        first = self.lock()
        with ThreadPoolExecutor(1) as pool:
            with first.held('execute', 0, nobody):
                waits = pool.submit(self.wait, told)
                eventually(lambda: told, 'to be told of the holder')
                time.sleep(3 * PAUSE)
                self.assertFalse(waits.done())
            waits.result(timeout=30)
        self.assertEqual([each.owner for each in told], [first.owner])

    def wait(self, told: list[Holder]) -> None:
        with self.lock().held('execute', 30, told.append):
            pass

    def test_the_second_gives_up_after_its_time(self) -> None:
        told: list[Holder] = []
        with self.lock().held('execute', 0, nobody):
            before = self.found()
            began = time.monotonic()
            error = self.refused(0.5, told.append)
            took = time.monotonic() - began
            self.assertEqual(self.found(), before)
        self.assertGreaterEqual(took, 0.5)
        self.assertLess(took, PATIENCE)
        self.assertEqual(error.holder, Holder.of(before))
        self.assertEqual(len(told), 1)

    def test_one_that_is_not_renewed_is_free_after_its_time(self) -> None:
        self.document.insert_one({'_id': 'lock', 'owner': 'dead'})
        self.document.update_one({}, [{'$set': {'expires': {'$add': ['$$NOW', 1000]}}}])
        expires = self.found()['expires']
        with self.lock().held('execute', PATIENCE, lambda holder: None):
            self.assertNotEqual(self.found()['owner'], 'dead')
            self.assertGreaterEqual(self.found()['since'], expires)
        self.assertIsNone(self.document.find_one())

    def test_a_process_that_is_gone_holds_it_no_more_at_its_own_place_alone(
        self,
    ) -> None:
        """Elsewhere the same number is another process."""
        process = subprocess.Popen(['true'])
        process.wait()
        with self.lock().held('execute', 0, nobody):
            held = self.found()
        self.document.insert_one({**held, 'owner': 'gone', 'pid': process.pid})
        for elsewhere in ('elsewhere', '', None, 7):
            with self.subTest(elsewhere):
                self.document.update_one({}, {'$set': {'place': elsewhere}})
                error = self.refused(0, lambda holder: None)
                self.assertEqual(error.holder.owner, 'gone')
                self.assertIsNotNone(self.lock().holder())
        self.document.update_one({}, {'$set': {'place': place()}})
        self.assertIsNone(self.lock().holder())
        told: list[Holder] = []
        with self.lock().held('execute', 0, told.append):
            self.assertNotEqual(self.found()['owner'], 'gone')
        self.assertEqual([each.owner for each in told], ['gone'])

    def test_one_whose_time_is_out_has_no_holder(self) -> None:
        with self.lock().held('execute', 0, nobody):
            self.let_run_out()
            self.assertIsNone(self.lock().holder())

    def test_it_is_renewed_as_long_as_it_is_held(self) -> None:
        with self.lock(ttl=1.5).held('execute', 0, nobody):
            out = self.found()['since'] + timedelta(seconds=3)
            eventually(lambda: self.found()['expires'] > out, 'renewals')
            self.refused(0, lambda holder: None)

    def test_it_is_renewed_whatever_the_report_of_its_step_holds(self) -> None:
        def broken() -> str:
            raise RuntimeError('dictionary changed size during iteration')

        loops: list[tuple[str, Any]] = [('x', Decimal(2)), ('x', 2**70), ('\udcff', 2)]
        for (title, total), effects in [
            *((each, str) for each in loops),
            (loops[0], broken),
        ]:
            lock = self.lock(ttl=1.5)
            with (
                self.subTest(repr(title), total=str(total), effects=effects),
                lock.held('execute', 0, nobody),
                lock.helm.step({'name': '001_x.py'}, effects),
                lock.helm.loop() as meter,
            ):
                meter(title, 1, total)
                self.await_renewal()
                self.await_renewal()
                self.assertFalse(lock.is_lost)

    def test_its_renewal_goes_on_when_the_machine_lacked_something(self) -> None:
        asks = Collection.find_one_and_update
        for lacking in (MemoryError(), RuntimeError(NO_THREAD), OSError(errno.EMFILE)):
            with (
                self.subTest(lacking),
                self.lock(ttl=1.5).held('execute', 0, nobody),
                mock.patch.object(
                    Collection, asks.__name__, side_effect=lacking
                ) as ask,
            ):
                eventually(lambda ask=ask: ask.call_count, 'an error')
                ask.side_effect = partial(asks, self.document)
                self.await_renewal()

    def test_of_many_at_once_one_holds_it(self) -> None:
        inside: list[int] = []

        def enter(number: int) -> int:
            with self.lock().held('execute', 60, lambda holder: None):
                inside.append(number)
                alone = inside == [number]
                time.sleep(0.01)
                inside.remove(number)
            return alone

        with ThreadPoolExecutor(10) as pool:
            self.assertEqual(list(pool.map(enter, range(10))), [True] * 10)

    def test_so_of_threads_that_share_an_object(self) -> None:
        lock = self.lock()
        inside: list[int] = []

        def enter(number: int) -> int:
            with lock.held('execute', 60, lambda holder: None):
                inside.append(number)
                alone = inside == [number] and lock.is_held
                time.sleep(0.01)
                inside.remove(number)
            return alone

        with ThreadPoolExecutor(4) as pool:
            self.assertEqual(list(pool.map(enter, range(4))), [True] * 4)
        self.assertFalse(lock.is_held)


class WriteTest(LockTestCase):
    """Only who has the lock writes."""

    def kept(self) -> list[dict[str, Any]]:
        return list(self.db.kept.find(sort=[('_id', 1)]))

    def test_documents_are_merged_by_their_id(self) -> None:
        self.db.kept.insert_one({'_id': 1, 'a': 1, 'b': 1})
        lock = self.lock()
        with lock.held('execute', 0, nobody):
            GuardedWriter(lock).merge(
                self.db.kept, [{'_id': 1, 'b': 2}, {'_id': 2, 'c': '$a'}]
            )
        self.assertEqual(
            self.kept(), [{'_id': 1, 'a': 1, 'b': 2}, {'_id': 2, 'c': '$a'}]
        )

    def test_a_new_document_is_inserted(self) -> None:
        document = {'_id': 1, 'c': '$a', 'd': {'$e': [None]}}
        with self.lock().held('execute', 0, nobody):
            pass
        lock = self.lock()
        with lock.held('execute', 0, nobody):
            GuardedWriter(lock).insert(self.db.kept, document)
        self.assertEqual(list(self.db.kept.find()), [document])

    def test_so_is_one_that_an_earlier_try_has_inserted(self) -> None:
        lock = self.lock()
        with lock.held('execute', 0, nobody):
            GuardedWriter(lock).insert(self.db.kept, {'_id': 1, 'a': 1})
            GuardedWriter(lock).insert(self.db.kept, {'_id': 1, 'a': 2})
        self.assertEqual(list(self.db.kept.find()), [{'_id': 1, 'a': 1}])

    def test_one_that_an_index_refuses_is_an_error(self) -> None:
        self.db.kept.create_index('a', unique=True)
        lock = self.lock()
        with lock.held('execute', 0, nobody):
            GuardedWriter(lock).insert(self.db.kept, {'_id': 1, 'a': 1})
            with self.assertRaises(DuplicateKeyError):
                GuardedWriter(lock).insert(self.db.kept, {'_id': 2, 'a': 1})

    def test_who_was_robbed_inserts_nothing(self) -> None:
        lock = self.lock()
        with lock.held('execute', 0, nobody):
            unlock(self.lock(), force=True)
            with self.assertRaises(LockLost):
                GuardedWriter(lock).insert(self.db.kept, {'_id': 1})
            with (
                self.lock().held('rollback', 0, nobody),
                self.assertRaises(LockLost),
            ):
                GuardedWriter(lock).insert(self.db.kept, {'_id': 1})
        self.assertEqual(self.db.kept.count_documents({}), 0)

    def test_it_is_one_request(self) -> None:
        commands = Commands()
        with MongoClient(self.uri, event_listeners=[commands]) as client:
            lock = Lock(client[self.db.name].migrations_lock, 60)
            with lock.held('execute', 0, nobody):
                commands.sent.clear()
                GuardedWriter(lock).merge(
                    client[self.db.name].kept, [{'_id': 1}, {'_id': 2}]
                )
                self.assertEqual(commands.names, ['aggregate'])

    def test_who_was_robbed_writes_nothing(self) -> None:
        lock = self.lock()
        with lock.held('execute', 0, nobody):
            unlock(self.lock(), force=True)
            with self.assertRaises(LockLost) as caught:
                GuardedWriter(lock).merge(self.db.kept, [{'_id': 1}])
            self.assertIsNone(caught.exception.holder)
            with self.assertRaises(LockLost):
                lock.check()
        self.assertEqual(self.kept(), [])

    def test_who_was_robbed_is_told_who_has_it_now(self) -> None:
        lock = self.lock()
        with lock.held('execute', 0, nobody):
            unlock(self.lock(), force=True)
            with (
                self.lock().held('ignore', 0, nobody),
                self.assertRaises(LockLost) as caught,
            ):
                GuardedWriter(lock).merge(self.db.kept, [{'_id': 1}])
        assert caught.exception.holder is not None
        self.assertEqual(caught.exception.holder.command, 'ignore')

    def test_who_lost_it_by_time_to_another_writes_nothing(self) -> None:
        lock = self.lock()
        with lock.held('execute', 0, nobody):
            self.let_run_out()
            with (
                self.lock().held('execute', 0, nobody),
                self.assertRaises(LockLost),
            ):
                GuardedWriter(lock).merge(self.db.kept, [{'_id': 1}])
            # That one has gone, but it has been there.
            with self.assertRaises(LockLost):
                GuardedWriter(lock).merge(self.db.kept, [{'_id': 1}])
        self.assertEqual(self.kept(), [])

    def test_one_that_has_run_out_but_that_nobody_took_is_ours_again(self) -> None:
        lock = self.lock()
        with lock.held('execute', 0, nobody):
            self.let_run_out()
            GuardedWriter(lock).merge(self.db.kept, [{'_id': 1}])
            holder = self.lock().holder()
            assert holder is not None
            self.assertEqual(holder, Holder.of(self.found()))
            self.assertLess(holder.renewed or 0, PATIENCE)
        self.assertEqual(self.kept(), [{'_id': 1}])

    def test_one_that_runs_out_at_once_is_given_up(self) -> None:
        # Whatever the server's clock does meanwhile.
        lock = self.lock(ttl=-1)
        with lock.held('execute', 0, nobody), self.assertRaises(LockLost):
            GuardedWriter(lock).merge(self.db.kept, [{'_id': 1}])
        self.assertEqual(self.kept(), [])


class UnlockTest(LockTestCase):
    def test_gives_whom_it_robbed(self) -> None:
        with self.lock().held('execute', 0, nobody):
            document = self.found()
            self.assertEqual(unlock(self.lock(), force=True), Holder.of(document))
            self.assertIsNone(self.document.find_one())
        self.assertIsNone(unlock(self.lock(), force=True))

    def test_robs_nobody_who_takes_it_at_that_moment(self) -> None:
        read = Lock.with_gone
        another = Holder.of({'_id': 'lock', 'owner': 'a' * 32})
        for before in ([], [another]):
            answers = [before]

            def stale(lock: Lock, which: Sequence[str]) -> list[Holder]:
                return answers.pop() if answers else read(lock, which)  # noqa: B023

            with (
                self.subTest(len(before)),
                self.lock().held('execute', 0, nobody),
                mock.patch.object(Lock, 'with_gone', stale),
                self.assertRaises(TakenMeanwhile),
            ):
                unlock(self.lock(), force=True)


class NetworkTest(unittest.TestCase):
    """Errors on the way to the server."""

    @classmethod
    def setUpClass(cls) -> None:
        resources = contextlib.ExitStack()
        cls.addClassCleanup(resources.close)
        cls.server = resources.enter_context(obliging_server())
        cls.client = resources.enter_context(MongoClient(cls.server.uri))

    def setUp(self) -> None:
        self.db = self.client[f'migopy_{uuid.uuid4().hex}']

    def lock(self, ttl: float = 60) -> Lock:
        return Lock(self.db.migrations_lock, ttl)

    def test_an_error_while_taking_it_is_that_error(self) -> None:
        """Never that somebody holds it: golang-migrate's driver says "locked"."""
        failures: list[tuple[type[Exception], dict[str, Any]]] = [
            (AutoReconnect, {'times': 2, 'closeConnection': True}),
            (OperationFailure, {'errorCode': 13}),
        ]
        for error, how in failures:
            with (
                self.subTest(error),
                self.assertRaises(error),
                failing(self.client, 'findAndModify', **how),
                self.lock().held('execute', 30, nobody),
            ):
                self.fail('not reached')

    def test_a_server_that_does_not_know_what_it_takes_is_told_as_such(self) -> None:
        """As one may be that only speaks the protocol of MongoDB."""
        for code in (9, 59, 115, 238, 301):
            with (
                self.subTest(code),
                self.assertRaisesRegex(
                    NoLock, 'MongoDB itself, 4.4 or later'
                ) as raised,
                failing(self.client, 'findAndModify', errorCode=code),
                self.lock().held('execute', 0, nobody),
            ):
                self.fail('not reached')
            self.assertIsInstance(raised.exception.__cause__, OperationFailure)
            self.assertNotIn('unlock', str(raised.exception))
        with (
            failing(self.client, 'aggregate', errorCode=17276),
            self.assertRaisesRegex(NoLock, 'MONGO_URI'),
        ):
            unlock(self.lock())

    def test_it_is_taken_in_spite_of_one_lost_connection(self) -> None:
        with (
            failing(self.client, 'findAndModify', closeConnection=True),
            self.lock().held('execute', 0, nobody),
        ):
            self.assertIsNotNone(self.lock().holder())

    def test_a_write_is_repeated_while_the_network_fails(self) -> None:
        for how in ({'closeConnection': True}, {'errorCode': 11602}):
            lock = self.lock(ttl=10)
            with (
                self.subTest(how),
                lock.held('execute', 0, nobody),
                failing(self.client, 'aggregate', times=2, **how),
            ):
                GuardedWriter(lock).merge(self.db.kept, [{'_id': str(how)}])
        self.assertEqual(self.db.kept.count_documents({}), 2)

    def test_so_is_one_that_was_done_though_the_reply_says_otherwise(self) -> None:
        concern = {'code': 64, 'errmsg': 'waiting for replication timed out'}
        lock = self.lock(ttl=10)
        with (
            lock.held('execute', 0, nobody),
            failing(self.client, 'aggregate', writeConcernError=concern),
        ):
            GuardedWriter(lock).merge(self.db.kept, [{'_id': 1}])
        self.assertEqual(list(self.db.kept.find()), [{'_id': 1}])

    def test_it_is_given_up_in_the_end(self) -> None:
        lock = self.lock(ttl=0.5)
        with (
            lock.held('execute', 0, nobody),
            failing(self.client, 'aggregate', times=99, closeConnection=True),
            self.assertRaises(AutoReconnect),
        ):
            GuardedWriter(lock).merge(self.db.kept, [{'_id': 1}])

    def test_without_patience_it_is_given_up_at_once(self) -> None:
        lock = self.lock()
        with (
            lock.held('execute', 0, nobody),
            failing(self.client, 'aggregate', closeConnection=True),
            self.assertRaises(AutoReconnect),
        ):
            GuardedWriter(lock).merge(self.db.kept, [{'_id': 1}], patience=0)

    def test_an_error_of_another_kind_is_raised_at_once(self) -> None:
        lock = self.lock()
        with (
            lock.held('execute', 0, nobody),
            failing(self.client, 'aggregate', errorCode=13),
            self.assertRaises(OperationFailure),
        ):
            GuardedWriter(lock).merge(self.db.kept, [{'_id': 1}])

    def test_renewal_goes_on_after_an_error(self) -> None:
        commands = Commands()
        with MongoClient(self.server.uri, event_listeners=[commands]) as client:
            lock = Lock(client[self.db.name].migrations_lock, 1.2)
            with lock.held('execute', 0, nobody):
                with failing(
                    self.client, 'findAndModify', times=2, closeConnection=True
                ):
                    eventually(
                        lambda: commands.failures == ['findAndModify'] * 2, 'errors'
                    )
                failed = lock.now()
                document = self.db.migrations_lock
                ttl = timedelta(seconds=lock.ttl)
                eventually(
                    lambda: (document.find_one() or {})['expires'] > failed + ttl,
                    'a renewal after the errors',
                )
                self.assertEqual((document.find_one() or {})['owner'], lock.owner)

    def test_a_release_that_fails_hides_no_error(self) -> None:
        with (
            self.assertRaises(ZeroDivisionError),
            failing(self.client, 'delete', times=2, closeConnection=True),
            self.lock(ttl=1).held('execute', 0, nobody),
        ):
            raise ZeroDivisionError
        with self.lock().held('execute', 30, lambda holder: None):
            pass


class DeployTest(FabTest):
    """Between `fab` commands."""

    def setUp(self) -> None:
        super().setUp()
        self.settings()

    def settings(self, ttl: float = 60, wait: float = 60) -> None:
        """Give the project's lock other times."""
        times = f'    LOCK_TTL, LOCK_WAIT = {ttl}, {wait}\n'
        lines = self.filled(self.fabfile).splitlines(keepends=True)
        place = next(n for n, line in enumerate(lines) if 'MONGO_URI' in line)
        self.write('fabfile.py', ''.join([*lines[:place], times, *lines[place:]]))

    def begun(self, count: int = 1) -> list[int]:
        """Wait until migrations have begun to run; give their processes."""
        query = {'begun': {'$exists': True}}
        eventually(lambda: self.db.ran.count_documents(query) >= count, 'an up')
        return [document['begun'] for document in self.db.ran.find(query)]

    def go(self) -> None:
        """Let the waiting migration end."""
        self.write('go', '')

    def start_waiting(self, command: str) -> tuple[subprocess.Popen[str], Path]:
        """Start one; give it when it waits, and the file with what it says."""
        process, said = self.start_heard(command)
        eventually(lambda: 'Waiting for' in said.read_text(), 'to hear that it waits')
        return process, said

    def holder(self) -> dict[str, Any] | None:
        return self.db.migrations_lock.find_one()

    def test_the_second_says_once_for_whom_it_waits_and_then_has_nothing_to_do(
        self,
    ) -> None:
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        [process] = self.begun()
        second, said = self.start_waiting('migrations:execute')
        time.sleep(3 * PAUSE)
        self.assertIsNone(second.poll())
        self.go()
        self.assert_ok(self.ended(first))
        self.assertEqual(second.wait(TIMEOUT), 0)
        agent = Agent.current()
        self.assertRegex(
            said.read_text(),
            rf'^{self.db.name} on \S+\n'
            rf'Waiting for another migration command: {agent} \(process {process},'
            r' execute\) since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n'
            r'If that process is certainly gone, type: fab migrations:unlock\n$',
        )
        assert second.stdout is not None
        self.assertEqual(second.stdout.read(), 'All migrations registered\n\nDone.\n')
        # Whether it has written before it noticed is a matter of milliseconds.

    def test_who_waited_in_vain_is_told_the_holder_and_the_command(self) -> None:
        self.settings(wait=0.5)
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        [process] = self.begun()
        result = self.assert_error(
            self.fab('migrations:execute'),
            f'Another migration command is running: {Agent.current()}',
            f'(process {process}, execute) since',
            'Waited 0.5 s',
            'fab migrations:unlock',
        )
        self.assertEqual(result.stderr.count('Waiting for'), 1)
        # Nor is it said of what does not wait that it has.
        for looking in ('execute,dry_run=yes', 'preflight', 'rehearse'):
            with self.subTest(looking):
                error = self.error(f'migrations:{looking}')
                self.assertIn('. A command that only looks ahead does not wait', error)
                self.assertNotIn('Waited', error)
        self.go()
        self.assert_ok(self.ended(first))

    def test_a_wrong_name_is_told_without_waiting(self) -> None:
        self.migration('001_a.py', WAITING)
        self.migration('002_b.py')
        first = self.start('migrations:execute,001_a.py')
        self.begun()
        commands = ('execute,7', 'execute,to=7', 'ignore,7', 'rollback,7')
        for message in self.errors(*(f'migrations:{each}' for each in commands)):
            self.assertIn("There is no migration '7'.", message)
            self.assertIn('fab migrations:history', message)
        self.assertIsNone(first.poll())
        self.go()
        self.assert_ok(self.ended(first))

    def test_reading_does_not_wait_for_it(self) -> None:
        self.settings(wait=0)
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        self.begun()
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn(f'001_a.py (up) by {Agent.current()}', shown)
        self.assertNotIn('Unfinished', shown)
        self.assertIn('running', self.assert_ok(self.fab('migrations:history')).stdout)
        self.go()
        self.assert_ok(self.ended(first))

    def test_ten_at_once_execute_each_migration_once(self) -> None:
        """And nine say that there is nothing to do: migrate-mongo #377."""
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration(
                name,
                """
                import time

                def up(db):
                    db.ran.insert_one({'name': __name__})
                    time.sleep(0.1)
                """,
            )
        started = [self.start('migrations:execute') for _ in range(10)]
        results = [self.assert_ok(self.ended(process)) for process in started]
        self.assertEqual(self.db.ran.count_documents({}), 3)
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py', '003_c.py'])
        executed = [each for each in results if 'Executing' in each.stderr]
        idle = [each for each in results if 'All migrations reg' in each.stdout]
        self.assertEqual((len(executed), len(idle)), (1, 9))
        self.assertIsNone(self.holder())

    def test_parallel_tasks_of_one_fab_execute_once(self) -> None:
        """`fab -P` forks a process for each host."""
        self.migration('001_a.py', 'def up(db):\n    db.ran.insert_one({})')
        result = self.assert_ok(self.fab('-P', '-H', 'a,b', 'migrations:execute'))
        self.assertEqual(result.stderr.count('Executing 001_a.py'), 1)
        self.assertEqual(result.stdout.count('All migrations registered'), 1)
        self.assertEqual(self.db.ran.count_documents({}), 1)

    def test_that_of_a_killed_holder_is_free_after_its_time(self) -> None:
        self.settings(ttl=2, wait=TIMEOUT)
        self.migration('001_a.py', WAITING)
        self.migration('002_b.py')
        first = self.start('migrations:execute')
        [process] = self.begun()
        # As if it ran on another machine, of whose processes nothing is known here.
        self.db.migrations_lock.update_one({}, {'$set': {'place': 'elsewhere'}})
        second, said = self.start_waiting('migrations:ignore,001_a.py')
        end(first)
        self.assertEqual(second.wait(TIMEOUT), 1, said.read_text())
        self.assertIn(f'(process {process}, execute)', said.read_text())
        self.assertIn('Unfinished, so nothing was done:\n001_a.py', said.read_text())
        self.assert_ok(self.fab('migrations:ignore,001_a.py'))
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_that_of_one_killed_on_this_machine_is_free_at_once(self) -> None:
        self.settings(ttl=60, wait=0)
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        [process] = self.begun()
        end(first)
        self.assertIsNotNone(self.holder())
        refused = self.fab('migrations:execute')
        self.assert_error(refused, 'Unfinished, so nothing was done')
        gone = f'The command that held the lock is gone: {Agent.current()} (process'
        self.assertIn(f'{gone} {process}, execute)', refused.stderr)
        self.assert_ok(self.fab('migrations:ignore,001_a.py'))
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_who_waits_gets_that_of_one_that_is_killed_meanwhile(self) -> None:
        self.settings(ttl=60 * TIMEOUT, wait=60 * TIMEOUT)
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        self.begun()
        second, said = self.start_waiting('migrations:ignore,001_a.py')
        end(first)
        self.assertEqual(second.wait(TIMEOUT), 1, said.read_text())
        self.assertIn('The command that held the lock is gone', said.read_text())
        self.assertIn('Unfinished, so nothing was done:\n001_a.py', said.read_text())
        self.assertEqual(self.registered(), [])

    def test_who_waits_decides_nothing_about_what_has_failed_meanwhile(self) -> None:
        failing = "        raise ValueError('boom')\n\n    def down"
        self.migration('001_a.py', WAITING.replace('\n    def down', failing))
        for attempt, command in enumerate(('execute', 'ignore', 'rollback'), 1):
            self.db.ran.delete_many({})
            first = self.start('migrations:execute,001_a.py')
            self.begun()
            second, said = self.start_waiting(f'migrations:{command},001_a.py')
            self.go()
            self.assertEqual(self.ended(first).status, 1)
            self.assertEqual(second.wait(TIMEOUT), 1, said.read_text())
            self.assertIn('Unfinished, so nothing was done:', said.read_text())
            self.assertIn('ValueError: boom', said.read_text())
            runs = self.db.migrations_history.count_documents({})
            self.assertEqual((runs, self.registered()), (attempt, []))
            (self.folder / 'go').unlink()
        # Typed by whoever has read that, it is a decision.
        self.assert_ok(self.fab('migrations:rollback,001_a.py'))

    def test_what_is_last_when_it_is_typed_is_rolled_back_and_nothing_else(
        self,
    ) -> None:
        self.migration('001_a.py')
        # Its `down` waits.
        turned = WAITING.replace('def up', 'def down', 1)
        self.migration('002_b.py', 'def up'.join(turned.rsplit('def down', 1)))
        self.assert_ok(self.fab('migrations:execute'))
        first = self.start('migrations:rollback,last=1')
        self.begun()
        second, said = self.start_waiting('migrations:rollback,last=1')
        self.go()
        self.assert_ok(self.ended(first))
        self.assertEqual(second.wait(TIMEOUT), 1, said.read_text())
        self.assertIn(
            'This was about 002_b.py, and would now be about 001_a.py; nothing was'
            ' done.\nIf you want that, type: fab migrations:rollback,last=1\n',
            said.read_text(),
        )
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_what_became_pending_meanwhile_is_not_ignored_unasked(self) -> None:
        self.migration('001_a.py')
        self.migration('002_b.py')
        self.assert_ok(self.fab('migrations:execute,001'))
        self.ignored_meanwhile('002_b.py')
        # Nor where there was nothing to ignore.
        self.assert_ok(self.fab('migrations:execute'))
        self.ignored_meanwhile('nothing')

    def ignored_meanwhile(self, before: str) -> None:
        """Type `ignore` while somebody rolls back all, and read what it was about."""
        tried = {'command.findAndModify': 'migrations_lock', 'command.upsert': True}
        with ThreadPoolExecutor(1) as pool:
            with Lock(self.db.migrations_lock, 60).held('rollback', 0, nobody):
                self.db.command('profile', 2)
                shown = pool.submit(self.on_terminal, 'migrations:ignore')
                eventually(
                    lambda: self.db['system.profile'].count_documents(tried),
                    'a second command that wants the lock',
                )
                self.db.migrations.delete_many({})
            said = f'This was about {before}, and would now be about 001_a.py, 002_b.py'
            self.assertIn(said, shown.result())
        self.assertEqual(self.registered(), [])
        self.db.command('profile', 0)
        self.db['system.profile'].drop()

    def test_a_suspended_holder_has_it_still(self) -> None:
        self.settings(ttl=60, wait=0)
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        self.begun()
        first.send_signal(signal.SIGSTOP)
        self.assert_error(self.fab('migrations:execute'), 'command is running')
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertRegex(
            shown,
            r'Running at this moment:\n  001_a\.py \(up\) by \S+@\S+ \(process'
            rf' {first.pid}\) since 2\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\n'
            'To see how far that is: fab migrations:watch\n',
        )
        self.assertNotIn('Unfinished', shown)
        first.send_signal(signal.SIGCONT)
        self.go()
        self.assert_ok(self.ended(first))
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_that_of_a_terminated_holder_is_free_at_once(self) -> None:
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        self.begun()
        first.terminate()
        self.assertEqual(self.ended(first).status, 128 + signal.SIGTERM)
        self.assertIsNone(self.holder())

    def test_it_lasts_as_long_as_a_migration_longer_than_its_time(self) -> None:
        self.settings(ttl=3, wait=0)
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        self.begun()
        holder = self.holder()
        assert holder is not None
        out = holder['since'] + timedelta(seconds=6)
        eventually(lambda: (self.holder() or holder)['expires'] > out, 'renewals')
        self.assert_error(self.fab('migrations:execute'), 'fab migrations:unlock')
        self.go()
        self.assert_ok(self.ended(first))
        self.assertEqual(self.registered(), ['001_a.py'])

    def with_one_connection(self) -> None:
        """Have a client that a migration may take whole, and a lock of 3 seconds."""
        self.settings(ttl=3)
        fabfile = (self.folder / 'fabfile.py').read_text()
        options = "MONGO_CLIENT_OPTIONS = {'maxPoolSize': 1}; LOCK_TTL"
        self.write('fabfile.py', fabfile.replace('LOCK_TTL', options))

    def test_it_lasts_while_the_migration_has_all_connections(self) -> None:
        """With `maxPoolSize=1` a write of the server's that is longer than its time."""
        self.migration(
            '001_long.py',
            """
            def up(db):
                db.ran.insert_one({'_id': 1})
                slow = {'$where': 'sleep(9000) || true'}
                db.ran.update_many(slow, {'$set': {'ended': True}})
            """,
        )
        self.with_one_connection()
        first = self.start('migrations:execute')
        eventually(lambda: self.db.ran.find_one(), 'it has begun')
        time.sleep(4)
        second = self.assert_ok(self.fab('migrations:execute'))
        self.assert_ok(self.ended(first))
        self.assertIn('Waiting for another migration command', second.stderr)
        self.assertEqual(self.registered(), ['001_long.py'])

    def test_what_runs_ends_where_it_has_all_connections_and_loses_the_lock(
        self,
    ) -> None:
        """`unlock` says after how many seconds nothing is written any more."""
        self.migration(
            '001_long.py',
            """
            def up(db):
                db.ran.insert_many([{'_id': number} for number in range(300)])
                slow = {'$where': 'sleep(100) || true'}
                db.ran.update_many(slow, {'$set': {'ended': True}})
            """,
        )
        self.with_one_connection()
        first = self.start('migrations:execute')
        eventually(lambda: self.db.ran.find_one({'ended': True}), 'it writes')
        self.assert_ok(self.fab('migrations:unlock,force=yes'))
        result = self.ended(first)
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('lost its lock', result.stderr)
        self.assertLess(self.db.ran.count_documents({'ended': True}), 250)

    def test_unlock_shows_whom_it_robs(self) -> None:
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        [process] = self.begun()
        result = self.assert_ok(self.fab('migrations:unlock,force=yes'))
        self.assertIn(
            f'Took the lock from {Agent.current()} (process {process}, execute) since',
            result.stdout,
        )
        self.assertIn(
            'If it still runs, it may take 20 s to notice (longer if it is suspended),'
            ' and writes on until then:'
            ' wait that long before you type anything else.',
            result.stdout,
        )
        self.assertIsNone(self.holder())
        [run] = self.db.migrations_history.find()
        left = run['writes_until'] - self.client.admin.command('hello')['localTime']
        self.assertLessEqual(left, timedelta(seconds=20))
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn(
            'its lock was taken away. Unless suspended, it may write until'
            f' {run["writes_until"]:%Y-%m-%d %H:%M:%S} UTC: wait until then\n',
            shown,
        )
        result = self.assert_ok(self.fab('migrations:unlock,force=yes'))
        self.assertIn('Nobody holds the lock', result.stdout)
        first.kill()

    def test_what_is_typed_then_begins_when_the_robbed_one_has_noticed(self) -> None:
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        self.begun()
        self.assert_ok(self.fab('migrations:unlock,force=yes'))
        [run] = self.db.migrations_history.find()
        # The rest of its 20 seconds is of no use to a test.
        until = self.client.admin.command('hello')['localTime'] + timedelta(seconds=4)
        self.db.migrations_history.update_one({}, {'$set': {'writes_until': until}})
        (self.folder / 'go').touch()
        result = self.assert_ok(self.fab('migrations:execute,001_a.py'))
        self.assertIn(
            f'001_a.py may write until {until:%Y-%m-%d %H:%M:%S} UTC if it still runs,'
            ' as its lock was taken away: waiting ',
            result.stderr,
        )
        again = self.db.migrations_history.find_one({'_id': {'$ne': run['_id']}})
        assert again is not None
        self.assertGreaterEqual(again['started'], until)
        self.assertEqual(self.ended(first).status, 1)
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_of_one_that_is_gone_nothing_is_awaited(self) -> None:
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        self.begun()
        end(first)
        self.assert_ok(self.fab('migrations:unlock'))
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn('Unfinished: 001_a.py', shown)
        self.assertNotIn('wait until', shown)

    def test_a_robbed_holder_registers_nothing_and_starts_nothing(self) -> None:
        self.migration('001_a.py', WAITING)
        self.migration('002_b.py')
        first = self.start('migrations:execute')
        self.begun()
        self.assert_ok(self.fab('migrations:unlock,force=yes'))
        # The next one does not run what may be half done.
        refused = self.assert_error(self.fab('migrations:execute'), 'Unfinished')
        self.assertIn('fab migrations:execute,001_a.py', refused.stderr)
        self.go()
        result = self.assert_error(self.ended(first), 'lost its lock', '001_a.py')
        self.assertNotIn('executed in', result.stderr)
        self.assertEqual(self.registered(), [])
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn('Unfinished: 001_a.py', shown)

    def test_a_robbed_loop_of_short_writes_ends_once_that_is_noticed(self) -> None:
        """Ending what is under way on the server does not end it."""
        self.settings(ttl=3, wait=0)
        self.migration('001_a.py', LOOP)
        first = self.start('migrations:execute')
        eventually(lambda: self.db.ran.count_documents({}) > 0, 'a write')
        self.assert_ok(self.fab('migrations:unlock,force=yes'))
        result = self.assert_error(self.ended(first), 'lost its lock')
        self.assertNotIn('counts as unfinished', result.stderr)
        self.assertEqual(self.db.ran.count_documents({'ended': True}), 0)

    def test_another_may_execute_what_a_robbed_one_is_still_at(self) -> None:
        self.migration('001_a.py', WAITING)
        self.migration('002_b.py')
        first = self.start('migrations:execute')
        self.begun()
        self.assert_ok(self.fab('migrations:unlock,force=yes'))
        second = self.start('migrations:execute,001_a.py')
        self.begun(2)
        self.go()
        self.assert_ok(self.ended(second))
        self.assert_error(self.ended(first), 'lost its lock')
        [record] = self.db.migrations.find()
        run = self.db.migrations_history.find_one({'_id': record['_id']})
        assert run is not None
        self.assertEqual(run['pid'], second.pid)
        self.assertEqual(self.registered(), ['001_a.py'])
        shown = self.assert_ok(self.fab('migrations')).stderr
        self.assertNotIn('Unfinished', shown)

    def test_a_robbed_one_that_rolls_back_what_is_not_registered_says_so(self) -> None:
        """Of its end the history alone tells, which it may not write either."""
        self.migration('001_a.py', WAITING.replace('def down', 'def other'))
        with open(self.folder / 'mongomigrations/001_a.py', 'a') as file:
            file.write('\ndown = up\n')
        first = self.start('migrations:rollback,001_a.py,force=yes')
        self.begun()
        self.assert_ok(self.fab('migrations:unlock,force=yes'))
        self.go()
        result = self.assert_error(self.ended(first), 'lost its lock')
        self.assertNotIn('rolled back in', result.stderr)
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn('Unfinished: 001_a.py: down', shown)

    def test_a_server_that_cannot_be_reached_is_not_locked(self) -> None:
        self.migration('001_a.py')
        with server.standalone() as gone:
            uri = f'{gone.uri}&serverSelectionTimeoutMS=500'
        fabfile = (self.folder / 'fabfile.py').read_text()
        self.write('fabfile.py', fabfile.replace(self.uri, uri))
        result = self.assert_error(self.fab('migrations:execute'), 'cannot be reached')
        self.assertNotIn('another', result.stderr.lower())
        self.assertNotIn('unlock', result.stderr)


class SlowServerTest(PlainTest):
    """A server that is late with a write of migopy's own, as one that takes none."""

    def test_what_is_waited_for_is_said(self) -> None:
        self.migration('1_a.py', 'def up(db): pass')
        for command, of, name in (
            ('execute', Lock, '_try'),
            ('unlock', Collection, 'find_one_and_delete'),
        ):
            work = partial(self.manager().perform, command, (), {})
            self.require_said(of, name, work)

    def test_by_a_guarded_write_too(self) -> None:
        lock = Lock(self.db.migrations_lock, 60)
        with lock.held('execute', 0, nobody), told_by(self.logger):
            insert = partial(GuardedWriter(lock).insert, self.db.migrations_lock, {})
            self.require_said(Database, 'command', insert)

    def test_it_is_written_where_the_machine_has_no_thread_to_tell_of_it(self) -> None:
        lock = Lock(self.db.migrations_lock, 60)
        error = RuntimeError("can't start new thread")
        with (
            lock.held('execute', 0, nobody),
            mock.patch.object(threading.Thread, 'start', side_effect=error),
        ):
            GuardedWriter(lock).insert(self.db.others, {'_id': 1})
        self.assertEqual(self.db.others.count_documents({}), 1)

    def require_said(self, of: type, name: str, work: Callable[[], Any]) -> None:
        """Have a method answer when it was said that it has not."""
        self.logger.said.clear()
        said = f'has not answered a write to {self.db.name}.migrations_lock for 0.05 s'
        answer: Any = getattr(of, name)

        def late(*arguments: Any, **options: Any) -> Any:
            eventually(lambda: said in str(self.logger.said), 'a line')
            return answer(*arguments, **options)

        with (
            mock.patch.object(concerns, 'SILENCE', 0.05),
            mock.patch.object(of, name, late),
        ):
            work()
        self.assertIn(said, str(self.logger.said))


class PlainPythonTest(PlainTest):
    """Managers without `fab`."""

    def test_threads_that_share_a_manager_execute_once(self) -> None:
        self.migration(
            '001_a.py',
            """
            import time

            def up(db):
                db.ran.insert_one({})
                time.sleep(0.2)
            """,
        )
        manager = self.manager()
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda number: manager.execute(), range(3)))
        self.assertEqual(self.db.ran.count_documents({}), 1)

    def test_whatever_writes_takes_it(self) -> None:
        self.migration('001_a.py', NOTHING)
        self.migration('002_b.py', NOTHING)
        self.register('002_b.py')
        dumps = self.folder / 'dumps'
        self.manager(MONGO_DUMP_DIRECTORY=str(dumps)).dbdump()
        [dump] = dumps.glob('2*')
        commands: list[tuple[str, list[str]]] = [
            ('execute', []),
            ('execute', ['001_a.py']),
            ('ignore', []),
            ('rollback', ['002_b.py']),
            ('dbdump', []),
            ('dbrestore', [dump.name]),
        ]
        manager = self.manager(LOCK_WAIT=0, MONGO_DUMP_DIRECTORY=str(dumps))
        document = self.db.migrations_lock
        with Lock(document, 60).held('execute', 0, nobody):
            before = document.find_one()
            for subtask, values in commands:
                with self.subTest(subtask), self.assertRaises(Locked):
                    getattr(manager, subtask)(*values)
            self.assertEqual(document.find_one(), before)
        self.assertEqual(self.registered(), ['002_b.py'])

    def test_a_subtask_that_calls_another_holds_the_lock_once(self) -> None:
        self.migration('001_a.py', NOTHING)
        self.manager(DO_MONGO_DUMP=True).execute()
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_what_is_migopy_s_is_read_on_the_primary(self) -> None:
        """Another member may not know yet what has just been registered."""
        commands = Commands()
        host, port = self.client.address or ('', 0)
        name = self.client.admin.command('hello')['setName']
        manager = self.manager(
            MONGO_URI=f'mongodb://{host}:{port}/?replicaSet={name}',
            MONGO_CLIENT_OPTIONS={
                'event_listeners': [commands],
                'readPreference': 'secondaryPreferred',
            },
        )
        self.migration('001_a.py', NOTHING)
        manager.execute()
        manager.show_status()
        manager.history()
        own = [event for event in commands.sent if 'migrations' in repr(event.command)]
        self.assertGreater(len(own), 8)
        for event in own:
            self.assertNotIn('secondary', repr(event.command))
        manager.db.ran.find_one()
        self.assertIn('secondary', repr(commands.sent[-1].command))


def tearDownModule() -> None:
    left = [each for each in threading.enumerate() if each.name == 'migopy-lock']
    assert not left, left
