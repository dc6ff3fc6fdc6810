"""One typed command, and where it was typed."""

from __future__ import annotations

import dataclasses
import os
import unittest
from typing import Any
from unittest import mock

from migopy.commands import Command
from migopy.errand import Errand, carrying_out, spelling_here
from migopy.face.leading_words import words_before
from migopy.face.sent import SENT, NotForHere, pack, take_from, unpack

ENV: Any = mock.MagicMock()


def production() -> None:
    """Work on the servers."""
    global ENV
    ENV.hosts = ['www1', 'www2']
    ENV.update(user='deploy')


def deploy() -> None:
    os.listdir('.')


def staging() -> None:
    ENV.hosts = os.listdir('.')


TASKS = {'production': production, 'deploy': deploy, 'staging': staging, 'odd': len}


class WordsBeforeTest(unittest.TestCase):
    def before(self, *typed: str) -> list[str]:
        return words_before(typed, 'migrations', TASKS)

    def test_tasks_that_only_set_something_lead_to_the_same_place(self) -> None:
        before = self.before('production', 'migrations:execute')
        self.assertEqual(before, ['production'])

    def test_tasks_that_do_something_are_not_done_again(self) -> None:
        for name in ('deploy', 'staging', 'odd', 'unknown', 'deploy:now'):
            self.assertEqual(
                self.before('production', name, 'migrations'), ['production'], name
            )

    def test_options_that_say_where_are_kept_and_secrets_are_not(self) -> None:
        typed = ('-H', 'www1,www2', '-p', 'secret', '--user=ann', '-w', 'migrations')
        self.assertEqual(self.before(*typed), ['-H', 'www1,www2', '--user=ann'])

    def test_what_stands_behind_it_is_left_out(self) -> None:
        self.assertEqual(self.before('migrations:execute', 'production'), [])


class SpellingTest(unittest.TestCase):
    def test_next_commands_lead_to_where_the_command_was_typed(self) -> None:
        with carrying_out(Errand(before=['production'], task='db.migrations')):
            self.assertEqual(
                spelling_here('migrations').command(Command('execute', '1 a')),
                "fab production 'db.migrations:execute,1 a'",
            )
        self.assertEqual(spelling_here('migr').command(Command()), 'fab migr')

    def test_words_are_quoted_for_the_shell(self) -> None:
        with carrying_out(Errand(before=['-H', 'a;b'])):
            self.assertEqual(spelling_here('m').command(Command()), "fab -H 'a;b' m")


class SentTest(unittest.TestCase):
    """What tells a machine that a command was sent there is good for that alone."""

    ERRAND = Errand(times=2, before=('production',))
    HERE = os.getcwd()

    def unpack(
        self, text: str, command: str = 'execute,', **environment: str
    ) -> Errand:
        there = {'SSH_CONNECTION': '10.0.0.1 1 10.0.0.2 22', **environment}
        with mock.patch.dict(os.environ, there, clear=True):
            return unpack(text, command)

    def test_arrives_as_it_was(self) -> None:
        for directory in (None, self.HERE, os.path.join(self.HERE, '.')):
            packed = pack(self.ERRAND, 'execute,', directory)
            arrived = dataclasses.replace(self.ERRAND, is_sent=True)
            self.assertEqual(self.unpack(packed), arrived)
            self.assertRegex(packed, r'^[A-Za-z0-9_=-]+$')

    def test_is_good_for_no_other_command_or_folder(self) -> None:
        packed = pack(self.ERRAND, 'execute,', self.HERE)
        with self.assertRaisesRegex(NotForHere, 'unset MIGOPY_SENT'):
            self.unpack(packed, 'rollback,001')
        with self.assertRaises(NotForHere):
            self.unpack(pack(self.ERRAND, 'execute,', '/srv/elsewhere'))

    def test_is_refused_where_nobody_has_come_by_ssh(self) -> None:
        packed = pack(self.ERRAND, 'execute,', self.HERE)
        with mock.patch.dict(os.environ, clear=True), self.assertRaises(NotForHere):
            unpack(packed, 'execute,')

    def test_anything_else_is_refused(self) -> None:
        for text in ('1', '', 'x' * 1000, 'bnVsbA==', 'e30=', 'W10='):
            with self.subTest(text), self.assertRaises(NotForHere):
                self.unpack(text)

    def test_is_taken_out_of_the_environment(self) -> None:
        environment = {SENT: 'x', 'HOME': '/'}
        self.assertEqual(take_from(environment), 'x')
        self.assertEqual(environment, {'HOME': '/'})
        self.assertIsNone(take_from(environment))
