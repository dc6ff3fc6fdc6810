"""A page of `update_each`, its writes and its checkpoint are one transaction."""

from __future__ import annotations

import textwrap
import threading
import time
from datetime import timedelta
from typing import Any
from unittest import mock

from bson import ObjectId
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from pymongo.monitoring import CommandListener

from migopy.backfill import DocumentsFailed, NotOnce, exactly_once, throttle
from migopy.files.migration import checksum_of
from migopy.signals import Terminated
from migopy.state import LockLost
from migopy.state.helm import Helm
from tests.faults import failing, obliging_server, soon_heard
from tests.project import PlainTest, RecordingLogger
from tests.server import standalone

TWICE = 'if this run is killed, the next one may write the last documents twice'


class Commands(CommandListener):
    """Keeps the commands that a client has sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def started(self, event: Any) -> None:
        self.sent.append((event.command_name, dict(event.command)))

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass

    def named(self, *names: str) -> list[str]:
        """List the names of those that are among `names`, in order."""
        return [name for name, _ in self.sent if name in names]


class OnceTest(PlainTest):
    """A migration that adds one to each of ten documents, two a page."""

    UP = """
        import migopy

        def up(db):
            migopy.update_each(db.notes, change, batch_size=2{options})

        def change(note):
            {body}
        """

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(10)])
        self.commands = Commands()

    def write_up(self, body: str, options: str = '') -> None:
        """Write `1_a.py` with a function's body and more options of `update_each`."""
        text = textwrap.dedent(self.UP)
        text = text.replace('{options}', f', {options}' if options else '')
        body = textwrap.dedent(body).strip().replace('\n', '\n    ')
        self.migration('1_a.py', text.replace('{body}', body))

    def execute(self, **settings: Any) -> None:
        heard = {'event_listeners': [self.commands]}
        manager = self.manager(MONGO_CLIENT_OPTIONS=heard, **settings)
        manager.perform('execute', ('1_a.py',), {})

    def calls(self, db: Any = None) -> list[int]:
        found = (self.db if db is None else db).notes.find(sort=[('_id', 1)])
        return [note.get('calls', 0) for note in found]

    def said(self, part: str) -> bool:
        return any(part in message for _, message in self.logger.said)

    COUNT = "return {'$inc': {'calls': 1}}"

    def test_each_page_is_one_transaction(self) -> None:
        self.write_up(self.COUNT, 'exactly_once=True')
        self.execute()
        self.assertEqual(self.calls(), [1] * 10)
        in_transaction = [
            name for name, command in self.commands.sent if 'autocommit' in command
        ]
        self.assertEqual(in_transaction, ['update', 'update', 'commitTransaction'] * 5)
        self.assertTrue(self.said(': notes 10 updated'))
        self.assertFalse(self.said(TWICE))

    def test_its_commands_say_whose_they_are(self) -> None:
        self.write_up(self.COUNT)
        self.execute()
        [run] = self.db.migrations_history.find()
        said = {
            command.get('comment')
            for name, command in self.commands.sent
            if name in ('find', 'update') and command[name] == 'notes'
        }
        self.assertEqual(said, {f'migopy: up of 1_a.py, run {run["_id"]}'})

    def test_pages_without_a_change_need_none(self) -> None:
        self.write_up("return None if note['_id'] > 1 else {'$inc': {'calls': 1}}")
        self.execute()
        self.assertEqual(
            self.commands.named('commitTransaction'), ['commitTransaction']
        )

    def test_what_the_server_refuses_is_left_out_and_the_rest_is_written(self) -> None:
        self.db.notes.create_index('u', unique=True, sparse=True)
        self.write_up(
            "return {'$inc': {'calls': 1}, '$set': {'u': note['_id'] // 6}}"
            " if note['_id'] in (0, 3, 6, 7, 9) else {'$inc': {'calls': 1}}",
            "on_error='collect', exactly_once=True",
        )
        with self.assertRaises(DocumentsFailed) as caught:
            self.execute()
        self.assertEqual([key for key, _ in caught.exception.failures], [3, 7, 9])
        self.assertEqual(caught.exception.counts.updated, 7)
        self.assertEqual(self.calls(), [1, 1, 1, 0, 1, 1, 1, 0, 1, 0])
        self.write_up(self.COUNT)
        self.execute()
        self.assertEqual(self.calls(), [1] * 10)

    def test_one_that_is_refused_ends_it_where_it_is_to(self) -> None:
        self.write_up("return {'$inc': {'calls': 1, 'text': int(note['_id'] == 4)}}")
        self.db.notes.update_one({'_id': 4}, {'$set': {'text': 'no number'}})
        with self.assertRaises(DocumentsFailed):
            self.execute()
        self.assertEqual(self.calls()[:6], [1, 1, 1, 1, 0, 1])
        self.db.notes.update_one({'_id': 4}, {'$unset': {'text': 1}})
        self.execute()
        self.assertEqual(self.calls(), [1] * 10)

    def test_what_others_change_meanwhile_is_given_again(self) -> None:
        self.write_up(
            """
            if note['_id'] in (4, 5) and 'by' not in note:
                others.notes.update_one(
                    {'_id': note['_id']},
                    {'$set': {'by': 'others'}} if note['_id'] == 4 else
                    {'$set': {'by': 'others', 'gone': True}})
            if note.get('gone'):
                return migopy.DELETE
            return {'by': note.get('by'), 'calls': note.get('calls', 0) + 1}
            """,
            'exactly_once=True',
        )
        path = self.folder / 'mongomigrations' / '1_a.py'
        client = f'MongoClient({self.uri!r})[{self.db.name!r}]'
        text = f'from pymongo import MongoClient\nothers = {client}\n'
        path.write_text(text + path.read_text())
        self.execute()
        notes = list(self.db.notes.find(sort=[('_id', 1)]))
        self.assertEqual(notes[4], {'_id': 4, 'by': 'others', 'calls': 1})
        self.assertEqual([note['_id'] for note in notes], [0, 1, 2, 3, 4, 6, 7, 8, 9])
        self.assertEqual({note['calls'] for note in notes}, {1})

    def test_a_page_that_others_hold_is_written_without_one_and_said(self) -> None:
        self.write_up(self.COUNT)
        with self.client.start_session() as session:
            session.start_transaction()
            notes = self.db.notes
            notes.update_one({'_id': 5}, {'$set': {'x': 1}}, session=session)

            class Releasing(RecordingLogger):
                def white(self, message: object) -> None:
                    super().white(message)
                    if 'the server aborted a page 3 times' in str(message):
                        session.abort_transaction()

            logger = Releasing()
            self.execute(logger=logger)
        self.assertEqual(self.calls(), [1] * 10)
        [said] = [each for each in logger.of('white') if 'aborted' in each]
        self.assertIn('notes: the server aborted a page 3 times (WriteConflict', said)
        self.assertIn(TWICE, said)
        # Those after it are transactions again.
        self.assertEqual(len(self.commands.named('commitTransaction')), 4)

    def test_where_it_is_required_that_is_refused_and_it_goes_on_later(self) -> None:
        self.write_up(self.COUNT, 'exactly_once=True')
        with self.client.start_session() as session:
            session.start_transaction()
            notes = self.db.notes
            notes.update_one({'_id': 5}, {'$set': {'x': 1}}, session=session)
            with (
                mock.patch.object(exactly_once, 'CONFLICTS_IF_REQUIRED', 2),
                self.assertRaises(NotOnce) as caught,
            ):
                self.execute()
            session.abort_transaction()
        self.assertIn('as the server aborted a page 2 times', str(caught.exception))
        self.assertEqual(self.calls(), [1] * 4 + [0] * 6)
        self.execute()
        self.assertEqual(self.calls(), [1] * 10)

    def test_why_one_is_tried_again_is_said_where_that_takes_long(self) -> None:
        self.write_up(self.COUNT, 'exactly_once=True')
        reports: list[str] = []
        with self.client.start_session() as session:
            session.start_transaction()
            notes = self.db.notes
            notes.update_one({'_id': 5}, {'$set': {'x': 1}}, session=session)

            class Releasing(RecordingLogger):
                def white(self, message: object) -> None:
                    super().white(message)
                    if 'a batch is tried again' in str(message):
                        session.abort_transaction()

            logger = Releasing()
            with (
                mock.patch.object(throttle, 'AGAIN_AFTER', 0.1),
                mock.patch.object(Helm, 'waits', lambda _, why: reports.append(why)),
            ):
                self.execute(logger=logger)
        self.assertEqual(self.calls(), [1] * 10)
        [said] = [each for each in logger.of('white') if 'tried again' in each]
        self.assertIn('notes: a batch is tried again: WriteConflict', said)
        # `watch` is told at once, and that it goes on.
        self.assertEqual(f'notes: {reports[0]}', said)
        self.assertEqual(reports[-1], '')

    def test_without_a_replica_set_it_is_said_or_refused(self) -> None:
        with standalone() as server, MongoClient(server.uri) as client:
            db = client[self.db.name]
            db.notes.insert_many([{'_id': n} for n in range(10)])
            self.write_up(self.COUNT, 'exactly_once=True')
            with self.assertRaises(NotOnce) as caught:
                self.execute(MONGO_URI=server.uri)
            reason = 'the server is no replica set and has no transactions'
            self.assertEqual(
                str(caught.exception),
                f'{db.notes.full_name}: exactly_once=True cannot be kept, as {reason}.',
            )
            self.assertEqual(self.calls(db), [0] * 10)
            self.write_up(self.COUNT)
            self.execute(MONGO_URI=server.uri)
            self.assertTrue(self.said(f'notes: {reason}; {TWICE}'))
            self.assertEqual(self.calls(db), [1] * 10)

    def test_without_one_what_was_on_its_way_when_it_was_stopped_is_noted(self) -> None:
        """So only a process that is killed writes anything twice."""
        stopped = """
            if note['_id'] == 7:
                raise {how}
            return {{'$inc': {{'calls': 1}}}}
            """
        ways = {
            'Ctrl-C': ('KeyboardInterrupt', KeyboardInterrupt),
            'SIGTERM': ('__import__("migopy").signals.Terminated(15)', Terminated),
        }
        with standalone() as server, MongoClient(server.uri) as client:
            db = client[self.db.name]
            for name, (how, kind) in ways.items():
                with self.subTest(name):
                    client.drop_database(db.name)
                    db.notes.insert_many([{'_id': n} for n in range(10)])
                    self.write_up(stopped.format(how=how))
                    with self.assertRaises(kind):
                        self.execute(MONGO_URI=server.uri)
                    self.assertEqual(self.calls(db), [1] * 6 + [0] * 4)
                    self.write_up(self.COUNT)
                    self.execute(MONGO_URI=server.uri)
                    self.assertTrue(self.said('goes on after _id 5, 6 documents'))
                    self.assertEqual(self.calls(db), [1] * 10)
                    self.logger.said.clear()

    def test_so_is_that_the_collection_is_capped(self) -> None:
        """However few its documents are."""
        self.db.notes.drop()
        self.db.create_collection('notes', capped=True, size=100_000)
        self.db.notes.insert_many([{'_id': n, 'calls': 0} for n in range(10)])
        self.write_up(self.COUNT, 'exactly_once=True')
        with self.assertRaises(NotOnce):
            self.execute()
        self.write_up(self.COUNT)
        self.execute()
        reason = 'the server writes nothing to it in a transaction'
        self.assertTrue(self.said(f'notes: {reason}; {TWICE}'))
        self.assertEqual(self.calls(), [1] * 10)

    def test_what_no_transaction_writes_is_written_without_one_and_said(self) -> None:
        self.db['system.js'].insert_one({'_id': 'f', 'value': 1})
        self.write_up(self.COUNT)
        file = self.folder / 'mongomigrations/1_a.py'
        file.write_text(file.read_text().replace('db.notes', "db['system.js']"))
        self.execute()
        self.assertEqual(self.db['system.js'].find_one({'calls': 1})['_id'], 'f')
        self.assertTrue(self.said(TWICE))

    def test_in_a_transaction_all_is_once_anyway(self) -> None:
        self.write_up(self.COUNT, 'exactly_once=True')
        path = self.folder / 'mongomigrations' / '1_a.py'
        path.write_text(f'transaction = True\n{path.read_text()}')
        self.execute()
        self.assertEqual(self.calls(), [1] * 10)
        self.assertEqual(
            self.commands.named('commitTransaction'), ['commitTransaction']
        )

    def test_a_commit_whose_reply_is_lost_is_made_once(self) -> None:
        """And so is one after which the server says that it is no primary any more."""
        cases: list[dict[str, Any]] = [
            {'closeConnection': True},
            {'writeConcernError': {'code': 91, 'errmsg': 'shutting down'}},
            {'errorCode': 251, 'errorLabels': ['TransientTransactionError']},
        ]
        self.write_up(self.COUNT, 'exactly_once=True')
        with obliging_server() as server, MongoClient(server.uri) as client:
            db = client[self.db.name]
            for how in cases:
                with self.subTest(how):
                    client.drop_database(db.name)
                    db.notes.insert_many([{'_id': n} for n in range(10)])
                    with failing(client, 'commitTransaction', times=3, **how):
                        self.execute(MONGO_URI=soon_heard(server))
                    self.assertEqual(self.calls(db), [1] * 10)

    def test_after_another_run_has_taken_over_no_page_is_written(self) -> None:
        """However late it wakes up, and whether or not its lock has been noticed."""
        self.write_up('migopy.seen(note)\n' + self.COUNT)
        entered, go = threading.Event(), threading.Event()

        def seen(note: Any) -> None:
            if note['_id'] == 6:
                entered.set()
                go.wait(60)

        errors: list[BaseException] = []

        def execute() -> None:
            try:
                self.execute()
            except BaseException as error:
                errors.append(error)

        with mock.patch('migopy.seen', seen, create=True):
            thread = threading.Thread(target=execute)
            thread.start()
            self.assertTrue(entered.wait(60))
            change = {'$set': {'pages': -1}}
            run = self.db.migrations_history.find_one_and_update({}, change)
            go.set()
            thread.join(60)
        self.assertIsInstance(errors[0], LockLost)
        self.assertEqual(sum(self.calls()), 2 * run['pages'])

    def test_what_a_killed_process_has_left_open_is_ended_by_the_next(self) -> None:
        self.write_up("1 / (note['_id'] - 7)\n" + self.COUNT)
        with self.assertRaises(DocumentsFailed):
            self.execute()
        self.write_up(self.COUNT)
        with self.client.start_session() as session:
            # What the server has of a process that was killed within a page.
            kept = self.db.migrations_history
            change = {'$set': {'session': session.session_id['id']}}
            kept.update_one({}, change)
            session.start_transaction()
            kept.update_one({}, {'$set': {'pages': 4}}, session=session)
            self.db.notes.update_one(
                {'_id': 8}, {'$inc': {'calls': 9}}, session=session
            )
            began = time.monotonic()
            self.execute()
            self.assertLess(time.monotonic() - began, 50)
            with self.assertRaises(OperationFailure):
                session.commit_transaction()
        self.assertEqual(self.calls(), [1] * 10)

    def test_one_killed_before_the_call_leaves_how_far_it_was_as_well(self) -> None:
        for is_same, calls in ((True, [1] * 10), (False, [2] * 7 + [1] * 3)):
            with self.subTest(is_same=is_same):
                self.db.notes.update_many({}, {'$unset': {'calls': 1}})
                self.db.migrations.delete_many({})
                self.db.migrations_history.delete_many({})
                self.write_up("1 / (note['_id'] - 7)\n" + self.COUNT)
                with self.assertRaises(DocumentsFailed):
                    self.execute()
                self.write_up(self.COUNT)
                path = self.folder / 'mongomigrations' / '1_a.py'
                checksum = checksum_of(path.read_bytes())
                [run] = self.db.migrations_history.find()
                killed = {
                    **run,
                    '_id': ObjectId(),
                    'started': run['started'] + timedelta(seconds=1),
                    'outcome': None,
                    'checksum': checksum if is_same else 'sha256:another',
                }
                del killed['checkpoints']
                self.db.migrations_history.insert_one(killed)
                self.execute()
                self.assertEqual(self.calls(), calls)

    def test_a_run_that_fails_before_the_call_leaves_how_far_it_was(self) -> None:
        self.write_up("1 / (note['_id'] - 7)\n" + self.COUNT)
        with self.assertRaises(DocumentsFailed):
            self.execute()
        path = self.folder / 'mongomigrations' / '1_a.py'
        self.write_up(self.COUNT)
        text = path.read_text()
        odd = 'db.other.insert_one({})\n    1 / 0\n    '
        path.write_text(text.replace('migopy.update_each', f'{odd}migopy.update_each'))
        with self.assertRaises(ZeroDivisionError):
            self.execute()
        path.write_text(text)
        self.execute()
        self.assertEqual(self.calls(), [1] * 10)
