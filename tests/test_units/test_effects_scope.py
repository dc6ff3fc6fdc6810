"""Whose a command is: of contexts, threads and databases, without a server."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import subprocess
import sys
import threading
import unittest
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Callable, TypeVar

from pymongo.monitoring import CommandStartedEvent

from migopy.effects import EffectsListener, Recording, RefusedWrite, offspring
from tests.test_units.test_effects import INSERT, LOST, failed, succeeded

Answer = TypeVar('Answer')

NOTE = "perhaps changed by insert (in a thread that may be another migration's)"
UNTOLD = f'cities {NOTE}'

#: Since when Python tells who starts a thread.
TELLS_OF_THREADS = sys.version_info >= (3, 12)


class ScopeTest(unittest.TestCase):
    """A listener, a thread that was there before any recording, and a second one."""

    def setUp(self) -> None:
        self.listener = EffectsListener()
        self.request_ids = itertools.count(1)
        self.stray, self.other = self.thread(), self.thread()

    def thread(self) -> Callable[..., Any]:
        """Give what runs a function in a thread that exists already."""
        pool = ThreadPoolExecutor(1)
        self.addCleanup(pool.shutdown)
        pool.submit(int).result()

        def run(work: Callable[..., Answer], *arguments: Any) -> Answer:
            return pool.submit(work, *arguments).result()

        return run

    def start(self, database: str = 'geo', **more: Any) -> int:
        request_id = next(self.request_ids)
        command = {**INSERT, **more}
        address = ('127.0.0.1', 27017)
        self.listener.started(
            CommandStartedEvent(command, database, request_id, address, request_id)
        )
        return request_id

    def insert(self, database: str = 'geo', **more: Any) -> None:
        request_id = self.start(database, **more)
        reply = {'n': 1, 'ok': 1}
        command = {**INSERT, **more}
        self.listener.succeeded(succeeded(command, request_id, reply, database))

    @contextmanager
    def in_other(self, database: str = '') -> Iterator[Recording]:
        """Open a recording in another thread."""
        with ExitStack() as stack:
            recording = self.other(
                stack.enter_context, self.listener.recording(database)
            )
            try:
                yield recording
            finally:
                self.other(stack.close)

    def assert_told(self, recording: Recording, expected: str) -> None:
        self.assertEqual(recording.describe('geo'), expected)


class ContextTest(ScopeTest):
    """A command that is sent in the context of a recording is its own."""

    def test_of_each_thread_its_own(self) -> None:
        with self.listener.recording() as here, self.in_other() as there:
            self.insert()
            self.other(self.insert)
            self.other(self.insert)
        self.assert_told(here, 'cities 1 inserted')
        self.assert_told(there, 'cities 2 inserted')

    def test_a_recording_within_another_is_a_part_of_it(self) -> None:
        with self.listener.recording() as outer, self.in_other() as there:
            self.insert()
            with self.listener.recording() as inner:
                self.insert()
            self.insert()
        self.assert_told(outer, 'cities 3 inserted')
        self.assert_told(inner, 'cities 1 inserted')
        self.assert_told(there, '')

    def test_a_task_of_asyncio_is_of_the_context_that_made_it(self) -> None:
        """Even where the loop runs in a thread of its own."""

        async def write() -> None:
            self.insert()

        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        with self.listener.recording() as here, self.in_other() as there:
            asyncio.run(write())
            asyncio.run_coroutine_threadsafe(write(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        self.assert_told(here, 'cities 2 inserted')
        self.assert_told(there, '')

    def test_a_thread_that_is_given_the_context(self) -> None:
        with self.listener.recording() as here, self.in_other() as there:
            self.stray(contextvars.copy_context().run, self.insert)
        self.assert_told(here, 'cities 1 inserted')
        self.assert_told(there, '')

    def test_what_outlives_its_recording_is_of_the_one_around(self) -> None:
        with self.listener.recording() as outer:
            with self.listener.recording() as inner:
                context = contextvars.copy_context()
            with self.in_other() as there:
                context.run(self.insert)
        self.assert_told(outer, 'cities 1 inserted')
        self.assert_told(inner, '')
        self.assert_told(there, '')

    def test_two_listeners_do_not_mind_each_other(self) -> None:
        another = EffectsListener()
        with self.listener.recording() as here, another.recording() as there:
            self.insert()
        self.assert_told(here, 'cities 1 inserted')
        self.assert_told(there, '')

    def test_an_answer_is_for_who_was_there_when_it_was_asked_for(self) -> None:
        with self.in_other() as there:
            request_id = self.other(self.start)
            with self.listener.recording() as here:
                answer = succeeded(INSERT, request_id, {'n': 1, 'ok': 1})
                self.listener.succeeded(answer)
        self.assert_told(here, '')
        self.assert_told(there, 'cities 1 inserted')

    def test_what_is_not_answered_is_not_the_neighbours(self) -> None:
        with self.listener.recording() as here, self.in_other() as there:
            self.other(self.start)
            self.assertFalse(here.wrote)
            self.assertEqual(here.unknowns()[1:], [])
            self.assertTrue(there.wrote)
        self.assert_told(here, '')
        self.assert_told(there, 'cities perhaps changed by insert (no answer)')

    def test_what_is_never_answered_is_let_go_with_its_recording(self) -> None:
        with self.in_other():
            with self.listener.recording() as here:
                self.start()
            self.assertEqual(self.listener._unanswered, {})
        self.assertTrue(here.wrote)

    def test_an_answer_after_the_end_changes_nothing(self) -> None:
        with self.in_other():
            with self.listener.recording() as here:
                request_id = self.start()
            self.listener.succeeded(succeeded(INSERT, request_id, {'n': 1, 'ok': 1}))
        self.assert_told(here, 'cities perhaps changed by insert (no answer)')


class OwnWorkTest(ScopeTest):
    """Migopy's own work is in no recording."""

    def own(self) -> None:
        with self.listener.own_work():
            self.insert()

    def test_whichever_thread_does_it(self) -> None:
        with self.listener.recording() as here, self.in_other() as there:
            for run in (lambda work: work(), self.other, self.stray):
                run(self.own)
            thread = threading.Thread(target=self.own)
            thread.start()
            thread.join()
        self.assert_told(here, '')
        self.assert_told(there, '')

    def test_what_is_recorded_within_it_is_recorded(self) -> None:
        """A command of a manager is own work but for its steps."""
        with self.in_other() as there, self.listener.own_work():
            self.insert()
            with self.listener.recording() as here:
                self.insert()
                self.own()
            self.insert()
        self.assert_told(here, 'cities 1 inserted')
        self.assert_told(there, '')

    def test_a_thread_that_it_starts_is_not_own_work_by_that(self) -> None:
        """It may be a module's, which writes later on: no write is passed over."""
        go = threading.Event()
        with self.listener.own_work():
            thread = threading.Thread(target=lambda: (go.wait(10), self.insert()))
            thread.start()
            with self.listener.recording() as here:
                go.set()
                thread.join()
        self.assert_told(here, 'cities 1 inserted')


class ThreadsTest(ScopeTest):
    """Threads that have no context of a recording."""

    def in_new_thread(self, work: Callable[[], object]) -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    def test_alone_a_recording_has_them_all(self) -> None:
        with self.listener.recording('geo') as here:
            self.stray(self.insert)
            self.stray(self.insert, 'other')
            self.in_new_thread(self.insert)
        self.assert_told(here, 'cities 2 inserted; other.cities 1 inserted')

    def test_the_innermost_has_them_and_all_around_it(self) -> None:
        with self.listener.recording() as outer, self.listener.recording() as inner:
            self.stray(self.insert)
        self.assert_told(outer, 'cities 1 inserted')
        self.assert_told(inner, 'cities 1 inserted')

    def test_the_database_tells_whose_it_is(self) -> None:
        with self.listener.recording('geo') as here, self.in_other('shop') as there:
            self.stray(self.insert, 'geo')
            self.stray(self.insert, 'shop')
        self.assert_told(here, 'cities 1 inserted')
        self.assertEqual(there.describe('shop'), 'cities 1 inserted')

    def test_the_database_is_that_of_the_collection(self) -> None:
        """Renaming is a command of `admin`."""
        rename = {'renameCollection': 'geo.cities', 'to': 'geo.towns'}
        with self.listener.recording('geo') as here, self.in_other('shop') as there:

            def work() -> None:
                event = CommandStartedEvent(rename, 'admin', 1, ('h', 1), 1)
                self.listener.started(event)
                self.listener.succeeded(succeeded(rename, 1, {'ok': 1}))

            self.stray(work)
        self.assert_told(here, 'collection cities renamed to towns')
        self.assert_told(there, '')

    def test_where_nothing_tells_each_says_so(self) -> None:
        """No write is passed over, and none is counted for certain."""
        for database in ('geo', ''):
            with self.subTest(database=database):
                with (
                    self.listener.recording(database) as here,
                    self.in_other(database) as there,
                ):
                    self.insert()
                    self.stray(self.insert)
                self.assert_told(here, f'cities 1 inserted, {NOTE}')
                self.assert_told(there, UNTOLD)
                self.assertIn(f'geo.cities was {NOTE}', there.unknowns())

    def test_of_a_third_database_each_says_so(self) -> None:
        with self.listener.recording('geo') as here, self.in_other('shop') as there:
            self.stray(self.insert, 'admin')
        for each in (here, there):
            self.assertIn('admin.cities perhaps changed', each.describe())

    def test_what_certainly_wrote_nothing_is_not_noted(self) -> None:
        def refused() -> None:
            command = {**INSERT}
            request_id = self.start()
            failure = {'ok': 0, 'code': 13}
            self.listener.failed(failed(command, request_id, failure))

        def read() -> None:
            event = CommandStartedEvent(
                {'aggregate': 'cities', 'pipeline': []}, 'geo', 99, ('h', 1), 99
            )
            self.listener.started(event)

        with self.listener.recording() as here, self.in_other() as there:
            self.stray(refused)
            self.stray(read)
        self.assertFalse(here.wrote)
        self.assertFalse(there.wrote)

    def test_what_failed_or_was_not_answered_is_noted(self) -> None:
        def lost() -> None:
            self.listener.failed(failed(INSERT, self.start(), LOST))

        for work in (lost, self.start):
            with self.listener.recording() as here, self.in_other() as there:
                self.stray(work)
            self.assert_told(here, UNTOLD)
            self.assert_told(there, UNTOLD)

    def test_the_transaction_tells_whose_it_is(self) -> None:
        """A session may be handed to a thread; its end may come from any."""
        inside = {'lsid': {'id': b'1'}, 'txnNumber': 1, 'autocommit': False}

        def commit() -> None:
            command = {'commitTransaction': 1, **inside}
            event = CommandStartedEvent(command, 'admin', 77, ('h', 1), 77)
            self.listener.started(event)
            self.listener.succeeded(succeeded(command, 77, {'ok': 1}))

        with self.listener.recording() as here, self.in_other() as there:
            self.insert(**inside)
            self.stray(lambda: self.insert(**inside))
            self.assertFalse(here.outside.wrote)
            self.stray(commit)
            self.assertTrue(here.outside.wrote)
        self.assert_told(here, 'cities 2 inserted')
        self.assert_told(there, '')

    @unittest.skipUnless(TELLS_OF_THREADS, 'Python does not tell')
    def test_who_started_it_tells_whose_it_is(self) -> None:
        """A thread of a thread, and a pool's, too."""

        def in_pool() -> None:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda _: self.insert(), range(4)))

        with self.listener.recording('geo') as here, self.in_other('geo') as there:
            self.in_new_thread(self.insert)
            self.in_new_thread(lambda: self.in_new_thread(self.insert))
            self.in_new_thread(lambda: self.insert('shop'))
            in_pool()
            self.other(in_pool)
        self.assert_told(here, 'cities 6 inserted; shop.cities 1 inserted')
        self.assert_told(there, 'cities 4 inserted')

    @unittest.skipUnless(TELLS_OF_THREADS, 'Python does not tell')
    def test_a_pool_that_serves_another_database_as_well_is_not_certain(self) -> None:
        with (
            self.listener.recording('geo') as here,
            self.in_other('shop') as there,
            ThreadPoolExecutor(1) as pool,
        ):
            pool.submit(self.insert, 'geo').result()
            self.other(lambda: pool.submit(self.insert, 'shop').result())
        self.assertIn('cities 1 inserted; shop.cities perhaps', here.describe('geo'))
        self.assertIn('cities perhaps changed', there.describe('shop'))

    @unittest.skipUnless(TELLS_OF_THREADS, 'Python does not tell')
    def test_a_thread_that_goes_on_after_its_recording(self) -> None:
        """It counts for the next one of the same database, as it has always done."""
        go = threading.Event()
        for database, expected in (('geo', 'cities 1 inserted'), ('shop', 'perhaps')):
            with self.subTest(database=database):
                go.clear()
                with self.listener.recording('geo'):
                    thread = threading.Thread(
                        target=lambda: (go.wait(10), self.insert())
                    )
                    thread.start()
                with self.listener.recording(database) as here:
                    go.set()
                    thread.join()
                self.assertIn(expected, here.describe('geo'))

    def test_no_recording_lives_on_for_a_thread_that_has_ended(self) -> None:
        with self.listener.recording() as here:
            self.in_new_thread(self.insert)
        kept = weakref.ref(here)
        del here
        gc.collect()
        self.assertIsNone(kept())


class KeptToTest(ScopeTest):
    """A recording that is kept to the transaction of one session."""

    SESSION = {'id': b'1'}

    def inside(self) -> dict[str, Any]:
        return {'lsid': self.SESSION, 'txnNumber': 1, 'autocommit': False}

    def test_what_is_not_part_of_it_is_not_sent(self) -> None:
        other = {**self.inside(), 'lsid': {'id': b'2'}}
        with self.listener.recording() as here, here.kept_to(self.SESSION):
            self.insert(**self.inside())
            for more in ({}, {'lsid': self.SESSION, 'txnNumber': 2}, other):
                with self.subTest(more=more), self.assertRaises(RefusedWrite) as caught:
                    self.insert(**more)
                self.assertEqual(caught.exception.namespace, 'geo.cities')
                self.assertEqual(caught.exception.command, 'insert')
        self.assertIs(type(here.refused), RefusedWrite)
        self.assertFalse(here.outside.wrote)
        self.assert_told(here, 'cities 1 inserted')

    def test_reads_and_own_work_go_on(self) -> None:
        reads = ({'find': 'a'}, {'aggregate': 'a', 'pipeline': []}, {'ping': 1})
        with self.listener.recording() as here, here.kept_to(self.SESSION):
            for command in reads:
                event = CommandStartedEvent(command, 'geo', 1, ('h', 1), 1)
                self.listener.started(event)
            with self.listener.own_work():
                self.insert()
        self.assertIsNone(here.refused)

    def test_not_after_the_block_nor_for_the_neighbour(self) -> None:
        with self.listener.recording('geo') as here, self.in_other('shop') as there:
            with here.kept_to(self.SESSION):
                self.other(self.insert, 'shop')
            self.insert()
        self.assert_told(here, 'cities 1 inserted')
        self.assertTrue(here.outside.wrote)
        self.assertEqual(there.describe('shop'), 'cities 1 inserted')

    def test_a_thread_of_unknown_origin_is_not_refused_but_told(self) -> None:
        """It may be the application's."""
        with self.listener.recording() as here, here.kept_to(self.SESSION):
            self.insert(**self.inside())
            self.stray(self.insert)
        self.assertEqual(here.outside.describe('geo'), 'cities 1 inserted')
        self.assert_told(here, 'cities 2 inserted')

    def test_but_where_there_is_no_application(self) -> None:
        """Nobody but the migration writes in a process of its own."""
        with self.listener.recording() as here:
            with here.kept_to(self.SESSION, strays=True):
                self.assertRaises(RefusedWrite, self.stray, self.insert)
                with self.in_other() as there:
                    self.stray(self.insert)
                with self.listener.own_work():
                    self.insert()
            self.stray(self.insert)
        self.assertIn('cities 1 inserted, perhaps', here.outside.describe('geo'))
        self.assert_told(there, UNTOLD)

    @unittest.skipUnless(TELLS_OF_THREADS, 'Python does not tell')
    def test_a_thread_that_it_started_is_refused(self) -> None:
        raised: list[BaseException] = []

        def write() -> None:
            try:
                self.insert()
            except BaseException as error:
                raised.append(error)

        with self.listener.recording() as here, here.kept_to(self.SESSION):
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()
        self.assertEqual(raised, [here.refused])

    def test_other_transactions_are_outside_open_or_committed(self) -> None:
        """The step's own is neither before its commit nor after."""
        other = {**self.inside(), 'lsid': {'id': b'2'}}
        with self.listener.recording() as here:
            with here.kept_to(self.SESSION):
                self.insert(**self.inside())
            self.assertFalse(here.outside.wrote)
            self.insert(**other)
            self.assertEqual(here.outside.describe('geo'), 'cities 1 inserted')
            for number, inside in enumerate((self.inside(), other), 100):
                commit = {'commitTransaction': 1, **inside}
                address = ('h', 1)
                event = CommandStartedEvent(commit, 'admin', number, address, number)
                self.listener.started(event)
                self.listener.succeeded(succeeded(commit, number, {'ok': 1}))
        self.assertEqual(here.outside.describe('geo'), 'cities 1 inserted')
        self.assert_told(here, 'cities 2 inserted')


class ChildrenTest(ScopeTest):
    """Child processes, by the events that Python raises for them."""

    def test_they_are_named_by_their_program(self) -> None:
        with self.listener.recording() as here, self.in_other() as there:
            subprocess.run([sys.executable, '-c', ''], check=True)
            with self.listener.own_work():
                subprocess.run(['true'], check=True)
        told = [each for each in here.unknowns() if 'child' in each]
        program = sys.executable.rpartition('/')[2]
        self.assertEqual(told, [f'a child process was started ({program})'])
        self.assertNotIn(told[0], there.unknowns())

    def test_each_event_is_understood(self) -> None:
        events: dict[str, tuple[Any, ...]] = {
            'subprocess.Popen': ('/usr/bin/mongoimport', ['mongoimport'], None, None),
            'os.posix_spawn': (b'/usr/bin/mongoimport', [b'x'], {}),
            'os.exec': ('/usr/bin/mongoimport', [], None),
            'os.spawn': (0, 'mongoimport', [], None),
            'os.fork': (),
            'os.forkpty': (),
            'os.system': (b'mongoimport --password secret',),
        }
        for event, args in events.items():
            with self.subTest(event=event), self.listener.recording() as here:
                sys.audit(event, *args)
                named = (
                    ' (mongoimport)' if offspring.PROCESSES[event] is not None else ''
                )
                self.assertIn(f'a child process was started{named}', here.unknowns())

    def test_an_event_of_another_form_keeps_nothing_from_starting(self) -> None:
        with self.listener.recording() as here:
            sys.audit('subprocess.Popen', None)
            sys.audit('os.spawn', 1)
            sys.audit('_thread.start_new_thread', None, (), None)
        self.assertIn('a child process was started', here.unknowns())

    def test_many_are_counted(self) -> None:
        with self.listener.recording() as here:
            for number in range(20):
                sys.audit('os.exec', f'/bin/p{number:02}', [], None)
        said = 'a child process was started (p00, p01, p02, p03, p04, and 15 more)'
        self.assertIn(said, here.unknowns())

    def test_nobody_listens_outside_of_recordings(self) -> None:
        with self.listener.recording():
            self.assertIn(self.listener, offspring._listeners)
            with self.listener.recording():
                pass
            self.assertIn(self.listener, offspring._listeners)
        self.assertNotIn(self.listener, offspring._listeners)
