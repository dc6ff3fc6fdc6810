"""Run MongoDB migrations from a Fabric fabfile."""

from migopy.console import ColorsLogger, Str
from migopy.directory import cwd_in_syspath
from migopy.errors import MigopyException, StopTaskExecution
from migopy.manager import MigrationsManager
from migopy.subtask import task

__all__ = [
    'ColorsLogger',
    'MigopyException',
    'MigrationsManager',
    'StopTaskExecution',
    'Str',
    'cwd_in_syspath',
    'task',
]
