"""Lines of JSON about what happens: how a line is made and where it goes.

docs/machines.rst describes the lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Any, TypeVar

from migopy.secrets import redacted, spellings_of
from migopy.terminal import count_no_more, counted_by
from migopy.texts import text_of

#: The version of the schema. It changes if a field is removed or gets another meaning,
#: not if a field is added.
SCHEMA = 1

Value = TypeVar('Value')

#: How many levels of a value are written; deeper ones are written as text.
DEEPEST = 20

#: The largest integer that every reader of JSON reads exactly.
LARGEST = 2**53


class Lines:
    """Writes lines of JSON about one command.

    Invariant: a line is one JSON object in ASCII, without secrets and without control
    characters. The last one is of the event `ended`.
    """

    #: Whether to tell what happens while it happens.
    wants_events = True

    def __init__(
        self,
        write: Callable[[str], None],
        command: str,
        database: str = '',
        server: str = '',
        secrets: Sequence[str] = (),
    ) -> None:
        """Take what writes a line, and what the command is and is about."""
        self._write = write
        self._about = {'command': command, 'database': database, 'server': server}
        self._secrets = secrets
        self._spellings = spellings_of(secrets)
        self.answers: dict[str, Any] = {}
        #: Long answers, each value as it is written.
        self._long: dict[str, list[str]] = {}

    @property
    def database(self) -> str:
        """Give the name of the database that the command is about, `''` for many."""
        return self._about['database']

    def concern(self, database: str, server: str) -> None:
        """Hear which one of many databases the command is about."""
        self._about.update(database=database, server=server)

    def event(self, event: str, **what: Any) -> None:
        """Write a line about something that happens."""
        self._write(self._event(event, what))

    def _event(self, event: str, what: Mapping[str, Any]) -> str:
        now = datetime.now(timezone.utc)
        head = {'migopy': SCHEMA, 'event': event, 'at': now}
        return self._written({**head, **what})

    def _written(self, value: object) -> str:
        text = json.dumps(self._fit(value), allow_nan=False, separators=(',', ':'))
        # All other control characters JSON escapes itself.
        return text.replace('\x7f', '\\u007f')

    def counted(
        self, title: str, done: int, total: int | None, first: int, seconds: float
    ) -> None:
        """Write a line about how far a loop is."""
        far: Mapping[str, Any] = {'done': done, 'total': total, 'first': first}
        self.event('counted', title=title, **far, seconds=round(seconds, 3))

    def answer(self, **what: Any) -> None:
        """Keep what the command was asked to show, for the last line."""
        self.answers.update(what)

    def answer_each(
        self, name: str, values: Iterable[Value], of: Callable[[Value], object]
    ) -> Iterator[Value]:
        """Keep what `of` tells of each value, and pass the values on.

        It is kept as text: of a hundred thousand that takes far less room.
        """
        kept = self._long.setdefault(name, [])
        for each in values:
            kept.append(self._written(of(each)))
            yield each

    def end(self, error: Mapping[str, Any] | None) -> None:
        """Write the last line: how the command ended, and what it shows."""
        ok = error is None
        about = {name: text or None for name, text in self._about.items()}
        what = {**about, 'ok': ok, 'error': error, **self.answers}
        texts = [self._event('ended', what)[:-1]]
        texts += [f'"{name}":[{",".join(each)}]' for name, each in self._long.items()]
        self._write(f'{",".join(texts)}}}')

    def _fit(self, value: object, depth: int = 0) -> Any:
        """Give a value as JSON has it, its texts without secrets."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int(value) if abs(value) <= LARGEST else str(value)
        if isinstance(value, float):
            is_number = value == value and abs(value) != float('inf')
            return float(value) if is_number else str(value)
        if isinstance(value, datetime):
            return _moment(value)
        if depth < DEEPEST and isinstance(value, Mapping):
            return {
                self._text(key): self._fit(each, depth + 1)
                for key, each in value.items()
            }
        if depth < DEEPEST and isinstance(value, (list, tuple)):
            return [self._fit(each, depth + 1) for each in value]
        return self._text(value)

    def _text(self, value: object) -> str:
        text = text_of(value)
        if ':' in text or any(each in text for each in self._spellings):
            text = redacted(text, self._secrets)
        if text.isascii():
            return text
        # Some readers refuse half of a surrogate pair.
        return text.encode('utf-8', 'backslashreplace').decode()


class Answers(Lines):
    """Keeps what a command was asked to show of one of many databases.

    Invariant: it writes no line; whoever gathers the databases does.
    """

    wants_events = False

    def __init__(self) -> None:
        super().__init__(lambda line: None, '')

    def event(self, event: str, **what: Any) -> None:
        """Write nothing."""

    def answer_each(
        self, name: str, values: Iterable[Value], of: Callable[[Value], object]
    ) -> Iterator[Value]:
        """Keep what `of` tells of each value as it is, and pass the values on."""
        kept = self.answers.setdefault(name, [])
        for each in values:
            kept.append(of(each))
            yield each


#: The lines of the command that is carried out in this context; none where it was not
#: asked for in JSON.
LINES: ContextVar[Lines | None] = ContextVar('LINES', default=None)


@contextmanager
def told_in(lines: Lines) -> Iterator[None]:
    """Have what happens in the block told in lines of JSON, too."""
    token = LINES.set(lines)
    try:
        with counted_by(lines.counted):
            yield
    finally:
        LINES.reset(token)


def gather_answers() -> Answers | None:
    """Have this context write no more lines of JSON, and keep its answers instead.

    Gives what keeps them, for the one who writes the lines; `None` if JSON was not
    asked for.
    """
    answers = None if LINES.get() is None else Answers()
    LINES.set(answers)
    count_no_more()
    return answers


def _moment(when: datetime) -> str:
    """Give a time, in UTC where it has no zone, as `2026-11-22T09:30:00.123Z`."""
    if when.tzinfo is not None:
        when = when.astimezone(timezone.utc).replace(tzinfo=None)
    return f'{when.isoformat(timespec="milliseconds")}Z'
