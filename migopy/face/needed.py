"""What to type where Fabric 1's API is not there, or another Fabric lies over it."""

from __future__ import annotations

import sys

from migopy.errors import MigopyException

#: The distributions that own the package `fabric`; the first two have Fabric 1's API.
OWNERS = ('fab-classic', 'Fabric3', 'fabric')


class NoClassicFabric(MigopyException, ImportError):
    """The package `fabric` is not that of Fabric 1; `installed` is what pip knows."""

    def __init__(self, installed: list[str]) -> None:
        self.installed = installed
        if not installed:
            text = (
                'create_task() needs the API of Fabric 1, and no Fabric is installed.\n'
                'Type: pip install fab-classic'
            )
        elif len(installed) > 1:
            text = (
                f'{" and ".join(installed)} are installed over each other: both own the'
                ' package fabric, so neither is whole.\n'
                f'Type: pip uninstall {" ".join(_names(installed))}\n'
                'then: pip install fab-classic, or use an environment for each.'
            )
        else:
            text = (
                f'create_task() needs the API of Fabric 1, and {installed[0]} is'
                ' installed, which owns the same package.\n'
                'Use another environment for migopy, or if nothing here needs it type:'
                f' pip uninstall {" ".join(_names(installed))}\n'
                'then: pip install fab-classic'
            )
        super().__init__(text)


def is_typed_as_task(cls: type) -> bool:
    """Tell whether `fab` is calling a class, which for Fabric 1 is a task by its name.

    Fabric is asked only where it runs.
    """
    state = sys.modules.get('fabric.state')
    if state is None:
        return False
    called = getattr(state, 'commands', {}).get(state.env.get('command'))
    return called is cls or getattr(called, 'wrapped', None) is cls


def fabrics() -> list[str]:
    """List the installed distributions that own the package `fabric`."""
    # It takes as long as a tenth of a command that needs it not.
    from importlib import metadata

    found = []
    for name in OWNERS:
        try:
            found.append(f'{name} {metadata.version(name)}')
        except metadata.PackageNotFoundError:
            continue
    return found


def _names(installed: list[str]) -> list[str]:
    return [each.split()[0] for each in installed]
