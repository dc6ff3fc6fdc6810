"""How a document of the registry is read; that needs no server."""

from __future__ import annotations

import unittest
from datetime import datetime, timedelta, timezone

from bson import Code, ObjectId

from migopy.state.registry import Record

WHEN = datetime(2014, 1, 14, 12, 30)


class RecordTest(unittest.TestCase):
    def test_reads_a_document_of_1_0(self) -> None:
        number = ObjectId()
        record = Record.of({'_id': number, 'name': '001_x.py'})
        self.assertEqual(record, Record(number, '001_x.py', None, None, None))

    def test_passes_over_fields_it_does_not_know(self) -> None:
        record = Record.of({'_id': 1, 'name': 'a', 'how': 'ignored', 'later': [1]})
        self.assertEqual(record, Record(1, 'a', None, None, 'ignored'))

    def test_code_is_a_text_as_any_other(self) -> None:
        record = Record.of({'_id': 1, 'name': 'a', 'checksum': Code('sum', {})})
        self.assertEqual({record.checksum}, {'sum'})

    def test_is_as_old_as_it_says(self) -> None:
        record = Record(ObjectId(), 'a', WHEN, None, None)
        self.assertEqual(record.since, WHEN)

    def test_is_as_old_as_its_id_where_it_does_not_say(self) -> None:
        number = ObjectId.from_datetime(WHEN)
        self.assertEqual(Record(number, 'a', None, None, None).since, WHEN)

    def test_is_oldest_where_nothing_tells(self) -> None:
        """An `_id` of another tool's, say."""
        self.assertEqual(Record('a', 'a', None, None, None).since, datetime.min)

    def test_time_is_in_utc_whatever_the_client_s_zone(self) -> None:
        """`MONGO_CLIENT_OPTIONS = {'tz_aware': True}`."""
        east = WHEN.replace(tzinfo=timezone(timedelta(hours=2)))
        record = Record(ObjectId(), 'a', east, None, None)
        self.assertEqual(record.since, WHEN - timedelta(hours=2))
