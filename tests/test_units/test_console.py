"""The logger: one message a call, on stderr, coloured where that suits."""

from __future__ import annotations

import contextlib
import io
import os
import unittest
from collections.abc import Iterator
from unittest import mock

from migopy.terminal.console import (
    ROWS_AT_ONCE,
    ColorsLogger,
    Str,
    duration,
    is_coloured,
    table,
    texts_of,
    wrapped,
)
from tests.terminal import Terminal

VARIABLES = ('NO_COLOR', 'FORCE_COLOR', 'TERM')


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set these variables, and of those that matter no others."""
    with mock.patch.dict(os.environ, variables):
        for name in VARIABLES:
            if name not in variables:
                os.environ.pop(name, None)
        yield


class StrTest(unittest.TestCase):
    def test_is_the_text_itself(self) -> None:
        self.assertEqual(Str('x'), 'x')

    def test_color_wraps_the_text(self) -> None:
        self.assertEqual(Str('x').color(Str.RED), '\033[91mx\033[0m')

    def test_color_can_be_bold(self) -> None:
        self.assertEqual(
            Str('x').color(Str.GREEN, bold=True), '\033[1m\033[92mx\033[0m'
        )

    def test_color_gives_a_str_again_and_leaves_the_first(self) -> None:
        text = Str('x')
        self.assertIsInstance(text.color(Str.WHITE), Str)
        self.assertEqual(text, 'x')


class IsColouredTest(unittest.TestCase):
    def assert_coloured(
        self, expected: bool, stream: io.StringIO, **variables: str
    ) -> None:
        with environment(**variables):
            self.assertIs(is_coloured(stream), expected)

    def test_a_terminal_is(self) -> None:
        self.assert_coloured(True, Terminal(), TERM='xterm')

    def test_a_pipe_is_not(self) -> None:
        self.assert_coloured(False, io.StringIO(), TERM='xterm')

    def test_a_dumb_terminal_is_not(self) -> None:
        self.assert_coloured(False, Terminal(), TERM='dumb')

    def test_never_with_no_color(self) -> None:
        self.assert_coloured(False, Terminal(), NO_COLOR='1')
        self.assert_coloured(False, Terminal(), NO_COLOR='1', FORCE_COLOR='1')

    def test_always_with_force_color(self) -> None:
        self.assert_coloured(True, io.StringIO(), FORCE_COLOR='1', TERM='dumb')

    def test_an_empty_variable_is_none(self) -> None:
        self.assert_coloured(True, Terminal(), NO_COLOR='')
        self.assert_coloured(False, io.StringIO(), FORCE_COLOR='')


class ColorsLoggerTest(unittest.TestCase):
    def said(self, stream: io.StringIO, method: str, message: object = 'x') -> str:
        with environment(TERM='xterm'), contextlib.redirect_stderr(stream):
            getattr(ColorsLogger(), method)(message)
        return stream.getvalue()

    def test_writes_a_line_to_what_stderr_is_now(self) -> None:
        for method in ('white', 'white_bold', 'red', 'green'):
            with self.subTest(method):
                self.assertEqual(self.said(io.StringIO(), method), 'x\n')

    def test_colours_on_a_terminal(self) -> None:
        colours = {
            'white': 'x\n',
            'white_bold': '\033[1mx\033[0m\n',
            'red': '\033[91mx\033[0m\n',
            'green': '\033[92mx\033[0m\n',
        }
        for method, expected in colours.items():
            with self.subTest(method):
                self.assertEqual(self.said(Terminal(), method), expected)

    def test_takes_anything_that_has_a_text(self) -> None:
        self.assertEqual(self.said(io.StringIO(), 'red', ValueError('odd')), 'odd\n')

    def test_a_table_in_a_terminal_of_ascii_has_a_line_of_it(self) -> None:
        written = io.BytesIO()
        stream = io.TextIOWrapper(written, encoding='ascii')
        with contextlib.redirect_stderr(stream):
            ColorsLogger().white(table(['Name'], [['Zürich']]))
        self.assertEqual(written.getvalue(), b'Name\n------\nZ\\xfcrich\n')

    def test_is_silent_where_the_stream_was_closed(self) -> None:
        with contextlib.redirect_stderr(None):
            ColorsLogger().red('x')

    def test_goes_on_when_nobody_listens_any_more(self) -> None:
        class Gone(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        self.assertEqual(self.said(Gone(), 'white'), '')


class TableTest(unittest.TestCase):
    def setUp(self) -> None:
        patched = mock.patch.dict(os.environ, COLUMNS='40')
        patched.start()
        self.addCleanup(patched.stop)

    def test_sets_rows_under_titles(self) -> None:
        lines = table(('Name', 'Took'), [('001_a.py', '1.0 s'), ('2_b.py', '')])
        self.assertEqual(
            [line.split() for line in lines.splitlines()],
            [
                ['Name', 'Took'],
                ['─' * len(lines.splitlines()[1])],
                ['001_a.py', '1.0', 's'],
                ['2_b.py'],
            ],
        )

    def test_wraps_what_is_too_long_and_cuts_nothing(self) -> None:
        long = 'x' * 100
        shown = table(('Name',), [(long,)])
        self.assertLessEqual(max(map(len, shown.splitlines())), 80)
        self.assertEqual(shown.count('x'), 100)

    def history(self, name: str, by: str, columns: int) -> list[str]:
        """Give the lines of a table as `history` shows it, with so many columns."""
        titles = ('Started (UTC)', 'Migration', 'Outcome', 'Took', 'By')
        error = f'{name}\nValueError: too much of a good thing is not good at all'
        rows = [
            ('2014-01-14 12:00:00', name, 'executed', '12 ms', by),
            ('2014-01-14 12:00:01', error, 'failed, unfinished', '3 min 5 s', by),
        ]
        with mock.patch.dict(os.environ, COLUMNS=str(columns)):
            lines = table(titles, rows).splitlines()
        self.assertLessEqual(len(lines[1]), columns)
        return lines

    def test_at_80_columns_a_name_is_in_one_piece(self) -> None:
        name = '004_drop_short_notes.py'
        lines = self.history(name, 'deploy@web-1.example.com', 80)
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertEqual([name in line for line in lines].count(True), 2)
        shown = ' '.join(line[21:44].strip() for line in lines)
        self.assertIn('ValueError: too much of a good thing is', shown)

    def test_what_can_be_wrapped_between_words_is_so_before_a_word_is_broken(
        self,
    ) -> None:
        lines = self.history('004_drop_short_notes.py', 'deploy@web1', 80)
        self.assertEqual(['deploy@web1' in line for line in lines].count(True), 2)
        self.assertEqual(['unfinished' in line for line in lines].count(True), 1)

    def test_with_room_for_all_only_what_explains_is_wrapped(self) -> None:
        lines = self.history('1_a.py', 'deploy@web-1.example.com', 120)
        first, second = lines[2:4]
        self.assertRegex(first, '1_a.py +executed +12 ms +deploy@web-1.example.com$')
        self.assertRegex(second, '1_a.py +failed, unfinished +3 min 5 s +deploy@web-1')
        self.assertIn('ValueError: too much of a', lines[4])

    def test_with_little_room_names_stay_in_one_piece(self) -> None:
        name = '20260101120000_move_addresses_into_a_collection_of_their_own.py'
        for columns in (40, 60, 80):
            with self.subTest(columns):
                lines = self.history(name, 'ann@web', columns)
                for whole in (name, 'executed', 'unfinished'):
                    self.assertTrue(any(whole in line for line in lines[2:]), whole)
                self.assertEqual(''.join(lines).count('@'), 2, lines)

    def test_in_a_pipe_rows_are_in_one_piece(self) -> None:
        """Where `grep` looks for whole rows."""
        row = ('2014-01-14 12:00:00', 'x' * 60, 'failed, unfinished', 'ann@web1')
        titles = ('Started (UTC)', 'Migration', 'Outcome', 'By')
        for environment in ({}, {'COLUMNS': ''}):
            with (
                mock.patch.dict(os.environ, environment),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                if not environment:
                    del os.environ['COLUMNS']
                lines = table(titles, [row, row]).splitlines()
                error = 'OperationFailure: ' + 'several words ' * 9
                failed = table(titles, [(row[0], f'001_a.py\n{error}', *row[2:])])
            self.assertEqual(lines[2:], ['  '.join(row)] * 2)
            self.assertIn(error.rstrip(), failed)

    def test_there_an_error_moves_no_column_away(self) -> None:
        """It runs on under those beside it, in whose lines nothing stands."""
        name, error = '001_a.py', 'OperationFailure: ' + 'ein Wört ' * 20 + 'end'
        titles = ('Started', 'Migration', 'Outcome', 'By')
        rows = [
            ('2014', f'{name}\n{error}', 'failed', 'ann'),
            ('2015', name, 'ok', 'b'),
        ]
        with contextlib.redirect_stdout(io.StringIO()):
            del os.environ['COLUMNS']
            lines = table(titles, rows).splitlines()
            both = table(('A', 'B', 'C'), [('1\nlonger', '2\nlong', '3')])
        self.assertEqual(
            [lines[0], *lines[2:]],
            [
                'Started  Migration  Outcome  By',
                '2014     001_a.py   failed   ann',
                f'         {error}',
                '2015     001_a.py   ok       b',
            ],
        )
        self.assertEqual(both.splitlines()[2:], ['1       2  3', 'longer  long'], both)

    def test_takes_brackets_as_they_are(self) -> None:
        self.assertIn('[red]a[/red]', table(('Name',), [('[red]a[/red]',)]))


class TextsOfTest(unittest.TestCase):
    def test_a_long_table_is_a_few_texts_with_all_of_its_rows(self) -> None:
        rows = [str(number) for number in range(2 * ROWS_AT_ONCE + 1)]
        texts = list(texts_of(iter(rows)))
        self.assertEqual(len(texts), 3)
        self.assertEqual('\n'.join(texts).split('\n'), rows)


class DurationTest(unittest.TestCase):
    def test_is_as_a_person_says_it(self) -> None:
        said = {
            0: '0 ms',
            999: '999 ms',
            1000: '1.0 s',
            59_940: '59.9 s',
            60_000: '1 min 0 s',
            3_599_000: '59 min 59 s',
            3_600_000: '1 h 0 min',
            100_000_000: '27 h 46 min',
        }
        for milliseconds, text in said.items():
            self.assertEqual(duration(milliseconds), text)


class WrappedTest(unittest.TestCase):
    TEXT = 'fab migrations:check - Show all that is not as it should be'

    def wrapped(self, stderr: io.StringIO) -> str:
        with (
            mock.patch.dict(os.environ, COLUMNS='30'),
            contextlib.redirect_stderr(stderr),
        ):
            return wrapped(self.TEXT, indent=4)

    def test_breaks_between_words_on_a_terminal(self) -> None:
        self.assertEqual(
            self.wrapped(Terminal()),
            'fab migrations:check - Show\n    all that is not as it\n    should be',
        )

    def test_leaves_a_line_of_a_file_in_one_piece(self) -> None:
        self.assertEqual(self.wrapped(io.StringIO()), self.TEXT)
