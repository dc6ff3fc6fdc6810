"""What one machine's migopy sends to another one along with a command."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import MutableMapping
from functools import cache

from migopy.errand import Errand
from migopy.errors import MigopyException

#: The environment variable that it travels in.
SENT = 'MIGOPY_SENT'


class NotForHere(MigopyException):
    """What is in the environment was sent with another command."""

    def __init__(self) -> None:
        super().__init__(
            f'{SENT} in the environment belongs to a command that was sent to another'
            ' machine, or to another command; nothing was done.\n'
            f'Type: unset {SENT}, then type the command again.'
        )


@cache
def taken() -> str | None:
    """Take what was sent with this process's command out of the environment.

    So no program that is started from here inherits it.
    """
    return take_from(os.environ)


def take_from(environment: MutableMapping[str, str]) -> str | None:
    """Take what was sent out of an environment; `None` if there is nothing."""
    return environment.pop(SENT, None)


def pack(errand: Errand, command: str, directory: str | None) -> str:
    """Put an errand into a text for the environment.

    The text is valid for one command only, and if `directory` is given, only there.
    """
    content = {
        'id': errand.id,
        'times': errand.times,
        'before': list(errand.before),
        'directory': directory,
        'command': _digest(errand.id, command),
    }
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def unpack(text: str, command: str) -> Errand:
    """Give the errand that was sent with a command to this machine.

    Raises `NotForHere` if it belongs to another command or place: a command for a
    remote machine would be carried out on this one.
    """
    try:
        content = json.loads(base64.urlsafe_b64decode(text))
        errand = Errand(
            str(content['id']),
            int(content['times']),
            tuple(content['before']),
            is_sent=True,
        )
        directory = content['directory']
        belongs = content['command'] == _digest(errand.id, command)
        # A shell that was reached by SSH has this variable.
        belongs = belongs and 'SSH_CONNECTION' in os.environ
        if directory is not None:
            belongs = belongs and _same_folder(directory, os.getcwd())
    except (ValueError, TypeError, KeyError) as error:
        raise NotForHere from error
    if not belongs:
        raise NotForHere
    return errand


def _digest(errand: str, command: str) -> str:
    text = f'{errand} {command}'.encode(errors='surrogateescape')
    return hashlib.sha256(text).hexdigest()


def _same_folder(one: str, other: str) -> bool:
    return os.path.realpath(os.path.expanduser(one)) == os.path.realpath(other)
