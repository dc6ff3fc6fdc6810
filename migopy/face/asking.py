"""Ask for confirmation of what cannot be taken back, if there is a person to ask."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import NamedTuple

from migopy.commands import Command, Spelling
from migopy.errand import ERRAND
from migopy.errors import MigopyException
from migopy.scope import deletes_images, is_trial, says_yes
from migopy.tell import IS_LOST
from migopy.terminal import is_terminal


class NotWanted(MigopyException):
    """A person has said no."""

    def __init__(self) -> None:
        super().__init__('Nothing was done.')


class Agreed(NamedTuple):
    """What a command may be about in one of many databases, and nothing else.

    `names` say so: those of migrations, or the owners of locks. With `was_asked` a
    person has been asked about them. If not, it is what it was about in its first turn,
    when another command held the lock.
    """

    names: Sequence[str]
    was_asked: bool = True


class Asking(NamedTuple):
    """Asks for confirmation, unless somebody `is_sure`.

    Invariant: nobody is asked but a person who has typed the command on this machine's
    terminal. A script, plain Python, and a command that another machine's migopy has
    sent are not asked. `where` is the database that the command is about; `agreed` is
    what was agreed to before its turn came, if anything was.
    """

    where: str
    is_sure: bool
    agreed: Agreed | None = None

    @property
    def will_ask(self) -> bool:
        """Tell whether a person would be asked."""
        return not self.is_sure and can_be_asked()

    def require(self, doing: str) -> None:
        """Ask whether to do something; raises `NotWanted` unless the answer is yes."""
        if not self.will_ask:
            return
        sys.stderr.write(f'{doing} ({self.where})? [y/N] ')
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ('y', 'yes'):
            raise NotWanted


def can_be_asked() -> bool:
    """Tell whether a person sits at this process's terminal and has typed it there."""
    errand = ERRAND.get()
    # One of many databases has a thread of its own, and all of these would ask at once.
    is_alone = threading.current_thread() is threading.main_thread()
    return (
        errand is not None
        and is_alone
        and not errand.is_sent
        and is_terminal(sys.stdin)
        and is_terminal(sys.stderr)
    )


def ask_first(command: Command, host: str, spelling: Spelling) -> None:
    """Ask here before a command is sent to a machine that cannot ask.

    Raises `NotWanted` unless the answer is yes.
    """
    several = bool({'all', 'last', 'to'} & set(command.options))
    # Fabric 1 takes values by their names, too: `name=001`.
    names_one = bool(command.values) or bool(
        {'name', 'spec_migr'} & set(command.options)
    )
    restores = command.name == 'dbrestore' and names_one
    asked = command.name in ('squash', 'unlock')
    undoes = command.name == 'rollback' and several
    marks = command.name == 'ignore' and not names_one
    forgets = deletes_images(command.name, command.options)
    if asked or restores or undoes or marks or forgets:
        is_sure = says_yes(command.options, 'yes') or is_trial(command.options)
        lost = f'{IS_LOST}\n' if restores else ''
        Asking(host, is_sure).require(f'{lost}{spelling.command(command)}')
