"""`needs` at the top of a file: refused or waited for until those have run."""

from __future__ import annotations

import json
import signal
import time
from datetime import timedelta
from pathlib import Path
from unittest import mock

from migopy import signals
from migopy.signals import HELD, Held, Terminated
from tests.faults import eventually
from tests.project import NOTHING, WAITING, FabTest, PlainTest

RAN = "def up(db): db.ran.insert_one({{'name': '{0}'}})\ndef down(db): pass"


def needing(*names: str, phase: str = 'before', text: str = NOTHING) -> str:
    return f'    needs = {list(names)!r}\n    phase = {phase!r}\n{text}'


class NeedsTest(FabTest):
    def test_one_in_the_background_is_to_end_first(self) -> None:
        self.migration('001_a.py', needing(phase='background'))
        self.migration('002_b.py')
        self.migration('003_c.py', needing('001_a.py', phase='after'))
        shown = self.fab('migrations').results
        self.assertIn('003_c.py (after, needs 001_a.py)\n', shown)
        # In this order each of them is taken.
        self.assertIn(
            'Before the new code: fab migrations:execute,phase=before\n'
            'In the background: fab migrations:work\n'
            'When that has ended, when no old code runs any more:'
            ' fab migrations:execute,phase=after\n',
            shown,
        )
        self.assertEqual(
            self.error('migrations:execute'),
            '003_c.py depends on 001_a.py, which has not run in the background; nothing'
            ' was run.\nTo go as far as that, type: fab migrations:execute,to=002_b.py',
        )
        self.assertEqual(self.registered(), [])
        # So it is where migrations are only looked at.
        for looking in ('preflight', 'plan', 'execute,dry_run=yes'):
            error = self.error(f'migrations:{looking}')
            self.assertIn('To go as far as that, type: ', error)
            command = error.rpartition('type: fab ')[2]
            self.assertEqual(command, f'migrations:{looking},to=002_b.py')
            self.assert_ok(self.fab(command))
        some = 'To execute those pending, begin with: fab migrations:'
        listed = self.fab('migrations:list').results
        self.assertIn(f'3 pending. {some}execute,phase=before', listed)
        self.assert_ok(self.fab('migrations:execute,phase=before'))
        # What waits for it would be refused.
        self.assertIn(f'{some}work\n', self.fab('migrations:list').stdout)
        self.assert_ok(self.fab('migrations:work'))
        listed = self.fab('migrations:list').stdout
        whole = 'To execute those pending: fab migrations:'
        self.assertIn(f'{whole}execute,phase=after\n', listed)
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py', '003_c.py'])
        # What is gone was there when it was needed.
        (self.folder / 'mongomigrations/001_a.py').unlink()
        self.migration('004_d.py', needing('001_a', '003_c'))
        self.assert_ok(self.fab('migrations:execute'))

    def test_one_in_the_background_runs_behind_what_it_needs_there(self) -> None:
        self.migration('001_a.py', needing(phase='background'))
        self.migration('002_b.py', needing('001_a.py', phase='background'))
        shown = self.fab('migrations').results
        self.assertIn('\nIn the background: fab migrations:work\n', f'{shown}\n')
        listed = self.fab('migrations:list').stdout
        self.assertIn('To execute those pending: fab migrations:work\n', listed)
        self.assert_ok(self.fab('migrations:work'))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

    def test_it_is_waited_for(self) -> None:
        self.migration('001_a.py', needing(phase='background', text=WAITING))
        self.migration('002_b.py', needing('001_a'))
        deploy, said = self.start_heard('migrations:execute,wait=yes')
        self.until(said, 'Waiting for 001_a.py, which no worker runs at this moment')
        worker = self.start('migrations:work')
        self.until(said, 'Waiting for 001_a.py, which a worker runs\n')
        self.assertIn(
            'which a worker runs at this moment', self.error('migrations:execute')
        )
        (self.folder / 'go').touch()
        self.assert_ok(self.ended(worker))
        self.assertEqual(deploy.wait(timeout=60), 0, said.read_text())
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

    def test_one_that_needs_a_decision_is_not_waited_for(self) -> None:
        fails = '    def up(db):\n        db.x.insert_one({})\n        1 / 0\n'
        self.migration('001_a.py', needing(phase='background', text=fails))
        self.migration('002_b.py', needing('001_a'))
        self.assertEqual(self.fab('migrations:work').status, 1)
        said = self.error('migrations:execute,wait=yes')
        self.assertIn('Unfinished', said)
        self.assertIn('fab migrations:work,001_a.py', said)
        self.assertIn('has not run in the background', self.error('migrations:execute'))

    def until(self, said: Path, text: str) -> None:
        """Wait until a command has said something."""
        eventually(lambda: text in said.read_text(), text)

    def test_json(self) -> None:
        self.migration('001_a.py', needing(phase='background'))
        self.migration('002_b.py', needing('001_a'))
        line = self.fab('migrations:json=yes').stdout.splitlines()[0]
        status = json.loads(line)['status']
        self.assertEqual(status['needs'], {'002_b.py': ['001_a.py']})
        self.assertEqual(status['wrong'], [])


class ToldToEndTest(PlainTest):
    """SIGTERM while a database of many waits, in a thread that no signal reaches."""

    def test_it_waits_for_no_worker(self) -> None:
        self.migration('001_a.py', needing(phase='background'))
        self.migration('002_b.py', needing('001_a'))
        first = Held()
        first.number = signal.SIGTERM
        self.addCleanup(HELD.reset, HELD.set(first))
        sleep = mock.Mock(side_effect=AssertionError('it waits'))
        with (
            mock.patch.object(
                signals, 'time', mock.Mock(sleep=sleep, monotonic=time.monotonic)
            ),
            self.assertRaises(Terminated),
        ):
            self.manager().execute(wait='yes')

    def test_it_waits_for_none_that_was_robbed_of_its_lock(self) -> None:
        self.migration(
            '001_a.py',
            """
            def up(db):
                db.ran.insert_one({})
                raise ValueError
            """,
        )
        with self.assertRaises(ValueError):
            self.manager().execute()
        until = self.client.admin.command('hello')['localTime'] + timedelta(hours=1)
        self.db.migrations_history.update_one({}, {'$set': {'writes_until': until}})
        first = Held()
        first.number = signal.SIGTERM
        self.addCleanup(HELD.reset, HELD.set(first))
        with (
            mock.patch('time.sleep', wraps=time.sleep) as slept,
            self.assertRaises(Terminated),
        ):
            self.manager().execute('001_a.py')
        self.assertEqual(
            [each for each in slept.call_args_list if each.args > (1,)], []
        )
        self.assertEqual(self.db.ran.count_documents({}), 1)


class OrderTest(PlainTest):
    """What needs what, among those that run in one go."""

    def ran(self) -> list[str]:
        return [each['name'] for each in self.db.ran.find()]

    def add(self, name: str, *needs: str, phase: str = 'before') -> None:
        said = f'needs = {list(needs)!r}\nphase = {phase!r}\n'
        self.migration(name, said + RAN.format(name))

    def told(self, command: str, *values: str, **options: str) -> str:
        self.logger.said.clear()
        self.manager_class().create_task()(command, *values, **options)
        return '\n'.join(message for _, message in self.logger.said)

    def test_by_number_the_needed_one_is_first(self) -> None:
        self.add('001_a.py')
        self.add('002_b.py', '001_a.py')
        self.told('execute')
        self.assertEqual(self.ran(), ['001_a.py', '002_b.py'])

    def test_a_later_number_is_refused(self) -> None:
        self.add('001_a.py', '002_b.py')
        self.add('002_b.py')
        said = self.told('execute')
        self.assertIn('001_a.py depends on 002_b.py, which comes after it', said)
        self.assertEqual(self.ran(), [])

    def test_by_its_name_without_what_it_needs(self) -> None:
        self.add('001_a.py')
        self.add('002_b.py', '001_a.py')
        said = self.told('execute', '2')
        self.assertIn('002_b.py depends on 001_a.py, which is not applied', said)
        self.assertIn('fab migrations:execute,001_a.py', said)
        self.assertEqual(self.ran(), [])

    def test_a_worker_takes_what_is_needed_first(self) -> None:
        self.add('001_a.py', '002_b.py', phase='background')
        self.add('002_b.py', phase='background')
        self.told('work')
        self.assertEqual(self.ran(), ['002_b.py', '001_a.py'])

    def test_a_worker_leaves_what_needs_a_later_one(self) -> None:
        self.add('001_a.py', '003_c.py', phase='background')
        self.add('002_b.py', phase='background')
        self.add('003_c.py', phase='after')
        said = self.told('work')
        self.assertIn('001_a.py depends on 003_c.py', said)
        self.assertEqual(self.ran(), ['002_b.py'])
        self.told('execute')
        self.told('work')
        self.assertEqual(self.ran(), ['002_b.py', '003_c.py', '001_a.py'])

    def test_what_no_order_can_meet(self) -> None:
        for needs, why in (
            ({'001_a.py': ['001_a.py']}, 'needs itself'),
            (
                {'001_a.py': ['000_gone.py']},
                'needs 000_gone.py, which has no file here',
            ),
            (
                {'001_a.py': ['003_c'], '002_b.py': ['001_a'], '003_c.py': ['002_b']},
                'needs itself in a circle: 001_a.py needs 003_c.py needs 002_b.py needs'
                ' 001_a.py',
            ),
        ):
            with self.subTest(needs):
                for name in ('001_a.py', '002_b.py', '003_c.py'):
                    self.add(name, *needs.get(name, []))
                for command in ('show_status', 'check', 'execute', 'work'):
                    self.assertIn(f'001_a.py: {why}', self.told(command))
                self.assertIn(f'001_a.py {why}', self.told('check', offline='yes'))
                self.assertEqual(self.ran(), [])

    def test_one_without_a_file_keeps_from_running_what_is_pending_alone(self) -> None:
        self.add('001_a.py')
        self.add('002_b.py', '001_a.py')
        self.told('execute')
        self.add('003_c.py', '001_a')
        (self.folder / 'mongomigrations' / '001_a.py').unlink()
        said = self.told('forget', '001_a.py')
        for name in ('002_b.py', '003_c.py'):
            self.assertIn(
                f'{name} depends on 001_a.py, which has no file here and no longer'
                ' counts as applied',
                said,
            )
        self.assertIn('003_c.py: needs 001_a, which has no file', self.told('execute'))
        (self.folder / 'mongomigrations' / '003_c.py').unlink()
        for command in ('show_status', 'check', 'execute'):
            self.assertNotIn('which has no file here', self.told(command))
        said = self.told('check', offline='yes')
        self.assertIn('002_b.py needs 001_a.py, which has no file here', said)

    def test_forget_of_one_that_has_its_file_leaves_none_without(self) -> None:
        self.add('001_a.py')
        self.add('002_b.py', '001_a.py')
        self.told('ignore', '001_a.py')
        said = self.told('forget', '001_a.py')
        self.assertIn('001_a.py forgotten', said)
        self.assertNotIn('depends on', said)

    def test_bad_values(self) -> None:
        for value in ("'001_a.py'", '[1]', '{}', "['']"):
            with self.subTest(value):
                self.migration('001_a.py', f'needs = {value}\ndef up(db): pass')
                for told in (
                    self.told('execute'),
                    self.told('check', offline='yes'),
                ):
                    self.assertIn('001_a.py: needs = ', told)
                    self.assertIn('is no list of names such as', told)
        self.assertEqual(self.registered(), [])
