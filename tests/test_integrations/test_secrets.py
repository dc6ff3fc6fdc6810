"""Passwords in a migration's own errors: not on the terminal, not in the database."""

from __future__ import annotations

import json

from bson import json_util

from tests.project import FAB, FabTest

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'
        MONGO_USER_PASS = 'hunter22'

    migrations = Migrations.create_task()
"""

#: What a library says that could not connect, say.
SAID = 'no mongodb://ann:s3cret@db.example/x with hunter22, but hunter222'

FAILS = f"""
    def up(db):
        db.a.insert_one({{}})
        raise ValueError({SAID!r})
"""

MASKED = 'no mongodb://ann:***@db.example/x with ***, but hunter222'


class SecretsTest(FabTest):
    fabfile = FABFILE

    def assert_masked(self, *arguments: str) -> None:
        """Fail unless a command fails with the error and tells no secret of it."""
        result = self.fab(*arguments)
        self.assertEqual(result.status, 1, result.said)
        self.assertIn(MASKED, result.said)
        for secret in ('s3cret', 'hunter22 ', 'hunter22,'):
            self.assertNotIn(secret, result.said)

    def test_in_an_error_of_a_migration(self) -> None:
        self.migration('001_x.py', FAILS)
        self.assert_masked('migrations:execute,dry_run=yes')
        self.assert_masked('migrations:execute')
        self.assert_masked('migrations:check')
        self.assertIn(MASKED, self.fab('migrations').said)
        kept = {name: self.contents(name) for name in self.db.list_collection_names()}
        self.assertIn('migrations_history', kept)
        text = json.dumps(kept, default=json_util.default)
        self.assertIn('hunter222', text)
        for secret in ('s3cret', 'hunter22,'):
            self.assertNotIn(secret, text)
        self.assert_ok(self.fab('migrations:dbdump'))
        for path in self.folder.glob('mongodumps/2*/*/*'):
            self.assertNotIn(b's3cret', path.read_bytes())
            self.assertNotIn(b'hunter22,', path.read_bytes())

    def test_in_one_of_its_import(self) -> None:
        self.migration('001_x.py', f'raise ValueError({SAID!r})\n')
        self.assert_masked('migrations:execute')

    def test_in_one_that_the_command_migopy_tells(self) -> None:
        self.migration('001_x.py', f'raise ValueError({SAID!r})\n')
        self.program = FAB.with_name('migopy')
        self.assert_masked('execute')

    def test_in_one_of_a_command_of_the_fabfile(self) -> None:
        with (self.folder / 'fabfile.py').open('a') as fabfile:
            fabfile.write(
                'def fails(self):\n'
                f'    raise migopy.MigopyException({SAID!r})\n'
                'Migrations.fails = fails\n'
            )
        self.assert_masked('migrations:fails')
