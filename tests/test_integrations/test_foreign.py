"""Another tool's documents in collections of migopy's, and documents of odd types."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import Binary, Int64, MaxKey, ObjectId, Regex

from tests.project import FabTest, PlainTest

#: What tools keep in a collection of this name (migrate-mongo, mongrator, others').
FOREIGN = [
    {'fileName': '20200101-add.js', 'appliedAt': datetime(2020, 1, 1)},
    {'fileName': '20200102-drop.js', 'appliedAt': datetime(2020, 1, 2)},
    {'_id': 'add_index', 'hash': 'x'},
    {'name': 'AddUsers1577836800000', 'timestamp': 1577836800000},
    {'name': None},
    {'name': None},
    {'name': 5},
]

LOCK_FIELDS = ('owner', 'user', 'host', 'pid', 'subtask', 'since', 'expires')

#: One value of each kind that a field may have against all expectations.
ODD = [
    None,
    5,
    Int64(2**62),
    1.5,
    'text\x1b[2J\nsecond',
    b'bytes',
    Binary(bytes(16), 3),
    True,
    [],
    [1, {'a': 1}],
    {},
    {'$set': 1},
    ObjectId(),
    datetime(1, 1, 1),
    datetime(9999, 12, 31),
    Regex('x'),
    MaxKey(),
]


class ForeignTest(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        self.db.migrations.insert_many([dict(each) for each in FOREIGN])
        self.migration(
            '001_x.py', 'def up(db): db.a.insert_one({})\ndef down(db): pass'
        )

    def foreign(self) -> list[dict[str, Any]]:
        query = {'name': {'$not': {'$regex': r'\.py$'}}}
        return list(self.db.migrations.find(query, {'_id': 0}))

    def test_is_told_and_left_alone(self) -> None:
        before = self.foreign()
        manager = self.manager()
        manager.show_status()
        said = '\n'.join(self.logger.of('white'))
        self.assertIn("7 documents are another tool's", said)
        self.assertIn('set MIGRATIONS_COLLECTION', said)
        self.assertNotIn('elete', said)
        manager.execute()
        manager.check()
        manager.history()
        manager.rollback('1')
        self.assertEqual(self.foreign(), before)

    def test_the_other_tool_can_go_on(self) -> None:
        self.manager().execute()
        for document in FOREIGN[:2] + FOREIGN[4:]:
            self.db.migrations.insert_one({**document, '_id': ObjectId()})

    def test_equal_names_of_another_s_are_not_called_migrations(self) -> None:
        self.db.migrations.insert_many([{'name': 'Same'}, {'name': 'Same'}])
        self.manager().execute()
        self.assertEqual(self.contents('a'), [{}])
        said = '\n'.join(self.logger.of('white'))
        self.assertIn('no unique index on name: others keep equal names', said)
        self.assertNotIn('Registered more than once', said)

    def test_an_index_of_an_earlier_release_stays(self) -> None:
        self.db.migrations.delete_many({})
        self.db.migrations.create_index('name', unique=True)
        self.manager().execute()
        self.assertEqual(self.logger.of('white'), ['Executing 001_x.py'])


class OddTypesTest(FabTest):
    """A malformed document is shown and stops no command."""

    def test_in_the_registry_the_history_and_the_lock(self) -> None:
        self.migration('001_x.py')
        self.assert_ok(self.fab('migrations:execute'))
        record = self.db.migrations.find_one() or {}
        run = self.db.migrations_history.find_one() or {}
        for field in ('executed_at', 'duration_ms', 'checksum', 'by', 'how'):
            self.db.migrations.insert_many(
                [
                    {**record, '_id': ObjectId(), 'name': f'{n}.py', field: value}
                    for n, value in enumerate(ODD)
                ]
            )
            self.db.migrations.drop_indexes()
        for field in [*run, 'effects', 'checkpoints', 'after']:
            if field != '_id':
                self.db.migrations_history.insert_many(
                    [
                        {**run, '_id': ObjectId(), field: value, 'unsettled': True}
                        for value in ODD
                    ]
                )
        result = self.fab(
            'migrations', 'migrations:history', 'migrations:check', FORCE_COLOR='1'
        )
        self.assertEqual(result.status, 1, result.said)
        self.assertNotIn('Traceback', result.said)
        self.assertNotIn('\x1b[2J', result.said)
        self.assertIn('Some migrations need attention', result.stderr)

    def test_unlock_takes_any_lock(self) -> None:
        for value in ODD:
            lock = dict.fromkeys(
                (*('owner', 'user', 'host', 'pid'), *('subtask', 'since', 'expires')),
                value,
            )
            self.db.migrations_lock.insert_one({'_id': 'lock', **lock})
            result = self.fab('migrations:unlock,force=yes')
            self.assertEqual(result.status, 0, result.said)
            self.assertNotIn('\x1b[2J', result.said)
            self.assertEqual(self.contents('migrations_lock'), [])


class ManyTest(PlainTest):
    def test_listings_have_an_end(self) -> None:
        self.register(*(f'{number:05}_gone.py' for number in range(5000)))
        self.manager().show_status()
        self.assertLess(len(self.logger.said), 60)
        self.assertIn('  and 4,950 more', self.logger.of('white'))
