"""What an error says: its traceback cut to the migration's lines, or one line."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType

import bson
import pymongo

from migopy.errors import MigopyException
from migopy.secrets import redacted
from migopy.signals import Stopped, Terminated
from migopy.texts import fit, shortened, text_of, without_command

#: Files whose frames tell the author of a migration nothing.
MACHINERY = (
    *(
        os.path.dirname(str(module)) + os.sep
        for module in (
            __file__,
            pymongo.__file__,
            bson.__file__,
            concurrent.futures.__file__,
            # Most commands do without it, so it is not imported for its place.
            os.path.join(os.path.dirname(os.__file__), 'asyncio', '__init__.py'),
        )
    ),
    str(contextlib.__file__),
)

#: Characters of an error in one line.
SUMMARY_WIDTH = 200

#: What MongoDB says of index names in general, before it names the two indexes.
GENERALITIES = (
    ' When index names are not specified, they are auto generated and can cause'
    ' conflicts.',
    ' Please refer to our documentation.',
)

#: Lines of an error that is shown in full, and characters of each.
LONGEST = 200
WIDEST = 2000

#: The errors whose text is told in full.
BULKS = ('BulkWriteError: ', 'ClientBulkWriteException: ')


def excerpt(error: BaseException, path: str) -> str:
    """Format an exception as Python does, with its traceback from the file `path` on.

    If that file has no part in it, the traceback begins after migopy's own frames, as
    that of a cause does. Frames of migopy and of the driver are left out everywhere,
    and passwords of URIs.
    """
    within = (
        frame
        for frame in _frames(error.__traceback__)
        if frame.tb_frame.f_code.co_filename == path
    )
    first = next(within, error.__traceback__)
    shown = traceback.TracebackException(type(error), error, first)
    each: traceback.TracebackException | None = shown
    while each is not None:
        each.stack[:] = [f for f in each.stack if not is_machinery(f.filename)]
        each = each.__cause__ or each.__context__
    # An error of migopy's own says all in its text.
    of_ours = isinstance(error, MigopyException) and not shown.stack
    text = str(error) if of_ours else ''.join(shown.format())
    lines = redacted(text).rstrip().splitlines()
    if len(lines) > LONGEST:
        left_out = f'  … {len(lines) - LONGEST:,} lines …'
        lines = [*lines[: LONGEST // 2], left_out, *lines[-LONGEST // 2 :]]
    return fit('\n'.join(_cut(_without_reply(line), WIDEST) for line in lines))


def line_in(error: BaseException, path: str) -> int | None:
    """Give the last line of the file `path` that an error has come through."""
    lines = [
        frame.tb_lineno
        for frame in _frames(error.__traceback__)
        if frame.tb_frame.f_code.co_filename == path
    ]
    return lines[-1] if lines else None


def summary(
    error: BaseException, secrets: Iterable[str] = (), width: int = SUMMARY_WIDTH
) -> str:
    """Say in a line what an exception says, with its type, without secrets.

    For an interruption it says who interrupted.
    """
    if isinstance(error, Stopped):
        return f'stopped by {error.by}'
    if isinstance(error, Terminated):
        return f'stopped by {error.signal.name}'
    if isinstance(error, KeyboardInterrupt):
        return 'interrupted (Ctrl-C)'
    said = redacted(text_of(error), secrets)
    lines = said.strip().splitlines() or ['no message']
    kind = type(error).__name__
    first = ' '.join(_without_reply(f'{kind}: {lines[0]}').split())
    return _cut(fit(first), width)


def _cut(line: str, width: int) -> str:
    """Cut a line before a word, as half a secret could not be told any more."""
    if len(line) <= width:
        return line
    whole = line[: line.rfind(' ', width // 2, width) + 1]
    return f'{whole}…' if whole else shortened(line, width)


def _without_reply(line: str) -> str:
    # PyMongo adds the server's whole reply, which tells more only for a bulk.
    if any(each in line for each in BULKS):
        return line
    said = without_command(line.partition(', full error: ')[0])
    for each in GENERALITIES:
        said = said.replace(each, '')
    return said


def _frames(frame: TracebackType | None) -> Iterator[TracebackType]:
    while frame is not None:
        yield frame
        frame = frame.tb_next


def is_machinery(file: str) -> bool:
    """Tell whether a file is migopy's, the driver's or the like."""
    return file.startswith('<frozen importlib') or file.startswith(MACHINERY)
