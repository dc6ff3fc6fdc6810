"""When a dump is not restored, or not all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymongo import MongoClient

from migopy.dumps import (
    DumpFailed,
    RestoreFailed,
    RestoreRefused,
)
from tests import server
from tests.dumps import DumpTest, everything


class RestoreTest(DumpTest):
    """When a dump is not restored, or not all of it."""

    def setUp(self) -> None:
        super().setUp()
        for name in ('a', 'b', 'c'):
            self.db[name].insert_many([{'_id': number} for number in range(10)])
        self.db['b'].create_index('x', unique=True, sparse=True)
        self.dump = self.dumps().make(self.db)
        self.before = everything(self.db)

    def file(self, name: str) -> Path:
        return self.dump.path / self.db.name / name

    def assert_refused(self, reason: str) -> None:
        with self.assertRaisesRegex(RestoreRefused, reason):
            self.dumps().restore(self.db, self.dump)
        self.assertEqual(self.before, everything(self.db))

    def test_a_file_cut_short_is_refused_and_nothing_dropped(self) -> None:
        content = self.file('b.bson').read_bytes()
        self.file('b.bson').write_bytes(content[:-14])
        self.assert_refused('b.bson has .* bytes, not')

    def test_a_missing_file_is_refused_and_nothing_dropped(self) -> None:
        for name in ('b.bson', 'c.metadata.json'):
            content = self.file(name).read_bytes()
            self.file(name).unlink()
            self.assert_refused(f'{name} is missing')
            self.file(name).write_bytes(content)

    def test_damaged_documents_are_refused_and_nothing_dropped(self) -> None:
        content = bytearray(self.file('b.bson').read_bytes())
        content[14 * 3] = 200
        self.file('b.bson').write_bytes(content)
        self.assert_refused('b.bson is damaged at byte 42')

    def test_damaged_metadata_is_refused_and_nothing_dropped(self) -> None:
        content = self.file('b.metadata.json').read_text()
        self.file('b.metadata.json').write_text(content.replace('{', '[', 1))
        self.assert_refused('b.metadata.json is damaged')

    def test_a_dump_of_another_database_is_refused(self) -> None:
        other = self.client[f'{self.db.name}_other']
        with self.assertRaisesRegex(RestoreRefused, self.db.name):
            self.dumps().restore(other, self.dump)

    def test_an_error_half_way_says_the_state_and_the_same_again_mends_it(self) -> None:
        original = self.file('b.bson').read_bytes()
        twice = original[: 14 * 9] + original[:14]
        self.file('b.bson').write_bytes(twice)
        with self.assertRaises(RestoreFailed) as caught:
            self.dumps().restore(self.db, self.dump)
        message = str(caught.exception)
        self.assertIn('1 of 3 collections are back', message)
        self.assertIn('duplicate key', message)
        self.assertIn(f'fab migrations:dbrestore,{self.dump.name}', message)
        self.file('b.bson').write_bytes(original)
        self.dumps().restore(self.db, self.dump)
        self.assertEqual(self.before, everything(self.db))

    def test_an_interrupt_half_way_is_said(self) -> None:
        def progress(collection: str, done: int, total: int | None) -> None:
            if collection == 'b':
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.dumps(progress=progress).restore(self.db, self.dump)
        self.assertRegex(self.said[-1], 'is incomplete: 1 of 3 collections are back')

    def test_the_progress_counts_documents(self) -> None:
        seen: list[tuple[str, int, int | None]] = []

        def progress(*news: Any) -> None:
            seen.append(news)

        self.dumps(progress=progress).restore(self.db, self.dump)
        wanted = [(name, done, 10) for name in 'abc' for done in (0, 10)]
        self.assertEqual(wanted, seen)
        seen.clear()
        self.dumps(progress=progress).make(self.db)
        self.assertEqual(wanted, seen)


class RightsTest(DumpTest):
    def test_a_user_who_may_read_and_write_can_dump_and_restore(self) -> None:
        """But for what the server keeps from such users, which is said."""
        as_ann = {'username': 'ann', 'password': 'secret', 'authSource': 'shop'}
        with (
            server.with_auth() as private,
            MongoClient(private.uri, **as_ann) as client,
        ):
            db = client['shop']
            db['notes'].insert_one({'_id': 1})
            db['notes'].create_index('a')
            db.create_collection('view', viewOn='notes', pipeline=[])
            before = everything(db)
            dump = self.dumps().make(db)
            db['notes'].insert_one({'_id': 2})
            self.dumps().restore(db, dump)
            self.assertEqual(before, everything(db))
            db.create_collection('points', timeseries={'timeField': 't'})
            with self.assertRaisesRegex(DumpFailed, 'roles backup and restore'):
                self.dumps().make(db)
