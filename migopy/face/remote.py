"""The same command on a remote machine, through Fabric's `run()`.

Like `fabtask`, the one that imports this room, it imports Fabric.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from fabric.api import cd, hide, prefix, settings, shell_env
from fabric.api import run as fabric_run
from fabric.exceptions import CommandTimeout, NetworkError
from fabric.network import ssh
from fabric.state import connections, env, output

from migopy.commands import Command, Part
from migopy.errors import MigopyException
from migopy.face.sent import SENT, taken
from migopy.terminal import is_coloured

#: Seconds between signs of life, where Fabric is not told any. Without them a
#: firewall drops a connection that is silent during a long migration, and nobody
#: notices that a machine is gone.
KEEPALIVE = 30

#: Seconds in which a lost connection has also ended for Paramiko.
ENDING = 1

#: The exit status of a shell that does not find a program.
NOT_FOUND = 127

#: Paramiko's, where the remote command left none.
NO_STATUS = -1

#: What is known of a command when the connection has ended before it.
UNKNOWN = (
    'To see whether the command was stopped there, or went on to its end, type: ',
    Command(),
)


class HostFailed(MigopyException):
    """A remote machine where a command did not end well.

    `host` is its host string in Fabric; `status` the command's exit status, `None`
    where there is none to be known.
    """

    def __init__(self, host: str, *reason: Part, status: int | None = None) -> None:
        super().__init__(f'{host}: ', *reason)
        self.host = host
        self.status = status


def is_sent() -> bool:
    """Tell whether another machine's migopy began this command, to be run here."""
    return taken() is not None


def is_turn_of_another_host() -> bool:
    """Tell whether Fabric repeats this task, and this is not its first host's turn."""
    hosts = env.get('all_hosts')
    return bool(hosts) and env.host_string != hosts[0]


def run(command: str, directory: str, preparation: str | None, sent: str) -> None:
    """Run a shell command in a folder of the machine that Fabric has for this task.

    `preparation` is a command to begin with, `sent` what the command brings along.
    What they write appears here line by
    line as it comes, behind the machine's name. Raise `HostFailed` unless all ends
    well.
    """
    host = str(env.host_string)
    require_utf8(host, command)
    write_whole_lines()
    contexts = [hide('warnings'), cd(directory), shell_env(**environment(sent))]
    if preparation:
        contexts.append(prefix(preparation))
    keepalive = env.keepalive or KEEPALIVE
    with settings(*contexts, keepalive=keepalive), named(host):
        result = fabric_run(command, warn_only=True, shell_escape=True)
    if result.failed:
        raise failure(host, result)


def require_utf8(host: str, command: str) -> None:
    """Raise `HostFailed` for what was typed in another encoding."""
    try:
        command.encode()
    except UnicodeEncodeError as error:
        reason = f'not sent there, as this is no UTF-8: {command!a}'
        raise HostFailed(host, reason) from error


def write_whole_lines() -> None:
    """Have each line written at once, whole and when it comes.

    Where stdout is a file or a pipe, Fabric leaves the lines of parallel tasks in the
    buffer until they end.
    """
    # Something else may stand in for stdout.
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def environment(sent: str) -> dict[str, str]:
    """Give the remote command's environment variables: coloured there if it is here."""
    colour = 'FORCE_COLOR' if is_coloured(sys.stdout) else 'NO_COLOR'
    return {**env.shell_env, SENT: sent, colour: '1'}


@contextlib.contextmanager
def named(host: str) -> Iterator[None]:
    """Raise `HostFailed` for what goes wrong with the connection in the block.

    What Fabric has told already, such as that it must not ask for a password, and
    what it is set to handle itself (`--skip-bad-hosts`), goes on as it is.
    """
    try:
        yield
    except NetworkError as error:
        if env.skip_bad_hosts or env.use_exceptions_for['network']:
            raise
        raise HostFailed(host, f'no connection. {error}') from error
    except CommandTimeout as error:
        reason = f'not ended within {error.timeout} s. '
        raise HostFailed(host, reason, *UNKNOWN) from error
    except SystemExit as error:
        if error.code:
            raise
        # Fabric ends with success where a server breaks off the first handshake.
        raise HostFailed(host, 'closed the connection at once.') from error
    except EOFError as error:
        if host in connections:
            raise lost(host) from error
        reason = 'asks for a password, and there is nobody to type it.'
        raise HostFailed(host, reason) from error
    except (ssh.SSHException, OSError) as error:
        raise HostFailed(host, f'the connection failed. {error}') from error


def failure(host: str, result: Any) -> HostFailed:
    """Say how a remote command failed."""
    status = result.return_code
    if status == NO_STATUS:
        if is_connected(host):
            return HostFailed(host, 'a signal ended the command.')
        return lost(host)
    reason = f'the command ended with exit status {status}'
    if status == NOT_FOUND:
        reason += (
            '.\nIf fab was not found there, let REMOTE_PREFIX say what to do first, '
            "such as '. venv/bin/activate'"
        )
    elif output.stdout:
        reason += ', see above'
    else:
        reason += f':\n{result}'
    return HostFailed(host, f'{reason}.', status=status)


def lost(host: str) -> HostFailed:
    """Say that the connection ended before the command did."""
    return HostFailed(host, 'the connection was lost. ', *UNKNOWN)


def left(host: str) -> HostFailed:
    """Say that a person did not wait for the command's end."""
    return HostFailed(host, 'the connection was closed. ', *UNKNOWN)


def is_connected(host: str) -> bool:
    """Tell whether a connection stands; one that is ending is given time for it."""
    transport = connections[host].get_transport()
    transport.join(ENDING)
    return bool(transport.is_active())
