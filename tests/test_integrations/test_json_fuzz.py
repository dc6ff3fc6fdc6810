"""JSON of each command while hostile text is in names, errors and records, by a seed.

Whatever a database or a migration holds, a command asked for in JSON writes lines as
docs/machines.rst has them, the last one of the event `ended`, with no secret in them.

`MIGOPY_TEST_INPUTS=20000` makes that many inputs, `MIGOPY_TEST_SEED=5` others.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from bson.errors import InvalidBSON
from pymongo.errors import PyMongoError

from migopy import MigopyException
from tests import hostile, schema
from tests.project import PlainTest

#: How many inputs are tried, and what they are made by. An input takes a few commands.
INPUTS = int(os.environ.get('MIGOPY_TEST_INPUTS', '2000')) // 250
SEED = os.environ.get('MIGOPY_TEST_SEED', '2014')

#: It is in a setting, so no line may hold it.
SECRET = 'hunter22/&'

#: Names that a file system takes, and that mean something elsewhere.
NAMES = (
    '001_plain.py',
    '002_two words.py',
    "003_it's $(x) `y`.py",
    '004_é✓漢字🙂.py',
    '005_\x1b[31m\x07\x7f.py',
    '006_line\nbreak,a=b.py',
    '007_{0} %s %(x)s.py',
    '008_\udcff.py',
)

PATTERN = r'(?s)(?P<migr_nr>[0-9]+)_.*\.py'

#: What a migration raises, with the secret in the middle of it.
RAISES = """
def up(db):
    db.a.insert_one({{}})
    raise {kind}({text!r})

def down(db):
    raise {kind}({text!r})
"""

WRITES = """
def up(db):
    db[{name!r}].insert_one({{}})
    print({text!r})

def down(db):
    db[{name!r}].delete_many({{}})
"""

Command = tuple[str, Sequence[str], Mapping[str, str]]


class JsonFuzzTest(PlainTest):
    """Invariant: `self.dice` decides all that is tried."""

    many = False

    def setUp(self) -> None:
        super().setUp()
        self.dice = random.Random(f'{SEED} json {self.many}')

    def test_each_line_is_as_the_page_says(self) -> None:
        for number in range(INPUTS):
            with self.subTest(number):
                self.spoil()
                for command in self.commands():
                    self.told(*command)

    def spoil(self) -> None:
        """Put hostile text wherever a command looks."""
        for file in (self.folder / 'mongomigrations').iterdir():
            file.unlink(missing_ok=True)
        # Of those that are no UTF-8 the last one keeps all others from being run.
        names = NAMES if self.dice.random() < 0.2 else NAMES[:-1]
        for name in self.dice.sample(names, 3):
            self.write(f'mongomigrations/{name}', self.migration_text())
        for collection in ('migrations', 'migrations_history', 'migrations_lock'):
            self.db[collection].delete_many({})
        for _ in range(self.dice.randrange(4)):
            self.insert('migrations', {'name': self.name(), 'by': self.text()})
            self.insert('migrations_history', self.run_document())
        if self.dice.random() < 0.2:
            self.insert('migrations_lock', {'_id': 'lock', 'owner': self.text()})
        self.insert('changelog', {'fileName': self.text(), 'appliedAt': self.text()})

    def run_document(self) -> dict[str, Any]:
        return {
            '_id': ObjectId(),
            'name': self.name(),
            'direction': self.dice.choice(['up', 'down']),
            'started': datetime(2026, 11, 22),
            'outcome': self.dice.choice([None, 'failed', 'executed', self.text()]),
            'unsettled': self.dice.choice([True, False]),
            'error': self.text(),
            'user': self.text(),
            'host': self.text(),
            'effects': {'collections': [{'name': self.text(), 'inserted': 1}]},
        }

    def insert(self, collection: str, document: dict[str, Any]) -> None:
        spoiled = hostile.spoiled(document, self.dice)
        # What the server itself refuses is nothing that a command could meet.
        with contextlib.suppress(InvalidBSON, PyMongoError):
            self.db[collection].insert_one(
                document if self.dice.random() < 0.5 else spoiled
            )

    def name(self) -> str:
        return self.dice.choice([*NAMES[:6], '999_gone.py'])

    def text(self) -> str:
        return f'{self.dice.choice(hostile.TEXTS)} {SECRET} {self.dice.random()}'

    def migration_text(self) -> str:
        text = self.text()
        if self.dice.random() < 0.5:
            kind = self.dice.choice(['ValueError', 'KeyError', 'SystemExit'])
            return RAISES.format(kind=kind, text=text)
        name = self.dice.choice(['plain', 'two words', 'é✓', 'a=b,c', "it's"])
        return WRITES.format(name=name, text=text)

    def commands(self) -> list[Command]:
        """List what is typed for one input."""
        name = self.dice.choice([*NAMES, self.text()])
        reading: list[Command] = [
            (command, [], {})
            for command in ('show_status', 'check', 'list', 'history', 'adopt')
        ]
        more: list[Command] = [
            ('history', [name], {}),
            ('verify', [], {}),
            ('settings', [], {}),
            ('help', [], {}),
            ('help', [self.text()], {}),
            ('check', [], {'offline': 'yes'}),
            ('dbrestore', [], {}),
            ('execute', [], {'dry_run': 'yes'}),
            ('execute', [name], {'show': '2'}),
            ('execute', [], {'to': self.text()}),
            ('execute', [], {}),
            ('rollback', [name], {'yes': 'yes'}),
            ('ignore', [name], {}),
            ('accept', [name], {}),
            ('forget', [name], {}),
            ('rename', [name, self.name()], {}),
            ('unlock', [], {'force': 'yes', 'yes': 'yes'}),
            (self.text(), [], {}),
            ('execute', [], {self.text(): 'x'}),
        ]
        return [*reading, *self.dice.sample(more, 6)]

    def settings(self) -> dict[str, Any]:
        """Give the settings of the manager, of one database or of many."""
        own = {'MONGO_DATABASES': [self.db.name], 'MONGO_DATABASE': None}
        return {
            'MIGRATIONS_FILE_PATTERN': PATTERN,
            # The server asks for none, so this password meets nobody.
            'MONGO_USER_PASS': SECRET,
            'LOCK_WAIT': 0,
            **(own if self.many else {}),
        }

    def told(
        self, command: str, values: Sequence[str], options: Mapping[str, str]
    ) -> None:
        """Carry out a command; fail unless its lines are sound."""
        is_about_one = command not in ('help', 'settings') and 'offline' not in options
        if self.many and is_about_one:
            # A pattern takes it for many databases, a name for one alone.
            options = {**options, 'only': f'{self.db.name[:-1]}?'}
        said, errors = io.StringIO(), io.StringIO()
        manager = self.manager(**self.settings())
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            try:
                manager.perform(command, values, {**options, 'json': 'yes'})
            # What a migration raises comes out as it is.
            except (MigopyException, ValueError, KeyError, SystemExit) as error:
                self.assertNotIsInstance(error, UnicodeError)
            finally:
                manager.disconnect()
        text = said.getvalue()
        self.assertNotIn(SECRET, text)
        lines = [schema.check(line) for line in text.splitlines()]
        self.assertTrue(lines, (command, errors.getvalue()))
        self.assertEqual(
            [each['event'] for each in lines].count('ended'), 1, (command, text)
        )
        self.assertEqual(lines[-1]['event'], 'ended')


class ManyTest(JsonFuzzTest):
    """The same where there are many databases."""

    many = True
