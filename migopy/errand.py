"""One typed command, wherever and however often it is carried out."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from migopy.commands import FabSpelling, Spelling


@dataclass(frozen=True)
class Errand:
    """What somebody typed: Fabric carries it out once for each host.

    Invariant: `id` is the same on every host. `times` is how often the same command was
    typed in one line, so it takes effect at most so often in one database. `before` are
    the words to type before it to get to the same place again: `['production']` for
    `fab production migrations:execute`.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    times: int = 1
    before: Sequence[str] = ()
    #: The name of the task that was typed, where that is not the manager's own.
    task: str = ''
    #: Whether another machine's migopy has sent it here.
    is_sent: bool = False
    #: How commands are typed there, where that is not as Fabric 1 has it.
    spelling: Spelling | None = None
    #: Whether to say only errors and what was asked for.
    is_quiet: bool = False


#: The errand that is carried out in this context; none in plain Python.
ERRAND: ContextVar[Errand | None] = ContextVar('ERRAND', default=None)


def id_of(process: uuid.UUID, typed: str) -> str:
    """Give the id of a command by what was typed, one for all hosts of a process."""
    # In an ASCII locale any other letter is typed as halves of surrogate pairs.
    fit = typed.encode(errors='backslashreplace').decode()
    return uuid.uuid5(process, fit).hex


@contextmanager
def carrying_out(errand: Errand) -> Iterator[None]:
    """Let what is done in the block be done for an errand."""
    token = ERRAND.set(errand)
    try:
        yield
    finally:
        ERRAND.reset(token)


def is_typed() -> bool:
    """Tell whether somebody typed the command that is carried out.

    Then the process is there for that alone, so a write from whatever thread of it is
    the migration's.
    """
    return ERRAND.get() is not None


def is_for_fab() -> bool:
    """Tell whether this is an errand of Fabric 1, or of no face at all."""
    errand = ERRAND.get()
    return errand is None or errand.spelling is None


def wants_quiet() -> bool:
    """Tell whether to say only errors and what was asked for."""
    errand = ERRAND.get()
    return errand is not None and errand.is_quiet


def spelling_here(task: str) -> Spelling:
    """Give how commands are typed where this errand was typed.

    `task` is the manager's name for its task.
    """
    errand = ERRAND.get()
    if errand is None:
        return FabSpelling(task)
    return errand.spelling or FabSpelling(errand.task or task, errand.before)
