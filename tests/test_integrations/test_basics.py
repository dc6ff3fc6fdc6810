"""The main job: status, execute, ignore, rollback, as 1.0 had them."""

from __future__ import annotations

from tests.project import FabTest

INSERT = """
    def up(db):
        db.notes.insert_one({'content': 'test'})

    def down(db):
        db.notes.delete_one({'content': 'test'})
"""

NOTHING = """
    def up(db):
        pass

    def down(db):
        pass
"""


class StatusTest(FabTest):
    """`fab migrations`."""

    def test_lists_what_is_not_registered(self) -> None:
        self.migration('001_first.py', INSERT)
        self.migration('2_second.py', NOTHING)
        self.db.migrations.insert_one({'name': '001_first.py'})
        result = self.assert_ok(self.fab('migrations'))
        self.assertIn('2_second.py', result.stderr)
        self.assertNotIn('001_first.py', result.stderr)
        self.assertEqual(result.stdout, '\nDone.\n')


class ExecuteTest(FabTest):
    """`fab migrations:execute`."""

    def test_executes_and_registers_in_order_of_number(self) -> None:
        for name in ('10_c.py', '001_a.py', '2_b.py'):
            self.migration(
                name,
                f"""
                def up(db):
                    db.ran.insert_one({{'name': '{name}'}})
            """,
            )
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(
            [document['name'] for document in self.contents('ran')],
            ['001_a.py', '2_b.py', '10_c.py'],
        )
        self.assertEqual(self.registered(), ['001_a.py', '10_c.py', '2_b.py'])
        result = self.assert_ok(self.fab('migrations'))
        self.assertIn('All migrations', result.stderr)
