"""A command that migopy spells, in real shells."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import unittest

from fabric.context_managers import settings
from fabric.operations import _shell_wrap

from migopy.commands import command_line, quoted
from migopy.face.subtasks import as_typed
from tests.nasty import NASTY, random_values


class QuotedTest(unittest.TestCase):
    """A word in a command reaches the program as it is, and no shell executes it.

    The program is `printf`; the shells are real, and Fabric's wrapping is its own.
    """

    values = NASTY + random_values(300, seed=1)

    def assert_arrive(self, command: str, values: list[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            printed = subprocess.run(
                ['/bin/sh', '-c', command], capture_output=True, cwd=folder
            ).stdout
            self.assertEqual(os.listdir(folder), [], 'a shell executed something')
        self.assertEqual(printed.decode().split('\0')[:-1], values)

    def printf(self, values: list[str]) -> str:
        return "printf '%s\\0' " + ' '.join(quoted(value) for value in values)

    def test_in_a_shell(self) -> None:
        self.assert_arrive(self.printf(self.values), self.values)

    def test_in_the_double_quotes_of_fabrics_run(self) -> None:
        with settings(shell='/bin/bash --norc -c', use_shell=True):
            together = _shell_wrap(self.printf(self.values), shell_escape=True)
            self.assert_arrive(together, self.values)
            for value in self.values[:120]:
                alone = _shell_wrap(self.printf([value]), shell_escape=True)
                with self.subTest(value):
                    self.assert_arrive(alone, [value])

    def test_of_a_command_as_it_is_typed(self) -> None:
        commands = [
            command_line('migrations', 'mytask', as_typed([value], {}))
            for value in self.values
        ]
        expected = [shlex.split(command)[1] for command in commands]
        script = '\n'.join(
            command.replace('fab ', "printf '%s\\0' ", 1) for command in commands
        )
        self.assert_arrive(script, expected)
