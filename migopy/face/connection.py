"""The same command on a remote machine, through Fabric 2's and 3's `Connection`.

Import this room only where there is a connection: it imports Fabric and Paramiko.
"""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from fabric import Connection
from invoke.exceptions import CommandTimedOut, ThreadException
from paramiko import SSHException

from migopy import signals
from migopy.face import hosts
from migopy.face.hosts import HostFailed
from migopy.face.in_json import relay
from migopy.signals import Terminated

#: Seconds between two looks at whether a command has ended, as Invoke itself looks.
LOOK_EVERY = 0.02

SSH_PORT = 22


def is_connection(context: object) -> bool:
    """Tell whether Fabric has a machine for a task."""
    return isinstance(context, Connection)


def is_first(connection: Connection, names: list[str]) -> bool:
    """Tell whether a machine is the first of those typed; True if none was typed."""
    return not names or Connection(names[0], config=connection.config) == connection


def name_of(connection: Connection) -> str:
    """Give what to type behind `-H` to get to a machine."""
    name = str(connection.original_host)
    if connection.user != connection.config.user:
        name = f'{connection.user}@{name}'
    return name if connection.port == SSH_PORT else f'{name}:{connection.port}'


def run(
    connection: Connection,
    command: str,
    directory: str,
    preparation: str | None,
    sent: str,
    in_json: bool = False,
) -> None:
    """Run a shell command in a folder of a machine.

    `preparation` is a command to begin with, `sent` what the command brings along.
    What they write appears here as it comes, each line behind the machine's name; with
    `in_json` stdout has lines of JSON alone. Raises `HostFailed` unless all ends well,
    `KeyboardInterrupt` if a person has interrupted the command there.
    """
    host = name_of(connection)
    hosts.require_utf8(host, command)
    variables = hosts.environment(sent, is_plain=in_json)
    line = _line(command, directory, preparation, variables)
    _open(connection, host)
    is_hidden = connection.config.run.hide in (True, 'both', 'out', 'stdout')
    with relay(host, in_json) as sorting:
        shown = None if is_hidden else NamedLines(host, sys.stdout)
        options = {'encoding': 'utf-8', 'out_stream': sorting or shown}
        promise, is_interrupted = _begun(connection, line, options)
        if connection.config.run.dry:
            return  # Invoke's --dry has shown the line, and done nothing
        was_interrupted = _wait(connection, promise.runner, is_interrupted)
        result = _joined(connection, promise, host)
    if was_interrupted:
        raise KeyboardInterrupt
    said = result.stdout.replace('\r\n', '\n').strip() if is_hidden else ''
    _require_success(connection, host, result.exited, said)


def _open(connection: Connection, host: str) -> None:
    """Connect to a machine; raises `HostFailed`."""
    try:
        connection.open()
    # ValueError comes of an option that is given twice, EOFError of a bad handshake.
    except (SSHException, OSError, EOFError, ValueError) as error:
        said = str(error) or type(error).__name__
        raise HostFailed(host, f'no connection. {said}') from error
    connection.transport.set_keepalive(hosts.KEEPALIVE)


def _require_success(connection: Connection, host: str, status: int, said: str) -> None:
    """Raise `HostFailed` for a command that has not ended well.

    `said` is its output, if it was not shown.
    """
    if status == hosts.NO_STATUS:
        connection.transport.join(hosts.ENDING)
        raise hosts.killed(host) if connection.is_connected else hosts.lost(host)
    if status:
        raise hosts.ended_with(host, status, said)


def _joined(connection: Connection, promise: Any, host: str) -> Any:
    """Give the result of a command; raises `HostFailed` if it cannot be known."""
    try:
        return promise.join()
    except CommandTimedOut as error:
        raise hosts.too_slow(host, error.timeout) from error
    except ThreadException as error:
        connection.close()
        reason = 'what it says cannot be shown here any more. '
        raise HostFailed(host, reason, *hosts.UNKNOWN) from error


def _begun(
    connection: Connection, line: str, options: Mapping[str, Any]
) -> tuple[Any, bool]:
    """Begin a command; give its promise, and whether Ctrl-C came meanwhile.

    By then the command may run on the machine already, and has to be interrupted there.
    """
    promise = None
    try:
        with signals.held():
            promise = connection.run(
                line, asynchronous=True, pty=True, warn=True, **options
            )
    except KeyboardInterrupt:
        if promise is None:
            connection.close()
            raise
        return promise, True
    return promise, False


def _wait(connection: Connection, runner: Any, was_interrupted: bool) -> bool:
    """Wait for a command's end, and tell whether it was interrupted by Ctrl-C.

    The first Ctrl-C interrupts the command on the machine, which then says itself what
    is left unfinished: that is waited for. A second one, or a signal that ends this
    process, closes the connection, which ends the command's terminal.
    `was_interrupted` is whether the first one has come already.
    """
    if was_interrupted:
        runner.send_interrupt(KeyboardInterrupt())
    while True:
        try:
            with signals.raised():
                while not (runner.process_is_finished or runner.has_dead_threads):
                    time.sleep(LOOK_EVERY)
            return was_interrupted
        except KeyboardInterrupt as interrupt:
            if was_interrupted:
                connection.close()
                raise
            was_interrupted = True
            runner.send_interrupt(interrupt)
        except Terminated:
            connection.close()
            raise


def _line(
    command: str,
    directory: str,
    preparation: str | None,
    variables: Mapping[str, str],
) -> str:
    """Put together what the machine's shell is to run."""
    exported = shlex.join(f'{name}={text}' for name, text in variables.items())
    steps = [f'export {exported}', f'cd {_folder(directory)}']
    return ' && '.join([*steps, *([preparation] if preparation else []), command])


def _folder(path: str) -> str:
    """Quote a path, except a leading `~` or `~user`, which the shell there expands."""
    home, rest = re.fullmatch(r'(~[\w.-]*(?:/|$))?(.*)', path, re.DOTALL).groups()  # type: ignore[union-attr]
    return (home or '') + (shlex.quote(rest) if rest or not home else '')


class NamedLines:
    r"""A stream for what a machine writes, each line behind the machine's name.

    Invariant: what is written is passed on at once, except for a `\r` at the end, which
    may be the first half of a line end on a terminal.
    """

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        self._kept = ''
        self._is_new = True

    def write(self, text: str) -> None:
        """Write what has come."""
        text = self._kept + text
        self._kept = '\r' if text.endswith('\r') else ''
        text = text[: len(text) - len(self._kept)].replace('\r\n', '\n')
        for piece in re.findall(r'[^\n]*\n|[^\n]+', text):
            self._stream.write(f'[{self._name}] {piece}' if self._is_new else piece)
            self._is_new = piece.endswith('\n')

    def flush(self) -> None:
        """Have it shown."""
        self._stream.flush()
