"""The two distributions, migopy and migopy-core, in fresh environments."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

import migopy
from tests import environments
from tests.project import clean_environment

CLASSIC = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_DATABASE = 'none'

    migrations = Migrations.create_task()
"""

LATER = CLASSIC.replace(
    'migrations = Migrations.create_task()', 'ns = Migrations.create_namespace()'
)

#: All that is promised is there, what is imported late among it.
LOOK = """
import migopy
for name in migopy.__all__:
    getattr(migopy, name)
import migopy.manager
print(migopy.__version__)
"""

#: What pytest loads of it.
PLUGINS = """
from importlib.metadata import distributions
found = [
    each.value
    for distribution in distributions()
    for each in distribution.entry_points
    if (each.group, each.name) == ('pytest11', 'migopy')
]
print(found)
"""

OLD = 'migopy==1.0'


class EnvironmentTest(unittest.TestCase):
    """A test in an environment of its own, with a project beside it."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix='migopy-environment-')
        self.addCleanup(temporary.cleanup)
        self.place = Path(temporary.name).resolve() / 'venv'
        self.folder = self.place.parent / 'project'
        (self.folder / 'mongomigrations').mkdir(parents=True)
        environments.make(self.place, ())

    def pip(self, *arguments: str) -> str:
        """Run pip, which finds the tree's wheels beside what the registry has."""
        where = ('--find-links', str(environments.wheels()), '--pre')
        is_install = arguments[0] == 'install'
        return environments.pip(
            self.place, *arguments, *(where if is_install else ('--yes',))
        )

    def type(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs in the project."""
        environment = clean_environment()
        environment.pop('PYTHONPATH', None)
        program = self.place / 'bin' / command[0]
        return subprocess.run(
            [str(program), *command[1:]],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=environments.TIMEOUT,
        )

    def write(self, fabfile: str) -> None:
        (self.folder / 'fabfile.py').write_text(textwrap.dedent(fabfile))

    def assert_whole(self) -> None:
        """Fail unless migopy can be imported, with all its names."""
        done = self.type('python', '-c', LOOK)
        self.assertEqual(done.stdout, f'{migopy.__version__}\n', done.stderr)
        for command in (['migopy'], ['python', '-m', 'migopy']):
            done = self.type(*command, '--version')
            self.assertEqual(done.stdout, f'migopy {migopy.__version__}\n', done.stderr)
            done = self.type(*command, 'help', 'nope')
            self.assertIn(f'\n  {" ".join(command)} accept\n', done.stderr)
        done = self.type('python', '-c', PLUGINS)
        self.assertEqual(done.stdout, "['migopy.testing.plugin']\n", done.stderr)
        environments.pip(self.place, 'check')

    def assert_classic(self) -> None:
        """Fail unless `fab` is Fabric 1's and has the task."""
        self.write(CLASSIC)
        done = self.type('fab', '--shortlist')
        self.assertIn('migrations\n', done.stdout, done.stderr)
        done = self.type('fab', 'migrations:help')
        self.assertIn('fab migrations:execute', done.stdout, done.stderr)

    def assert_later(self, program: str = 'fab') -> None:
        """Fail unless `fab` or `inv` has the tasks."""
        self.write(LATER)
        done = self.type(program, '-c', 'fabfile', 'migrations.help')
        line = f'{program} -c fabfile migrations.execute'
        self.assertIn(line, done.stdout, done.stderr)


class CoreTest(EnvironmentTest):
    """migopy-core, without Fabric 1."""

    def test_beside_fabric_3(self) -> None:
        self.pip('install', 'fabric>=3.2,<4', 'migopy-core')
        self.assert_whole()
        self.assert_later('fab')
        self.assert_later('inv')
        self.assertIn('Fabric 3.', self.type('fab', '--version').stdout)


class BothTest(EnvironmentTest):
    """migopy, and what happens to either where the other comes and goes."""

    def test_one_comes_and_the_other_goes(self) -> None:
        self.pip('install', 'migopy-core')
        self.assert_whole()
        self.pip('install', 'migopy')
        self.assert_whole()
        self.assert_classic()
        self.pip('uninstall', 'migopy')
        self.assert_whole()
        self.pip('install', 'migopy')
        self.pip('install', 'migopy-core')
        self.assert_classic()
        self.pip('uninstall', 'migopy-core')
        done = self.type('fab', '--list')
        self.assertEqual(done.returncode, 1)
        start, _, line = done.stderr.strip().rpartition('Type: pip ')
        self.assertIn('not migopy-core, which it is made of.\n', start)
        self.pip(*shlex.split(line))
        self.assert_whole()
        self.assert_classic()


class UpdateTest(EnvironmentTest):
    """The real 1.0, which is one file."""

    def test_it_is_replaced(self) -> None:
        self.pip('install', '--no-deps', OLD)
        self.pip('install', '--upgrade', 'migopy')
        self.assert_whole()
        self.assert_classic()
        self.pip('install', '--upgrade', '--force-reinstall', '--no-deps', 'migopy')
        self.assert_classic()
        self.pip('uninstall', 'migopy')
        self.assert_whole()


class OverEachOtherTest(EnvironmentTest):
    """Fabric 1 and 3 in one environment, where each owns files of the other."""

    def test_each_face_says_what_to_uninstall_and_install(self) -> None:
        later = 'fabric>=3.2,<4'
        self.pip('install', later)
        self.pip('install', 'migopy')
        self.assert_classic()
        self.assert_told(LATER)
        self.pip('install', '--force-reinstall', '--no-deps', later)
        self.assert_later()
        line = self.assert_told(CLASSIC)
        self.pip(*shlex.split(line))
        self.pip('uninstall', 'migopy')
        self.pip('install', later)
        self.assert_later()
        self.assert_whole()

    def assert_told(self, fabfile: str) -> str:
        """Fail unless a fabfile's error says which ones; give what is to be typed."""
        self.write(fabfile)
        done = self.type('fab', '--list')
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(
            done.stderr, r'(fab-classic|Fabric3) \S+ and fabric 3\S+ are installed over'
        )
        [line] = [
            line.partition('Type: pip ')[2]
            for line in done.stderr.splitlines()
            if line.startswith('Type: ')
        ]
        self.assertIn('then for the one that you need: pip install', done.stderr)
        return line
