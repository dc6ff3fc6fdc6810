"""Tell in JSON, too, what a face says itself, and pass on the lines of a machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from migopy.errand import spelling_here
from migopy.errors import MigopyException
from migopy.face.hook import Manager
from migopy.tell import Lines, Voice, of_error
from migopy.terminal import ColorsLogger, WriteLine, kept_stdout


@contextmanager
def told_in_json(
    manager_class: type[Manager],
    subtask: str | None,
    options: Mapping[str, str],
) -> Iterator[None]:
    """Tell in JSON, too, of an error that ends a command before it has begun.

    The error is raised all the same.
    """
    try:
        yield
    except MigopyException as error:
        if manager_class.wants_json(subtask, options):
            with kept_stdout() as write_line:
                lines = Lines(write_line, subtask or 'status')
                spelling = spelling_here(manager_class.TASK_NAME)
                lines.end(of_error(error, spelling))
        raise


class Relay:
    """Sorts what a command writes on another machine, where two streams come as one.

    Invariant: lines of JSON go to stdout, with the machine's name in them; all else is
    for a person and goes to stderr.
    """

    def __init__(self, host: str, write_line: WriteLine) -> None:
        self._host = host
        self._write_line = write_line
        self._begun = ''

    def write(self, text: str) -> None:
        """Take a part of it, of whatever length."""
        *lines, self._begun = f'{self._begun}{text}'.split('\n')
        for line in lines:
            self._line(line.rstrip('\r'))

    def flush(self) -> None:
        """Do nothing: a line is passed on when it is whole."""

    def close(self) -> None:
        """Pass on what has no line end."""
        if self._begun:
            self.write('\n')

    def _line(self, line: str) -> None:
        document = _told_by_migopy(line)
        if document is None:
            Voice(ColorsLogger()).white(f'[{self._host}] out: {line}')
        else:
            self._write_line(json.dumps({**document, 'on': self._host}))


@contextmanager
def relay(host: str, in_json: bool) -> Iterator[Relay | None]:
    """Give what sorts a machine's lines; `None` if they go to stdout as they are."""
    if not in_json:
        yield None
        return
    with kept_stdout() as write_line:
        sorting = Relay(host, write_line)
        try:
            yield sorting
        finally:
            sorting.close()


def _told_by_migopy(line: str) -> dict[str, Any] | None:
    if not line.startswith('{"migopy":'):
        return None
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
