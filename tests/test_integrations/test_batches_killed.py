"""A loop over `migopy.batches` in a process of its own: killed, paused, stopped."""

from __future__ import annotations

import random
import signal
import time

from tests.faults import eventually
from tests.project import FabTest

DOCUMENTS = 20_000
SIZE = 250
KILLS = 4

#: Adds up in a second collection. Until the file `go` is there it takes its time.
UP = """
    import os
    import time
    import migopy
    from pymongo import UpdateOne

    def up(db):
        for batch in migopy.batches(db.notes, {size}{options}):
            sums = [
                UpdateOne({{'_id': note['_id'] % 50}}, {{'$inc': {{'n': note['n']}}}},
                          upsert=True)
                for note in batch
            ]
            db.sums.bulk_write(sums)
            ids = [note['_id'] for note in batch]
            db.notes.update_many({{'_id': {{'$in': ids}}}}, {{'$push': {{'x': 1}}}})
            if not os.path.exists('go'):
                time.sleep({nap})
"""


class KilledTest(FabTest):
    """20,000 documents are added up."""

    def setUp(self) -> None:
        super().setUp()
        self.fill(DOCUMENTS)
        self.chance = random.Random(7)

    def fill(self, documents: int) -> None:
        self.documents = documents
        self.db.notes.drop()
        self.db.notes.insert_many({'_id': n, 'n': n} for n in range(documents))

    def write_up(self, options: str, size: int = SIZE, nap: float = 0.03) -> None:
        self.migration('1_a.py', UP.format(options=options, size=size, nap=nap))

    def sum(self) -> int:
        return sum(each['n'] for each in self.db.sums.find())

    def end(self, number: int) -> None:
        """Start it, let it come some batches further, and end it with a signal."""
        before = self.sum()
        process, said = self.start_heard('migrations:execute,1_a.py')
        eventually(
            lambda: self.sum() > before or process.poll() is not None, said.read_text
        )
        time.sleep(self.chance.uniform(0, 0.2))
        self.assertIsNone(process.poll(), said.read_text())
        process.send_signal(number)
        process.communicate(timeout=60)

    def finish(self) -> None:
        self.write('go', '')
        self.assert_ok(self.fab('migrations:execute,1_a.py'))

    def assert_exact(self) -> None:
        self.assertEqual(self.sum(), sum(range(self.documents)))
        self.assertEqual(self.db.notes.count_documents({'x': [1]}), self.documents)

    def test_in_transactions_all_is_added_up_once_whatever_is_killed(self) -> None:
        self.write_up(', transaction=True')
        for _ in range(KILLS):
            self.end(signal.SIGKILL)
        self.end(signal.SIGINT)
        self.end(signal.SIGTERM)
        self.finish()
        self.assert_exact()

    def test_without_one_no_document_is_left_out(self) -> None:
        self.write_up('')
        for _ in range(2):
            self.end(signal.SIGKILL)
        self.end(signal.SIGINT)
        self.finish()
        self.assertEqual(self.db.notes.count_documents({'x': None}), 0)
        self.assertGreaterEqual(self.sum(), sum(range(DOCUMENTS)))

    def test_it_is_paused_slowed_down_and_stopped_from_elsewhere(self) -> None:
        for options in ('', ', transaction=True'):
            with self.subTest(options):
                self.db.sums.drop()
                # Half a minute's work, of batches that are few and slow.
                self.fill(2000)
                self.db.migrations.delete_many({})
                self.db.migrations_history.delete_many({})
                (self.folder / 'go').unlink(missing_ok=True)
                self.write_up(options, 20, nap=0.3)
                process, said = self.start_heard('migrations:execute')
                eventually(self.sum, said.read_text)
                paused = self.assert_ok(self.fab('migrations:pause')).results
                self.assertIn('Paused 1_a.py at notes: ', paused)
                before = self.sum()
                time.sleep(1)
                self.assertEqual(self.sum(), before)
                self.assert_ok(self.fab('migrations:speed,max_per_second=5000'))
                self.assert_ok(self.fab('migrations:resume'))
                eventually(lambda before=before: self.sum() > before, said.read_text)
                self.assert_ok(self.fab('migrations:stop'))
                self.assertEqual(process.wait(60), 4, said.read_text())
                self.finish()
                self.assert_exact()

    def test_a_suspended_process_writes_no_batch_after_another_went_on(self) -> None:
        path = self.folder / 'fabfile.py'
        text = path.read_text()
        line = next(each for each in text.splitlines() if 'MONGO_DATABASE' in each)
        indent = line[: len(line) - len(line.lstrip())]
        path.write_text(text.replace(line, f'{line}\n{indent}LOCK_TTL = 2'))
        self.write_up(', transaction=True')
        process, said = self.start_heard('migrations:execute')
        eventually(self.sum, said.read_text)
        process.send_signal(signal.SIGSTOP)
        try:
            self.write('go', '')
            self.wait_and_execute()
        finally:
            process.send_signal(signal.SIGCONT)
        self.assertNotEqual(process.wait(60), 0, said.read_text())
        self.assert_exact()

    def wait_and_execute(self) -> None:
        """Execute as soon as the lock of the suspended process has run out."""
        deadline = time.monotonic() + 60
        while True:
            result = self.fab('migrations:execute,1_a.py')
            if result.status == 0 or time.monotonic() > deadline:
                self.assert_ok(result)
                return
            time.sleep(0.5)
