"""Many migrations in one run: they wait for a majority together."""

from __future__ import annotations

from unittest import mock

from pymongo.errors import AutoReconnect
from pymongo.monitoring import CommandListener

from migopy import announcements, runner
from migopy.effects import listen
from migopy.runner import NotRegistered
from tests.project import PlainTest

COUNT = runner.MANY + 10


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
        patch = mock.patch.object(announcements, 'EVERY', 1000)
        patch.start()
        self.addCleanup(patch.stop)

    def test_all_are_executed_registered_and_told_of_in_order(self) -> None:
        self.manager().execute()
        self.assertEqual(self.registered(), self.names)
        self.assertEqual(self.executed(), self.names)
        outcomes = self.db.migrations_history.distinct('outcome')
        self.assertEqual(outcomes, ['executed'])

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
            runner.Runner, '_make_durable', side_effect=AutoReconnect('away')
        )
        with away, self.assertRaises(NotRegistered) as caught:
            self.manager().execute()
        self.assertEqual(caught.exception.name, self.names[0])
        self.assertEqual(self.executed(), [])

    def test_few_migrations_and_ways_back_wait_one_by_one(self) -> None:
        with mock.patch.object(runner, 'Announcements') as grouped:
            for name in self.names[: COUNT - runner.MANY + 1]:
                self.manager().execute(name)
            self.manager().execute()
            self.manager().rollback(last=str(COUNT))
        grouped.assert_not_called()
        self.assertEqual(self.registered(), [])

    def test_a_migration_costs_two_requests_beyond_its_own(self) -> None:
        requests = Requests()
        options = {'event_listeners': [requests, listen()]}
        manager = self.manager(MONGO_CLIENT_OPTIONS=options)
        manager.execute(to=self.names[0])
        costs = []
        for last in (10, 30):
            requests.count = 0
            manager.execute(to=self.names[last])
            costs.append(requests.count)
        of_ten, of_twenty = costs
        self.assertEqual(of_twenty - of_ten, 2 * 10)

    def test_so_do_many_and_what_they_wait_for_together(self) -> None:
        self.wait_for_the_end()
        requests = Requests()
        options = {'event_listeners': [requests, listen()]}
        self.manager(MONGO_CLIENT_OPTIONS=options).execute()
        self.assertLessEqual(requests.count, 2 * COUNT + 20)


class Requests(CommandListener):
    """Counts what is sent to the server."""

    def __init__(self) -> None:
        self.count = 0

    def started(self, event: object) -> None:
        self.count += 1

    def succeeded(self, event: object) -> None:
        pass

    def failed(self, event: object) -> None:
        pass
