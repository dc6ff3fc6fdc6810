"""What a fabfile and the faces ask of a manager's class, before there is a manager."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from migopy.commands import command_line
from migopy.defaults import Defaults
from migopy.effects import listen
from migopy.errand import ERRAND, is_for_fab
from migopy.face import (
    NoClassicFabric,
    NoInvoke,
    Subtasks,
    base_of,
    fabrics,
    has_option,
    is_fabric_1,
    task_for_later,
)
from migopy.scope import says_yes
from migopy.server import is_logger, require_sound
from migopy.site_settings import secrets_of
from migopy.tell import Voice
from migopy.terminal import ColorsLogger


class ManagerClass(Defaults):
    """A manager's class, as a fabfile and the faces have it.

    Invariant: nothing here connects to a server or needs a manager.
    """

    @classmethod
    def create_task(cls) -> Callable[..., Any]:
        """Make the function for the fabfile; this is what imports Fabric.

        If another face loads the fabfile, Fabric is imported only when it is called.
        Raises `BadSettings` for a `TASK_NAME` that is no name.
        """
        require_sound({'TASK_NAME': cls.TASK_NAME}, [])
        if not is_for_fab():
            return task_for_later(cls)
        try:
            from migopy.face import fab
        except ImportError as error:
            raise NoClassicFabric(fabrics()) from error
        # A client that the rest of the fabfile makes is to be heard as well.
        listen()
        manager_class: Any = cls
        return fab.create(manager_class)

    @classmethod
    def create_namespace(cls, *others: Any) -> Any:
        """Make what a fabfile of Fabric 2 or 3, or a `tasks.py` of Invoke, calls `ns`.

        It is an `invoke.Collection` that has the commands, as `migrations.execute`, and
        `others`: the file's other tasks, collections, or modules of them. Raises
        `NoInvoke`; but where another face loads the file, which needs no Invoke, it is
        `None` then. Raises `BadSettings` for a `TASK_NAME` that is no name.
        """
        require_sound({'TASK_NAME': cls.TASK_NAME}, [])
        if is_fabric_1():
            raise NoInvoke(fabrics(), is_fabric_1=True)
        try:
            from migopy.face import invoke
        except ImportError as error:
            if not is_for_fab():
                return None
            raise NoInvoke(fabrics()) from error
        listen()
        manager_class: Any = cls
        subtasks = Subtasks(cls.__new__(cls), base_of(cls))
        return invoke.create(manager_class, subtasks, others)

    @classmethod
    def speaker(cls) -> Voice:
        """Give what speaks where there is no manager yet, or none any more.

        It shows no secret of the class's settings, as far as these can be read. If the
        class's logger is unusable, migopy's own says so.
        """
        logger = cls.logger if is_logger(cls.logger) else ColorsLogger()
        return Voice(logger, secrets_of(cls))

    @classmethod
    def fab_command(cls, subtask: str | None = None, option: str | None = None) -> str:
        """Give the command that runs a command, quoted for a remote shell."""
        errand = ERRAND.get()
        task = errand.task if errand and errand.task else cls.TASK_NAME
        return command_line(task, subtask, option)

    @classmethod
    def wants_json(cls, subtask: str | None, options: Mapping[str, str]) -> bool:
        """Tell whether `json=yes` asks for lines of JSON.

        The option belongs to a command that has one of that name itself.
        """
        if subtask and has_option(cls, subtask, 'json'):
            return False
        return says_yes(options, 'json')
