"""One run's document, and what the registry says of runs; no server."""

from __future__ import annotations

import unittest
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from migopy.history import EXECUTED, FAILED, IGNORED, ROLLED_BACK, Run
from migopy.lock import Agent, Holder
from migopy.migration import Migration
from migopy.plan import Plan, Unfinished
from migopy.registry import Record

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
        holder=Holder(holder, ANN, 'execute', NOON, None) if holder else None,
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

    def test_may_have_less_and_more(self) -> None:
        read = Run.of({'_id': 1, 'colour': 'red'})
        self.assertEqual((read.name, read.direction, read.unsettled), ('?', '?', False))
        self.assertEqual(read.started, datetime.min)


class SettledByTheRegistryTest(unittest.TestCase):
    """A run whose end was not written is known by what it did to the registry."""

    def assert_unfinished(self, made: Plan) -> None:
        self.assertEqual((made.unfinished, made.uncompleted), (made.runs, []))

    def assert_settled(self, made: Plan, state: str) -> None:
        self.assertEqual((made.unfinished, made.uncompleted), ([], made.runs))
        self.assertEqual(made.state_of(made.runs[0]), state)

    def test_up_that_is_not_registered_is_unfinished(self) -> None:
        self.assert_unfinished(plan(runs=[run()]))

    def test_up_that_is_registered_was_executed(self) -> None:
        done = run()
        self.assert_settled(plan(record(done.id), runs=[done]), 'executed')

    def test_up_whose_migration_was_registered_since_is_settled(self) -> None:
        """By a second execute, or by ignore, which died before they said so."""
        self.assert_settled(plan(record(), runs=[run()]), 'died, settled')
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
        self.assert_settled(plan(record(), runs=[run('down')]), 'died, settled')

    def test_records_may_have_any_id(self) -> None:
        """As `down` of a record that somebody wrote by hand."""
        before = record({'odd': ['id']})
        self.assert_unfinished(plan(before, runs=[run('down', records=[before.id])]))


class RunningTest(unittest.TestCase):
    def test_a_run_of_the_lock_s_holder_is_running(self) -> None:
        made = plan(runs=[run()], holder='owner')
        self.assertEqual((made.unfinished, made.running), ([], made.runs))
        self.assertEqual(made.state_of(made.runs[0]), 'running')

    def test_a_failed_one_is_not(self) -> None:
        made = plan(runs=[run(outcome=FAILED)], holder='owner')
        self.assertEqual((made.unfinished, made.running), (made.runs, []))
        self.assertEqual(made.state_of(made.runs[0]), 'failed, unfinished')

    def test_nor_is_one_that_has_been_registered(self) -> None:
        done = run()
        made = plan(record(done.id), runs=[done], holder='owner')
        self.assertEqual((made.unfinished, made.running), ([], []))


class StateTest(unittest.TestCase):
    def test_of_an_ended_run_is_its_outcome(self) -> None:
        for outcome in (EXECUTED, FAILED, ROLLED_BACK, IGNORED):
            ended = run(outcome=outcome, unsettled=False)
            self.assertEqual(plan(runs=[]).state_of(ended), outcome)


class WaysOutTest(unittest.TestCase):
    def test_ignore_means_what_the_last_run_was_to_do(self) -> None:
        half = [run(outcome=FAILED), run('down', outcome=FAILED)]
        message = str(Unfinished(half))
        self.assertEqual(message.count('migrations:ignore,001_a.py'), 1)
        self.assertIn('ignore,001_a.py  - its down is done', message)
        message = str(Unfinished(half[::-1]))
        self.assertIn('ignore,001_a.py  - it is done', message)
