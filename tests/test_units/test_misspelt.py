"""Names that are spelt wrong: words of migration files, and settings."""

from __future__ import annotations

import sys
import tempfile
import unittest
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import migopy
from migopy.files import BadSaid, LoadedMigration, Migration, load
from migopy.files import misspelt as finding
from migopy.files.shapes import functions_of
from migopy.run import Step
from migopy.server import CHECKS, BadSettings
from migopy.spelt import is_misspelling

PACKAGE = 'migopy_test_misspelt'

UP = 'def up(db): pass'


class FileTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix='migopy-test-')
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        self.addCleanup(sys.modules.pop, f'{PACKAGE}.001_x', None)

    def load(self, source: str, **options: Any) -> LoadedMigration:
        (self.folder / '001_x.py').write_text(source)
        return load(Migration('001_x.py', 1, str(self.folder)), PACKAGE, **options)


class WordsTest(FileTest):
    MEANT = {
        "enviroments = ['staging']": 'environments',
        "environment = 'staging'": 'environments',
        "Environments = ('staging',)": 'environments',
        "environment: str = 'staging'": 'environments',
        "ENVIROMENTS = ['staging']": 'environments',
        "enviorment = 'staging'": 'environments',
        'transacton = True': 'transaction',
        'Transaciton = False': 'transaction',
        "phases = 'after'": 'phase',
        "phaze = 'background'": 'phase',
        "need = ['x']": 'needs',
        "NEED = ['001_a.py']": 'needs',
        "replace = ['001_a.py']": 'replaces',
        'repaet = True': 'repeat',
        'Repeat = True': 'repeat',
        'undos = True': 'undo',
        "udno = 'best effort'": 'undo',
        'paralell = False': 'parallel',
        'if True: transacton = True': 'transaction',
        'def requires(db): pass': 'require',
        'async def reqiure(db): pass': 'require',
        'def verfy(db): pass': 'verify',
        'def Verify(db): pass': 'verify',
        'verifiy = lambda db: True': 'verify',
        'def dwon(db): pass': 'down',
        'def DOWN(database): pass': 'down',
        'def downs(db): pass': 'down',
    }

    #: What public migration files have, and what is like a word without being it.
    OWN = (
        "environment_name = 'staging'",
        "environ = 'staging'",
        "ENV = 'staging'",
        "ENVIRONMENT = 'staging'",
        "translation = 'staging'",
        'transition = True',
        'transactions_count = True',
        'transaction_id = True',
        "phase_one = 'after'",
        "phase2 = 'after'",
        "phase_b = 'after'",
        "phases = ['after', 'before']",
        "phases = 'x'",
        "phrase = 'after all'",
        "needed = ['001_a.py']",
        "NEED = ['milk', 'bread']",
        "seeds = ['001_a.py']",
        "nodes = ['001_a.py']",
        "replicas = ['a', 'b']",
        "replacements = ['001_a.py']",
        "replace = {'a': 'b'}",
        'repeat_count = True',
        'repeats = 3',
        'report = True',
        'undo_log = True',
        'undos = []',
        'UNDOS = False',
        'parallel_jobs = False',
        'PARALLELS = 4',
        "depends_on = ['001_a.py']",
        "depends = ['001_a.py']",
        "requires = ['001_a.py']",
        "dependencies = ['001_a.py']",
        "revision = '001'",
        "down_revision = '001'",
        "version = '001'",
        "VERSION = 1\nDESCRIPTION = 'after'",
        "name = 'x'",
        "id = 'x'",
        "description = 'after'",
        'creates_tables = []',
        "LOG = 'after'",
        'upgraded = True',
        'def update(db): pass',
        'def ups(db): pass',
        'def up2(db): pass',
        'def upgrade(db): pass',
        'def downgrade(db): pass',
        'def down2(db): pass',
        'def down_(db): pass',
        'transaction_ = True',
        'def own(db): pass',
        'def town(db): pass',
        'def done(db): pass',
        'def download(db): pass',
        'def backward(db): pass',
        'def forward(db): pass',
        'def after_upgrade(db): pass',
        'def verify_counts(db): pass',
        'def verified(db): pass',
        'def verifies(a, b): pass',
        'def requirements(db): pass',
        'def required(name, value): pass',
        'def rename(db): pass',
        'def main(db): pass',
        'def migrate(db): pass',
        'class Verify: pass',
        'class Down: pass',
        'class requires: pass',
        'downs = 3',
        # A name of one's own, as the message says.
        '_enviroments = ["staging"]',
        'def _verfy(db): pass',
        # Used, exported, imported, or beside the word.
        'def verfy(db): pass\ndef verify_all(db): return verfy(db)',
        "environment = 'staging'\nprint(environment, file=__import__('io').StringIO())",
        "enviroments = ['a']\nfor each in enviroments: pass",
        "environment = 'a'\ndef set_it():\n    global environment\n    environment = 1",
        "__all__ = ['verfy']\ndef verfy(db): pass",
        'from os.path import isdir as requires',
        'from os.path import isdir as downs',
        "environment = 'x'\nenvironments = ['x']",
        'def verify(db): pass\ndef Verify(db): pass',
    )

    def test_a_word_that_is_spelt_wrong_is_refused_with_the_one_that_was_meant(
        self,
    ) -> None:
        """The file would run elsewhere, at another time, or unchecked."""
        for line, word in self.MEANT.items():
            with self.subTest(line):
                loaded = self.load(f'{line}\n{UP}\n')
                with self.assertRaises(BadSaid) as caught:
                    Step.of(loaded, 'up')
                self.assertRegex(
                    str(caught.exception),
                    rf'001_x\.py: (\w+) would be passed over: the word is `{word}` '
                    r'\(or call it _\1 if it is your own\), so nothing was run\.',
                )

    def test_a_name_of_the_file_s_own_is_left_alone(self) -> None:
        for line in self.OWN:
            with self.subTest(line):
                Step.of(self.load(f'{line}\n{UP}\n'), 'up')

    def test_each_word_is_told_from_each_other(self) -> None:
        for name in finding.KNOWN.union(finding.OWN):
            others = {*finding.WORDS, *finding.OWN} - {name}
            found = [each for each in others if is_misspelling(name, each)]
            self.assertEqual(found, [], name)

    def test_the_names_of_other_tools_keep_their_meaning(self) -> None:
        both = 'def upgrade(db): pass\ndef downgrade(db): pass\n'
        loaded = self.load(f"name = 'x'\ndependencies = []\n{both}")
        Step.of(loaded, 'up')
        Step.of(loaded, 'down')

    def test_a_function_that_the_fabfile_takes_for_one_is_no_misspelling(self) -> None:
        def theirs(module: Any) -> dict[str, Any]:
            return {'up': module.apply, 'down': module.Down}

        source = 'def apply(db): pass\ndef Down(db): pass\n'
        Step.of(self.load(source, functions=theirs), 'up')
        with self.assertRaises(BadSaid):
            loaded = self.load(f'{UP}\n{source}', functions=functions_of)
            Step.of(loaded, 'up')

    def test_what_undoes_is_refused_only_for_what_it_heeds(self) -> None:
        """A file that ran before may have any name, and has to come back."""
        down = f'{UP}\ndef down(db): pass\n'
        for line in ("enviroments = ['a']", 'def verfy(db): pass', 'repaet = True'):
            Step.of(self.load(f'{line}\n{down}'), 'down')
        for line in ('transacton = True', 'paralel = False'):
            with self.assertRaises(BadSaid):
                Step.of(self.load(f'{line}\n{down}'), 'down')

    def test_only_a_file_with_such_a_name_is_parsed(self) -> None:
        with mock.patch.object(finding, 'parsed') as parsed:
            self.load(f'import os\nBATCH = 500\ndef helper(): pass\n{UP}\n')
        parsed.assert_not_called()


MANAGER = migopy.MigrationsManager


class SettingsTest(unittest.TestCase):
    MEANT = {
        'ENVIROMENT': ('staging', 'ENVIRONMENT'),
        'ENVIRONMENTS': ('staging', 'ENVIRONMENT'),
        'TRANACTION': (True, 'TRANSACTION'),
        'PERFLIGHT': (False, 'PREFLIGHT'),
        'UDNO': (True, 'UNDO'),
        'MNOGO_HOST': ('db1', 'MONGO_HOST'),
        'LCOK_TTL': (5, 'LOCK_TTL'),
        'PROJECT_DIRCTORY': ('/', 'PROJECT_DIRECTORY'),
        'ALOW_LATE': (False, 'ALLOW_LATE'),
    }

    OWN = {
        'ENVIRONMENTS': ['staging', 'production'],
        'ENVIRONMENT_NAME': 'staging',
        'ENV': 'staging',
        'PROJECT': 'x',
        'PROJECT_NAME': 'x',
        'TASK': 'x',
        'TASK_NAMES': ['x'],
        'HOST': 'db1',
        'PORT': 1,
        'TRANSITION': True,
        'TRANSLATION': True,
        'UNTO': 'x',
        '_ENVIROMENT': 'staging',
    }

    def test_a_setting_that_is_spelt_wrong_is_refused(self) -> None:
        for name, (value, setting) in self.MEANT.items():
            with self.subTest(name):
                made = type('Migrations', (MANAGER,), {name: value})
                with self.assertRaisesRegex(
                    BadSettings, f'{name} is no setting of migopy; {setting} is'
                ):
                    made()

    def test_a_constant_of_the_class_s_own_is_left_alone(self) -> None:
        for name, value in self.OWN.items():
            with self.subTest(name):
                type('Migrations', (MANAGER,), {name: value})()

    def test_so_is_one_that_its_code_uses(self) -> None:
        class Base(MANAGER):
            ENVIROMENT = 'staging'

        class Method(Base):
            def where(self) -> str:
                return self.ENVIROMENT

        class Property(Base):
            @property
            def where(self) -> list[str]:
                return [self.ENVIROMENT for _ in 'a']

        class Made(Base):
            @classmethod
            def where(cls) -> str:
                return cls.ENVIROMENT

        class Cached(Base):
            @cached_property
            def where(self) -> str:
                return self.ENVIROMENT

        class Beside(Base):
            ENVIRONMENT = 'production'

        for each in (Method, Property, Made, Cached, Beside):
            each()
        with self.assertRaises(BadSettings):
            Base()

    def test_each_setting_is_told_from_each_other(self) -> None:
        """Where two are alike, both are known."""
        for name in CHECKS:
            type('Migrations', (MANAGER,), {name: getattr(MANAGER, name)})()


if __name__ == '__main__':
    unittest.main()
