"""Runs are told of in order, and only once their registration is durable."""

from __future__ import annotations

import threading
import time
import unittest
from contextlib import nullcontext
from typing import Any

from pymongo.errors import AutoReconnect

from migopy.run.announcements import Announcements


class AnnouncementsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.events: list[Any] = []
        self.broken = False
        self.announcements = Announcements(
            lambda run, effects: self.events.append(run), self.make_durable
        )

    def make_durable(self, runs: Any) -> None:
        if self.broken:
            raise AutoReconnect('away')
        self.events.append(tuple(runs))

    def add(self, *runs: Any) -> None:
        for run in runs:
            self.announcements.add(run, None)  # type: ignore[arg-type]

    def test_all_are_made_durable_together_and_then_told_of(self) -> None:
        self.add('a', 'b')
        self.announcements.tell()
        self.assertEqual(self.events, [('a', 'b'), 'a', 'b'])

    def test_each_is_told_of_once(self) -> None:
        self.add('a')
        self.announcements.tell()
        self.announcements.tell()
        self.add('b')
        self.announcements.tell()
        self.assertEqual(self.events, [('a',), 'a', ('b',), 'b'])

    def test_what_is_not_durable_is_not_told_of(self) -> None:
        self.broken = True
        self.add('a')
        with self.assertRaises(AutoReconnect):
            self.announcements.tell()
        self.assertEqual(self.events, [])
        self.assertEqual(self.announcements.first, 'a')
        self.broken = False
        self.announcements.tell()
        self.assertEqual(self.events, [('a',), 'a'])

    def test_they_are_told_of_while_the_next_one_takes_long(self) -> None:
        told = threading.Event()
        announcements = Announcements(
            lambda run, effects: told.set(), lambda runs: None
        )
        with announcements.regularly(nullcontext):
            announcements.add('a', None)  # type: ignore[arg-type]
            self.assertTrue(told.wait(20))

    def test_a_failure_is_tried_again(self) -> None:
        self.broken = True
        with self.announcements.regularly(nullcontext):
            self.add('a')
            time.sleep(0.2)
            self.assertEqual(self.events, [])
            self.broken = False
            deadline = time.monotonic() + 20
            while 'a' not in self.events:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
