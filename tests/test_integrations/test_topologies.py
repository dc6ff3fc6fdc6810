"""Migrations on replica sets as others run them."""

from __future__ import annotations

import time

from pymongo import MongoClient

from tests import topologies
from tests.faults import eventually
from tests.project import WAITING, FabTest, PlainTest
from tests.server import ReplicaSet

IN_TRANSACTION = """
    transaction = True

    def up(db):
        db.notes.insert_one({'by': 'up'})
        db.marks.insert_one({'by': 'up'})

    def down(db):
        db.notes.delete_many({})
        db.marks.delete_many({})
"""


class ArbiterTest(PlainTest):
    """A primary, a secondary, and an arbiter, which only votes."""

    def test_commands_work_and_survive_a_step_down(self) -> None:
        self.migration('001_a.py', IN_TRANSACTION)
        self.migration('002_b.py')
        with topologies.primary_secondary_arbiter() as cluster:
            manager = self.manager(MONGO_URI=cluster.uri)
            manager.execute('001_a.py')
            cluster.step_down()
            manager.execute()
            self.assertEqual(self.registered_on(cluster), ['001_a.py', '002_b.py'])
            manager.rollback('001_a.py')
            self.assertEqual(self.registered_on(cluster), ['002_b.py'])
            manager.disconnect()

    def test_status_is_shown_while_the_secondary_is_down(self) -> None:
        self.migration('001_a.py')
        with topologies.primary_secondary_arbiter() as cluster:
            manager = self.manager(MONGO_URI=cluster.uri)
            [secondary] = [
                each for each in cluster.members[:2] if each is not cluster.primary()
            ]
            secondary.kill()
            manager.show_status()
            self.assertEqual(self.logger.of('red'), ['001_a.py'])
            secondary.restart()
            manager.execute()
            self.assertEqual(self.registered_on(cluster), ['001_a.py'])
            manager.disconnect()

    def registered_on(self, cluster: ReplicaSet) -> list[str]:
        with MongoClient(cluster.uri) as client:
            found = client[self.db.name].migrations.find(sort=[('name', 1)])
            return [document['name'] for document in found]


class UsualElectionTest(FabTest):
    """The primary is killed under a migration; MongoDB takes its 10 s for the next."""

    def test_the_migration_goes_on_with_the_next_primary(self) -> None:
        self.migration('001_a.py', WAITING)
        with topologies.usual_elections() as cluster, MongoClient(cluster.uri) as own:
            fabfile = self.filled(self.fabfile).replace(self.uri, cluster.uri)
            self.write('fabfile.py', fabfile)
            process = self.start('migrations:execute')
            ran = own[self.db.name].ran
            eventually(lambda: ran.find_one(), 'a first write')
            killed = time.monotonic()
            cluster.primary().kill()
            self.write('go', '')
            result = self.assert_ok(self.ended(process))
            # MongoDB's own time it was: with a shorter one this would show nothing.
            self.assertGreater(time.monotonic() - killed, 5)
            self.assertIn('001_a.py executed in', result.stderr)
            self.assertEqual(ran.count_documents({}), 2)
            registered = own[self.db.name].migrations.find()
            self.assertEqual([each['name'] for each in registered], ['001_a.py'])
