"""The command `list`: every migration in order, each with its state."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from typing import Any

from bson import ObjectId

from migopy.texts import UNFIT
from tests.faults import eventually
from tests.project import NOTHING, WAITING, FabTest, PlainTest

LEAVES_OUT = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'

        def unregistered(self):
            return [name for name in super().unregistered() if 'big' not in name]

    migrations = Migrations.create_task()
"""


class ListTest(FabTest):
    def rows(self, *arguments: str) -> list[str]:
        """Give the rows below the titles, and the line below them."""
        result = self.assert_ok(self.fab(*(arguments or ('migrations:list',))))
        titles, line, *rows = result.results.splitlines()
        self.assertRegex(titles, '^Migration +State +When .UTC. +Took +By$')
        self.assertEqual(line.strip('─'), '')
        return rows

    def entries(self) -> dict[str, dict[str, Any]]:
        """Give what JSON has, by name, in order."""
        result = self.assert_ok(self.fab('migrations:list,json=yes'))
        return {each['name']: each for each in json.loads(result.stdout)['list']}

    def test_what_has_run_and_what_has_not(self) -> None:
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration(name)
        self.assert_ok(self.fab('migrations:execute,1'))
        self.assert_ok(self.fab('migrations:ignore,2'))
        first, second, third, count = self.rows()
        when = r'\d{4}-\d\d-\d\d \d\d:\d\d'
        self.assertRegex(first, rf'^001_a.py +applied +{when} +\d+ ms +\S+@\S+$')
        self.assertRegex(second, rf'^002_b.py +ignored +{when} +0 ms +\S+@\S+$')
        self.assertRegex(third, '^003_c.py +pending$')
        self.assertEqual(
            count,
            '3 migrations: 1 applied, 1 ignored, 1 pending. To execute those pending:'
            ' fab migrations:execute',
        )
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.rows()[-1], '3 migrations: 2 applied, 1 ignored')

    def test_pending_ones_are_red(self) -> None:
        self.migration('001_a.py')
        self.migration('002_b.py')
        self.register('001_a.py')
        result = self.assert_ok(self.fab('migrations:list', FORCE_COLOR='1'))
        [red] = re.findall('\033\\[91m([^\033]*)\033', result.stdout)
        self.assertRegex(red, '^002_b.py +pending$')

    def test_one_that_1_0_registered(self) -> None:
        """It kept the name alone; the `_id` tells when."""
        self.migration('001_a.py')
        old = ObjectId.from_datetime(datetime(2014, 5, 6, 7, 8, 9))
        self.db.migrations.insert_one({'_id': old, 'name': '001_a.py'})
        row, _ = self.rows()
        self.assertRegex(row, '^001_a.py +applied +2014-05-06 07:08$')

    def test_what_does_not_fit(self) -> None:
        self.migration('002_b.py')
        self.migration('010_c.py')
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_late.py')
        self.migration('002_b.py', 'def up(db):\n    pass\n')
        self.register('003_gone.py', 'no_number.py')
        self.migration(
            '011_fails.py', 'def up(db):\n    db.a.insert_one({})\n    1 / 0'
        )
        self.assertEqual(self.fab('migrations:execute,11').status, 1)
        states = {
            name: (entry['state'], *entry['also'])
            for name, entry in self.entries().items()
        }
        self.assertEqual(
            list(states.items()),
            [
                ('001_late.py', ('pending', 'late')),
                ('002_b.py', ('applied', 'changed')),
                ('003_gone.py', ('applied', 'missing')),
                ('010_c.py', ('applied',)),
                ('011_fails.py', ('pending', 'unfinished')),
                ('no_number.py', ('applied', 'missing')),
            ],
        )
        self.assertRegex(
            '\n'.join(self.rows()), r'011_fails.py +pending, unfinished +\d{4}-.*@'
        )
        (self.folder / 'mongomigrations/011_fails.py').unlink()
        entry = self.entries()['011_fails.py']
        self.assertEqual(entry['also'], ['missing', 'unfinished'])

    def test_one_that_runs_at_this_moment(self) -> None:
        self.migration('001_a.py', WAITING)
        process = self.start('migrations:execute')
        eventually(lambda: self.contents('ran'), 'the migration has begun')
        self.assertEqual(self.entries()['001_a.py']['also'], ['running'])
        (self.folder / 'go').touch()
        self.assert_ok(self.ended(process))

    def test_what_the_fabfile_leaves_out(self) -> None:
        self.write('fabfile.py', self.filled(LEAVES_OUT))
        self.migration('001_a.py')
        self.migration('002_big.py')
        self.assertEqual(self.entries()['002_big.py']['state'], 'left_out')
        self.assertRegex(self.rows()[1], '^002_big.py +left out$')

    def test_none_at_all(self) -> None:
        result = self.assert_ok(self.fab('migrations:list'))
        self.assertEqual(result.results, 'No migrations\n')

    def test_hostile_text_and_types(self) -> None:
        odd = '\x1b[2J\nmore'
        self.db.migrations.insert_many(
            [
                {'name': '001_a.py', 'by': odd, 'duration_ms': 'long', 'how': 3},
                {'name': '002_b.py', 'by': 7, 'duration_ms': -1, 'executed_at': 'x'},
                {'_id': 5, 'name': f'{odd}.py'},
                {'name': 7},
            ]
        )
        result = self.assert_ok(self.fab('migrations:list'))
        self.assertIsNone(UNFIT.search(result.stdout.replace('\n', '')))
        self.assertEqual(len(self.entries()), 3)

    def test_a_command_of_the_fabfile_of_that_name_stays(self) -> None:
        text = self.filled(LEAVES_OUT).replace(
            'def unregistered',
            "def list(self):\n        print('mine')\n\n    def other",
        )
        self.write('fabfile.py', text)
        result = self.assert_ok(self.fab('migrations:list'))
        self.assertEqual(result.results, 'mine\n')


class ManyTest(PlainTest):
    """Thousands of migrations."""

    def seconds(self, count: int) -> float:
        """List so many, half of them applied; give the CPU seconds of this process."""
        known = len(list((self.folder / 'mongomigrations').iterdir()))
        for number in range(known, count):
            self.migration(f'{number:05}_x.py', NOTHING)
        self.db.migrations.drop()
        self.db.migrations.insert_many(
            {
                'name': f'{number:05}_x.py',
                'executed_at': datetime(2026, 11, 22),
                'duration_ms': number,
                'by': 'deploy@web1',
            }
            for number in range(0, count, 2)
        )
        manager = self.manager()
        manager.list()
        began = time.process_time()
        manager.list()
        return time.process_time() - began

    def test_the_time_grows_with_their_number_and_no_faster(self) -> None:
        few = self.seconds(1000)
        many = self.seconds(4000)
        self.assertLess(many, 10 * few + 0.5)
        self.assertIn('4,000 migrations: 2,000', self.logger.said[-1][1])
