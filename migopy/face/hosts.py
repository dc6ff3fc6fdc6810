"""What is said of a command on a remote machine, whichever Fabric sends it.

Nothing here imports Fabric.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
import sys
from collections.abc import Container

from migopy.commands import Command, Part
from migopy.errors import MigopyException
from migopy.face.sent import SENT
from migopy.scope import deletes_images
from migopy.terminal import is_coloured

#: Commands that are about this machine or take effect at once. Where Fabric repeats a
#: task for each host, they are carried out for the first host only.
ONCE = frozenset(
    """
    create dbrestore pause resume speed squash stop unlock watch
    """.split()  # noqa: SIM905
)

#: Seconds between signs of life, unless Fabric is told another number. Without them a
#: firewall drops a connection that is silent during a long migration, and nobody
#: notices that a machine is gone.
KEEPALIVE = 30

#: Seconds after which Paramiko has noticed, too, that a connection is lost.
ENDING = 1

#: The exit status of a shell that does not find a program.
NOT_FOUND = 127

#: Paramiko's exit status of a remote command that left none.
NO_STATUS = -1

#: What to say of a command when the connection has ended before it.
UNKNOWN = (
    'To see whether the command was stopped there, or went on to its end, type: ',
    Command(),
)


class HostFailed(MigopyException):
    """A command did not end well on a remote machine.

    `host` is the machine's host string in Fabric, `status` the exit status of the
    command, `None` if that is not known.
    """

    def __init__(self, host: str, *reason: Part, status: int | None = None) -> None:
        super().__init__(f'{host}: ', *reason)
        self.host = host
        self.status = status


def is_once(command: str | None, options: Container[str]) -> bool:
    """Tell whether a command is carried out for the first of several hosts only."""
    # For another host there would be no images left to forget.
    return command in ONCE or deletes_images(command, options)


def key_shown(kind: str, key: bytes) -> str:
    """Show a host key by its type and its fingerprint, as `ssh` does."""
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip('=')
    return f'{kind} SHA256:{digest}'


def accepted_unknown(host: str, key: str) -> str:
    """Say that a machine's key was accepted though it is not known here.

    `key` is as `key_shown` gives it.
    """
    user_and_name, port, number = host.rpartition(':')
    to_type = ['ssh', *(['-p', number] if port else []), user_and_name or number]
    return (
        f'{host}: its host key ({key}) is not known here; Fabric accepted it all the'
        ' same, so another machine may have taken its place.\n'
        f'To make it known, type: {shlex.join(to_type)}\n'
        'To have unknown ones refused: env.reject_unknown_hosts = True in the fabfile'
    )


def runs_here(host: str) -> str:
    """Say that a command runs here, though Fabric has a machine for the task."""
    return f'{host}: REMOTE_DIRECTORY is not set, so the command runs on this machine'


def environment(sent: str, is_plain: bool = False) -> dict[str, str]:
    """Give the remote command's environment variables.

    It writes in colours if this process does, unless `is_plain`.
    """
    is_bright = is_coloured(sys.stdout) and not is_plain
    colour = 'FORCE_COLOR' if is_bright else 'NO_COLOR'
    return {SENT: sent, colour: '1'}


def require_utf8(host: str, command: str) -> None:
    """Raise `HostFailed` for a command that was typed in another encoding."""
    try:
        command.encode()
    except UnicodeEncodeError as error:
        reason = f'not sent there, as this is no UTF-8: {command!a}'
        raise HostFailed(host, reason) from error


def ended_with(host: str, status: int, said: str) -> HostFailed:
    """Say how a remote command failed; `said` is its output, if it was not shown."""
    reason = f'the command ended with exit status {status}'
    if status == NOT_FOUND:
        reason += (
            '.\nIf fab was not found there, let REMOTE_PREFIX say what to do first, '
            "such as '. venv/bin/activate'"
        )
    else:
        reason += f':\n{said}' if said else ', see above'
    return HostFailed(host, f'{reason}.', status=status)


def killed(host: str) -> HostFailed:
    """Say that a signal ended the command; the connection is still open."""
    return HostFailed(host, 'a signal ended the command.')


def lost(host: str) -> HostFailed:
    """Say that the connection ended before the command did."""
    return HostFailed(host, 'the connection was lost. ', *UNKNOWN)


def left(host: str) -> HostFailed:
    """Say that a person did not wait for the command's end."""
    return HostFailed(host, 'the connection was closed. ', *UNKNOWN)


def too_slow(host: str, seconds: float) -> HostFailed:
    """Say that the command took longer than Fabric was told to wait."""
    return HostFailed(host, f'not ended within {seconds} s. ', *UNKNOWN)
