"""Programs of a project's own, made with Invoke, that bring their tasks along."""

from __future__ import annotations

from textwrap import dedent

from tests import environments
from tests.invoking import INSERT, InvokeTest

#: A program may have any name in its script, or none.
BY_NAME = """
    program = Program(namespace=cli.ns)
    program.run()
    """
LOCAL = """
    def main():
        Program(namespace=cli.ns).run()

    main()
    """


class OwnProgramTest(InvokeTest):
    from_nothing = True

    def setUp(self) -> None:
        super().setUp()
        (self.folder / 'fabfile.py').rename(self.folder / 'cli.py')
        self.program = self.folder / 'otool'

    def script(self, text: str) -> None:
        python = environments.fabric_3() / 'python'
        begin = f'#!{python}\nfrom invoke import Program\nimport cli\n'
        self.program.write_text(f'{begin}{dedent(text)}')
        self.program.chmod(0o755)

    def test_what_is_to_be_typed_next_is_for_it(self) -> None:
        self.migration('001_a.py', INSERT)
        for text in (BY_NAME, LOCAL):
            with self.subTest(text):
                self.script(text)
                result = self.assert_ok(self.fab('migrations'))
                line = 'otool migrations.execute\n'
                self.assertIn(f'To execute them: {line}', result.stdout)
                self.assert_ok(self.fab('migrations.execute'))
                result = self.fab('migrations.execute', '--name', '1')
                self.assert_error(result, 'otool migrations.rollback --name 001_a.py')
                self.assert_ok(self.fab('migrations.rollback', '--name', '1'))

    def test_where_a_setting_is_to_be_corrected_is_told(self) -> None:
        file = self.folder / 'cli.py'
        wrong = "    MIGRATIONS_DIRECTORY = 'nowhere'\n\n@task"
        file.write_text(file.read_text().replace('@task', wrong, 1))
        for text in (BY_NAME, LOCAL):
            with self.subTest(text):
                self.script(text)
                result = self.fab('migrations')
                where = 'set MIGRATIONS_DIRECTORY in the file of the class, then type:'
                self.assert_error(result, f'{where} otool migrations\n')
                self.assertNotIn('Traceback', result.stderr)
