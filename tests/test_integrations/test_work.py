"""`work`: one worker at a time runs migrations in the background, beside deploys."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from typing import Any

from migopy import MigrationsManager
from migopy.state import Holder, Locked
from tests.faults import eventually
from tests.project import NOTHING, WAITING, CommandTest, FabTest, PlainTest

IN_BACKGROUND = "    phase = 'background'\n"

#: Waits in the middle of `update_each`, at the note that `stop` names, if any does.
FILLING = """
    import os
    import time

    import migopy

    phase = 'background'

    def up(db):
        migopy.update_each(db.notes, change, batch_size=5, pace='full')

    def change(note):
        if note['_id'] == 27 and not os.path.exists('go'):
            with open('there', 'w'):
                pass
            time.sleep(60)
        return {'$inc': {'calls': 1}}

    def down(db):
        db.notes.update_many({}, {'$unset': {'calls': 1}})
"""


class WorkTest(FabTest):
    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(50)])

    def filling(self) -> subprocess.Popen[str]:
        """Start a worker that waits in the middle of `002_fill.py`."""
        self.migration('002_fill.py', FILLING)
        worker = self.start('migrations:work')
        eventually((self.folder / 'there').exists, 'the migration has begun')
        return worker

    def go(self) -> None:
        (self.folder / 'go').touch()

    def calls(self) -> list[int]:
        return [note.get('calls', 0) for note in self.db.notes.find(sort=[('_id', 1)])]

    def status(self) -> dict[str, Any]:
        line = self.fab('migrations:json=yes').stdout.splitlines()[0]
        status: dict[str, Any] = json.loads(line)['status']
        return status

    def test_deploys_go_on_meanwhile(self) -> None:
        worker = self.filling()
        self.migration('003_c.py')
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.registered(), ['003_c.py'])
        status = self.status()
        self.assertEqual([run['name'] for run in status['running']], ['002_fill.py'])
        self.assertEqual(status['unfinished'], [])
        shown = self.fab('migrations').results
        self.assertIn('002_fill.py (up) by', shown)
        self.assertEqual(shown.count('fab migrations:'), 1)
        self.assertIn('fab migrations:watch,worker=yes', shown)
        self.assert_ok(self.fab('migrations:rollback,3'))
        worker.send_signal(signal.SIGTERM)
        self.assertEqual(self.ended(worker).status, 143)

    def test_what_it_runs_is_left_alone_by_every_other_command(self) -> None:
        worker = self.filling()
        self.db.migrations.insert_one({'name': '002_gone.py'})
        for command in (
            'ignore,002',
            'ignore',
            'rename,002_gone.py,002_fill.py',
            'rollback,002',
            'rollback,002,force=yes',
        ):
            said = self.error(f'migrations:{command}')
            self.assertIn('A worker is running 002_fill.py at this moment', said)
        self.assertEqual(self.registered(), ['002_gone.py'])
        self.assertNotIn('another name', self.fab('migrations').results)
        worker.kill()
        self.ended(worker)

    def test_stopped_in_the_middle_the_next_one_goes_on(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number.name):
                worker = self.filling()
                worker.send_signal(number)
                ended = self.ended(worker)
                if number is signal.SIGTERM:
                    self.assertEqual(ended.status, 143)
                    self.assertIn('002_fill.py was interrupted in its up', ended.stderr)
                    self.assertIn(
                        'To go on where it stopped, type: fab migrations:work\n',
                        ended.stderr,
                    )
                [unfinished] = self.status()['unfinished']
                self.assertEqual(unfinished['next'][0]['command'], 'work')
                self.assertIn('fab migrations:work', self.fab('migrations').results)
                # It is in no deploy's way.
                self.migration('003_c.py')
                self.assert_ok(self.fab('migrations:execute'))
                self.go()
                self.assert_ok(self.fab('migrations:work'))
                self.assertEqual(set(self.calls()), {1})
                self.assertEqual(self.registered(), ['002_fill.py', '003_c.py'])
                self.assertEqual(self.status()['unfinished'], [])
                for name in ('go', 'there'):
                    (self.folder / name).unlink()
                self.assert_ok(self.fab('migrations:rollback,2'))
                self.assert_ok(self.fab('migrations:rollback,3'))

    def test_after_an_error_somebody_decides(self) -> None:
        self.migration(
            '002_bad.py',
            f'{IN_BACKGROUND}    def up(db):\n        db.x.insert_one({{}})\n'
            '        assert db.x.count_documents({}) > 1\n'
            '    def down(db): db.x.drop()\n',
        )
        self.migration('004_d.py', IN_BACKGROUND + NOTHING)
        said = self.fab('migrations:work').stderr
        self.assertIn('fab migrations:work,002_bad.py  - run its up again', said)
        self.assertIn('fab migrations:rollback,002_bad.py  - run its down', said)
        said = self.error('migrations:work')
        self.assertIn('Unfinished, so nothing was done', said)
        self.assertEqual(self.registered(), [])
        # A deploy goes on, and is told.
        self.migration('003_c.py')
        self.assert_ok(self.fab('migrations:execute'))
        self.assert_ok(self.fab('migrations:work,002'))
        self.assert_ok(self.fab('migrations:work'))
        self.assertEqual(len(self.registered()), 3)

    def test_no_worker_begins_while_another_migration_is_unfinished(self) -> None:
        self.migration('001_a.py', 'def up(db):\n    db.x.insert_one({})\n    1 / 0')
        self.assertEqual(self.fab('migrations:execute').status, 1)
        self.migration('002_b.py', IN_BACKGROUND + NOTHING)
        self.assertIn('Unfinished', self.error('migrations:work'))
        self.assert_ok(self.fab('migrations:ignore,1'))
        self.assert_ok(self.fab('migrations:work'))

    def test_it_comes_after_what_is_to_run_before_it(self) -> None:
        self.migration('001_a.py')
        self.migration('002_b.py', IN_BACKGROUND + NOTHING)
        said = self.error('migrations:work')
        self.assertIn('002_b.py comes after 001_a.py, which has not run', said)
        self.assertIn('fab migrations:execute,phase=before', said)

    def test_nothing_to_do_and_names_of_others(self) -> None:
        self.migration('001_a.py')
        self.assertIn(
            'No migration is to run in the background',
            self.assert_ok(self.fab('migrations:work')).results,
        )
        said = self.error('migrations:work,1')
        self.assertIn("001_a.py says phase = 'before'", said)
        self.assertIn('fab migrations:execute,001_a.py', said)
        self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('registered already', self.error('migrations:work,1'))

    def test_a_second_worker_waits_for_the_first(self) -> None:
        first = self.filling()
        second, said = self.start_heard('migrations:work')
        eventually(
            lambda: "Waiting for a worker's lock: " in said.read_text(), 'it says so'
        )
        self.assertIn('fab migrations:unlock,worker=yes\n', said.read_text())
        self.assertIn(
            'seems to be running',
            self.error('migrations:unlock,worker=yes,yes=yes'),
        )
        # The rolling restart of a container.
        self.go()
        first.send_signal(signal.SIGTERM)
        self.assertEqual(self.ended(first).status, 143)
        self.assertEqual(second.wait(timeout=60), 0, said.read_text())
        self.assertEqual(set(self.calls()), {1})

    def test_it_begins_nothing_while_a_deploy_runs(self) -> None:
        self.migration('002_fill.py', FILLING)
        self.go()
        self.migration('001_a.py', WAITING.replace("'go'", "'end'"))
        deploy = self.start('migrations:execute')
        eventually(lambda: self.contents('ran'), 'the migration has begun')
        worker, said = self.start_heard('migrations:work')
        eventually(lambda: 'comes after 001_a.py' in said.read_text(), 'it says so')
        self.assertEqual(worker.wait(timeout=60), 1)
        (self.folder / 'end').touch()
        self.assert_ok(self.ended(deploy))

    def test_the_marks_of_a_deploy_in_advance_are_left_to_it(self) -> None:
        """A worker that ends meanwhile takes away none of them."""
        worker = self.filling()
        self.migration('003_c.py', WAITING.replace("'go'", "'end'"))
        self.migration('004_d.py')
        deploy = self.start('migrations:execute')
        eventually(lambda: self.contents('ran'), 'the migration has begun')
        marks = list(self.db.migrations_history.find({'name': '004_d.py'}))
        self.assertEqual(len(marks), 1)
        worker.send_signal(signal.SIGTERM)
        self.ended(worker)
        self.assertEqual(
            list(self.db.migrations_history.find({'name': '004_d.py'})), marks
        )
        (self.folder / 'end').touch()
        self.assert_ok(self.ended(deploy))
        self.assertEqual(self.registered(), ['003_c.py', '004_d.py'])
        outcomes = [each['outcome'] for each in self.db.migrations_history.find()]
        self.assertEqual(outcomes, ['failed', 'executed', 'executed'])

    def test_what_it_has_done_can_be_rolled_back(self) -> None:
        self.go()
        self.migration('002_fill.py', FILLING)
        self.assert_ok(self.fab('migrations:work'))
        self.assert_ok(self.fab('migrations:rollback,2'))
        self.assertEqual(set(self.calls()), {0})
        self.assertEqual(self.registered(), [])

    def test_json_tells_what_it_does(self) -> None:
        self.go()
        self.migration('002_fill.py', FILLING)
        result = self.assert_ok(self.fab('migrations:work,json=yes'))
        events = [json.loads(line)['event'] for line in result.stdout.splitlines()]
        self.assertEqual(events, ['planned', 'started', 'executed', 'ended'])


class LocksTest(PlainTest):
    """Two locks: that of a worker, and that of all other commands."""

    def locks(self) -> list[str]:
        return [each['_id'] for each in self.db.migrations_lock.find()]

    def test_it_holds_the_deploys_lock_only_while_it_begins(self) -> None:
        self.migration(
            '001_a.py',
            "phase = 'background'\n"
            'def up(db): db.held.insert_many(list(db.migrations_lock.find()))',
        )
        self.manager().perform('work', (), {})
        [held] = self.db.held.find()
        self.assertEqual((held['_id'], held['subtask']), ('worker', 'work'))
        self.assertEqual(self.locks(), [])
        [run] = self.db.migrations_history.find()
        self.assertEqual(run['owner'], held['owner'])

    def test_what_it_has_lost_it_does_not_register(self) -> None:
        self.migration(
            '001_a.py',
            "phase = 'background'\n"
            "def up(db): db.migrations_lock.delete_one({'_id': 'worker'})",
        )
        with self.assertRaisesRegex(Exception, 'could not be registered'):
            self.manager().perform('work', (), {})
        self.assertEqual(self.registered(), [])

    def test_a_dump_waits_for_the_worker(self) -> None:
        """What is half way through and how far it is would not fit together."""
        lock = self.manager()._site.lock.of_worker()
        with lock.held('work', 0, self.nobody):
            with self.assertRaises(Locked) as caught:
                self.manager(LOCK_WAIT=0).perform('dbdump', (), {})
            self.assertIn("A worker's lock is held", str(caught.exception))
            self.assertIn('unlock', str(caught.exception))
            self.migration('001_a.py')
            with self.assertRaises(Locked):
                self.manager(LOCK_WAIT=0, DO_MONGO_DUMP=True).perform('execute', (), {})
        self.assertEqual(self.registered(), [])

    def test_no_transaction_goes_round_it(self) -> None:
        self.migration(
            '001_a.py',
            "phase = 'background'\n"
            'def up(db):\n'
            "    runs = db.migrations_history.find({}, {'name': 1})\n"
            '    db.seen.insert_many(list(runs))\n',
        )
        self.manager(TRANSACTION=True).perform('work', (), {})
        # The mark of a run in a transaction would not tell others that it runs.
        [run] = self.db.migrations_history.find()
        self.assertEqual([each['_id'] for each in self.db.seen.find()], [run['_id']])
        self.assertEqual((run['phase'], run['outcome']), ('background', 'executed'))

    def test_what_the_fabfile_leaves_out_is_left_out(self) -> None:
        for name in ('001_a.py', '002_big.py'):
            self.migration(
                name, "phase = 'background'\ndef up(db): db.ran.insert_one({})"
            )

        def unregistered(manager: MigrationsManager) -> list[str]:
            return ['001_a.py']

        manager = self.manager(unregistered=unregistered)
        manager.perform('execute', (), {})
        manager.perform('work', (), {})
        self.assertEqual(self.registered(), ['001_a.py'])
        with self.assertRaisesRegex(Exception, 'left out'):
            manager.perform('work', ('2',), {})
        self.assertNotIn('002_big', str(self.logger.said))

    def test_unlock_takes_the_one_that_is_said(self) -> None:
        for which in ('lock', 'worker'):
            self.db.migrations_lock.insert_one({'_id': which, 'owner': 'x'})
        self.manager().perform('unlock', (), {'yes': 'yes', 'worker': 'yes'})
        self.assertEqual(self.locks(), ['lock'])

    def test_two_that_begin_at_once_run_it_once(self) -> None:
        self.migration(
            '001_a.py', "phase = 'background'\ndef up(db): db.ran.insert_one({})"
        )
        managers = [self.manager() for _ in range(2)]
        threads = [
            threading.Thread(target=each.perform, args=('work', (), {}))
            for each in managers
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join(timeout=60)
        self.assertEqual(len(self.contents('ran')), 1)

    def nobody(self, holder: Holder) -> None:
        """Hear who is waited for."""


class CommandWorkTest(CommandTest):
    def test_it(self) -> None:
        self.migration('001_a.py', IN_BACKGROUND + NOTHING)
        self.migration(
            '002_b.py', IN_BACKGROUND.replace('background', 'after') + NOTHING
        )
        shown = self.migopy().results
        self.assertIn('In the background: migopy work\n', shown)
        self.assert_ok(self.migopy('execute', '--phase', 'after'))
        self.assert_ok(self.migopy('work'))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.assertEqual(self.migopy('check', '--phase', 'before').status, 0)


class ManyTest(FabTest):
    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASES = ['{database}_a', '{database}_b']

        migrations = Migrations.create_task()
    """

    def setUp(self) -> None:
        super().setUp()
        self.each = [self.client[f'{self.db.name}_{letter}'] for letter in 'ab']
        for db in self.each:
            self.addCleanup(self.client.drop_database, db.name)

    def test_a_new_one_that_is_ignored_is_so_in_each_phase(self) -> None:
        self.migration('001_a.py', 'def up(db): db.ran.insert_one({})')
        self.migration('002_b.py', IN_BACKGROUND + NOTHING)
        text = self.fabfile.replace(
            "'{uri}'", "'{uri}'\n            NEW_DATABASES = 'ignore'"
        )
        self.write('fabfile.py', self.filled(text))
        self.assert_ok(self.fab('migrations:execute,phase=before'))
        for db in self.each:
            self.assertEqual(db.ran.count_documents({}), 0)
            self.assertEqual(db.migrations.count_documents({'how': 'ignored'}), 2)

    def test_a_worker_does_all_of_them(self) -> None:
        self.migration('001_a.py')
        self.migration(
            '002_b.py',
            f'{IN_BACKGROUND}    parallel = False\n'
            '    def up(db): db.ran.insert_one({})\n',
        )
        self.assertEqual(self.fab('migrations:check,phase=before').status, 1)
        self.assert_ok(self.fab('migrations:execute'))
        shown = self.fab('migrations').results
        self.assertIn('To run in the background: 002_b.py (2 databases', shown)
        self.assertNotIn('fab migrations:execute', shown)
        self.assert_ok(self.fab('migrations:check,phase=before'))
        self.assertEqual(self.fab('migrations:check').status, 1)
        self.assert_ok(self.fab('migrations:work'))
        for db in self.each:
            self.assertEqual(db.ran.count_documents({}), 1)
        self.assert_ok(self.fab('migrations:check'))
        self.assertIn('2 with nothing to do', self.fab('migrations:work').stderr)
