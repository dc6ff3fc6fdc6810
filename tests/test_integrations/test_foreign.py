"""Another tool's documents in collections of migopy's, and documents of odd types."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone
from typing import Any

from bson import Binary, DatetimeMS, Int64, MaxKey, ObjectId, Regex, Timestamp

from migopy.run import Unfinished
from migopy.state import Locked, StillRunning
from migopy.state.agent import place
from tests.hostile import with_unreadable
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

#: Its loop is done, then it fails as long as there is a document in `stop`.
UPDATES = """
    import migopy

    def up(db):
        migopy.update_each(db.b, lambda document: {'$set': {'x': 1}})
        1 / (1 - db.stop.count_documents({}))
"""


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
        self.logger.said.clear()
        manager.check()
        said = '\n'.join(self.logger.of('white'))
        self.assertIn("7 documents are another tool's", said)
        # Under another setting nothing would be found.
        self.assertNotIn('set MIGRATIONS_COLLECTION', said)
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


class UnreadableTest(PlainTest):
    """What PyMongo cannot decode at all stops no command either."""

    def setUp(self) -> None:
        super().setUp()
        self.migration(
            '001_x.py', 'def up(db): db.a.insert_one({})\ndef down(db): pass'
        )

    def all_commands(self) -> None:
        """Run what reads and what writes, to a good end."""
        manager = self.manager(LOCK_WAIT=0)
        manager.show_status()
        manager.history()
        manager.history('1')
        manager.execute()
        manager.rollback('1')
        manager.execute(dry_run='yes')
        manager.execute()
        manager.check()
        self.assertEqual(self.contents('a'), [{}, {}])

    def test_in_the_registry(self) -> None:
        record = {'_id': ObjectId(), 'name': '000_gone.txt', 'how': 'executed'}
        for field in ('_id', 'name', 'executed_at', 'checksum', 'how', 'other'):
            document = with_unreadable({**record, '_id': ObjectId()}, field)
            self.db.migrations.insert_one(document)
        self.all_commands()
        self.assertEqual(self.db.migrations.count_documents({}), 7)

    def test_a_record_whose_name_can_be_read_means_registered(self) -> None:
        document = {'_id': ObjectId(), 'name': '001_x.py'}
        self.db.migrations.insert_one(with_unreadable(document, 'executed_at'))
        manager = self.manager()
        self.assertEqual(manager.unregistered(), [])
        manager.execute()
        self.assertEqual(self.contents('a'), [])
        manager.rollback('1')
        self.assertEqual(manager.unregistered(), ['001_x.py'])

    def test_in_the_history(self) -> None:
        self.manager().execute()
        run = self.db.migrations_history.find_one() or {}
        self.db.a.delete_many({})
        self.manager().rollback('1')
        for field in [*run, 'effects', 'checkpoints', 'after', 'other']:
            document = {**run, '_id': ObjectId(), 'unsettled': True}
            if field != '_id':
                document['name'] = '000_other.txt'
            self.db.migrations_history.insert_one(with_unreadable(document, field))
        self.all_commands()

    def test_in_the_lock(self) -> None:
        later = datetime(2999, 12, 31)
        lock = {'_id': 'lock', 'owner': 'o', 'user': 'ann', 'expires': later, 'ttl': 60}
        for field in ('owner', 'user', 'host', 'pid', 'since', 'ttl', 'place'):
            self.db.migrations_lock.insert_one(with_unreadable(lock, field))
            manager = self.manager(LOCK_WAIT=0)
            with self.subTest(field), self.assertRaisesRegex(Locked, 'Suspicious'):
                manager.execute()
            with self.assertRaises(Locked):
                manager.execute(dry_run='yes')
            manager.show_status()
            manager.unlock()
            self.assertEqual(self.contents('migrations_lock'), [])
        # No date at all is in nobody's way: binary data is less than the present.
        self.db.migrations_lock.insert_one(with_unreadable(lock, 'expires'))
        self.all_commands()

    def test_in_checkpoints(self) -> None:
        self.needs_version(5, 0)  # an older one keeps no field of such a name
        self.migration('002_y.py', UPDATES)
        self.db.b.insert_many({'_id': number} for number in range(10))
        self.db.stop.insert_one({})
        with contextlib.suppress(ZeroDivisionError):
            self.manager().execute()
        history = self.db.migrations_history
        run = history.find_one({'name': '002_y.py'}) or {}
        [entry] = run['checkpoints']
        self.assertTrue(entry['done'])
        for odd in (*ODD, [], [entry, 5], [5], [{'key': entry['key'], 'after': b'x'}]):
            changed = {'checkpoints': odd, 'unsettled': True}
            history.update_many({'name': '002_y.py'}, {'$set': changed})
            with self.subTest(odd), self.assertRaises(ZeroDivisionError):
                self.manager().execute('2')
        self.db.stop.delete_many({})
        self.manager().execute('2')
        self.assertEqual(self.db.b.count_documents({'x': 1}), 10)


class UnfinishedByNobodyTest(PlainTest):
    """What cannot be a run of migopy's makes no migration unfinished."""

    def test_it_stands_in_no_way(self) -> None:
        self.migration('001_x.py')
        for odd in (
            {'name': 5, 'direction': 'up'},
            {'name': 'no file', 'direction': 'up'},
            {'name': '001_x.py', 'direction': 'sideways'},
            {'name': '001_x.py', 'direction': 'up', '_id': 'no id of ours'},
        ):
            self.db.migrations_history.insert_one({**odd, 'unsettled': True})
        manager = self.manager()
        manager.execute()
        manager.check()
        self.assertEqual(self.registered(), ['001_x.py'])


class SuspiciousLockTest(PlainTest):
    """A lock that lasts far longer than `LOCK_TTL` is told as that, wherever it is."""

    def lock(self, **fields: Any) -> None:
        self.db.migrations_lock.delete_many({})
        lock = {'_id': 'lock', 'owner': 'o', 'user': 'eve', 'host': 'web1', 'pid': 1}
        self.db.migrations_lock.insert_one({**lock, 'subtask': 'execute', **fields})

    def test_who_waits_for_it_is_told(self) -> None:
        self.migration('001_x.py')
        for expires, until in (
            (datetime(2999, 12, 31), '2999-12-31 00:00:00 UTC'),
            (DatetimeMS(2**63 - 1), '?'),
            (Timestamp(2**32 - 1, 1), '?'),
            (MaxKey(), '?'),
        ):
            self.lock(expires=expires, ttl=60)
            manager = self.manager(LOCK_WAIT=0)
            with self.subTest(expires), self.assertRaises(Locked) as caught:
                manager.execute()
            self.assertIn(
                f'Suspicious: it is to last until {until}, far longer than LOCK_TTL'
                ' (60 s)',
                str(caught.exception),
            )
            self.assertIn('Suspicious', self.logger.of('white')[-1])
            # It was never renewed, whatever it says.
            manager.unlock()
            self.assertIn('Suspicious', self.logger.of('white_bold')[-1])
            self.assertEqual(self.contents('migrations_lock'), [])

    def test_another_fabfile_s_time_is_not_taken_for_a_dead_one_s(self) -> None:
        later = datetime.now(timezone.utc) + timedelta(seconds=7190)
        self.lock(expires=later, ttl=7200)
        with self.assertRaisesRegex(StillRunning, 'renewed its lock .*Suspicious'):
            self.manager().unlock()
        with self.assertRaises(Locked) as caught:
            self.manager(LOCK_WAIT=0, LOCK_TTL=7200).execute()
        self.assertNotIn('Suspicious', str(caught.exception))

    def test_one_of_a_process_that_never_was_ends_the_wait(self) -> None:
        """It is this machine's, but its owner is no text, so it cannot be freed."""
        later = datetime.now(timezone.utc) + timedelta(seconds=50)
        for pid in (2**62, 2**22 + 1):
            for owner in (5, 'a\x1bb'):
                self.lock(expires=later, pid=pid, owner=owner, place=place())
                with self.subTest(pid=pid, owner=owner), self.assertRaises(Locked):
                    self.manager(LOCK_WAIT=0).execute()
        self.lock(expires=later, pid=2**62, owner='o', place=place())
        self.manager(LOCK_WAIT=0).execute()


class ManyTest(PlainTest):
    def test_listings_have_an_end(self) -> None:
        self.register(*(f'{number:05}_gone.py' for number in range(5000)))
        self.manager().show_status()
        self.assertLess(len(self.logger.said), 60)
        self.assertIn('  and 4,950 more', self.logger.of('white'))

    def test_so_has_what_is_unfinished(self) -> None:
        self.migration('001_x.py')
        run = {'name': '001_x.py', 'direction': 'up', 'unsettled': True}
        self.db.migrations_history.insert_many(dict(run) for _ in range(3000))
        self.db.migrations_history.insert_many(
            {**run, 'name': f'{number:05}_gone.py'} for number in range(3000)
        )
        manager = self.manager()
        manager.show_status()
        self.assertLess(len(self.logger.said), 200)
        self.assertIn('Unfinished: 2,951 more migrations', self.logger.of('red'))
        with self.assertRaises(Unfinished) as caught:
            manager.execute()
        said = str(caught.exception).splitlines()
        self.assertLess(len(said), 300)
        self.assertEqual(said[-1], 'and 2,951 more migrations')

    def test_a_line_has_one_as_well(self) -> None:
        long = 'x' * 1_000_000
        self.db.migrations.insert_one({'name': f'{long}.py'})
        run = {'direction': 'up', 'unsettled': True, 'user': long, 'error': long}
        run.update(host=long, outcome=long, version=long, name=f'001_{long}.py')
        self.db.migrations_history.insert_one(run)
        manager = self.manager()
        manager.show_status()
        manager.history()
        for _, message in self.logger.said:
            self.assertLess(len(message), 100_000)
