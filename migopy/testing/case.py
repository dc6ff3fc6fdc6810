"""Tests of migrations with unittest."""

from __future__ import annotations

import atexit
import functools
import unittest
from contextlib import ExitStack
from typing import Any, ClassVar

from migopy.testing.folder import folder_of_run, remove
from migopy.testing.migrations import Migrations
from migopy.testing.server import server_in


class MigrationsTestCase(unittest.TestCase):
    """A test of the migrations of `manager`: a class, or `FILE.py:CLASS`.

    Invariant: the databases that `migrations` gives are this test's own, and are
    dropped when it has ended. All tests of a process have one server.
    """

    #: `None` is the manager of the project here.
    manager: ClassVar[Any] = None
    migrations: Migrations

    @classmethod
    def setUpClass(cls) -> None:
        """Start the server, if no test has done so."""
        super().setUpClass()
        cls.migrations = Migrations(_server(), cls.manager)
        cls.addClassCleanup(cls.migrations.close)

    def setUp(self) -> None:
        """Have databases dropped at the end."""
        super().setUp()
        self.addCleanup(self.migrations.drop)


@functools.cache
def _server() -> str:
    """Start the server of this process, which ends with it."""
    folder, opened = folder_of_run(), ExitStack()
    opened.callback(remove, folder)
    uri = opened.enter_context(server_in(folder))
    atexit.register(opened.close)
    return uri
