"""One run's document, and what the registry says of runs; no server."""

from __future__ import annotations

import unittest
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bson import ObjectId

from migopy.files import Migration
from migopy.run import Plan, State, Unfinished, describe
from migopy.state import (
    EXECUTED,
    FAILED,
    IGNORED,
    ROLLED_BACK,
    Agent,
    Holder,
    Record,
    Run,
)
from migopy.tell.runs import outcome

NAME = '001_a.py'
NOON = datetime(2014, 1, 14, 12)
ANN = Agent('ann', 'web1', 7)


def run(direction: str = 'up', **more: Any) -> Run:
    return Run(NAME, direction, 'sha256:0', 'owner', ANN, '2.0', NOON, **more)


def record(id_: Any = None) -> Record:
    return Record(id_ or ObjectId(), NAME, None, None, EXECUTED)


def plan(*records: Record, runs: list[Run], holder: str = '') -> Plan:
    return Plan(
        [Migration(NAME, 1, '/steps')],
        records,
        runs=runs,
        holders=[Holder(holder, ANN, 'execute', NOON, None)] if holder else [],
    )


class DocumentTest(unittest.TestCase):
    def test_of_a_run_that_begins(self) -> None:
        self.assertEqual(
            run(id=1).document(),
            {
                '_id': 1,
                'name': NAME,
                'direction': 'up',
                'started': NOON,
                'ended': None,
                'outcome': None,
                'duration_ms': None,
                'user': 'ann',
                'host': 'web1',
                'pid': 7,
                'checksum': 'sha256:0',
                'error': None,
                'version': '2.0',
                'owner': 'owner',
                'unsettled': True,
                'records': [],
            },
        )

    def test_of_a_run_that_has_ended(self) -> None:
        ended = run()
        ended.end(EXECUTED, NOON + timedelta(seconds=2), 2000)
        ended.effects = {'collections': []}
        document = ended.document()
        self.assertEqual(document['outcome'], 'executed')
        self.assertEqual(document['ended'], datetime(2014, 1, 14, 12, 0, 2))
        self.assertEqual(document['duration_ms'], 2000)
        self.assertEqual(document['effects'], {'collections': []})
        self.assertFalse(document['unsettled'])

    def test_is_read_as_it_was_written(self) -> None:
        made = run('down', records=[1, ObjectId()], error='odd', effects={'x': 1})
        made.end(FAILED, NOON, 5, unsettled=True)
        self.assertEqual(Run.of(made.document()), made)

    def test_may_have_fields_of_other_types(self) -> None:
        odd: list[Any] = [None, 1, 'x', [], {}, b'', True, ObjectId(), NOON]
        fields = [*run().document(), 'effects', 'after', 'checkpoints']
        for field in fields:
            for value in odd:
                document = {**run().document(), field: value}
                with self.subTest(field=field, value=value):
                    made = plan(runs=[Run.of(document)])
                    self.assertIsInstance(outcome(made.open_runs, made.runs[0]), str)
                    describe(made.runs[0])

    def test_may_have_less_and_more(self) -> None:
        read = Run.of({'_id': 1, 'colour': 'red'})
        self.assertEqual((read.name, read.direction, read.unsettled), ('?', '?', False))
        self.assertEqual(read.started, datetime.min)


class SettledByTheRegistryTest(unittest.TestCase):
    """A run whose end was not written is known by what it did to the registry."""

    def assert_unfinished(self, made: Plan) -> None:
        self.assertEqual((made.unfinished, made.open_runs.ended), (made.runs, []))

    def assert_settled(self, made: Plan, state: str) -> None:
        self.assertEqual((made.unfinished, made.open_runs.ended), ([], made.runs))
        self.assertEqual(outcome(made.open_runs, made.runs[0]), state)

    def test_up_that_is_not_registered_is_unfinished(self) -> None:
        self.assert_unfinished(plan(runs=[run()]))

    def test_up_that_is_registered_was_executed(self) -> None:
        done = run()
        self.assert_settled(plan(record(done.id), runs=[done]), 'executed')

    def test_up_whose_migration_was_registered_since_is_settled(self) -> None:
        """By a second execute, or by ignore, which died before they said so."""
        self.assert_settled(plan(record(), runs=[run()]), 'killed or cut off')
        failed = run(outcome=FAILED)
        self.assert_settled(plan(record(), runs=[failed]), 'failed')

    def test_up_of_what_was_registered_already_is_unfinished(self) -> None:
        """The second `up` after a half done `down`."""
        before = record()
        again = run(records=[before.id])
        self.assert_unfinished(plan(before, runs=[again]))
        self.assert_unfinished(plan(runs=[again]))
        self.assert_settled(plan(record(again.id), runs=[again]), 'executed')

    def test_down_whose_record_stands_is_unfinished(self) -> None:
        before = record()
        self.assert_unfinished(plan(before, runs=[run('down', records=[before.id])]))

    def test_down_whose_record_is_gone_was_rolled_back(self) -> None:
        down = run('down', records=[ObjectId()])
        self.assert_settled(plan(runs=[down]), 'rolled back')
        self.assert_settled(plan(record(), runs=[down]), 'rolled back')

    def test_down_is_unfinished_while_a_double_stands(self) -> None:
        doubles = [record(), record()]
        down = run('down', records=[each.id for each in doubles])
        self.assert_unfinished(plan(doubles[1], runs=[down]))

    def test_down_of_an_unregistered_one_is_unfinished(self) -> None:
        self.assert_unfinished(plan(runs=[run('down')]))
        settled = plan(record(), runs=[run('down')])
        self.assert_settled(settled, 'killed or cut off (down)')

    def test_records_may_have_any_id(self) -> None:
        """As `down` of a record that somebody wrote by hand."""
        before = record({'odd': ['id']})
        self.assert_unfinished(plan(before, runs=[run('down', records=[before.id])]))


class MarkedAheadTest(unittest.TestCase):
    """Of runs that are marked at once, one begins with the registration before it."""

    def setUp(self) -> None:
        self.runs = [run()]
        for number in (2, 3, 4):
            ahead = run(after=self.runs[-1].id)
            ahead.name = f'{number}_x.py'
            self.runs.append(ahead)
        self.records = [
            Record(each.id, each.name, NOON + timedelta(minutes=n), None, EXECUTED)
            for n, each in enumerate(self.runs)
        ]

    def plan(self, *records: Record, holder: str = '') -> Plan:
        return plan(*records, runs=self.runs, holder=holder)

    def ids(self, runs: list[Run]) -> list[int]:
        """Give the runs' numbers in the order in which they were marked."""
        return [[each.id for each in self.runs].index(run.id) for run in runs]

    def test_the_first_has_begun_and_no_other(self) -> None:
        made = self.plan()
        self.assertEqual(self.ids(made.unfinished), [0])
        self.assertEqual(self.ids(made.open_runs.ahead), [1, 2, 3])

    def test_so_has_the_one_after_the_last_that_is_registered(self) -> None:
        made = self.plan(*self.records[:2])
        self.assertEqual(self.ids(made.open_runs.ended), [0, 1])
        self.assertEqual(self.ids(made.unfinished), [2])
        self.assertEqual(self.ids(made.open_runs.ahead), [3])

    def test_it_began_when_that_one_was_registered(self) -> None:
        [left] = self.plan(*self.records[:2]).unfinished
        self.assertEqual(left.started, NOON + timedelta(minutes=1))
        marked = {'_id': left.id, 'started': left.started, 'after': None}
        self.assertEqual(left.begun(), marked)

    def test_of_a_command_that_goes_on_one_is_running(self) -> None:
        made = self.plan(*self.records[:2], holder='owner')
        self.assertEqual(self.ids(made.open_runs.running), [2])
        self.assertIs(made.open_runs.state_of(self.runs[2]), State.RUNNING)
        self.assertEqual(made.unfinished, [])

    def test_one_that_is_registered_has_begun_whatever_was_before(self) -> None:
        """As when somebody removes the record before it by hand."""
        made = self.plan(self.records[0], self.records[2])
        self.assertEqual(self.ids(made.open_runs.ended), [0, 2])
        self.assertEqual(self.ids(made.unfinished), [1, 3])

    def test_one_that_has_ended_has_begun(self) -> None:
        self.runs[1].end(FAILED, NOON, 1, unsettled=True)
        self.assertEqual(self.ids(self.plan().unfinished), [0, 1])

    def test_it_is_read_as_it_was_written(self) -> None:
        self.assertEqual(Run.of(self.runs[1].document()), self.runs[1])


class RunningTest(unittest.TestCase):
    def test_a_run_of_the_lock_s_holder_is_running(self) -> None:
        made = plan(runs=[run()], holder='owner')
        self.assertEqual((made.unfinished, made.open_runs.running), ([], made.runs))
        self.assertEqual(outcome(made.open_runs, made.runs[0]), 'running')

    def test_a_failed_one_is_not(self) -> None:
        made = plan(runs=[run(outcome=FAILED)], holder='owner')
        self.assertEqual((made.unfinished, made.open_runs.running), (made.runs, []))
        self.assertEqual(outcome(made.open_runs, made.runs[0]), 'failed, unfinished')

    def test_nor_is_one_that_has_been_registered(self) -> None:
        done = run()
        made = plan(record(done.id), runs=[done], holder='owner')
        self.assertEqual((made.unfinished, made.open_runs.running), ([], []))


class StateTest(unittest.TestCase):
    def test_of_an_ended_run_is_its_outcome(self) -> None:
        for word in (EXECUTED, FAILED, ROLLED_BACK, IGNORED):
            ended = run(outcome=word, unsettled=False)
            self.assertEqual(outcome(plan(runs=[]).open_runs, ended), word)


#: A file that cannot be read may have any function.
FILES = partial(Migration, number=1, directory='/nowhere')


class WaysOutTest(unittest.TestCase):
    def test_ignore_means_what_the_last_run_was_to_do(self) -> None:
        half = [run(outcome=FAILED), run('down', outcome=FAILED)]
        message = str(Unfinished(half, FILES))
        self.assertEqual(message.count('migrations:ignore,001_a.py'), 1)
        self.assertIn('ignore,001_a.py  - mark it as rolled back', message)
        message = str(Unfinished(half[::-1], FILES))
        self.assertIn('ignore,001_a.py  - mark it as applied', message)
