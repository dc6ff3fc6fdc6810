"""What the server tells of indexes, of limits and of kinds of collections."""

from __future__ import annotations

from unittest.mock import patch

from migopy.preflight import builds, limits
from tests.shapes import up
from tests.tried import LookedTest

GEO = "db.places.create_index([('at', '2dsphere')])"
TEXT = "db.places.create_index([('name', 'text')])"


class ConflictTest(LookedTest):
    """Indexes that are in each other's way."""

    def test_both_are_named(self) -> None:
        part = {'partialFilterExpression': {'total_of_the_invoice': {'$gt': 1}}}
        self.db.users.create_index('name_of_the_customer', name='by', **part)
        body = f"db.users.create_index('total_of_the_invoice', name='by', **{part})"
        [found] = self.found(body)
        self.assertEqual(found['name'], 'fails')
        for each in ('key: { name_of_the_customer:', 'key: { total_of_the_invoice:'):
            self.assertIn(each, found['what'])
        self.assertNotIn('documentation', found['what'])


class ObstacleTest(LookedTest):
    """Documents that an index cannot take."""

    def assert_one(self, body: str, name: str, number: int) -> None:
        [found] = self.found(body)
        self.assertEqual((found['name'], found['severity']), (name, 'problem'))
        self.assertEqual((found['figures'], found['line']), ({'number': number}, 5))

    def test_two_arrays(self) -> None:
        self.db.users.insert_many(
            [
                {'a': [1], 'b': 2},
                {'a': 1, 'b': [2]},
                {'in': [{'a': 1, 'b': 2}, {'a': [3]}]},
                {'p': 1, 'a': [1], 'b': []},
            ]
        )
        body = "db.users.create_index([('a', 1), ('b', -1)])"
        self.assert_one(body, 'arrays', 1)
        self.assert_one("db.users.create_index([('a', 'hashed')])", 'arrays', 2)
        self.nothing(body.replace(')])', ")], partialFilterExpression={'p': 2})"))
        self.nothing("db.users.create_index([('in.a', 1), ('in.b', 1)])")
        self.nothing("db.users.delete_many({'p': 1})\n" + body)

    def test_geometry(self) -> None:
        point = {'type': 'Point', 'coordinates': [7.6, 47.6]}
        ring = [[[0, 0], [1, 0], [1, 1], [0, 0]]]
        self.db.places.insert_many(
            [
                {'at': point},
                {'at': [7.6, 47.6]},
                {'at': None},
                {'at': []},
                {},
                {'at': {'type': 'Polygon', 'coordinates': ring}},
                {'at': {'type': 'LineString', 'coordinates': [[0, 0], [1, 0]]}},
            ]
        )
        self.nothing(GEO)
        self.db.places.insert_many(
            [
                {'at': 'Basel'},
                {'at': [point]},
                {'at': {**point, 'coordinates': [1, 99]}},
            ]
        )
        self.assert_one(GEO, 'geo', 3)

    def test_flat_geometry(self) -> None:
        flat = GEO.replace('2dsphere', '2d')
        fitting = [[7.6, 47.6], {'x': 7.6, 'y': 47.6}, 'Basel', None, [], {}]
        self.db.places.insert_many([{'at': at} for at in [*fitting, [-180, 9]]])
        self.nothing(flat)
        point = {'type': 'Point', 'coordinates': [7.6, 47.6]}
        self.db.places.insert_many([{'at': at} for at in ([200, 20], [1], point)])
        self.assert_one(flat, 'geo', 3)
        wide = flat.replace(')])', ')], min=-500, max=500)')
        self.assert_one(wide, 'geo', 2)

    def test_arrays_beside_a_text(self) -> None:
        self.db.places.insert_one({'name': ['x'], 'tag': 'y'})
        body = TEXT.replace('[(', "[('tag', 1), (", 1)
        self.nothing(body)
        self.db.places.insert_one({'name': 'x', 'tag': ['y', 'z']})
        self.assert_one(body, 'arrays', 1)

    def test_languages(self) -> None:
        self.db.places.insert_many(
            [{'name': 'x', 'language': 'German'}, {'language': 'none'}, {}]
        )
        self.nothing(TEXT)
        self.db.places.insert_many([{'language': 'klingon'}, {'language': 5}])
        self.assert_one(TEXT, 'text', 2)
        self.nothing(TEXT.replace(')])', ")], language_override='other')"))

    def test_a_dry_run_raises_what_the_server_does(self) -> None:
        self.db.users.insert_one({'a': [1], 'b': [2]})
        self.migration('001_x.py', up("db.users.create_index([('a', 1), ('b', 1)])"))
        errors = []
        for options in ({'dry_run': 'yes'}, {}):
            with self.assertRaises(Exception) as raised:
                self.manager().execute(**options)
            errors.append(raised.exception)
        tried, done = errors
        self.assertEqual(type(tried), type(done))
        self.assertEqual(tried.code, done.code)  # type: ignore[attr-defined]


class BuildTest(LookedTest):
    """Indexes that are made of large collections, and dropped from them."""

    def setUp(self) -> None:
        super().setUp()
        self.db.users.insert_many({'a': n, 'b': 'x' * 40} for n in range(10_000))

    def test_the_size_and_the_duration(self) -> None:
        with patch.object(builds, 'LARGE', 10_000):
            [found] = self.found("db.users.create_index('b')")
            self.assertEqual(
                (found['name'], found['severity']), ('index-build', 'notice')
            )
            # Less what the storage makes smaller; 40 bytes and their length each.
            size = found['figures']['bytes']
            self.assertTrue(400_000 < size < 1_000_000, size)
            self.db.users.create_index('b')
            self.nothing("db.users.create_index('b')")
        self.nothing("db.users.create_index('a')")

    def test_no_room_on_the_disk(self) -> None:
        with patch.object(builds, 'LARGE', 10_000):
            with patch.object(builds, 'free', return_value=1000):
                names = self.names("db.users.create_index('b')")
            self.assertEqual(names, ['index-build', 'disk'])

    def test_an_index_that_is_in_use(self) -> None:
        self.db.users.create_index('a')
        body = "db.users.drop_index('a_1')"
        self.nothing(body)
        for n in range(10):
            self.nothing(body)
            self.db.users.find_one({'a': n})
        [found] = self.found(body)
        self.assertEqual(found['name'], 'index-in-use')
        self.assertEqual(found['figures']['uses'], 10)
        self.assertEqual(self.names('db.users.drop_indexes()'), ['index-in-use'])
        self.nothing("db.users.create_index('b')")

    def test_a_drop_before_a_build(self) -> None:
        self.db.users.create_index('a')
        make, drop = (
            "db.users.create_index([('a', 1), ('b', 1)])",
            "db.users.drop_index([('a', 1)])",
        )
        self.assertEqual(self.names(f'{drop}\n{make}'), ['drop-and-build'])
        self.nothing(f'{make}\n{drop}')
        self.nothing(f"{drop}\ndb.users.create_index('b')")


class LimitsTest(LookedTest):
    """What a run writes, against what holds it."""

    FILL = "db.users.insert_many([{'n': n, 'x': 'x' * 1000} for n in range(2000)])"

    def test_the_oplog(self) -> None:
        with patch.object(limits, 'MUCH', 1e-6):
            [found] = self.found(
                "db.users.update_many({}, {'$set': {'a': 1}})\n" + self.FILL
            )
            self.assertEqual((found['name'], found['severity']), ('oplog', 'notice'))
            self.nothing('db.users.insert_one({})')
        self.nothing(self.FILL)

    def test_a_transaction(self) -> None:
        inside = 'transaction = True'
        with patch.object(limits, 'MANY', 2000):
            self.assertEqual(self.names(self.FILL, inside), ['transaction-limits'])
            self.nothing(self.FILL)
            self.nothing(self.FILL.replace('2000', '1999'), inside)
        with patch.object(limits, 'LONG', 0.0):
            self.assertEqual(self.names(self.FILL, inside), ['transaction-limits'])


class KindsTest(LookedTest):
    """Collections that refuse what others take."""

    def test_capped(self) -> None:
        self.db.create_collection('log', capped=True, size=10_000)
        body, inside = 'db.log.insert_one({})', 'transaction = True'
        self.assertIn('capped', self.names(body, inside))
        self.assertNotIn('capped', self.names(body))

    def test_time_series(self) -> None:
        self.needs_version(5, 0)
        self.db.create_collection(
            'points', timeseries={'timeField': 'at', 'metaField': 'meta'}
        )
        body = "db.points.update_one({'at': 1}, {'$set': {'at': 2}})"
        self.assertIn('time-series', self.names(body))
        body = "db.points.update_many({'meta.a': 1}, {'$set': {'meta.a': 2}})"
        self.assertNotIn('time-series', self.names(body))

    def test_watched(self) -> None:
        self.db.users.insert_one({})
        self.db.orders.insert_one({})
        body = "db.users.rename('people')"
        with self.db.users.watch():
            [found] = self.found(body)
            self.assertEqual(found['name'], 'watched')
            self.assertEqual(
                found['what'], 'users goes away, and 1 change stream watches it'
            )
            with self.db.users.watch():
                [found] = self.found(body)
            self.assertIn('and 2 change streams watch it', found['what'])
            self.nothing("db.orders.rename('people')")
            self.nothing("db.users.update_many({}, {'$set': {'a': 1}})")
        self.nothing(body)
