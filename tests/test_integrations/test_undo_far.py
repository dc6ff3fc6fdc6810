"""How often an undo asks the server, which may be far away."""

from __future__ import annotations

from typing import Any
from unittest import mock

from migopy.undo.chunk_groups import DOCUMENTS
from tests.commands import Commands
from tests.project import PlainTest

EACH = """
    import migopy

    undo = True

    def up(db):
        migopy.update_each(db.a, change, batch_size=1000)

    def change(each):
        return {'$set': {'x': each['n'], 'n': -1}}
"""

#: Documents, in chunks of 1,000, which pages make where nobody says otherwise.
MANY = 9000


class FarTest(PlainTest):
    """Chunks are looked up, restored and read again some at a time."""

    def setUp(self) -> None:
        super().setUp()
        self.db.a.insert_many({'_id': n, 'n': n} for n in range(MANY))
        self.before = self.hash()
        self.commands = Commands()

    def hash(self) -> Any:
        return self.db.command('dbHash', collections=['a'])['collections']

    def undone(self, text: str = EACH) -> list[str]:
        """Execute and undo a migration; list the commands that the undo sent."""
        self.migration('001_a.py', text)
        heard = {'event_listeners': [self.commands]}
        manager = self.manager(MONGO_CLIENT_OPTIONS=heard, MIGRATION_PACE='full')
        manager.execute()
        self.assertNotEqual(self.hash(), self.before)
        self.commands.sent.clear()
        manager.rollback('001')
        self.assertEqual(self.hash(), self.before)
        self.assertEqual(self.registered(), [])
        self.assertEqual(self.db.migrations_undo.count_documents({}), 0)
        return self.commands.names

    def of_documents(self) -> list[str]:
        """List the commands that were for the documents, not for what is kept."""
        found = []
        for each in self.commands.sent:
            name = each.command_name
            if name in ('find', 'update', 'delete') and each.command[name] == 'a':
                found.append(name)
        return found

    def test_in_one_transaction(self) -> None:
        names = self.undone()
        groups = -(-MANY // DOCUMENTS)
        self.assertEqual(self.of_documents(), ['find', 'update', 'find'] * groups)
        # The chunks are read at once.
        self.assertNotIn('getMore', names)

    def test_in_several_transactions(self) -> None:
        with mock.patch('migopy.undo.undoing.DOCUMENTS', 0):
            names = self.undone()
        groups = -(-MANY // DOCUMENTS)
        looks = ['find'] * groups
        self.assertEqual(
            self.of_documents(), looks + ['find', 'update', 'find'] * groups
        )
        # One more is that of the registration.
        self.assertLessEqual(names.count('commitTransaction'), groups + 1)
        self.assertNotIn('getMore', names)

    def test_chunks_of_which_a_document_may_be_in_two_stay_apart(self) -> None:
        once = 'migopy.update_each(db.a, change, batch_size=1000)'
        again = 'migopy.update_each(db.a, change, {"_id": {"$lt": 2000}})'
        twice = EACH.replace(once, f'{once}\n        {again}')
        for number in (50_000, 0):
            with (
                self.subTest(number),
                mock.patch('migopy.undo.undoing.DOCUMENTS', number),
            ):
                self.undone(twice)
