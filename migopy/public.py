"""The public names: what `import migopy` gives."""

from typing import TYPE_CHECKING

from migopy.lazy import late
from migopy.version import VERSION

if TYPE_CHECKING:
    from migopy.backfill import DELETE, batches, update_each
    from migopy.errors import MigopyException, StopTaskExecution
    from migopy.face import task
    from migopy.files import cwd_in_syspath
    from migopy.manager import MigrationsManager
    from migopy.pace import Pace
    from migopy.run import MigrationInfo, MigrationOutcome, RunOutcome
    from migopy.terminal import ColorsLogger, Str
    from migopy.terminal.progress import progress

__version__ = VERSION

#: The rooms of the public names, each loaded when one of its names is asked for: only
#: some migrations need `update_each`, and the command `migopy` begins before PyMongo.
ROOMS = {
    'DELETE': 'backfill',
    'ColorsLogger': 'terminal',
    'MigopyException': 'errors',
    'MigrationInfo': 'run',
    'MigrationOutcome': 'run',
    'MigrationsManager': 'manager',
    'Pace': 'pace',
    'RunOutcome': 'run',
    'StopTaskExecution': 'errors',
    'Str': 'terminal',
    'batches': 'backfill',
    'cwd_in_syspath': 'files',
    'progress': 'terminal.progress',
    'task': 'face',
    'update_each': 'backfill',
}

__all__ = [
    'DELETE',
    'ColorsLogger',
    'MigopyException',
    'MigrationInfo',
    'MigrationOutcome',
    'MigrationsManager',
    'Pace',
    'RunOutcome',
    'StopTaskExecution',
    'Str',
    '__version__',
    'batches',
    'cwd_in_syspath',
    'progress',
    'task',
    'update_each',
]


__getattr__ = late('migopy', ROOMS)


def __dir__() -> list[str]:
    return sorted({*globals(), *ROOMS})
