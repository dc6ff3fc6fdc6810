"""Environments beside that of the tests: Fabric 3 and Invoke, with this tree in them.

Each is made once, in `build/environments`, and kept for the next time.
"""

from __future__ import annotations

import fcntl
import functools
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests import readme

#: What is installed where the tree itself is on the path, but for migopy.
FABRIC_3 = ('fabric>=3.2,<4', 'pymongo>=4.17,<5', 'rich>=13')

#: Seconds for pip, on a machine with much else to do.
TIMEOUT = 600


@functools.cache
def fabric_3() -> Path:
    """Give the folder of `fab` and `inv` of an environment with Fabric 3."""
    version = '.'.join(map(str, sys.version_info[:2]))
    place = readme.ROOT / 'build/environments' / f'fabric-3-python-{version}'
    place.parent.mkdir(parents=True, exist_ok=True)
    stamp = place / 'complete'
    with place.with_suffix('.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = '\n'.join([str(readme.ROOT), *FABRIC_3])
        if not stamp.exists() or stamp.read_text() != content:
            shutil.rmtree(place, ignore_errors=True)
            make(place, FABRIC_3)
            [packages] = place.glob('lib/python*/site-packages')
            (packages / 'tree.pth').write_text(f'{readme.ROOT}\n')
            stamp.write_text(content)
    return place / 'bin'


def make(place: Path, requirements: Sequence[str | Path]) -> None:
    """Make a virtual environment, and install what is required."""
    run(sys.executable, '-m', 'venv', place)
    pip(place, 'install', *requirements)


def pip(place: Path, *arguments: str | Path) -> str:
    """Run an environment's pip; give what it says."""
    options = ('--disable-pip-version-check', '--no-input', '--quiet')
    return run(place / 'bin/python', '-m', 'pip', *options, *arguments)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command that is to end well; give what it says."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    if done.returncode:
        raise AssertionError(f'{command} ended with {done.returncode}:\n{done.stdout}')
    return done.stdout
