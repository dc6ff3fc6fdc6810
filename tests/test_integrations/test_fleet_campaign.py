"""Faults of each kind under deploys over many databases.

`MIGOPY_FAULTS=600` goes on for so many seconds, `MIGOPY_FAULTS_SEED` makes the same
choices again.
"""

from __future__ import annotations

import os
import random
import time
import unittest
import uuid

from tests.faults.fleets import Fleet, faults
from tests.server import replica_set


class FleetCampaignTest(unittest.TestCase):
    def test_each_migration_is_whole_everywhere_and_ran_once_unasked(
        self,
    ) -> None:
        seed = os.environ.get('MIGOPY_FAULTS_SEED') or uuid.uuid4().hex[:8]
        deadline = time.monotonic() + float(os.environ.get('MIGOPY_FAULTS') or 0)
        turn = 0
        with replica_set(members=1) as cluster:
            while turn < 1 or time.monotonic() < deadline:
                dice = random.Random(f'{seed} {turn}')
                self.round(Fleet(cluster.members[0], dice), f'{seed} {turn}')
                turn += 1

    def round(self, fleet: Fleet, seed: str) -> None:
        """Make two faults, one after the other, then go on as a person would."""
        try:
            chosen = fleet.dice.sample(faults(fleet), 2)
            for _, strike in chosen:
                strike()
            fleet.recover()
        finally:
            report = fleet.report()
            fleet.close()
        names = ', '.join(name for name, _ in chosen)
        self.assertEqual(fleet.violations, [], f'{seed}: {names}\n{report}')
