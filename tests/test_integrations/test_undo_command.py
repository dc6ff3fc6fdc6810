"""The command `undo`: it lists and forgets images, and rolls nothing back."""

from __future__ import annotations

import gridfs

from tests import schema
from tests.images import state_of
from tests.invoking import InvokeTest
from tests.project import CommandTest, FabTest

CHANGE = """
    transaction = undo = True

    def up(db):
        db.a.update_many({}, {'$set': {'x': 1}})
"""


class FabUndoTest(FabTest):
    """`undo` on Fabric 1."""

    def setUp(self) -> None:
        super().setUp()
        self.db.a.insert_one({'_id': 1})
        self.migration('001_a.py', CHANGE)
        self.assert_ok(self.fab('migrations:execute'))
        self.after = state_of(self.db)

    def test_it_lists(self) -> None:
        for typed in ('undo', 'undo,list'):
            listed = self.assert_ok(self.fab(f'migrations:{typed}'))
            self.assertIn('001_a.py', listed.stdout)

    def test_it_lists_in_json(self) -> None:
        told = self.assert_ok(self.fab('migrations:undo,json=yes'))
        [line] = map(schema.check, told.stdout.splitlines())
        [kept] = line['images']
        self.assertEqual((kept['name'], kept['documents']), ('001_a.py', 1))

    def test_a_rollback_is_offered_of_what_is_applied_alone(self) -> None:
        """Not of what was forgotten, nor of what was refused at its first write."""
        self.migration('002_b.py', CHANGE.replace('transaction = ', ''))
        for _ in range(2):
            told = self.fab('migrations:execute')
            self.assert_error(told, '002_b.py failed in its up')
        listed = self.fab('migrations:undo').stdout
        offered = 'as they were: fab migrations:rollback,001_a.py,undo=yes\n'
        self.assertIn(offered, listed)
        self.assertNotIn('001_a.py is not applied', listed)
        delete = 'To delete them now: fab migrations:undo,forget'
        self.assertIn('002_b.py is not applied, so nothing can be restored', listed)
        self.assertEqual(listed.count(f'{delete}=002_b.py\n'), 1)

        (self.folder / 'mongomigrations' / '001_a.py').unlink()
        self.assert_ok(self.fab('migrations:forget,001_a.py'))
        listed = self.fab('migrations:undo').stdout
        self.assertIn(f'{delete}=001_a.py\n', listed)
        self.assertNotIn('rollback', listed)
        self.assert_ok(self.fab('migrations:undo,forget=001_a.py'))
        self.assert_ok(self.fab('migrations:undo,forget=002_b.py'))
        self.assertIn('No images are kept', self.fab('migrations:undo').stdout)

    def test_no_rollback_is_offered_that_is_refused(self) -> None:
        """Nothing is rolled back without its file, and nothing that was replaced."""
        self.migration('002_b.py', CHANGE)
        self.assert_ok(self.fab('migrations:execute'))
        (self.folder / 'mongomigrations' / '002_b.py').unlink()
        listed = self.fab('migrations:undo').stdout
        self.assertIn('fab migrations:rollback,001_a.py,undo=yes\n', listed)
        self.assertIn('file in this folder, or replaced: 002_b.py. To', listed)
        self.migration('002_b.py', CHANGE)
        self.assert_ok(self.fab('migrations:squash,to=002'))
        listed = self.fab('migrations:undo').stdout
        self.assertNotIn('rollback', listed)
        self.assertIn('or replaced: 001_a.py, 002_b.py. To', listed)

    def test_a_person_is_asked_before_the_way_back_is_deleted(self) -> None:
        shown = self.on_terminal('migrations:undo,forget=001_a.py', typed='n\n')
        self.assertIn('Images of 001_a.py (1 document) are what a rollback', shown)
        self.assertIn('Nothing was done.', shown)
        self.assertEqual(len(list(self.db.migrations_undo.find())), 2)
        self.assertEqual(self.contents('migrations_lock'), [])
        shown = self.on_terminal('migrations:undo,forget=001_a.py', typed='y\n')
        self.assertIn('Deleted: images of 001_a.py (1 document)', shown)
        self.assertIn('No images are kept', shown)
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_a_person_is_told_what_an_earlier_run_has_dropped(self) -> None:
        """Beside the images of the run that is applied: it may be nowhere else."""
        self.migration(
            '002_b.py', 'undo = True\ndef up(db): db.b.drop()\ndef down(db): pass'
        )
        for command in ('execute', 'rollback,002', 'execute'):
            self.db.b.insert_one({})
            self.assert_ok(self.fab(f'migrations:{command}'))
        shown = self.on_terminal('migrations:undo,forget=002_b.py', typed='n\n')
        self.assertIn('Images of 002_b.py (2 documents) are what a rollback', shown)
        self.assertIn(
            'What 002_b.py (1 document) dropped in an earlier run is set aside still,'
            ' and may be nowhere else.\nDelete them',
            shown,
        )

    def test_who_wants_a_rollback_is_told_the_command(self) -> None:
        for typed in ('undo,001', 'undo,001,forget=001'):
            result = self.fab(f'migrations:{typed}')
            self.assertEqual(result.status, 1, result.said)
            self.assertIn(
                'undo only lists images, so nothing was done; to roll back:'
                ' fab migrations:rollback,001\n',
                result.stderr,
            )
            self.assertEqual(state_of(self.db), self.after)
            self.assertEqual(len(list(self.db.migrations_undo.find())), 2)


class AdviceTest(FabTest):
    """What an error says to write or to type is not refused by the next one."""

    def test_a_machine_gets_the_commands_that_the_error_names(self) -> None:
        self.migration('001_a.py', CHANGE)
        self.assert_ok(self.fab('migrations:execute'))
        self.db.a.update_one({}, {'$set': {'x': 2}})
        for options in ('', ',dry_run=yes'):
            told = self.fab(f'migrations:rollback,001{options},json=yes').results
            lines = [schema.check(line) for line in told.splitlines()]
            for each in lines:
                if failed := each if each['event'] == 'failed' else each.get('failed'):
                    self.assertEqual(failed['next'], lines[-1]['error']['next'])
                    self.assertIn('conflicts', failed['next'][0]['options'])

    def test_of_an_undo_that_others_are_in_the_way_of(self) -> None:
        """Whether it is one transaction or several: there is nothing to correct."""
        change = "lambda each: {'$set': {'x': 1}}"
        for line in ('', "db.a.create_index('x')"):
            with self.subTest(line):
                self.db.migrations.delete_many({})
                text = f'import migopy\nundo = True\ndef up(db):\n    {line}\n'
                self.migration(
                    '001_a.py', f'{text}    migopy.update_each(db.a, {change})'
                )
                self.assert_ok(self.fab('migrations:execute'))
                self.db.a.update_one({}, {'$set': {'x': 2}})
                result = self.fab('migrations:rollback,001')
                said = 'It had written nothing.' if line else 'nothing was changed.'
                self.assertTrue(result.stderr.endswith(f'{said}\n'), result.said)
                self.assertNotIn('Correct it', result.stderr)
                self.assert_ok(self.fab('migrations:rollback,001,conflicts=ours'))

    def setUp(self) -> None:
        super().setUp()
        self.db.a.insert_one({'_id': 1})

    def said_of(self, line: str, head: str) -> str:
        """Give what is said of a migration with one line, which fails."""
        text = f'import gridfs\n{head}\ndef up(db):\n    {line}\n'
        self.migration('001_a.py', text)
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1, result.said)
        return result.stderr

    def test_of_what_neither_a_transaction_nor_images_can_do(self) -> None:
        for stage in ("{'$out': 'b'}", "{'$merge': {'into': 'b'}}"):
            line = f'list(db.a.aggregate([{stage}]))'
            with self.subTest(stage):
                said = self.said_of(line, 'transaction = undo = True')
                self.assertIn('`transaction = False` at the top', said)
                self.assertIn('have `undo = False` as well', said)
                said = self.said_of(line, 'undo = True')
                self.assertIn('`undo = False` at the top', said)
                self.assertNotIn('transaction = True', said)

    def test_of_what_the_driver_does_in_no_transaction(self) -> None:
        gridfs.GridFS(self.db).put(b'x')
        line = 'list(gridfs.GridFS(db).find())'
        said = self.said_of(line, 'transaction = True')
        self.assertIn('cannot do this: GridFS does not support multi-document', said)
        self.assertIn('`transaction = False` at the top', said)


class CommandUndoTest(CommandTest):
    """`undo` of the command `migopy`."""

    def test_it_lists_forgets_and_names_the_rollback(self) -> None:
        self.db.a.insert_one({'_id': 1})
        self.migration('001_a.py', CHANGE)
        self.assert_ok(self.migopy('execute'))
        listed = self.assert_ok(self.migopy('undo', 'list'))
        self.assertIn('001_a.py', listed.stdout)
        result = self.migopy('undo', '001')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('to roll back: migopy rollback 001', result.stderr)
        result = self.assert_ok(self.migopy('undo', '--forget', '001'))
        self.assertIn('No images are kept', result.stdout)
        self.assert_error(self.migopy('rollback', '1', '--undo'), 'they were forgotten')


class InvokeUndoTest(InvokeTest):
    """`undo` on the Invoke face."""

    def test_it_lists_forgets_and_names_the_rollback(self) -> None:
        self.db.a.insert_one({'_id': 1})
        self.migration('001_a.py', CHANGE)
        self.assert_ok(self.fab('migrations.execute'))
        listed = self.assert_ok(self.fab('migrations.undo', '--what', 'list'))
        self.assertIn('001_a.py', listed.stdout)
        result = self.fab('migrations.undo', '--what', '001')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('to roll back: fab migrations.rollback --name 001', result.said)
        result = self.assert_ok(self.fab('migrations.undo', '--forget', '001'))
        self.assertIn('No images are kept', result.stdout)
