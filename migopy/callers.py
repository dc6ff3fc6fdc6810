"""Find the file that called, to tell its author what it uses."""

from __future__ import annotations

import sys
from functools import lru_cache
from types import CodeType, FrameType
from typing import NamedTuple

#: The packages that are never the caller: PyMongo's, and this one.
_DRIVERS = {'pymongo', 'bson', 'gridfs', (__package__ or '').partition('.')[0]}


class Caller(NamedTuple):
    """A line of a file, and the name of its module."""

    file_name: str
    line: int
    module: str


def calling_file() -> Caller:
    """Find the nearest caller outside PyMongo and migopy, or the outermost of all."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_driver(frame.f_globals.get('__name__', '')):
        frame = frame.f_back
    module = frame.f_globals.get('__name__', '')
    return Caller(frame.f_code.co_filename, frame.f_lineno, module)


def calling_lines() -> tuple[tuple[CodeType, int], ...]:
    """Give the lines that have come to this call, from that of the caller outwards.

    Where a call is made again, by a loop or by what repeats a function, they are equal.
    """
    lines = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        lines.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return tuple(lines)


def called_by_driver() -> bool:
    """Tell whether PyMongo or migopy called the function that asks this."""
    return _is_driver(sys._getframe(2).f_globals.get('__name__', ''))


@lru_cache(maxsize=1000)
def _is_driver(module: str) -> bool:
    return module.partition('.')[0] in _DRIVERS
