"""What a console block of the docs shows: typed on a terminal, compared, rewritten.

A block is commands behind `$ `, each followed by what it shows. `...` stands for any
number of lines; what stands behind `[y/N]` is typed there. Times, figures that differ
from run to run, and names of the machine are not compared. With `MIGOPY_WRITE_DOCS=1`
what is not so is rewritten in the page.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests import forks
from tests.project import FAB, TIMEOUT, clean_environment

#: A command in which nothing means anything to a shell but quotes and backslashes: it
#: is forked, see `tests.forks`.
PLAIN = re.compile(r'(fab|migopy) [^|&;<>()$`*?#~\[\]{}!\n]*')

#: Lines and columns of the terminal.
SIZE = (50, 100)

#: The time in a dump's name.
STAMP = re.compile(r'\d{8}T\d{6}Z')

#: A user and a machine.
WHO = re.compile(r'[\w-]+@[\w.-]+')

#: What is not compared, and what is compared in its place.
MASKS = [
    (re.compile(r'\x1b\[[\d;]*m'), ''),
    (STAMP, 'STAMP'),
    (re.compile(r'\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?'), 'WHEN'),
    (
        re.compile(r'[\d.]+ (ms|s|min|h|seconds?|minutes?)\b( \d+ (s|min)\b)?'),
        'TIME',
    ),
    (re.compile(r'[\d.,]+/s'), 'RATE'),
    (re.compile(r'\([\d.]+ (B|KB|MB)\)'), '(SIZE)'),
    (WHO, 'WHO'),
    (re.compile(r'process \d+'), 'process N'),
    (re.compile(r"ObjectId\('\w+'\)"), 'ID'),
    # Where Python 3.11 points into the line; older ones do not.
    (re.compile(r'\n *[~^]+(?=\n|$)'), ''),
    (re.compile(r'─+'), 'RULE'),
    (re.compile(r' {2,}|\t'), ' '),
    (re.compile(r'\n{2,}'), '\n'),
]


@dataclass(frozen=True)
class Shown:
    """A command of a console block and what stands below it, then empty lines."""

    command: str
    output: str
    space: str = ''


def commands(text: str) -> list[Shown]:
    """Take a console block apart."""
    head, *parts = re.split(r'^\$ ', text, flags=re.MULTILINE)
    if head.strip() or not parts:
        raise ValueError(f'not a transcript: {text}')
    found = []
    for part in parts:
        command, _, output = part.partition('\n')
        while command.endswith('\\'):
            more, _, output = output.partition('\n')
            command = f'{command}\n{more}'
        space = '\n' if output.endswith('\n\n') else ''
        found.append(Shown(command, output.strip('\n'), space))
    return found


def text(shown: Sequence[Shown]) -> str:
    """Put a console block together."""
    return '\n'.join(
        '\n'.join(filter(None, (f'$ {each.command}', each.output))) + each.space
        for each in shown
    )


#: The line that says which database a command is about.
TITLE = re.compile(r'\S+ on (mongodb(\+srv)?://\S+|embedded:\S+|[\w.-]+:\d+)')

#: A line that tells of a migration that takes long.
ALIVE = re.compile(r'\S+\.py running for .* so far')


def answers(output: str) -> list[str]:
    """List what a page shows that a person answers."""
    return re.findall(r'\[y/N\] (\S+)$', output, flags=re.MULTILINE)


def typed(
    command: str, folder: Path, answers: Sequence[str] = (), **environment: str
) -> tuple[int, str]:
    """Type a command on a terminal; give its exit status and what is left to read.

    Each of `answers` is typed when it is asked for. Raises `StillRuns`.
    """
    terminal, end = os.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack('HHHH', *SIZE, 0, 0))
    path = f'{FAB.parent}{os.pathsep}{os.environ["PATH"]}'
    told = clean_environment(
        TERM='xterm',
        NO_COLOR='1',
        PYTHONIOENCODING='utf-8',
        **{'PATH': path, **environment},
    )
    streams = {'stdin': end, 'stdout': end, 'stderr': end}
    program = shutil.which(command.split()[0], path=told['PATH'])
    is_forked = bool(PLAIN.fullmatch(command)) and program and forks.are_possible()
    process: subprocess.Popen[str]
    if is_forked:
        words = [str(program), *shlex.split(command)[1:]]
        process = forks.Forked(words, cwd=folder, env=told, text=True, **streams)
    else:
        words = ['bash', '-c', command]
        process = subprocess.Popen(
            words, cwd=folder, env=told, start_new_session=True, text=True, **streams
        )
    with os.fdopen(terminal, 'r+b', buffering=0) as screen:
        os.close(end)
        try:
            shown = read(screen, answers)
            status = process.wait(timeout=TIMEOUT)
        except BaseException:
            if is_forked:
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    return status, left_to_read(shown.decode())


class StillRuns(Exception):
    """A command did not end in time; it may wait for what nobody types."""


def read(screen: IO[bytes], answers: Sequence[str]) -> bytes:
    """Read a terminal until its processes have left it, and answer what they ask."""
    shown = b''
    left = list(answers)
    deadline = time.monotonic() + TIMEOUT
    while select.select([screen], [], [], max(0, deadline - time.monotonic()))[0]:
        try:
            part = screen.read(4096)
        except OSError:
            return shown  # the last process has left the terminal
        if not part:
            return shown
        shown += part
        if left and shown.endswith(b'[y/N] '):
            screen.write(f'{left.pop(0)}\n'.encode())
    raise StillRuns(f'after {TIMEOUT} s: {shown.decode()}')


def left_to_read(written: str) -> str:
    """Give what a terminal shows at the end: of a line that was redrawn the last."""
    lines = [
        line
        for line in written.replace('\r\n', '\n').split('\n')
        # Each command says first which database it is about: the pages do so once. On
        # a slow machine there may be signs of life.
        if not (TITLE.fullmatch(line) or ALIVE.fullmatch(line))
    ]
    kept = [re.split(r'\r\x1b\[2K', line)[-1] for line in lines]
    text = re.sub(r'\x1b\[[\d;?]*[A-Za-z]', '', '\n'.join(kept))
    # The last word of `fab` is Fabric's own, and on no page.
    return re.sub(r'\n+Done\.(?=\n|$)', '', f'\n{text}').strip('\n')


def masked(text: str) -> str:
    """Take out what differs from run to run."""
    for pattern, word in MASKS:
        text = pattern.sub(word, text)
    return '\n'.join(line.rstrip() for line in text.strip('\n').split('\n'))


def fits(expected: str, actual: str) -> bool:
    """Tell whether a command has shown what the page says."""
    pattern = ''.join(
        r'(?:.*\n)*' if line == '...' else f'{re.escape(line)}\n'
        for line in masked(expected).split('\n')
    )
    return re.fullmatch(pattern, masked(actual) + '\n') is not None


def rewritten(expected: str, actual: str) -> str:
    """Give what a page is to show in place of `expected`.

    Lines that fit stay as they are on the page, and so does a `...` that stands for
    what is cut; the rest is what was shown.
    """
    page, shown = expected.split('\n'), actual.split('\n')
    matcher = difflib.SequenceMatcher(
        a=[masked(line) for line in page],
        b=[masked(line) for line in shown],
        autojunk=False,
    )
    lines: list[str] = []
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        if tag == 'equal' or '...' in page[i:i_end]:
            kept = page[i:i_end]
            lines += kept if tag == 'equal' else ['...']
        else:
            lines += shown[j:j_end]
    return '\n'.join(lines)


def stamps(expected: str, actual: str) -> dict[str, str]:
    """Give the times in names of dumps, as on the page and as they were shown."""
    page, shown = STAMP.findall(expected), STAMP.findall(actual)
    return dict(zip(dict.fromkeys(page), dict.fromkeys(shown)))
