"""The fault campaign: a short one in every run, a long one if asked for.

`MIGOPY_FAULTS=600` makes faults for so many seconds. `MIGOPY_FAULTS_SEED`, which each
campaign prints, makes the same choices again, as far as time lets them be the same.
"""

from __future__ import annotations

import os
import random
import sys
import time
import unittest
import uuid
from concurrent.futures import ThreadPoolExecutor

from pymongo import MongoClient

from tests.faults import eventually
from tests.faults.campaign import Campaign, lone_server
from tests.faults.imaged import Imaged
from tests.faults.increments import Increments
from tests.project import FABFILE, FabTest, PlainTest
from tests.server import replica_set

#: Seconds that it takes at least.
SHORT = 10.0

#: Writes, and ends when the file `go` is there.
WRITING = """
    import os
    import time

    def up(db):
        db.notes.insert_one({})
        open('FOLDER/written', 'w').close()
        deadline = time.monotonic() + 60
        while not os.path.exists('FOLDER/go') and time.monotonic() < deadline:
            time.sleep(0.01)
"""


class CampaignTest(unittest.TestCase):
    def test_no_fault_makes_a_migration_run_twice_or_half_and_unnoticed(self) -> None:
        seconds = float(os.environ.get('MIGOPY_FAULTS') or SHORT)
        seed = os.environ.get('MIGOPY_FAULTS_SEED') or uuid.uuid4().hex[:8]
        began = time.monotonic()
        campaign = Campaign(seed, seconds)
        campaign.run()
        outcome = campaign.outcome
        print(outcome.summary(seed, time.monotonic() - began), file=sys.stderr)
        if outcome.broken:
            # Whole, as a comparison would cut it: it may not be seen again.
            self.fail('\n\n'.join(outcome.broken))
        self.assertGreater(sum(outcome.survived.values()), 0)


class MetTest(unittest.TestCase):
    """Kills of all kinds while one migration is at work."""

    def test_each_of_100_000_documents_is_written_once(self) -> None:
        """In `update_each` a page and its checkpoint are one."""
        self.meet(Increments, faults=4)

    def test_no_document_is_without_its_image_or_other_than_it_says(self) -> None:
        """In batches with images, and in their undo."""
        self.meet(Imaged, faults=1)

    def meet(self, kind: type[Increments | Imaged], faults: int) -> None:
        """Have it be met by so many faults at least, none of which breaks a promise."""
        seed = os.environ.get('MIGOPY_FAULTS_SEED') or uuid.uuid4().hex[:8]
        with replica_set(members=1) as cluster:
            work = kind(cluster.members[0], random.Random(seed))
            self.addCleanup(work.close)
            work.run()
        met = ', '.join(f'{n} {name}' for name, n in work.faults.items())
        print(f'{kind.__name__}, seed {seed}: {met}', file=sys.stderr)
        said = '\n'.join([*work.violations, seed, *work.commands.said])
        self.assertEqual(work.violations, [], said)
        self.assertGreaterEqual(sum(work.faults.values()), faults)


class CrashTest(PlainTest):
    """A server without a replica set crashes while a migration runs.

    What it has acknowledged in the last moments is not on disk, if nobody asks for it.
    """

    def test_what_it_has_written_is_there_when_it_is_registered(self) -> None:
        text = WRITING.replace('FOLDER', str(self.folder))
        self.migration('001_a.py', text)
        with lone_server() as server, ThreadPoolExecutor(1) as pool:
            manager = self.manager(MONGO_URI=server.uri)
            executed = pool.submit(manager.execute)
            eventually((self.folder / 'written').exists, 'a write')
            server.kill()
            server.restart()
            self.write('go', '')
            executed.result(timeout=60)
            manager.disconnect()
            with MongoClient(server.uri) as client:
                db = client[self.db.name]
                self.assertEqual(db.migrations.count_documents({}), 1)
                self.assertEqual(db.notes.count_documents({}), 1)


class GoneTest(FabTest):
    """A server is gone in the middle of a migration, and does not come back."""

    LOOP = """
        def up(db):
            while True:
                db.notes.insert_one({})
    """

    #: PyMongo waits 30 seconds for a server, the lowest one that migopy takes twice;
    #: what migopy itself still tries takes less than another 30.
    LONGEST = 95

    def test_that_is_told_before_long_and_without_noise(self) -> None:
        self.migration('001_a.py', self.LOOP)
        with lone_server() as server:
            fabfile = self.filled(FABFILE).replace(self.uri, server.uri)
            self.write('fabfile.py', fabfile)
            process = self.start('migrations:execute')
            with MongoClient(server.uri) as client:
                notes = client[self.db.name].notes
                eventually(lambda: notes.find_one() is not None, 'a note')
            server.kill()
            killed = time.monotonic()
            result = self.ended(process)
        self.assertLess(time.monotonic() - killed, self.LONGEST)
        self.assertEqual(result.status, 1)
        self.assertIn('001_a.py failed in its up', result.stderr)
        self.assertIn('so it is unfinished', result.stderr)
        # PyMongo's own account of each attempt would hide what counts.
        self.assertNotIn('background', result.stderr)
