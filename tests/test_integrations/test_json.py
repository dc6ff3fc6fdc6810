"""Commands with `json=yes`, as a machine reads them: JSON alone on stdout."""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
import threading
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

from bson import ObjectId

from migopy import MigrationInfo, MigrationOutcome, RunOutcome
from migopy.commands import Command
from migopy.many import in_json
from migopy.operations.adoption import ADOPTED
from migopy.operations.bookkeeping import ACCEPTED, FORGOTTEN, RENAMED
from migopy.state import EXECUTED, IGNORED, ROLLED_BACK
from migopy.tell import heartbeats, json_events, json_watching, rehearsals
from migopy.terminal import progress as progress_of
from tests import environments, schema
from tests.faults import eventually
from tests.project import FABFILE, NOTHING, WAITING, FabTest, PlainTest, Result

INSERTS = """
    def up(db):
        db.notes.insert_many([{}, {}])

    def down(db):
        db.notes.delete_many({})
"""

FAILS = """
    def up(db):
        db.notes.insert_one({})
        1 / 0

    def down(db):
        db.notes.delete_many({})
"""

#: A migration that writes to stdout in every way that there is.
PRINTS = """
    import os
    import subprocess
    import sys

    def up(db):
        print('printed')
        os.write(1, b'written\\n')
        subprocess.run(['echo', 'echoed'], check=True)
        sys.__stdout__.write('past\\n')
"""

#: Hostile text, as somebody's registry may hold it.
HOSTILE = '\x1b[2J\x7f\u202e\x85"\\\n{"migopy":1}\U0001f600'


def lines_of(result: Result) -> list[dict[str, Any]]:
    """Read all of stdout, each line of which must be as docs/machines.rst says."""
    documents = [schema.check(line) for line in result.stdout.splitlines()]
    assert documents, result.said
    assert [each['event'] for each in documents].index('ended') == len(documents) - 1
    return documents


class JsonTest(FabTest):
    """`fab migrations:…,json=yes`."""

    def lines(self, command: str, status: int = 0) -> list[dict[str, Any]]:
        """Run a command and give what it tells, the last line last."""
        result = self.fab(
            f'{command},json=yes' if ':' in command else f'{command}:json=yes'
        )
        self.assertEqual(result.status, status, result.said)
        return lines_of(result)

    def one(self, command: str, status: int = 0) -> dict[str, Any]:
        """Run a command that tells one line; give it."""
        [document] = self.lines(command, status)
        return document

    def test_the_status_is_one_document(self) -> None:
        self.migration('001_a.py')
        self.migration('003_c.py')
        self.migration('003_d.py')
        self.register('002_gone.py', '003_c.py')
        told = self.one('migrations')
        self.assertEqual(
            (told['command'], told['ok'], told['error']), ('status', True, None)
        )
        self.assertEqual(told['database'], self.db.name)
        self.assertEqual(
            told['status'],
            {
                'pending': ['001_a.py', '003_d.py'],
                'late': ['001_a.py'],
                'changed': [],
                'missing': ['002_gone.py'],
                'renamed': [],
                'same_number': [],
                'phases': {},
                'again': [],
                'needs': {},
                'environment': None,
                'elsewhere': {},
                'wrong': [],
                'equal_numbers': [['003_c.py', '003_d.py']],
                'running': [],
                'unfinished': [],
                'way_back': None,
                'foreign_documents': 0,
                'needs_attention': True,
            },
        )

    def test_check_tells_it_and_what_is_wrong(self) -> None:
        self.migration('001_a.py')
        told = self.one('migrations:check', status=1)
        self.assertFalse(told['ok'])
        self.assertEqual(told['error']['type'], 'DoesNotFit')
        self.assertEqual(told['status']['pending'], ['001_a.py'])
        self.assert_ok(self.fab('migrations:execute'))
        told = self.one('migrations:check')
        self.assertEqual((told['ok'], told['status']['needs_attention']), (True, False))

    def test_execute_tells_each_event(self) -> None:
        self.migration('001_a.py', INSERTS)
        self.migration('002_b.py')
        told = self.lines('migrations:execute')
        self.assertEqual(
            [(each['event'], each.get('name')) for each in told],
            [
                ('planned', None),
                ('started', '001_a.py'),
                ('executed', '001_a.py'),
                ('started', '002_b.py'),
                ('executed', '002_b.py'),
                # Its up is empty.
                ('warned', None),
                ('ended', None),
            ],
        )
        executed = told[2]
        self.assertIsInstance(executed['duration_ms'], int)
        self.assertEqual(executed['effects']['text'], 'notes 2 inserted')
        [notes] = executed['effects']['collections']
        self.assertEqual(notes, {'name': f'{self.db.name}.notes', 'inserted': 2})
        self.assertEqual((told[1]['place'], told[1]['count']), (1, 2))

        [run, _] = self.one('migrations:history')['history']
        self.assertEqual(
            (run['name'], run['outcome'], run['state'], run['duration_ms']),
            ('001_a.py', 'executed', 'ended', executed['duration_ms']),
        )
        self.assertEqual(run['started'], executed['started'])

        # 002_b.py was executed after it.
        events = [each['event'] for each in self.lines('migrations:rollback,1')]
        self.assertEqual(
            events, ['planned', 'warned', 'started', 'rolled_back', 'ended']
        )
        events = [each['event'] for each in self.lines('migrations:ignore,1')]
        self.assertEqual(events, ['ignored', 'ended'])
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        told = self.one('migrations:execute')
        self.assertEqual(told['status']['pending'], [])

    def test_a_failure_tells_what_was_written_and_what_to_type(self) -> None:
        self.migration('001_a.py', FAILS)
        self.migration('002_b.py')
        told = self.lines('migrations:execute', status=1)
        self.assertEqual(
            [each['event'] for each in told], ['planned', 'started', 'failed', 'ended']
        )
        failed, ended = told[-2:]
        self.assertEqual(failed['error']['type'], 'ZeroDivisionError')
        self.assertEqual(failed['aftermath'], 'unfinished')
        self.assertEqual(failed['written'], 'notes 1 inserted')
        self.assertEqual(failed['not_run'], ['002_b.py'])
        ways = [
            Command(name, '001_a.py').as_document()
            for name in ('execute', 'rollback', 'ignore')
        ]
        self.assertEqual(failed['next'], ways)
        self.assertEqual(ended['failed']['next'], ways)
        self.assertEqual(ended['error'], failed['error'])
        [unfinished] = self.one('migrations')['status']['unfinished']
        self.assertEqual((unfinished['name'], unfinished['next']), ('001_a.py', ways))

    def test_a_dry_run(self) -> None:
        self.migration('001_a.py', INSERTS)
        told = self.lines('migrations:execute,dry_run=yes')
        self.assertEqual(
            [each['event'] for each in told], ['started', 'tried', 'ended']
        )
        self.assertTrue(told[0]['dry_run'])
        self.assertEqual(told[1]['effects']['text'], 'notes 2 inserted')
        self.assertEqual(self.registered(), [])

    def test_a_dry_run_of_what_a_transaction_refuses(self) -> None:
        self.db.notes.insert_many([{'n': 'ann@secret'}, {'n': 'ann@secret'}])
        self.migration(
            '001_a.py',
            """
            def up(db):
                db.notes.create_index('m')
                try:
                    db.notes.create_index('n', unique=True)
                except Exception:
                    db.notes.update_one({}, {'$set': {'m': 1}})
            """,
        )
        self.migration('002_b.py', 'def up(db): db.command("dbHash")')
        told = self.lines('migrations:execute,show=5', status=1)
        self.assertEqual(
            [each['event'] for each in told],
            ['started', 'tried', 'found', 'started', 'untold', 'foreseen', 'ended'],
        )
        self.assertEqual(
            [each['name'] for each in told[5]['findings']], ['empty-filter']
        )
        self.assertEqual(len(told[2]['findings']), 2)
        self.assertIn('1 duplicated value', told[2]['findings'][1])
        self.assertNotIn('secret', str(told))
        self.assertEqual((told[4]['name'], told[4]['after']), ('002_b.py', []))
        self.assertEqual(told[-1]['error']['type'], 'NotAllShown')

    def test_errors_before_anything_runs(self) -> None:
        """An unknown migration, an unknown command, an option that is none."""
        for command, kind in (
            ('migrations:execute,9', 'UnknownMigration'),
            ('migrations:exceute', 'UnknownSubtask'),
            ('migrations:execute,speed=9', 'WrongOptions'),
        ):
            with self.subTest(command):
                told = self.one(command, status=1)
                self.assertEqual(told['error']['type'], kind)
                self.assertTrue(told['error']['message'])
        # Not all that there are, which a machine could take for what to type now.
        for typed, meant in (
            ('exceute', Command('help', 'execute')),
            ('histroy', Command('history')),
        ):
            told = self.one(f'migrations:{typed}', 1)['error']
            self.assertEqual(told['next'], [meant.as_document()])
        self.assertEqual(
            self.one('migrations:execute,9', 1)['error']['next'],
            [Command().as_document(), Command('history').as_document()],
        )

    def test_a_setting_at_fault(self) -> None:
        self.write('fabfile.py', self.filled(FABFILE).replace('MONGO_URI', 'MONGO_URL'))
        told = self.one('migrations', status=1)
        self.assertEqual(told['error']['type'], 'BadSettings')

    def test_no_server(self) -> None:
        nowhere = 'mongodb://ann:s3cr%21t@127.0.0.1:1/?serverSelectionTimeoutMS=100'
        self.write('fabfile.py', self.filled(FABFILE).replace(self.uri, nowhere))
        result = self.fab('migrations:json=yes')
        [told] = lines_of(result)
        self.assertEqual(told['error']['type'], 'ServerUnreachable')
        self.assertNotIn('s3cr', result.said)

    def test_a_secret_in_what_a_migration_raises(self) -> None:
        text = self.filled(FABFILE).replace(
            'MONGO_DATABASE =',
            "MONGO_USER_PASS = 'h\"us h'\n    MONGO_DATABASE =",
        )
        self.write('fabfile.py', text)
        self.migration('001_a.py', "def up(db):\n    raise ValueError('h\"us h!')\n")
        result = self.fab('migrations:execute,json=yes')
        [*_, ended] = lines_of(result)
        self.assertEqual(ended['error']['message'], 'ValueError: ***!')
        self.assertNotIn('us h', result.stdout)

    def test_dumps(self) -> None:
        told = self.lines('migrations:dbdump')
        # Of an older server that what is written meanwhile may be in it in part.
        events = [each['event'] for each in told if each['event'] != 'warned']
        self.assertEqual(events, ['dumping', 'ended'])
        dump = told[-1]['dump']
        self.assertEqual(dump['database'], self.db.name)
        self.assertIsInstance(dump['size'], int)
        self.assertEqual(self.one('migrations:dbrestore')['dumps'], [dump])
        told = self.lines(f'migrations:dbrestore,{dump["name"]}')
        events = [each['event'] for each in told if each['event'] != 'warned']
        self.assertEqual(events, ['restoring', 'restored', 'ended'])

    def test_the_registry_put_right(self) -> None:
        file = self.migration('001_a.py')
        self.assert_ok(self.fab('migrations:execute'))
        file.write_text('def up(db):\n    pass\n')
        told = self.lines('migrations:accept,1')
        self.assertEqual(
            [(each['event'], each.get('name')) for each in told],
            [('accepted', '001_a.py'), ('ended', None)],
        )
        file.rename(file.with_name('001_b.py'))
        told = self.lines('migrations:rename,001_a,001_b')
        self.assertEqual(told[0]['event'], 'renamed')
        file.with_name('001_b.py').unlink()
        self.assertEqual(self.lines('migrations:forget,1')[0]['event'], 'forgotten')

    def test_the_other_commands(self) -> None:
        self.assertEqual(
            self.one('migrations:create,b')['created'], 'mongomigrations/001_b.py'
        )
        self.assertIsNone(self.one('migrations:unlock,yes=yes')['unlocked'])
        self.assertIn('execute', str(self.one('migrations:help')['help']['lines']))

    def test_what_a_migration_prints_goes_to_stderr(self) -> None:
        self.migration('001_a.py', PRINTS)
        result = self.assert_ok(self.fab('migrations:execute,json=yes'))
        lines_of(result)
        for word in ('printed', 'written', 'echoed', 'past', 'Done.'):
            self.assertIn(word, result.stderr)

    def test_text_goes_to_stderr(self) -> None:
        self.migration('001_a.py')
        result = self.assert_ok(self.fab('migrations:json=yes'))
        lines_of(result)
        self.assertIn('Unregistered migrations:\n001_a.py\n', result.stderr)

    def test_hostile_text_steers_nothing(self) -> None:
        self.db.migrations_history.insert_one(
            {
                '_id': ObjectId(),
                'name': f'{HOSTILE}.py',
                'direction': 'up',
                'started': datetime(2026, 11, 22),
                'unsettled': True,
                'error': HOSTILE,
                'user': HOSTILE,
                'effects': {'collections': [{'name': HOSTILE, 'inserted': HOSTILE}]},
            }
        )
        self.db.migrations.insert_one({'name': f'other {HOSTILE}.py'})
        told = self.one('migrations')
        self.assertEqual(len(told['status']['missing']), 1)
        self.assertEqual(len(told['status']['unfinished']), 1)
        self.one('migrations:history')

    def test_no_is_no_and_anything_else_an_error(self) -> None:
        result = self.assert_ok(self.fab('migrations:json=no'))
        self.assertEqual(result.results, self.fab('migrations').results)
        self.assertIn('All migrations registered', result.results)
        result = self.fab('migrations:check,json=maybe')
        self.assert_error(result, 'json=maybe is neither yes nor no')

    def test_ctrl_c_and_sigterm(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                (self.folder / 'go').unlink(missing_ok=True)
                self.db.ran.drop()
                self.migration('001_a.py', WAITING)
                process = self.start('migrations:execute,json=yes')
                eventually(lambda: self.contents('ran'), 'the migration has begun')
                process.send_signal(number)
                result = self.ended(process)
                self.assertEqual(result.status, 128 + number, result.said)
                failed, ended = lines_of(result)[-2:]
                self.assertEqual(failed['event'], 'failed')
                self.assertEqual(failed['aftermath'], 'unfinished')
                self.assertFalse(ended['ok'])
                self.assert_ok(self.fab('migrations:rollback,1'))

    def test_who_waits_for_the_lock(self) -> None:
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute')
        eventually(lambda: self.contents('ran'), 'the migration has begun')
        [running] = self.one('migrations')['status']['running']
        self.assertEqual((running['name'], running['pid']), ('001_a.py', first.pid))
        second = self.start('migrations:execute,json=yes')
        assert second.stdout
        waiting = json.loads(second.stdout.readline())
        self.assertEqual(waiting['event'], 'waiting')
        self.assertEqual(waiting['holder']['pid'], first.pid)
        (self.folder / 'go').touch()
        self.assert_ok(self.ended(first))
        [ended] = lines_of(self.ended(second))
        self.assertEqual(ended['status']['pending'], [])

    def test_for_each_host_of_fabric(self) -> None:
        """Fabric's own lines about hosts stay out of stdout, too."""
        self.migration('001_a.py')
        result = self.fab('-H', 'web1,web2', 'migrations:execute,json=yes')
        self.assertEqual(result.status, 0, result.said)
        documents = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([each['event'] for each in documents].count('ended'), 2)
        self.assertIn('[web1] Executing task', result.stderr)


class OwnCommandTest(FabTest):
    """Commands of a fabfile's own."""

    fabfile = FABFILE.replace(
        "MONGO_DATABASE = '{database}'",
        """MONGO_DATABASE = '{database}'

        def count(self):
            print('counting')
            return {'notes': self.db.notes.count_documents({}), 'db': self.db}

        def export(self, json='no'):
            print('export', json)

        def keep(self, **options):
            print('keep', options)

        def leave(self):
            raise migopy.StopTaskExecution()

        def fail(self):
            1 / 0
""",
    )

    def test_what_one_returns_is_its_result(self) -> None:
        [told] = lines_of(self.assert_ok(self.fab('migrations:count,json=yes')))
        self.assertEqual(told['command'], 'count')
        self.assertEqual(told['result']['notes'], 0)
        self.assertIn(self.db.name, told['result']['db'])

    def test_an_option_of_its_own_is_its_own(self) -> None:
        for command, shown in (
            ('export', 'export yes\n'),
            ('keep', "keep {'json': 'yes'}\n"),
        ):
            result = self.assert_ok(self.fab(f'migrations:{command},json=yes'))
            self.assertEqual(result.results, shown)

    def test_one_that_ends_quietly_ends_well(self) -> None:
        [told] = lines_of(self.assert_ok(self.fab('migrations:leave,json=yes')))
        self.assertTrue(told['ok'])

    def test_an_error_of_its_own(self) -> None:
        result = self.fab('migrations:fail,json=yes')
        self.assertEqual(result.status, 1)
        [told] = lines_of(result)
        self.assertEqual(told['error']['type'], 'ZeroDivisionError')
        self.assertIn('Traceback', result.stderr)


class InvokeTest(FabTest):
    """The same under Fabric 3's `fab`: `--json`."""

    fabfile = OwnCommandTest.fabfile.replace('create_task', 'create_namespace').replace(
        'migrations =', 'ns ='
    )

    def setUp(self) -> None:
        self.program = environments.fabric_3() / 'fab'
        super().setUp()

    def test_what_commands_tell(self) -> None:
        self.migration('001_a.py', PRINTS)
        [told] = lines_of(self.assert_ok(self.fab('migrations', '--json')))
        self.assertEqual(told['command'], 'status')
        self.assertEqual(told['status']['pending'], ['001_a.py'])
        result = self.assert_ok(self.fab('migrations.execute', '--json', '--to', '1'))
        events = [each['event'] for each in lines_of(result)]
        self.assertEqual(events, ['planned', 'started', 'executed', 'ended'])
        self.assertIn('echoed', result.stderr)
        [told] = lines_of(self.fab('migrations.execute', '--name', '7', '--json'))
        self.assertEqual(told['error']['type'], 'UnknownMigration')
        self.assertIn('fab migrations.history', told['error']['message'])
        [told] = lines_of(self.assert_ok(self.fab('migrations.count', '--json')))
        self.assertEqual(told['result']['notes'], 0)

    def test_an_option_of_its_own_is_its_own(self) -> None:
        result = self.assert_ok(self.fab('migrations.export', '--json', 'yes'))
        self.assertEqual(result.stdout, 'export yes\n')

    def test_a_setting_at_fault(self) -> None:
        text = self.filled(self.fabfile).replace('MONGO_URI', 'MONGO_URL')
        self.write('fabfile.py', text)
        result = self.fab('migrations', '--json')
        [told] = lines_of(result)
        self.assertEqual((result.status, told['error']['type']), (1, 'BadSettings'))


class PlainPythonTest(PlainTest):
    """`perform` called by a program."""

    def test_two_threads_at_once(self) -> None:
        """Each gets its lines whole, and stdout is what it was when both have ended."""
        self.migration('001_a.py', NOTHING)
        kept, errors = io.StringIO(), io.StringIO()
        together = threading.Barrier(2)

        def show() -> None:
            manager = self.manager()
            together.wait(30)
            for _ in range(20):
                manager.perform(None, [], {'json': 'yes'})

        with contextlib.redirect_stdout(kept), contextlib.redirect_stderr(errors):
            threads = [threading.Thread(target=show) for _ in range(2)]
            for each in threads:
                each.start()
            for each in threads:
                each.join(60)
            print('after')
        *told, last = kept.getvalue().splitlines()
        self.assertEqual(last, 'after')
        self.assertEqual(len(told), 40)
        for line in told:
            self.assertEqual(json.loads(line)['status']['pending'], ['001_a.py'])


class SchemaTest(PlainTest):
    """docs/machines.rst names all there is."""

    def test_each_event_of_a_run_is_on_the_page(self) -> None:
        """Those that take long or need a fault are told here by hand."""
        kept, errors = io.StringIO(), io.StringIO()
        self.migration('001_a.py', INSERTS)
        manager = self.manager(DO_MONGO_DUMP=True)
        slow = {'SILENCE': 0, 'LINE_EVERY': 0, 'LOOK_EVERY': 0.01}
        counting = """
            import migopy
            import time

            def up(db):
                for _ in migopy.progress(range(3), title='notes'):
                    time.sleep(0.2)
                1 / 0
        """
        self.migration('002_b.py', counting)
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(kept))
            stack.enter_context(contextlib.redirect_stderr(errors))
            stack.enter_context(mock.patch.multiple(heartbeats, **slow))
            stack.enter_context(mock.patch.object(progress_of, 'LINE_EVERY', 0))
            with self.assertRaises(ZeroDivisionError):
                manager.perform('execute', [], {'json': 'yes', 'to': '2'})
        told = [schema.check(line) for line in kept.getvalue().splitlines()]
        events = {each['event'] for each in told}
        self.assertLessEqual({'dumping', 'way_back', 'progress', 'counted'}, events)
        counted = next(each for each in told if each.get('title') == 'notes')
        self.assertEqual((counted['done'], counted['total']), (0, 3))
        # Of the other one, when it is first told may be after what it writes.
        progress = next(
            each
            for each in told
            if (each['event'], each.get('name')) == ('progress', '002_b.py')
        )
        self.assertEqual(progress['effects']['text'], '')

    def test_each_command_that_is_an_answer(self) -> None:
        """And the page names no event that is never told."""
        rooms = (json_events, json_watching, in_json, rehearsals)
        source = ''.join(Path(str(room.__file__)).read_text() for room in rooms)
        told = set(re.findall(r"\._?event\(\s*'(\w+)'", source))
        words = {EXECUTED, ROLLED_BACK, IGNORED, ACCEPTED, FORGOTTEN, RENAMED, ADOPTED}
        told |= {word.replace(' ', '_') for word in words} | {'ended', 'counted'}
        self.assertEqual(schema.events(), told)

    def test_the_hooks_get_what_the_page_says(self) -> None:
        table = schema.fields('hook-objects')
        for kind in (MigrationInfo, MigrationOutcome, RunOutcome):
            self.assertEqual(table[kind.__name__], frozenset(kind._fields))
