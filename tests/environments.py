"""Environments beside that of the tests: Fabric 2, 3 and Invoke, with this tree.

Each is made once, in `build/environments`, and kept for the next time.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests import readme

#: What is installed where the tree itself is on the path, but for migopy.
FABRIC_3 = ('fabric>=3.2,<4', 'pymongo>=4.17,<5', 'rich>=13')

#: Invoke 1, which Fabric 2 needs, runs on no later Python.
FABRIC_2 = ('fabric>=2,<3', 'pymongo>=4.9,<5', 'rich>=13')
LAST_OF_FABRIC_2 = (3, 10)

#: Seconds for pip, on a machine with much else to do.
TIMEOUT = 600


@functools.cache
def fabric_3() -> Path:
    """Give the folder of `fab` and `inv` of an environment with Fabric 3."""
    return kept('fabric-3', FABRIC_3)


@functools.cache
def fabric_2() -> Path | None:
    """Give the folder of `fab` with Fabric 2, `None` where no Python runs it."""
    if sys.version_info[:2] <= LAST_OF_FABRIC_2:
        return kept('fabric-2', FABRIC_2)
    pythons = Path.home().glob('.pyenv/versions/3.10.*/bin/python')
    found = next(pythons, None) or shutil.which('python3.10')
    return kept('fabric-2', FABRIC_2, str(found)) if found else None


def kept(name: str, requirements: Sequence[str], python: str = sys.executable) -> Path:
    """Give the programs' folder of an environment that has this tree on its path."""
    version = run(python, '-c', 'import sys; print("%d.%d" % sys.version_info[:2])')
    place = readme.ROOT / 'build/environments' / f'{name}-python-{version.strip()}'
    place.parent.mkdir(parents=True, exist_ok=True)
    stamp = place / 'complete'
    with place.with_suffix('.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = '\n'.join([str(readme.ROOT), *requirements])
        if not stamp.exists() or stamp.read_text() != content:
            shutil.rmtree(place, ignore_errors=True)
            make(place, requirements, python)
            [packages] = place.glob('lib/python*/site-packages')
            (packages / 'tree.pth').write_text(f'{readme.ROOT}\n')
            stamp.write_text(content)
    return place / 'bin'


#: What the two distributions are built from.
SOURCES = (
    *('migopy', 'core', 'pyproject.toml', 'setup.py', 'build_backend.py'),
    *('README.rst', 'LICENSE', 'COPYING', 'MANIFEST.in'),
)


@functools.cache
def wheels() -> Path:
    """Give a folder with the wheels of the two distributions of this tree."""
    place = readme.ROOT / 'build/environments/wheels'
    place.mkdir(parents=True, exist_ok=True)
    with place.with_suffix('.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = place / 'complete'
        content = _digest(readme.ROOT / name for name in SOURCES)
        if not stamp.exists() or stamp.read_text() != content:
            shutil.rmtree(place)
            with tempfile.TemporaryDirectory(prefix='migopy-wheels-') as folder:
                copy(Path(folder))
                build = ('wheel', '--no-deps', '--wheel-dir', place)
                options = ('--disable-pip-version-check', '--no-input', '--quiet')
                tree = (folder, f'{folder}/core')
                run(sys.executable, '-m', 'pip', *options, *build, *tree)
            stamp.write_text(content)
    return place


def copy(folder: Path) -> None:
    """Copy what the distributions are built from, and nothing that was built."""
    left_out = shutil.ignore_patterns('__pycache__', 'build', '*.egg-info')
    for name in SOURCES:
        source = readme.ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True, ignore=left_out)
        else:
            shutil.copy(source, folder / name)


def _digest(sources: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for source in sources:
        for file in sorted(source.rglob('*')) if source.is_dir() else [source]:
            built = {'build', '__pycache__'} & set(file.parts[len(source.parts) :])
            if file.is_file() and not built:
                found.update(f'{file}\n'.encode() + file.read_bytes())
    return found.hexdigest()


def make(
    place: Path, requirements: Sequence[str | Path], python: str = sys.executable
) -> None:
    """Make a virtual environment, and install what is required.

    It has no pip of its own, which takes longer to install than most of what a test
    needs: that of the tests installs into it.
    """
    run(python, '-m', 'venv', '--without-pip', place)
    if requirements:
        pip(place, 'install', *requirements)


def pip(place: Path, *arguments: str | Path) -> str:
    """Run pip on an environment; give what it says."""
    options = ('--disable-pip-version-check', '--no-input', '--quiet')
    there = ('--python', place / 'bin/python')
    return run(sys.executable, '-m', 'pip', *options, *there, *arguments)


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
