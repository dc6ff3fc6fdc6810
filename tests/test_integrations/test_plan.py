"""`plan`, and `execute,plan=…`: what was agreed to runs, and nothing else."""

from __future__ import annotations

import json
import re
import stat
from typing import Any

from bson import DatetimeMS, encode
from bson.raw_bson import RawBSONDocument

from migopy.operations.agreed_plan import NoPlan, read
from tests.project import FabTest, Result
from tests.shapes import up

LOOP = """
    for user in db.users.find():
        db.users.update_one({'_id': user['_id']}, {'$set': {'tel': '555'}})
    """


class PlanTest(FabTest):
    def setUp(self) -> None:
        super().setUp()
        self.db.users.insert_many(
            {'_id': n, 'name': f'Ann{n}', 'tel': f'123{n}'} for n in range(5)
        )
        self.migration('001_a.py', up(LOOP))
        self.migration(
            '002_b.py',
            up(
                """
                db.users.create_index('tel')
                db.notes.insert_one({'_id': 7, 'by': 'Bob'})
                """,
                'transaction = False',
            ),
        )

    def planned(self, options: str = '') -> dict[str, Any]:
        """Write a plan, which changes nothing; give what is in it."""
        before = self.db.command('dbHash')['md5']
        result = self.assert_ok(self.fab(f'migrations:plan{options}'))
        self.assertIn('plan.json and plan.md written: 001_a.py, 002_b', result.results)
        self.assertIn('fab migrations:execute,plan=plan.json', result.results)
        self.assertEqual(self.db.command('dbHash')['md5'], before)
        self.assertEqual(self.registered(), [])
        return dict(json.loads((self.folder / 'plan.json').read_text()))

    def execute(self) -> Result:
        return self.fab('migrations:execute,plan=plan.json')

    def refused(self, *parts: str) -> None:
        """See that nothing runs, and that it is said why."""
        before = self.registered()
        self.assert_error(self.execute(), *parts)
        self.assertEqual(self.registered(), before)


class MadeTest(PlanTest):
    """What stands in a plan."""

    def test_commands_counts_and_checksums(self) -> None:
        plan = self.planned()
        first, second = plan['migrations']
        self.assertEqual(first['name'], '001_a.py')
        self.assertEqual(first['summary'], 'users 5 updated')
        self.assertRegex(first['checksum'], '^sha256:')
        self.assertEqual(first['commands_in_all'], 5)
        [command] = first['commands']
        self.assertEqual(command['times'], 5)
        self.assertEqual(command['command']['update'], 'users')
        self.assertEqual(
            command['command']['updates'],
            [
                {
                    'q': {'_id': '<int>'},
                    'u': {'$set': {'tel': '<str>'}},
                    'multi': False,
                    'upsert': False,
                }
            ],
        )
        [difference] = first['differences']
        self.assertEqual(difference['first'], {'changed': 5, 'new': 0, 'deleted': 0})
        self.assertEqual(difference['fields'], ['tel'])
        names = [each['command'] for each in second['commands']]
        self.assertEqual(names[0]['indexes'], [{'name': 'tel_1', 'key': {'tel': 1}}])
        self.assertEqual(names[1]['documents'], [{'_id': '<int>', 'by': '<str>'}])
        [notes, users] = plan['state']['collections']
        self.assertEqual((users['documents'], users['indexes']), (5, ['_id_']))
        self.assertEqual(notes['documents'], 0)
        page = (self.folder / 'plan.md').read_text()
        self.assertTrue(page.startswith('# Plan of 2 migrations of '), page)
        self.assertIn('## 001\\_a.py\n', page)
        self.assertIn('- would do: users 5 updated\n', page)
        self.assertIn('(times 5)', page)

    def test_one_command_and_one_more_than_a_page_shows(self) -> None:
        self.migration('001_a.py', 'def up(db):\n    db.notes.insert_one({})\n')
        self.migration(
            '002_b.py',
            """
            def up(db):
                for number in range(51):
                    db[f'notes_{number}'].insert_one({})
            """,
        )
        self.planned()
        page = (self.folder / 'plan.md').read_text()
        self.assertIn('\n1 command:\n', page)
        self.assertIn('\n51 commands:\n', page)
        self.assertIn('\n1 more command in the file alone.\n', page)

    def test_no_values_unless_they_are_wanted(self) -> None:
        self.planned()
        texts = [(self.folder / f'plan.{end}').read_text() for end in ('json', 'md')]
        for text in texts:
            # The test's own database, and checksums, may have any digits.
            said = re.sub('[0-9a-f]{32,}', '', text)
            for value in ('555', '1230', 'Bob'):
                self.assertNotIn(value, said)
        plan = self.planned(',values=yes')
        commands = plan['migrations'][0]['commands']
        sent = [each['command']['updates'][0] for each in commands]
        self.assertEqual([each['q'] for each in sent], [{'_id': n} for n in range(5)])
        self.assertEqual(sent[0]['u'], {'$set': {'tel': '555'}})
        [difference] = plan['migrations'][0]['differences']
        self.assertEqual(difference['documents'][0]['before']['tel'], '1230')
        for end in ('json', 'md'):
            mode = stat.S_IMODE((self.folder / f'plan.{end}').stat().st_mode)
            self.assertEqual(mode, 0o600)

    def test_values_that_python_has_no_type_for(self) -> None:
        no_text = encode({'_id': 'no text', 't': '??'}).replace(b'??', b'\xff\xff')
        self.db.odd.insert_one({'_id': 'far', 'at': DatetimeMS(10**15)})
        self.db.odd.insert_one(RawBSONDocument(no_text))
        self.migration('001_a.py', up("db.odd.update_many({}, {'$set': {'a': 1}})"))
        plan = self.planned(',values=yes')
        [difference] = plan['migrations'][0]['differences']
        far, no_text = [each['before'] for each in difference['documents']]
        self.assertEqual(far['at'], {'$date': {'$numberLong': '1000000000000000'}})
        self.assertEqual(no_text['t'], '\ufffd\ufffd')

    def test_names_of_options_as_fields_tell_no_values(self) -> None:
        self.migration(
            '002_b.py',
            up(
                """
                db.notes.insert_many([{'limit': 98765}, {'hint': '98765'}])
                db.notes.delete_many({'limit': {'$gt': 98765}})
                db.notes.create_index('limit')
                try:
                    db.users.insert_one({'_id': 3, 'tel': '98765'})
                except DuplicateKeyError:
                    db.users.insert_one({'_id': 98765})
                """,
                'from pymongo.errors import DuplicateKeyError',
            ),
        )
        second = self.planned()['migrations'][1]
        self.assertFalse(second['known_to_its_end'])
        self.assertEqual(second['commands'][1]['command']['deletes'][0]['limit'], 0)
        for end in ('json', 'md'):
            self.assertNotIn('98765', (self.folder / f'plan.{end}').read_text())

    def test_the_same_is_planned_alike(self) -> None:
        first, second = self.planned(), self.planned()
        del first['made'], second['made']
        self.assertEqual(first, second)

    def test_findings(self) -> None:
        self.migration('002_b.py', up('db.users.delete_many({})'))
        [found] = self.planned()['migrations'][1]['findings']
        self.assertEqual(found['name'], 'empty-filter')
        self.assertEqual(found['path'], 'mongomigrations/002_b.py')

    def test_one_that_fails_is_not_planned(self) -> None:
        self.migration('002_b.py', up('1 / 0'))
        self.migration('003_c.py', up('pass'))
        result = self.fab('migrations:plan')
        said = '\n002_b.py, 003_c.py cannot be planned'
        self.assert_error(result, said, 'no plan was written')
        self.assertFalse((self.folder / 'plan.json').exists())

    def test_one_of_nothing_says_so(self) -> None:
        self.assert_ok(self.fab('migrations:ignore,to=002'))
        for typed in ('plan', 'plan,to=002'):
            said = self.assert_ok(self.fab(f'migrations:{typed}')).said
            self.assertIn(
                'plan.json and plan.md written: nothing would run',
                said,
            )
            self.assertNotIn('To run that', said)
        self.assert_ok(self.fab('migrations:execute,plan=plan.json'))

    def test_nothing_in_it_steers_a_terminal_or_is_a_password(self) -> None:
        """Names come from the database; who agrees to a plan reads it in a terminal."""
        self.migration(
            '001_a.py',
            up(
                """
                address = 'mongodb://ann:s3cret@db.example/'
                db['a\\x1b[2J\\x9b\\u202e`|'].insert_one({'x\\x1b\\x9b': address})
                db.notes.insert_one({'_id': 'x' * 2500 + address})
                """
            ),
        )
        plan = self.planned(',values=yes')
        names = [each['collection'] for each in plan['state']['collections']]
        self.assertIn(f'{self.db.name}.a\x1b[2J\x9b\u202e`|', names)
        for end in ('json', 'md'):
            text = (self.folder / f'plan.{end}').read_text()
            self.assertIn('ann:***@db', text)
            self.assertNotIn('s3cret', text)
            self.assertNotRegex(text, '[\x1b\x9b\u202e]')

    def test_its_name_may_be_no_utf8(self) -> None:
        name = '\udcff.json'
        self.assert_ok(self.fab(f'migrations:plan,file={name}'))
        self.assert_ok(self.fab(f'migrations:execute,plan={name}'))

    def test_it_cannot_be_written(self) -> None:
        self.assert_error(
            self.fab('migrations:plan,file=nowhere/plan.json'),
            'nowhere/plan.json cannot be written: No such file',
        )


class ExecutedTest(PlanTest):
    """What was agreed to runs."""

    def test_where_one_of_them_fails_the_rest_is_planned_anew(self) -> None:
        """Else the next step would be refused: the first one would not run again."""
        self.db.flags.insert_one({'_id': 1})
        flagged = "if not db.flags.find_one(): raise ValueError('no flag')"
        self.migration('002_b.py', up(flagged))
        for names, anew in (
            (['002_b.py', '003_c.py'], 'plan,to=003_c.py,file=plan.json'),
            (['002_b.py'], 'plan,002_b.py,file=plan.json'),
        ):
            with self.subTest(names):
                self.db.migrations.delete_many({})
                self.migration('003_c.py', up('pass'))
                if len(names) == 1:
                    (self.folder / 'mongomigrations/003_c.py').unlink()
                self.planned()
                self.db.flags.delete_many({})
                failed = self.execute()
                self.assertEqual(failed.status, 1, failed.said)
                said = f'then type: fab migrations:{anew}\n'
                self.assertTrue(failed.stderr.endswith(said), failed.said)
                self.db.flags.insert_one({'_id': 1})
                self.assert_ok(self.fab(f'migrations:{anew}'))
                self.assert_ok(self.execute())
                self.assertEqual(self.registered(), ['001_a.py', *names])

    def test_exactly_that(self) -> None:
        self.planned()
        self.assert_ok(self.execute())
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.refused('001_a.py is planned, and would not run: it is applied already')

    def test_up_to_a_name(self) -> None:
        self.assert_ok(self.fab('migrations:plan,to=1'))
        self.assert_ok(self.execute())
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_a_file_is_another(self) -> None:
        self.planned()
        self.migration('002_b.py', up('db.users.drop()'))
        self.refused(
            'What would run is not what plan.json says, so nothing was run:',
            '002_b.py is another file than the one that was planned',
            'To plan it anew, in place of what plan.json says now:'
            ' fab migrations:plan,file=plan.json',
        )

    def test_one_that_replaces_another_says_so(self) -> None:
        said = 'This replaces what plan.json said before'
        first = self.assert_ok(self.fab('migrations:plan'))
        self.assertNotIn(said, first.results)
        self.assertIn(said, self.assert_ok(self.fab('migrations:plan')).results)

    def test_one_more_one_less(self) -> None:
        self.planned()
        self.migration('003_c.py')
        self.refused('003_c.py would run, and is not planned')
        (self.folder / 'mongomigrations/003_c.py').unlink()
        self.register('001_a.py')
        self.refused('001_a.py is planned, and would not run: it is applied already')
        (self.folder / 'mongomigrations/002_b.py').unlink()
        self.refused('002_b.py is planned, and would not run\n')

    def test_a_helper_is_another(self) -> None:
        for name in ('_shared.py', 'lib/deep/names.py'):
            with self.subTest(name):
                self.migration(name, 'A = 1\n')
                self.planned()
                self.migration(name, 'A = 2\n')
                self.refused(f'{name}, which migrations may import, is not the same')

    def test_indexes_that_are_others_are_told(self) -> None:
        self.planned()
        self.db.users.insert_one({'_id': 9})
        self.db.users.create_index('name')
        result = self.assert_ok(self.execute())
        self.assertIn('.users has other indexes or options by now', result.stderr)
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

    def test_each_of_many_databases_has_its_own(self) -> None:
        other = f'{self.db.name}_b'
        self.addCleanup(self.client.drop_database, other)
        self.client[other].users.insert_one({'_id': 1, 'tel': '1'})
        fabfile = self.filled(self.fabfile)
        names = [self.db.name, other]
        fabfile = fabfile.replace('MONGO_DATABASE =', f'MONGO_DATABASES = {names} #')
        self.write('fabfile.py', fabfile)
        self.assert_ok(self.fab('migrations:plan'))
        for name, said in zip(names, ('users 5 updated', 'users 1 updated')):
            plan = json.loads((self.folder / f'plan-{name}.json').read_text())
            self.assertEqual(plan['database'], name)
            self.assertEqual(plan['migrations'][0]['summary'], said)
        self.assert_ok(self.execute())
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.assertEqual(self.client[other].migrations.count_documents({}), 2)

    def test_what_is_no_plan(self) -> None:
        self.refused('plan.json is no plan: No such file')
        for text in ('{', '[]', '{}', '{"migopy_plan": 9}', '{"migopy_plan": 1}'):
            self.write('plan.json', text)
            self.refused('plan.json is no plan: ')

    def test_what_is_a_plan_in_part(self) -> None:
        plan = self.planned()
        for key, value in (
            ('database', None),
            ('asked', 'to'),
            ('asked', {'to': 5}),
            ('helpers', ['x']),
            ('state', {}),
            ('state', {'collections': [{}]}),
            ('migrations', 5),
            ('migrations', ['001_a.py']),
            ('migrations', [{'name': '001_a.py'}]),
        ):
            self.write('plan.json', json.dumps({**plan, key: value}))
            with (
                self.subTest(key),
                self.assertRaisesRegex(NoPlan, 'plan.json is no plan: it is not whole'),
            ):
                read(str(self.folder / 'plan.json'), '')
        self.write('plan.json', '[' * 100_000)
        with self.assertRaisesRegex(NoPlan, 'it is no JSON'):
            read(str(self.folder / 'plan.json'), '')

    def test_no_name_in_it_forges_a_line(self) -> None:
        plan = self.planned()
        plan['migrations'][0]['name'] = 'x\n001_a.py executed'
        plan['helpers'] = {'y\n002_b.py executed': ''}
        plan['database'] = 'z\nDone'
        self.write('plan.json', json.dumps(plan))
        self.refused(
            'What would run is not what plan.json says', r'x\n001_a.py executed'
        )
        self.assertNotRegex(self.execute().said, r'\n *(Done|00[12]_..py executed)')

    def test_what_does_not_go_with_it(self) -> None:
        self.planned()
        for more in ('to=1', 'dry_run=yes', 'show=1'):
            self.assert_error(
                self.fab(f'migrations:execute,plan=plan.json,{more}'),
                'plan=plan.json says what runs',
            )
        self.assertEqual(self.registered(), [])
