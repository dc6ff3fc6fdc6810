"""Where no majority can answer, that is said, with the member that is missing."""

from __future__ import annotations

import time

from pymongo import MongoClient

from migopy.state import NoMajority
from migopy.state.concerns import MAJORITY_MS
from tests import topologies
from tests.project import PlainTest


class NoMajorityTest(PlainTest):
    """Of a primary, a secondary and an arbiter the secondary is down."""

    def test_the_wait_has_an_end_and_names_the_member(self) -> None:
        self.migration('001_a.py', 'def up(db): db.ran.insert_one({})')
        with topologies.primary_secondary_arbiter() as cluster:
            manager = self.manager(MONGO_URI=cluster.uri)
            primary = cluster.primary()
            [secondary] = [each for each in cluster.members[:2] if each is not primary]
            secondary.kill()
            began = time.monotonic()
            with self.assertRaises(NoMajority) as caught:
                manager.execute()
            self.assertLess(time.monotonic() - began, MAJORITY_MS / 1000 + 15)
            self.assertEqual(caught.exception.missing, [f'127.0.0.1:{secondary.port}'])
            self.assertIn(
                f'No answer from 127.0.0.1:{secondary.port}', str(caught.exception)
            )
            self.assertEqual(self.logger.of('white_bold'), [])
            with MongoClient(cluster.uri) as client:
                db = client[self.db.name]
                self.assertEqual(db.ran.count_documents({}), 0)
                self.assertIsNone(db.migrations_lock.find_one())
            began = time.monotonic()
            manager.unlock()
            self.assertLess(time.monotonic() - began, MAJORITY_MS / 1000)
            secondary.restart()
            manager.execute()
            manager.disconnect()
