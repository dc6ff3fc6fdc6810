"""`phase` at the top of a file: when `execute` runs it, and what shows it."""

from __future__ import annotations

import json
from typing import Any

from tests.project import NOTHING, FabTest, PlainTest


def of_phase(phase: str, text: str = NOTHING) -> str:
    return f"    phase = '{phase}'\n{text}"


class PhasesTest(FabTest):
    """Two before the new code, two after it and two in the background."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py')
        self.migration('002_b.py', of_phase('background'))
        self.migration('003_c.py', of_phase('after'))
        self.migration('004_d.py', of_phase('before'))
        self.migration('005_e.py', of_phase('background'))
        self.migration('006_f.py', of_phase('after'))

    def order(self) -> list[str]:
        """List what was executed, in order."""
        found = self.db.migrations.find(sort=[('executed_at', 1), ('_id', 1)])
        return [each['name'][:3] for each in found]

    def status(self) -> dict[str, Any]:
        result = self.fab('migrations:json=yes')
        [line] = result.stdout.removesuffix('\nDone.\n').splitlines()
        status: dict[str, Any] = json.loads(line)['status']
        return status

    def test_a_plain_execute_leaves_those_in_the_background(self) -> None:
        said = self.assert_ok(self.fab('migrations:execute')).stderr
        self.assertEqual(self.order(), ['001', '003', '004', '006'])
        self.assertIn(
            'Left for the background: 002_b.py, 005_e.py. To run that:'
            ' fab migrations:work\n',
            said,
        )
        again = self.assert_ok(self.fab('migrations:execute')).results
        self.assertIn('002_b.py (background)\n', again)
        self.assertTrue(again.endswith('In the background: fab migrations:work\n'))

    def test_before_then_after_then_work(self) -> None:
        self.assert_ok(self.fab('migrations:execute,phase=before'))
        self.assertEqual(self.order(), ['001', '004'])
        status = self.status()
        self.assertEqual(status['late'], [])
        self.assertEqual(
            status['phases'],
            {
                '002_b.py': 'background',
                '003_c.py': 'after',
                '005_e.py': 'background',
                '006_f.py': 'after',
            },
        )
        self.assert_ok(self.fab('migrations:execute,phase=after'))
        self.assertEqual(self.order(), ['001', '004', '003', '006'])
        self.assert_ok(self.fab('migrations:work'))
        self.assertEqual(self.order()[4:], ['002', '005'])
        self.assertEqual(self.status()['late'], [])
        self.assert_ok(self.fab('migrations:check'))

    def test_after_is_refused_while_one_before_it_is_pending(self) -> None:
        said = self.error('migrations:execute,phase=after')
        self.assertIn('006_f.py comes after 001_a.py, which has not run', said)
        self.assertIn('fab migrations:execute,phase=before', said)
        self.assertEqual(self.order(), [])

    def test_what_the_status_says_to_type(self) -> None:
        results = self.assert_ok(self.fab('migrations')).results
        self.assertEqual(
            results,
            'Unregistered migrations:\n'
            '001_a.py\n002_b.py (background)\n003_c.py (after)\n004_d.py\n'
            '005_e.py (background)\n006_f.py (after)\n'
            'Before the new code: fab migrations:execute,phase=before\n'
            'When no old code runs any more: fab migrations:execute,phase=after\n'
            'In the background: fab migrations:work\n',
        )

    def test_the_list_shows_phases_of_applied_ones_too(self) -> None:
        self.assert_ok(self.fab('migrations:execute,phase=before'))
        self.assert_ok(self.fab('migrations:execute,phase=after'))
        rows = self.assert_ok(self.fab('migrations:list')).results
        self.assertRegex(rows, r'002_b\.py +pending, background\n')
        self.assertRegex(rows, r'003_c\.py +applied, after ')
        self.assertRegex(rows, r'004_d\.py +applied +\d')
        self.assertTrue(
            rows.endswith('To execute those pending: fab migrations:work\n')
        )
        # A file that is gone has the phase of its record.
        (self.folder / 'mongomigrations/006_f.py').unlink()
        self.migration('0055_x.py', of_phase('after'))
        self.assertEqual(self.status()['late'], [])

    def test_check_of_a_phase(self) -> None:
        self.assertEqual(self.fab('migrations:check,phase=before').status, 1)
        self.assert_ok(self.fab('migrations:execute,phase=before'))
        self.assert_ok(self.fab('migrations:check,phase=before'))
        self.assertEqual(self.fab('migrations:check,phase=after').status, 1)
        self.assert_ok(self.fab('migrations:execute'))
        self.assert_ok(self.fab('migrations:check,phase=after'))
        self.assertEqual(self.fab('migrations:check').status, 1)
        said = self.fab('migrations:check,phase=soon').stderr
        self.assertIn('phase=soon is none of before, after, background', said)

    def test_options_that_are_no_phases(self) -> None:
        for option, reason, next_step in (
            ('phase=background', 'is run by a worker', 'fab migrations:work'),
            ('phase=later', 'is none of before, after', 'help,execute'),
            ('001,phase=after', 'exclude each other', 'help,execute'),
        ):
            said = self.error(f'migrations:execute,{option}')
            self.assertIn(reason, said)
            self.assertIn(next_step, said)
        self.assertEqual(self.order(), [])

    def test_one_in_the_background_is_not_executed_by_its_name(self) -> None:
        said = self.error('migrations:execute,002')
        self.assertIn("002_b.py says phase = 'background'; nothing was done", said)
        self.assertIn('fab migrations:work,002_b.py', said)
        tried = self.fab('migrations:execute,002,dry_run=yes').stderr
        self.assertIn('002_b.py', tried)
        self.assertNotIn('phase', tried)

    def test_ignore_and_baseline_take_all(self) -> None:
        self.assert_ok(self.fab('migrations:ignore'))
        self.assertEqual(self.order(), ['001', '002', '003', '004', '005', '006'])
        phases = {
            each['name'][:3]: each.get('phase') for each in self.db.migrations.find()
        }
        self.assertEqual(phases['002'], 'background')
        self.assertIsNone(phases['001'])


class LateTest(FabTest):
    def test_who_comes_late_in_a_roll_out(self) -> None:
        """A deploy that runs `before` first makes none of the others late."""
        self.migration('005_e.py')
        self.migration('006_f.py', of_phase('after'))
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_a.py', of_phase('background'))
        self.migration('002_b.py', of_phase('after'))
        self.migration('003_c.py')
        results = self.fab('migrations').results
        late = results.partition('Late (')[2]
        self.assertNotIn('001_a.py', late)
        self.assertIn('002_b.py', late)
        self.assertIn('003_c.py', late)


class BadPhaseTest(PlainTest):
    """What cannot be used is one sentence before anything runs, and in `check`."""

    CASES = {
        "phase = 'afterwards'": (
            "phase = 'afterwards' is none of 'before', 'after' and 'background'"
        ),
        'phase = None': "phase = None is none of 'before', 'after' and 'background'",
        'import os\nphase = os.name': 'phase is not written out at the top of the file',
        'from ._phases import *': 'phase is not written out at the top of the file',
        "PHASE = 'after'": 'PHASE would be passed over: the word is `phase`',
        "if True:\n    phase = 'after'": (
            'phase is not written out at the top of the file'
        ),
        "phase = 'background'\ntransaction = True": (
            "transaction = True is not for phase = 'background'"
        ),
    }

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', 'def up(db): db.ran.insert_one({})')
        self.write('mongomigrations/_phases.py', "phase = 'after'\n")

    def test_each(self) -> None:
        for text, reason in self.CASES.items():
            with self.subTest(text):
                self.migration('002_b.py', f'{text}\ndef up(db): pass')
                doing = 'work' if 'background' in text else 'execute'
                self.logger.said.clear()
                self.manager_class().create_task()(doing)
                [said] = self.logger.of('red')
                if doing == 'work':
                    self.assertIn('001_a.py', said)
                    self.manager_class().create_task()(doing, '002')
                    said = self.logger.of('red')[-1]
                self.assertIn(f'002_b.py: {reason}', said)
                self.assertIn('nothing was run', said)
                self.assertEqual(self.contents('ran'), [])
                self.logger.said.clear()
                self.manager_class().create_task()('check', offline='yes')
                told = ' '.join(message for _, message in self.logger.said)
                self.assertIn(f'002_b.py: {reason}', told)

    def test_status_and_check_tell_of_it(self) -> None:
        self.migration('002_b.py', "phase = 'afterwards'\ndef up(db): pass")
        self.manager_class().create_task()('check')
        told = '\n'.join(message for _, message in self.logger.said)
        self.assertIn("002_b.py: phase = 'afterwards' is none of", told)
        self.assertIn('need attention', told)

    def test_what_is_no_word_of_migopy_s(self) -> None:
        for text in (
            'def phase(): pass',
            'from os import path as phase',
            'phases = 3',
            'PHASE = 3',
        ):
            self.db.ran.drop()
            self.db.migrations.drop()
            self.migration('002_b.py', f'{text}\ndef up(db): db.ran.insert_one({{}})')
            self.manager().perform('execute', (), {})
            self.assertEqual(self.db.ran.count_documents({}), 2, text)
