"""Under pytest a unit test that starts a process fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

#: What Python tells of when a process is started.
STARTS = {'os.fork', 'os.forkpty', 'os.posix_spawn', 'os.system', 'subprocess.Popen'}

#: Modules that start processes still.
ALLOWED = ('test_commands', 'test_dump', 'test_effects', 'test_mongod')

_running: list[str] = []


@pytest.fixture(autouse=True)
def _no_process(request: pytest.FixtureRequest) -> Iterator[None]:
    module = request.module.__name__.rpartition('.')[2]
    if not module.startswith(ALLOWED):
        _running.append(request.node.name)
    yield
    _running.clear()


def _watch(event: str, _arguments: object) -> None:
    if _running and event in STARTS:
        raise AssertionError(
            f'{_running[0]} starts a process: it is an integration test'
        )


sys.addaudithook(_watch)
