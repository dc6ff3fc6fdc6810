"""Collections that a migration makes in its transaction, and the undo of that."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from unittest import mock

from pymongo.errors import AutoReconnect, InvalidOperation

from migopy.codes import TRANSIENT
from migopy.run import NotImaged, Unfinished
from migopy.undo import Conflicts
from migopy.undo.set_aside import Asides
from tests.definitions import HEAD as DEFINING
from tests.definitions import DefinitionsTest
from tests.images import CHUNK_BY_CHUNK, state_of
from tests.project import PlainTest

HEAD = 'transaction = undo = True\n\ndef up(db):\n'

LOOP = 'for batch in migopy.batches(db.a, 7):\n    '


class MadeTest(PlainTest):
    """Whatever makes a collection is covered: nothing of it is left after an undo."""

    def test_nothing_is_left_of_them(self) -> None:
        self.db.a.insert_one({'_id': 1})
        before = state_of(self.db)
        for line in (
            "db.create_collection('b', validator={'x': 1}); db.b.insert_one({'x': 1})",
            "db.create_collection('b')",
            "db.b.create_index('x')",
            "db.b.create_index('x'); db.b.insert_one({'x': 1})",
            "db.b.insert_one({'_id': 1}); db.b.delete_one({'_id': 1})",
        ):
            with self.subTest(line):
                self.migration('001_a.py', f'{HEAD}    {line}\n')
                manager = self.manager()
                manager.execute()
                self.assertIn('b', state_of(self.db))
                manager.rollback('001')
                self.assertEqual(state_of(self.db), before)
                self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_one_that_was_there_already_was_not_made(self) -> None:
        """MongoDB 7 takes `create` for it, and does nothing."""
        self.migration('001_a.py', f"{HEAD}    db.create_collection('b')\n")
        manager = self.manager()
        with mock.patch('migopy.undo.capture.Capture.exists', return_value=True):
            manager.execute()
        manager.rollback('001')
        self.assertEqual(state_of(self.db), {'b': []})

    def test_what_no_transaction_can_define_changes_nothing(self) -> None:
        self.db.a.insert_one({'_id': 1})
        before = state_of(self.db)
        for line in (
            "db.a.create_index('x')",
            "db.create_collection('v', viewOn='a', pipeline=[])",
            'db.a.drop()',
            "db.a.rename('z')",
            "db.command('collMod', 'a', validator={})",
        ):
            with self.subTest(line):
                write = "db.a.update_one({}, {'$set': {'x': 1}})"
                self.migration('001_a.py', f'{HEAD}    {write}\n    {line}\n')
                with self.assertRaises(Exception):  # noqa: B017
                    self.manager().execute()
                self.assertEqual(state_of(self.db), before)
                self.assertEqual(self.registered(), [])
                self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_it_is_told_and_kept_what_was_dropped(self) -> None:
        for text in (
            f"{HEAD}    db.b.insert_one({{'_id': 1}})\n    db.b.delete_one({{}})\n",
            "undo = True\n\ndef up(db):\n    db.create_collection('b')\n",
        ):
            with self.subTest(text):
                self.migration('001_a.py', text)
                manager = self.manager()
                manager.execute()
                manager.rollback('001')
                self.assertEqual(
                    self.effects(), [{'name': 'b', 'collection': ['dropped']}]
                )
                said = [each for _, each in self.logger.said]
                [line] = [each for each in said if 'rolled back in' in each]
                self.assertTrue(line.endswith(': collection b dropped'), line)
                self.logger.said.clear()

    def test_and_what_was_brought_back(self) -> None:
        self.db.b.insert_one({'_id': 1})
        self.migration('001_a.py', 'undo = True\n\ndef up(db):\n    db.b.drop()\n')
        manager = self.manager()
        manager.execute()
        manager.rollback('001')
        said = [{'name': 'b', 'collection': ['brought back']}]
        self.assertEqual(self.effects(), said)
        manager.execute()
        self.db.b.insert_one({'_id': 2})
        manager.rollback('001', conflicts='ours')
        said = ['brought back in place of what was there']
        self.assertEqual(self.effects(), [{'name': 'b', 'collection': said}])

    def effects(self) -> list[dict[str, object]]:
        """Give what the history has of the last run."""
        last = self.db.migrations_history.find_one(sort=[('_id', -1)])
        assert last is not None
        found: list[dict[str, object]] = last['effects']['collections']
        own = f'{self.db.name}.'
        return [{**each, 'name': each['name'].removeprefix(own)} for each in found]


class AgainTest(DefinitionsTest):
    """A batch makes what the migration has dropped or renamed: nobody else's work."""

    def fill(self) -> None:
        super().fill()
        self.db.create_collection('e', validator={'n': {'$gte': 0}})

    def execute(self, text: str) -> Any:
        lines = ''.join(f'    {each}\n' for each in text.splitlines())
        self.migration('001_a.py', DEFINING + lines)
        manager = self.manager()
        manager.execute()
        self.assertNotEqual(self.state(), self.before)
        return manager

    def test_it_is_undone(self) -> None:
        for text in (
            f'db.b.drop()\n{LOOP}db.b.insert_one({{}})',
            f'db.e.drop()\n{LOOP}db.e.insert_one({{"n": 1}})',
            f'db.v.drop()\n{LOOP}db.v.insert_one({{}})',
            f"db.b.rename('z')\n{LOOP}db.b.insert_one({{}})\ndb.b.create_index('x')",
            f"db.e.rename('z')\n{LOOP}db.e.insert_one({{}})",
            f'{LOOP}db.m.insert_one({{}})\ndb.m.drop()\n{LOOP}db.m.insert_one({{}})',
            f'db.b.drop()\n{LOOP}db.b.insert_one({{}})\n'
            f'db.b.drop()\n{LOOP}db.b.insert_one({{}})',
            f"{LOOP}db.m.insert_one({{}})\ndb.m.rename('b', dropTarget=True)\n"
            f'{LOOP}db.m.insert_one({{}})',
        ):
            for patched in ({}, CHUNK_BY_CHUNK):
                with self.subTest(text, patched=patched), ExitStack() as patches:
                    for name, value in patched.items():
                        patches.enter_context(mock.patch(f'migopy.undo.{name}', value))
                    self.execute(text).rollback('001')
                    self.assert_undone()

    def test_with_what_others_have_written_it_is_theirs(self) -> None:
        text = f'db.b.drop()\n{LOOP}db.b.insert_one({{}})'
        manager = self.execute(text)
        self.db.b.insert_one({'_id': 'mine'})
        after = self.state()
        with self.assertRaisesRegex(Conflicts, 'b was made again since'):
            manager.rollback('001')
        self.assertEqual(self.state(), after)
        manager.rollback('001', conflicts='keep')
        self.assertEqual(list(self.db.b.find()), [{'_id': 'mine'}])
        manager.undo(forget='001')
        self.db.b.drop()
        self.db.b.insert_one({'_id': 1, 'b': 1})
        self.before = self.state()
        self.execute(text)
        self.db.b.insert_one({'_id': 'mine'})
        manager.rollback('001', conflicts='ours')
        self.assert_undone()
        said = '\n'.join(each for _, each in self.logger.said)
        self.assertNotIn('stays', said.rpartition('executed in')[2])

    def test_a_dry_run_says_so(self) -> None:
        manager = self.execute(f'db.b.drop()\n{LOOP}db.b.insert_one({{}})')
        manager.rollback('001', dry_run='yes')
        said = [each for _, each in self.logger.said]
        self.assertIn('b: the collection would be dropped, if it is empty then', said)
        self.assertIn('b: the collection would be brought back', said)


class AsideTest(DefinitionsTest):
    """A collection is never lost between its name and that under which it is aside."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', f'{DEFINING}    db.b.drop()\n')
        self.rename = Asides.rename

    def test_what_others_write_at_that_moment_goes_with_it(self) -> None:
        theirs = [{'_id': 2}, {'_id': 3}]

        def rename(asides: Asides, source: str, *others: Any, **how: Any) -> None:
            if source.endswith('placeholder') and theirs:
                self.db.b.insert_one(theirs.pop())
            self.rename(asides, source, *others, **how)

        manager = self.manager()
        with mock.patch.object(Asides, 'rename', rename):
            manager.execute()
        self.assertNotIn('b', state_of(self.db))
        manager.rollback('001')
        self.db.b.delete_many({'_id': {'$in': [2, 3]}})
        self.assert_undone()

    def refused(self, failures: int) -> Any:
        """Execute it where so many renames fail, from that of the placeholder on."""
        left = failures

        def rename(asides: Asides, source: str, *others: Any, **how: Any) -> None:
            nonlocal left
            is_second = source.endswith('placeholder') or left < failures
            if left and is_second:
                left -= 1
                raise AutoReconnect('lost')
            self.rename(asides, source, *others, **how)

        manager = self.manager()
        with (
            mock.patch.object(Asides, 'rename', rename),
            self.assertRaisesRegex(NotImaged, 'lost'),
        ):
            manager.execute()
        return manager

    def test_nothing_is_tried_again_with_a_client_that_is_closed(self) -> None:
        """In a transaction PyMongo says of one that it may be tried again."""
        error = InvalidOperation('it is closed')
        error._add_error_label(TRANSIENT)
        manager = self.manager()
        with (
            mock.patch(
                'migopy.undo.definition_store.commit', side_effect=error
            ) as kept,
            self.assertRaisesRegex(NotImaged, 'it is closed'),
        ):
            manager.execute()
        self.assertEqual(kept.call_count, 1)
        manager.execute()
        with (
            mock.patch('migopy.undo.undoing.commit', side_effect=error) as restored,
            self.assertRaisesRegex(Exception, 'it is closed'),
        ):
            manager.rollback('001')
        self.assertEqual(restored.call_count, 1)

    def test_where_it_cannot_be_set_aside_it_is_brought_back(self) -> None:
        self.refused(1)
        self.assertEqual(self.state(), self.before)
        self.assertEqual(self.aside(), [])

    def test_what_others_write_then_is_not_in_the_way_of_that(self) -> None:
        theirs = [{'_id': 2}]

        def rename(asides: Asides, source: str, *others: Any, **how: Any) -> None:
            if source.endswith('placeholder') and theirs:
                self.db.b.insert_one(theirs.pop())
                raise AutoReconnect('lost')
            self.rename(asides, source, *others, **how)

        with (
            mock.patch.object(Asides, 'rename', rename),
            self.assertRaisesRegex(NotImaged, 'lost'),
        ):
            self.manager().execute()
        self.assertEqual(self.db.b.distinct('_id'), [1, 2])
        self.assertEqual(self.aside(), [])
        self.db.b.delete_one({'_id': 2})
        self.assertEqual(self.state(), self.before)

    def test_where_it_cannot_be_brought_back_either_it_is_unfinished(self) -> None:
        manager = self.refused(2)
        with self.assertRaises(Unfinished):
            manager.execute()
        manager.rollback('001')
        self.assert_undone()
