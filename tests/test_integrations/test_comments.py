"""What a migration asks of the server tells a DBA whose it is."""

from __future__ import annotations

from collections.abc import Iterator

from tests.project import FabTest

#: Each method of PyMongo and of 2014 whose command the profiler shows.
ALL = """
    import pymongo

    def up(db):
        db.command('profile', 2)
        one = {'$set': {'x': 1}}
        db.a.insert_one({'_id': 1})
        db.a.insert_many([{'_id': n} for n in range(2, 300)])
        db.a.find_one()
        list(db.a.find())
        list(db.a.find_raw_batches())
        db.a.update_one({}, one)
        db.a.update_many({}, one)
        db.a.replace_one({'_id': 1}, {'x': 1})
        db.a.bulk_write([pymongo.UpdateOne({}, one), pymongo.DeleteOne({'_id': 9})])
        db.a.delete_one({'_id': 8})
        db.a.delete_many({'_id': 7})
        db.a.find_one_and_update({}, one)
        db.a.find_one_and_replace({'_id': 1}, {'x': 1})
        db.a.find_one_and_delete({'_id': 6})
        db.a.count_documents({})
        db.a.estimated_document_count()
        db.a.distinct('x')
        list(db.a.aggregate([]))
        list(db.a.aggregate_raw_batches([]))
        db.a.create_index('x')
        db.a.create_indexes([pymongo.IndexModel('y')])
        list(db.a.list_indexes())
        db.a.index_information()
        db.a.drop_index('x_1')
        db.a.drop_indexes()
        db.a.rename('b')
        db.create_collection('c')
        db.c.drop()
        db.drop_collection('b')
        db.d.insert({'_id': 1})
        db.d.save({'_id': 1, 'x': 1})
        db.d.update({}, one)
        db.d.remove({'_id': 2})
        db.d.find().count()
        db.d.ensure_index('x')
        db.command('profile', 0)
"""

#: An author's own comments.
OWN = """
    def up(db):
        db.command('profile', 2)
        db.a.insert_one({}, False, None, 'mine')
        db.a.update_one({}, {'$set': {'x': 1}}, comment={'mine': 1})
        list(db.a.find(comment='mine'))
        list(db.a.find().comment('mine'))
        list(db.a.find(modifiers={'$comment': 'mine'}))
        db.command('profile', 0)
"""


class CommentsTest(FabTest):
    """The profiler shows the comment of each command."""

    def comments(self) -> Iterator[tuple[str, object]]:
        """Give what was done to collections of the migration, and its comment."""
        for each in self.db['system.profile'].find():
            command = each.get('command', {})
            if 'migrations' not in each['ns'] and 'profile' not in command:
                yield f'{each["op"]} {next(iter(command), "")}', command.get('comment')

    def test_every_call_has_that_of_its_run(self) -> None:
        self.migration('1_a.py', ALL)
        self.assert_ok(self.fab('migrations:execute'))
        [run] = self.db.migrations_history.find()
        seen = list(self.comments())
        self.assertGreater(len(seen), 35)
        ours = f'migopy: up of 1_a.py, run {run["_id"]}'
        # Which cursors are still open is PyMongo's to say, and nobody's else.
        others = [name for name, said in seen if said != ours]
        self.assertEqual([each for each in others if 'killCursors' not in each], [])

    def test_an_authors_own_stands(self) -> None:
        self.migration('1_a.py', OWN)
        self.assert_ok(self.fab('migrations:execute'))
        said = [said for _, said in self.comments()]
        self.assertEqual(said, ['mine', {'mine': 1}, 'mine', 'mine', 'mine'])

    def test_one_in_a_transaction_and_a_dry_run_too(self) -> None:
        text = 'transaction = True\ndef up(db): db.a.insert_one({})'
        self.migration('1_a.py', text)
        self.db.create_collection('a')
        self.db.command('profile', 2)
        self.assert_ok(self.fab('migrations:execute,dry_run=yes'))
        self.assert_ok(self.fab('migrations:execute'))
        self.db.command('profile', 0)
        [run] = self.db.migrations_history.find()
        said = [said for name, said in self.comments() if name.startswith('insert')]
        dry = 'migopy: dry run of up of 1_a.py'
        self.assertEqual(said, [dry, f'migopy: up of 1_a.py, run {run["_id"]}'])
