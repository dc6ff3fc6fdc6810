"""How pytest runs the tests: in parallel, by more processes than there are cores."""

from __future__ import annotations

import importlib
import os
import pkgutil

from tests.server import SHARED

#: Wings whose rooms are loaded late. A test that puts `sys.modules` back as it was
#: would have them loaded twice, and what another one changes in one not be seen.
LATE = ('backfill', 'differences', 'dumps', 'rehearsal', 'run', 'standin', 'state')

for wing in LATE:
    package = importlib.import_module(f'migopy.{wing}')
    for room in pkgutil.iter_modules(package.__path__, f'migopy.{wing}.'):
        importlib.import_module(room.name)

#: Most tests wait most of their time: for a server, for `fab`, for a lock.
WORKERS_PER_CORE = 3


def pytest_xdist_auto_num_workers() -> int:
    """Give the number of processes that `-n auto` starts.

    It is one where they would share a server: some tests set its parameters.
    """
    if os.environ.get('MIGOPY_TEST_URI'):
        return 1
    return WORKERS_PER_CORE * cores()


def pytest_sessionfinish() -> None:
    """Stop the server that the tests of this process have shared.

    Not at its exit: a busy machine takes longer to clean up after thousands of tests
    than xdist's ten seconds, after which it kills the process.
    """
    SHARED.close()


def cores() -> int:
    """Count the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
