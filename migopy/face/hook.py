"""What each face needs of a manager, and what it does before a command."""

from __future__ import annotations

import gc
import inspect
import logging
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any, Protocol

from migopy.face.process import open_streams
from migopy.server import leave_without_sleeping, require_sound
from migopy.tell import Voice

#: Takes what is logged. There is one, whatever number of commands and hosts.
SILENCE = logging.NullHandler()

#: Settings that say where on another machine a command is to run.
ELSEWHERE = ('REMOTE_DIRECTORY', 'REMOTE_PREFIX')


class Manager(Protocol):
    """What a face needs of a manager."""

    TASK_NAME: str
    REMOTE_DIRECTORY: str | None
    REMOTE_PREFIX: str | None
    logger: Any

    @classmethod
    def wants_json(cls, subtask: str | None, options: Mapping[str, str]) -> bool:
        """Tell whether a command is asked for in JSON."""

    @classmethod
    def speaker(cls) -> Voice:
        """Give the voice to use while there is no manager: before and after it."""

    def has_told(self, error: BaseException) -> bool:
        """Tell whether the person has been told of an error already."""

    def perform(
        self, subtask: str | None, values: Sequence[str], options: Mapping[str, str]
    ) -> Any:
        """Run a subtask, the default one for `None`."""

    def disconnect(self) -> None:
        """Let go of the server."""


def settle() -> None:
    """Make this process one that carries out commands and then ends."""
    open_streams()
    leave_without_sleeping()
    # Without a handler Python would print what PyMongo logs of a server that is gone.
    logging.getLogger('pymongo').addHandler(SILENCE)
    # What was imported stays until the end, so the collector need not look at it again
    # each time that thousands of records make it run.
    gc.freeze()


def run_hook(
    manager_class: type[Manager], subtask: str | None, option: str | None
) -> None:
    """Call `task_hook`, which fabfiles write with and without `@classmethod`.

    Raises `BadSettings` if afterwards REMOTE_DIRECTORY or REMOTE_PREFIX cannot be used:
    the manager, which checks all settings, may be made on another machine only.
    """
    hook = getattr(manager_class, 'task_hook')  # noqa: B009 - not of the type
    is_plain = isinstance(
        inspect.getattr_static(manager_class, 'task_hook'), FunctionType
    )
    if is_plain:
        hook(manager_class, subtask, option)
    else:
        hook(subtask, option)
    require_sound({name: getattr(manager_class, name) for name in ELSEWHERE}, [])
