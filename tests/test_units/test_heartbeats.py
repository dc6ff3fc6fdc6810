"""Signs of life of work that takes long."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import unittest
from typing import Any
from unittest import mock

from migopy.tell import heartbeats
from migopy.tell.heartbeats import Heartbeats
from migopy.terminal.progress import progress
from tests.faults import eventually
from tests.terminal import Terminal


class HeartbeatsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.told: list[float] = []
        self.heard = threading.Event()

    def tell(self, seconds: float) -> None:
        self.told.append(seconds)
        self.heard.set()

    def quick(self, **seconds: float) -> Any:
        """Patch the times."""
        return mock.patch.multiple(heartbeats, **{'LOOK_EVERY': 0.01, **seconds})

    def test_short_work_is_not_told_of(self) -> None:
        self.assertEqual((heartbeats.SILENCE, heartbeats.LINE_EVERY), (5, 10))
        with self.quick(SILENCE=60):
            beats = Heartbeats()
            beats.begin(self.tell)
            time.sleep(0.05)
            beats.end()
        self.assertEqual(self.told, [])

    def test_long_work_is_told_of_again_and_again_and_not_after_its_end(self) -> None:
        with self.quick(SILENCE=0.05, LINE_EVERY=0.1):
            beats = Heartbeats()
            beats.begin(self.tell)
            self.assertTrue(self.heard.wait(10))
            self.heard.clear()
            self.assertTrue(self.heard.wait(10))
            beats.end()
            first, second, *others = self.told
            time.sleep(0.2)
            self.assertEqual(self.told, [first, second, *others])
        self.assertGreaterEqual(first, 0.05)
        self.assertGreaterEqual(second - first, 0.09)

    def test_one_thread_serves_many_works_and_ends_when_there_are_none(self) -> None:
        before = threading.active_count()
        with self.quick(SILENCE=0, IDLE_LOOKS=2):
            beats = Heartbeats()
            for _ in range(100):
                beats.begin(self.tell)
                self.assertLessEqual(threading.active_count(), before + 1)
                beats.end()
            eventually(
                lambda: threading.active_count() <= before, 'the thread has ended'
            )
            self.heard.clear()
            beats.begin(self.tell)
            self.assertTrue(self.heard.wait(10))
            beats.end()

    def test_it_is_silent_while_a_bar_is_shown(self) -> None:
        quick = self.quick(SILENCE=0, LINE_EVERY=0)
        terminal = mock.patch.dict(os.environ, TERM='xterm')
        with quick, terminal, contextlib.redirect_stderr(Terminal()):
            loop = progress(range(5))
            next(loop)
            beats = Heartbeats()
            beats.begin(self.tell)
            time.sleep(0.1)
            self.assertEqual(self.told, [])
            list(loop)
            self.assertTrue(self.heard.wait(10))
            beats.end()
