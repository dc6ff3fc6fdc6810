"""Which mongod of this machine to run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from migopy.errors import MigopyException

#: The environment variable that names the mongod to use.
CHOICE = 'MIGOPY_MONGOD'

#: How long a mongod may take to tell its version, before it counts as unknown.
VERSION_SECONDS = 5.0


class NoMongod(MigopyException):
    """No mongod on this machine, or not where `MIGOPY_MONGOD` says."""

    is_of_process = True

    def __init__(self, chosen: str | None = None) -> None:
        super().__init__(
            f'{CHOICE} is {chosen}, which is no program that can be started. Correct'
            ' it in the environment, or take it out.'
            if chosen
            else f'There is no mongod on this machine. Name one that is not on PATH by'
            f' {CHOICE} in the environment, or install the one that comes as an extra:'
            f' pip install "{_distribution()}[mongod]"'
        )


def _distribution() -> str:
    """Name the installed distribution that has this extra.

    `migopy` where `migopy-core` alone is installed would lay Fabric 1 over Fabric 3.
    """
    # It takes as long as a tenth of a command that needs it not.
    from importlib import metadata

    try:
        metadata.version('migopy-core')
    except metadata.PackageNotFoundError:
        return 'migopy'
    return 'migopy-core'


def find_mongods() -> list[Path]:
    """Give the paths of the mongods on this machine.

    They are the one of the `mongod` extra and the one on PATH; or the one alone that
    `MIGOPY_MONGOD` names. Raises `NoMongod` where there is none.
    """
    chosen = os.environ.get(CHOICE)
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise NoMongod(chosen)
        return [Path(found)]
    on_path = shutil.which('mongod')
    places = [*_bundled(), *([Path(on_path)] if on_path else [])]
    if not places:
        raise NoMongod
    return places


def newest_first(programs: Sequence[Path]) -> list[Path]:
    """Sort mongods by their versions; of equal ones the first stays first.

    It takes as long as they take to tell (0.03 s), where there are several.
    """
    if len(programs) == 1:
        return list(programs)
    started = [_asked_for_version(program) for program in programs]
    versions = [_version(process) for process in started]
    ranked = sorted(zip(versions, programs), key=lambda each: each[0], reverse=True)
    return [program for _, program in ranked]


def _bundled() -> list[Path]:
    # Found without an import: the package's namesake, FiftyOne itself, is heavy.
    package = find_spec('fiftyone')
    places = (package and package.submodule_search_locations) or ()
    programs = [Path(place, 'db', 'bin', 'mongod') for place in places]
    return [program for program in programs if os.access(program, os.X_OK)]


def _asked_for_version(program: Path) -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(  # noqa: S603
            [program, '--version'],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None  # a program of another machine, say


def _version(process: subprocess.Popen[bytes] | None) -> tuple[int, ...]:
    if process is None:
        return ()
    try:
        text, _ = process.communicate(timeout=VERSION_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
    found = re.search(rb'db version v(\d+)\.(\d+)\.(\d+)', text)
    return tuple(map(int, found.groups())) if found else ()
