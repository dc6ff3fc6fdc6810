"""What several threads print at once."""

from __future__ import annotations

import contextvars
import io
import json
import sys
import threading
import tracemalloc
import unittest
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from migopy.tell import Lines
from migopy.terminal import spoken_by, unnamed, whole_lines

NAMES = [f'tenant_{number}' for number in range(8)]


class LinesTest(unittest.TestCase):
    """Lines are whole, and have a name where somebody prints them."""

    def setUp(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()

    def test_lines_of_several_threads_never_mix(self) -> None:
        together = threading.Barrier(len(NAMES))

        def tell(name: str) -> None:
            with spoken_by(name):
                together.wait()
                for number in range(50):
                    sys.stdout.write('line ')
                    print(number, 'of', name)
                    sys.stderr.writelines(['a ', 'fault\n'])

        with redirect_stdout(self.out), redirect_stderr(self.err), whole_lines():
            threads = [
                threading.Thread(target=contextvars.copy_context().run, args=(tell, n))
                for n in NAMES
            ]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
        said = self.out.getvalue().splitlines()
        for name in NAMES:
            self.assertEqual(
                [each for each in said if each.startswith(f'{name}: ')],
                [f'{name}: line {number} of {name}' for number in range(50)],
            )
        self.assertEqual(len(said), 50 * len(NAMES))
        faults = self.err.getvalue().splitlines()
        self.assertEqual(
            sorted(faults), sorted(f'{name}: a fault' for name in NAMES * 50)
        )

    def test_a_line_that_nobody_ends_is_ended(self) -> None:
        with redirect_stdout(self.out), whole_lines():
            with spoken_by('a'):
                print('half', end='')
                self.assertEqual(self.out.getvalue(), '')
            self.assertEqual(self.out.getvalue(), 'a: half\n')

    def test_what_nobody_speaks_comes_as_it_is(self) -> None:
        """A prompt is seen before it is answered."""
        with redirect_stdout(self.out), whole_lines():
            print('? ', end='')
            self.assertEqual(self.out.getvalue(), '? ')
            with spoken_by('a'), unnamed():
                print('b: said')
        self.assertEqual(self.out.getvalue(), '? b: said\n')

    def test_the_streams_are_what_they_were(self) -> None:
        before = sys.stdout, sys.stderr
        with whole_lines(), whole_lines():
            self.assertIsNot(sys.stdout, before[0])
            self.assertEqual(sys.stdout.isatty(), before[0].isatty())
        self.assertEqual((sys.stdout, sys.stderr), before)


if __name__ == '__main__':
    unittest.main()


class LongAnswerTest(unittest.TestCase):
    """An answer of very many values, in a line of JSON."""

    def test_it_is_as_any_other(self) -> None:
        values = [{'a': 'b\x7fc', 'secret': 'x s3cret y', 'n': 2**60}, 'ü', None]
        for long in (values, []):
            said: list[str] = []
            lines = Lines(said.append, 'history', secrets=['s3cret'])
            self.assertEqual(list(lines.answer_each('short', [1], str)), [1])
            self.assertEqual(
                list(lines.answer_each('long', long, lambda each: each)), long
            )
            lines.answer(long_before=long)
            lines.end(None)
            told = json.loads(said[0])
            self.assertEqual(told['long'], told['long_before'])
            self.assertEqual((told['short'], told['event']), (['1'], 'ended'))

    def test_it_takes_no_more_room_than_its_text_some_times(self) -> None:
        def made(number: int) -> dict[str, Any]:
            return {f'field_{each}': f'{number} {each}' for each in range(20)}

        lines = Lines(lambda line: None, 'history')
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in lines.answer_each('long', range(5_000), made):
            pass
        lines.end(None)
        _, most = tracemalloc.get_traced_memory()
        self.assertLess(most, 5_000 * len(json.dumps(made(5_000))) * 5)
