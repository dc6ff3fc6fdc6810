"""Work that a function returns in place of doing it is never taken for done."""

from __future__ import annotations

import sys
import threading
import warnings
from pathlib import Path
from unittest import mock

from migopy.errand import Errand, carrying_out
from migopy.run import OF_DATABASE, lingering
from migopy.state import Lock
from tests.fleets import FleetTest
from tests.project import FabTest, PlainTest, RecordingLogger

NAME = '001_x.py'


#: Whole files, each with the words that name what came back.
UNDONE = {
    'a coroutine': """
        async def work(db): db.a.insert_one({})
        def up(db): return work(db)
        """,
    'a generator': """
        def work(db): yield db.a.insert_one({})
        def up(db): return work(db)
        """,
    'a map object': 'def up(db): return map(db.a.insert_one, [{}])',
    'a function': 'def up(db): return lambda: db.a.insert_one({})',
    'a list with an operation, InsertOne': """
        from pymongo import InsertOne
        def up(db): return [InsertOne({})]
        """,
    'a list with a generator': """
        def up(db): return [(db.a.insert_one({}) for _ in range(3))]
        """,
    'a list of CreateIndex': """
        class CreateIndex: pass
        def up(db): return [CreateIndex()]
        """,
}


class LeftUndoneTest(PlainTest):
    def refused(self, text: str, **attributes: object) -> str:
        self.migration(NAME, text)
        with self.assertRaises(Exception) as caught:
            self.manager(**attributes).execute()
        self.assertEqual(self.registered(), [])
        return str(caught.exception)

    def test_is_an_error_before_it_is_registered(self) -> None:
        for what, text in UNDONE.items():
            for transaction in (False, True):
                with self.subTest(what, transaction=transaction):
                    message = self.refused(text, TRANSACTION=transaction)
                    self.assertIn(f'{NAME}: its up returned {what}', message)
                    self.assertEqual(self.contents('a'), [])

    def test_is_an_error_of_a_dry_run_too(self) -> None:
        self.migration(NAME, UNDONE['a generator'])
        with self.assertRaisesRegex(Exception, 'returned a generator'):
            self.manager().execute(dry_run='yes')

    def test_is_an_error_of_down_too(self) -> None:
        self.migration(NAME, 'def up(db): pass\ndef down(db): return map(print, [1])')
        self.manager().execute()
        with self.assertRaisesRegex(Exception, 'its down returned a map object'):
            self.manager().rollback('1')
        self.assertEqual(self.registered(), [NAME])

    def test_what_was_written_before_leaves_it_unfinished(self) -> None:
        text = """
            def up(db):
                db.a.insert_one({})
                return (db.b.insert_one({}) for _ in range(3))
            """
        self.refused(text)
        [message] = self.logger.of('red')
        self.assertIn('It may have written already (a 1 inserted)', message)

    def test_a_loop_of_python_2_that_does_nothing_is_refused_before(self) -> None:
        """Python 2 went through it at once; registered, it would never be run."""
        map_alone, filter_alone = (
            'map(db.a.insert_one, [{}])',
            'filter(db.a.save, [{}])',
        )
        for loop, text in (
            ('map', f'def up(db):\n    db.b.insert_one({{}})\n    {map_alone}'),
            ('filter', f'def work(db):\n    if db:\n        {filter_alone}\nup = work'),
            ('map', f'class Migration:\n  def upgrade(self, db=1):\n    {map_alone}'),
        ):
            with self.subTest(text):
                message = self.refused(text)
                self.assertIn(f'{NAME}, line 3: {loop}(…) alone does nothing', message)
                self.assertEqual(self.contents('b'), [])

    def test_such_a_loop_stands_in_the_way_only_of_what_has_it(self) -> None:
        self.migration(
            NAME,
            """
            def up(db): db.a.insert_one({})
            def down(db): map(db.a.delete_one, [{}])
            """,
        )
        self.manager().execute()
        with self.assertRaisesRegex(Exception, r'line 3: map\(…\) alone does nothing'):
            self.manager().rollback('1')
        self.assertEqual(self.registered(), [NAME])


#: Whole files that forget to await, each with what they forget and where.
FORGOTTEN = {
    r'AsyncCollection\.insert_one\(\) \(001_x\.py, line 2\),': """
        async def up(db): db.a.insert_one({})
        """,
    r'AsyncCollection\.insert_one\(\) \(001_x\.py, line 3\) \(and 1 more': """
        async def up(db):
            kept = [db.a.insert_one({}), db.a.insert_one({})]
        """,
    r'AsyncCollection\.delete_many\(\) \(001_x\.py, line 2\),': """
        async def work(db): db.a.delete_many({})
        async def up(db): await work(db)
        """,
    r'work\(\) \(001_x\.py, line 3\),': """
        async def work(db): await db.a.insert_one({})
        def up(db): work(db)
        """,
    r'work\(\) \(001_x\.py, line 4\),': """
        import asyncio
        async def work(db): await db.a.insert_one({})
        async def begin(db): work(db)
        async def up(db): await asyncio.create_task(begin(db))
        """,
}


class NeverAwaitedTest(PlainTest):
    """A coroutine that nobody awaits does nothing, and is not taken for done."""

    refused = LeftUndoneTest.refused

    def test_is_an_error_before_it_is_registered(self) -> None:
        for forgotten, text in FORGOTTEN.items():
            for options in ({}, {'TRANSACTION': True}):
                with self.subTest(forgotten, **options):
                    message = self.refused(text, **options)
                    self.assertRegex(
                        message, f'^{NAME}: its up never awaited {forgotten}'
                    )
                    self.assertIn('Write `await` before it', message)
                    self.assertEqual(self.contents('a'), [])

    def test_is_an_error_of_a_dry_run_too(self) -> None:
        self.migration(NAME, 'async def up(db): db.a.insert_one({})')
        with self.assertRaisesRegex(Exception, 'never awaited'):
            self.manager().execute(dry_run='yes')

    def test_is_an_error_of_down_too(self) -> None:
        self.migration(
            NAME,
            """
            def up(db): pass
            async def down(db): db.a.insert_one({})
            """,
        )
        self.manager().execute()
        with self.assertRaisesRegex(Exception, 'its down never awaited'):
            self.manager().rollback('1')
        self.assertEqual(self.registered(), [NAME])

    def test_is_an_error_of_a_verify_which_would_hold_whatever_there_is(self) -> None:
        self.migration(
            NAME,
            """
            def up(db): pass
            async def verify(db): assert db.a.find_one()
            """,
        )
        with self.assertRaisesRegex(Exception, 'its verify never awaited'):
            self.manager().execute()
        self.assertEqual(self.registered(), [])

    def test_what_was_written_before_leaves_it_unfinished(self) -> None:
        self.refused(
            """
            async def up(db):
                await db.a.insert_one({})
                db.b.insert_one({})
            """
        )
        [message] = self.logger.of('red')
        self.assertIn('It may have written already (a 1 inserted)', message)

    def test_is_heard_where_python_is_told_to_warn_of_nothing(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            self.refused('async def up(db): db.a.insert_one({})')

    def test_what_was_put_away_on_purpose_is_fine(self) -> None:
        self.migration(
            NAME,
            """
            import asyncio

            async def forever(db):
                await asyncio.Event().wait()

            async def up(db):
                db.a.insert_one({}).close()
                asyncio.create_task(forever(db)).cancel()
                try:
                    await asyncio.wait_for(forever(db), 0)
                except asyncio.TimeoutError:
                    pass
                await asyncio.gather(db.a.insert_one({}), db.a.insert_one({}))
            """,
        )
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            self.manager().execute()
        self.assertEqual(len(self.contents('a')), 2)
        self.assertEqual(self.registered(), [NAME])

    def test_of_a_migration_that_runs_those_of_another_manager(self) -> None:
        others = self.write('others/001_y.py', 'def up(db): db.b.insert_one({})')
        inner = self.manager(
            MIGRATIONS_DIRECTORY=str(others.parent), MIGRATIONS_COLLECTION='others'
        )
        self.migration(
            NAME,
            """
            async def work(): pass

            def up(db):
                INNER()
                work()
            """,
        )
        with mock.patch('builtins.INNER', inner.execute, create=True):
            with self.assertRaisesRegex(Exception, 'never awaited work'):
                self.manager().execute()
            self.assertEqual(len(self.contents('b')), 1)

    def test_of_other_threads_and_afterwards_python_warns_as_ever(self) -> None:
        self.migration(
            NAME,
            """
            import threading

            async def work(): pass

            def up(db):
                thread = threading.Thread(target=lambda: work() and None)
                thread.start()
                thread.join()
            """,
        )

        async def work() -> None:
            pass

        with self.assertWarnsRegex(RuntimeWarning, 'work. was never awaited'):
            self.manager().execute()
        self.assertEqual(self.registered(), [NAME])
        with self.assertWarnsRegex(RuntimeWarning, 'work. was never awaited'):
            work()  # type: ignore[unused-coroutine]
        self.assertEqual(sys.get_coroutine_origin_tracking_depth(), 0)


class DoneTest(PlainTest):
    def test_results_and_data_are_fine(self) -> None:
        for number, expression in enumerate(
            (
                'None',
                '5',
                "'text'",
                'db.a.insert_one({})',
                'db.a.insert_many([{}, {}]).inserted_ids',
                'db.a.find()',
                'list(db.a.find())',
                "[db.a.insert_one({}), db.a.update_many({}, {'$set': {'x': 1}})]",
                "db.a.create_index('x')",
                "{'made': 3}",
                'db.a',
                'True',
                '(1, [2, {}])',
            )
        ):
            self.migration(f'{number:03}_x.py', f'def up(db): return {expression}')
        self.manager().execute()
        self.assertEqual(len(self.registered()), 13)

    def test_loops_that_do_something(self) -> None:
        self.migration(
            NAME,
            """
            def up(db):
                list(map(db.a.insert_one, [{}]))
                any(filter(db.a.delete_one, []))
            """,
        )
        self.migration(
            '002_own.py',
            """
            def map(function, items): return [function(each) for each in items]
            def up(db): map(db.a.insert_one, [{}])
            """,
        )
        self.manager().execute()
        self.assertEqual(len(self.contents('a')), 2)

    def test_models_of_one_s_own_are_where_something_was_written(self) -> None:
        self.migration(
            NAME,
            """
            class Note:
                def __init__(self, db): db.notes.insert_one({})

            def up(db): return [Note(db)]
            """,
        )
        self.manager().execute()
        self.assertEqual(self.registered(), [NAME])


#: Writes ten documents, each by a thread of a pool that nobody waits for.
POOL = """
    import time
    from concurrent.futures import ThreadPoolExecutor

    def write(db, number):
        time.sleep(0.02)
        db.a.insert_one({'_id': number})

    def up(db):
        pool = ThreadPoolExecutor(1)
        for number in range(10):
            pool.submit(write, db, number)
    """


class ThreadsTest(FabTest):
    """What `up` has begun in threads is done before it counts as executed."""

    def test_of_a_pool_are_waited_for(self) -> None:
        self.migration(NAME, POOL)
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('a 10 inserted', result.stderr)
        self.assertEqual(len(self.contents('a')), 10)

    def test_of_a_pool_that_a_file_before_has_started_are_too(self) -> None:
        self.migration(
            '000_pool.py',
            """
            import time
            from concurrent.futures import ThreadPoolExecutor

            def up(db):
                time.pool = ThreadPoolExecutor(1)
                time.pool.submit(db.a.insert_one, {}).result()
            """,
        )
        self.migration(NAME, POOL.replace('= ThreadPoolExecutor(1)', '= time.pool'))
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('a 10 inserted', result.stderr)

    def test_of_a_transaction_write_nothing_afterwards(self) -> None:
        """Also where `up` fails while the pool has work to do."""
        for failing in ('', '        1 / 0'):
            with self.subTest(failing):
                text = f'    transaction = True\n{POOL.rstrip()}\n{failing}'
                self.migration(NAME, text)
                result = self.fab('migrations:execute')
                self.assertEqual(result.status, 1, result.said)
                self.assertRegex(result.stderr, '[Nn]othing was changed')
                self.assertEqual(self.contents('a'), [])
                self.assertEqual(self.registered(), [])

    def test_a_thread_is_waited_for_before_verify_looks(self) -> None:
        self.migration(
            NAME,
            """
            import threading, time

            def write(db):
                time.sleep(0.3)
                db.a.insert_one({})

            def up(db):
                threading.Thread(target=write, args=(db,)).start()

            def verify(db):
                assert db.a.find_one()
            """,
        )
        self.assert_ok(self.fab('migrations:execute'))

    def test_that_have_nothing_to_do_are_not_waited_for(self) -> None:
        """A pool that a module keeps, and a daemon that never ends."""
        self.migration(
            NAME,
            """
            import threading
            from concurrent.futures import ThreadPoolExecutor

            POOL = ThreadPoolExecutor(2)

            def up(db):
                list(POOL.map(db.a.insert_one, [{}, {}, {}]))
                threading.Thread(target=threading.Event().wait, daemon=True).start()
            """,
        )
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('a 3 inserted', result.stderr)

    def test_nor_is_a_pool_of_processes(self) -> None:
        self.migration(
            NAME,
            """
            from concurrent.futures import ProcessPoolExecutor

            POOL = ProcessPoolExecutor(1)

            def up(db):
                db.a.insert_one({'sum': sum(POOL.map(abs, [-1, -2, -3]))})
            """,
        )
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertNotIn('Waiting for', result.stderr)
        self.assertEqual(self.contents('a'), [{'sum': 6}])

    def test_one_that_has_something_to_do_is(self) -> None:
        self.migration(
            NAME,
            """
            import time
            from concurrent.futures import ProcessPoolExecutor

            POOL = ProcessPoolExecutor(1)

            def up(db):
                def write(future):
                    time.sleep(0.3)
                    db.a.insert_one({'n': future.result()})

                for number in range(3):
                    POOL.submit(abs, number).add_done_callback(write)
            """,
        )
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('a 3 inserted', result.stderr)


class ManyTest(FleetTest):
    """With several databases at a time, too."""

    letters = 'ab'

    def test_threads_are_waited_for_in_each(self) -> None:
        self.migration(
            NAME,
            """
            import threading, time
            from concurrent.futures import ThreadPoolExecutor

            def write(db):
                time.sleep(0.3)
                db.late.insert_one({})

            def up(db):
                ThreadPoolExecutor(1).submit(write, db)
                threading.Thread(target=write, args=(db,)).start()
                threading.Thread(target=time.sleep, args=(90,), daemon=True).start()
            """,
        )
        result = self.assert_ok(self.fab('migrations:execute,workers=2'))
        self.assertEqual(result.stderr.count('late 2 inserted'), 2, result.stderr)

    def test_those_of_another_database_are_not_waited_for(self) -> None:
        """Its lock was held all the while, and its transaction open."""
        self.addCleanup(self.client.drop_database, f'{self.db.name}_notes')
        self.migration(
            NAME,
            f"""
            import threading, time

            def wait_for(collection):
                for _ in range(200):
                    if collection.find_one():
                        return
                    time.sleep(0.1)

            def up(db):
                notes = db.client['{self.db.name}_notes']
                short = db.client['{self.name('b')}']
                if db.name == short.name:
                    notes.begun.insert_one({{}})
                    wait_for(notes.at_work)
                    return
                wait_for(notes.begun)
                long = threading.Thread(target=wait_for, args=(short.migrations,))
                long.start()
                notes.at_work.insert_one({{}})
                long.join()
                if not short.migrations.find_one():
                    raise RuntimeError('it has waited')
            """,
        )
        self.assert_ok(self.fab('migrations:execute,workers=2'))

    def test_those_of_a_pool_for_all_are_waited_for_whoever_has_started_them(
        self,
    ) -> None:
        self.addCleanup(self.client.drop_database, f'{self.db.name}_notes')
        self.migration(
            NAME,
            f"""
            import time
            from concurrent.futures import ThreadPoolExecutor

            POOL = ThreadPoolExecutor(2)

            def wait_for(collection):
                for _ in range(200):
                    if collection.find_one():
                        return
                    time.sleep(0.1)

            def write(db, notes):
                notes.writes.insert_one({{}})
                time.sleep(0.5)
                db.late.insert_one({{'is_pending': not db.migrations.find_one()}})

            def up(db):
                notes = db.client['{self.db.name}_notes']
                if db.name == '{self.name('b')}':
                    notes.begun.insert_one({{}})
                    wait_for(notes.at_work)
                    POOL.submit(wait_for, notes.writes)
                    POOL.submit(write, db, notes)
                    notes.over.insert_one({{}})
                    return
                wait_for(notes.begun)
                other = POOL.submit(wait_for, notes.over)
                notes.at_work.insert_one({{}})
                other.result()
            """,
        )
        self.assert_ok(self.fab('migrations:execute,workers=2'))
        late = self.client[self.name('b')].late.find_one() or {}
        self.assertTrue(late.get('is_pending'))


#: Two files that leave something at work, which ends when the file `go` is there.
LEFT_AT_WORK = {
    'thread': """
        import os, threading, time

        GO = os.path.join(os.path.dirname(__file__), '..', 'go')

        def tick(db):
            deadline = time.monotonic() + 10
            while not os.path.exists(GO) and time.monotonic() < deadline:
                time.sleep(0.01)
            db.ticked.insert_one({})

        def up(db):
            threading.Thread(target=tick, args=(db,), name='ticker').start()
        """,
    'task': """
        import asyncio, os, time

        GO = os.path.join(os.path.dirname(__file__), '..', 'go')

        async def tick(db):
            deadline = time.monotonic() + 10
            while not os.path.exists(GO) and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            await db.ticked.insert_one({})

        async def up(db):
            global task
            task = asyncio.create_task(tick(db), name='ticker')
        """,
}


class Going(RecordingLogger):
    """Has what is left at work end as soon as a person is told of it."""

    def __init__(self, go: Path) -> None:
        super().__init__()
        self.go = go

    def white(self, message: object) -> None:
        super().white(message)
        if 'Waiting for' in str(message):
            self.go.touch()


class UnawaitedTest(PlainTest):
    """What never ends keeps nobody waiting without a word."""

    def execute(self, kind: str) -> None:
        self.migration(NAME, LEFT_AT_WORK[kind])
        with carrying_out(Errand()):
            self.manager().execute()
        self.assertEqual(self.registered(), [NAME])

    def require_told(self, kind: str, way_out: str, whose: str = '') -> None:
        self.logger = Going(self.folder / 'go')
        with mock.patch.object(lingering, 'SILENCE', 0.05):
            self.execute(kind)
        [said] = [each for each in self.logger.of('white') if 'Waiting for' in each]
        place = r'\(at .*/001_x\.py:(8|9|10)\)\. If that never ends'
        self.assertRegex(said, f'waited for itself{whose}: {kind} ticker {place}')
        self.assertIn(way_out, said)
        self.assertEqual(self.contents('ticked'), [{}])

    def test_a_person_is_told_of_a_thread(self) -> None:
        self.require_told('thread', 'daemon=True')

    def test_it_may_be_of_another_database_where_several_are_worked_on(self) -> None:
        over = threading.Event()
        self.addCleanup(over.set)
        for _ in range(2):
            threading.Thread(target=over.wait, name=OF_DATABASE, daemon=True).start()
        whose = ', or is at work for another database'
        self.require_told('thread', 'daemon=True', whose)

    def test_a_person_is_told_of_a_task(self) -> None:
        self.require_told('task', 'cancel()')

    def test_no_task_is_waited_for_once_the_lock_is_lost(self) -> None:
        with mock.patch.object(Lock, 'is_lost', True):
            self.execute('task')
        self.assertEqual(self.contents('ticked'), [])
