"""`preflight`: what to know before migrations run."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from pymongo import MongoClient

from migopy.preflight import Server, members
from tests import server
from tests.faults import eventually
from tests.project import FabTest, PlainTest, Result
from tests.shapes import up


class PreflightTest(FabTest):
    """A test that looks ahead, and that changes nothing by it."""

    def state(self) -> Any:
        """Hash the documents, and describe indexes and collections."""
        names = sorted(self.db.list_collection_names())
        return (
            self.db.command('dbHash')['md5'],
            [(name, self.db[name].index_information()) for name in names],
            [self.db[name].options() for name in names],
        )

    def looked(self, body: str, top: str = '', status: int = 0) -> Result:
        """Look at one migration. Nothing is changed."""
        self.migration('001_x.py', up(body, top))
        before = self.state()
        result = self.fab('migrations:preflight')
        self.assertEqual(result.status, status, result.said)
        self.assertEqual(self.state(), before)
        return result

    def findings(self) -> list[dict[str, Any]]:
        """Look at what is pending, and give what was found, as data."""
        before = self.state()
        result = self.fab('migrations:preflight,format=json')
        self.assertEqual(self.state(), before)
        found = json.loads(result.results)
        grave = any(each['severity'] == 'problem' for each in found)
        self.assertEqual(result.status, int(grave), result.said)
        return list(found)

    def found(self, body: str, top: str = '') -> list[str]:
        """Look at one migration; give the names of what was found."""
        self.migration('001_x.py', up(body, top))
        return [each['name'] for each in self.findings()]

    def fill(self, name: str, count: int) -> None:
        """Fill a collection with small documents that have no index of their own."""
        self.db[name].insert_many({'n': n, 'even': n % 2 == 0} for n in range(count))


class ServerTest(PreflightTest):
    """What the server tells."""

    def test_nothing(self) -> None:
        self.db.users.insert_one({'a': 1})
        result = self.looked("db.users.update_many({'a': 1}, {'$set': {'b': 2}})")
        self.assertEqual(result.results, '1 migration, nothing found\n')

    def test_notices_alone(self) -> None:
        self.migration('001_x.py', 'def up(db): pass\n')
        result = self.assert_ok(self.fab('migrations:preflight'))
        self.assertIn('notice: its up is empty (empty-up, read in', result.results)
        self.assertTrue(result.results.endswith('1 migration, no problem, 1 notice\n'))
        self.migration('002_y.py', 'def up(db): pass\n')
        result = self.assert_ok(self.fab('migrations:preflight'))
        self.assertIn('\n2 migrations, no problem, 2 notices\n', result.results)

    def test_a_file_that_is_nested_too_deeply_to_be_looked_through(self) -> None:
        """Python runs a sum of many lines, as of a long text, all the same."""
        self.db.users.insert_one({'a': 1})
        long = ' + '.join(['"x"'] * 900)
        self.assertEqual(
            self.found(f'db.users.insert_one({{"b": {long}}})'), ['not-read']
        )

    def test_duplicates_for_a_unique_index(self) -> None:
        self.db.users.insert_many({'email': f'{n // 2}@x'} for n in range(6))
        result = self.looked("db.users.create_index('email', unique=True)", status=1)
        self.assertEqual(
            result.results,
            'mongomigrations/001_x.py:5: problem: the unique index email_1 of users'
            ' would meet 3 duplicated values (duplicates, seen on the server)\n'
            '  the migration fails there, on every try\n'
            '  Instead: first make them differ, or delete all but one of each, in the'
            ' same file or an earlier one\n',
        )
        self.assertIn("'0@x' (2)", result.stderr)

    def test_none_where_the_file_has_cleaned_up_before(self) -> None:
        self.db.users.insert_many({'email': f'{n // 2}@x', 'n': n} for n in range(6))
        found = self.found(
            """
            db.users.delete_many({'n': {'$mod': [2, 1]}})
            db.users.create_index('email', unique=True)
            """
        )
        self.assertEqual(found, [])

    def test_a_validator_that_documents_break(self) -> None:
        self.db.users.insert_many([{'age': 1}, {'age': 'x'}, {}])
        self.migration(
            '001_x.py',
            up("db.command('collMod', 'users', validator={'age': {'$type': 'int'}})"),
        )
        [found] = self.findings()
        self.assertEqual(found['name'], 'validator')
        self.assertEqual(found['severity'], 'problem')
        self.assertEqual(found['figures'], {'number': 2})
        self.assertEqual(found['line'], 5)
        self.assertIn('would reject 2 documents that are there', found['what'])

    def test_none_that_leaves_them_alone(self) -> None:
        self.db.users.insert_many([{'age': 1}, {'age': 'x'}])
        for how in ("validationLevel='moderate'", "validationAction='warn'"):
            with self.subTest(how):
                validator = "validator={'age': {'$type': 'int'}}"
                body = f"db.command('collMod', 'users', {validator}, {how})"
                self.assertEqual(self.found(body), [])

    def test_none_that_all_documents_fit(self) -> None:
        self.db.users.insert_many([{'age': 1}, {'age': 2}])
        body = "db.command('collMod', 'users', validator={'age': {'$type': 'int'}})"
        self.assertEqual(self.found(body), [])

    def test_a_filter_that_scans(self) -> None:
        self.fill('users', 100_000)
        self.migration(
            '001_x.py', up("db.users.update_many({'n': 7}, {'$set': {'b': 1}})")
        )
        [found] = self.findings()
        self.assertEqual((found['name'], found['severity']), ('scan', 'notice'))
        self.assertEqual((found['seen'], found['line']), ('server', 5))
        self.assertEqual(found['figures']['documents'], 100_000)
        self.assertGreater(found['figures']['seconds'], 0)
        self.assertIn('update by n reads all 100,000 documents of users', found['what'])

    def test_filters_that_need_not_scan(self) -> None:
        self.fill('users', 100_000)
        self.db.users.create_index('even')
        bodies = {
            'an index': "db.users.update_many({'even': 3}, {'$set': {'b': 1}})",
            'an _id': "db.users.update_one({'_id': 7}, {'$set': {'b': 1}})",
            'an index that is made before': """
                db.users.create_index('n')
                db.users.update_many({'n': 7}, {'$set': {'b': 1}})
                """,
            'another collection': "db.orders.update_many({'n': 7}, {'$set': {'b': 1}})",
        }
        for name, body in bodies.items():
            with self.subTest(name):
                self.assertEqual(self.found(body), [])

    def test_one_command_that_changes_most(self) -> None:
        self.fill('users', 100_000)
        for body in (
            "db.users.update_many({}, {'$set': {'b': 1}})",
            "db.users.update_many({'b': {'$exists': False}}, {'$set': {'b': 1}})",
        ):
            with self.subTest(body):
                self.assertEqual(self.found(body), ['large-write'])

    def test_writes_of_one_document_each(self) -> None:
        self.fill('users', 1000)
        body = """
            for user in db.users.find({'n': {'$lt': %s}}):
                db.users.update_one({'_id': user['_id']}, {'$set': {'b': 1}})
            """
        self.assertEqual(self.found(body % 1000), ['write-per-document'])
        self.assertEqual(self.found(body % 999), [])

    def test_a_drop_without_a_down_is_none_where_images_are_kept(self) -> None:
        self.db.old.insert_one({'n': 1})
        drop = 'db.old.drop()'
        self.assertEqual(self.found(drop), ['no-way-back'])
        self.assertEqual(self.found(drop, top='undo = True'), [])

    def test_one_that_fails(self) -> None:
        self.migration('001_x.py', up("db.a.insert_one({'a': 1})\n1 / 0"))
        self.migration('002_y.py', up("raise AssertionError('never')"))
        looked = self.fab('migrations:preflight')
        said = (
            'No dry run of 002_y.py, as that of 001_x.py did not come to its end:'
            ' what stands in the files is all'
        )
        self.assertIn(said, looked.stderr)
        self.assertIn(
            '  See all of it: fab migrations:execute,to=001_x.py,dry_run=yes\n',
            looked.results,
        )
        self.assertNotIn('Instead', looked.results)
        alone = self.fab('migrations:preflight,1').results
        self.assertIn('all of it: fab migrations:execute,001_x.py,dry_run=yes', alone)
        [found] = self.findings()
        self.assertEqual((found['name'], found['line']), ('fails', 6))
        self.assertIn('ZeroDivisionError', found['what'])

    def test_one_that_cannot_be_shown_to_its_end(self) -> None:
        self.db.users.insert_one({'_id': 1})
        found = self.found(
            """
            try:
                db.users.insert_one({'_id': 1})
            except DuplicateKeyError:
                db.users.insert_one({'_id': 2})
            """,
            'from pymongo.errors import DuplicateKeyError',
        )
        self.assertEqual(found, ['not-shown'])

    def test_those_that_are_chosen(self) -> None:
        self.db.users.insert_many([{'email': 1}, {'email': 1}])
        body = "db.users.create_index('email', unique=True)"
        self.migration('001_x.py')
        self.migration('002_y.py', up(body))
        self.assert_ok(self.fab('migrations:preflight,1'))
        self.assert_ok(self.fab('migrations:preflight,to=1'))
        self.assert_error(
            self.fab('migrations:preflight'), 'a problem ahead in 002_y.py'
        )
        self.assert_error(self.fab('migrations:preflight,9'), 'There is no')
        self.assert_error(self.fab('migrations:preflight,format=xml'), 'format')

    def test_nothing_is_pending(self) -> None:
        result = self.assert_ok(self.fab('migrations:preflight'))
        self.assertEqual(result.results, 'Nothing would run\n')

    def test_annotations(self) -> None:
        self.db.users.insert_many([{'email': 1}, {'email': 1}])
        self.migration('001_x.py', up("db.users.create_index('email', unique=True)"))
        result = self.fab('migrations:preflight,format=github')
        self.assertEqual(
            result.results.partition('::the')[0],
            '::error file=mongomigrations/001_x.py,line=5,title=migopy duplicates',
        )

    def test_lines_of_json(self) -> None:
        self.db.users.insert_many([{'email': 'a@b.c'}, {'email': 'a@b.c'}])
        self.migration('001_x.py', up("db.users.create_index('email', unique=True)"))
        result = self.fab('migrations:preflight,json=yes')
        last = json.loads(result.stdout.splitlines()[-1])
        self.assertEqual([each['name'] for each in last['findings']], ['duplicates'])
        self.assertEqual(last['error']['type'], 'ProblemsAhead')
        self.assertNotIn('a@b.c', result.stdout)


class AllowedTest(PreflightTest):
    """A comment on a line silences a finding there, with a reason."""

    def test_of_the_server(self) -> None:
        self.fill('users', 100_000)
        body = """
            db.users.update_many(
                {'n': 7}, {'$set': {'b': 1}}
            )  # migopy: allow=scan once a year
            """
        self.assertEqual(self.found(body), [])
        self.assertEqual(self.found(body.replace('scan', 'arrays')), ['scan'])
        without = body.replace('once a year', '')
        self.assertEqual(sorted(self.found(without)), ['allow', 'scan'])


class OtherServersTest(PlainTest):
    """Servers that can do less, or let their user do less."""

    def looked(self, **settings: Any) -> list[dict[str, Any]]:
        """Look at what is pending on a server; give what was found, as data."""
        from migopy.operations import order_up, preflighting

        manager = self.manager(**settings)
        order = order_up(manager, 'preflight', None)
        found = preflighting.preflight(manager._site, order, manager._observer)
        manager.disconnect()
        return [each.as_document() for each in found.findings]

    def test_no_transactions(self) -> None:
        self.migration('001_a.py', up('db.a.insert_one({})', 'transaction = True'))
        self.migration(
            '002_b.py',
            up(
                """
                for user in db.users.find():
                    db.users.update_one(user, {'$set': {'a': 1}})
                """
            ),
        )
        self.migration('003_c.py', 'undo = True\n\ndef up(db): db.a.insert_one({})\n')
        with server.standalone() as alone, MongoClient(alone.uri) as client:
            client[self.db.name].users.insert_many({'n': n} for n in range(10_000))
            found = self.looked(MONGO_URI=alone.uri)
        parts = ('migration', 'name', 'severity')
        self.assertEqual(
            [tuple(each[part] for part in parts) for each in found],
            [
                ('001_a.py', 'standalone', 'problem'),
                ('002_b.py', 'write-per-document', 'notice'),
                ('003_c.py', 'standalone', 'problem'),
            ],
        )
        [first, _, last] = [each['instead'] for each in found]
        self.assertIn('transaction = False in the file', first)
        self.assertIn('undo = False in the file', last)

    def test_a_user_of_few_rights(self) -> None:
        self.migration(
            '001_a.py',
            up("db.users.insert_one({})\ndb.users.update_one({}, {'$set': {'a': 1}})"),
        )
        with server.set_with_auth() as member:
            as_root = {'username': 'root', 'password': 'root'}
            with MongoClient(member.uri, **as_root) as root:
                for role, wanted in (('read', ['rights'] * 4), ('readWrite', [])):
                    with self.subTest(role):
                        root.shop.command('createUser', role, pwd='p', roles=[role])
                        found = self.looked(
                            MONGO_URI=member.uri,
                            MONGO_DATABASE='shop',
                            MONGO_CLIENT_OPTIONS={
                                'username': role,
                                'password': 'p',
                                'authSource': 'shop',
                            },
                        )
                        names = [each['name'] for each in found]
                        self.assertEqual(names, wanted, found)
                self.assertEqual(root.shop.list_collection_names(), [])

    def test_a_user_without_the_rights_that_images_need(self) -> None:
        self.migration('001_a.py', up('1 / 0'))
        self.migration(
            '002_b.py', up("db.users.insert_one({'n': 1})", 'transaction = undo = True')
        )
        own = 'users', 'migrations', 'migrations_history', 'migrations_lock'
        every = ['find', 'insert', 'remove', 'update', 'createIndex']
        with server.set_with_auth() as member:
            as_root = {'username': 'root', 'password': 'root'}
            with MongoClient(member.uri, **as_root) as root:
                settings = {
                    'MONGO_URI': member.uri,
                    'MONGO_DATABASE': 'shop',
                    'MONGO_CLIENT_OPTIONS': {
                        'username': 'ann',
                        'password': 'p',
                        'authSource': 'shop',
                    },
                }
                root.shop.command('createRole', 'few', privileges=[], roles=[])
                root.shop.command('createUser', 'ann', pwd='p', roles=['few'])
                for rights in (['listIndexes'], ['find'], every):
                    privileges = [
                        {
                            'resource': {'db': 'shop', 'collection': name},
                            'actions': actions,
                        }
                        for name, actions in (
                            *((each, every) for each in own),
                            ('migrations_undo', rights),
                        )
                    ]
                    root.shop.command('updateRole', 'few', privileges=privileges)
                    lacked = [each for each in every[:4] if each not in rights]
                    with self.subTest(rights=rights):
                        found = [
                            (each['migration'], each['figures']['actions'])
                            for each in self.looked(**settings)
                            if each['name'] == 'rights'
                        ]
                        self.assertEqual(found, [('002_b.py', lacked)] * bool(lacked))

    def test_a_member_is_down(self) -> None:
        self.migration('001_a.py', up("db.users.create_index('a')"))
        with server.replica_set() as cluster, MongoClient(cluster.uri) as client:
            client[self.db.name].users.insert_one({})
            self.assertEqual(self.looked(MONGO_URI=cluster.uri), [])
            [member, _] = [
                each for each in cluster.members if each is not cluster.primary()
            ]
            member.kill()
            with contextlib.closing(MongoClient(cluster.uri)) as other:
                heard = members.as_the_client_sees(Server(other, 'admin'))
                self.assertEqual(heard, ([f'127.0.0.1:{member.port}'], {}))
            eventually(
                lambda: members.down_and_behind(Server(client, 'admin'))[0],
                'the set has noticed that a member is down',
            )
            [found] = self.looked(MONGO_URI=cluster.uri)
            self.assertEqual(found['name'], 'member-down')
            self.assertEqual(found['severity'], 'problem')
            self.assertIn(str(member.port), found['figures']['member'])
            # Where nothing is to be built, nothing waits.
            self.migration('001_a.py', up('db.users.insert_one({})'))
            self.assertEqual(self.looked(MONGO_URI=cluster.uri), [])


class ExecuteTest(PreflightTest):
    """`PREFLIGHT = True`, and `preflight=yes` and `no` of `execute`."""

    DUPLICATED = up("db.users.create_index('email', unique=True)")

    def setUp(self) -> None:
        super().setUp()
        self.db.users.insert_many([{'email': 'a@b.c'}, {'email': 'a@b.c'}])
        self.migration('001_a.py', up("db.notes.insert_one({'a': 1})"))

    def look_always(self) -> None:
        """Have the fabfile look ahead."""
        fabfile = self.filled(self.fabfile)
        line = next(each for each in fabfile.splitlines() if 'MONGO_DATABASE' in each)
        margin = line[: len(line) - len(line.lstrip())]
        more = f'{line}\n{margin}PREFLIGHT = True'
        self.write('fabfile.py', fabfile.replace(line, more))

    def test_problems_stop_it_before_the_first_one(self) -> None:
        self.look_always()
        self.migration('002_b.py', self.DUPLICATED)
        result = self.assert_error(
            self.fab('migrations:execute'),
            'mongomigrations/002_b.py:5: problem: the unique index email_1 of users',
            'There is a problem ahead in 002_b.py, see above. Nothing was changed.',
            'To run them all the same: fab migrations:execute,preflight=no',
        )
        self.assertNotIn('a@b.c', result.stdout)
        self.assertEqual(self.registered(), [])
        self.assertEqual(self.contents('notes'), [])
        self.fab('migrations:execute,preflight=no')
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_the_dry_run_that_shows_an_error_is_named(self) -> None:
        self.look_always()
        self.migration('002_b.py', up('1 / 0'))
        result = self.fab('migrations:execute')
        self.assert_error(
            result,
            '002_b.py:5: problem: it failed in the dry run: ZeroDivisionError',
            '\n  See all of it: fab migrations:execute,to=002_b.py,dry_run=yes\n',
        )
        self.assertNotIn('Instead', result.stderr)
        result = self.fab('migrations:execute,to=002_b.py,dry_run=yes')
        self.assertIn('    1 / 0\n', result.stderr)

    def test_notices_do_not(self) -> None:
        self.look_always()
        self.migration('002_b.py', up('db.users.delete_many({})'))
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn(': notice: delete_many with an empty filter', result.stderr)
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

    def test_only_where_it_is_asked_for(self) -> None:
        self.migration('002_b.py', self.DUPLICATED)
        result = self.fab('migrations:execute,preflight=yes')
        self.assert_error(result, 'There is a problem ahead')
        self.assertEqual(self.registered(), [])
        self.assert_error(self.fab('migrations:execute,preflight=perhaps'), 'preflight')
        self.fab('migrations:execute')
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_what_a_look_leaves_in_a_file_is_not_there_when_it_runs(self) -> None:
        self.migration(
            '002_b.py',
            up(
                """
                for name in NAMES:
                    db.notes.insert_one({'a': name})
                """,
                'NAMES = iter(["b", "c"])',
            ),
        )
        self.assert_ok(self.fab('migrations:execute,preflight=yes'))
        notes = [each['a'] for each in self.contents('notes')]
        self.assertEqual(notes, [1, 'b', 'c'])

    def test_in_lines_of_json(self) -> None:
        self.migration('002_b.py', self.DUPLICATED)
        result = self.fab('migrations:execute,preflight=yes,json=yes')
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        [told] = [each for each in lines if each['event'] == 'foreseen']
        self.assertEqual([each['name'] for each in told['findings']], ['duplicates'])
        self.assertEqual(lines[-1]['error']['type'], 'ProblemsAhead')
        self.assertEqual(
            lines[-1]['error']['next'],
            [{'command': 'execute', 'values': [], 'options': {'preflight': 'no'}}],
        )


class DryRunTest(PreflightTest):
    """A dry run tells what it has not told itself, a line each."""

    def tried(self, body: str) -> str:
        self.migration('001_x.py', up(body))
        return self.assert_ok(self.fab('migrations:execute,dry_run=yes')).stderr

    def test_notices_are_short_and_nothing_is_told_twice(self) -> None:
        self.db.users.insert_many([{'a': 1}, {'a': 1}])
        said = self.tried(
            """
            db.command('collMod', 'users', validator={'a': {'$type': 'string'}})
            db.users.delete_many({})
            """
        )
        self.assertIn(
            'mongomigrations/001_x.py:6: notice: delete_many with an empty filter'
            ' deletes all of users, which has 2 documents (empty-filter)\n'
            'Dry run: nothing was changed\n',
            said,
        )
        self.assertNotIn('(validator)', said)

    def test_most_have_none(self) -> None:
        self.assertNotIn('notice', self.tried('db.users.insert_one({})'))
