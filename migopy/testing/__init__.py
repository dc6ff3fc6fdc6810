"""Tests of migrations: on a private server, with pytest or with unittest.

Nothing is loaded before one of its names is asked for: pytest loads the plugin in any
project where migopy is installed.
"""

from typing import TYPE_CHECKING

from migopy.lazy import late

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

__getattr__ = late(__name__, LATE)
