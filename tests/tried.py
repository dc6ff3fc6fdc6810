"""Tests that try migrations or look ahead, and change nothing by it."""

from __future__ import annotations

from typing import Any

from migopy.operations import order_up, preflighting
from tests.project import FabTest, PlainTest
from tests.shapes import up

ERRORS = 'from pymongo.errors import DuplicateKeyError, OperationFailure'


class TriedTest(FabTest):
    """A test that tries migrations, and that changes nothing by it."""

    def state(self) -> Any:
        """Hash the documents, and describe indexes and collections."""
        names = sorted(self.db.list_collection_names())
        return (
            self.db.command('dbHash')['md5'],
            [
                (name, self.db[name].index_information())
                for name in names
                if 'viewOn' not in self.db[name].options()
            ],
            [self.db[name].options() for name in names],
        )

    def tried(self, *bodies: str, status: int = 0, top: str = ERRORS) -> str:
        """Dry-run migrations; give what was said. Nothing is changed."""
        for number, body in enumerate(bodies, 1):
            self.migration(f'{number:03}_x.py', up(body, top))
        before = self.state()
        result = self.fab('migrations:execute,dry_run=yes')
        self.assertEqual(result.status, status, result.said)
        self.assertEqual(self.state(), before)
        return result.stderr


class LookedTest(PlainTest):
    """A test that looks ahead in this process, and that changes nothing by it."""

    def found(self, body: str, top: str = '') -> list[dict[str, Any]]:
        """Look at one migration; give what was found, as data."""
        self.migration('001_x.py', up(body, top))
        before = self.db.command('dbHash')['md5']
        manager = self.manager()
        order = order_up(manager, 'preflight', None)
        looked = preflighting.preflight(manager._site, order, manager._observer)
        self.assertEqual(self.db.command('dbHash')['md5'], before)
        return [each.as_document() for each in looked.findings]

    def names(self, body: str, top: str = '') -> list[str]:
        """Look at one migration; give the names of what was found."""
        return [each['name'] for each in self.found(body, top)]

    def nothing(self, body: str, top: str = '') -> None:
        """Look at one migration, and find nothing."""
        self.assertEqual(self.found(body, top), [])
