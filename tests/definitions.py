"""Definitions of all kinds, for what changes them and sets them back."""

from __future__ import annotations

from typing import Any

from tests.images import definitions_of, state_of
from tests.project import PlainTest

#: How the names of collections begin that are set aside.
ASIDE = ('migrations_undo.', 'migopy_undone')

HEAD = 'import migopy\n\nundo = True\n\ndef up(db):\n'


class DefinitionsTest(PlainTest):
    """A database with definitions of all kinds, and what is left of an undo."""

    def setUp(self) -> None:
        super().setUp()
        self.fill()
        self.before = self.state()

    def fill(self) -> None:
        self.db.create_collection('a', validator={'n': {'$gte': 0}})
        self.db.a.insert_many({'_id': n, 'n': n} for n in range(20))
        self.db.a.create_index('n', unique=True)
        self.db.a.create_index('at', name='ttl', expireAfterSeconds=100)
        self.db.a.create_index([('n', 1), ('at', -1)], sparse=True, hidden=True)
        self.db.create_collection('v', viewOn='a', pipeline=[{'$match': {'n': 1}}])
        self.db.b.insert_one({'_id': 1, 'b': 1})

    def state(self) -> Any:
        hashed = self.db.command('dbHash', collections=['a', 'b'])
        return definitions_of(self.db), state_of(self.db), hashed['collections']

    def aside(self, db: Any = None) -> list[str]:
        """List what is set aside."""
        names = (self.db if db is None else db).list_collection_names()
        return [each for each in names if each.startswith(ASIDE)]

    def assert_undone(self) -> None:
        self.assertEqual(self.state(), self.before)
        self.assertEqual(self.registered(), [])
        self.assertEqual(self.aside(), [])
        self.assertEqual(list(self.db.migrations_undo.find()), [])
