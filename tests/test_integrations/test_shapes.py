"""What a dry run says of migrations of real shapes is what they do then."""

from __future__ import annotations

import re

from tests.project import PlainTest
from tests.shapes import ENDED, SHOWN, load

NAME = '001_shape.py'


class ShapesTest(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        load(self.db)

    def state(self) -> object:
        """Hash all documents, and list the indexes and the collections."""
        names = sorted(self.db.list_collection_names(filter={'type': 'collection'}))
        listed = sorted(
            (each['name'], str(each['options'])) for each in self.db.list_collections()
        )
        indexes = {name: self.db[name].index_information() for name in names}
        return self.db.command('dbHash')['md5'], listed, indexes

    def said(self, pattern: str) -> list[str]:
        """List what was said behind a pattern."""
        lines = [message for _, message in self.logger.said]
        return [
            match[1] for line in lines if (match := re.search(pattern, line, re.DOTALL))
        ]

    def try_and_do(self, names: list[str]) -> None:
        for name in names:
            with self.subTest(name):
                self.client.drop_database(self.db.name)
                load(self.db)
                self.migration(NAME, SHOWN[name])
                before = self.state()
                self.logger.said.clear()
                manager = self.manager()
                manager.execute(dry_run='yes')
                [tried] = self.said(r'would do: (.*)')
                self.assertEqual(self.state(), before)
                manager.execute()
                [done] = self.said(r'executed in [^:]*: (.*)')
                self.assertEqual(tried, done.replace('nothing changed', 'nothing'))
                manager.disconnect()

    def test_a_first_part(self) -> None:
        self.try_and_do(list(SHOWN)[0::4])

    def test_a_second_part(self) -> None:
        self.try_and_do(list(SHOWN)[1::4])

    def test_a_third_part(self) -> None:
        self.try_and_do(list(SHOWN)[2::4])

    def test_a_fourth_part(self) -> None:
        self.try_and_do(list(SHOWN)[3::4])

    def test_of_the_others_it_is_said(self) -> None:
        for name, text in ENDED.items():
            with self.subTest(name):
                self.client.drop_database(self.db.name)
                load(self.db)
                self.migration(NAME, text.replace('{uri}', self.uri))
                before = self.state()
                self.logger.said.clear()
                manager = self.manager()
                with self.assertRaisesRegex(Exception, 'could not show all of'):
                    manager.execute(dry_run='yes')
                self.assertEqual(self.said('(cannot be shown)'), ['cannot be shown'])
                self.assertEqual(self.state(), before)
                manager.disconnect()

    def test_as_many_are_shown_as_are_to_be(self) -> None:
        self.assertGreaterEqual(len(SHOWN), 52)
        self.assertEqual(len(SHOWN) + len(ENDED), 58)
