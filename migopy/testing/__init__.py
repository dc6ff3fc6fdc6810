"""Tests of migrations: on a private server, with pytest or with unittest.

Nothing is loaded before one of its names is asked for: pytest loads the plugin in any
project where migopy is installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migopy.testing.case import MigrationsTestCase
    from migopy.testing.migrations import Migrations
    from migopy.testing.projects import manager_of
    from migopy.testing.server import server_in

#: The rooms of the names.
LATE = {
    'Migrations': 'migrations',
    'MigrationsTestCase': 'case',
    'manager_of': 'projects',
    'server_in': 'server',
}

__all__ = ['Migrations', 'MigrationsTestCase', 'manager_of', 'server_in']


def __getattr__(name: str) -> Any:
    if name in LATE:
        return getattr(import_module(f'migopy.testing.{LATE[name]}'), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
