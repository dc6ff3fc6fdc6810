"""The roles of docs/containers.rst: each does, and has no right too many."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.server_api import ServerApi

from migopy import MigopyException
from migopy.operations.image_rights import MayNotKeep
from migopy.state import Lock
from tests import readme, server
from tests.project import PlainTest

#: Fails as long as the project has a file of this name.
FAILS = """
    import pathlib

    def up(db):
        if (pathlib.Path(__file__).parent / 'fail').exists():
            raise RuntimeError

    def down(db):
        pass
"""

NOTHING = 'def up(db): pass\ndef down(db): pass\n'

Role = dict[str, Any]
Step = Callable[[], object]


def roles() -> dict[str, Role]:
    """Read the roles of the block `least-roles`, for the database `shop`."""
    text = readme.block('least-roles').replace('mydatabase', 'shop')
    # An object of this kind is YAML as well.
    found = [
        yaml.safe_load(each) for each in re.findall(r'(?s)createRole\((.*?)\)', text)
    ]
    return {role['role']: role for role in found}


class RightsTest(PlainTest):
    """A user of one role, on a server that wants a password."""

    def setUp(self) -> None:
        super().setUp()
        for number in (1, 3):
            self.migration(f'00{number}_a.py', NOTHING)
        self.migration('002_b.py', FAILS)
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.server = stack.enter_context(server.with_auth('ann', 'secret', 'shop'))
        as_root = {'username': 'root', 'password': 'root'}
        self.root = stack.enter_context(MongoClient(self.server.uri, **as_root))

    @property
    def shop(self) -> Database[dict[str, Any]]:
        return self.root.shop

    def give(self, *given: Role) -> None:
        """Have these roles, and give the user the last one."""
        self.shop.command('dropAllRolesFromDatabase')
        for role in given:
            self.shop.command(
                'createRole',
                role['role'],
                privileges=role['privileges'],
                roles=role['roles'],
            )
        self.shop.command('updateUser', 'ann', roles=[given[-1]['role']])

    def do(self, command: str, *values: str, **options: str) -> None:
        """Carry out a command as that user, by a manager of its own."""
        self.logger.said.clear()
        uri = f'mongodb://ann:secret@127.0.0.1:{self.server.port}/shop'
        manager = self.manager(
            MONGO_URI=uri,
            MONGO_DATABASE='shop',
            MONGO_DUMP_DIRECTORY=str(self.folder / 'dumps'),
            LOCK_WAIT=0,
        )
        try:
            manager.perform(command, values, options)
        finally:
            manager.disconnect()
            # What only ends a little worse without a right.
            self.assertNotIn('not authorized', str(self.logger.said))
            self.assertIsNone(self.shop.migrations_lock.find_one())

    def test_who_may_remove_nothing_leaves_no_lock_that_others_wait_for(self) -> None:
        actions = ['find', 'insert', 'update', 'createIndex', 'createCollection']
        privilege = {'resource': {'db': 'shop', 'collection': ''}, 'actions': actions}
        self.give({'role': 'no_remove', 'privileges': [privilege], 'roles': []})
        uri = f'mongodb://ann:secret@127.0.0.1:{self.server.port}/shop'
        with MongoClient(uri) as client:
            lock = Lock(client.shop.migrations_lock, 60)
            settings = {'MONGO_URI': uri, 'MONGO_DATABASE': 'shop', 'LOCK_WAIT': 0}
            for name in ('001_a.py', '003_a.py'):
                self.manager(**settings).execute(name)
                self.assertIsNone(lock.holder())
            held = {'owner': 'x', 'ttl': 60, 'pid': 1}
            change = {**held, 'expires': {'$add': ['$$NOW', 60_000]}}
            self.shop.migrations_lock.update_one({'_id': 'lock'}, [{'$set': change}])
            self.assertIsNotNone(lock.holder())
            self.manager(**settings).unlock(force=True)
            self.assertIsNone(lock.holder())
            self.manager(**settings).unlock()
        self.assertEqual(self.logger.of('green'), ['Nobody holds the lock'])
        names = [each['name'] for each in self.shop.migrations.find()]
        self.assertEqual(names, ['001_a.py', '003_a.py'])

    def assert_least(
        self, name: str, begin: Step, steps: Step, but: Sequence[str] = ()
    ) -> None:
        """Fail unless a role does, and without any one of its rights does not."""
        known = roles()
        role = known[name]
        below = [known[each] for each in role['roles']]
        begin()
        self.give(*below, role)
        steps()
        for place, privilege in enumerate(role['privileges']):
            for action in set(privilege['actions']) - set(but):
                less = copy.deepcopy(role)
                less['privileges'][place]['actions'].remove(action)
                kept = [each for each in less['privileges'] if each['actions']]
                begin()
                self.give(*below, {**less, 'privileges': kept})
                where = privilege['resource']['collection'] or 'all'
                with (
                    self.subTest(f'{name} without {action} on {where}'),
                    self.assertRaises((MigopyException, AssertionError)),
                ):
                    steps()

    def drop(self) -> None:
        self.root.drop_database('shop')
        for path in self.folder.glob('mongomigrations/*_z.py'):
            path.unlink()


class LookTest(RightsTest):
    def test_it(self) -> None:
        self.assert_least('migopyLook', self.begin, self.steps)

    def begin(self) -> None:
        self.drop()
        self.give(roles()['migopyRun'])
        self.do('execute')
        self.shop.migrations_history.update_one(
            {'name': '001_a.py'}, {'$set': {'unsettled': True}}
        )

    def steps(self) -> None:
        for command in ('show_status', 'check', 'history'):
            self.do(command)
        self.do('history', '1')


class RunTest(RightsTest):
    def test_it(self) -> None:
        self.assert_least('migopyRun', self.begin, self.steps)

    def begin(self) -> None:
        self.drop()
        # Of another form than migopy's, so it looks whether that does.
        self.shop.migrations.create_index('name', unique=True)
        (self.folder / 'mongomigrations' / 'fail').touch()

    def steps(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.do('execute')
            self.fail('it does not fail')
        (self.folder / 'mongomigrations' / 'fail').unlink()
        self.do('execute')
        self.do('rollback', last='2')
        self.do('ignore')
        self.do('unlock')
        self.shop.migrations.insert_many([{'name': '008_y.py'}, {'name': '009_y.py'}])
        self.do('forget', '8')
        self.migration('009_z.py', NOTHING)
        self.do('rename', '009_y.py', '009_z.py')
        self.do('accept', '009_z.py')
        self.do('check')


class ImagesTest(PlainTest):
    """The roles have no right on images, which are for a replica set."""

    def test_without_that_right_nothing_is_run(self) -> None:
        self.migration('001_a.py', NOTHING)
        self.migration('002_b.py', f'undo = True\n{NOTHING}')
        with (
            server.set_with_auth() as member,
            MongoClient(member.uri, username='root', password='root') as root,
        ):
            role = roles()['migopyRun']
            for each in (*(roles()[name] for name in role['roles']), role):
                root.shop.command(
                    'createRole',
                    each['role'],
                    privileges=each['privileges'],
                    roles=each['roles'],
                )
            root.shop.command('createUser', 'ann', pwd='secret', roles=['migopyRun'])
            uri = f'mongodb://ann:secret@127.0.0.1:{member.port}/shop'
            manager = self.manager(MONGO_URI=uri, MONGO_DATABASE='shop')
            with self.assertRaises(MayNotKeep) as caught:
                manager.execute()
            self.assertIn('002_b.py is to keep images', str(caught.exception))
            self.assertIn('and remove on migrations_undo there', str(caught.exception))
            # What was typed may have been for one migration, or a dry run.
            self.assertTrue(str(caught.exception).endswith('look: fab migrations'))
            self.assertEqual(root.shop.migrations.count_documents({}), 0)
            # Such a client may not ask what the user may do.
            strict = {'server_api': ServerApi('1', strict=True)}
            settings = {'MONGO_URI': uri, 'MONGO_DATABASE': 'shop'}
            asking = self.manager(**settings, MONGO_CLIENT_OPTIONS=strict)
            if root.server_info()['versionArray'][0] >= 5:
                with self.assertRaisesRegex(MayNotKeep, 'find on shop.migrations_undo'):
                    asking.execute()
            self.migration('002_b.py', NOTHING)
            manager.execute()
            self.assertEqual(root.shop.migrations.count_documents({}), 2)


AGGREGATE = 'list(db.users.aggregate([%s]))'

#: What a migration does, and the rights that the server wants for it.
NEEDED = {
    "db.create_collection('new')": {'new': ['createCollection']},
    "db.create_collection('shown', viewOn='users', pipeline=[])": {
        'shown': ['createCollection'],
    },
    "db.users.find_one_and_delete({'_id': 7})": {'users': ['find', 'remove']},
    "db.users.find_one_and_update({}, {'$set': {'a': 1}})": {
        'users': ['find', 'update']
    },
    "db.users.update_one({}, {'$set': {'a': 1}}, upsert=True)": {
        'users': ['insert', 'update']
    },
    AGGREGATE % "{'$out': 'old'}": {'users': ['find'], 'old': ['insert', 'remove']},
    AGGREGATE % "{'$merge': 'old'}": {'users': ['find'], 'old': ['insert', 'update']},
    AGGREGATE % "{'$merge': {'into': 'new', 'whenMatched': 'fail'}}": {
        'users': ['find'],
        'new': ['insert'],
    },
    AGGREGATE % "{'$merge': {'into': 'old', 'whenNotMatched': 'discard'}}": {
        'users': ['find'],
        'old': ['update'],
    },
}

OWN = {
    'migrations': ['find', 'insert', 'update', 'createIndex', 'listIndexes'],
    'migrations_history': ['find', 'insert', 'update', 'createIndex', 'listIndexes'],
    'migrations_lock': ['find', 'insert', 'update'],
}


class FewRightsTest(PlainTest):
    """A user of a replica set who has exactly the rights that a test gives."""

    def setUp(self) -> None:
        super().setUp()
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        member = stack.enter_context(server.set_with_auth())
        as_root = {'username': 'root', 'password': 'root'}
        self.root = stack.enter_context(MongoClient(member.uri, **as_root))
        self.shop = self.root.shop
        self.shop.command('createRole', 'few', privileges=[], roles=[])
        self.shop.command('createUser', 'ann', pwd='secret', roles=['few'])
        self.uri = f'mongodb://ann:secret@127.0.0.1:{member.port}/shop'

    def give(self, rights: dict[str, list[str]]) -> None:
        """Let the user do this, on collections, and list their names."""
        given = [
            {'resource': {'db': 'shop', 'collection': name}, 'actions': actions}
            for name, actions in rights.items()
            if actions
        ]
        listing = {'db': 'shop', 'collection': ''}
        given.append({'resource': listing, 'actions': ['listCollections']})
        self.shop.command('updateRole', 'few', privileges=given)

    def manager(self, **settings: Any) -> Any:
        """Make a manager of that user."""
        return super().manager(MONGO_URI=self.uri, MONGO_DATABASE='shop', **settings)


class PreflightTest(FewRightsTest):
    """`preflight` knows which rights the server wants, neither less nor more."""

    def lacked(self) -> set[str]:
        """Look ahead, and give the rights that are found to be lacking."""
        self.logger.said.clear()
        with contextlib.suppress(MigopyException):
            self.manager().preflight()
        said = ' '.join(map(str, self.logger.said))
        found = re.findall(r'ann@shop has no right to ([\w, ]+) on (\w+)', said)
        return {
            f'{each} on {name}'
            for actions, name in found
            for each in actions.split(', ')
        }

    def test_what_a_file_needs(self) -> None:
        for body, rights in NEEDED.items():
            self.root.drop_database('shop')
            self.shop.users.insert_one({'_id': 1})
            self.shop.old.insert_one({'_id': 1})
            self.migration('001_a.py', f'def up(db):\n    {body}\n')
            for name in rights:
                for action in rights[name]:
                    with self.subTest(body, without=f'{action} on {name}'):
                        less = [each for each in rights[name] if each != action]
                        self.give({**OWN, **rights, name: less})
                        self.assertEqual(self.lacked(), {f'{action} on {name}'})
            with self.subTest(body):
                self.give({**OWN, **rights})
                self.assertEqual(self.lacked(), set())
                self.manager().execute()

    def test_who_may_insert_may_make_a_collection(self) -> None:
        body = "db.create_collection('new')"
        self.migration('001_a.py', f'def up(db):\n    {body}\n')
        self.give({**OWN, 'new': ['insert']})
        self.assertEqual(self.lacked(), set())
        self.manager().execute()

    def test_what_migopy_needs(self) -> None:
        self.migration('001_a.py', NOTHING)
        for name in OWN:
            for action in 'insert', 'update':
                with self.subTest(f'{action} on {name}'):
                    less = [each for each in OWN[name] if each != action]
                    self.give({**OWN, name: less})
                    self.assertEqual(self.lacked(), {f'{action} on {name}'})
                    with self.assertRaises(MigopyException) as caught:
                        self.manager().perform('execute', [], {})
                    self.assertRegex(
                        str(caught.exception), rf'{action}\b.* on .*{name}'
                    )
                    self.assertIsNone(self.shop.migrations_history.find_one())
        self.give(OWN)
        self.assertEqual(self.lacked(), set())
        self.manager().execute()


class NoLoginTest(PlainTest):
    """A server that needs no login tells what its users may do, and refuses nothing."""

    def test_a_user_with_few_rights_does_all(self) -> None:
        users = self.db.client[f'{self.db.name}_users']
        self.addCleanup(users.client.drop_database, users.name)
        self.addCleanup(users.command, 'dropAllUsersFromDatabase')
        may_read = [{'role': 'read', 'db': self.db.name}]
        for name, roles in (('none', []), ('reader', may_read)):
            users.command('createUser', name, pwd='secret', roles=roles)
            self.db.client.drop_database(self.db.name)
            self.migration(
                '001_a.py',
                'transaction = undo = True\n'
                'def up(db): db.users.insert_one({})\n'
                'def down(db): pass\n',
            )
            log_in = {'username': name, 'password': 'secret', 'authSource': users.name}
            with self.subTest(name):
                self.manager(MONGO_CLIENT_OPTIONS=log_in).execute()
                self.assertEqual(self.registered(), ['001_a.py'])
                self.manager(MONGO_CLIENT_OPTIONS=log_in).rollback('1')
                self.assertEqual(self.registered(), [])


class RefusedTest(FewRightsTest):
    """What is refused while something runs is told with the right that lacks."""

    def did(self, command: str, *values: str) -> str:
        """Carry out a command, and give all that was said, its error included."""
        self.logger.said.clear()
        error = ''
        try:
            self.manager().perform(command, values, {})
        except MigopyException as caught:
            error = str(caught)
        except OperationFailure:
            pass
        return '\n'.join([*map(str, self.logger.said), error])

    def test_a_migration(self) -> None:
        self.migration('001_a.py', "def up(db): db.users.insert_one({'name': 'Eve'})\n")
        self.give({**OWN, 'users': ['find']})
        said = self.did('execute')
        self.assertIn('a role that allows insert on users there.', said)
        self.assertIn('Give the user that right, then type: fab', said)
        self.assertNotIn('clusterTime', said)

    def test_a_registration_and_what_settles_it(self) -> None:
        for number in (1, 2):
            self.migration(f'00{number}_a.py', NOTHING)
        self.give(OWN)
        self.did('execute', '1')
        self.give({**OWN, 'migrations': ['find']})
        said = self.did('execute', '2')
        self.assertIn('002_a.py: its up has run, but that could not be', said)
        self.assertIn('insert and update on migrations there.', said)
        for command in 'execute', 'ignore':
            with self.subTest(command):
                said = self.did(command, '2')
                self.assertIn('no right to insert, update on shop.migrations,', said)
                self.assertIn('so nothing was done', said)
        self.give(OWN)
        self.did('ignore', '2')
        self.assertEqual(self.shop.migrations.count_documents({}), 2)

    def test_a_record_that_is_put_right(self) -> None:
        """It is left as it is where the history cannot be told of that."""
        for number in (1, 2, 3):
            self.migration(f'00{number}_a.py', NOTHING)
        rights = {**OWN, 'migrations': [*OWN['migrations'], 'remove']}
        self.give(rights)
        self.did('execute')
        folder = self.folder / 'mongomigrations'
        self.migration('001_a.py', f'{NOTHING}# changed\n')
        (folder / '002_a.py').unlink()
        (folder / '003_a.py').rename(folder / '003_b.py')
        commands = ('accept', '1'), ('forget', '2'), ('rename', '003_a.py', '003_b.py')
        before = list(self.shop.migrations.find())
        self.give({**rights, 'migrations_history': ['find']})
        for command, *values in commands:
            with self.subTest(command):
                said = self.did(command, *values)
                self.assertIn('insert, update on shop.migrations_history,', said)
                self.assertEqual(list(self.shop.migrations.find()), before)
        self.give(rights)
        for command, *values in commands:
            with self.subTest(command):
                self.assertNotIn('right', self.did(command, *values))
        names = [each['name'] for each in self.shop.migrations.find()]
        self.assertEqual(sorted(names), ['001_a.py', '003_b.py'])

    def test_images_that_nobody_needs_any_more(self) -> None:
        self.migration(
            '001_a.py',
            'transaction = undo = True\n'
            'def up(db): db.users.insert_one({})\n'
            'def down(db): db.users.delete_many({})\n',
        )
        rights = {
            **OWN,
            'migrations': [*OWN['migrations'], 'remove'],
            'migrations_undo': ['find', 'insert', 'remove', 'update'],
            'users': ['find', 'insert', 'remove'],
        }
        self.give(rights)
        self.did('execute')
        self.give({**rights, 'migrations_undo': ['find', 'update']})
        said = self.did('rollback', '1')
        self.assertEqual(self.shop.migrations.count_documents({}), 0)
        self.assertIn('001_a.py rolled back', said)
        self.assertIn('All is done, but images that are of no use any more stay', said)
        self.assertIn('remove on migrations_undo there.', said)


class DumpTest(RightsTest):
    def begin(self) -> None:
        self.drop()
        self.shop.notes.insert_one({'_id': 1})
        self.shop.notes.create_index('a')
        self.shop.create_collection('view', viewOn='notes', pipeline=[])
        self.shop.create_collection('strict', validator={'n': {'$gt': 0}})
        self.shop.strict.insert_one({'n': 0}, bypass_document_validation=True)
        self.shop['system.js'].insert_one({'_id': 'f', 'value': 1})

    def test_dump(self) -> None:
        self.assert_least('migopyDump', self.begin, lambda: self.do('dbdump'))

    def test_restore(self) -> None:
        self.begin()
        self.give(roles()['migopyDump'])
        self.do('dbdump')
        [dump] = [each.name for each in self.folder.glob('dumps/2*')]

        def begin() -> None:
            self.begin()
            self.shop.notes.delete_many({})
            self.shop.other.insert_one({})
            self.shop['system.js'].insert_one({'_id': 'g', 'value': 1})

        def restore() -> None:
            self.do('dbrestore', dump)
            self.assertEqual(list(self.shop.notes.find()), [{'_id': 1}])
            self.assertNotIn('other', self.shop.list_collection_names())

        # It has another way where nothing may be renamed.
        self.assert_least(
            'migopyRestore', begin, restore, but=['renameCollectionSameDB']
        )
