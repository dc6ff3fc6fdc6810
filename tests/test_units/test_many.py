"""Which of many databases a command is for, and several of them at a time."""

from __future__ import annotations

import contextvars
import os
import signal
import threading
import unittest
from collections.abc import Sequence
from typing import Any
from unittest import mock

from migopy.commands import Command, FabSpelling
from migopy.errors import some_of
from migopy.face import WrongOptions
from migopy.many.databases import (
    Database,
    NoneLeft,
    NoSuchDatabase,
    SpellingForOne,
    Wanted,
    fitting,
    found_by,
    shown,
    titled,
)
from migopy.many.gathered import Gathered
from migopy.many.outcomes import Outcome, Turn
from migopy.many.patterns import is_pattern
from migopy.many.result import Counts
from migopy.many.selecting import Selection
from migopy.many.status import Standing, next_steps, remarks_of, rows_of
from migopy.many.workers import Workers
from migopy.secrets import redacted
from migopy.state import Holder, Locked

#: Seconds after which a test that waits for another thread has failed.
PATIENCE = 30


def databases(*names: str) -> list[Database]:
    return [Database(name, name) for name in names]


def titles(chosen: Sequence[Database]) -> list[str]:
    return [each.title for each in chosen]


class WantedTest(unittest.TestCase):
    """What `only=`, `except=` and `sample=` select."""

    all = databases('tenant_a', 'tenant_b', 'demo')

    def chosen(self, **wanted: Any) -> list[str]:
        selected = Wanted(**wanted)
        return titles(selected.drawn(selected.of(self.all)))

    def test_names_and_patterns(self) -> None:
        for only, expected in (
            (None, ['tenant_a', 'tenant_b', 'demo']),
            ('tenant_*', ['tenant_a', 'tenant_b']),
            ('tenant_b', ['tenant_b']),
            ('demo tenant_a', ['tenant_a', 'demo']),
            ('tenant_[!a]', ['tenant_b']),
            ('failed', ['tenant_a', 'tenant_b', 'demo']),
        ):
            with self.subTest(only):
                self.assertEqual(self.chosen(only=only), expected)
        self.assertEqual(self.chosen(but='tenant_*'), ['demo'])
        self.assertEqual(self.chosen(only='tenant_*', but='tenant_a'), ['tenant_b'])

    def test_what_fits_nothing_is_an_error(self) -> None:
        for wanted in ({'only': 'x*'}, {'but': 'x'}, {'only': 'demo x'}, {'only': ''}):
            with self.subTest(wanted), self.assertRaises(NoSuchDatabase) as raised:
                self.chosen(**wanted)
            self.assertIn('so nothing was done', str(raised.exception))

    def test_to_leave_out_all_is_an_error(self) -> None:
        for wanted in ({'but': '*'}, {'only': 'demo', 'but': 'd*'}):
            with self.subTest(wanted), self.assertRaises(NoneLeft) as raised:
                self.chosen(**wanted)
            self.assertIn('so nothing was done', str(raised.exception))

    def test_of_very_many_those_spelled_alike_are_named(self) -> None:
        many = databases(*(f'tenant_{number:03}' for number in range(300)))
        with self.assertRaises(NoSuchDatabase) as raised:
            Wanted('tenent_123').of(many)
        self.assertIn('tenant_123', str(raised.exception))

    def test_case_counts(self) -> None:
        with self.assertRaises(NoSuchDatabase):
            self.chosen(only='Demo')

    def test_a_sample_is_as_large_as_asked_for_and_in_order(self) -> None:
        self.assertEqual(len(self.chosen(sample=2)), 2)
        self.assertEqual(self.chosen(sample=9), titles(self.all))
        many = databases(*(f'{number:03}' for number in range(300)))
        drawn = titles(Wanted(sample=20).drawn(many))
        self.assertEqual(len(set(drawn)), 20)
        self.assertEqual(drawn, sorted(drawn))

    def test_one_is_named_where_no_other_could_be_meant(self) -> None:
        for only, is_one in (
            ('tenant_a', True),
            ('tenant_*', False),
            ('a b', False),
            ('failed', False),
            (None, False),
            ('a[*]b', True),
        ):
            with self.subTest(only):
                self.assertIs(Wanted(only).is_one, is_one)

    def test_a_name_with_the_signs_of_a_pattern_can_be_typed(self) -> None:
        odd = Database('a*b', 'a*b')
        self.assertEqual(odd.only, 'a[*]b')
        self.assertEqual(titles(fitting('only', odd.only, [odd, *self.all])), ['a*b'])

    def test_one_called_failed_is_not_taken_for_those_that_failed(self) -> None:
        named_so = Database('failed', 'failed')
        wanted = Wanted(named_so.only)
        self.assertFalse(wanted.asks_for_failed)
        self.assertEqual(wanted.of([*self.all, named_so]), [named_so])


class OneWordTest(unittest.TestCase):
    """What migopy prints behind `only=` fits one database, whatever it is called."""

    names = (
        *('b', 'c', 'failed', 'b*', 'b?', 'b[c]', 'b[!c]', '[', ']', '[]', '[!]', '!'),
        *('b\xa0c', 'b\u2003c', 'b\u3000c', 'b\u2028c', 'b\tc', 'b\nc', 'b\r', '\nb'),
        *('\xa0b', 'b\x1b[1m', 'b\u202ec', 'b\u200dc', 'b\x7f', 'b\x85', 'b\U000e0041'),
        *("b'c", "'", 'b,c', 'b=c', 'b;c', '-b', '--', '~', '#', 'yes', 'no', 'NAME'),
        *(
            'b[U+0063]',
            '[U+0062]',
            'U+00A0',
            'b[U+00A0]c',
            'caf\xe9',
            'cafe\u0301',
            'ÄÖ',
        ),
    )
    all = databases(*names)

    def test_it_fits_no_other_one(self) -> None:
        for each in self.all:
            with self.subTest(each.name):
                for option in ('only', 'except', 'canary'):
                    self.assertEqual(fitting(option, each.only, self.all), [each])
                self.assertEqual(found_by(each.only, self.names), [each.name])
                self.assertTrue(Wanted(each.only).is_one)
                self.assertEqual(Wanted(each.only).of(self.all), [each])

    def test_it_can_be_typed_beside_others_and_again(self) -> None:
        words = ' '.join(each.only for each in self.all)
        self.assertTrue(words.isprintable())
        self.assertEqual(fitting('only', words, self.all), self.all)
        selection = Selection.of('execute', {'only': words, 'except_': words})
        self.assertEqual(selection.typed, {'only': words, 'except': words})

    def test_a_name_typed_as_it_is_fits_no_other_one_either(self) -> None:
        for each in self.all:
            if not is_pattern(each.name) and each.name != 'failed':
                with self.subTest(each.name):
                    self.assertEqual(fitting('only', each.name, self.all), [each])
                    typed = Selection.of('execute', {'only': each.name}).typed['only']
                    self.assertTrue(typed.isprintable())
                    self.assertEqual(fitting('only', typed, self.all), [each])

    def test_a_class_of_several_stays_what_it_is(self) -> None:
        selection = Selection.of('execute', {'only': 'b[\xa0\t]c'})
        self.assertEqual(titles(selection.wanted.of(self.all)), ['b\xa0c', 'b\tc'])

    def test_a_title_is_not_taken_for_another_one_s_name(self) -> None:
        listed = [
            ('app', 'h1:1', {'MONGO_HOST': 'h1'}, False),
            ('app', 'h2:1', {'MONGO_HOST': 'h2'}, False),
            ('app@h1:1', 'h2:1', {'MONGO_HOST': 'h2'}, False),
        ]
        found = titled(listed)
        self.assertEqual(titles(found), ['app@h1:1', 'app@h2:1', 'app@h1:1@h2:1'])
        for each in found:
            self.assertEqual(fitting('only', each.only, found), [each])
        self.assertEqual(fitting('only', 'app', found), found[:2])

    def test_what_else_stands_between_names_is_told(self) -> None:
        for words in ('b,c', 'b\nc\n', 'b, c', 'b;c', 'b,*'):
            with self.subTest(words), self.assertRaises(NoSuchDatabase) as raised:
                fitting('only', words, databases('b', 'c', 'd'))
            said = f"spaces between several, in quotes: 'b {words.split()[-1][-1]}'"
            self.assertIn(said, str(raised.exception))
        with self.assertRaises(NoSuchDatabase) as raised:
            fitting('only', 'b,x', databases('b', 'c\xa0'))
        self.assertIn("There are: b, 'c[U+00A0]'", str(raised.exception))


class DatabasesTest(unittest.TestCase):
    """What the databases are called."""

    def test_no_pattern_takes_mongodb_s_own(self) -> None:
        names = ['tenant', 'local', 'admin', 'config', 'a']
        self.assertEqual(found_by('*', names), ['a', 'tenant'])

    def test_patterns(self) -> None:
        for name, expected in (
            ('a_*', True),
            ('a?', True),
            ('[ab]', True),
            ('a', False),
        ):
            self.assertIs(is_pattern(name), expected)

    def test_equal_names_on_two_servers_are_told_apart(self) -> None:
        listed = [
            ('app', 'h1:27017', {'MONGO_HOST': 'h1'}, False),
            ('app', 'mongodb://h2:27017', {'MONGO_HOST': 'h2'}, False),
            ('own', 'h1:27017', {}, True),
            ('own', 'mongodb://h1', {}, True),
        ]
        self.assertEqual(
            titles(titled(listed)), ['app@h1:27017', 'app@h2:27017', 'own']
        )

    def test_odd_names_are_quoted(self) -> None:
        self.assertEqual(shown('tenant_a-1'), 'tenant_a-1')
        self.assertEqual(shown('app@h1:27017'), 'app@h1:27017')
        self.assertEqual(shown('a\nb'), r"'a\nb'")
        self.assertEqual(shown('a b'), "'a b'")

    def test_many_secrets_are_all_kept_out(self) -> None:
        secrets = [f'pass-{number}' for number in range(1000)]
        self.assertEqual(redacted('x pass-7 y pass-999', secrets), 'x *** y ***')


class SelectionTest(unittest.TestCase):
    """What is typed."""

    def test_the_command_s_own_options_are_left(self) -> None:
        typed = {'only': 'a', 'except_': 'b', 'workers': '8', 'dry_run': 'yes'}
        selection = Selection.of('execute', typed)
        self.assertEqual(selection.options, {'dry_run': 'yes'})
        self.assertEqual(selection.wanted, Wanted('a', 'b'))
        self.assertEqual(selection.workers, 8)
        self.assertEqual(selection.kept, {'workers': '8', 'dry_run': 'yes'})

    def test_what_cannot_be_is_refused(self) -> None:
        for typed in (
            {'workers': '0'},
            {'workers': 'x'},
            {'sample': '-1'},
            {'fail_fast': 'x'},
            {'all': '1'},
        ):
            with self.subTest(typed), self.assertRaises(WrongOptions):
                Selection.of('execute', typed)

    def test_next_steps_are_for_the_one_database(self) -> None:
        spelling = SpellingForOne(FabSpelling(), 'tenant_a')
        for command, expected in (
            (Command(), 'fab migrations:show_status,only=tenant_a'),
            (Command('execute', '3'), 'fab migrations:execute,3,only=tenant_a'),
            (Command('execute', only='b'), 'fab migrations:execute,only=b'),
            (Command('create', 'x'), 'fab migrations:create,x'),
        ):
            self.assertEqual(spelling.command(command), expected)


class FleetTest(unittest.TestCase):
    """Several at a time, without a database."""

    def setUp(self) -> None:
        self.done: list[str] = []
        self.awaited: list[str] = []

    def outcome(
        self, database: Database, error: BaseException | None = None, **more: Any
    ) -> Outcome:
        return Outcome(
            database, Gathered(None, database.name, FabSpelling()), error, **more
        )

    def work(self, database: Database, earlier: Turn) -> Outcome:
        self.done.append(database.name)
        locked = earlier.error if earlier else None
        self.awaited.append(locked.holder.owner if isinstance(locked, Locked) else '')
        return self.outcome(database, **self.errors(database.name, earlier is not None))

    def errors(self, name: str, waits: bool) -> dict[str, Any]:
        if name.startswith('bad'):
            return {'error': ValueError(name)}
        if name.startswith('all'):
            return {'error': ValueError(name), 'is_of_all': True}
        if name.startswith('locked') and not waits:
            holder = Holder.of({'owner': 'x'})
            return {'error': Locked(holder, 0)}
        return {}

    def told(self, workers: Workers) -> list[str]:
        return [each.database.name for each in workers.outcomes() if each is not None]

    def test_each_is_done_once_whatever_the_number_of_workers(self) -> None:
        names = [f'{number:03}' for number in range(200)]
        for count in (1, 4, 300):
            self.done.clear()
            workers = Workers(databases(*names), self.work, count, False)
            self.assertEqual(sorted(self.told(workers)), names)
            self.assertEqual(sorted(self.done), names)

    def test_none_at_all(self) -> None:
        for count in (1, 4):
            self.assertEqual(self.told(Workers([], self.work, count, False)), [])

    def test_workers_are_side_by_side(self) -> None:
        meeting = threading.Barrier(3)

        def work(database: Database, earlier: Turn) -> Outcome:
            meeting.wait(PATIENCE)
            return self.outcome(database)

        workers = Workers(databases('a', 'b', 'c'), work, 3, False)
        self.assertEqual(sorted(self.told(workers)), ['a', 'b', 'c'])

    def test_one_worker_is_this_thread(self) -> None:
        threads: list[threading.Thread] = []

        def work(database: Database, earlier: Turn) -> Outcome:
            threads.append(threading.current_thread())
            return self.outcome(database)

        self.told(Workers(databases('a', 'b'), work, 1, False))
        self.assertEqual(threads, [threading.current_thread()] * 2)

    def test_the_context_is_that_of_the_command(self) -> None:
        typed: contextvars.ContextVar[str] = contextvars.ContextVar('typed')
        typed.set('this one')
        seen: list[str] = []

        def work(database: Database, earlier: Turn) -> Outcome:
            seen.append(typed.get('none'))
            return self.outcome(database)

        self.told(Workers(databases('a', 'b'), work, 2, False))
        self.assertEqual(seen, ['this one'] * 2)

    def test_a_failure_is_no_other_database_s(self) -> None:
        for count in (1, 2):
            workers = Workers(databases('bad', 'a', 'b'), self.work, count, False)
            self.assertEqual(sorted(self.told(workers)), ['a', 'b', 'bad'])

    def test_with_fail_fast_no_other_one_is_begun(self) -> None:
        workers = Workers(databases('a', 'bad', 'b', 'c'), self.work, 1, True)
        self.assertEqual(self.told(workers), ['a', 'bad'])
        self.assertEqual(self.done, ['a', 'bad'])

    def test_nor_after_an_error_of_all(self) -> None:
        workers = Workers(databases('all', 'b', 'c'), self.work, 1, False)
        self.assertEqual(self.told(workers), ['all'])
        self.assertEqual(self.done, ['all'])

    def test_work_that_breaks_is_never_taken_for_done(self) -> None:
        """A fault of migopy's own, in a thread."""

        def work(database: Database, earlier: Turn) -> Outcome:
            raise MemoryError

        for count in (1, 2):
            workers = Workers(databases('a', 'b', 'c'), work, count, False)
            with self.subTest(count), self.assertRaises(MemoryError):
                self.told(workers)

    def test_fewer_threads_than_asked_for_do_it_all(self) -> None:
        begun: list[threading.Thread] = []
        start = threading.Thread.start

        def refuse(thread: threading.Thread) -> None:
            if begun:
                raise RuntimeError("can't start new thread")
            begun.append(thread)
            start(thread)

        workers = Workers(databases('a', 'b', 'c'), self.work, 3, False)
        with mock.patch.object(threading.Thread, 'start', refuse):
            self.assertEqual(sorted(self.told(workers)), ['a', 'b', 'c'])

    def test_locked_ones_come_last(self) -> None:
        for count in (1, 2):
            self.done.clear()
            workers = Workers(databases('locked', 'a', 'b'), self.work, count, False)
            self.assertEqual(self.told(workers)[-1], 'locked')
            self.assertEqual(self.done.count('locked'), 2)
            self.assertEqual(self.done[-1], 'locked')
            self.assertEqual(self.awaited[-2:], ['', 'x'])

    def test_an_interruption_waits_for_those_under_way(self) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def work(database: Database, earlier: Turn) -> Outcome:
            begun.set()
            self.assertTrue(go_on.wait(PATIENCE))
            return self.outcome(database)

        workers = Workers(databases(*'abcdef'), work, 2, False)
        outcomes = workers.outcomes()
        self.assertIsNone(next(outcomes))  # two are under way
        self.assertTrue(begun.wait(PATIENCE))
        # Not while it is waited for an outcome: what is interrupted tells of one.
        os.kill(os.getpid(), signal.SIGINT)
        self.assertIsNone(next(outcomes))
        go_on.set()
        ended = 0
        with self.assertRaises(KeyboardInterrupt):
            for outcome in outcomes:
                ended += outcome is not None
        self.assertEqual(ended, 2)
        self.assertFalse(
            [each for each in threading.enumerate() if each.name == 'migopy-database']
        )


class StandingTest(unittest.TestCase):
    """The table of all databases."""

    def test_equal_ones_are_a_row_the_most_first(self) -> None:
        behind = Standing('001_a.py', 1, '002_b.py', (), False)
        there = Standing('002_b.py', 0, '', ('Changed: 001_a.py',), True)
        standings = [('x', behind), ('y', there), ('z', there)]
        rows = rows_of(standings)
        self.assertEqual([row.titles for row in rows], [['y', 'z'], ['x']])
        self.assertEqual(remarks_of(standings), [('Changed: 001_a.py', ['y', 'z'])])

    def test_a_rename_is_for_all_or_for_those_that_need_it(self) -> None:
        renamed = Standing('', 1, '', (), True, renames=[('1_a.py', '1_b.py')])
        others = ('z', Standing('', 1, '', (), True))
        rename = Command('rename', '1_a.py', '1_b.py')
        many = [(f't{number}', renamed) for number in range(21)]
        for standings, options, expected in (
            (many, {}, {}),
            (many, {'except': 'x'}, {'except': 'x'}),
            ([*many[:2], others], {}, {'only': 't0 t1'}),
            (many[:2], {'sample': '2'}, {'only': 't0 t1'}),
            (many[:2], {'only': 'failed'}, {'only': 't0 t1'}),
            ([*many, others], {}, {}),
        ):
            with self.subTest(len(standings), **options):
                selection = Selection.of('show_status', options)
                said = next_steps(standings, selection)
                self.assertEqual(said[1], rename.having(**expected))

    def test_what_is_unfinished_comes_first_and_is_not_called_a_range(self) -> None:
        changed = Standing('002_b.py', 0, '', ('Changed: 001_a.py',), True)
        odd = Standing('001_a.py', 1, '', ('Unfinished: 002_b.py',), True)
        failed = odd._replace(remarks=(), failed='002_b.py')
        many = [(f't{number:02}', odd) for number in range(3, 31)]
        remarks = remarks_of([('t01', changed), ('t02', failed), *many])
        self.assertEqual(
            [(remark, len(where)) for remark, where in remarks],
            [
                ('Unfinished: 002_b.py', 28),
                ('Changed: 001_a.py', 1),
                ('Failed in the last run: 002_b.py', 1),
            ],
        )
        where = some_of(remarks[0][1])
        self.assertEqual(where, 't03, t04, t05 and 25 more')

    def test_what_came_of_them_is_told_in_the_order_of_the_databases(self) -> None:
        counts = Counts(4)
        for name in ('d', 'a', 'c'):
            [each] = databases(name)
            gathered = Gathered(None, name, FabSpelling())
            counts.take(Outcome(each, gathered, ValueError(name)))
        failed = counts.tally(['a', 'c', 'b', 'd']).failed
        self.assertEqual([each.title for each in failed], ['a', 'c', 'd'])


if __name__ == '__main__':
    unittest.main()
