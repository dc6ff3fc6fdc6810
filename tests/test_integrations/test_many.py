"""Many migrations in one run: they wait for a majority together."""

from __future__ import annotations

import random
import re
import sys
import textwrap
import time
from typing import Any, Callable
from unittest import mock

from pymongo import MongoClient, WriteConcern
from pymongo.errors import AutoReconnect
from pymongo.monitoring import CommandListener, CommandStartedEvent
from pymongo.read_concern import ReadConcern

from migopy.effects import listen
from migopy.run import NotRegistered, registrations
from migopy.state import GuardedWriter
from tests.faults import eventually
from tests.project import FabTest, PlainTest, RecordingLogger
from tests.server import replica_set, standalone

COUNT = registrations.MANY + 10

#: The files of the tests with faults.
NAMES = [f'{number:03}_x.py' for number in range(COUNT)]


class ManyTest(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        for number in range(1, COUNT + 1):
            self.migration(f'{number:03}_x.py')
        self.names = [f'{number:03}_x.py' for number in range(1, COUNT + 1)]

    def executed(self) -> list[str]:
        """List the names that were said to be executed, in order."""
        return [text.split()[0] for text in self.logger.of('white_bold')]

    def wait_for_the_end(self) -> None:
        """Let nothing be told of before the run ends."""
        patch = mock.patch.object(registrations, 'EVERY', 1000)
        patch.start()
        self.addCleanup(patch.stop)

    def test_all_are_executed_registered_and_told_of_in_order(self) -> None:
        self.manager().execute()
        self.assertEqual(self.registered(), self.names)
        self.assertEqual(self.executed(), self.names)
        runs = list(self.db.migrations_history.find())
        self.assertEqual([run['name'] for run in runs], self.names)
        self.assertEqual({run['outcome'] for run in runs}, {'executed'})
        self.assertEqual({run['unsettled'] for run in runs}, {False})
        for run in runs:
            self.assertLessEqual(run['started'], run['ended'])

    def test_those_before_a_failed_one_are_told_of_before_it(self) -> None:
        self.wait_for_the_end()
        self.migration(self.names[55], 'def up(db): 1 / 0')
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute()
        self.assertEqual(self.registered(), self.names[:55])
        self.assertEqual(self.executed(), self.names[:55])
        last = self.logger.said[-1]
        self.assertEqual(last[0], 'red')
        self.assertIn(f'{self.names[55]} failed in its up', last[1])

    def test_of_those_after_a_failed_one_no_mark_is_left(self) -> None:
        self.migration(self.names[20], 'def up(db): 1 / 0')
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute()
        outcomes = [run['outcome'] for run in self.db.migrations_history.find()]
        self.assertEqual(outcomes, ['executed'] * 20 + ['failed'])
        self.migration(self.names[20])
        self.manager().execute()
        self.assertEqual(self.registered(), self.names)

    def test_of_those_marked_at_once_each_sees_itself_alone_running(self) -> None:
        looking = """
            from looker import look

            def up(db):
                look(db, '{name}')
            """
        for place in (0, 1, 30, COUNT - 1):
            name = self.names[place]
            self.migration(name, looking.replace('{name}', name))
        manager_class = self.manager_class()
        seen: dict[str, list[str]] = {}

        def look(db: Any, name: str) -> None:
            other = manager_class()
            other.logger = RecordingLogger()
            other.show_status()
            other.history('100')
            other.disconnect()
            seen[name] = [message for _, message in other.logger.said]

        looker = mock.MagicMock(look=look)
        with mock.patch.dict(sys.modules, looker=looker):
            self.manager().execute()
        self.assertEqual(len(seen), 4)
        for name, said in seen.items():
            place = self.names.index(name)
            running = said.index('Running at this moment:')
            self.assertIn(f'  {name} (up)', said[running + 1])
            self.assertNotIn('Unfinished', ''.join(said))
            table = said[-1]
            self.assertEqual(table.count('_x.py'), place + 1)
            self.assertEqual(table.count('running'), 1)

    def test_some_in_a_transaction_and_some_not(self) -> None:
        bound = 'transaction = True\ndef up(db): db.ran.insert_one({})'
        for place in (0, 10, 11, COUNT - 1):
            self.migration(self.names[place], bound)
        self.manager().execute()
        names = [each['name'] for each in self.db.migrations.find()]
        self.assertEqual(names, self.names)
        self.assertEqual(self.db.ran.count_documents({}), 4)
        runs = list(self.db.migrations_history.find())
        self.assertEqual([run['name'] for run in runs], self.names)
        self.assertEqual({run['outcome'] for run in runs}, {'executed'})
        self.assertEqual({run['unsettled'] for run in runs}, {False})

    def test_a_registration_that_a_failover_undid_stands_again_before_it_is_told_of(
        self,
    ) -> None:
        self.wait_for_the_end()
        # The primary had them, no other member did, and another one was elected.
        undo = "def up(db): db.migrations.delete_many({'name': {'$lt': '030'}})"
        self.migration(self.names[-1], undo)
        told: list[list[str]] = []
        white_bold = self.logger.white_bold

        def note(message: object) -> None:
            told.append(self.registered())
            white_bold(message)

        self.logger.white_bold = note  # type: ignore[method-assign]
        self.manager().execute()
        self.assertEqual(told, [self.names] * COUNT)

    def test_what_cannot_be_made_durable_is_not_told_of(self) -> None:
        self.wait_for_the_end()
        away = mock.patch.object(
            registrations.Registrations,
            '_make_durable',
            side_effect=AutoReconnect('away'),
        )
        with away, self.assertRaises(NotRegistered) as caught:
            self.manager().execute()
        self.assertEqual(caught.exception.name, self.names[0])
        self.assertEqual(self.executed(), [])

    def test_what_is_not_durable_has_not_ended_in_the_history(self) -> None:
        """Whoever reads that would take a registration that is undone for settled."""
        self.wait_for_the_end()
        away = writes_fail(lambda target, _: target.name == 'migrations')
        with away, self.assertRaises(NotRegistered):
            self.manager().execute()
        outcomes = self.db.migrations_history.distinct('outcome')
        self.assertEqual(outcomes, [None])

    def test_a_history_that_cannot_be_written_is_made_up_for(self) -> None:
        with writes_fail(lambda _, documents: documents[0].get('outcome')):
            self.manager().execute()
        self.assertEqual(self.executed(), self.names)
        self.manager().execute()
        history = self.db.migrations_history
        self.assertEqual(history.distinct('outcome'), ['executed'])
        self.assertEqual(history.distinct('unsettled'), [False])

    def test_few_migrations_and_ways_back_wait_one_by_one(self) -> None:
        with mock.patch.object(GuardedWriter, 'insert') as grouped:
            for name in self.names[: COUNT - registrations.MANY + 1]:
                self.manager().execute(name)
            self.manager().execute()
            self.manager().rollback(last=str(COUNT))
        grouped.assert_not_called()
        self.assertEqual(self.registered(), [])

    def test_a_migration_costs_one_request_beyond_its_own(self) -> None:
        """Its registration, with which the next one begins."""
        requests = Requests()
        options = {'event_listeners': [requests, listen()]}
        few = self.manager(MONGO_CLIENT_OPTIONS=options)
        few.execute(to=self.names[0])
        costs = []
        for last in (10, 40):
            requests.count = 0
            few.execute(to=self.names[last])
            costs.append(requests.count)
        of_ten, of_thirty = costs
        self.assertEqual(of_thirty - of_ten, 20)

    def test_few_wait_for_their_registrations_and_for_four_requests(self) -> None:
        """What the history hears at the end is sent along with the lock's release."""
        self.manager().execute(to=self.names[0])
        requests = Requests()
        options = {'event_listeners': [requests, listen()]}
        self.manager(MONGO_CLIENT_OPTIONS=options).execute(to=self.names[3])
        taking, reading, marking, *registering, completing, releasing = requests.sent
        self.assertEqual(taking, ('findAndModify', 'majority'))
        self.assertEqual(reading, ('aggregate', None))
        self.assertEqual(marking, ('aggregate', 1))
        self.assertEqual(registering, [('aggregate', 'majority')] * 3)
        self.assertEqual(completing, ('update', 0))
        self.assertEqual(releasing, ('delete', 1))
        outcomes = [run['outcome'] for run in self.db.migrations_history.find()]
        self.assertEqual(outcomes, ['executed'] * 4)

    def test_of_those_that_wait_together_a_due_one_is_written_once(self) -> None:
        requests = Requests()
        options = {'event_listeners': [requests, listen()]}
        with mock.patch.object(registrations, 'EVERY', 0):
            self.manager(MONGO_CLIENT_OPTIONS=options).execute()
        self.assertLessEqual(len(requests.sent), COUNT + 20)
        self.assertEqual(self.executed(), self.names)

    def test_many_cost_one_each_and_what_they_wait_for_together(self) -> None:
        self.wait_for_the_end()
        requests = Requests()
        options = {'event_listeners': [requests, listen()]}
        self.manager(MONGO_CLIENT_OPTIONS=options).execute()
        self.assertLessEqual(requests.count, COUNT + 20)


class FaultTest(FabTest):
    """Many migrations, and faults in the middle of them."""

    COUNTING = """
        def up(db):
            db.counts.update_one({{'_id': {number}}}, {{'$inc': {{'runs': 1}}}}, True)
        """

    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{server}'
            MONGO_DATABASE = 'many'
            MONGO_CLIENT_OPTIONS = {'appname': 'many'}
            LOCK_TTL = 2
            LOCK_WAIT = 30

        migrations = Migrations.create_task()
    """

    def begin(self, uri: str) -> MongoClient[dict[str, Any]]:
        """Make the project for a server, with an empty database."""
        self.write('fabfile.py', textwrap.dedent(self.fabfile).replace('{server}', uri))
        for number in range(COUNT):
            text = textwrap.dedent(self.COUNTING).format(number=number)
            self.migration(NAMES[number], text)
        client: MongoClient[dict[str, Any]] = MongoClient(uri)
        client.drop_database('many')
        return client

    def check(self, client: MongoClient[dict[str, Any]], said: str) -> None:
        """Check what is registered, counted and said, then run the rest."""
        db = client.many.with_options(
            read_concern=ReadConcern('majority'), write_concern=WriteConcern('majority')
        )
        # It would last for the dead command's time. And a majority has then all before.
        db.migrations_lock.delete_many({})
        registered = sorted(each['name'] for each in db.migrations.find())
        counted = {each['_id']: each['runs'] for each in db.counts.find()}
        # A fault comes between the two of one migration, at most.
        self.assertIn(len(counted) - len(registered), (0, 1))
        # A server that is killed may lose what it has not acknowledged: even all.
        self.assertLessEqual(set(counted.values()), {1})
        self.assertEqual(sorted(counted), list(range(len(counted))))
        self.assertEqual(registered, NAMES[: len(registered)])
        executed = re.findall(r'^(\d+_x.py) executed', said, re.MULTILINE)
        self.assertEqual(executed, registered[: len(executed)])
        status = self.fab('migrations').stdout
        self.assertLessEqual(status.count('Unfinished: '), 1, status)
        if len(counted) > len(registered):
            self.assertIn(f'Unfinished: {len(registered):03}_x.py', status)
        unfinished = re.search(r'Unfinished: (\d+_x.py)', status)
        if unfinished:
            done = 'ignore' if len(counted) > len(registered) else 'execute'
            self.assert_ok(self.fab(f'migrations:{done},{unfinished[1]}'))
        self.assert_ok(self.fab('migrations:execute'))
        counted = {each['_id']: each['runs'] for each in client.many.counts.find()}
        self.assertEqual(counted, dict.fromkeys(range(COUNT), 1))
        self.assertEqual(client.many.migrations.count_documents({}), COUNT)
        history = list(client.many.migrations_history.find())
        self.assertEqual([run for run in history if run['unsettled']], [])
        # All that began are told of, and nothing else is.
        self.assertLessEqual(len(history), COUNT + 1)
        self.assertEqual({run['name'] for run in history}, set(NAMES))

    def await_some(self, client: MongoClient[dict[str, Any]]) -> None:
        """Wait until a random number of migrations has run."""
        wanted = random.randrange(1, COUNT - 5)
        deadline = time.monotonic() + 60
        while client.many.counts.estimated_document_count() < wanted:
            self.assertLess(time.monotonic(), deadline)

    def await_its_last_command(self, client: MongoClient[dict[str, Any]]) -> None:
        """Wait until the server has done what a killed command had still sent."""
        connections = [
            {'$currentOp': {'idleConnections': True, 'allUsers': True}},
            {'$match': {'appName': 'many'}},
        ]
        eventually(
            lambda: not list(client.admin.aggregate(connections)),
            'the end of its connections',
        )

    def test_the_command_is_killed(self) -> None:
        with self.begin(self.uri) as client:
            for _ in range(2):
                client.drop_database('many')
                process = self.start('migrations:execute')
                self.await_some(client)
                process.kill()
                said = process.communicate(timeout=60)[1]
                self.await_its_last_command(client)
                self.check(client, said)
            client.drop_database('many')

    def test_the_server_is_killed(self) -> None:
        with standalone() as server, self.begin(server.uri) as client:
            process = self.start('migrations:execute')
            self.await_some(client)
            server.kill()
            process.kill()
            said = process.communicate(timeout=60)[1]
            server.restart()
            self.check(client, said)

    def test_the_primary_is_killed(self) -> None:
        with replica_set(members=3) as cluster, self.begin(cluster.uri) as client:
            process = self.start('migrations:execute')
            self.await_some(client)
            primary = cluster.primary()
            primary.kill()
            said = process.communicate(timeout=90)[1]
            primary.restart()
            self.check(client, said)


def writes_fail(which: Callable[[Any, Any], object]) -> Any:
    """Let the server be away for those guarded writes; it gets their target."""
    writing = GuardedWriter.merge

    def write(
        writer: GuardedWriter, target: Any, documents: Any, *given: Any, **options: Any
    ) -> None:
        if which(target, documents):
            raise AutoReconnect('away')
        writing(writer, target, documents, *given, **options)

    return mock.patch.object(GuardedWriter, 'merge', write)


class Requests(CommandListener):
    """Counts what is sent to the server."""

    def __init__(self) -> None:
        self.count = 0
        #: Each command, and how many are to acknowledge it.
        self.sent: list[tuple[str, object]] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.count += 1
        concern = event.command.get('writeConcern') or {}
        self.sent.append((event.command_name, concern.get('w')))

    def succeeded(self, event: object) -> None:
        pass

    def failed(self, event: object) -> None:
        pass
