"""What is mistyped for the real `fab` of Fabric 3, and runs nothing."""

from __future__ import annotations

import json

from tests.invoking import INSERT, InvokeTest


class MistypedTest(InvokeTest):
    def test_the_right_form_is_told(self) -> None:
        self.migration('001_a.py', INSERT)
        for line, *said in (
            (
                'migrations.exeucte',
                "There is no command 'exeucte'; nothing was done.",
                '\n  fab migrations.execute\n',
            ),
            ('migrations.status', '\nHere that is done by: fab migrations\n'),
            (
                'migrations.execute 001',
                'execute: 001 is typed --name 001 here; nothing was done.',
                '\nType: fab migrations.execute [--name NAME]',
            ),
            ('migrations.execute --dryrun', 'did you mean --dry-run?'),
            ('migrations.execute --to 1 --dryrun deploy', 'did you mean --dry-run?'),
            ('migrations.forget', 'Type: fab migrations.forget NAME'),
            ('migrations.accept --help', 'Type: fab migrations.accept NAME'),
            ('migrations.check --offline --format html', '--format html is none of'),
        ):
            with self.subTest(line):
                result = self.fab(*line.split())
                for each in said:
                    self.assert_error(result, each)
                self.assertEqual(self.registered(), [])

    def test_the_right_form_is_told_in_another_collection_as_well(self) -> None:
        file = self.folder / 'fabfile.py'
        self.write(
            'fabfile.py',
            file.read_text().replace(
                'ns = Migrations.create_namespace(deploy)',
                'from invoke import Collection\n'
                'ns = Collection(deploy)\n'
                "ns.add_collection(Migrations.create_namespace(), 'the_db')",
            ),
        )
        self.migration('001_a.py', INSERT)
        begin = 'fab the-db.migrations'
        for line, *said in (
            (
                'the-db.migrations.execute 001',
                'execute: 001 is typed --name 001 here; nothing was done.',
                f'\nType: {begin}.execute [--name NAME]',
            ),
            ('the-db.migrations.rollback 001 002', '001 is typed --name 001 here'),
            ('the-db.migrations 001', '001 is too much here'),
            ('the-db.migrations.execute --dryrun', 'did you mean --dry-run?'),
            ('the-db.migrations.execute --too=1 deploy', 'did you mean --to?'),
            ('the-db.migrations.history --las 2', 'there is no --las; nothing'),
            ('the-db.migrations.forget', f'Type: {begin}.forget NAME'),
            (
                'the-db.migrations:execute,001',
                f'Type: {begin}.execute --name 001\n',
            ),
        ):
            with self.subTest(line):
                result = self.fab(*line.split())
                for each in said:
                    self.assert_error(result, each)
                self.assertNotIn('deployed', result.stdout)
                self.assertEqual(self.registered(), [])
        self.assert_ok(self.fab('the-db.migrations:execute', 'deploy'))
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assert_ok(self.fab('the-db.migrations.rollback', '--name', '001'))

    def test_a_collection_of_the_fabfile_s_own_with_such_a_name(self) -> None:
        with (self.folder / 'fabfile.py').open('a') as fabfile:
            fabfile.write(
                """
from invoke import Collection

@task
def execute(context, name):
    print(f'own {name}')

ns = Collection(sql=Collection(migrations=Collection(execute)))
ns.add_collection(Migrations.create_namespace(), 'db')
"""
            )
        result = self.assert_ok(self.fab('sql.migrations.execute', '001'))
        self.assertEqual(result.stdout, 'own 001\n')

    def test_an_unknown_command_has_flags_and_a_migration_behind_it(self) -> None:
        self.migration('001_a.py', INSERT)
        # Whatever the manager's own commands call what they take.
        file = self.folder / 'fabfile.py'
        file.write_text(file.read_text().replace('first', 'migration'))
        for line in (
            'migrations.exeucte --name 001 --dry-run',
            'migrations.exeucte 001 --json deploy',
            'migrations.rollbak --last=1 --yes',
        ):
            with self.subTest(line):
                result = self.fab(*line.split())
                self.assert_error(
                    result, 'There is no command', 'fab migrations.accept'
                )
                self.assertEqual('"ok":false' in result.stdout, '--json' in line)

    def test_what_is_to_be_typed_has_the_program_s_own_options(self) -> None:
        (self.folder / 'fabfile.py').rename(self.folder / 'other.py')
        for line, said in (
            ('migrations.exeucte', '\n  fab -c other migrations.execute\n'),
            ('migrations.execute --dryrun', 'Type: fab -c other migrations.execute ['),
            (
                'migrations:execute,1',
                'Type: fab -c other migrations.execute --name 1\n',
            ),
        ):
            with self.subTest(line):
                self.assert_error(self.fab('-c', 'other', *line.split()), said)
        shown = self.assert_ok(self.fab('-c', 'other', '--help', 'migrations.execute'))
        self.assertIn('Example: fab -c other migrations.execute --name', shown.stdout)

    def test_a_task_whose_name_has_two_words(self) -> None:
        self.migration('001_a.py', INSERT)
        file = self.folder / 'fabfile.py'
        named = "    TASK_NAME = 'the_db'\n    MONGO_URI"
        file.write_text(file.read_text().replace('    MONGO_URI', named))
        for line, said in (
            ('the-db.exeucte --dry-run', '\n  fab the-db.execute\n'),
            ('the-db.execute --dryrun', 'Type: fab the-db.execute ['),
            ('the-db:execute,1', 'Type: fab the-db.execute --name 1\n'),
        ):
            with self.subTest(line):
                self.assert_error(self.fab(*line.split()), said)
        for line in ('the-db:show-status', 'the-db', 'the-db.show-status'):
            shown = self.assert_ok(self.fab(line)).stdout
            self.assertIn('To execute them: fab the-db.execute\n', shown)
        shown = self.assert_ok(self.fab('--help', 'the-db.execute')).stdout
        self.assertIn('Example: fab the-db.execute --name', shown)

    def test_in_json_too(self) -> None:
        for line, said in (
            ('migrations.execute --dryrun --json', 'did you mean --dry-run?'),
            ('migrations.speed --json', 'Type: fab migrations.speed NUMBER ['),
            ('migrations.squash 003 --json', 'squash: 003 is too much here; nothing'),
        ):
            with self.subTest(line):
                result = self.fab(*line.split())
                self.assert_error(result, said)
                [told] = map(json.loads, result.stdout.splitlines())
                command = line.split()[0].partition('.')[2]
                self.assertEqual((told['command'], told['ok']), (command, False))

    def test_what_is_no_utf8_is_told_as_any_other_name(self) -> None:
        result = self.fab('migrations.execute', '--name', '\udcff\udcfe')
        self.assert_error(result, 'There is no migration')

    def test_what_is_right_runs(self) -> None:
        self.migration('001_a.py', INSERT)
        for line in (
            'migrations --json',
            'migrations.execute --dry-run deploy --where there',
            'migrations.execute --help',
            'migrations.execute --to=001 deploy',
        ):
            with self.subTest(line):
                self.assert_ok(self.fab(*line.split()))
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_invoke_s_own_dry_runs_no_migration(self) -> None:
        self.migration('001_a.py', INSERT)
        for line in (
            'migrations.execute --dry',
            '--dry migrations.execute',
            '--dry migrations.preflight',
            '-R deploy migrations.execute',
        ):
            with self.subTest(line):
                result = self.assert_ok(self.fab(*line.split()))
                self.assertIn('Not run, because of --dry (-R)', result.stderr)
                self.assertEqual(self.registered(), [])
        said = self.assert_ok(
            self.fab('-R', 'migrations.rollback', '--name', '1')
        ).stderr
        self.assertIn(
            'an option of Invoke: fab migrations.rollback --name 1\n'
            'To see what it would do: fab migrations.rollback --name 1 --dry-run\n',
            said,
        )
        self.assertNotIn('--dry-run', self.fab('-R', 'migrations.accept', '1').stderr)
        shown = self.assert_ok(self.fab('-R', 'migrations'))
        self.assertIn('001_a.py', shown.stdout)

    def test_a_task_of_the_fabfile_s_own_that_is_added_later(self) -> None:
        file = self.folder / 'fabfile.py'
        more = """
@task
def exeucte(context):
    print('own')

ns.collections['migrations'].add_task(exeucte)
"""
        file.write_text(file.read_text() + more)
        result = self.assert_ok(self.fab('migrations.exeucte'))
        self.assertEqual(result.stdout, 'own\n')
