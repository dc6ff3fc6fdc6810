"""What a dry run says of a migration whose pages have images is what execute does."""

from __future__ import annotations

from migopy.backfill import NotInBatch
from tests.project import FabTest, PlainTest

NAME = '001_x.py'

OUTSIDE = 'outside of update_each and of the batches'
UNKEPT = 'No image can be kept of what it was about to do'

#: Bodies of an `up`, each with why it is refused.
REFUSED = {
    'db.a.update_one({"_id": 1}, {"$set": {"x": 1}})': OUTSIDE,
    'migopy.update_each(db.a, touch); db.a.delete_many({})': OUTSIDE,
    'migopy.update_each(db.a, lambda each: db.b.insert_one({}) and None)': OUTSIDE,
    'db.a.aggregate([{"$merge": {"into": "b"}}])': OUTSIDE,
    'db.client.drop_database(db.name + "_other")': OUTSIDE,
    'swallow(db.a.insert_one, {})': OUTSIDE,
    'db.client.admin.command("renameCollection", f"{db.name}.a", to="other.a")': UNKEPT,
    'db.command("collMod", "a", recordPreImages=False)': UNKEPT,
    'db.create_collection("series", timeseries={"timeField": "at"})': UNKEPT,
    'each_batch(db, lambda: db.capped.insert_one({}))': UNKEPT,
}

#: Bodies that are taken.
TAKEN = [
    'migopy.update_each(db.a, touch)',
    'each_batch(db, lambda: db.b.insert_one({}))',
    'each_batch(db, lambda: db.a.delete_one({}))',
    'each_batch(db, lambda: None); db.a.create_index("x"); db.a.drop()',
    'db.a.rename("b"); db.create_collection("c")',
    'db.command("collMod", "a", validator={"x": {"$ne": 5}})',
]

MIGRATION = """
    import migopy

    undo = True

    def touch(each):
        return {{'$set': {{'x': 1}}}}

    def swallow(function, *args):
        try:
            function(*args)
        except BaseException:
            pass

    def each_batch(db, function):
        for batch in migopy.batches(db.a, 2):
            function()

    def up(db):
        {body}
"""


class TriedTest(FabTest):
    def given(self, body: str) -> None:
        for name in self.db.list_collection_names():
            self.db.drop_collection(name)
        self.db.a.insert_many([{'_id': number} for number in range(3)])
        self.db.create_collection('capped', capped=True, size=4096)
        self.migration(NAME, MIGRATION.format(body=body))

    def test_what_execute_refuses_is_refused(self) -> None:
        for body, reason in REFUSED.items():
            with self.subTest(body):
                self.given(body)
                before = self.db.command('dbHash')['collections']
                tried = self.fab('migrations:execute,dry_run=yes')
                self.assertEqual(self.db.command('dbHash')['collections'], before)
                executed = self.fab('migrations:execute')
                for result in (tried, executed):
                    self.assertEqual(result.status, 1, result.said)
                    self.assertIn(reason, result.stderr)
                told = [each.stderr.partition(reason)[2] for each in (tried, executed)]
                self.assertEqual(*(each.splitlines()[:2] for each in told))

    def test_what_execute_does_is_taken(self) -> None:
        for body in TAKEN:
            with self.subTest(body):
                self.given(body)
                for typed in ('migrations:execute,dry_run=yes', 'migrations:execute'):
                    self.assert_ok(self.fab(typed))
                self.assertEqual(self.registered(), [NAME])

    def test_a_file_without_images_is_tried_as_ever(self) -> None:
        self.given('db.a.update_many({}, {"$set": {"x": 1}})')
        path = self.folder / 'mongomigrations' / NAME
        path.write_text(path.read_text().replace('undo = True', 'undo = False'))
        self.assert_ok(self.fab('migrations:execute,dry_run=yes'))


class InBatchTest(PlainTest):
    """What no transaction does is refused in a batch by a dry run as well."""

    def given(self, call: str, head: str) -> None:
        for name in self.db.list_collection_names():
            self.db.drop_collection(name)
        self.db.a.insert_many([{'_id': number} for number in range(3)])
        self.db.b.insert_one({})
        wanted = '' if 'undo' in head else ', transaction=True'
        body = f'for batch in migopy.batches(db.a, 2{wanted}):\n        {call}\n'
        self.migration(NAME, f'import migopy\n{head}\ndef up(db):\n    {body}')

    def test_what_no_transaction_does(self) -> None:
        for call, *heads in (
            ('db.a.create_index("x")', 'undo = True', ''),
            ('db.a.estimated_document_count()', 'undo = True'),
            ('db.a.index_information()', 'undo = True'),
            ('db.b.aggregate([{"$merge": {"into": "a"}}])', ''),
            ('db.b.drop()', 'undo = True', ''),
            ('db.command("create", "v", viewOn="a", pipeline=[])', 'undo = True'),
            ('db.list_collection_names()', ''),
        ):
            for head in heads:
                with self.subTest(call, head=head):
                    self.given(call, head)
                    before = self.db.command('dbHash')['collections']
                    with self.assertRaisesRegex(NotInBatch, 'Executed, it would fail'):
                        self.manager().execute(dry_run='yes')
                    self.assertEqual(self.db.command('dbHash')['collections'], before)
                    with self.assertRaisesRegex(NotInBatch, 'Nothing of that batch is'):
                        self.manager().execute()

    def test_what_a_transaction_does(self) -> None:
        for call in (
            'db.c.create_index("x"); db.c.insert_one({})',
            'if batch[0]["_id"] == 0: db.create_collection("d")',
            'db.a.count_documents({}), db.a.distinct("x")',
        ):
            with self.subTest(call):
                self.given(call, 'undo = True')
                self.manager().execute(dry_run='yes')
                self.manager().execute()
                self.assertEqual(self.registered(), [NAME])

    def test_after_a_loop_a_dry_run_answers_again(self) -> None:
        self.given('break', '')
        path = self.folder / 'mongomigrations' / NAME
        more = (
            '    assert "a" in db.list_collection_names()\n    db.a.create_index("x")\n'
        )
        path.write_text(path.read_text() + more)
        self.manager().execute(dry_run='yes')
        self.manager().execute()
