"""What is read from a URI, also by many threads at once."""

from __future__ import annotations

import sys
import unittest
import warnings
from concurrent.futures import ThreadPoolExecutor

from migopy.server.uris import odd_options

SOUND = 'mongodb://server/?retryWrites=true&w=majority'
ODD = 'mongodb://server/?maxPoolSiz=5&retryWrites=maybe'

#: Seconds after which Python gives another thread a turn: all at once.
AT_ONCE = 1e-6


class OddOptionsTest(unittest.TestCase):
    """Which options of a URI PyMongo passes over."""

    def test_no_thread_hears_what_another_is_told(self) -> None:
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(AT_ONCE)
        filters = list(warnings.filters)
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(odd_options, [SOUND, ODD] * 200))
        self.assertEqual(found, [odd_options(SOUND), odd_options(ODD)] * 200)
        self.assertEqual((odd_options(SOUND), len(odd_options(ODD))), ([], 2))
        self.assertEqual(warnings.filters, filters)
