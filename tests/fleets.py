"""Many databases for one test, with names of their own."""

from __future__ import annotations

from tests.project import FabTest, Result

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASES = '{database}_*'

    migrations = Migrations.create_task()
"""

#: Writes a document, and fails where one is called `bad`.
PICKY = """
    def up(db):
        if db.settings.find_one({'bad': True}):
            raise ValueError('no good')
        db.ran.insert_one({})

    def down(db):
        db.ran.delete_many({})
"""


class FleetTest(FabTest):
    """A test of `fab` with the databases `<name>_a`, `<name>_b`, … of the test."""

    fabfile = FABFILE
    letters = 'abc'

    def setUp(self) -> None:
        super().setUp()
        self.make(*self.letters)

    def name(self, letter: str) -> str:
        """Give the name of one of the databases."""
        return f'{self.db.name}_{letter}'

    def make(self, *letters: str) -> None:
        """Make databases, each with a document in it."""
        for letter in letters:
            name = self.name(letter)
            self.client[name].settings.insert_one({'letter': letter})
            self.addCleanup(self.client.drop_database, name)

    def spoil(self, *letters: str) -> None:
        """Have the migration `PICKY` fail in some databases."""
        for letter in letters:
            self.client[self.name(letter)].settings.insert_one({'bad': True})

    def mend(self, *letters: str) -> None:
        """Let it not fail any more."""
        for letter in letters:
            self.client[self.name(letter)].settings.delete_many({'bad': True})

    def names_in(self, letter: str) -> list[str]:
        """List what is registered in one of the databases."""
        found = self.client[self.name(letter)].migrations.find(sort=[('name', 1)])
        return [each['name'] for each in found]

    def shortened(self, text: str) -> str:
        """Leave the test's own part out of the names of the databases."""
        where = '/'.join(self.uri.split('/')[:3])
        return text.replace(f'{self.db.name}_', '').replace(where, 'SERVER')

    def shown(self, result: Result) -> str:
        """Give what was said and shown, with short names."""
        return self.shortened(result.stderr + result.stdout)
