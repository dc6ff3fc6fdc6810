"""A migration that runs is seen and steered from another terminal."""

from __future__ import annotations

import random
import signal
import socket
import textwrap
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from migopy.state import Lock, Steering
from tests import hostile, schema
from tests.faults import eventually
from tests.fleets import FleetTest
from tests.project import FabTest, PlainTest
from tests.server import with_auth

DOCUMENTS = 1000

#: Takes at most a batch of ten in two fifths of a second, until `go` is there.
UP = """
    import os
    import time
    import migopy

    def up(db):
        migopy.update_each(db.notes, change, batch_size=10)

    def change(note):
        if not os.path.exists('go'):
            time.sleep(0.04)
        return {'$inc': {'calls': 1}}
"""

LOOP = """
    import os
    import time
    import migopy

    def up(db):
        for note in migopy.progress(db.notes.find()):
            if not os.path.exists('go'):
                time.sleep(0.04)
            db.notes.update_one({'_id': note['_id']}, {'$inc': {'calls': 1}})
"""

#: Fails within its loop.
FAILING = """
    import os
    import time
    import migopy

    def up(db):
        for note in migopy.progress(db.notes.find()):
            db.notes.update_one({'_id': note['_id']}, {'$inc': {'calls': 1}})
            while not os.path.exists('go'):
                time.sleep(0.02)
            1 / 0
"""

PLAIN = """
    import os
    import time

    def up(db):
        db.ran.insert_one({})
        while not os.path.exists('go'):
            time.sleep(0.02)
"""


class Steered(FabTest):
    """A test of a migration that runs in a process of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(DOCUMENTS)])

    def begin(self, text: str) -> tuple[Any, Path]:
        """Start `execute`; wait until it has written something, and told of it."""
        self.migration('1_a.py', text)
        process, said = self.start_heard('migrations:execute')
        eventually(self.calls, 'a first batch')
        eventually(lambda: self.doing().get('effects'), 'what it has done')
        return process, said

    def calls(self) -> int:
        return self.db.notes.count_documents({'calls': 1})

    def go(self, process: Any, said: Path) -> None:
        """Let the migration come to its end, and make sure that all was done once."""
        self.write('go', '')
        self.assertEqual(process.wait(60), 0, said.read_text())
        self.assertEqual(self.calls(), DOCUMENTS)

    def doing(self) -> dict[str, Any]:
        lock = self.db.migrations_lock.find_one() or {}
        doing: dict[str, Any] = lock.get('doing') or {}
        return doing

    def text_of(self, command: str) -> str:
        """Give what a command that ends well shows."""
        return self.assert_ok(self.fab(command)).results.strip()

    def watched(self, *more: str) -> tuple[Any, str]:
        """Start to watch; give the process, and the first line that it shows."""
        watching = self.start(','.join(['migrations:watch', *more]))
        assert watching.stdout is not None
        return watching, watching.stdout.readline()

    def rest(self, watching: Any) -> list[str]:
        return self.assert_ok(self.ended(watching)).results.splitlines()

    def again(self) -> None:
        """Put all back as it was before the migration."""
        for name in ('migrations', 'migrations_history'):
            self.db[name].delete_many({})
        self.db.notes.update_many({}, {'$unset': {'calls': 1}})
        (self.folder / 'go').unlink()


class PauseTest(Steered):
    """`pause`, `resume` and `speed`."""

    def test_it_waits_and_goes_on(self) -> None:
        for text in (UP, LOOP):
            with self.subTest(text):
                process, said = self.begin(text)
                paused = self.text_of('migrations:pause')
                self.assertRegex(
                    paused, r'^Paused 1_a.py at notes: [0-9,]+ of 1,000 \([0-9]+%\)'
                )
                self.assertIn('To let it go on: fab migrations:resume', paused)
                calls = self.calls()
                self.assertLess(calls, DOCUMENTS)
                time.sleep(1)
                self.assertEqual(self.calls(), calls)
                resumed = self.text_of('migrations:resume')
                self.assertRegex(resumed, '^1_a.py goes on at notes: ')
                eventually(lambda calls=calls: self.calls() > calls, 'another batch')
                self.go(process, said)
                self.assertIn('notes: paused by ', said.read_text())
                self.assertIn('notes: goes on after ', said.read_text())
                self.again()

    def test_so_many_a_second(self) -> None:
        for text in (UP, LOOP):
            with self.subTest(text):
                process, said = self.begin(text)
                result = self.assert_ok(self.fab('migrations:speed,max_per_second=20'))
                self.write('go', '')
                self.assertIn('1_a.py writes 20 a second at most', result.results)
                began, before = time.monotonic(), self.calls()
                time.sleep(1.5)
                written = self.calls() - before
                # A page that was read before may be larger than the new ones.
                self.assertLessEqual(written, 20 * (time.monotonic() - began) + 20)
                self.assertLess(self.calls(), DOCUMENTS)
                back = self.assert_ok(self.fab('migrations:speed,max_per_second=none'))
                self.assertIn('1_a.py writes as fast as its pace lets it', back.results)
                self.go(process, said)
                self.again()


class StopTest(Steered):
    """`stop` ends it after its batch, and it goes on another time."""

    def test_it_goes_on_where_it_was_stopped(self) -> None:
        process, said = self.begin(UP)
        stopped = self.text_of('migrations:stop')
        self.assertEqual(process.wait(60), 4, said.read_text())
        self.assertEqual(
            stopped,
            'Stopped 1_a.py. It is unfinished. To go on: fab migrations:execute,1_a.py',
        )
        text = said.read_text()
        self.assertIn('1_a.py was stopped in its up.\n', text)
        self.assertRegex(text, r'\n\S+@\S+ has typed stop\.\n')
        self.assertNotIn('Traceback', text)
        self.assertIsNone(self.db.migrations_lock.find_one())
        [run] = self.db.migrations_history.find()
        self.assertRegex(run['error'], '^stopped by .*@')
        self.write('go', '')
        again = self.assert_ok(self.fab('migrations:execute,1_a.py'))
        self.assertIn('notes: goes on after _id ', again.stderr)
        # Each document once, though it was stopped in between.
        self.assertEqual(self.calls(), DOCUMENTS)

    def test_a_loop_of_progress_too(self) -> None:
        process, said = self.begin(LOOP)
        # Nothing knows which documents are done: `execute` would begin with the first.
        self.assertEqual(
            self.text_of('migrations:stop'),
            'Stopped 1_a.py. It is unfinished, and would begin anew. To decide what to'
            ' do: fab migrations',
        )
        self.assertEqual(process.wait(60), 4, said.read_text())
        self.assertIn('1_a.py was stopped in its up.', said.read_text())
        self.assertLess(self.calls(), DOCUMENTS)

    def test_in_a_transaction_nothing_is_changed(self) -> None:
        self.migration('1_a.py', f'transaction = True\n{textwrap.dedent(UP)}')
        process, said = self.start_heard('migrations:execute')
        eventually(lambda: self.doing().get('in_loop'), 'a loop')
        error = self.error('migrations:pause')
        self.assertIn('1_a.py cannot be told to pause: it runs in a transaction', error)
        self.assertIn('fab migrations:stop', error)
        stopped = self.text_of('migrations:stop')
        self.assertIn('It has left nothing half done.', stopped)
        self.assertEqual(process.wait(60), 4, said.read_text())
        self.assertEqual(self.calls(), 0)
        self.assertIn('so nothing was changed', said.read_text())

    def test_what_is_paused_can_be_stopped(self) -> None:
        process, said = self.begin(UP)
        self.assert_ok(self.fab('migrations:pause'))
        self.assert_ok(self.fab('migrations:stop'))
        self.assertEqual(process.wait(60), 4, said.read_text())

    def test_a_pause_that_meets_it(self) -> None:
        process, said = self.begin(UP)
        # What others ask is heard at once, when it goes on.
        process.send_signal(signal.SIGSTOP)
        try:
            stop = self.start('migrations:stop')
            eventually(lambda: self.asked().get('stop'), 'stop')
            by = self.asked()['by']
            self.db.migrations_lock.update_one({}, {'$set': {'asked.by': 'bob@db2'}})
            pause = self.start('migrations:pause')
            pause_in_json = self.start('migrations:pause,json=yes')
            eventually(lambda: self.asked().get('number') == 3, 'pause, twice')
        finally:
            process.send_signal(signal.SIGCONT)
        self.assertEqual(process.wait(60), 4, said.read_text())
        left = 'It is unfinished. To go on: fab migrations:execute,1_a.py'
        self.assertEqual(self.shown_by(stop), f'Stopped 1_a.py. {left}')
        self.assertEqual(self.shown_by(pause), f'1_a.py was stopped meanwhile. {left}')
        told = schema.check(self.shown_by(pause_in_json))['steered']
        self.assertFalse(told['is_heard'])
        # The one who has stopped it, and not the last who has asked anything.
        self.assertNotEqual(by, 'bob@db2')
        self.assertEqual(told['run']['error'], 'stopped by bob@db2')

    def asked(self) -> dict[str, Any]:
        lock = self.db.migrations_lock.find_one() or {}
        asked: dict[str, Any] = lock.get('asked') or {}
        return asked

    def shown_by(self, process: Any) -> str:
        return self.assert_ok(self.ended(process)).results.strip()

    def test_one_that_fails_by_itself_was_not_stopped(self) -> None:
        process, said = self.begin(FAILING)
        stop = self.start('migrations:stop')
        eventually(lambda: self.asked().get('stop'), 'stop')
        self.write('go', '')
        self.assertEqual(process.wait(60), 1, said.read_text())
        self.assertEqual(
            self.shown_by(stop), '1_a.py has ended before it could stop: failed'
        )


class CannotTest(Steered):
    """Where nothing can be steered."""

    def test_nothing_runs(self) -> None:
        for command in ('pause', 'resume', 'stop', 'speed,max_per_second=5'):
            with self.subTest(command):
                error = self.error(f'migrations:{command}')
                name = command.partition(',')[0]
                self.assertEqual(
                    error,
                    'No migration command is running, so there is nothing to'
                    f' {name}; nothing was done.\n'
                    'See what is pending: fab migrations',
                )
        shown = self.text_of('migrations:watch')
        self.assertEqual(shown, 'No migration command is running')

    def test_a_plain_migration(self) -> None:
        self.migration('1_a.py', PLAIN)
        process, said = self.start_heard('migrations:execute')
        eventually(self.db.ran.find_one, 'its begin')
        error = self.error('migrations:stop')
        self.assertIn('1_a.py cannot be told to stop: at this moment it is in', error)
        way = (
            f'Ctrl-C where it runs, or kill {process.pid} (SIGTERM) on'
            f' {socket.gethostname()}; 1_a.py is unfinished then, if it has written'
        )
        self.assertIn(
            f'Nothing was done.\nTo end it all the same: {way}.\n'
            'See what it does: fab migrations:watch',
            error,
        )
        watching, _ = self.watched()
        watching.send_signal(signal.SIGINT)
        self.assertIn(f'It goes on. To end it: {way}', self.rest(watching))
        asked = (self.db.migrations_lock.find_one() or {}).get('asked')
        self.assertIsNone(asked)
        self.write('go', '')
        self.assertEqual(process.wait(60), 0, said.read_text())

    def test_nobody_has_paused_it(self) -> None:
        process, said = self.begin(UP)
        error = self.error('migrations:resume')
        self.assertIn('Nobody has typed pause for 1_a.py; nothing was done.', error)
        self.go(process, said)

    def test_a_speed_that_is_none(self) -> None:
        for value in ('0', '-3', 'fast', 'inf', 'nan'):
            with self.subTest(value):
                error = self.error(f'migrations:speed,max_per_second={value}')
                self.assertIn('is no number greater than 0', error)


class WatchTest(Steered):
    """`watch` shows what runs until it has ended."""

    def test_in_a_log(self) -> None:
        process, said = self.begin(UP)
        watching, first = self.watched()
        self.assertRegex(
            first, r'^1_a\.py \(up\) running for .*, by \S+@\S+ \(process '
        )
        # The first of all may come before there is a rate.
        self.assertRegex(
            first, r'; notes: [0-9,]+ of 1,000 \([0-9]+%\)(, [0-9]+/s|; so far)'
        )
        self.assertRegex(first, r'so far: notes [0-9,]+ updated')
        self.go(process, said)
        *_, ended, run = self.rest(watching)
        self.assertRegex(ended, r'^Ended: \S+@\S+ \(process ')
        self.assertRegex(run, r'^  1_a\.py executed in ')

    def test_in_json(self) -> None:
        process, said = self.begin(UP)
        self.text_of('migrations:pause')
        watching, first = self.watched('json=yes')
        told = schema.check(first.rstrip())
        self.assertEqual(told['event'], 'watched')
        self.assertTrue(told['paused'])
        self.assertEqual(told['doing']['name'], '1_a.py')
        self.assertEqual(told['doing']['loop']['total'], DOCUMENTS)
        self.assertRegex(told['doing']['waits'], 'paused by .*@')
        self.assertEqual(told['holder']['command'], 'execute')
        self.text_of('migrations:resume')
        self.go(process, said)
        last = schema.check(self.rest(watching)[-1])
        self.assertEqual(last['event'], 'ended')
        self.assertEqual(last['watched'][0]['outcome'], 'executed')

    def test_ctrl_c_ends_the_watching_alone(self) -> None:
        process, said = self.begin(UP)
        watching, _ = self.watched()
        watching.send_signal(signal.SIGINT)
        self.assertIn(
            'It goes on. To end it after its batch: fab migrations:stop',
            self.rest(watching),
        )
        self.go(process, said)

    def test_what_is_paused_is_not_said_to_go_on(self) -> None:
        process, said = self.begin(UP)
        self.text_of('migrations:pause')
        watching, _ = self.watched()
        watching.send_signal(signal.SIGINT)
        self.assertEqual(
            self.rest(watching)[-2:],
            [
                'It stays paused. To let it go on: fab migrations:resume',
                'To end it after its batch: fab migrations:stop',
            ],
        )
        self.text_of('migrations:resume')
        self.go(process, said)

    def test_on_a_terminal_it_is_in_one_place(self) -> None:
        process, said = self.begin(UP)
        ending = threading.Thread(target=self.end_when_watched)
        ending.start()
        shown = self.on_terminal('migrations:watch')
        ending.join()
        self.go(process, said)
        self.assertRegex(shown, r'1_a\.py \(up\) running for ')
        self.assertIn('\033[1A', shown)  # up a line, to write it anew
        self.assertRegex(shown, r'1_a\.py executed in ')

    def end_when_watched(self) -> None:
        """Let the migration go on to its end a moment after a second client came."""
        look = [
            {'$currentOp': {'idleConnections': True}},
            {'$match': {'appName': {'$regex': f'^migopy {self.folder.name} '}}},
            {'$group': {'_id': '$appName'}},
        ]
        eventually(lambda: len(list(self.client.admin.aggregate(look))) > 1, 'watch')
        time.sleep(3)
        self.write('go', '')


class WorkerTest(Steered):
    """What a worker runs in the background, beside another command."""

    def begin_work(self) -> tuple[Any, Path]:
        """Start a worker, and another command that is in no loop."""
        self.migration('1_a.py', f"phase = 'background'\n{textwrap.dedent(UP)}")
        worker, said = self.start_heard('migrations:work')
        eventually(self.calls, 'a first batch')
        self.migration('2_b.py', PLAIN)
        deploy = self.start('migrations:execute,2')
        eventually(self.db.ran.find_one, 'its begin')
        self.addCleanup(self.ended_well, deploy)
        return worker, said

    def ended_well(self, deploy: Any) -> None:
        self.write('go', '')
        self.assert_ok(self.ended(deploy))

    def test_it_waits_goes_on_and_is_watched(self) -> None:
        worker, said = self.begin_work()
        # The other command is meant where nothing is said.
        self.assertIn('2_b.py cannot be told to pause', self.error('migrations:pause'))
        paused = self.text_of('migrations:pause,worker=yes')
        self.assertRegex(paused, '^Paused 1_a.py at notes: ')
        self.assertIn('To let it go on: fab migrations:resume,worker=yes', paused)
        calls = self.calls()
        watching = self.start('migrations:watch,worker=yes')
        assert watching.stdout is not None
        first = watching.stdout.readline()
        self.assertRegex(first, r'^1_a\.py \(up\) running for .*, by \S+ \(process ')
        self.assertRegex(first, 'paused by ')
        self.assertEqual(self.calls(), calls)
        # The other command is not the one to stop.
        leaving, _ = self.watched('worker=yes')
        leaving.send_signal(signal.SIGINT)
        self.assertEqual(
            self.rest(leaving)[-2:],
            [
                'It stays paused. To let it go on: fab migrations:resume,worker=yes',
                'To end it after its batch: fab migrations:stop,worker=yes',
            ],
        )
        speed = 'migrations:speed,max_per_second=100000,worker=yes'
        self.assertIn('1_a.py writes 100,000 a second', self.text_of(speed))
        resumed = self.text_of('migrations:resume,worker=yes')
        self.assertRegex(resumed, '^1_a.py goes on at notes: ')
        self.go(worker, said)
        shown = self.assert_ok(self.ended(watching)).results
        self.assertRegex(shown, r'1_a\.py executed in ')

    def test_it_is_stopped_and_the_next_one_goes_on(self) -> None:
        worker, said = self.begin_work()
        stopped = self.text_of('migrations:stop,worker=yes')
        self.assertEqual(
            stopped, 'Stopped 1_a.py. It is unfinished. To go on: fab migrations:work'
        )
        self.assertEqual(worker.wait(60), 4, said.read_text())
        self.assertIn('type: fab migrations:work\n', said.read_text())
        self.assertLess(self.calls(), DOCUMENTS)
        self.write('go', '')
        self.assert_ok(self.fab('migrations:work'))
        self.assertEqual(self.calls(), DOCUMENTS)


class OddRequestTest(PlainTest):
    """What somebody else has written where a command is asked something."""

    def test_it_is_asked_all_the_same(self) -> None:
        later = datetime(2090, 1, 1)
        mine = {'_id': 'lock', 'owner': 'ann', 'expires': later}
        odd = hostile.values(random.Random(2014))
        steering = Steering(Lock(self.db.migrations_lock, 60))
        for make in odd:
            value = make()
            for asked in (value, {'number': value}, [{'number': value}]):
                with self.subTest(asked):
                    self.db.migrations_lock.replace_one(
                        {'_id': 'lock'}, {**mine, 'asked': asked}, upsert=True
                    )
                    seen = steering.look()
                    assert seen is not None
                    told = steering.ask(seen.holder, paused=True)
                    assert told is not None
                    self.assertTrue(told.paused)
                    self.assertFalse(told.stop)
        self.db.migrations_lock.update_one({}, {'$set': {'asked': {'number': 5}}})
        told = steering.ask(seen.holder, max_per_second=2.5)
        assert told is not None
        self.assertEqual((told.number, told.max_per_second), (6, 2.5))


class FleetSteeredTest(FleetTest):
    """Databases that one command goes through, several at a time."""

    letters = 'abcd'

    def setUp(self) -> None:
        super().setUp()
        for letter in self.letters:
            notes = self.client[self.name(letter)].notes
            notes.insert_many([{'_id': n} for n in range(DOCUMENTS)])
        self.migration('1_a.py', UP)

    def calls(self, letters: str = 'abcd') -> list[int]:
        return [
            self.client[self.name(letter)].notes.count_documents({'calls': 1})
            for letter in letters
        ]

    def begin(self, *options: str) -> tuple[Any, Path]:
        process, said = self.start_heard(','.join(['migrations:execute', *options]))
        eventually(lambda: all(self.calls('ab')), 'two that have begun')
        return process, said

    def go(self, process: Any, said: Path) -> None:
        self.write('go', '')
        self.assertEqual(process.wait(60), 0, said.read_text())
        self.assertEqual(self.calls(), [DOCUMENTS] * 4)

    def test_one_or_all_wait_and_go_on(self) -> None:
        process, said = self.begin('workers=2')
        one = self.assert_ok(self.fab(f'migrations:pause,only={self.name("a")}'))
        self.assertIn('Paused 1_a.py at notes: ', one.results)
        a, b = self.calls('ab')
        eventually(lambda: self.calls('b')[0] > b, 'the other one, which goes on')
        self.assertEqual(self.calls('a'), [a])
        all_ = self.shown(self.assert_ok(self.fab('migrations:pause')))
        self.assertIn('b: Paused 1_a.py at notes: ', all_)
        self.assertIn('2 done, 2 with nothing to do', all_)
        calls = self.calls()
        self.assertEqual(calls[2:], [0, 0])
        time.sleep(1)
        self.assertEqual(self.calls(), calls)
        back = self.shown(self.assert_ok(self.fab('migrations:resume')))
        self.assertRegex(back, 'a: 1_a.py goes on at notes: ')
        self.assertRegex(back, 'b: 1_a.py goes on at notes: ')
        self.go(process, said)

    def test_all_are_stopped_and_no_other_begins(self) -> None:
        process, said = self.begin('workers=2')
        stopped = self.shown(self.assert_ok(self.fab('migrations:stop')))
        self.assertIn('a: Stopped 1_a.py. It is unfinished.', stopped)
        self.assertIn('b: Stopped 1_a.py. It is unfinished.', stopped)
        self.assertEqual(process.wait(60), 4, said.read_text())
        self.assertEqual(self.calls('cd'), [0, 0])
        self.assertIn('2 not begun', said.read_text())
        self.write('go', '')
        self.assert_ok(self.fab('migrations:execute,1'))
        self.assertEqual(self.calls(), [DOCUMENTS] * 4)

    def test_one_is_stopped_and_no_other_begins(self) -> None:
        for workers in ('1', '2'):
            with self.subTest(workers):
                begun = 'ab'[: int(workers)]
                options = 'migrations:execute', f'workers={workers}'
                process, said = self.start_heard(','.join(options))
                eventually(lambda begun=begun: all(self.calls(begun)), 'the first')
                stopped = self.fab(f'migrations:stop,only={self.name("a")}')
                self.assertIn('Stopped 1_a.py.', self.assert_ok(stopped).results)
                self.write('go', '')
                self.assertEqual(process.wait(60), 4, said.read_text())
                # What was under way beside it has come to its end.
                ended = [DOCUMENTS, 0, 0] if workers == '2' else [0, 0, 0]
                self.assertEqual(self.calls('bcd'), ended)
                self.assertLess(self.calls('a')[0], DOCUMENTS)
                (self.folder / 'go').unlink()
                for letter in self.letters:
                    db = self.client[self.name(letter)]
                    db.notes.update_many({}, {'$unset': {'calls': 1}})
                    db.migrations.delete_many({})
                    db.migrations_history.delete_many({})


class FewRightsTest(FabTest):
    """A user who may only read and write one database, on a server without a set."""

    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = 'mongodb://ann:secret@{where}/?authSource=shop'
            MONGO_DATABASE = 'shop'

        migrations = Migrations.create_task()
    """

    def test_all_of_it_can_be_used(self) -> None:
        with with_auth() as server:
            where = f'127.0.0.1:{server.port}'
            text = textwrap.dedent(self.fabfile).replace('{where}', where)
            self.write('fabfile.py', text)
            self.migration('1_a.py', UP)
            with MongoClient(server.uri, username='root', password='root') as root:
                notes = root.shop.notes
                notes.insert_many([{'_id': n} for n in range(DOCUMENTS)])
                process, said = self.start_heard('migrations:execute')
                eventually(lambda: notes.find_one({'calls': 1}), 'a first batch')
                paused = self.assert_ok(self.fab('migrations:pause')).results
                self.assertIn('Paused 1_a.py at notes: ', paused)
                watching = self.start('migrations:watch')
                assert watching.stdout is not None
                line = watching.stdout.readline()
                self.assertIn('; paused by ', line)
                self.assertIn('this user sees only operations of its own', line)
                self.assertIn('this user cannot see: flow control, dirty cache', line)
                self.assert_ok(self.fab('migrations:speed,max_per_second=5000'))
                self.assert_ok(self.fab('migrations:resume'))
                self.assert_ok(self.fab('migrations:stop'))
                self.assertEqual(process.wait(60), 4, said.read_text())
                self.assertIn(
                    '1_a.py failed', self.assert_ok(self.ended(watching)).stdout
                )
                # What was on its way was noted, so nothing is done twice.
                self.write('go', '')
                self.assert_ok(self.fab('migrations:execute,1_a.py'))
                self.assertEqual(notes.count_documents({'calls': 1}), DOCUMENTS)


class ManyTest(FabTest):
    """Of many databases."""

    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASES = ['{database}', '{database}_b']

        migrations = Migrations.create_task()
    """

    def test_what_runs_in_none(self) -> None:
        self.addCleanup(self.client.drop_database, f'{self.db.name}_b')
        nothing = 'No migration command is running, so there is nothing to pause'
        self.assert_error(self.fab('migrations:pause'), nothing)
        self.assert_error(self.fab(f'migrations:pause,only={self.db.name}'), nothing)
