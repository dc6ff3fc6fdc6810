"""Run MongoDB migrations from a Fabric fabfile."""

from migopy.backfill import DELETE, update_each
from migopy.console import ColorsLogger, Str
from migopy.directory import cwd_in_syspath
from migopy.errors import MigopyException, StopTaskExecution
from migopy.manager import MigrationsManager
from migopy.progress import progress
from migopy.subtask import task
from migopy.version import VERSION

__version__ = VERSION

__all__ = [
    'DELETE',
    'ColorsLogger',
    'MigopyException',
    'MigrationsManager',
    'StopTaskExecution',
    'Str',
    '__version__',
    'cwd_in_syspath',
    'progress',
    'task',
    'update_each',
]
