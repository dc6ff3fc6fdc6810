"""TTL indexes: how many documents they would have deleted is told before."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import patch

from bson import DatetimeMS

from migopy.standin import checks
from tests.tried import LookedTest, TriedTest

DAY = 24 * 3600
MADE = f"db.carts.create_index('touched', expireAfterSeconds={30 * DAY})"
BY_COMMAND = f"""
    db.command('createIndexes', 'carts', indexes=[
        {{'key': {{'touched': -1}}, 'name': 'touched_1',
          'expireAfterSeconds': {30 * DAY}}}])
"""
CHANGED = """
    db.command('collMod', 'carts', index={'name': 'touched_1',
        'expireAfterSeconds': %s})
"""


def ago(days: float) -> datetime:
    """Give the moment that was so many days ago."""
    return datetime.now(timezone.utc) - timedelta(days=days)


class ExpiringTest(TriedTest):
    """What a dry run says of them."""

    def carts(self, *touched: Any) -> None:
        """Have carts with these values."""
        self.db.carts.drop()
        self.db.carts.insert_many({'touched': each} for each in touched)

    def test_an_index(self) -> None:
        self.carts(*[ago(365)] * 4, ago(1))
        for body in MADE, BY_COMMAND, MADE.replace(')', ', unique=False)'):
            with self.subTest(body):
                self.assertIn(
                    '  would make index carts.touched_1 (expireAfterSeconds 2592000):'
                    ' 5 documents, 4 of them have expired already, and the server'
                    ' deletes them within about a minute\n',
                    self.tried(body),
                )

    def test_one_that_is_unique_as_well(self) -> None:
        self.carts(ago(365), ago(1))
        said = self.tried(MADE.replace(')', ', unique=True)'))
        self.assertIn('2 documents, 1 of them has expired already', said)
        self.assertIn('(unique): 2 documents, no duplicates\n', said)

    def test_what_the_server_takes_for_expired(self) -> None:
        """The same ones as `ttl` deletes, on all versions."""
        self.carts(
            ago(365),
            [ago(1), ago(365), 'x'],
            DatetimeMS(-(10**13)),
            ago(1),
            ago(-5),
            [ago(1)],
            [[ago(365)]],
            [],
            None,
            'x',
            0,
            float('nan'),
            {'at': ago(365)},
        )
        self.assertIn('13 documents, 3 of them have expired', self.tried(MADE))
        at_once = MADE.replace(str(30 * DAY), '0')
        self.assertIn('13 documents, 5 of them have expired', self.tried(at_once))
        within = MADE.replace("'touched'", "'touched.at'")
        self.assertIn('13 documents, 1 of them has expired', self.tried(within))
        hashed = MADE.replace("'touched'", "[('touched', 'hashed')]").strip()
        self.carts(ago(365), ago(1))
        self.assertIn('touched_hashed: 2 documents\n', self.tried(hashed))

    def test_no_number_of_seconds(self) -> None:
        version = self.client.server_info()['versionArray']
        self.carts(ago(365), DatetimeMS(-(10**13)))
        said = self.tried(MADE.replace(str(30 * DAY), "float('nan')"))
        if version < [5, 0]:
            self.assertIn('2 documents, none has expired yet', said)
        elif version < [5, 0, 14]:
            self.assertIn('2 documents, 2 of them have expired', said)
        else:
            self.assertIn('2 documents, 1 of them has expired', said)

    def test_a_capped_collection(self) -> None:
        """None of its documents expires; since 6.0 it has no such index."""
        self.db.create_collection('carts', capped=True, size=10**6, max=100)
        self.db.carts.insert_one({'touched': ago(365)})
        body = f"""
            try:
                {MADE}
            except OperationFailure as error:
                assert 'capped' in str(error)
        """
        self.assertNotIn('expired', self.tried(body))

    def test_none(self) -> None:
        self.carts(ago(1), 'x')
        self.assertIn('2 documents, none has expired yet\n', self.tried(MADE))

    def test_a_part_of_them(self) -> None:
        self.carts(ago(365), ago(365))
        self.db.carts.insert_one({'touched': ago(365), 'open': False})
        part = ", partialFilterExpression={'open': False})"
        said = self.tried(MADE.replace(')', part))
        self.assertIn('3 documents, 1 of them has expired', said)

    def test_what_the_same_dry_run_has_written(self) -> None:
        self.carts(ago(365), ago(365))
        said = self.tried("db.carts.update_one({}, {'$unset': {'touched': 1}})", MADE)
        self.assertIn('2 documents, 1 of them has expired', said)

    def test_what_is_written_after_it(self) -> None:
        self.carts(ago(1), ago(1))
        year = "{'touched': datetime(2001, 1, 1)}"
        top = 'from datetime import datetime'
        told = (
            ' index %s.touched_1 (expireAfterSeconds 2592000) would be given documents'
            ' that have expired already: %s in the end, and the server deletes them'
        )
        said = self.tried(
            f"{MADE}\ndb.carts.update_many({{}}, {{'$set': {year}}})", top=top
        )
        self.assertIn(told % ('carts', 2), said)
        new = MADE.replace('carts', 'baskets') + f'\ndb.baskets.insert_one({year})'
        self.assertIn(told % ('baskets', 1), self.tried(new, top=top))
        renamed = new + "\ndb.baskets.rename('carts', dropTarget=True)"
        self.assertIn(told % ('carts', 1), self.tried(renamed, top=top))
        dropped = f"{new}\ndb.baskets.drop_index('touched_1')"
        self.assertNotIn('expired', self.tried(dropped, top=top))

    def test_an_index_whose_documents_expire_sooner(self) -> None:
        self.carts(ago(365), ago(10), ago(1))
        self.db.carts.create_index('touched', expireAfterSeconds=999 * DAY)
        self.assertIn(
            '  would change index carts.touched_1 (expireAfterSeconds 432000):'
            ' 3 documents, 2 of them have expired already',
            self.tried(CHANGED % (5 * DAY)),
        )
        said = self.tried(CHANGED % (1000 * DAY))
        self.assertIn('  would change index carts.touched_1\n', said)
        self.assertNotIn('expired', said)

    def test_an_index_that_becomes_one(self) -> None:
        if self.client.server_info()['versionArray'] < [5, 1]:
            self.skipTest('It refuses that.')
        self.carts(ago(365), ago(1))
        self.db.carts.create_index('touched')
        said = self.tried(CHANGED % (5 * DAY))
        self.assertIn('2 documents, 1 of them has expired already', said)

    def test_collections_whose_documents_expire(self) -> None:
        if self.client.server_info()['versionArray'] < [5, 3]:
            self.skipTest('It has none that are clustered.')
        series = {'timeField': 'at', 'granularity': 'hours'}
        self.db.create_collection('measured', timeseries=series)
        self.db.measured.insert_many({'at': ago(each)} for each in (365, 200, 20))
        clustered = {'key': {'_id': 1}, 'unique': True}
        self.db.create_collection('at', clusteredIndex=clustered)
        self.db.at.insert_many({'_id': ago(each)} for each in (365, 20))
        said = self.tried(
            f"""
            db.command('collMod', 'measured', expireAfterSeconds={DAY})
            db.command('collMod', 'at', expireAfterSeconds={DAY})
            """
        )
        self.assertIn('3 documents, 2 of them have expired already', said)
        self.assertIn('2 documents, 2 of them have expired already', said)


class ForeseenTest(LookedTest):
    """What `preflight` finds."""

    def test_it_is_a_notice_with_the_number(self) -> None:
        self.db.carts.insert_many({'touched': ago(each)} for each in (365, 99, 1))
        [found] = self.found(MADE)
        self.assertEqual((found['name'], found['severity']), ('expired', 'notice'))
        self.assertEqual((found['figures'], found['line']), ({'number': 2}, 5))
        self.assertEqual(
            found['what'],
            '2 documents of carts have expired already by the index touched_1',
        )
        self.nothing("db.carts.delete_many({'touched': {'$ne': 1}})\n" + MADE)
        self.nothing(MADE + '  # migopy: allow=expired as agreed')

    def test_of_a_time_series(self) -> None:
        if self.client.server_info()['versionArray'] < [5, 0]:
            self.skipTest('It has none.')
        self.db.create_collection('measured', timeseries={'timeField': 'at'})
        self.db.measured.insert_many({'at': ago(each)} for each in (365, 20))
        body = f"db.command('collMod', 'measured', expireAfterSeconds={DAY})"
        [found] = self.found(body)
        self.assertEqual(
            (found['name'], found['line'], found['what']),
            (
                'expired',
                5,
                '2 documents of measured have expired already by its'
                ' expireAfterSeconds',
            ),
        )

    def test_an_error_after_it_is_still_told(self) -> None:
        self.db.carts.insert_one({'touched': ago(365)})
        body = MADE + "\ndb.carts.create_index('touched', name='other')"
        self.assertEqual(self.names(body), ['expired', 'fails'])

    def test_what_was_not_counted(self) -> None:
        self.db.carts.insert_many({'touched': ago(1)} for _ in range(3))
        body = "db.carts.update_many({}, {'$set': {'x': 1}})\n" + MADE
        with patch.object(checks, 'MOST', 2):
            [found] = self.found(body)
        self.assertEqual((found['severity'], found['figures']), ('notice', {}))
        self.assertIn(', which were not counted: more than 2', found['what'])
