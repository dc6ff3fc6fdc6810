"""Where long work is: bars on a terminal, lines in a log."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
import unittest
from collections.abc import Iterator
from contextvars import copy_context
from decimal import Decimal
from fractions import Fraction
from unittest import mock

from migopy.terminal import bars
from migopy.terminal.bars import BAR_WIDTH, DISPLAY
from migopy.terminal.figures import line
from migopy.terminal.progress import LOGGER, meter, progress, told_by, wait_for
from migopy.terminal.totals import total_of
from tests.faults import eventually
from tests.project import RecordingLogger
from tests.terminal import Terminal

#: The module; `migopy.progress` is the function of that name.
progress_of = sys.modules['migopy.terminal.progress']


class ProgressTest(unittest.TestCase):
    """Whatever it shows, the loop is as without it."""

    def setUp(self) -> None:
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.stack.enter_context(contextlib.redirect_stderr(io.StringIO()))

    def test_gives_the_items_in_their_order(self) -> None:
        items = [object() for _ in range(5)]
        self.assertEqual(list(progress(items)), items)
        self.assertEqual(list(progress(iter(items))), items)
        self.assertEqual(list(progress({'a': 1})), ['a'])
        self.assertEqual(list(progress([])), [])

    def test_a_total_may_be_of_any_kind_of_number(self) -> None:
        for total in (5.0, Decimal(5), Fraction(5), float('inf'), float('nan'), 2**70):
            with self.subTest(total), mock.patch.object(progress_of, 'LINE_EVERY', 0):
                self.assertEqual(list(progress(range(5), total)), list(range(5)))

    def test_one_that_is_no_number_is_refused_before_the_first_item(self) -> None:
        for total in ('notes', True, [5]):
            with (
                self.subTest(total),
                self.assertRaisesRegex(TypeError, 'total must be'),
            ):
                next(progress(range(5), total))  # type: ignore[arg-type]

    def test_takes_each_item_only_when_it_is_wanted(self) -> None:
        taken = []

        def items() -> Iterator[int]:
            for number in range(5):
                taken.append(number)
                yield number

        shown = progress(items())
        self.assertEqual(taken, [])
        next(shown)
        self.assertEqual(taken, [0])

    def test_an_error_in_the_loop_and_one_of_the_iterable_come_through(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            for number in progress(range(5)):
                1 / number

        def broken() -> Iterator[int]:
            yield 1
            raise KeyError('odd')

        with self.assertRaises(KeyError):
            list(progress(broken()))


class OnTerminalTest(ProgressTest):
    """The same with bars."""

    def setUp(self) -> None:
        super().setUp()
        self.stack.enter_context(
            mock.patch.dict(os.environ, TERM='xterm', COLUMNS='80', NO_COLOR='1')
        )
        self.screen = self.stack.enter_context(contextlib.redirect_stderr(Terminal()))

    def assert_shown(self, *patterns: str) -> None:
        """Fail unless these lines, and no others, stay to be read."""
        lines = self.screen.last_lines
        self.assertEqual(len(lines), len(patterns), lines)
        for shown, pattern in zip(lines, patterns):
            self.assertRegex(shown, f'^{pattern}$')

    def test_a_bar_stays_with_count_total_and_rate(self) -> None:
        list(progress(range(1200), title='notes'))
        self.assert_shown(r'notes: 1,200 of 1,200 \(100%\), [0-9,.]+/s')

    def test_without_a_total_it_counts(self) -> None:
        list(progress(iter(range(7)), title='notes'))
        self.assert_shown('notes: 7, [0-9,.]+/s')

    def test_a_total_may_be_given(self) -> None:
        list(progress(iter(range(7)), total=14))
        self.assert_shown(r'7 of 14 \(50%\), .*')

    def test_of_nothing(self) -> None:
        list(progress([], title='notes'))
        self.assert_shown('notes: 0')

    def test_a_loop_that_is_broken_off_says_where(self) -> None:
        for number in progress(range(100), title='notes'):
            if number == 30:
                break
        self.assert_shown(r'notes: 30 of 100 \(30%\), .*')
        self.assertIs(sys.stderr, self.screen)

    def test_so_does_one_that_fails(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            for number in progress(range(100), title='notes'):
                1 / (number - 30)
        self.assert_shown(r'notes: 30 of 100 \(30%\), .*')
        self.assertIs(sys.stderr, self.screen)

    def test_what_an_earlier_run_has_done_makes_no_rate(self) -> None:
        with meter() as show:
            show('notes', 4000, 5000)
        self.assert_shown(r'notes: 4,000 of 5,000 \(80%\)')

    def test_of_a_loop_in_a_loop_the_outer_one_stays(self) -> None:
        for _ in progress(range(3), title='outer'):
            for _ in progress(range(2), title='inner'):
                time.sleep(0.1)
        self.assertIn('inner', self.screen.getvalue())
        self.assert_shown(r'outer: 3 of 3 \(100%\), .*')

    def test_loops_one_after_the_other_all_stay(self) -> None:
        list(progress(range(5), title='first'))
        list(progress(range(5), title='second'))
        self.assert_shown('first: 5 of 5 .*', 'second: 5 of 5 .*')

    def test_each_title_of_a_meter_stays(self) -> None:
        with meter() as show:
            for title in ('first', 'second'):
                for count in range(6):
                    show(title, count, 5)
        self.assert_shown('first: 5 of 5 .*', 'second: 5 of 5 .*')

    def test_a_meter_that_is_told_nothing_shows_nothing(self) -> None:
        with meter():
            print('kept  as it is', file=sys.stderr)
        self.assertEqual(self.screen.getvalue(), 'kept  as it is\n')

    def test_loops_in_threads(self) -> None:
        def work(title: str) -> None:
            for _ in progress(range(5), title=title):
                time.sleep(0.01)

        threads = [threading.Thread(target=work, args=[each]) for each in 'abc']
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assert_shown('[abc]: 5 of 5 .*')
        self.assertIs(sys.stderr, self.screen)

    def test_what_others_write_comes_above(self) -> None:
        for _ in progress(range(2), title='notes'):
            print('said', file=sys.stderr)
        self.assert_shown('said', 'said', 'notes: 2 of 2 .*')

    def test_what_goes_to_a_file_stays_out_of_the_terminal(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as file:
            for _ in progress(range(2)):
                print('said')
        self.assertEqual(file.getvalue(), 'said\nsaid\n')
        self.assertNotIn('said', self.screen.getvalue())

    def test_a_long_title_is_cut_and_not_the_numbers(self) -> None:
        list(progress(range(12_000), title='x' * 200))
        [shown] = self.screen.last_lines
        self.assertRegex(shown, r'^x+…: 12,000 of 12,000 \(100%\), [0-9,]+/s$')
        bar = BAR_WIDTH + 1
        self.assertLessEqual(len(shown) + bar, 80)

    def test_why_it_waits_stands_behind_the_numbers_until_it_goes_on(self) -> None:
        why = 'paused: db2 is 7.4 s behind'
        for columns, shown in (
            (55, f'notes: 3 of 9, {why}'),
            (54, 'notes: 3 of 9, paused'),
            (34, 'notes: 3 of 9, paused'),
            (33, 'notes: 3 of 9'),
        ):
            with (
                self.subTest(columns),
                mock.patch.object(bars, 'numbers', return_value='3 of 9'),
                mock.patch.dict(os.environ, COLUMNS=str(columns)),
            ):
                with meter() as show:
                    show('notes', 3, 9)
                    wait_for(why)
                    eventually(lambda shown=shown: self.last == shown, shown)
                    wait_for('')
                self.assertEqual(self.last, 'notes: 3 of 9')

    @property
    def last(self) -> str:
        """Give the line at the bottom, without its bar."""
        return self.screen.last_lines[-1] if self.screen.last_lines else ''

    def test_a_title_is_text_whatever_is_in_it(self) -> None:
        list(progress(range(2), title='[red]notes[/red] {0}'))
        self.assert_shown(r'\[red\]notes\[/red\] \{0\}: 2 of 2 .*')

    def test_colours_are_left_out_where_they_are_not_wanted(self) -> None:
        list(progress(range(2)))
        self.assertNotRegex(self.screen.getvalue(), '\033\\[[0-9;]*3[0-9]m')
        with mock.patch.dict(os.environ):
            del os.environ['NO_COLOR']
            list(progress(range(2)))
        self.assertRegex(self.screen.getvalue(), '\033\\[[0-9;]*m')

    def test_the_cursor_is_there_at_the_end(self) -> None:
        list(progress(range(2)))
        shown = self.screen.getvalue()
        self.assertLess(shown.index('\033[?25l'), shown.rindex('\033[?25h'))

    def test_the_work_goes_on_when_the_terminal_is_gone(self) -> None:
        loop = progress(range(5))
        next(loop)
        with mock.patch.object(Terminal, 'write', side_effect=OSError(5, 'gone')):
            self.assertEqual(list(loop), [1, 2, 3, 4])
        self.assertIs(sys.stderr, self.screen)

    def test_a_bar_ends_with_its_migration_though_something_holds_the_loop(
        self,
    ) -> None:
        """As where a failure's traceback refers to it."""
        loop = progress(range(5), title='notes')
        next(loop)
        DISPLAY.clear()
        self.assertIs(sys.stderr, self.screen)
        loop.close()  # type: ignore[attr-defined]
        self.assert_shown(r'notes: 0 of 5 \(0%\)')


class LineTest(unittest.TestCase):
    """A line of a log."""

    def test_says_title_count_total_rate_and_time_left(self) -> None:
        self.assertEqual(
            line('notes', 12_000, 31_995, 0, 10),
            'notes: 12,000 of 31,995 (38%), 1,200/s, 16.7 s left',
        )
        self.assertEqual(
            line('', 5, 4000, 0, 10), '5 of 4,000 (0%), 0.5/s, 2 h 13 min left'
        )

    def test_the_rate_is_of_what_was_done_since_it_began(self) -> None:
        self.assertEqual(
            line('notes', 4500, 5000, 4000, 10),
            'notes: 4,500 of 5,000 (90%), 50/s, 10.0 s left',
        )

    def test_at_the_end_nothing_is_left(self) -> None:
        self.assertEqual(line('notes', 50, 50, 0, 5), 'notes: 50 of 50 (100%), 10/s')

    def test_a_total_that_is_exceeded_or_not_known_is_left_out(self) -> None:
        for total in (None, 10, 0):
            self.assertEqual(line('notes', 50, total, 0, 5), 'notes: 50, 10/s')

    def test_at_the_beginning_there_is_no_rate(self) -> None:
        self.assertEqual(line('notes', 0, 50, 0, 0), 'notes: 0 of 50 (0%)')
        self.assertEqual(line('notes', 0, 50, 0, 5), 'notes: 0 of 50 (0%)')


class InLogTest(ProgressTest):
    """Lines, by the logger of the manager that runs, where there is no terminal."""

    def setUp(self) -> None:
        super().setUp()
        self.logger = RecordingLogger()

    def said(self, every: float) -> list[str]:
        """List the lines of a loop over four items that takes 0.2 seconds."""

        def loop() -> None:
            LOGGER.set(self.logger)
            for _ in progress(range(4), title='notes'):
                time.sleep(0.05)

        with mock.patch.object(progress_of, 'LINE_EVERY', every):
            copy_context().run(loop)
        return self.logger.of('white')

    def test_a_short_loop_says_nothing(self) -> None:
        self.assertEqual(self.said(every=10), [])

    def test_a_long_one_says_now_and_then_where_it_is(self) -> None:
        self.assertEqual(progress_of.LINE_EVERY, 10)
        lines = self.said(every=0.09)
        self.assertIn(len(lines), (1, 2), lines)
        self.assertRegex(lines[0], r'notes: 2 of 4 \(50%\), [0-9]+/s, [0-9]+ ms left')

    def test_so_does_one_on_a_terminal_that_draws_no_bars(self) -> None:
        """Fabric's `run()` gives one to what it starts, and shows whole lines."""
        for term in ('dumb', 'unknown', 'vt100'):
            screen = Terminal()
            with (
                self.subTest(term),
                mock.patch.dict(os.environ, TERM=term),
                contextlib.redirect_stderr(screen),
            ):
                self.logger.said.clear()
                self.assertTrue(self.said(every=0.09))
                self.assertEqual(screen.getvalue(), '')

    def test_what_an_earlier_run_has_done_makes_no_rate(self) -> None:
        with (
            told_by(self.logger),
            mock.patch.object(progress_of, 'LINE_EVERY', 0),
            meter() as show,
        ):
            for title, first in (('notes', 4000), ('users', 3000)):
                show(title, first, 5000)
        self.assertEqual(
            self.logger.of('white'),
            ['notes: 4,000 of 5,000 (80%)', 'users: 3,000 of 5,000 (60%)'],
        )

    def test_without_a_manager_they_go_to_stderr(self) -> None:
        with mock.patch.object(progress_of, 'LINE_EVERY', 0):
            list(progress(range(2), title='notes'))
        said = sys.stderr.getvalue()  # type: ignore[attr-defined]
        self.assertRegex(said, r'^notes: 0 of 2 \(0%\)\nnotes: 1 of 2 ')


class TotalTest(unittest.TestCase):
    """How many items there will be, as far as that is known without a server."""

    def test_is_the_length_where_there_is_one(self) -> None:
        self.assertEqual(total_of([1, 2]), 2)
        self.assertEqual(total_of(range(5)), 5)
        self.assertEqual(total_of({}), 0)
        self.assertIsNone(total_of(iter([1, 2])))
