"""Whole lines of what several threads print at once, each behind a name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO, cast


class Speaking:
    """The name for what a thread prints, and its unfinished lines, by stream.

    Invariant: nothing of an unfinished line has been written yet.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._begun: dict[str, str] = {}

    def take(self, stream: str, text: str) -> str:
        """Take what is printed; give the whole lines, with the name before each."""
        *whole, begun = (self._begun.get(stream, '') + text).split('\n')
        self._begun[stream] = begun
        return ''.join(f'{self.name}: {line}\n' for line in whole)

    def rest(self) -> Iterator[tuple[str, str]]:
        """Give the lines that were begun and not ended, with their streams' names."""
        for stream, begun in self._begun.items():
            if begun:
                yield stream, f'{self.name}: {begun}\n'
        self._begun.clear()


#: The one who prints in this context; `None` has all text written as it comes.
SPEAKING: ContextVar[Speaking | None] = ContextVar('speaking', default=None)


class WholeLines:
    """Stands in for stdout or stderr, and writes whole lines of threads with a name.

    Invariant: such a line reaches the stream in one piece. All else is the stream's
    own.
    """

    def __init__(self, name: str, stream: TextIO) -> None:
        """Take the stream, and its name in `sys`."""
        self._name = name
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or as much of it as is whole lines."""
        speaking = SPEAKING.get()
        if speaking is None:
            return self._stream.write(text)
        lines = speaking.take(self._name, text)
        if lines:
            write_as_it_is(self._stream, lines)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write one text after the other."""
        for each in lines:
            self.write(each)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def write_as_it_is(stream: TextIO, text: str) -> None:
    """Write a text without a name before it, at once."""
    with unnamed():
        stream.write(text)
        stream.flush()


@contextmanager
def unnamed() -> Iterator[None]:
    """Have what is written in the block come as it is."""
    token = SPEAKING.set(None)
    try:
        yield
    finally:
        SPEAKING.reset(token)


@contextmanager
def spoken_by(name: str) -> Iterator[None]:
    """Have what is printed in the block come in whole lines, with a name before."""
    speaking = Speaking(name)
    token = SPEAKING.set(speaking)
    try:
        yield
    finally:
        SPEAKING.reset(token)
        for stream, line in speaking.rest():
            write_as_it_is(getattr(sys, stream), line)


@contextmanager
def whole_lines() -> Iterator[None]:
    """Let threads that have a name print whole lines, in the block."""
    before = take_over()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def take_over() -> tuple[TextIO, TextIO]:
    """Stand in for stdout and stderr; give what they were."""
    before = sys.stdout, sys.stderr
    if not is_taken_over(sys.stdout):
        sys.stdout = cast(TextIO, WholeLines('stdout', before[0]))
    if not is_taken_over(sys.stderr):
        sys.stderr = cast(TextIO, WholeLines('stderr', before[1]))
    return before


def put_back(streams: tuple[TextIO, TextIO]) -> None:
    """Put what a migration has taken away back as stdout and stderr.

    What stands in for them while bars are drawn stays, and comes and goes by itself.
    """
    for name, before in zip(('stdout', 'stderr'), streams):
        now = getattr(sys, name)
        if not any(map(_comes_and_goes, (now, before))) and not is_taken_over(now):
            setattr(sys, name, before)


def _comes_and_goes(stream: object) -> bool:
    return type(stream).__module__ == 'rich.file_proxy'


def is_taken_over(stream: object) -> bool:
    """Tell whether a stream is stood in for."""
    return isinstance(stream, WholeLines)
