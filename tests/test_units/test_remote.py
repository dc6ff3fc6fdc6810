"""What is sent to a remote machine, and what is said when it does not come back."""

from __future__ import annotations

import io
import os
import signal
import unittest
from functools import partial
from unittest import mock

from fabric.context_managers import settings
from fabric.exceptions import CommandTimeout, NetworkError
from fabric.main import parse_arguments
from fabric.network import ssh
from fabric.state import env

from migopy import signals
from migopy.commands import Command, FabSpelling, command_line, quoted
from migopy.face import asking, hosts, remote
from migopy.face.sent import SENT
from migopy.face.subtasks import as_typed
from migopy.signals import Terminated

HOST = 'ann@db.example.com:2222'


class QuotedTest(unittest.TestCase):
    def test_a_plain_word_stays_as_it_is(self) -> None:
        self.assertEqual(
            quoted('migrations:execute,001_x.py'), 'migrations:execute,001_x.py'
        )


class AskedHereTest(unittest.TestCase):
    def test_before_a_restore_it_says_what_is_lost(self) -> None:
        for command, is_said in (('dbrestore', True), ('squash', False)):
            said = io.StringIO()
            with (
                mock.patch.object(asking, 'can_be_asked', return_value=True),
                mock.patch('sys.stderr', said),
                mock.patch('sys.stdin', io.StringIO('y\n')),
            ):
                asking.ask_first(Command(command, 'x'), HOST, FabSpelling())
            lost = 'What was written since the dump is lost, by the application, too.\n'
            self.assertEqual(lost in said.getvalue(), is_said)

    def is_asked_about(self, command: Command) -> bool:
        """Tell whether a person is asked, who then says yes."""
        said = io.StringIO()
        with (
            mock.patch.object(asking, 'can_be_asked', return_value=True),
            mock.patch('sys.stderr', said),
            mock.patch('sys.stdin', io.StringIO('y\n')),
        ):
            asking.ask_first(command, HOST, FabSpelling())
        return '[y/N]' in said.getvalue()

    def test_an_ignore_is_asked_about_unless_it_names_one(self) -> None:
        for command, is_asked in (
            (Command('ignore'), True),
            (Command('ignore', to='4'), True),
            (Command('ignore', 'x'), False),
            (Command('ignore', spec_migr='x'), False),
            (Command('ignore', yes='yes'), False),
        ):
            with self.subTest(command):
                self.assertEqual(self.is_asked_about(command), is_asked)

    def test_images_are_asked_about_that_are_to_be_deleted(self) -> None:
        for command, is_asked in (
            (Command('undo', forget='x'), True),
            (Command('undo', 'list', forget='x'), True),
            (Command('undo', 'list'), False),
            (Command('forget', 'x'), False),
        ):
            with self.subTest(command):
                self.assertEqual(self.is_asked_about(command), is_asked)

    def test_a_restore_is_asked_about_however_its_dump_is_typed(self) -> None:
        for command, is_asked in (
            (Command('dbrestore', 'x'), True),
            (Command('dbrestore', name='x'), True),
            (Command('dbrestore'), False),
            (Command('rollback', last='2'), True),
            (Command('rollback', last='2', dry_run='YES'), False),
            (Command('rollback', last='2', show='3'), False),
            (Command('rollback', last='2', yes='YES'), False),
        ):
            with self.subTest(command):
                self.assertEqual(self.is_asked_about(command), is_asked)


class TypedAgainTest(unittest.TestCase):
    """`fab` there parses what `fab` here has parsed."""

    def parsed(self, text: str) -> tuple[list[str], dict[str, str]]:
        [(_name, values, options, *_)] = parse_arguments([text])
        return values, options

    def test_a_backslash_at_the_end_comes_last_again(self) -> None:
        values, options = self.parsed('migrations:mytask,key=a,b\\')
        self.assertEqual((values, options), (['mytask', 'b\\'], {'key': 'a'}))
        self.assertEqual(as_typed(values[1:], options), 'key=a,b\\')

    def test_a_name_with_separators_is_no_other_subtask(self) -> None:
        command = command_line('migrations', 'execute,x=y', None)
        self.assertEqual(command, r"fab 'migrations:execute\'',x\''=y'")
        self.assertEqual(
            self.parsed(r'migrations:execute\,x\=y'), (['execute,x=y'], {})
        )

    def test_options_without_a_subtask_are_not_lost(self) -> None:
        self.assertEqual(
            command_line('migrations', None, 'dry_run=yes'),
            'fab migrations:,dry_run=yes',
        )


class NamedTest(unittest.TestCase):
    """What Fabric raises becomes an error that names the machine."""

    def error(self, raised: BaseException) -> str:
        with self.assertRaises(hosts.HostFailed) as caught, remote.named(HOST):
            raise raised
        self.assertIs(caught.exception.__cause__, raised)
        self.assertEqual(caught.exception.host, HOST)
        self.assertIsNone(caught.exception.status)
        return str(caught.exception)

    def test_no_connection(self) -> None:
        self.assertEqual(
            self.error(NetworkError('Name lookup failed for db.example.com')),
            f'{HOST}: no connection. Name lookup failed for db.example.com',
        )

    def test_no_end_in_time(self) -> None:
        self.assertIn('within 5 s', self.error(CommandTimeout(5)))

    def test_a_connection_that_breaks(self) -> None:
        for raised in (ssh.SSHException('Channel closed.'), OSError('Channel closed.')):
            self.assertEqual(
                self.error(raised), f'{HOST}: the connection failed. Channel closed.'
            )

    def test_a_password_that_nobody_types(self) -> None:
        self.assertIn('password', self.error(EOFError()))

    def test_an_end_of_the_connection(self) -> None:
        with mock.patch.object(remote, 'connections', {HOST: object()}):
            self.assertIn('lost', self.error(EOFError()))

    def test_an_end_without_an_error_is_none(self) -> None:
        """Fabric exits with 0 where a server breaks off the first handshake."""
        self.assertIn('closed the connection', self.error(SystemExit(0)))

    def test_what_fabric_has_told_itself_is_not_told_again(self) -> None:
        with self.assertRaises(SystemExit) as caught, remote.named(HOST):
            raise SystemExit(1)
        self.assertEqual(caught.exception.code, 1)

    def test_what_fabric_is_set_to_handle_is_left_to_it(self) -> None:
        for how in (
            {'skip_bad_hosts': True},
            {'use_exceptions_for': {'network': True}},
        ):
            with self.subTest(how), settings(**how):  # noqa: SIM117
                with self.assertRaises(NetworkError), remote.named(HOST):
                    raise NetworkError('no')


class RepetitionTest(unittest.TestCase):
    """Fabric carries out a task once for each host."""

    def test_all_but_the_first_are_repetitions(self) -> None:
        for host, all_hosts, expected in (
            (None, [], False),
            ('a', ['a', 'b'], False),
            ('b', ['a', 'b'], True),
        ):
            with settings(host_string=host, all_hosts=all_hosts):
                self.assertIs(remote.is_turn_of_another_host(), expected)


class EnvironmentTest(unittest.TestCase):
    """The environment variables of the remote command."""

    def environment(self, **here: str) -> dict[str, str]:
        here_alone = mock.patch.dict(os.environ, here, clear=True)
        with here_alone, settings(shell_env={'STAGE': 'x'}):
            return remote.environment('packed')

    def test_colours_are_as_they_are_here(self) -> None:
        with mock.patch('sys.stdout', io.StringIO()):
            self.assertEqual(
                self.environment(),
                {'STAGE': 'x', SENT: 'packed', 'NO_COLOR': '1'},
            )
            self.assertEqual(
                self.environment(FORCE_COLOR='1'),
                {'STAGE': 'x', SENT: 'packed', 'FORCE_COLOR': '1'},
            )


class EncodingTest(unittest.TestCase):
    def test_what_is_no_utf8_is_an_error(self) -> None:
        typed = b'caf\xe9'.decode(errors='surrogateescape')
        with self.assertRaises(hosts.HostFailed) as caught:
            hosts.require_utf8(HOST, typed)
        text = str(caught.exception)
        self.assertIn('caf', text)
        text.encode()
        hosts.require_utf8(HOST, 'café')


class HangUpTest(unittest.TestCase):
    """A terminal that closes tells its processes so, some more than once."""

    def test_a_second_signal_does_not_disturb_what_the_first_began(self) -> None:
        hung_up = partial(os.kill, os.getpid(), signal.SIGHUP)
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        recorded = False
        under_fab = mock.patch.dict(env, command='migrations')
        with under_fab, self.assertRaises(Terminated), signals.raised():
            try:
                hung_up()
                signal.pause()
            finally:
                hung_up()
                recorded = True
        self.assertTrue(recorded)
        self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_DFL)
