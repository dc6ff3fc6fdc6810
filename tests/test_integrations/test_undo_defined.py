"""Definitions that a migration makes, drops or changes, and the undo of that."""

from __future__ import annotations

from typing import Any
from unittest import mock

from migopy.run import NotImaged, OutsidePages
from migopy.run.conditions import WroteWhileLooking
from migopy.run.own_collections import TakesOwn
from migopy.undo import Conflicts, InTheWay, OfNoImages
from tests.definitions import HEAD, DefinitionsTest
from tests.images import definitions_of, state_of


class DefinedTest(DefinitionsTest):
    """Outside of a transaction definitions are kept before they are changed."""

    LINES = (
        "db.a.create_index('x', expireAfterSeconds=3)",
        "db.a.drop_index('n_1')",
        "db.a.drop_index([('n', 1)])",
        'db.a.drop_indexes()',
        "db.a.drop_index('n_1'); db.a.create_index('q')",
        "db.a.drop_index('n_1'); db.a.create_index('n', name='n_1', sparse=True)",
        "db.create_collection('c', validator={'x': 1})",
        "db.create_collection('c'); db.c.create_index('x'); db.c.create_index('y')",
        "db.c.create_index('x')",
        "db.create_collection('w', viewOn='a', pipeline=[])",
        "db.command('collMod', 'a', validator={'$expr': True})",
        "db.command('collMod', 'b', validator={'x': 1}, validationLevel='moderate')",
        "db.command('collMod', 'a', validator={}, validationAction='warn')",
        "db.command('collMod', 'a', index={'name': 'ttl', 'expireAfterSeconds': 5})",
        "db.command('collMod', 'a', index={'keyPattern': {'n': 1}, 'hidden': True})",
        "db.command('collMod', 'v', viewOn='b', pipeline=[])",
        'db.v.drop()',
        'db.v.drop(); db.v.create_index("x")',
        'db.a.drop()',
        "db.a.drop(); db.create_collection('a', capped=True, size=5000)",
        "db.a.rename('z')",
        "db.a.rename('z'); db.z.drop_indexes()",
        "db.a.rename('b', dropTarget=True)",
        "db.a.rename('z'); db.b.rename('a'); db.z.rename('b')",
        "db.b.drop(); db.a.rename('b'); db.b.drop()",
        'db.nowhere.drop()',
    )

    def test_definitions_are_what_they_were(self) -> None:
        for line in self.LINES:
            with self.subTest(line):
                self.migration('001_a.py', f'{HEAD}    {line}\n')
                manager = self.manager()
                manager.execute()
                if 'nowhere' not in line:
                    self.assertNotEqual(self.state(), self.before)
                manager.rollback('001')
                self.assert_undone()

    def test_with_pages_between_them(self) -> None:
        self.migration(
            '001_a.py',
            f"""
            {HEAD.strip().replace(chr(10), chr(10) + ' ' * 12)}
                db.a.drop_index('n_1')
                db.command('collMod', 'a', validator={{}})
                migopy.update_each(db.a, lambda each: {{'$set': {{'n': -1}}}})
                db.a.rename('z')
                migopy.update_each(db.z, lambda each: {{'$set': {{'z': each['_id']}}}})
                db.z.create_index('z', unique=True)
                db.z.drop()
            """,
        )
        manager = self.manager()
        manager.execute()
        self.assertNotIn('a', self.db.list_collection_names())
        manager.rollback('001', dry_run='yes')
        self.assertNotIn('a', self.db.list_collection_names())
        manager.rollback('001')
        self.assert_undone()

    def test_what_is_not_covered_is_refused_before_it_is_sent(self) -> None:
        self.needs_version(5, 0)
        for line, said in (
            (
                "db.create_collection('t', timeseries={'timeField': 'at'})",
                'time series',
            ),
            (
                "db.command('collMod', 'a', index={'name': 'n_1', 'unique': True})",
                'index.unique',
            ),
            ("db.command('convertToCapped', 'a', size=9999)", 'undo = False'),
            ('db.client.drop_database(db.name)', 'what migopy keeps'),
            (
                "db.client.admin.command('renameCollection', f'{db.name}.a', to='z.a')",
                'another database',
            ),
            ('db.migrations.drop()', 'what migopy keeps'),
            ('db.migrations_undo.drop()', 'what migopy keeps'),
        ):
            with self.subTest(line):
                self.migration('001_a.py', f'{HEAD}    {line}\n')
                kinds = NotImaged, OutsidePages, TakesOwn
                with self.assertRaisesRegex(kinds, said):
                    self.manager().execute()
                self.assertEqual(self.state(), self.before)
                self.assertEqual(self.registered(), [])

    def test_a_large_collection_is_not_dropped(self) -> None:
        self.db.a.insert_one({'_id': 99, 'n': 99, 'text': 'x' * 20_000})
        self.before = self.state()
        self.migration('001_a.py', f'{HEAD}    db.a.drop()\n')
        with self.assertRaisesRegex(NotImaged, 'UNDO_MB'):
            self.manager(UNDO_MB=0.01).execute()
        self.assertEqual(self.state(), self.before)

    CONFLICTS = (
        (
            "db.a.create_index('x')",
            "db.a.drop_index('x_1'); db.a.create_index('x', sparse=True)",
            'index x_1',
        ),
        ("db.a.drop_index('n_1')", "db.a.create_index('n', name='n_1')", 'index n_1'),
        (
            "db.command('collMod', 'a', validator={})",
            "db.command('collMod', 'a', validator={'y': 1})",
            'option validator',
        ),
        ('db.a.drop()', "db.a.insert_one({'_id': 1})", 'made again'),
        ("db.a.rename('z')", "db.a.insert_one({'_id': 1})", 'made again'),
        ("db.a.rename('z')", 'db.z.drop()', 'deleted'),
        ("db.create_collection('c')", "db.c.create_index('x')", 'index x_1'),
        (
            'db.v.drop()',
            "db.create_collection('v', viewOn='b', pipeline=[])",
            'made again',
        ),
    )

    def test_what_others_have_defined_since_is_a_conflict(self) -> None:
        for line, since, said in self.CONFLICTS:
            with self.subTest(line=line, since=since):
                self.migration('001_a.py', f'{HEAD}    {line}\n')
                manager = self.manager()
                manager.execute()
                exec(since, {'db': self.db})
                after = self.state_of_all()
                with self.assertRaisesRegex(Conflicts, f'1 definition(.|\n)*{said}'):
                    manager.rollback('001')
                self.assertEqual(self.state_of_all(), after)
                manager.rollback('001', conflicts='keep')
                self.assertEqual(self.state_of_all(), after)
                self.client.drop_database(self.db.name)
                self.fill()

    def state_of_all(self) -> Any:
        return definitions_of(self.db), state_of(self.db)

    def test_others_are_taken_back_where_that_is_wanted(self) -> None:
        for line, since, _ in self.CONFLICTS:
            if since == 'db.z.drop()':
                continue
            with self.subTest(line=line, since=since):
                self.migration('001_a.py', f'{HEAD}    {line}\n')
                manager = self.manager()
                manager.execute()
                exec(since, {'db': self.db})
                manager.rollback('001', conflicts='ours')
                self.assert_undone()

    def test_what_was_dropped_stays_where_a_rollback_does_not_bring_it_back(
        self,
    ) -> None:
        drops = {
            'db.a.drop()': 'a',
            "db.b.rename('a', dropTarget=True)": 'b',
        }
        with_down = '\n\ndef down(db):\n    db.c.drop_indexes()\n'
        for line, again in drops.items():
            for wish, since, down in (
                ({'conflicts': 'keep'}, again, ''),
                ({'conflicts': 'theirs'}, again, ''),
                ({}, '', with_down),
            ):
                with self.subTest(line=line, wish=wish):
                    text = f"{HEAD}    db.c.create_index('x')\n    {line}\n"
                    self.migration('001_a.py', text + down)
                    self.migration('002_b.py', f'{HEAD}    db.d.create_index("x")\n')
                    manager = self.manager(UNDO_KEEP=1)
                    manager.execute('001')
                    if since:
                        self.db[since].insert_one({'_id': 'of others'})
                    manager.rollback('001', **wish)
                    self.assertIn(
                        'What 001_a.py (20 documents) dropped, and nothing has brought'
                        ' back, stays set aside in',
                        self.said(),
                    )
                    self.assert_aside()
                    # Nothing that runs later deletes it, nor says so again.
                    self.logger.said.clear()
                    manager.execute('002')
                    manager.rollback('002')
                    self.assert_aside()
                    self.assertNotIn('set aside', self.said())
                    manager.undo()
                    self.assertRegex(self.said(), r'001_a.py .* 20 ')
                    self.assertIn('fab migrations:undo,forget=001_a.py', self.said())
                    manager.undo(forget='001')
                    self.assertEqual(self.aside(), [])
                    self.assertEqual(list(self.db.migrations_undo.find()), [])
                self.client.drop_database(self.db.name)
                self.fill()

    def assert_aside(self) -> None:
        (aside,) = self.aside()
        self.assertEqual(self.db[aside].count_documents({}), 20)
        self.assertEqual(self.db.migrations_undo.count_documents({}), 1)

    def test_what_was_set_aside_and_taken_back_by_hand_is_listed_no_more(self) -> None:
        self.migration('001_a.py', f'{HEAD}    db.a.drop()\n')
        manager = self.manager()
        manager.execute()
        self.db.a.insert_one({'_id': 'of others'})
        manager.rollback('001', conflicts='keep')
        (aside,) = self.aside()
        self.db[aside].rename('a', dropTarget=True)
        self.migration('002_b.py', f'{HEAD}    db.d.create_index("x")\n')
        manager.execute('002')
        manager.rollback('002')
        self.assertEqual(self.db.a.count_documents({}), 20)
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_what_is_offered_says_what_is_lost_by_it(self) -> None:
        for line, since, said, unsaid in (
            (
                'db.a.drop()',
                "db.a.insert_one({'_id': 1})",
                (
                    'and what was dropped is set aside',
                    'deleted then, but nothing that is set aside',
                    'and drop what they have made again',
                ),
                'theirs',
            ),
            (
                "migopy.update_each(db.a, lambda _: {'$set': {'x': 1}});"
                " db.b.create_index('x')",
                "db.b.drop_index('x_1'); db.b.create_index('x', sparse=True);"
                " db.a.update_one({}, {'$set': {'x': 2}})",
                ('images are deleted then):', 'in these documents, too', 'theirs'),
                'made again',
            ),
        ):
            with self.subTest(line):
                self.migration('001_a.py', f'{HEAD}    {line}\n')
                manager = self.manager()
                manager.execute()
                exec(since, {'db': self.db})
                with self.assertRaises(Conflicts) as caught:
                    manager.rollback('001')
                for each in said:
                    self.assertIn(each, caught.exception.message)
                self.assertNotIn(unsaid, caught.exception.message)
                self.client.drop_database(self.db.name)
                self.fill()

    def test_ours_takes_a_view_away_and_no_collection_for_one(self) -> None:
        self.migration('001_a.py', f'{HEAD}    db.a.drop()\n')
        manager = self.manager()
        manager.execute()
        self.db.create_collection('a', viewOn='b', pipeline=[])
        manager.rollback('001', conflicts='ours')
        self.assert_undone()
        self.migration('001_a.py', f'{HEAD}    db.v.drop()\n')
        manager.execute()
        self.db.v.insert_one({'_id': 'of others'})
        with self.assertRaisesRegex(InTheWay, 'v: the view cannot be restored'):
            manager.rollback('001', conflicts='ours')
        self.db.v.rename('other')
        manager.rollback('001', conflicts='ours')
        self.db.other.drop()
        self.assert_undone()

    def test_it_is_told_what_is_done(self) -> None:
        self.migration('001_a.py', f"{HEAD}    db.a.drop(); db.b.drop_index('b')\n")
        self.db.b.create_index('b', name='b')
        manager = self.manager()
        manager.execute()
        self.assertIn('collection a dropped', self.said())
        self.assertIn('index b dropped', self.said())
        manager.undo()
        self.assertRegex(self.said(), r'001_a.py +[-\d]+ [:\d]+ +20 ')
        dropped = self.state_of_all()
        manager.rollback('001', dry_run='yes')
        self.assertIn('a: the collection would be brought back\n', self.said())
        self.assertIn('b: index b would be made again\n', self.said())
        self.assertEqual(self.state_of_all(), dropped)
        manager.rollback('001')
        self.assertIn('collection a brought back with 20 documents', self.said())
        self.assertIn('index b made', self.said())

    def test_a_dry_run_says_of_each_definition_what_becomes_of_it(self) -> None:
        lines = {
            "db.a.create_index('q')": 'a: index q_1 would be dropped',
            "db.a.drop_index('q_1')": 'a: index q_1 would be made again',
            "db.create_collection('new')": 'new: the collection would be dropped, if',
            "db.create_collection('seen', viewOn='a')": 'the view would be dropped',
            'db.seen.drop()': 'seen: the view would be made again',
            "db.b.rename('moved')": 'b: the collection would be renamed back',
            "db.command('collMod', 'a', validator={'n': 1})": 'validator.* set back',
        }
        for number, (line, said) in enumerate(lines.items(), 1):
            self.migration(f'00{number}_a.py', f'{HEAD}    {line}\n')
            manager = self.manager(UNDO_KEEP=None)
            manager.execute()
            manager.rollback(str(number), dry_run='yes')
            with self.subTest(line):
                self.assertRegex(self.said(), said)
                self.assertNotIn('would do: nothing', self.said())

    def test_a_dry_run_promises_no_unique_index_that_duplicates_may_prevent(
        self,
    ) -> None:
        self.db.b.create_index('login', unique=True)
        self.migration('001_a.py', f"{HEAD}    db.b.drop_index('login_1')\n")
        manager = self.manager()
        manager.execute()
        self.db.b.insert_many([{'login': 'ada'}, {'login': 'ada'}])
        manager.rollback('001', dry_run='yes')
        self.assertIn(
            'b: index login_1 would be made again, if no two documents have equal'
            ' values in it then\n',
            self.said(),
        )
        with self.assertRaisesRegex(InTheWay, 'index login_1 cannot be restored'):
            manager.rollback('001')

    def said(self) -> str:
        return '\n'.join(text for _, text in self.logger.said)

    def test_without_documents_it_speaks_of_definitions(self) -> None:
        self.migration('001_a.py', f"{HEAD}    db.a.create_index('x')\n")
        self.manager().execute()
        self.manager().rollback('001')
        self.assertIn('; restoring what it defined as before 20', self.said())

    def test_what_was_set_aside_goes_with_the_images(self) -> None:
        for way in ('forgotten', 'too many'):
            with self.subTest(way):
                self.migration('001_a.py', f'{HEAD}    db.a.drop()\n')
                self.migration('002_b.py', f'{HEAD}    db.b.drop()\n')
                manager = self.manager(UNDO_KEEP=1 if way == 'too many' else 5)
                manager.execute('001')
                self.assertEqual(len(self.aside()), 1)
                if way == 'forgotten':
                    manager.undo(forget='001')
                manager.execute('002')
                self.assertEqual(len(self.aside()), 1)
                manager.undo(forget='002')
                self.assertEqual(self.aside(), [])
                self.client.drop_database(self.db.name)
                self.fill()

    def test_images_that_were_being_deleted_in_a_crash_go_with_the_next(self) -> None:
        self.migration('001_a.py', f'{HEAD}    db.a.drop()\n')
        self.migration('002_b.py', f'{HEAD}    db.b.drop()\n')
        manager = self.manager()
        manager.execute('001')
        drop = mock.patch('migopy.undo.images.Images._drop', side_effect=OSError)
        with drop, self.assertRaises(OSError):
            manager.undo(forget='001')
        self.assertEqual(len(self.aside()), 1)
        manager.execute('002')
        manager.undo(forget='002')
        self.assertEqual(self.aside(), [])
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_definitions_of_another_database(self) -> None:
        other = self.client[f'{self.db.name}_other']
        self.addCleanup(self.client.drop_database, other.name)
        other.a.insert_one({'_id': 1})
        other.a.create_index('x')
        before = definitions_of(other), state_of(other)
        self.migration('001_a.py', f'{HEAD}    db.client["{other.name}"].a.drop()\n')
        manager = self.manager()
        manager.execute()
        self.assertNotIn('a', other.list_collection_names())
        manager.rollback('001')
        self.assertEqual((definitions_of(other), state_of(other)), before)
        self.assertEqual(self.aside(other), [])

    def test_beside_pages_that_another_thread_writes(self) -> None:
        self.migration(
            '001_a.py',
            """
            import contextvars
            import threading

            import migopy

            undo = True

            def define(db):
                for place in range(6):
                    db.a.create_index(f'x{place}')
                    db.a.drop_index(f'x{place}_1')
                db.v.drop()

            def up(db):
                context = contextvars.copy_context()
                thread = threading.Thread(target=context.run, args=[define, db])
                thread.start()
                while thread.is_alive():
                    migopy.update_each(
                        db.a, lambda each: {'$inc': {'n': 100}}, batch_size=2
                    )
                thread.join()
            """,
        )
        manager = self.manager()
        manager.execute()
        self.assertGreaterEqual(self.db.a.find_one({'_id': 1})['n'], 101)
        manager.rollback('001')
        self.assert_undone()

    def test_with_one_connection_it_is_refused_and_does_not_wait(self) -> None:
        self.migration('001_a.py', f'{HEAD}    db.a.drop()\n')
        manager = self.manager(MONGO_CLIENT_OPTIONS={'maxPoolSize': 1})
        with self.assertRaisesRegex(NotImaged, 'maxPoolSize=1'):
            manager.execute()
        self.assertEqual(self.state(), self.before)

    def test_verify_makes_nothing_and_nothing_is_set_aside_for_it(self) -> None:
        text = f'{HEAD}    pass\n\n\ndef verify(db):\n    db.a.drop()\n'
        self.migration('001_a.py', text)
        with self.assertRaises(WroteWhileLooking):
            self.manager().execute()
        self.assertEqual(self.state(), self.before)
        self.assertEqual(self.aside(), [])

    def test_capped_collections_and_time_series_are_refused_at_the_first_write(
        self,
    ) -> None:
        self.needs_version(5, 0)
        self.db.create_collection('log', capped=True, size=9999)
        self.db.log.insert_one({'_id': 1, 'x': 0})
        self.db.create_collection('t', timeseries={'timeField': 'at'})
        for head, line, said in (
            ('transaction = ', "db.log.insert_one({'_id': 2})", 'log is capped'),
            ('transaction = ', "db.log.update_one({}, {'$set': {'x': 1}})", 'capped'),
            ('transaction = ', "db.t.insert_one({'at': 1})", 't is a time series'),
            ('', "migopy.update_each(db.log, lambda _: {'$set': {'x': 1}})", 'capped'),
        ):
            with self.subTest(line):
                text = HEAD.replace('undo =', f'{head}undo =')
                first = "migopy.update_each(db.a, lambda _: {'$set': {'y': 1}})"
                self.migration('001_a.py', f'{text}    {first}\n    {line}\n')
                kinds = NotImaged, OfNoImages
                with self.assertRaisesRegex(kinds, said):
                    self.manager().execute()
                self.assertEqual(self.db.log.find_one(), {'_id': 1, 'x': 0})
                self.assertIn('undo = False', '\n'.join(self.logger.of('red')))
                if head:
                    self.assertEqual(self.db.a.count_documents({'y': 1}), 0)
                else:
                    self.manager().rollback('001')
                self.assertEqual(self.registered(), [])
