"""A database with the methods of PyMongo 3, as a migration gets it."""

from __future__ import annotations

import warnings
from typing import Any

from migopy.pymongo3 import legacy_database
from tests.server import DatabaseTest


class LegacyTest(DatabaseTest):
    """A test with an empty database that has the methods of PyMongo 3."""

    old: Any

    def setUp(self) -> None:
        super().setUp()
        self.old = legacy_database(self.client, self.db.name)
        quiet = warnings.catch_warnings()
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)
        warnings.simplefilter('ignore', DeprecationWarning)

    def ids(self, collection: str) -> list[Any]:
        return [each['_id'] for each in self.db[collection].find().sort('_id')]

    def assert_result(self, result: Any, expected: dict[str, Any]) -> None:
        """Compare a server's answer, but for what a replica set adds to it."""
        added = {'$clusterTime', 'operationTime', 'opTime', 'electionId'}
        self.assertIs(type(result), dict)
        self.assertEqual(
            {key: result[key] for key in result if key not in added}, expected
        )
