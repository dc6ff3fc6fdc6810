"""Images that a migration which is half done needs are there until it is done."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from unittest import mock

from migopy.backfill import DocumentsFailed
from migopy.commands import Command
from migopy.operations.images import StillNeeded, prune
from migopy.operations.undoing import CoveredInPart, HalfUndone, NeverKept
from migopy.undo import InTheWay
from tests.images import CHUNK_BY_CHUNK, state_of
from tests.project import PlainTest

#: Fails in its second call once the first one is written.
FAILS = """
    import migopy

    undo = {undo}

    def one(document):
        return {{'$set': {{'x': 1}}}}

    def other(document):
        raise OSError

    def up(db):
        migopy.update_each(db.a, one)
        migopy.update_each(db.b, other)
"""

CHANGE = """
    transaction = undo = True

    def up(db):
        db.{collection}.update_many({{}}, {{'$set': {{'x': 1}}}})
"""


class NeededTest(PlainTest):
    """`forget=`, `UNDO_KEEP` and a `down` where something is half done."""

    def setUp(self) -> None:
        super().setUp()
        for name in 'abc':
            self.db[name].insert_many({'_id': n} for n in range(6))
        self.before = state_of(self.db)

    def failed(self, text: str) -> Any:
        self.migration('001_a.py', text)
        manager = self.manager()
        with self.assertRaises(DocumentsFailed):
            manager.execute('001')
        return manager

    def test_one_that_was_cut_off_before_there_were_any_runs_again(self) -> None:
        """Its start is marked before its images are begun."""
        self.migration('001_a.py', CHANGE.format(collection='a'))
        of_dead = {'owner': 'dead', 'direction': 'up', 'started': datetime(2014, 1, 14)}
        left = {'outcome': None, 'unsettled': True, 'images': True, 'records': []}
        self.db.migrations_history.insert_one({'name': '001_a.py', **of_dead, **left})
        with self.assertRaises(NeverKept) as caught:
            self.manager().rollback('001')
        [again] = caught.exception.next
        self.assertEqual(again, Command('execute', '001_a.py'))
        self.manager().execute('001')
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_those_of_an_unfinished_one_are_not_forgotten(self) -> None:
        manager = self.failed(FAILS.format(undo=True))
        with self.assertRaisesRegex(StillNeeded, '001_a.py is unfinished'):
            manager.undo(forget='001')
        manager.rollback('001')
        self.assertEqual(state_of(self.db), self.before)

    def test_what_a_run_has_changed_without_images_is_not_taken_for_restored(
        self,
    ) -> None:
        self.failed(FAILS.format(undo=True))
        bare = FAILS.format(undo=False).replace('db.a, one', 'db.c, one')
        manager = self.failed(bare)
        after = state_of(self.db)
        with self.assertRaises(CoveredInPart):
            manager.rollback('001')
        self.assertEqual(state_of(self.db), after)

    def test_a_half_undone_one_keeps_its_images_and_runs_no_down(self) -> None:
        down = '\n    def down(db):\n        db.ran.insert_one({})\n'
        self.migration('001_a.py', CHANGE.format(collection='a') + down)
        self.migration('002_b.py', CHANGE.format(collection='b'))
        for name, value in CHUNK_BY_CHUNK.items():
            patch = mock.patch(f'migopy.undo.{name}', value)
            patch.start()
            self.addCleanup(patch.stop)
        manager = self.manager(UNDO_KEEP=1)
        manager.execute('001')
        chunk = 'migopy.undo.undoing.Undo._restore'
        with mock.patch(chunk, self.failing_at(2)), self.assertRaises(OSError):
            manager.rollback('001', undo='yes')
        with self.assertRaises(HalfUndone):
            manager.rollback('001')
        with self.assertRaises(StillNeeded):
            manager.undo(forget='001')
        old = self.manager(UNDO_KEEP=1, UNDO_DAYS=1e-9)
        with old._site.locked('test', 0, lambda *_: None):
            prune(old._site, old._observer)
        manager.rollback('001', undo='yes')
        self.assertEqual(state_of(self.db), self.before)
        self.assertNotIn('ran', self.db.list_collection_names())

    def test_one_that_restored_nothing_is_not_half_undone(self) -> None:
        only = {'mail': {'$exists': True}}
        self.db.a.create_index('mail', unique=True, partialFilterExpression=only)
        self.db.a.update_one({'_id': 1}, {'$set': {'mail': 'x'}})
        text = CHANGE.format(collection='a').replace(
            "'$set'", "'$unset': {'mail': 1}, '$set'"
        )
        self.migration('001_a.py', text)
        manager = self.manager()
        manager.execute()
        self.db.a.update_one({'_id': 2}, {'$set': {'mail': 'x'}})
        with (
            mock.patch('migopy.undo.undoing.DOCUMENTS', -1),
            self.assertRaises(InTheWay),
        ):
            manager.rollback('001')
        manager.undo(forget='001')
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def failing_at(self, number: int) -> Any:
        """Give a `_restore` that fails in the transaction of a chunk."""
        from migopy.undo import Undo

        calls: list[int] = []
        original = Undo._restore

        def restore(undo: Any, *arguments: Any) -> None:
            original(undo, *arguments)
            calls.append(1)
            if len(calls) >= number:
                raise OSError

        return restore

    def test_a_renamed_one_is_listed_and_forgotten_by_its_name(self) -> None:
        file = self.migration('001_a.py', CHANGE.format(collection='a'))
        manager = self.manager()
        manager.execute()
        file.rename(file.with_name('001_b.py'))
        manager.rename('001_a.py', '001_b.py')
        manager.undo()
        self.assertIn('001_b.py', '\n'.join(self.logger.of('white')))
        manager.undo(forget='001_b.py')
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_those_of_a_file_that_is_gone_are_forgotten_by_its_name(self) -> None:
        file = self.migration('001_a.py', CHANGE.format(collection='a'))
        manager = self.manager()
        manager.execute()
        file.unlink()
        manager.forget('001_a.py')
        manager.undo(forget='001_a.py')
        self.assertEqual(list(self.db.migrations_undo.find()), [])
