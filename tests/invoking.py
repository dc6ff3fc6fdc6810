"""A fabfile of Fabric 2 or 3 for one test, with the real `fab`."""

from __future__ import annotations

import subprocess

from tests import environments
from tests.project import TIMEOUT, FabTest, Result, clean_environment

WITH_NAMESPACE = """
    import json

    from invoke import task

    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'

        def keep(self, first, *values, km=100, loud: bool = False, **options):
            '''Keep what was typed.

            With km=NUMBER so far, with loud=yes so loud.
            '''
            with open('kept', 'w') as file:
                json.dump([first, values, km, loud, options], file)

    @task
    def deploy(context, where='here'):
        '''Deploy it.'''
        print(f'deployed {where}')

    ns = Migrations.create_namespace(deploy)
"""

INSERT = """
    def up(db):
        db.ran.insert_one({'up': __name__})

    def down(db):
        db.ran.insert_one({'down': __name__})
"""


class InvokeTest(FabTest):
    """A test of Fabric 3's `fab`."""

    fabfile = WITH_NAMESPACE

    def setUp(self) -> None:
        self.program = environments.fabric_3() / 'fab'
        super().setUp()

    def type(self, line: str) -> Result:
        """Type a line as it was printed, in a shell."""
        done = subprocess.run(
            ['sh', '-c', line],
            cwd=self.folder,
            env=clean_environment(PATH=f'{self.program.parent}:/usr/bin:/bin'),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        return Result(done.returncode, done.stdout, done.stderr)
