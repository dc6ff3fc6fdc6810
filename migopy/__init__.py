"""Run MongoDB migrations from a Fabric fabfile."""

from typing import TYPE_CHECKING, Any

from migopy.errors import MigopyException, StopTaskExecution
from migopy.face import task
from migopy.files import cwd_in_syspath
from migopy.manager import MigrationsManager
from migopy.run import MigrationInfo, MigrationOutcome, RunOutcome
from migopy.terminal import ColorsLogger, Str
from migopy.terminal.progress import progress
from migopy.version import VERSION

if TYPE_CHECKING:
    from migopy.backfill import DELETE, update_each

__version__ = VERSION

__all__ = [
    'DELETE',
    'ColorsLogger',
    'MigopyException',
    'MigrationInfo',
    'MigrationOutcome',
    'MigrationsManager',
    'RunOutcome',
    'StopTaskExecution',
    'Str',
    '__version__',
    'cwd_in_syspath',
    'progress',
    'task',
    'update_each',
]


def __getattr__(name: str) -> Any:
    # Only some migrations need it, and `fab migrations` is to start fast.
    if name in ('DELETE', 'update_each'):
        from migopy import backfill

        return getattr(backfill, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
