"""The look at a process's threads, while others run and garbage is collected."""

from __future__ import annotations

import subprocess
import sys
import unittest

from tests.project import TIMEOUT

#: Six threads that look at once. Each collection of garbage lets the others run.
LOOKS = """
import gc, threading, time, weakref
from concurrent.futures import ThreadPoolExecutor
from migopy.errand import Errand, carrying_out
from migopy.run.threads import call_with_threads

class Ring:
    def __init__(self):
        self.me = self

def look():
    with carrying_out(Errand()):
        for _ in range(200):
            ring = weakref.ref(Ring(), lambda _: time.sleep(0))
            assert call_with_threads(lambda: ring, lambda: False) is ring

pool = ThreadPoolExecutor(3)
for each in [pool.submit(time.sleep, 0.05) for _ in range(3)]:
    each.result()
gc.set_threshold(1)
looking = [threading.Thread(target=look, daemon=True) for _ in range(6)]
for each in looking:
    each.start()
for each in looking:
    each.join(30)
print(sum(each.is_alive() for each in looking), gc.isenabled())
"""


class LooksTest(unittest.TestCase):
    def test_looks_at_threads_neither_hang_nor_crash(self) -> None:
        """Python 3.11 did both, in one of thirty deploys of eighty databases."""
        looked = subprocess.run(
            [sys.executable, '-c', LOOKS],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual((looked.stdout, looked.stderr), ('0 True\n', ''))
        self.assertEqual(looked.returncode, 0)
