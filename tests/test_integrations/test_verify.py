"""`require` before `up` and `verify` after it, and `verify` at any time."""

from __future__ import annotations

from typing import Any

from migopy import MigopyException
from tests.project import FabTest, PlainTest

NAME = '001_split.py'

UP = """
def up(db):
    db.users.update_many({}, {'$set': {'first': 'Ann'}})
"""

WELL = """
def require(db):
    assert db.users.count_documents({'first': {'$exists': True}}) == 0

def verify(db):
    return db.users.count_documents({'first': None}) == 0
"""

#: Answers of a `verify` that do not say that all is well, and what is told of them.
NOT_WELL = {
    'return False': 'its verify returned False',
    'return db.users.count_documents({"none": 1})': 'returned a value of type int',
    'return db.users.find({})': 'Cursor; it is to return True, False',
    'return (each for each in [])': 'a value of type generator',
    'assert db.users.count_documents({}) == 3, "not three"': 'not three',
    'raise ValueError("odd")': 'ValueError: odd',
    'raise SystemExit(0)': 'SystemExit',
    'db.users.insert_one({})': 'its verify tried to write (insert on',
    'db.other.create_index("a")': 'tried to write (createIndexes on',
    'db.users.aggregate([{"$out": "copy"}])': 'tried to write (aggregate on',
}


class ConditionsTest(PlainTest):
    """What they do to `execute`, in a transaction and without."""

    def setUp(self) -> None:
        super().setUp()
        self.db.users.insert_many([{'_id': 1}, {'_id': 2}])

    def failed(self, text: str, **attributes: Any) -> str:
        """Execute a file that fails; give what was told of it in red."""
        self.migration(NAME, text)
        self.logger.said.clear()
        with self.assertRaises((Exception, SystemExit)):
            self.manager(**attributes).execute()
        self.assertEqual(self.registered(), [])
        return '\n'.join(self.logger.of('red'))

    def split(self) -> int:
        return self.db.users.count_documents({'first': 'Ann'})

    def test_both_are_asked_and_all_is_well(self) -> None:
        for transaction in (False, True):
            self.migration(NAME, UP + WELL)
            manager = self.manager(TRANSACTION=transaction)
            manager.execute()
            self.assertEqual(self.split(), 2)
            # Once more: now `require` refuses it.
            self.db.migrations.drop()
            self.db.migrations_history.drop()
            with self.assertRaises(AssertionError):
                manager.execute()
            self.db.users.update_many({}, {'$unset': {'first': ''}})
            self.db.migrations_history.drop()

    def test_a_refusal_by_require_leaves_all_as_it_was(self) -> None:
        for transaction in (False, True):
            for answer in ('return False', 'raise ValueError("too early")'):
                told = self.failed(
                    f'def require(db):\n    {answer}\n{UP}', TRANSACTION=transaction
                )
                self.assertIn(f'{NAME} failed in its require.', told)
                self.assertIn(
                    'nothing was changed' if transaction else 'had written nothing',
                    told,
                )
                self.assertEqual(self.split(), 0)
                self.manager().show_status()
                self.assertNotIn('Unfinished', '\n'.join(self.logger.of('red')))

    def test_a_verify_that_is_not_content_fails_it(self) -> None:
        for answer, reason in NOT_WELL.items():
            with self.subTest(answer):
                told = self.failed(f'{UP}\ndef verify(db):\n    {answer}')
                self.assertIn(f'{NAME} failed in its verify.', told)
                self.assertIn(reason, told)
                self.assertIn('so it is unfinished', told)
                self.assertIn('users 2 updated', told)
                self.assertEqual(self.contents('copy'), [])
                self.assertEqual(self.db.users.count_documents({}), 2)
                self.db.users.update_many({}, {'$unset': {'first': ''}})
                self.db.migrations_history.drop()

    def test_in_a_transaction_nothing_is_left_of_it(self) -> None:
        for answer in ('return False', 'db.users.insert_one({})', '1 / 0'):
            told = self.failed(
                f'transaction = True\n{UP}\ndef verify(db):\n    {answer}'
            )
            self.assertIn(f'{NAME} failed in its verify.', told)
            self.assertIn('nothing was changed', told)
            self.assertEqual(self.split(), 0)

    def test_a_refused_write_that_verify_swallows_is_told(self) -> None:
        text = """
            def up(db):
                db.users.update_many({}, {'$set': {'first': 'Ann'}})

            def verify(db):
                try:
                    db.users.delete_many({})
                except BaseException:
                    return True
            """
        told = self.failed(text)
        self.assertIn('its verify tried to write (delete on', told)
        self.assertEqual(self.split(), 2)

    def test_after_up_alone_there_is_nothing_to_settle(self) -> None:
        told = self.failed('def up(db): pass\ndef verify(db): return False')
        self.assertIn('It had written nothing', told)

    def test_a_write_conflict_in_verify_is_tried_again(self) -> None:
        """As one of `up`: the error keeps the label that MongoDB gave it."""
        self.migration(
            NAME,
            UP
            + """
transaction = True
seen = []

def verify(db):
    seen.append(1)
    if len(seen) == 1:
        from pymongo.errors import OperationFailure
        labels = {'errorLabels': ['TransientTransactionError']}
        raise OperationFailure('again', 251, labels)
""",
        )
        self.manager().execute()
        self.assertEqual(self.registered(), [NAME])

    def test_rollback_asks_neither(self) -> None:
        self.migration(NAME, UP + WELL + 'def down(db): pass')
        manager = self.manager()
        manager.execute()
        manager.rollback('1')
        self.assertEqual(self.registered(), [])

    def test_a_helper_of_that_name_is_told_and_not_called(self) -> None:
        self.migration(
            NAME,
            """
            require = True

            def verify(user):
                raise AssertionError('called')

            def up(db):
                pass
            """,
        )
        self.manager().execute()
        self.assertIn(
            f'{NAME}: its verify is taken for a helper and not called, as it cannot be'
            ' called with a `db` alone',
            self.logger.of('white'),
        )

    def test_what_would_look_later_is_refused_before_anything_runs(self) -> None:
        for text in ('def verify(db): yield', 'async def require(db): yield'):
            told = self.failed_before(f'{text}\n{UP}')
            self.assertIn('nothing was run', told)

    def failed_before(self, text: str) -> str:
        self.migration(NAME, text)
        with self.assertRaises(MigopyException) as caught:
            self.manager().execute()
        self.assertEqual(self.contents('migrations_history'), [])
        return str(caught.exception)


class DryRunTest(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        self.db.users.insert_many([{'_id': 1}, {'_id': 2}])

    def test_both_are_asked(self) -> None:
        self.migration(NAME, UP + WELL)
        self.manager().execute(dry_run='yes')
        self.assertIn(f'{NAME} would do: users 2 updated', self.logger.of('white_bold'))
        for function in ('require', 'verify'):
            self.migration(NAME, f'{UP}\ndef {function}(db): return False')
            with self.assertRaises(MigopyException):
                self.manager().execute(dry_run='yes')
            told = self.logger.of('red')[-1]
            self.assertIn(f'{NAME} failed in its {function}.', told)
            self.assertIn('The dry run has changed nothing', told)
        self.assertEqual(self.db.users.count_documents({'first': 'Ann'}), 0)
        self.assertEqual(self.contents('migrations_history'), [])

    def test_verify_may_ask_what_a_transaction_would_refuse(self) -> None:
        indexes = 'db.users.index_information()'
        self.migration(NAME, f"{UP}\ndef verify(db): return '_id_' in {indexes}")
        self.manager().execute(dry_run='yes')
        self.assertIn(f'{NAME} would do: users 2 updated', self.logger.of('white_bold'))
        self.migration(NAME, f"{UP}\ndef verify(db): return 'x' in {indexes}")
        with self.assertRaisesRegex(MigopyException, 'its verify returned False'):
            self.manager().execute(dry_run='yes')


class AtAnyTimeTest(FabTest):
    """`fab migrations:verify`."""

    def setUp(self) -> None:
        super().setUp()
        self.db.users.insert_many([{'_id': 1}, {'_id': 2}])
        self.migration('001_split.py', UP + WELL)
        self.migration('002_plain.py', 'def up(db): pass')
        self.migration('003_index.py', INDEX)
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('004_pending.py', 'def up(db): pass\ndef verify(db): 1 / 0')

    def everything(self) -> list[Any]:
        names = sorted(self.db.list_collection_names())
        return [(name, list(self.db[name].find())) for name in names]

    def test_those_that_are_applied_and_have_one_are_verified(self) -> None:
        before = self.everything()
        result = self.assert_ok(self.fab('migrations:verify'))
        self.assertEqual(
            result.stderr, '001_split.py verified\n003_index.py verified\n'
        )
        result = self.assert_ok(self.fab('migrations:verify,3'))
        self.assertEqual(result.stderr, '003_index.py verified\n')
        self.assertEqual(self.everything(), before)

    def test_one_that_fails_keeps_no_other_from_being_looked_at(self) -> None:
        self.db.users.insert_one({'_id': 3})
        result = self.fab('migrations:verify')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('001_split.py failed in its verify.', result.stderr)
        self.assertIn('To look again: fab migrations:verify,001_split.py', result.said)
        self.assertIn('003_index.py verified', result.stderr)
        self.assertIn('1 of 2 not verified, see above: 001_split.py', result.stderr)

    def test_what_would_write_is_refused(self) -> None:
        for text in (
            f'{UP}\ndef verify(db): db.users.delete_many({{}})',
            'import pymongo\ndef up(db): pass\ndef verify(db):\n'
            f'    pymongo.MongoClient({self.uri!r})[db.name].users.drop()',
        ):
            self.migration('001_split.py', text)
            result = self.fab('migrations:verify,1')
            self.assertEqual(result.status, 1, result.said)
            self.assertIn('its verify tried to write', result.stderr)
            self.assertEqual(self.db.users.count_documents({}), 2)
            self.assertEqual(self.fab('migrations:check').status, 1)

    def test_so_is_what_the_file_itself_would_write_when_imported(self) -> None:
        self.migration(
            '001_split.py',
            'import pymongo\n'
            f'pymongo.MongoClient({self.uri!r})[{self.db.name!r}].users.drop()\n'
            f'{UP}{WELL}',
        )
        result = self.fab('migrations:verify,1')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('failed in its import.', result.stderr)
        self.assertEqual(self.db.users.count_documents({}), 2)

    def test_what_cannot_be_refused_is_told(self) -> None:
        self.migration(
            '001_split.py',
            'import subprocess\n'
            f'{UP}\ndef verify(db): subprocess.run(["true"], check=True)',
        )
        result = self.assert_ok(self.fab('migrations:verify,1'))
        self.assertIn('may have written: a child process was started', result.stderr)

    def test_a_file_that_cannot_be_imported_is_one_that_fails(self) -> None:
        self.migration('001_split.py', 'import nosuch\ndef verify(db): pass')
        result = self.fab('migrations:verify')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('001_split.py failed in its import.', result.stderr)
        self.assertIn("No module named 'nosuch'", result.stderr)
        self.assertNotIn('nothing was executed', result.said)
        self.assertIn('003_index.py verified', result.stderr)

    def test_one_without_a_verify_need_not_be_imported(self) -> None:
        self.migration('002_plain.py', 'import nosuch')
        self.assert_ok(self.fab('migrations:verify'))

    def test_a_verify_that_comes_from_elsewhere_is_found(self) -> None:
        self.migration('_helpers.py', 'def verify(db): return False')
        self.migration('002_plain.py', 'from ._helpers import *\ndef up(db): pass')
        result = self.fab('migrations:verify,2')
        self.assertIn('its verify returned False', result.stderr)

    def test_what_cannot_be_verified_is_a_sentence(self) -> None:
        pending, without, unknown = self.errors(
            'migrations:verify,4', 'migrations:verify,2', 'migrations:verify,9'
        )
        self.assertIn('004_pending.py is not applied; nothing was done.', pending)
        self.assertIn('002_plain.py has no verify(db) in its file', without)
        self.assertIn("There is no migration '9'", unknown)

    def test_with_none_to_verify_all_is_well(self) -> None:
        self.db.migrations.delete_many({'name': {'$ne': '002_plain.py'}})
        result = self.assert_ok(self.fab('migrations:verify'))
        self.assertIn('No applied migration has a verify(db)', result.said)

    def test_it_says_that_another_command_runs(self) -> None:
        now: Any = self.client.admin.command('hello')['localTime']
        lock = {'_id': 'lock', 'owner': 'x', 'expires': now.replace(year=9000)}
        self.db.migrations_lock.insert_one(lock)
        result = self.assert_ok(self.fab('migrations:verify'))
        self.assertIn('Another command is running, and may change data', result.stderr)

    def test_a_child_that_returns_from_it_says_nothing(self) -> None:
        self.migration(
            '001_split.py',
            'import os\n'
            f'{UP}\n'
            'def verify(db):\n'
            '    child = os.fork()\n'
            '    if child:\n'
            '        os.waitpid(child, 0)\n',
        )
        result = self.assert_ok(self.fab('migrations:verify,1'))
        self.assertEqual(result.stderr.count('001_split.py verified'), 1)


INDEX = """
def up(db):
    db.users.create_index('first')

def verify(db):
    return 'first_1' in db.users.index_information()
"""


class OptimizedTest(FabTest):
    """`python -O`, as by a PYTHONOPTIMIZE of a container."""

    from_nothing = True

    def test_an_assert_of_a_file_and_of_its_helper_holds(self) -> None:
        self.migration('_helper.py', 'def look(db):\n    assert db.users.find_one()')
        for condition in ('assert db.users.find_one()', '_helper.look(db)'):
            with self.subTest(condition):
                self.migration(
                    NAME,
                    f'from . import _helper\ndef require(db):\n    {condition}\n{UP}',
                )
                result = self.fab('migrations:execute', PYTHONOPTIMIZE='1')
                self.assertEqual(result.status, 1, result.said)
                self.assertIn('AssertionError', result.stderr)
                self.assertEqual(self.registered(), [])
