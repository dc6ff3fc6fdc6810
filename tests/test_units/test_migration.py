"""A migration file: imported as it is now, checked before it is run."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
import tempfile
import textwrap
import traceback
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import migopy
from migopy.contents import READ_AT_ONCE
from migopy.files import (
    BadSaid,
    Directory,
    FileNames,
    ImportFailed,
    Migration,
    NoSuchFunction,
    Unreadable,
    checksum_of,
    importable,
    load,
)
from migopy.run import Step
from migopy.traces import excerpt

PACKAGE = 'migopy_test_package'


class FileTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix='migopy-test-')
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        self.addCleanup(sys.modules.pop, f'{PACKAGE}.001_x', None)
        self.migration = Migration('001_x.py', 1, str(self.folder))

    def write(self, source: str) -> Path:
        file = self.folder / '001_x.py'
        file.write_text(textwrap.dedent(source))
        return file

    def failed_import(self, source: str) -> ImportFailed:
        self.write(source)
        with self.assertRaises(ImportFailed) as caught:
            load(self.migration, PACKAGE)
        self.assertNotIn(f'{PACKAGE}.001_x', sys.modules)
        return caught.exception


class ContentTest(FileTest):
    def test_a_file_of_any_length_is_read_whole(self) -> None:
        for length in (0, 1, READ_AT_ONCE - 1, READ_AT_ONCE, 2 * READ_AT_ONCE + 1):
            content = os.urandom(length)
            (self.folder / '001_x.py').write_bytes(content)
            self.assertEqual(self.migration.content(), content)

    def test_what_is_no_file_is_not_waited_for(self) -> None:
        path = self.folder / '001_x.py'
        os.mkfifo(path)
        with self.assertRaisesRegex(Unreadable, 'cannot be read: it is no file'):
            self.migration.content()
        path.unlink()
        for target in ('/dev/zero', '/dev/null'):
            path.symlink_to(target)
            with self.assertRaisesRegex(Unreadable, 'cannot be read: it is no file'):
                self.migration.content()
            path.unlink()


class LoadTest(FileTest):
    def test_imports_as_a_module_of_the_package(self) -> None:
        self.write('def up(db): return __name__')
        loaded = load(self.migration, PACKAGE)
        self.assertEqual(loaded.function('up')(None), f'{PACKAGE}.001_x')
        self.assertIs(sys.modules[f'{PACKAGE}.001_x'], loaded.module)

    def test_says_what_the_content_says_that_was_imported(self) -> None:
        self.write("phase = 'background'\ndef up(db): pass")
        loaded = load(self.migration, PACKAGE)
        self.write('def up(db): pass')
        self.assertEqual(loaded.said().phase, 'background')

    def test_a_word_in_capitals_is_not_passed_over(self) -> None:
        """It would run too early, beside others, or without what undoes it."""
        for line in (
            "PHASE = 'after'",
            "NEEDS = ['001_a.py']",
            "Needs = ('001_a.py',)",
            "REPLACES = ['001_a.py']",
            'UNDO = True',
            "UNDO = 'best effort'",
            'PARALLEL = False',
        ):
            with self.subTest(line):
                self.write(f'{line}\ndef up(db): pass')
                word = line.split()[0]
                with self.assertRaises(BadSaid) as caught:
                    Step.of(load(self.migration, PACKAGE), 'up')
                self.assertIn(
                    f'001_x.py: {word} would be passed over: the word is'
                    f' `{word.lower()}`, so nothing was run.',
                    str(caught.exception),
                )

    def test_a_constant_that_says_nothing_of_the_kind_is_its_own(self) -> None:
        for line in (
            "NEEDS = ['milk', 'bread']",
            'REPLACES = []',
            "UNDO = {'a': 1}",
            'UNDO = False',
            'PARALLEL = 4',
            'class Undo: pass',
            'def PARALLEL(): pass',
        ):
            with self.subTest(line):
                self.write(f'{line}\ndef up(db): pass')
                Step.of(load(self.migration, PACKAGE), 'up')

    def test_knows_what_it_is(self) -> None:
        self.write('')
        loaded = load(self.migration, PACKAGE)
        self.assertEqual(loaded.name, '001_x.py')
        self.assertEqual(loaded.module.__file__, str(self.folder / '001_x.py'))
        self.assertEqual(self.migration.stem, '001_x')

    def test_checksum_is_of_the_content(self) -> None:
        content = b'# \xc3\xa9\n'
        self.write('').write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.assertEqual(self.migration.checksum(), f'sha256:{digest}')
        self.assertEqual(load(self.migration, PACKAGE).checksum, f'sha256:{digest}')

    def test_what_a_checkout_changes_changes_no_checksum(self) -> None:
        content = b'# \xc3\xa9\nx = 1\n'
        file = self.write('')
        checksums = set()
        for each in (
            content,
            content.replace(b'\n', b'\r\n'),
            b'\xef\xbb\xbf' + content,
            b'\xef\xbb\xbf' + content.replace(b'\n', b'\r\n'),
        ):
            file.write_bytes(each)
            checksums.add(self.migration.checksum())
            checksums.add(load(self.migration, PACKAGE).checksum)
        self.assertEqual(len(checksums), 1)

    def test_what_is_checked_is_what_is_compiled(self) -> None:
        """Though the file is written anew all the time."""
        file = self.write('value = 0')
        contents = [b'value = %d' % number for number in range(1, 50)]
        checksums = {checksum_of(each): each for each in contents}
        real_open = os.open

        def rewriting(path: Any, *options: Any) -> int:
            descriptor = real_open(path, *options)
            if path == str(file):
                file.write_bytes(contents[rewritten.pop()])
            return descriptor

        rewritten = list(range(49))
        file.write_bytes(contents[0])
        with mock.patch.object(os, 'open', rewriting):
            for _ in range(20):
                loaded = load(self.migration, PACKAGE)
                value = loaded.module.value
                self.assertEqual(checksums[loaded.checksum], b'value = %d' % value)

    def test_a_body_runs_once(self) -> None:
        self.write(
            """
            import migopy
            migopy.bodies = getattr(migopy, 'bodies', 0) + 1

            def up(db):
                return migopy.bodies
            """
        )
        self.addCleanup(delattr, migopy, 'bodies')
        loaded = load(self.migration, PACKAGE)
        self.assertEqual(loaded.function('up')(None), 1)
        self.assertEqual(loaded.function('up')(None), 1)

    def test_imports_the_file_as_it_is_now(self) -> None:
        """Not a module of before, nor bytecode of a file of the same size and time."""
        writing = mock.patch.object(sys, 'dont_write_bytecode', False)
        writing.start()
        self.addCleanup(writing.stop)
        file = self.write('def up(db): return 1')
        stamp = file.stat().st_mtime_ns
        self.assertEqual(load(self.migration, PACKAGE).function('up')(None), 1)
        self.write('def up(db): return 2')
        os.utime(file, ns=(stamp, stamp))
        self.assertEqual(load(self.migration, PACKAGE).function('up')(None), 2)

    def test_a_syntax_error_is_told_with_file_and_line(self) -> None:
        error = self.failed_import(
            """
            def up(db):
                return (
            """
        )
        self.assertIn('001_x.py cannot be imported, so nothing was run', str(error))
        self.assertIn(f'File "{self.folder}/001_x.py", line 3', str(error))
        self.assertIn('SyntaxError', str(error))
        self.assertNotIn('migopy/migration.py', str(error))
        self.assertIsInstance(error.cause, SyntaxError)
        self.assertIs(error.__cause__, error.cause)
        self.assertEqual(error.name, '001_x.py')

    def test_an_import_error_is_told_with_file_and_line(self) -> None:
        error = self.failed_import(
            """
            import no_such_module_of_anybody
            """
        )
        self.assertIn(f'File "{self.folder}/001_x.py", line 2', str(error))
        self.assertIn("No module named 'no_such_module_of_anybody'", str(error))
        self.assertNotIn('importlib', str(error))

    def test_an_import_of_2014_is_told_with_what_to_write(self) -> None:
        """PyMongo 2 had other modules, and Python 2 found those beside the file."""
        (self.folder / '_base.py').write_text('X = 1')
        for source, instead in (
            ('from pymongo import ASCENDING, Connection', 'from pymongo import Mongo'),
            ('from pymongo.objectid import ObjectId', 'from bson import ObjectId'),
            ('import _base', 'from . import _base'),
            ('from _base import X', 'from ._base import'),
        ):
            said = str(self.failed_import(source))
            self.assertIn('In place of that import write: ', said)
            self.assertIn(instead, said)
        for source in ('from pymongo import Nothing', 'import no_such_module'):
            self.assertNotIn('In place', str(self.failed_import(source)))

    def test_a_file_that_exits_when_imported_is_an_error(self) -> None:
        error = self.failed_import(
            """
            import sys
            up = sys.exit(0)
            """
        )
        self.assertIsInstance(error.cause, SystemExit)

    def test_bytes_that_are_no_text_are_an_error(self) -> None:
        self.write('').write_bytes(b'x = "\xff"')
        with self.assertRaises(ImportFailed):
            load(self.migration, PACKAGE)

    def test_a_file_that_cannot_be_read_is_an_error(self) -> None:
        (self.folder / '001_x.py').symlink_to(self.folder / 'nowhere')
        for read in (self.migration.checksum, lambda: load(self.migration, PACKAGE)):
            with self.assertRaises(Unreadable) as caught:
                read()
            self.assertIn('001_x.py cannot be read: No such', str(caught.exception))


class HelperTest(FileTest):
    """A module beside the migrations, imported as `from . import _helper`."""

    def setUp(self) -> None:
        super().setUp()
        writing = mock.patch.object(sys, 'dont_write_bytecode', False)
        writing.start()
        self.addCleanup(writing.stop)

    def up(self) -> object:
        """Call a migration's `up`, as the first import of a process."""
        names = FileNames(r'(?P<migr_nr>\d+)_\w+\.py', ())
        directory = Directory(str(self.folder), 'mongomigrations', names)
        for name in list(sys.modules):
            if name.partition('.')[0] == directory.package:
                del sys.modules[name]
        with importable(directory):
            importlib.invalidate_caches()
            loaded = load(Migration('001_x.py', 1, directory.path), directory.package)
            return loaded.function('up')(None)

    def migrations(self, files: dict[str, str]) -> None:
        """Write files of the folder, all of one time, as a checkout may make them."""
        for name, source in files.items():
            file = self.folder / 'mongomigrations' / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
            os.utime(file, (1_600_000_000, 1_600_000_000))

    def test_is_imported_as_it_is_now(self) -> None:
        """Not from bytecode of a file of the same size and time; so in a folder."""
        for migration, helper in (
            ('from . import _helper\ndef up(db): return _helper.ONE', '_helper.py'),
            ('def up(db):\n from .lib.one import ONE\n return ONE', 'lib/one.py'),
            ('from .lib import ONE\ndef up(db): return ONE', 'lib/__init__.py'),
        ):
            with self.subTest(helper):
                self.migrations({'lib/__init__.py': '', '001_x.py': migration})
                self.migrations({helper: 'ONE = 1'})
                self.assertEqual(self.up(), 1)
                self.migrations({helper: 'ONE = 2'})
                self.assertEqual(self.up(), 2)

    def test_its_lines_are_those_of_its_file(self) -> None:
        self.migrations(
            {
                '001_x.py': 'from . import _helper\ndef up(db): _helper.fail()',
                '_helper.py': 'def fail():\n    raise KeyError(1)',
            }
        )
        try:
            self.up()
        except KeyError as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            self.assertEqual((last.lineno, last.line), (2, 'raise KeyError(1)'))
        else:
            self.fail('nothing was raised')


class FunctionTest(FileTest):
    def refused(self, source: str, name: str = 'up') -> str:
        self.write(source)
        loaded = load(self.migration, PACKAGE)
        with self.assertRaises(NoSuchFunction) as caught:
            loaded.function(name)
        self.assertEqual(
            (caught.exception.name, caught.exception.function), ('001_x.py', name)
        )
        return str(caught.exception)

    def test_a_file_without_up(self) -> None:
        message = self.refused('def down(db): pass')
        self.assertIn('001_x.py has no function `up`', message)
        self.assertIn('then type the command again.', message)

    def test_a_file_without_down(self) -> None:
        message = self.refused('def up(db): pass', 'down')
        self.assertIn('001_x.py has no function `down`', message)
        self.assertIn('then type the command again.', message)

    def test_what_cannot_be_called_is_no_function(self) -> None:
        self.assertIn('has no function `up`', self.refused('up = 1'))

    def test_what_cannot_be_called_with_the_database_alone_is_refused(self) -> None:
        for source in (
            'def up(): pass',
            'def up(db, client): pass',
            'def up(*, db): pass',
            'async def up(): pass',
        ):
            with self.subTest(source):
                self.assertIn(
                    '001_x.py has a function `up` that cannot be called with `db`'
                    ' alone, so nothing was run.\nWrite `def up(db):` in it, then',
                    self.refused(source),
                )
        self.write('def up(*args): pass\ndef down(db, n=1): pass')
        loaded = load(self.migration, PACKAGE)
        for name in ('up', 'down'):
            self.assertTrue(callable(loaded.function(name)))

    def test_what_would_return_before_its_work_is_refused(self) -> None:
        sources = {
            'async def up(db): yield': 'yields',
            'def up(db): yield': 'yields',
        }
        for source, reason in sources.items():
            with self.subTest(source):
                self.assertIn(reason, self.refused(source))

    def test_anything_else_that_can_be_called_does(self) -> None:
        self.write('up = print; down = lambda db: db')
        loaded = load(self.migration, PACKAGE)
        self.assertIs(loaded.function('up'), print)
        self.assertEqual(loaded.function('down')(5), 5)


class ExcerptTest(FileTest):
    def excerpt(self, source: str) -> str:
        self.write(source)
        up = load(self.migration, PACKAGE).function('up')
        try:
            up(None)
        except Exception as error:
            return excerpt(error, self.migration.path)
        raise AssertionError('nothing was raised')

    def test_begins_at_the_migration_file(self) -> None:
        text = self.excerpt(
            """
            import json

            def up(db):
                json.loads('[1')
            """
        )
        lines = text.splitlines()
        self.assertEqual(
            lines[:2],
            [
                'Traceback (most recent call last):',
                f'  File "{self.folder}/001_x.py", line 5, in up',
            ],
        )
        self.assertIn('json/decoder.py', text)
        self.assertTrue(lines[-1].startswith('json.decoder.JSONDecodeError: '), text)
        self.assertNotIn(__file__, text)

    def test_leaves_out_who_has_called_a_function_of_it(self) -> None:
        """And the driver, in whatever thread it was."""
        text = self.excerpt(
            """
            import bson
            from migopy.backfill.threads import threads

            def up(db):
                with threads(1) as submit:
                    submit(read)()

            def read():
                bson.decode(b'')
            """
        )
        called = re.findall(r'File ".*/(.+)", line \d+, in (\w+)', text)
        self.assertEqual(called, [('001_x.py', 'up'), ('001_x.py', 'read')], text)

    def test_has_the_cause(self) -> None:
        text = self.excerpt(
            """
            def up(db):
                try:
                    {}['a']
                except KeyError as error:
                    raise RuntimeError('no a') from error
            """
        )
        self.assertIn("KeyError: 'a'", text)
        self.assertIn('direct cause', text)
        self.assertTrue(text.endswith('RuntimeError: no a'), text)
