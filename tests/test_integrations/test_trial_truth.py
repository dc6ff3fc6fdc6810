"""What a dry run or a transaction says of writes past it is the truth."""

from __future__ import annotations

from tests.project import FabTest

NAME = '001_x.py'

#: Ways to write past a transaction that are refused before anything is sent.
REFUSED = {
    'in a session of its own': """
        def up(db):
            with db.client.start_session() as s, s.start_transaction():
                db.a.insert_one({}, session=s)
        """,
    'in another transaction': """
        def up(db):
            with db.client.start_session() as s:
                s.with_transaction(lambda s: db.a.insert_one({}, session=s))
        """,
    'in a thread pool': """
        from concurrent.futures import ThreadPoolExecutor

        def up(db):
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(db.a.insert_one, [{} for _ in range(5)]))
        """,
    'swallowed': """
        def up(db):
            with db.client.start_session() as s:
                try:
                    db.a.insert_one({}, session=s)
                except Exception:
                    pass
        """,
    'in a thread that dies of it': """
        from threading import Thread

        def up(db):
            thread = Thread(target=db.a.insert_one, args=({},))
            thread.start()
            thread.join()
        """,
    'through an asynchronous client': """
        import asyncio
        from pymongo import AsyncMongoClient

        async def work(uri, name):
            client = AsyncMongoClient(uri)
            await client[name].a.insert_one({})
            await client.close()

        def up(db):
            asyncio.run(work('{uri}', db.name))
        """,
}

#: Children that write with clients of their own, which nobody hears.
CHILDREN = {
    'subprocess': 'subprocess.run([sys.executable, "writing.py"], check=True)',
    'system': 'os.system(f"{sys.executable} writing.py")',
    'posix_spawn': """(
        os.waitpid(
            os.posix_spawn(sys.executable, [sys.executable, "writing.py"], {}), 0
        )
    )""",
}

WRITING = "import pymongo\npymongo.MongoClient('{uri}')['{name}'].a.insert_one({})\n"


class TruthTest(FabTest):
    def write_it(self, text: str, top: str = '') -> None:
        self.migration(NAME, text.replace('{uri}', self.uri))
        path = self.folder / 'mongomigrations' / NAME
        path.write_text(f'{top}\n{path.read_text()}')

    def test_what_can_be_refused_is_before_it_is_written(self) -> None:
        for how, text in REFUSED.items():
            for dry in (True, False):
                with self.subTest(how, dry=dry):
                    self.write_it(text, '' if dry else 'transaction = True')
                    typed = 'migrations:execute'
                    result = self.fab(f'{typed},dry_run=yes' if dry else typed)
                    self.assertEqual(result.status, 1, result.said)
                    self.assertEqual(self.contents('a'), [], result.said)
                    self.assertIn('refused before it was sent', result.stderr)
                    self.assertIn('changed', result.stderr)
                    self.assertEqual(self.registered(), [])
                    self.assertNotIn('Unfinished', self.fab('migrations').said)

    def test_what_cannot_is_told_kept_and_unfinished(self) -> None:
        writing = WRITING.replace('{uri}', self.uri).replace('{name}', self.db.name)
        self.write('writing.py', writing)
        for how, call in CHILDREN.items():
            text = f'import os, subprocess, sys\n\ndef up(db):\n    {call}\n'
            with self.subTest(how):
                self.db.migrations_history.drop()
                self.db.a.drop()
                self.write_it(text)
                result = self.fab('migrations:execute,dry_run=yes')
                self.assertEqual(result.status, 1, result.said)
                self.assertEqual(self.contents('a'), [{}])
                self.assertNotIn('changed nothing', result.said)
                self.assertNotIn('nothing was changed', result.said)
                self.assertIn('That cannot be taken back', result.stderr)
                self.assertIn('a child process was', result.stderr)
                self.assertIn(f'fab migrations:ignore,{NAME}', result.stderr)
                shown = self.fab('migrations').said
                self.assertIn(f'Unfinished: {NAME}', shown)
                self.assertIn('a dry run that has written, or may have', shown)

    def test_a_failed_one_with_a_child_process_may_have_written(self) -> None:
        text = """
            import subprocess

            def up(db):
                subprocess.run(['true'])
                1 / 0
            """
        for top in ('', 'transaction = True'):
            with self.subTest(top):
                self.db.migrations_history.drop()
                self.write_it(text, top)
                result = self.fab('migrations:execute')
                self.assertEqual(result.status, 1, result.said)
                self.assertNotIn('had written nothing', result.stderr)
                self.assertNotIn('nothing was changed', result.stderr)
                self.assertIn('a child process was started (true)', result.stderr)
                self.assertIn(f'Unfinished: {NAME}', self.fab('migrations').said)

    def test_one_that_leaves_all_to_a_child_process_is_not_said_to_change_nothing(
        self,
    ) -> None:
        self.migration(
            NAME,
            """
            import subprocess

            def up(db):
                subprocess.run(['true'])
            """,
        )
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 0, result.said)
        self.assertNotIn('nothing changed', result.stderr)
        self.assertIn(': a child process was started (true)\n', result.stderr)

    def test_an_exit_in_a_dry_run_is_a_failure(self) -> None:
        self.migration(NAME, 'import sys\ndef up(db): sys.exit()')
        result = self.fab('migrations:execute,dry_run=yes')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn(f'{NAME} failed in its up', result.stderr)
        self.assertIn('The dry run has changed nothing', result.stderr)
