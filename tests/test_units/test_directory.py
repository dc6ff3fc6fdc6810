"""The folder of migrations: which files count, in what order, importable how."""

from __future__ import annotations

import ast
import builtins
import os
import re
import sys
import tempfile
import unicodedata
import unittest
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from migopy.files import (
    TEMPLATE,
    BadFileNames,
    BadPattern,
    Directory,
    FileNames,
    ImportFailed,
    NoDirectory,
    NotCreated,
    begins_with,
    create,
    cwd_in_syspath,
    importable,
    load,
    project_directory,
)

PATTERN = r'(?P<migr_nr>[0-9]+)_[a-z0-9_]+\.py'
DASHES = (
    r'(?P<migr_nr_year>\d{4})-(?P<migr_nr_month>\d\d?)-(?P<migr_nr_day>\d\d?)'
    r'-[A-Za-z0-9-]+\.py'
)
DAY_AND_TIME = r'(?P<migr_nr_day>\d{8})_(?P<migr_nr_time>\d{6})_[a-z0-9_]+\.py'


class FileNamesTest(unittest.TestCase):
    def sorted(self, *names: str, pattern: str = PATTERN) -> list[str]:
        return [name for _, name in FileNames(pattern).sorted(names)]

    def test_are_in_order_of_number(self) -> None:
        self.assertEqual(
            self.sorted('10_a.py', '9_b.py', '0011_c.py', '001_d.py'),
            ['001_d.py', '9_b.py', '10_a.py', '0011_c.py'],
        )

    def test_equal_numbers_are_in_order_of_name(self) -> None:
        for names in (
            ('1_b.py', '1_a.py', '001_c.py'),
            ('001_c.py', '1_a.py', '1_b.py'),
        ):
            self.assertEqual(self.sorted(*names), ['001_c.py', '1_a.py', '1_b.py'])

    def test_a_name_that_no_database_can_keep_is_told(self) -> None:
        with self.assertRaises(BadFileNames) as caught:
            self.sorted('1_\udcff.py', pattern=r'(?P<migr_nr>[0-9]+)_.*\.py')
        self.assertIn('are no UTF-8', str(caught.exception))

    def test_so_is_one_that_only_this_process_cannot_read(self) -> None:
        with self.assertRaises(BadFileNames) as caught:
            self.sorted('1_\udcc3\udcb6.py', '1_b.py', '-.py')
        self.assertIn('set LC_ALL to C.UTF-8', str(caught.exception))
        self.assertNotIn('Rename', str(caught.exception))

    def test_helpers_and_other_files_are_passed_over(self) -> None:
        others = (
            '__init__.py',
            '_helper.py',
            '_1_x.py',
            'README.rst',
            '1_x.pyc',
            '1_x',
        )
        self.assertEqual(self.sorted('1_x.py', *others), ['1_x.py'])

    def test_names_that_do_not_fit_are_an_error_that_names_them(self) -> None:
        with self.assertRaises(BadFileNames) as caught:
            self.sorted('1_x.py', 'x.py', '2-y.py', '3_Z.py')
        self.assertEqual(caught.exception.names, ['2-y.py', '3_Z.py', 'x.py'])
        for part in ('2-y.py', '3_Z.py', 'x.py', PATTERN):
            self.assertIn(part, str(caught.exception))
        self.assertNotIn('1_x.py', str(caught.exception).replace(PATTERN, ''))

    def test_what_editors_and_systems_leave_is_passed_over(self) -> None:
        others = ('._001_x.py', '.#001_x.py', '.001_x.py')
        self.assertEqual(self.sorted('1_x.py', *others), ['1_x.py'])

    def test_a_second_ending_does_not_fit(self) -> None:
        with self.assertRaises(BadFileNames) as caught:
            self.sorted('1_x.py', '2_x.py.py')
        self.assertEqual(caught.exception.names, ['2_x.py.py'])

    def test_an_accent_is_one_however_it_is_spelled(self) -> None:
        pattern = r'(?P<migr_nr>[0-9]+)_[a-zé]+\.py'
        for form in ('NFC', 'NFD'):
            name = unicodedata.normalize(form, '1_é.py')
            self.assertEqual(self.sorted(name, pattern=pattern), [name])

    def test_two_that_differ_only_in_how_it_is_spelled_are_an_error(self) -> None:
        """Registered, one would stand for the other, which may not have run."""
        names = FileNames(r'(?P<migr_nr>\d+)_\w+\.py')
        composed, apart = (
            unicodedata.normalize(form, '1_caf\xe9.py') for form in ('NFC', 'NFD')
        )
        for both in ([composed, apart], [apart, composed]):
            with self.assertRaises(BadFileNames) as caught:
                names.sorted([*both, '2_x.py'])
            self.assertIn('are those of other files', str(caught.exception))
            self.assertEqual(names.sorted_out(both), ([(1, apart)], [composed]))

    def test_an_ending_in_capitals_does_not_fit(self) -> None:
        """Passed over, the migration would be missing without a word."""
        for pattern in (PATTERN, f'(?i){PATTERN}'):
            with self.assertRaises(BadFileNames) as caught:
                FileNames(pattern).sorted(['1_a.py', '2_b.PY'])
            self.assertEqual(caught.exception.names, ['2_b.PY'])
            self.assertIn('do not fit', str(caught.exception))

    def test_another_pattern(self) -> None:
        pattern = r'v(?P<migr_nr>\d+)[.].*'
        self.assertEqual(
            self.sorted('v10.B.py', 'v9.a.py', pattern=pattern), ['v9.a.py', 'v10.B.py']
        )

    def test_several_groups_are_one_number(self) -> None:
        self.assertEqual(
            self.sorted(
                '2020-12-01-Add-y.py',
                '2020-7-24-add-x.py',
                '2019-12-31-Zz.py',
                pattern=DASHES,
            ),
            ['2019-12-31-Zz.py', '2020-7-24-add-x.py', '2020-12-01-Add-y.py'],
        )
        names = FileNames(DASHES).sorted(['2020-12-01-a.py', '2020-7-24-b.py'])
        self.assertEqual(names[0], (20200724, '2020-7-24-b.py'))

    def test_no_number_has_more_digits_than_a_file_s_name(self) -> None:
        """A record may have any: Python refuses to read thousands of them."""
        names = FileNames(r'(?P<migr_nr_1>\d+)-(?P<migr_nr_2>\d+)_[a-z]+\.py')
        long = [f'{"9" * 5000}-1_a.py', f'1-{"9" * 5000}_a.py']
        self.assertEqual(
            names.sorted_out(['1-2_b.py', *long]), ([(12, '1-2_b.py')], sorted(long))
        )

    def test_a_day_and_a_time(self) -> None:
        self.assertEqual(
            self.sorted(
                '20260101_120000_b.py',
                '20260101_090000_c.py',
                '20251231_235959_d.py',
                pattern=DAY_AND_TIME,
            ),
            ['20251231_235959_d.py', '20260101_090000_c.py', '20260101_120000_b.py'],
        )

    def test_a_further_group_may_be_left_out(self) -> None:
        pattern = r'(?P<migr_nr>\d+)(?:-(?P<migr_nr_part>\d+))?_[a-z]+\.py'
        self.assertEqual(
            self.sorted('2_a.py', '1-10_a.py', '1-9_a.py', '1_b.py', pattern=pattern),
            ['1_b.py', '1-9_a.py', '1-10_a.py', '2_a.py'],
        )

    def test_groups_of_other_names_change_nothing(self) -> None:
        pattern = r'(?P<migr_nr>\d+)_(?P<team>[a-z]+)_(?P<day>\d+)\.py'
        self.assertEqual(
            self.sorted('2_a_1.py', '1_b_9.py', pattern=pattern),
            ['1_b_9.py', '2_a_1.py'],
        )

    def test_helpers_by_name_are_passed_over(self) -> None:
        names = FileNames(PATTERN, ['base.py', '5_old.py'])
        listed = names.sorted(['1_x.py', 'base.py', '5_old.py'])
        self.assertEqual(listed, [(1, '1_x.py')])
        with self.assertRaises(BadFileNames) as caught:
            names.sorted(['other.py', 'base.py'])
        self.assertEqual(caught.exception.names, ['other.py'])
        self.assertIn('MIGRATIONS_HELPERS', str(caught.exception))

    def test_what_was_typed_begins_a_name(self) -> None:
        for name, typed, does in (
            ('2020-07-24-add-x.py', '2020-07-24', True),
            ('20260101_120000_b.py', '20260101_120000', True),
            ('2020-07-24-add-x.py', '2020-07-2', False),
            ('2020-07-24-add-x.py', '2020-07-24-add', False),
            ('001_x.py', '', False),
            ('1x.py', '1', False),
        ):
            with self.subTest(name, typed=typed):
                self.assertIs(begins_with(name, typed), does)

    def test_a_pattern_that_cannot_be_used_is_an_error(self) -> None:
        for pattern, reason in ((r'(', 'regular expression'), (r'\d+_.*', 'migr_nr')):
            with self.subTest(pattern), self.assertRaisesRegex(BadPattern, reason):
                FileNames(pattern)

    def test_a_date_in_one_group_is_told_from_a_name_that_does_not_fit(self) -> None:
        pattern = r'(?P<migr_nr>\d{4}-\d\d-\d\d)-[a-z-]+\.py'
        with self.assertRaises(BadFileNames) as caught:
            self.sorted('2020-07-24-add-x.py', pattern=pattern)
        said = str(caught.exception)
        self.assertIn('have no number in the group', said)
        self.assertIn(r'(?P<migr_nr_1>\d+)-(?P<migr_nr_2>\d+)', said)
        self.assertNotIn('do not fit', said)

    def test_a_number_that_is_none_is_a_bad_name(self) -> None:
        with self.assertRaises(BadFileNames):
            self.sorted('x_y.py', pattern=r'(?P<migr_nr>[a-z]+)_.*')
        with self.assertRaises(BadFileNames):
            self.sorted('_'.join('ab') + '.py', pattern=r'(?P<migr_nr>\d+)?a_.*')


class FolderTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix='migopy-test-')
        self.addCleanup(temporary.cleanup)
        self.base = Path(temporary.name).resolve()
        before = dict(sys.modules)
        self.addCleanup(
            lambda: [sys.modules.pop(n) for n in set(sys.modules) - set(before)]
        )

    def write(self, path: str, text: str = '') -> Path:
        file = self.base / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def directory(self, relative: str = 'steps') -> Directory:
        return Directory(str(self.base), relative, FileNames(PATTERN))

    def names(self, relative: str = 'steps') -> list[str]:
        return [each.name for each in self.directory(relative).migrations()]


class MigrationsTest(FolderTest):
    def test_are_the_files_in_order(self) -> None:
        for name in ('10_b.py', '2_a.py', '_helper.py', 'notes.txt', '3_c.pyc'):
            self.write(f'steps/{name}')
        migrations = self.directory().migrations()
        self.assertEqual(
            [(each.number, each.name, each.path) for each in migrations],
            [
                (2, '2_a.py', str(self.base / 'steps' / '2_a.py')),
                (10, '10_b.py', str(self.base / 'steps' / '10_b.py')),
            ],
        )

    def test_a_folder_is_no_migration_whatever_its_name(self) -> None:
        self.write('steps/1_x.py')
        (self.base / 'steps' / '2_y.py').mkdir()
        (self.base / 'steps' / 'odd.py').mkdir()
        self.assertEqual(self.names(), ['1_x.py'])

    def test_a_link_to_a_file_is_one(self) -> None:
        target = self.write('elsewhere.py')
        (self.base / 'steps').mkdir()
        (self.base / 'steps' / '1_x.py').symlink_to(target)
        self.assertEqual(self.names(), ['1_x.py'])

    def test_a_link_to_itself_is_no_reason_to_make_the_folder(self) -> None:
        (self.base / 'steps').mkdir()
        (self.base / 'steps' / '1_x.py').symlink_to('1_x.py')
        self.assertEqual(self.names(), ['1_x.py'])

    def test_one_registered_in_another_spelling_is_found_and_read(self) -> None:
        name = unicodedata.normalize('NFD', '1_é.py')
        self.write(f'steps/{name}')
        directory = Directory(
            str(self.base), 'steps', FileNames(r'(?P<migr_nr>[0-9]+)_[a-zé]+\.py')
        )
        [migration] = directory.migrations()
        self.assertEqual(migration.name, unicodedata.normalize('NFC', name))
        self.assertEqual(migration.content(), b'')

    def test_a_nested_folder(self) -> None:
        self.write('db/steps/1_x.py')
        self.assertEqual(self.names('db/steps'), ['1_x.py'])
        self.assertEqual(self.directory('db/steps').package, 'db.steps')

    def test_an_absolute_path(self) -> None:
        self.write('elsewhere/steps/1_x.py')
        directory = Directory(
            '/', str(self.base / 'elsewhere/steps'), FileNames(PATTERN)
        )
        self.assertEqual([each.name for each in directory.migrations()], ['1_x.py'])

    def test_a_path_upwards(self) -> None:
        self.write('steps/1_x.py')
        directory = Directory(str(self.base / 'sub'), '../steps', FileNames(PATTERN))
        self.assertEqual([each.name for each in directory.migrations()], ['1_x.py'])
        self.assertEqual(directory.package, 'steps')

    def test_no_directory_is_an_error_that_names_it(self) -> None:
        self.write('file')
        for relative in ('steps', 'file'):
            with self.subTest(relative), self.assertRaises(NoDirectory) as caught:
                self.directory(relative).migrations()
            self.assertEqual(caught.exception.path, str(self.base / relative))
            self.assertIn(f'{self.base / relative}: No', str(caught.exception))
            # Where a file is in its place, none could be made.
            has_way = 'fab migrations:create' in str(caught.exception)
            self.assertIs(has_way, relative == 'steps')

    def test_of_a_project_s_folder_that_is_not_there_it_names_that_setting(
        self,
    ) -> None:
        gone = str(self.base / 'gone')
        with self.assertRaises(NoDirectory) as caught:
            Directory(gone, 'steps', FileNames(PATTERN)).migrations()
        said = str(caught.exception)
        self.assertIn(f'there is no folder {gone}.\nCorrect PROJECT_DIRECTORY', said)
        for absolute in (self.base / 'steps', self.base / 'other/steps'):
            with self.assertRaises(NoDirectory) as caught:
                Directory(gone, str(absolute), FileNames(PATTERN)).migrations()
            self.assertIn('or set MIGRATIONS_DIRECTORY', str(caught.exception))

    def test_one_that_may_not_be_read_is_an_error_too(self) -> None:
        error = PermissionError(13, 'Permission denied')
        with (
            mock.patch('os.scandir', side_effect=error),
            self.assertRaisesRegex(NoDirectory, 'steps: Permission denied'),
        ):
            self.directory().migrations()

    def test_it_is_listed_once(self) -> None:
        self.write('steps/1_x.py')
        with (
            mock.patch('os.scandir', wraps=os.scandir) as scandir,
            mock.patch('os.listdir', wraps=os.listdir) as listdir,
        ):
            self.directory().migrations()
        self.assertEqual((scandir.call_count, listdir.call_count), (1, 0))

    def test_makes_it_a_package(self) -> None:
        self.write('steps/1_x.py')
        self.directory().migrations()
        init = self.base / 'steps' / '__init__.py'
        self.assertEqual(init.read_text(), '')

    def test_leaves_a_package_as_it_is(self) -> None:
        init = self.write('steps/__init__.py', 'x = 1')
        self.directory().migrations()
        self.assertEqual(init.read_text(), 'x = 1')

    def test_a_read_only_folder_is_fine(self) -> None:
        self.write('steps/1_x.py', 'def up(db): return 1')

        def refused(path: str, mode: str = 'r', *args: Any, **options: Any) -> Any:
            if 'x' in mode:
                raise PermissionError(13, 'Permission denied', path)
            return opened(path, mode, *args, **options)

        opened = open
        with mock.patch.object(builtins, 'open', refused):
            self.assertEqual(self.names(), ['1_x.py'])
            directory = self.directory()
            [migration] = directory.migrations()
            with importable(directory):
                loaded = load(migration, directory.package)
        self.assertEqual(loaded.function('up')(None), 1)
        self.assertFalse((self.base / 'steps' / '__init__.py').exists())


class CreateTest(FolderTest):
    """`create` writes the file of the next migration."""

    def created(self, title: str, *existing: str, template: str = TEMPLATE) -> Path:
        """Create one in a new folder beside others."""
        folder = f'steps{len(list(self.base.iterdir()))}'
        for name in existing:
            self.write(f'{folder}/{name}')
        return Path(create(self.directory(folder), title, template))

    def test_is_a_migration_with_a_docstring_and_both_functions(self) -> None:
        path = self.created('add user index')
        namespace: dict[str, Any] = {}
        exec(compile(path.read_text(), path, 'exec'), namespace)
        self.assertEqual(namespace['__doc__'], 'Add user index.')
        for function in ('up', 'down'):
            self.assertTrue(namespace[function].__doc__)
            self.assertIsNone(namespace[function](None))

    def test_a_title_steers_no_terminal_and_ends_no_line(self) -> None:
        path = self.created('add\x1b[2J a\nb\x00c \u202egnp')
        text = path.read_text()
        self.assertEqual(text.splitlines()[0], '"""Add [2J a b c gnp."""')
        compile(text, path.name, 'exec')

    def test_the_first_one_makes_the_folder(self) -> None:
        path = create(self.directory('new/steps'), 'first')
        self.assertEqual(path, str(self.base / 'new/steps/001_first.py'))
        self.assertTrue(Path(path).exists())

    def test_its_number_is_the_next_as_wide_as_the_last(self) -> None:
        for existing, expected in {
            ('001_a.py',): '002_x.py',
            ('9_a.py',): '10_x.py',
            ('09_a.py',): '10_x.py',
            ('099_a.py',): '100_x.py',
            ('999_a.py',): '1000_x.py',
            ('00009_a.py',): '00010_x.py',
            ('1_a.py', '2_a.py', '7_a.py'): '8_x.py',
            ('20_a.py', '100_a.py', '100_b.py'): '101_x.py',
            ('001_a.py', '_helper.py', '900.txt'): '002_x.py',
            ('20140114120000_a.py',): '20140114120001_x.py',
        }.items():
            self.assertEqual(self.created('x', *existing).name, expected)

    def test_its_name_is_the_title_in_letters_digits_and_underscores(self) -> None:
        for title, expected in {
            'add user index': 'add_user_index',
            'add_user_index': 'add_user_index',
            'add_user_index.py': 'add_user_index',
            '  Add -- User,Index!  ': 'add_user_index',
            'Größe übernehmen': 'grosse_ubernehmen',
            'café №5': 'cafe_no5',
            'Żółty øl': 'zolty_ol',
            '007_add_index.py': 'add_index',
            '007_2nd_try.py': '2nd_try',
            '007 agents': '007_agents',
            '2nd try': '2nd_try',
            '../../etc/passwd': 'etc_passwd',
        }.items():
            self.assertEqual(self.created(title).name, f'001_{expected}.py')

    def test_its_docstring_is_the_title_as_it_was_typed(self) -> None:
        for title, expected in {
            'add_user_index': 'Add user index.',
            'index HTTP_REFERER, by day': 'Index HTTP_REFERER, by day.',
            'Größe in 名前': 'Größe in 名前.',
            'say "hi"': "Say 'hi'.",
            'a """ b \\x \\N \\': "A ''' b /x /N /.",
            'the {name} of {title}': 'The {name} of {title}.',
        }.items():
            path = self.created(title)
            module = ast.parse(path.read_text(encoding='utf-8'))
            self.assertEqual(ast.get_docstring(module), expected)

    def test_a_title_without_a_letter_for_a_name_is_an_error(self) -> None:
        for title in ('', '  ', '...', '名前', '.py'):
            with self.subTest(title), self.assertRaisesRegex(NotCreated, 'from a to z'):
                self.created(title)

    def test_a_team_s_own_template(self) -> None:
        path = self.created('add index', template='# {name}: {title}, {other}')
        self.assertEqual(path.read_text(), '# 001_add_index.py: Add index, {other}')

    def test_what_stands_there_is_never_overwritten(self) -> None:
        directory = self.directory()
        self.write('steps/001_a.py')
        # Somebody is quicker.
        with (
            mock.patch('migopy.files.creating._next_number', return_value='001'),
            self.assertRaisesRegex(NotCreated, 'File exists') as caught,
        ):
            create(directory, 'a')
        self.assertIsInstance(caught.exception.__cause__, FileExistsError)

    def test_a_name_that_would_not_fit_the_pattern_is_not_written(self) -> None:
        self.write('steps/v1_a.py')
        pattern = r'v(?P<migr_nr>\d+)_.*\.py'
        directory = Directory(str(self.base), 'steps', FileNames(pattern))
        with self.assertRaises(NotCreated) as caught:
            create(directory, 'b')
        self.assertIn('2_b.py would not fit', str(caught.exception))
        names = sorted(os.listdir(self.base / 'steps'))
        self.assertEqual(names, ['__init__.py', 'v1_a.py'])

    def timestamped(self, pattern: str, *existing: str) -> str:
        """Create one by its time; give its name with 9 for each digit."""
        folder = f'steps{len(list(self.base.iterdir()))}'
        for name in existing:
            self.write(f'{folder}/{name}')
        directory = Directory(str(self.base), folder, FileNames(pattern))
        name = Path(create(directory, 'Add note 5', numbering='timestamp')).name
        self.assertEqual(directory.migrations()[-1].name, name)
        return re.sub(r'\d', '9', name)

    def test_its_number_may_be_the_time(self) -> None:
        for pattern, expected in {
            PATTERN: '99999999999999_add_note_9.py',
            DASHES: '9999-99-99-add-note-9.py',
            DAY_AND_TIME: '99999999_999999_add_note_9.py',
            r'(?P<migr_nr>\d{12})-[a-z0-9-]+\.py': '999999999999-add-note-9.py',
            r'(?P<migr_nr>\d{8})_[a-z0-9_]+\.py': '99999999_add_note_9.py',
        }.items():
            self.assertEqual(self.timestamped(pattern), expected)
        self.timestamped(PATTERN, '001_a.py', '20140114120000_b.py')

    def test_two_of_the_same_second_have_each_their_own(self) -> None:
        directory = self.directory()
        for title in ('b', 'a', 'c'):
            create(directory, title, numbering='timestamp')
        slugs = [each.name[-4] for each in directory.migrations()]
        self.assertEqual(slugs, ['b', 'a', 'c'])

    def test_a_time_that_fits_no_pattern_is_an_error(self) -> None:
        with self.assertRaisesRegex(NotCreated, 'would not fit'):
            self.timestamped(r'v(?P<migr_nr>\d+)\.py')

    def test_among_names_that_do_not_fit_there_is_no_next_number(self) -> None:
        with self.assertRaises(BadFileNames):
            self.created('x', '001_a.py', 'bad-name.py')


class TakenNameTest(FolderTest):
    def test_a_folder_takes_no_other_package_s_name(self) -> None:
        """In its place a migration's `import json`, or migopy itself, would fail."""
        for name in ('migopy', 'json', 'bson/steps'):
            self.write(f'{name}/_base.py', 'X = 1')
            self.write(
                f'{name}/1_x.py',
                'import json, bson, migopy\nfrom . import _base\n'
                'def up(db): return json.dumps([_base.X]), migopy.batches, bson.SON',
            )
            directory = self.directory(name)
            [migration] = directory.migrations()
            with importable(directory):
                loaded = load(migration, directory.package)
                self.assertEqual(loaded.function('up')(None)[0], '[1]')

    def test_one_further_in_has_the_package_that_it_is_in(self) -> None:
        """Python has a module `wave`, which nobody imports here."""
        self.write('wave/__init__.py')
        self.write('wave/models.py', 'NAME = "wave"')
        self.write(
            'wave/migrations/1_x.py',
            'from ..models import NAME\ndef up(db): return NAME',
        )
        directory = self.directory('wave/migrations')
        [migration] = directory.migrations()
        with importable(directory):
            loaded = load(migration, directory.package)
            self.assertEqual(loaded.function('up')(None), 'wave')


class ImportableTest(FolderTest):
    def up(self, directory: Directory) -> Any:
        """Load the one migration and give what its `up` returns."""
        [migration] = directory.migrations()
        with importable(directory):
            return load(migration, directory.package).function('up')(None)

    def test_the_project_s_modules_are(self) -> None:
        self.write('migopy_test_models.py', 'NAME = "model"')
        self.write(
            'steps/1_x.py',
            'import migopy_test_models\ndef up(db): return migopy_test_models.NAME',
        )
        self.assertEqual(self.up(self.directory()), 'model')

    def test_and_while_up_runs(self) -> None:
        self.write('migopy_test_later.py', 'NAME = "later"')
        self.write(
            'steps/1_x.py',
            'def up(db):\n  import migopy_test_later\n  return migopy_test_later.NAME',
        )
        self.assertEqual(self.up(self.directory()), 'later')

    def test_siblings_are(self) -> None:
        for relative in ('steps', 'db/steps', 'my-steps', 'dotted.steps'):
            with self.subTest(relative):
                self.write(f'{relative}/_helpers.py', f'NAME = "{relative}"')
                self.write(f'{relative}/tools/__init__.py', 'NUMBER = 5')
                self.write(
                    f'{relative}/1_x.py',
                    'from . import _helpers\nfrom .tools import NUMBER\n'
                    'def up(db): return _helpers.NAME, NUMBER',
                )
                self.assertEqual(self.up(self.directory(relative)), (relative, 5))

    def test_files_beside_the_migrations_are(self) -> None:
        """With and without an `__init__.py`, which a read-only folder does not get."""
        self.write('steps/a.txt', 'here')
        self.write(
            'steps/1_x.py',
            'from importlib import resources\n'
            "def up(db): return resources.files(__package__) / 'a.txt'",
        )
        init = self.write('steps/__init__.py')
        self.assertEqual(self.up(self.directory()).read_text(), 'here')
        init.unlink()
        sys.modules.pop('steps')
        with mock.patch.object(Directory, '_make_package'):
            self.assertEqual(self.up(self.directory()).read_text(), 'here')

    def test_the_path_is_put_back(self) -> None:
        self.write('steps/1_x.py', 'import sys\ndef up(db): return sys.path[0]')
        before = list(sys.path)
        self.assertEqual(self.up(self.directory()), str(self.base))
        self.assertEqual(sys.path, before)

    def test_nobody_who_looks_through_the_path_passes_over_a_folder(self) -> None:
        """Python does so where another thread takes away a folder before it."""
        self.write('steps/__init__.py')
        before = list(sys.path)
        with importable(self.directory()):
            other = ExitStack()
            other.enter_context(importable(self.directory()))
            looking = iter(sys.path)
            seen = [next(looking) for _ in range(3)]
            other.close()
            self.assertEqual(set(before) - {*seen, *looking}, set())
        self.assertEqual(sys.path, before)

    def test_a_package_that_fails_is_an_error_that_names_it(self) -> None:
        self.write('steps/__init__.py', '1 / 0')
        with self.assertRaises(ImportFailed) as caught, importable(self.directory()):
            pass
        self.assertIn('__init__.py', str(caught.exception))
        self.assertIn('ZeroDivisionError', str(caught.exception))

    def test_the_package_is_imported_once(self) -> None:
        self.write('steps/__init__.py', 'import builtins; count = []')
        for _ in range(2):
            with importable(self.directory()):
                sys.modules['steps'].count.append(1)
        self.assertEqual(sys.modules['steps'].count, [1, 1])

    def test_two_projects_in_one_process_do_not_mix(self) -> None:
        for project in ('a', 'b'):
            self.write(f'{project}/steps/_helpers.py', f'NAME = "{project}"')
            self.write(
                f'{project}/steps/1_x.py',
                'from . import _helpers\ndef up(db): return _helpers.NAME',
            )
            directory = Directory(str(self.base / project), 'steps', FileNames(PATTERN))
            self.assertEqual(self.up(directory), project)


class ProjectDirectoryTest(FolderTest):
    def test_is_the_working_directory_in_plain_python(self) -> None:
        class Migrations: ...

        self.assertEqual(project_directory(Migrations), os.getcwd())

    def test_is_the_fabfile_s_where_that_is_imported(self) -> None:
        """A script beside the fabfile: `from fabfile import Migrations`."""

        class Migrations: ...

        Migrations.__module__ = 'fabfile'
        for file in ('fabfile.py', 'fabfile/__init__.py'):
            with self.subTest(file), mock.patch.dict(sys.modules):
                module = mock.Mock(__file__=str(self.base / file))
                sys.modules['fabfile'] = module
                self.assertEqual(project_directory(Migrations), str(self.base))


class CwdInSyspathTest(unittest.TestCase):
    def test_is_first_inside_and_gone_after(self) -> None:
        before = list(sys.path)
        with cwd_in_syspath():
            self.assertEqual(sys.path[0], os.getcwd())
        self.assertEqual(sys.path, before)
