"""pre-commit, with this tree as the repository that its hook comes from."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests import environments, readme
from tests.project import FabTest

MANAGER = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_DATABASE = 'none'
"""

CONFIG = """
    repos:
      - repo: {repository}
        rev: {commit}
        hooks:
          - id: migopy-check
"""


@functools.cache
def pre_commit() -> Path:
    """Give the program, from an environment that is kept for the next time."""
    return environments.kept('pre-commit', ('pre-commit>=4',)) / 'pre-commit'


class PreCommitTest(FabTest):
    """Needs git, and pip for the hook's own environment."""

    fabfile = MANAGER

    def setUp(self) -> None:
        if shutil.which('git') is None:
            self.skipTest('there is no git')
        super().setUp()
        temporary = tempfile.TemporaryDirectory(prefix='migopy-pre-commit-')
        self.addCleanup(temporary.cleanup)
        self.place = Path(temporary.name).resolve()

    def run_in(self, folder: Path, *command: str | Path) -> tuple[int, str]:
        """Run a program, with nothing of the person's own; give its status and text."""
        mine = {
            'GIT_CONFIG_GLOBAL': os.devnull,
            'PRE_COMMIT_HOME': str(self.place / 'kept'),
        }
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env={**os.environ, **mine},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=environments.TIMEOUT,
        )
        return done.returncode, done.stdout

    def git(self, folder: Path, *words: str) -> str:
        who = ('-c', 'user.name=Ann', '-c', 'user.email=ann@example.org')
        status, said = self.run_in(folder, 'git', *who, *words)
        self.assertEqual(status, 0, said)
        return said.strip()

    def test_a_migration_that_is_broken_is_not_committed(self) -> None:
        tree = self.place / 'migopy'
        tree.mkdir()
        environments.copy(tree)
        shutil.copy(readme.ROOT / '.pre-commit-hooks.yaml', tree)
        self.git(tree, 'init', '-q')
        self.git(tree, 'add', '.')
        self.git(tree, 'commit', '-q', '-m', 'all')
        commit = self.git(tree, 'rev-parse', 'HEAD')
        config = CONFIG.format(repository=tree, commit=commit)
        self.write('.pre-commit-config.yaml', config)
        self.migration('001_a.py')
        self.git(self.folder, 'init', '-q')
        self.git(self.folder, 'add', '.')
        status, said = self.run_in(self.folder, pre_commit(), 'run', '--all-files')
        self.assertEqual(status, 0, said)
        self.assertIn('Passed', said)
        self.migration('002_b.py', 'if')
        self.git(self.folder, 'add', '.')
        status, said = self.run_in(self.folder, pre_commit(), 'run')
        self.assertEqual(status, 1, said)
        self.assertIn('mongomigrations/002_b.py:1: 002_b.py cannot be imported', said)


if __name__ == '__main__':
    unittest.main()
