"""Daily use: the next migration, going to a point, seeing what happens."""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

import migopy
from migopy.tell import heartbeats
from migopy.terminal.progress import total_of
from tests.project import NOTHING, FabTest, PlainTest

#: The module; `migopy.progress` is the function of that name.
progress_of: Any = sys.modules['migopy.terminal.progress']

RAN = """
    def up(db):
        db.ran.insert_one({{'name': '{0}'}})

    def down(db):
        db.ran.delete_one({{'name': '{0}'}})
        db.undone.insert_one({{'name': '{0}'}})
"""


class FirstTest(FabTest):
    """A project without migrations."""

    def test_from_nothing_to_the_first_migration_by_what_is_said(self) -> None:
        (self.folder / 'mongomigrations').rmdir()
        self.assertIn('fab migrations:create,what_it_does', self.error('migrations'))
        self.assert_ok(self.fab('migrations:create,what_it_does'))
        said = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn('001_what_it_does.py\nTo execute them: fab migrations:exec', said)
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.registered(), ['001_what_it_does.py'])


class CreateTest(FabTest):
    """`fab migrations:create,TITLE`."""

    fabfile = FabTest.fabfile.replace(
        'MONGO_DATABASE', "MIGRATION_TEMPLATE = 'template.txt'; MONGO_DATABASE"
    )

    def test_writes_the_next_file_by_the_team_s_template_and_prints_its_path(
        self,
    ) -> None:
        self.write('template.txt', '# {title} ({name})\ndef up(db): pass\n')
        self.migration('009_a.py')
        title = self.fab('migrations:create,add user index, "Größe"')
        name = '010_add_user_index_grosse.py'
        self.assertEqual(self.assert_ok(title).results, f'mongomigrations/{name}\n')
        self.assertEqual(
            (self.folder / 'mongomigrations' / name).read_text(),
            f"# Add user index, 'Größe' ({name})\ndef up(db): pass\n",
        )
        # The same again is the one after it. The path is that from where one is.
        again = self.fab(
            'migrations:create,add_user_index', cwd=self.folder / 'mongomigrations'
        )
        self.assertEqual(self.assert_ok(again).results, '011_add_user_index.py\n')


class NotCreatedTest(PlainTest):
    """Titles and settings that make no migration."""

    def said(self, *title: str, **options: str) -> str:
        """Give the error in red, and make sure that no file was written."""
        settings = {'MIGRATION_TEMPLATE': options.pop('template', None)}
        self.logger.said.clear()
        self.manager_class(**settings).create_task()('create', *title, **options)
        self.assertEqual(list((self.folder / 'mongomigrations').glob('0*')), [])
        [message] = self.logger.of('red')
        return message

    def test_each_says_what_to_type(self) -> None:
        self.assertIn('fab migrations:create,add_user_index', self.said())
        self.assertIn('fab migrations:create,add_user_index', self.said('…'))
        self.assertIn('fab migrations:create,TITLE', self.said(a='b'))
        self.assertIn('name would be too long', self.said('long' * 100))

    def test_a_template_that_is_not_there(self) -> None:
        message = self.said('x', template='no such template')
        self.assertIn('MIGRATION_TEMPLATE cannot be read', message)
        self.assertIn('no such template', message)


class PointTest(PlainTest):
    """Four migrations, `1_a.py` to `4_d.py`."""

    names = ('1_a.py', '2_b.py', '3_c.py', '4_d.py')

    def setUp(self) -> None:
        super().setUp()
        for name in self.names:
            self.migration(name, RAN.format(name))
        self.migrations = self.manager()

    def ran(self, collection: str = 'ran') -> list[str]:
        """List what ran, in order, by the first letters of the names."""
        return [each['name'][0] for each in self.db[collection].find()]

    def assert_said_before(self, announced: str, done: str) -> None:
        """Fail unless one line stands before the other."""
        said = [text for _, text in self.logger.said]
        self.assertLess(said.index(announced), said.index(done), said)


class ExecuteToTest(PointTest):
    def test_runs_up_to_and_with_that_one(self) -> None:
        for name in ('2_b.py', '2_b', '02', '2', 'mongomigrations/2_b.py'):
            with self.subTest(name):
                self.db.ran.drop()
                self.db.migrations.drop()
                self.migrations.execute(to=name)
                self.assertEqual(self.ran(), ['1', '2'])
                self.assertEqual(self.registered(), ['1_a.py', '2_b.py'])
        self.migrations.execute(to='4')
        self.assertEqual(self.ran(), ['1', '2', '3', '4'])

    def test_says_before_what_it_is_going_to_run(self) -> None:
        self.migrations.execute(to='3')
        self.assert_said_before(
            'Going to execute 3 migrations: 1_a.py, 2_b.py, 3_c.py',
            'Executing 1_a.py (1 of 3)',
        )

    def test_takes_late_ones_along_and_tells_of_those_alone(self) -> None:
        self.migrations.execute('3')
        self.logger.said.clear()
        self.migrations.execute(to='1')
        self.assertEqual(self.ran(), ['3', '1'])
        late = [text for text in self.logger.of('white') if 'late' in text]
        self.assertEqual(late, ['1_a.py is late: 3_c.py is registered already'])

    def test_to_what_has_run_shows_the_status(self) -> None:
        self.migrations.execute(to='2')
        self.logger.said.clear()
        self.migrations.execute(to='1')
        self.assertEqual(self.logger.of('red'), ['3_c.py', '4_d.py'])
        self.assertEqual(self.logger.said[0][1], 'Nothing to execute up to 1_a.py')
        self.assertEqual(self.ran(), ['1', '2'])

    def test_so_does_ignore(self) -> None:
        """It said that all were registered."""
        self.migrations.execute(to='2')
        self.logger.said.clear()
        self.migrations.ignore(to='1')
        self.assertEqual(self.logger.said[0][1], 'Nothing to ignore up to 1_a.py')
        self.assertEqual(self.logger.of('red'), ['3_c.py', '4_d.py'])

    def test_of_equal_numbers_those_up_to_the_name(self) -> None:
        self.migration('2_a.py', RAN.format('2_a.py'))
        self.migrations.execute(to='2_a')
        self.assertEqual(self.registered(), ['1_a.py', '2_a.py'])

    def test_an_unknown_name_or_two_targets_run_nothing(self) -> None:
        with self.assertRaisesRegex(migopy.MigopyException, "no migration '9'"):
            self.migrations.execute(to='9')
        with self.assertRaisesRegex(migopy.MigopyException, 'exclude each other'):
            self.migrations.execute('1', to='2')
        self.assertEqual(self.ran(), [])


class RollbackManyTest(PointTest):
    def setUp(self) -> None:
        super().setUp()
        for name in ('3', '1', '4'):
            self.migrations.execute(name)
        self.migrations.ignore('2')
        self.logger.said.clear()

    def test_last_undoes_those_executed_last_newest_first(self) -> None:
        self.migrations.rollback(last='2')
        self.assertEqual(self.ran('undone'), ['4', '1'])
        self.assertEqual(self.registered(), ['2_b.py', '3_c.py'])
        self.assert_said_before(
            'Going to roll back 2 migrations: 4_d.py, 1_a.py',
            'Rolling back 4_d.py (1 of 2)',
        )

    def test_last_of_more_than_there_are_undoes_all_that_were_executed(self) -> None:
        self.migrations.rollback(last='99')
        self.assertIn(
            'Only 3 migrations were executed, not 99: all of them are rolled back',
            self.logger.of('white'),
        )
        self.assertEqual(self.ran('undone'), ['4', '1', '3'])
        self.assertEqual(self.registered(), ['2_b.py'])
        self.logger.said.clear()
        self.migrations.rollback(last='1')
        self.assertEqual(self.logger.said, [('green', 'No migration to roll back')])
        self.migrations.execute('1')
        self.migrations.rollback(last='2')
        self.assertIn(
            'Only one migration was executed, not 2: it is rolled back',
            self.logger.of('white'),
        )

    def test_what_ran_after_one_that_is_named_is_told_where_nobody_is_asked(
        self,
    ) -> None:
        later = '1_a.py, 4_d.py were executed after 3_c.py, and stay applied'
        self.migrations.rollback('3', dry_run='yes')
        self.assertIn(later, self.logger.of('white'))
        self.logger.said.clear()
        self.migrations.rollback('3')
        self.assertIn(later, self.logger.of('white'))
        self.logger.said.clear()
        self.migrations.rollback('1')
        self.assertIn(
            '4_d.py was executed after 1_a.py, and stays applied',
            self.logger.of('white'),
        )
        self.logger.said.clear()
        self.migrations.rollback('4')
        self.assertNotIn('applied', str(self.logger.of('white')))

    def test_it_does_not_say_so_where_it_then_refuses(self) -> None:
        self.migration('3_c.py', 'def up(db): pass')
        with self.assertRaisesRegex(migopy.MigopyException, 'nothing was run'):
            self.migrations.rollback(last='99')
        self.assertNotIn('are rolled back', str(self.logger.said))
        self.assertEqual(self.ran('undone'), [])

    def test_a_new_execution_counts_not_the_first(self) -> None:
        self.migrations.rollback('3')
        self.migrations.execute('3')
        self.migrations.rollback(last='1')
        self.assertEqual(self.ran('undone'), ['3', '3'])

    def test_to_undoes_all_that_were_executed_after_it(self) -> None:
        for name in ('3_c.py', '3_c', '003', '3'):
            with self.subTest(name):
                self.migrations.rollback(to=name)
                self.assertEqual(self.ran('undone'), ['4', '1'])
                self.assertEqual(self.registered(), ['2_b.py', '3_c.py'])
                self.db.undone.drop()
                self.migrations.execute('1')
                self.migrations.execute('4')

    def test_to_the_newest_has_nothing_to_undo(self) -> None:
        self.migrations.rollback(to='4')
        self.assertEqual(self.logger.said, [('green', 'No migration to roll back')])

    def test_to_what_was_not_executed_is_an_error(self) -> None:
        self.migrations.rollback('4')
        for name in ('2', '4'):  # ignored, and rolled back
            with self.assertRaisesRegex(migopy.MigopyException, 'no way back to it'):
                self.migrations.rollback(to=name)
        self.assertEqual(self.ran('undone'), ['4'])

    def test_what_is_no_target_undoes_nothing(self) -> None:
        for options in (
            {'last': '0'},
            {'last': '-1'},
            {'last': 'x'},
            {'last': ''},
            {'to': '9'},
            {'last': '1', 'to': '3'},
        ):
            with self.subTest(options), self.assertRaises(migopy.MigopyException):
                self.migrations.rollback(**options)
        with self.assertRaisesRegex(migopy.MigopyException, 'exclude each other'):
            self.migrations.rollback('1', last='1')
        self.assertEqual(self.ran('undone'), [])

    def test_records_of_1_0_are_in_the_order_in_which_it_wrote_them(self) -> None:
        self.db.migrations.drop()
        self.register('2_b.py', '1_a.py')
        self.migrations.rollback(last='1')
        self.assertEqual(self.ran('undone'), ['1'])


class InPythonTest(PointTest):
    """The options as one writes them in Python."""

    def test_numbers_and_truth_values(self) -> None:
        self.migrations.execute(dry_run=True)
        self.assertEqual(self.ran(), [])
        self.migrations.execute(dry_run=False)
        self.migrations.rollback(last=2)
        self.assertEqual(self.ran('undone'), ['4', '3'])
        with self.assertRaises(migopy.MigopyException):
            self.migrations.rollback(last=0)
        self.migrations.history(2)
        lines = self.logger.of('white')[-1].splitlines()
        self.assertEqual(len(lines), 2 + 2, lines)


class TypedTest(FabTest):
    """The options as they are typed."""

    def test_to_and_last(self) -> None:
        for name in PointTest.names:
            self.migration(name, RAN.format(name))
        said = self.assert_ok(self.fab('migrations:execute,to=2')).stderr
        self.assertIn('Going to execute 2 migrations: 1_a.py, 2_b.py\n', said)
        self.assertEqual(self.registered(), ['1_a.py', '2_b.py'])
        said = self.assert_ok(self.fab('migrations:rollback,last=2')).stderr
        self.assertIn('Going to roll back 2 migrations: 2_b.py, 1_a.py\n', said)
        self.assertEqual(self.registered(), [])


class StatusTest(PlainTest):
    def test_in_an_empty_folder_says_how_to_write_the_first(self) -> None:
        self.manager().show_status()
        self.assertIn(
            'To write the first one: fab migrations:create,what_it_does',
            self.logger.of('white'),
        )

    def test_does_not_propose_what_would_be_refused(self) -> None:
        """Where one is unfinished, that is to be settled first."""
        self.migration('1_a.py', 'def up(db): db.x.insert_one({}); 1 / 0')
        self.migration('2_b.py')
        manager = self.manager()
        with self.assertRaises(ZeroDivisionError):
            manager.execute()
        self.logger.said.clear()
        manager.show_status()
        white = '\n'.join(self.logger.of('white'))
        self.assertNotIn('To execute them', white)
        self.assertIn('fab migrations:ignore,1_a.py', white)


class HelpTest(FabTest):
    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'
            TASK_NAME = 'migr'

            def count_notes(self, word=None, *, field='content'):
                '''Count the notes, or those that contain a word, of which there may
                be a great many.

                Example: count_notes,test
                Takes its time.
                '''

        migr = Migrations.create_task()
    """

    def test_shows_each_with_options_first_line_and_example(self) -> None:
        all_of_them, execute, own, unknown = self.fabs(
            'migr:help', 'migr:help,execute', 'migr:help,count_notes', 'migr:help,x'
        )
        self.assert_ok(all_of_them)
        for subtask in migopy.MigrationsManager().tasks():
            line = f'(?m)^fab migr:{subtask.__name__} - [A-Z].*[.]$'
            self.assertRegex(all_of_them.stdout, line)
        self.assertIn(
            'fab migr:rollback - Run down() of the migration that is named, and'
            ' unregister it.\n'
            '    fab migr:rollback[,NAME][,last=NUMBER][,to=NAME][,force=yes]'
            '[,dry_run=yes][,show=NUMBER][,undo=yes][,conflicts=keep|theirs|ours]'
            '[,yes=yes]\n'
            '    Example: fab migr:rollback,001_add_index.py\n',
            all_of_them.stdout,
        )
        self.assertIn(
            'fab migr:count_notes - Count the notes, or those that contain a word,'
            ' of which there may be a great many.\n'
            '    fab migr:count_notes[,WORD][,field=…]\n'
            '    Example: fab migr:count_notes,test\n',
            all_of_them.stdout,
        )
        self.assertNotIn('Takes its time', all_of_them.stdout)
        self.assertIn('With to=NAME all up to', self.assert_ok(execute).stdout)
        self.assertIn('dry_run=yes', execute.stdout)
        self.assertIn('Takes its time.\n', self.assert_ok(own).stdout)
        self.assert_error(unknown, "There is no command 'x'", 'fab migr:execute')

    def test_on_a_terminal_no_word_is_broken(self) -> None:
        shown = self.on_terminal('migr:help', COLUMNS='80')
        self.assertIn('contain a word, of which\n    there may be a great', shown)
        self.assertLessEqual(max(map(len, shown.splitlines())), 80)

    def test_of_fab_itself_shows_the_essentials(self) -> None:
        """`fab -d`."""
        shown = self.assert_ok(self.fab('-d', 'migr')).stdout
        for command in ('', ':execute', ':create', ':rollback', ':help'):
            self.assertIn(f'        fab migr{command}', shown)


class ProgressTest(FabTest):
    """`migopy.progress` in a migration, as one sees it."""

    source = """
        import migopy

        def up(db):
            db.notes.insert_many([{'n': n} for n in range(300)])
            for note in migopy.progress(db.notes.find({'n': {'$gte': 100}})):
                db.notes.update_one({'_id': note['_id']}, {'$set': {'seen': True}})
    """

    def test_is_a_bar_on_a_terminal_and_nothing_more_elsewhere(self) -> None:
        self.migration('1_a.py', self.source)
        shown = self.on_terminal('migrations:execute', COLUMNS='80')
        self.assertRegex(shown, r'━.* notes: 200 of 200 \(100%\), .*/s')
        self.assertRegex(shown, '1_a.py.* executed in .*200 updated')
        self.db.notes.drop()
        self.db.migrations.drop()
        said = self.assert_ok(self.fab('migrations:execute')).stderr
        self.assertRegex(
            said, '^Executing 1_a.py\n1_a.py executed in .* 200 updated\n$'
        )
        self.assertEqual(self.db.notes.count_documents({'seen': True}), 200)

    def test_ctrl_c_leaves_the_terminal_as_it_was(self) -> None:
        self.migration(
            '1_a.py',
            """
            import os, signal
            import migopy

            def up(db):
                notes = migopy.progress(range(100), title='notes')
                for number in notes:
                    if number == 50:
                        os.kill(os.getpid(), signal.SIGINT)
            """,
        )
        shown = self.on_terminal('migrations:execute', COLUMNS='80')
        bar, message = shown.split('1_a.py was interrupted in its up')
        self.assertRegex(bar, r'notes: 50 of 100 \(50%\)')
        self.assertLess(bar.rindex('\033[?25l'), bar.rindex('\033[?25h'))
        self.assertNotIn('notes: ', message)
        self.assertNotIn('\033[?25l', message)


class ProgressOfCursorsTest(PlainTest):
    """What `migopy.progress` asks the server."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'n': n} for n in range(100)])
        self.of_1_0 = self.manager().db.notes

    def test_a_cursor_s_total_is_what_it_will_give(self) -> None:
        some = {'n': {'$lt': 30}}
        for notes in (self.db.notes, self.of_1_0):
            for cursor in (
                notes.find(),
                notes.find(some),
                notes.find(some, {'_id': 0}).sort('n', -1),
                notes.find(some).limit(10),
                notes.find(some).limit(-10),
                notes.find(some).skip(25),
                notes.find(some).skip(25).limit(10),
                notes.find(some).skip(99),
                notes.find().skip(95),
                notes.find().limit(40),
                notes.find({'n': -1}),
                self.db.nothing.find(),
            ):
                self.assertEqual(total_of(cursor), len(list(cursor)))

    def test_what_the_server_does_not_count_has_no_total(self) -> None:
        self.db.notes.create_index([('place', '2dsphere')])
        place = {'type': 'Point', 'coordinates': [7.6, 47.6]}
        near = self.db.notes.find({'place': {'$near': {'$geometry': place}}})
        self.assertIsNone(total_of(near))
        self.assertEqual(list(migopy.progress(near)), [])
        self.assertIsNone(total_of(self.db.notes.find({'$odd': 1})))

    def test_the_pipeline_of_an_aggregation_is_not_run_twice(self) -> None:
        cursor = self.db.notes.aggregate([{'$match': {'n': {'$lt': 30}}}])
        self.assertIsNone(total_of(cursor))
        self.assertEqual(len(list(migopy.progress(cursor))), 30)

    def test_gives_the_documents_as_the_cursor_does(self) -> None:
        numbers = [
            note['n'] for note in migopy.progress(self.db.notes.find().sort('n', -1))
        ]
        self.assertEqual(numbers, list(reversed(range(100))))

    def test_in_a_transaction_and_a_dry_run(self) -> None:
        """The loop sees the transaction; counting, which does not, leaves it alone."""
        self.migration(
            '1_a.py',
            """
            import migopy
            transaction = True

            def up(db):
                db.notes.insert_many([{'n': n} for n in range(100, 150)])
                for note in migopy.progress(db.notes.find()):
                    db.notes.update_one(note, {'$set': {'seen': True}})
            """,
        )
        manager = self.manager()
        manager.execute(dry_run='yes')
        self.assertIn('150 updated', self.logger.of('white_bold')[-1])
        self.assertEqual(self.db.notes.count_documents({'seen': True}), 0)
        manager.execute()
        self.assertEqual(self.db.notes.count_documents({'seen': True}), 150)

    def test_a_count_that_fails_does_not_end_a_transaction(self) -> None:
        self.migration(
            '1_a.py',
            """
            import migopy
            transaction = True

            def up(db):
                for note in migopy.progress(db.notes.find({'$where': 'true'})):
                    db.notes.update_one(note, {'$set': {'seen': True}})
            """,
        )
        self.assertIsNone(total_of(self.db.notes.find({'$where': 'true'})))
        self.manager().execute()
        self.assertEqual(self.db.notes.count_documents({'seen': True}), 100)


class LongMigrationTest(PlainTest):
    """A migration that takes longer than a few seconds, here of a hundredth each."""

    def test_is_told_of_with_the_time_and_the_effects_so_far(self) -> None:
        self.migration(
            '1_a.py',
            """
            import time

            def up(db):
                for number in range(100):
                    time.sleep(0.02)
                    db.notes.insert_one({'n': number})
                    if db.stop.find_one():
                        break
            """,
        )
        white = self.logger.white

        def stop(message: object) -> None:
            white(message)
            if 'inserted so far' in str(message):
                self.db.stop.insert_one({})

        self.logger.white = stop  # type: ignore[method-assign]
        quick = {'SILENCE': 0.01, 'LINE_EVERY': 0.01, 'LOOK_EVERY': 0.01}
        with mock.patch.multiple(heartbeats, **quick):
            self.manager().execute()
        said = '\n'.join(self.logger.of('white'))
        self.assertRegex(
            said, r'1_a\.py running for [0-9.]+ m?s: notes [0-9]+ inserted so far'
        )
        self.assertLess(self.db.notes.count_documents({}), 100)

    def test_its_loops_are_told_of_by_the_manager_s_logger(self) -> None:
        self.migration(
            '1_a.py',
            """
            import migopy

            def up(db):
                for number in migopy.progress(range(3), title='numbers'):
                    db.notes.insert_one({'n': number})
            """,
        )
        with mock.patch.object(progress_of, 'LINE_EVERY', 0):
            self.manager().execute()
        white = self.logger.of('white')
        self.assertIn('numbers: 0 of 3 (0%)', white)
        self.assertRegex(white[-1], r'^numbers: 3 of 3 \(100%\), .*/s$')


class HistoryTest(FabTest):
    """The table on a terminal, with the names in one piece."""

    def test_at_80_columns(self) -> None:
        name = '004_drop_short_notes.py'
        self.migration(name, NOTHING)
        self.assert_ok(self.fab('migrations:execute'))
        for environment in ({}, {'NO_COLOR': '1'}):
            shown = self.on_terminal('migrations:history', COLUMNS='80', **environment)
            self.assertRegex(shown, rf'\d\d:\d\d:\d\d  {name}  executed  ')
            self.assertLessEqual(max(map(len, shown.splitlines())), 80)
