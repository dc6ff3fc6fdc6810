"""What importing migopy costs a fresh Python."""

from __future__ import annotations

import subprocess
import sys
import unittest


class ImportTest(unittest.TestCase):
    """`import migopy`."""

    def loaded(self, statements: str) -> list[str]:
        """List the modules that a fresh Python has after the statements."""
        program = f'{statements}\nimport sys\nprint(*sys.modules)'
        output = subprocess.check_output([sys.executable, '-c', program], text=True)
        return output.split()

    def test_imports_no_fabric(self) -> None:
        """An application that uses migopy pays for Fabric nowhere."""
        modules = self.loaded('import migopy\nmigopy.MigrationsManager')
        self.assertIn('migopy.manager', modules)
        packages = {each.partition('.')[0] for each in modules}
        self.assertEqual(packages & {'fabric', 'invoke', 'paramiko'}, set())

    def test_an_execute_imports_nothing_of_a_dry_run(self) -> None:
        """Nor of a look ahead, an undo or a dump."""
        modules = self.loaded(
            'from migopy.operations import executing\nfrom migopy.run import Runner'
        )
        self.assertIn('migopy.run.runner', modules)
        late = ('differences', 'dumps', 'preflight', 'standin', 'undo')
        self.assertEqual([each for each in late if f'migopy.{each}' in modules], [])

    def test_a_migration_without_update_each_does_not_import_it(self) -> None:
        """What notes how far its calls are is loaded for each, and little more."""
        modules = self.loaded('from migopy.backfill import Checkpoints')
        self.assertIn('migopy.backfill.checkpoints', modules)
        late = ('answers', 'calls', 'changes', 'throttle')
        names = [each for each in late if f'migopy.backfill.{each}' in modules]
        self.assertEqual(names, [])

    def test_a_status_imports_nothing_that_runs_migrations(self) -> None:
        """Nor what knows PyMongo 3's methods or other tools' records."""
        modules = self.loaded('import migopy\nmigopy.MigrationsManager')
        self.assertIn('migopy.state.reading', modules)
        late = ('files.loading', 'pymongo3', 'state.foreign', 'state.steering')
        self.assertEqual([each for each in late if f'migopy.{each}' in modules], [])

    def test_a_table_of_plain_texts_needs_no_rich(self) -> None:
        modules = self.loaded(
            'from migopy.terminal import table\n'
            "table(('Migration', 'Took'), [('1_step.py\\nan error', '1 ms')])"
        )
        self.assertIn('migopy.terminal.console', modules)
        self.assertNotIn('rich', modules)

    def test_creating_the_task_imports_fabric(self) -> None:
        modules = self.loaded(
            'import migopy\nmigopy.MigrationsManager.create_task()',
        )
        self.assertIn('fabric', modules)
