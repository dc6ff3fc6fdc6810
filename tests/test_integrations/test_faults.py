"""The fault campaign: a short one in every run, a long one if asked for.

`MIGOPY_FAULTS=600` makes faults for so many seconds. `MIGOPY_FAULTS_SEED`, which each
campaign prints, makes the same choices again, as far as time lets them be the same.
"""

from __future__ import annotations

import os
import sys
import time
import unittest
import uuid

from tests.faults.campaign import Campaign

#: Seconds that it takes at least.
SHORT = 10.0


class FaultsTest(unittest.TestCase):
    def test_no_fault_makes_a_migration_run_twice_or_half_and_unnoticed(self) -> None:
        seconds = float(os.environ.get('MIGOPY_FAULTS') or SHORT)
        seed = os.environ.get('MIGOPY_FAULTS_SEED') or uuid.uuid4().hex[:8]
        began = time.monotonic()
        campaign = Campaign(seed, seconds)
        campaign.run()
        outcome = campaign.outcome
        print(outcome.summary(seed, time.monotonic() - began), file=sys.stderr)
        self.assertEqual(outcome.broken, [], '\n\n'.join(outcome.broken))
        self.assertGreater(sum(outcome.survived.values()), 0)
