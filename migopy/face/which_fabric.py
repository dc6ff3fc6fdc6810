"""Which Fabric is installed, and what to type if a fabfile needs another one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from migopy.errors import MigopyException
from migopy.files import invoke_program

#: The distributions that own the package `fabric`; the first two have Fabric 1's API.
OWNERS = ('fab-classic', 'Fabric3', 'fabric')

#: The last line of a fabfile.
TASK = 'migrations = Migrations.create_task()'
NAMESPACE = 'ns = Migrations.create_namespace()'


class NoClassicFabric(MigopyException, ImportError):
    """The package `fabric` is not that of Fabric 1; `installed` is what pip knows."""

    def __init__(self, installed: list[str]) -> None:
        self.installed = installed
        if not installed and invoke_program() is not None:
            text = (
                'create_task() is for Fabric 1, and this is Invoke. In place of it'
                f' write:\n  {NAMESPACE}'
            )
        elif not installed:
            text = (
                'create_task() needs the API of Fabric 1, and no Fabric is installed.\n'
                'Type: pip install fab-classic'
            )
        elif len(installed) > 1:
            text = over_each_other(installed)
        elif is_later(installed[0]):
            text = (
                f'create_task() is for Fabric 1, and {installed[0]} is installed. In'
                f' place of it write:\n  {NAMESPACE}'
            )
        else:
            text = broken(installed[0])
        super().__init__(text)


class NoInvoke(MigopyException, ImportError):
    """A namespace was asked for without Invoke, or while Fabric 1 runs the fabfile.

    `installed` is what pip knows of Fabric.
    """

    def __init__(self, installed: list[str], is_fabric_1: bool = False) -> None:
        self.installed = installed
        if len(installed) > 1:
            text = over_each_other(installed)
        elif is_fabric_1:
            named = f' ({installed[0]})' if installed else ''
            text = (
                f'create_namespace() is for Fabric 2, 3 and Invoke, and this is Fabric'
                f' 1{named}. In place of it write:\n  {TASK}'
            )
        elif installed and is_later(installed[0]):
            text = broken(installed[0])
        else:
            text = (
                'create_namespace() needs Invoke, which is not installed.\n'
                'Type: pip install invoke'
            )
        super().__init__(text)


class OldInvoke(MigopyException, ImportError):
    """Invoke is too old to make a task on this Python; `version` is its version."""

    def __init__(self, version: str, installed: Sequence[str]) -> None:
        self.version = version
        what = 'fabric>=3' if installed else 'invoke>=2'
        super().__init__(
            f'Invoke {version} can make no task on Python 3.11 and later.\n'
            f'Type: pip install -U "{what}"'
        )


def is_called_as_task(cls: type) -> bool:
    """Tell whether `fab` is calling a class: for Fabric 1 any callable is a task.

    Fabric is asked only where it runs.
    """
    state = sys.modules.get('fabric.state')
    if state is None:
        return False
    called = getattr(state, 'commands', {}).get(state.env.get('command'))
    return called is cls or getattr(called, 'wrapped', None) is cls


def in_place_of_class(cls: type[Any], typed: str) -> str:
    """Say what to do instead of calling a class.

    `typed` is the command as one types it for a task. A fabfile that has no task yet
    has to get one first.
    """
    state = sys.modules.get('fabric.state')
    called = getattr(state, 'commands', {}).get(cls.TASK_NAME, cls)
    if called is not cls and getattr(called, 'wrapped', None) is not cls:
        return f'Type: {typed}'
    task = f'{cls.TASK_NAME} = {cls.__name__}.create_task()'
    return f'Write at the end of the fabfile:\n  {task}\nthen type: {typed}'


def over_each_other(installed: Sequence[str]) -> str:
    """Say that two Fabrics own the same files, and how to get one of them whole."""
    names = [each.split()[0] for each in installed]
    return (
        f'{" and ".join(installed)} are installed over each other: both own the package'
        ' fabric and the command fab, so neither is whole.\n'
        f'Type: pip uninstall {" ".join(names)}\n'
        f'then for the one that you need: {" or ".join(map(_install, names))}'
    )


def way_to_fabric_1(installed: Sequence[str]) -> str:
    """Say what to type to get Fabric 1, or that it would damage another Fabric."""
    if not installed:
        return 'Or type: pip install fab-classic'
    if len(installed) > 1:
        return over_each_other(installed)
    if is_later(installed[0]):
        return (
            f'Do not install Fabric 1 here: it would be laid over {installed[0]}, which'
            ' is another program of the same name.'
        )
    return broken(installed[0])


def broken(installed: str) -> str:
    """Say that files of an installed Fabric are gone, and how to get them back."""
    name, version = installed.split()
    return (
        f'{installed} is installed, but not whole: another Fabric, which owns the same'
        ' files, has been uninstalled since.\n'
        f'Type: pip install --force-reinstall --no-deps {name}=={version}'
    )


def is_later(installed: str) -> bool:
    """Tell whether a distribution is Fabric 2 or later."""
    name, version = installed.split()
    return name == 'fabric' and not version.startswith(('0.', '1.'))


def is_fabric_1() -> bool:
    """Tell whether it is Fabric 1 that runs the fabfile."""
    # Looked up, not imported: where it runs, it is there.
    state = sys.modules.get('fabric.state')
    return state is not None and bool(state.env.get('real_fabfile'))


def task_for_later(manager_class: type[Any]) -> Callable[..., Any]:
    """Make a task's function that imports Fabric when it is called."""

    def migrations(*values: str, **options: str) -> Any:
        from migopy.face import fab

        return fab.create(manager_class)(*values, **options)

    migrations.__name__ = manager_class.TASK_NAME
    return migrations


def fabrics() -> list[str]:
    """List the installed distributions that own the package `fabric`."""
    # To import it takes a tenth of the time of a whole command, and few need it.
    from importlib import metadata

    found = []
    for name in OWNERS:
        try:
            found.append(f'{name} {metadata.version(name)}')
        except metadata.PackageNotFoundError:
            continue
    return found


def _install(name: str) -> str:
    return f'pip install {name}'
