"""Stdout kept for lines of one kind, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import unittest

KEEPS = 'from migopy.terminal import kept_stdout\nimport os, sys\n'


class KeptStdoutTest(unittest.TestCase):
    def run_python(self, code: str) -> tuple[str, str]:
        """Run code; give what it has written to stdout and stderr."""
        done = subprocess.run(
            [sys.executable, '-c', KEEPS + textwrap.dedent(code)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout, done.stderr

    def test_lines_alone_reach_it_while_it_is_kept(self) -> None:
        stdout, stderr = self.run_python("""
            print('before')
            with kept_stdout() as write_line:
                print('within')
                os.system('echo program')
                write_line('a line')
                with kept_stdout() as again:
                    again('another')
                print('still within')
            print('after')
        """)
        self.assertEqual(stdout, 'before\na line\nanother\nafter\n')
        lines = ['program', 'still within', 'within']
        self.assertEqual(sorted(stderr.splitlines()), lines)

    def test_without_stderr(self) -> None:
        stdout, _ = self.run_python("""
            os.close(2)
            with kept_stdout() as write_line:
                os.system('echo program')
                write_line('a line')
            print('after')
        """)
        self.assertEqual(stdout, 'a line\nafter\n')

    def test_when_nobody_listens_any_more(self) -> None:
        _, stderr = self.run_python("""
            ends = os.pipe()
            os.dup2(ends[1], 1)
            os.close(ends[0]), os.close(ends[1])
            with kept_stdout() as write_line:
                write_line('a line')
                write_line('another')
            sys.stderr.write('went on')
            os._exit(0)
        """)
        self.assertEqual(stderr, 'went on')

    def test_a_pipe_that_is_full_and_does_not_block(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        code = KEEPS + textwrap.dedent("""
            with kept_stdout() as write_line:
                for number in range(3):
                    write_line(str(number) * 100_000)
        """)
        with subprocess.Popen([sys.executable, '-c', code], stdout=writing) as process:
            os.close(writing)
            with open(reading, encoding='ascii') as file:
                lines = file.read().splitlines()
            self.assertEqual(process.wait(60), 0)
        self.assertEqual([line[0] * len(line) for line in lines], lines)
        self.assertEqual([len(line) for line in lines], [100_000] * 3)


if __name__ == '__main__':
    unittest.main()
