"""All or nothing: migrations in a transaction, on real replica sets."""

from __future__ import annotations

import textwrap

from tests import server
from tests.project import FabTest

TWO_WRITES = """
    transaction = True

    def up(db):
        db.notes.insert_one({'content': 'one'})
        db.notes.insert({'content': 'two'})

    def down(db):
        db.notes.remove({})
"""


class TransactionTest(FabTest):
    """`transaction = True` in a file, `TRANSACTION = True` on the manager."""

    def test_commits_the_migration_its_registration_and_its_history(self) -> None:
        self.migration('001_a.py', TWO_WRITES)
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('notes 2 inserted', result.stderr)
        self.assertEqual(
            self.contents('notes'), [{'content': 'one'}, {'content': 'two'}]
        )
        self.assertEqual(self.registered(), ['001_a.py'])
        (run,) = self.db.migrations_history.find()
        self.assertEqual(run['outcome'], 'executed')
        self.assertEqual(
            run['effects'],
            {'collections': [{'name': f'{self.db.name}.notes', 'inserted': 2}]},
        )

    def test_a_failure_leaves_nothing_and_is_not_unfinished(self) -> None:
        self.migration(
            '001_a.py',
            """
            transaction = True

            def up(db):
                db.notes.insert_one({'content': 'one'})
                db.notes.update({}, {'$set': {'x': 1}})
                raise ValueError('no')
            """,
        )
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('ValueError: no', result.stderr)
        self.assertIn('nothing was changed', result.stderr)
        self.assertEqual(self.contents('notes'), [])
        self.assertEqual(self.registered(), [])
        status = self.assert_ok(self.fab('migrations'))
        self.assertNotIn('nfinished', status.stderr)
        (run,) = self.db.migrations_history.find()
        self.assertEqual((run['outcome'], run['unsettled']), ('failed', False))

    def test_an_earlier_migration_stays_when_a_later_one_fails(self) -> None:
        self.migration('001_a.py', TWO_WRITES)
        self.migration('002_b.py', TWO_WRITES.replace("insert({'content'", "oh({'c'"))
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('Executed before it: 001_a.py', result.stderr)
        self.assertEqual(self.db.notes.count_documents({}), 2)
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_rolls_back_all_or_nothing(self) -> None:
        self.migration('001_a.py', TWO_WRITES)
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_a.py', TWO_WRITES + '\n        raise ValueError')
        self.assertEqual(self.fab('migrations:rollback,1').status, 1)
        self.assertEqual(self.db.notes.count_documents({}), 2)
        self.assertEqual(self.registered(), ['001_a.py'])
        self.migration('001_a.py', TWO_WRITES)
        self.assert_ok(self.fab('migrations:rollback,1'))
        self.assertEqual(self.db.notes.count_documents({}), 0)
        self.assertEqual(self.registered(), [])

    def test_what_a_transaction_cannot_do_is_said_and_changes_nothing(self) -> None:
        """An index on an existing collection, drop, rename, $out, a listing."""
        refused = {
            'index': "db.old.create_index('x')",
            'drop': 'db.old.drop()',
            'rename': "db.old.rename('new')",
            'out': "list(db.old.aggregate([{'$out': 'copy'}]))",
            'names': 'db.list_collection_names()',
            'legacy_names': 'db.collection_names()',
            'function': "db['system.js'].insert_one({'_id': 'add', 'value': 1})",
            'views': "db['system.views'].find_one()",
            'capped': "db['log'].insert_many([{'a': 1}, {'a': 2}])",
        }
        self.db.create_collection('log', capped=True, size=10_000)
        self.db.old.insert_one({'x': 1})
        names = set(self.db.list_collection_names())
        for number, (name, call) in enumerate(refused.items(), 1):
            with self.subTest(name):
                file = f'{number:03}_{name}.py'
                text = f"""
                    transaction = True

                    def up(db):
                        db.notes.insert_one({{}})
                        {call}
                """
                self.migration(file, text)
                result = self.fab(f'migrations:execute,{file}')
                self.assertEqual(result.status, 1, result.said)
                self.assertIn(f'{file}", line 6, in up', result.stderr)
                self.assertIn('Nothing was changed', result.stderr)
                self.assertIn('transaction = False', result.stderr)
                self.assertEqual(self.contents('notes'), [])
                self.migration(file, text.replace('= True', '= False'))
                self.assert_ok(self.fab(f'migrations:execute,{file}'))
                self.db.drop_collection('notes')
                self.db.drop_collection('new')
                self.db.drop_collection('copy')
                self.db.drop_collection('old')
                self.db.old.insert_one({'x': 1})
        self.assertLessEqual(names, set(self.db.list_collection_names()))

    def test_an_error_of_a_read_that_was_caught_is_told_likewise(self) -> None:
        self.migration(
            '001_users.py',
            """
            from pymongo.errors import OperationFailure

            transaction = True

            def up(db):
                db.users.insert_one({})
                try:
                    list(db.users.find(hint='nothing'))
                except OperationFailure:
                    pass
            """,
        )
        for typed in ('migrations:execute', 'migrations:execute,dry_run=yes'):
            with self.subTest(typed):
                message = self.fab(typed).said
                self.assertIn('It has caught an error', message)
                self.assertIn('find on ', message)
                self.assertIn('001_users.py, line 9: ', message)
                self.assertNotIn('tried again', message)

    def test_an_error_that_was_caught_is_told_once_with_its_line(self) -> None:
        self.db.users.insert_one({'_id': 1})
        source = """
            transaction = True
            from pymongo.errors import DuplicateKeyError

            def up(db):
                try:
                    db.users.insert_one({'_id': 1})
                except DuplicateKeyError:
                    pass
        """
        self.migration('001_users.py', source)
        for command in ('execute', 'execute,dry_run=yes'):
            message = self.fab(f'migrations:{command}').said
            self.assertIn('insert on', message)
            self.assertEqual(message.count('It has caught an error'), 1)
            self.assertEqual(message.count('E11000'), 1)
            self.assertEqual(message.count('find_one'), 1)
            self.assertIn('001_users.py, line 7', message)
            self.assertIn('instead of True, if that stands there', message)
            self.assertNotIn('contextlib', message)
            self.assertNotIn('CaughtError', message)
            self.assertNotIn('Without it', message)
        run = self.db.migrations_history.find_one()
        self.assertNotIn('\n', run['error'])
        # What the message says to do works.
        self.migration('001_users.py', textwrap.dedent(source).replace('True', 'False'))
        self.assertEqual(self.fab('migrations:execute').status, 0)

    def test_what_no_transaction_can_do_is_told_where_that_was_caught(self) -> None:
        """It would be registered, and the index that it drops would stay."""
        self.db.users.create_index('name')
        source = """
            transaction = True
            from pymongo.errors import OperationFailure

            def up(db):
                db.users.insert_one({'_id': 1})
                try:
                    db.users.drop_index('name_1')
                except OperationFailure:
                    pass
        """
        self.migration('001_users.py', source)
        for command in ('execute', 'execute,dry_run=yes'):
            with self.subTest(command):
                result = self.fab(f'migrations:{command}')
                self.assertEqual(result.status, 1)
                self.assertIn('gone on without this: dropIndexes on ', result.said)
                self.assertIn('001_users.py, line 8: ', result.said)
                self.assertEqual(self.db.users.count_documents({}), 0)
                self.assertEqual(self.db.migrations.count_documents({}), 0)
        # What the message says to do works.
        self.migration('001_users.py', textwrap.dedent(source).replace('True', 'False'))
        self.assertEqual(self.fab('migrations:execute').status, 0)
        self.assertEqual(list(self.db.users.index_information()), ['_id_'])

    def test_a_mere_read_that_no_transaction_can_do_may_be_caught(self) -> None:
        """Nothing is left out by that; what is caught after it is told all the same."""
        self.db.users.create_index('name')
        source = """
            transaction = True

            def tried(function, *values):
                try:
                    function(*values)
                except Exception:
                    pass

            def up(db):
                db.users.insert_one({'_id': 1})
                tried(db.users.estimated_document_count)
                tried(db.list_collection_names)
                {then}
        """
        then = "tried(db.users.drop_index, 'name_1')"
        self.migration('001_users.py', source.replace('{then}', then))
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1)
        self.assertIn('gone on without this: dropIndexes on ', result.said)
        self.migration('001_users.py', source.replace('{then}', ''))
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.db.users.count_documents({}), 1)

    def test_a_new_collection_and_its_index_are_made_inside(self) -> None:
        self.migration(
            '001_a.py',
            """
            transaction = True

            def up(db):
                db.fresh.create_index('x')
                db.fresh.insert_one({'x': 1})
            """,
        )
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('index x_1 made', result.stderr)
        self.assertIn('x_1', self.db.fresh.index_information())

    def test_longer_than_the_server_lets_it_is_said(self) -> None:
        admin = self.client.admin
        limit = 'transactionLifetimeLimitSeconds'
        before = admin.command('getParameter', 1, **{limit: 1})[limit]
        self.addCleanup(admin.command, 'setParameter', 1, **{limit: before})
        admin.command('setParameter', 1, **{limit: 1})
        self.migration(
            '001_a.py',
            """
            import time
            transaction = True

            def up(db):
                for _ in range(600):
                    db.notes.insert_one({})
                    time.sleep(0.1)
            """,
        )
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('ends a transaction after 1 s', result.stderr)
        self.assertIn('Nothing was changed', result.stderr)
        self.assertEqual(self.contents('notes'), [])

    def test_writes_in_threads_are_refused(self) -> None:
        self.migration(
            '001_a.py',
            """
            from threading import Thread
            transaction = True

            def up(db):
                db.notes.insert_one({'from': 'here'})
                thread = Thread(target=lambda: db.notes.insert_one({'from': 'there'}))
                thread.start()
                thread.join()
            """,
        )
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('outside of its transaction', result.stderr)
        self.assertIn('refused before it was sent', result.stderr)
        self.assertIn('Nothing was changed', result.stderr)
        self.assertEqual(self.contents('notes'), [])
        self.assertEqual(self.registered(), [])
        self.assertNotIn('Unfinished', self.fab('migrations').stderr)

    def test_another_client_is_refused(self) -> None:
        self.migration(
            '001_a.py',
            f"""
            import pymongo
            transaction = True

            def up(db):
                db.notes.insert_one({{}})
                pymongo.MongoClient('{self.uri}')[db.name].notes.insert_one({{}})
            """,
        )
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('transaction = False', result.stderr)
        self.assertEqual(self.contents('notes'), [])

    def test_other_code_with_the_same_client_is_inside(self) -> None:
        self.write(
            'models.py',
            """
            def add(client, database):
                client[database].notes.insert_one({'from': 'models'})
                client[database + '_other'].notes.insert_one({'from': 'models'})
            """,
        )
        self.addCleanup(self.client.drop_database, f'{self.db.name}_other')
        self.migration(
            '001_a.py',
            """
            import models
            transaction = True

            def up(db):
                models.add(db.client, db.name)
                raise ValueError
            """,
        )
        self.assertEqual(self.fab('migrations:execute').status, 1)
        self.assertEqual(self.contents('notes'), [])
        other = self.client[f'{self.db.name}_other']
        self.assertEqual(other.notes.count_documents({}), 0)

    def test_a_file_that_closes_the_client_is_committed_and_registered(self) -> None:
        """As one may at the end of a script; the next file goes on, too."""
        for number, word in ((1, True), (2, False)):
            self.migration(
                f'00{number}_a.py',
                f"""
                transaction = {word}

                def up(db):
                    with db.client as client:
                        client[db.name].notes.insert_one({{'_id': {number}}})
                    db.client.close()
                """,
            )
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.db.notes.distinct('_id'), [1, 2])
        self.assertEqual(self.registered(), ['001_a.py', '002_a.py'])
        self.assertEqual(result.stderr.count('does nothing here'), 2, result.said)

    def test_transient_errors_are_retried(self) -> None:
        """A write conflict with another client: the second attempt goes through."""
        self.db.notes.insert_one({'_id': 1, 'n': 0})
        self.write(
            'disturb.py',
            f"""
            import pymongo

            db = pymongo.MongoClient('{self.uri}')['{self.db.name}']
            db.notes.update_one({{'_id': 1}}, {{'$inc': {{'n': 10}}}})
            """,
        )
        self.migration(
            '001_a.py',
            f"""
            import subprocess, sys
            transaction = True
            attempts = []

            def up(db):
                attempts.append(1)
                db.notes.find_one()
                if len(attempts) == 1:
                    disturb = r'{self.folder / 'disturb.py'}'
                    subprocess.run([sys.executable, disturb], check=True)
                db.notes.update_one({{'_id': 1}}, {{'$inc': {{'n': 1}}}})
                db.tries.insert_one({{'attempts': len(attempts)}})
            """,
        )
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('notes 1 updated', result.stderr)
        self.assertEqual(self.db.notes.find_one(), {'_id': 1, 'n': 11})
        self.assertEqual(self.contents('tries'), [{'attempts': 2}])

    def test_the_manager_decides_where_the_file_does_not(self) -> None:
        self.write(
            'fabfile.py',
            self.filled(self.fabfile).replace(
                'MONGO_DATABASE', 'TRANSACTION = True; MONGO_DATABASE'
            ),
        )
        text = """
            def up(db):
                db.notes.insert_one({})
                raise ValueError
        """
        self.migration('001_a.py', text)
        self.assertEqual(self.fab('migrations:execute').status, 1)
        self.assertEqual(self.contents('notes'), [])
        self.migration('001_a.py', '            transaction = False\n' + text)
        self.assertEqual(self.fab('migrations:execute').status, 1)
        self.assertEqual(self.contents('notes'), [{}])

    def test_another_word_for_it_is_not_passed_over(self) -> None:
        for word in ('transactions', 'Transaction', 'TRANSACTION', 'transactional'):
            self.migration('001_x.py', f'{word} = True\ndef up(db): pass')
            message = self.error('migrations:execute')
            self.assertIn(f'{word} = True would be passed over', message)
        # What merely has such a name is none of our business.
        self.migration('001_x.py', 'class Transaction: pass\ndef up(db): pass')
        self.assert_ok(self.fab('migrations:execute'))

    def test_a_transaction_that_is_no_truth_value_is_an_error(self) -> None:
        self.migration('001_a.py', "transaction = 'yes'\ndef up(db): pass")
        self.assert_error(self.fab('migrations:execute'), '001_a.py', "'yes'")
        self.assertEqual(self.registered(), [])


class StandaloneTest(FabTest):
    """A server that has no transactions."""

    def test_is_an_error_before_anything_runs(self) -> None:
        with server.standalone() as mongod:
            self.write(
                'fabfile.py', self.filled(self.fabfile).replace(self.uri, mongod.uri)
            )
            self.migration('001_a.py', 'def up(db): db.notes.insert_one({})')
            self.migration('002_b.py', TWO_WRITES)
            self.migration('003_c.py', 'undo = True\ndef up(db): pass')
            for command, *expected in (
                (
                    'execute',
                    '003_c.py: undo = True needs',
                    'too), or have `undo = False` at the top of the file.\n',
                ),
                (
                    'execute,2',
                    '002_b.py needs a transaction',
                    'replica set',
                    'too), or have `transaction = False` at the top of the file.\n',
                ),
                (
                    'execute,2,dry_run=yes',
                    'A dry run needs',
                    'too), or have it run on a copy: fab migrations:rehearse,2\n',
                ),
                (
                    'execute,to=2,show=3',
                    'too), or have it run on a copy: fab migrations:rehearse,to=2\n',
                ),
                ('plan', 'A plan needs', '--keyFile, too).\n'),
            ):
                with self.subTest(command):
                    self.assert_error(self.fab(f'migrations:{command}'), *expected)
            with server.MongoClient(mongod.uri) as client:
                self.assertNotIn('notes', client[self.db.name].list_collection_names())


class ReplicaSetTest(FabTest):
    """A real set of three members."""

    def test_commits_on_three_members_and_survives_a_step_down(self) -> None:
        with server.replica_set(members=3) as cluster:
            self.write(
                'fabfile.py', self.filled(self.fabfile).replace(self.uri, cluster.uri)
            )
            self.migration('001_a.py', TWO_WRITES)
            self.migration(
                '002_b.py',
                """
                import time
                transaction = True

                def up(db):
                    db.slow.insert_one({})
                    time.sleep(2)
                    db.slow.insert_one({})
                """,
            )
            self.assert_ok(self.fab('migrations:execute,1'))
            process = self.start('migrations:execute')
            assert process.stderr is not None
            while 'Executing' not in process.stderr.readline():
                pass
            cluster.step_down()
            result = self.ended(process)
            with server.MongoClient(cluster.uri) as client:
                db = client[self.db.name]
                registered = {doc['name'] for doc in db.migrations.find()}
                written = db.slow.count_documents({})
            # Transient errors are retried, so it is all there, or nothing is.
            self.assertEqual(result.status, 0, result.said)
            self.assertEqual((written, registered), (2, {'001_a.py', '002_b.py'}))
