"""The README and the pages of docs/: well-formed, true, and each block in a test."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import unittest

import pymongo

import migopy
from migopy.defaults import Defaults
from migopy.face.subtasks import Subtasks
from migopy.files import FileNames
from migopy.files.metadata import READERS
from migopy.terminal.progress import line
from tests import readme, schema, transcripts
from tests.house import HOUSE, ORDER

#: Languages of blocks; those of Python are compiled.
LANGUAGES = {
    'bash',
    'console',
    'docker',
    'javascript',
    'python',
    'text',
    'toml',
    'yaml',
}

#: Commands of the pages that a fabfile on them has, or that do not exist on purpose.
OTHER_COMMANDS = {'count_notes', 'exceute'}

#: Pages without commands that are typed for a test.
OTHER_PAGES = ('CHANGELOG.rst', 'SECURITY.rst', 'benchmarks/README.rst')


class PagesTest(unittest.TestCase):
    """All pages."""

    def test_they_render_without_a_warning(self) -> None:
        for name in (*readme.PAGES, *OTHER_PAGES):
            with self.subTest(name):
                _, said = readme.parsed(name)
                self.assertEqual(said, '')

    def test_a_warning_would_be_noticed(self) -> None:
        document, said = readme.parsed('LICENSE')
        self.assertTrue(document.children)
        self.assertIn('(WARNING/2)', said)

    def test_each_block_has_a_name_of_its_own_and_a_language(self) -> None:
        blocks = readme.all_blocks()
        for block in blocks:
            with self.subTest(page=block.page, text=block.text):
                self.assertTrue(block.name)
                self.assertIn(block.language, LANGUAGES)
        names = sorted(block.name for block in blocks)
        self.assertEqual(names, sorted(set(names)))

    def test_python_compiles(self) -> None:
        blocks = [each for each in readme.all_blocks() if each.language == 'python']
        self.assertTrue(blocks)
        for block in blocks:
            compile(block.text, block.page, 'exec')

    def test_the_commands_exist(self) -> None:
        subtasks = Subtasks(migopy.MigrationsManager(), migopy.MigrationsManager)
        known = {*subtasks.names, *OTHER_COMMANDS}
        for page in readme.PAGES:
            typed = set(
                re.findall(r'fab [^\n`]*migrations:(\w+)\b(?!=)', readme.source(page))
            )
            with self.subTest(page):
                self.assertEqual(typed - known, set())

    def test_what_ci_types_word_for_word(self) -> None:
        """The names of the blocks in bash, and of that which builds the pages."""
        ci = (readme.ROOT / '.ci/run').read_text()
        names = [each.name for each in readme.all_blocks() if each.language == 'bash']
        self.assertTrue(names)
        for name in (*names, 'build-docs'):
            self.assertRegex(ci, rf'\b{name}\b')


class ReadmeTest(unittest.TestCase):
    """README.rst is short, and says first what it is."""

    def test_its_length(self) -> None:
        self.assertLessEqual(len(readme.source('README.rst').splitlines()), 230)
        transcript, *_ = readme.blocks('README.rst')
        self.assertEqual(transcript.name, 'first-screen')
        self.assertLessEqual(len(transcript.text.splitlines()), 12)

    def test_it_uses_nothing_that_only_sphinx_has(self) -> None:
        """It is shown by GitHub and by registries, too."""
        self.assertNotRegex(readme.source('README.rst'), ':(caption|doc|ref):')

    def test_it_names_each_page(self) -> None:
        pages = set(re.findall(r'<(docs/\w+\.rst)>', readme.source('README.rst')))
        self.assertEqual(pages, {*readme.PAGES} - {'README.rst', 'docs/index.rst'})


class SecurityTest(unittest.TestCase):
    """SECURITY.rst is found, and what it names is there."""

    page = 'SECURITY.rst'

    def test_it_is_found(self) -> None:
        self.assertIn('<SECURITY.rst>', readme.source('README.rst'))
        self.assertIn('SECURITY.rst', readme.source('MANIFEST.in').split())

    def test_what_it_names_is_there(self) -> None:
        text = readme.source(self.page)
        paths = set(re.findall(r'\b(?:docs|tests)/[\w/]+\.\w+', text))
        self.assertEqual(len(paths), 3)
        for path in paths:
            self.assertTrue((readme.ROOT / path).exists(), path)
        fuzz = readme.source('tests/test_integrations/test_fuzz.py')
        for name in re.findall(r'\bMIGOPY_TEST_\w+', text):
            self.assertIn(f"'{name}'", fuzz)
        self.assertIn("'MIGOPY_TEST_INPUTS', '2000'", fuzz)


class SettingsTest(unittest.TestCase):
    """The table of settings."""

    maxDiff = None

    def test_it_has_every_setting_with_its_default(self) -> None:
        pattern = migopy.MigrationsManager.MIGRATIONS_FILE_PATTERN
        spelled = {
            'logger': 'ColorsLogger()',
            'MongoClient': 'pymongo.MongoClient',
            'MIGRATIONS_FILE_PATTERN': r"r'(?P<migr_nr>[0-9]+)_[a-z0-9_]+\.py'",
        }
        manager = migopy.MigrationsManager
        names = [name for name in vars(Defaults) if re.fullmatch('[A-Z_]+', name)]
        expected = {
            name: spelled.get(name, repr(getattr(manager, name)))
            for name in [*names, 'logger', 'MongoClient']
        }
        self.assertEqual(readme.settings_table(), expected)
        self.assertEqual(eval(spelled['MIGRATIONS_FILE_PATTERN']), pattern)
        self.assertIsInstance(manager.logger, migopy.ColorsLogger)
        self.assertIs(manager.MongoClient, pymongo.MongoClient)


class MachinesTest(unittest.TestCase):
    """What the page of machines names, against what the code tells them."""

    def test_each_event_and_each_answer_is_on_the_page(self) -> None:
        told: dict[str, set[str]] = {'event': set(), 'answer': set()}
        for path in (readme.ROOT / 'migopy').rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, 'attr', '')
                if name == 'answer':
                    told[name] |= {each.arg for each in node.keywords if each.arg}
                elif name == 'event' and isinstance(node.args[0], ast.Constant):
                    told[name].add(str(node.args[0].value))
        for name, table in (('event', 'json-events'), ('answer', 'json-answers')):
            self.assertGreater(len(told[name]), 15)
            self.assertEqual(told[name] - set(schema.fields(table)), set())


class WordsTest(unittest.TestCase):
    """What a file may say of itself."""

    def test_each_word_is_on_the_page(self) -> None:
        rows = readme.rows('docs/migrations.rst', 'words')
        words = [row[0] for row in rows]
        self.assertEqual(
            sorted(words), sorted([*READERS, 'transaction', 'undo', 'parallel'])
        )


class PatternsTest(unittest.TestCase):
    """The table of patterns for names of other kinds."""

    def test_each_fits_the_name_beside_it(self) -> None:
        default = migopy.MigrationsManager.MIGRATIONS_FILE_PATTERN
        found = readme.rows('docs/migrations.rst', 'patterns')
        self.assertTrue(found)
        for name, said in found:
            pattern = default if said == 'the default' else said
            with self.subTest(name):
                [(number, _)] = FileNames(pattern).sorted([name])
                beginning = re.split('[_-][A-Za-z]', name)[0]
                parts = re.findall(r'\d+', beginning)
                self.assertEqual(number, int(''.join(parts)))


class HouseTest(unittest.TestCase):
    """The table of `docs/house.rst` names what is there."""

    def test_the_wings_stand_in_order(self) -> None:
        wings = [
            f'{name}/' if (HOUSE / name).is_dir() else f'{name}.py' for name in ORDER
        ]
        self.assertEqual(
            [row[0] for row in readme.rows('docs/house.rst', 'house')], wings
        )

    def test_the_drawing_names_wings(self) -> None:
        drawing = readme.block('way-of-a-command')
        names = set(re.findall(r'\w+', re.sub('what is (typed|said)', '', drawing)))
        self.assertLessEqual(names, set(ORDER))

    def test_each_wing_has_the_rooms_that_are_there(self) -> None:
        """A door is named where it is all that there is."""
        for wing, rooms, what in readme.rows('docs/house.rst', 'house'):
            with self.subTest(wing):
                self.assertTrue(what)
                files = sorted(each.name for each in (HOUSE / wing).glob('*.py'))
                inner = [name for name in files if name != '__init__.py'] or files
                self.assertEqual(' '.join(rooms.split()), ', '.join(inner))


class WhereToLookTest(unittest.TestCase):
    """What `docs/house.rst` sends a reader to is there."""

    def test_each_room_has_what_to_begin_with(self) -> None:
        for what, room, names in readme.rows('docs/house.rst', 'where-to-look'):
            found: set[str] = set()
            for node in ast.parse((HOUSE / room).read_text(encoding='utf-8')).body:
                if isinstance(node, ast.AnnAssign) and isinstance(
                    node.target, ast.Name
                ):
                    found.add(node.target.id)
                elif isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                    found.add(node.name)
            with self.subTest(what):
                self.assertLessEqual(set(names.split(', ')), found)

    def test_each_path_in_the_text_is_there(self) -> None:
        text = readme.source('docs/house.rst')
        for path in set(re.findall(r'``(\w+/\w+\.py)``', text)):
            with self.subTest(path):
                places = HOUSE / path, readme.ROOT / path
                self.assertTrue(any(each.exists() for each in places))


class LinesTest(unittest.TestCase):
    """Lines on the pages that take too long to wait for."""

    def assert_on_the_page(self, name: str, said: str) -> None:
        self.assertEqual(
            transcripts.masked(readme.block(name)), transcripts.masked(said)
        )

    def test_progress(self) -> None:
        self.assert_on_the_page('progress-line', line('notes', 96, 200, 0, 10.0))

    def test_commands_for_tests(self) -> None:
        for name in ('test-commands', 'rewrite-docs'):
            for shown in transcripts.commands(readme.block(name)):
                words = shlex.split(shown.command)
                if 'unittest' in words[:-1] and words[-1] != 'discover':
                    self.assertIsNotNone(importlib.util.find_spec(words[-1]))


class TranscriptsTest(unittest.TestCase):
    """What is compared and what is not."""

    def test_figures_that_differ_fit_and_others_do_not(self) -> None:
        page = '001_a.py executed in 14.2 s: notes 5 inserted\n...\nend'
        for shown, fits in (
            ('001_a.py executed in 3 ms: notes 5 inserted\nend', True),
            ('001_a.py executed in 3 ms: notes 5 inserted\nmore\nmore\nend', True),
            ('001_a.py executed in 3 ms: notes 6 inserted\nend', False),
            ('001_a.py executed in 3 ms: notes 5 inserted\nend\nmore', False),
        ):
            with self.subTest(shown):
                self.assertIs(transcripts.fits(page, shown), fits)

    def test_a_block_is_put_together_as_it_was(self) -> None:
        for text in ('$ a\n1\n\n$ b\n$ c\n2', '$ a\n$ b'):
            self.assertEqual(transcripts.text(transcripts.commands(text)), text)

    def test_of_what_is_rewritten_the_rest_stays(self) -> None:
        page = 'a took 1 ms\n...\nold\nend'
        said = 'a took 9 ms\nx\ny\nnew\nend'
        self.assertEqual(transcripts.rewritten(page, said), 'a took 1 ms\n...\nend')
        page = 'a took 1 ms\n...\nend\nold'
        said = 'title\na took 9 ms\nx\ny\nend\nnew'
        self.assertEqual(
            transcripts.rewritten(page, said), 'title\na took 1 ms\n...\nend\nnew'
        )

    def test_of_a_bar_the_last_state_is_read(self) -> None:
        bar = '\x1b[?25l\r\x1b[2K━ 1 of 2\r\x1b[2K━━ 2 of 2\r\n\x1b[?25h'
        written = f'{bar}well\r\n\r\nDone.\r\n'
        self.assertEqual(transcripts.left_to_read(written), '━━ 2 of 2\nwell')


if __name__ == '__main__':
    unittest.main()
