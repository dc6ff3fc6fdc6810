"""Pages of `update_each` where the server is far away, and those that are too large."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from pymongo.monitoring import CommandListener

import migopy
from migopy.backfill import exactly_once, sizes, update_call
from migopy.backfill.sizes import BASE, MOST, STEP, RoundTrip
from tests.faults.proxy import DelayedLine
from tests.project import PlainTest

#: Seconds of a way.
WAY = 0.05

DOCUMENTS = 12_000

TWICE = 'if this run is killed, the next one may write the last documents twice'

UP = """
    import migopy

    def up(db):
        migopy.update_each(db.notes, change{options})

    def change(note):
        migopy.seen(note['_id'])
        return {{'$inc': {{'calls': 1}}}}
"""


class Heard(CommandListener):
    """Keeps how many documents the commands of a client wrote and asked for."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.asked: list[int] = []
        self.in_transactions = 0

    def started(self, event: Any) -> None:
        command = event.command
        if command.get('update') == 'notes':
            self.written.append(len(command['updates']))
            self.in_transactions += 'autocommit' in command
        if command.get('find') == 'notes':
            self.asked.append(command['limit'])

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


class FarTest(PlainTest):
    """A migration that adds one to each of many documents."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(DOCUMENTS)])
        self.heard = Heard()
        # However busy this machine is, it is the line that is waited for.
        for room in (sizes, update_call):
            patience = mock.patch.object(room, 'SECONDS', 60.0)
            patience.start()
            self.addCleanup(patience.stop)

    def execute(self, options: str = '', seen: Any = int, **settings: Any) -> None:
        text = textwrap.dedent(UP).format(options=options)
        self.migration('1_a.py', text)
        heard = {'event_listeners': [self.heard]}
        manager = self.manager(MONGO_CLIENT_OPTIONS=heard, **settings)
        with mock.patch.object(migopy, 'seen', seen, create=True):
            manager.perform('execute', ('1_a.py',), {})

    def require_once(self) -> None:
        """Make sure that each document was written once, in a transaction of a page."""
        self.assertEqual(self.db.notes.count_documents({'calls': 1}), DOCUMENTS)
        self.assertEqual(self.heard.in_transactions, len(self.heard.written))
        said = [text for _, text in self.logger.said if TWICE in text]
        self.assertEqual(said, [])

    @contextmanager
    def far(self) -> Iterator[str]:
        """Give the URI of the server at the end of a slow line."""
        _, port = self.client.address or ('', 0)
        line = DelayedLine(port, WAY)
        with line.running():
            yield line.uri

    def test_they_grow_where_it_is_far_away(self) -> None:
        with self.far() as uri:
            self.execute(MONGO_URI=uri)
        # So is the first one, as the way is known by then.
        self.assertEqual(self.heard.written[0], STEP * BASE)
        # How large the rest are is by what the server was seen to take.
        self.assertEqual(sum(self.heard.written), DOCUMENTS)
        self.assertLess(len(self.heard.written), DOCUMENTS // BASE)
        self.assertLessEqual(max(self.heard.asked, key=abs), MOST)
        self.require_once()

    def test_what_the_caller_says_is_kept_to(self) -> None:
        with self.far() as uri:
            self.execute(f', batch_size={BASE}', MONGO_URI=uri)
        self.assertEqual(self.heard.written, [BASE] * (DOCUMENTS // BASE))
        self.require_once()

    def test_one_that_others_keep_from_being_written_is_made_smaller(self) -> None:
        self.execute_beside_others()

    def test_so_is_one_that_is_to_be_written_exactly_once(self) -> None:
        with mock.patch.object(exactly_once, 'CONFLICTS_IF_REQUIRED', 4):
            self.execute_beside_others(', exactly_once=True')

    def execute_beside_others(self, options: str = '') -> None:
        """Change a document of a large page until the function sees that page again."""
        others = self.client.start_session()
        self.addCleanup(others.end_session)
        times: list[int] = []

        def seen(key: int) -> None:
            if key != 3 * BASE:
                return
            times.append(key)
            if len(times) == 1:
                others.start_transaction()
                change = {'$set': {'by_others': True}}
                self.db.notes.update_one({'_id': key + 1}, change, session=others)
            else:
                others.abort_transaction()

        # So far away that all the rest is nothing, however busy this machine is.
        distance = mock.patch.object(
            RoundTrip, 'seconds', new_callable=mock.PropertyMock, return_value=10.0
        )
        with distance:
            self.execute(options, seen)
        self.assertEqual(len(times), 2)
        self.require_once()
        # The large one was tried, and those that follow are small.
        self.assertGreater(max(self.heard.written), BASE)
        self.assertLessEqual(max(self.heard.written[-9:]), BASE)
