"""Attributes that are made when they are asked for first."""

from __future__ import annotations

import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from migopy import MigrationsManager
from migopy.cluster import Cluster
from migopy.files.kept import KeptDirectory
from migopy.lazy import lazy
from migopy.site import Site


class Parts:
    """Something with a part that takes its time."""

    def __init__(self) -> None:
        self.made = 0
        self.another = threading.Event()

    @lazy
    def part(self) -> object:
        """Make it, once nobody else has begun to within a moment."""
        self.made += 1
        if self.made > 1:
            self.another.set()
        self.another.wait(0.3)
        return object()


class LazyTest(unittest.TestCase):
    """Whatever thread asks first."""

    def test_threads_that_ask_at_once_get_the_same(self) -> None:
        parts = Parts()
        with ThreadPoolExecutor(3) as pool:
            found = set(pool.map(lambda _: parts.part, range(3)))
        self.assertEqual(found, {parts.part})
        self.assertEqual(parts.made, 1)

    def test_each_object_has_its_own(self) -> None:
        one, other = Parts(), Parts()
        self.assertIsNot(one.part, other.part)
        self.assertIs(one.part, one.part)

    def test_what_threads_share_is_made_so(self) -> None:
        """One thread would hold the lock of one part and write with another."""
        shared = [*MigrationsManager.__mro__, Site, Cluster, KeptDirectory]
        for each in shared:
            for name, attribute in vars(each).items():
                if isinstance(attribute, cached_property):
                    with self.subTest(f'{each.__name__}.{name}'):
                        self.assertIsInstance(attribute, lazy)
