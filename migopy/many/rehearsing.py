"""`rehearse` of many databases, one after the other, with a line for what is well.

While a migration is rehearsed, threads of unknown origin may write to no other
database. With two rehearsals at a time nobody could tell to which one a thread belongs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from migopy.commands import Command, Option, Part, Spelling
from migopy.errors import MigopyException, enumerated
from migopy.face import WrongOptions
from migopy.many.selecting import ONE_BY_ONE, Selection
from migopy.rehearsal import Rehearsed
from migopy.server import Settings
from migopy.tell import RehearsalTeller


class SampleOfWhat(MigopyException):
    """A sample was asked for without a choice of databases; `sample` is its size."""

    def __init__(self, values: Sequence[str], selection: Selection) -> None:
        self.sample = selection.options['sample']
        typed = {**selection.typed, 'all': 'yes'}
        super().__init__(
            'For rehearse, ',
            Option('sample', self.sample),
            ' means so many documents of each collection, not so many databases;'
            ' nothing was done.\nFor one (or a pattern of several): ',
            Command('rehearse', *values, **selection.kept, only='NAME'),
            f'\nFor all{" but these" if "except" in typed else ""}: ',
            Command('rehearse', *values, **typed),
        )


class OfOne(MigopyException):
    """An option for one database was given for many; `option` is its name."""

    def __init__(
        self, option: str, reason: str, values: Sequence[str], selection: Selection
    ) -> None:
        self.option = option
        again = Command('rehearse', *values, **selection.kept, only='NAME')
        said: list[Part] = [Option(option), f' {reason}; nothing was done.\nType: ']
        super().__init__(*said, again)


def require_for_many(values: Sequence[str], selection: Selection) -> None:
    """Refuse options that are for one database, and a sample that may be misread.

    Raises `OfOne`, `SampleOfWhat`, `WrongOptions`.
    """
    options = selection.options
    if selection.workers > ONE_BY_ONE:
        reason = ': rehearsals come one after the other; nothing was done'
        said = Option('workers', selection.typed['workers']), reason
        again = {**selection.typed, 'workers': str(ONE_BY_ONE)}
        raise WrongOptions('rehearse', *said, Command('rehearse', *values, **again))
    if 'from' in options:
        raise OfOne('from', 'names a dump, which is of one database', values, selection)
    # The URI may have a password in it, so it is not shown.
    if 'on' in options and Settings(uri=options['on']).database_name:
        raise OfOne('on', 'names one database to copy to', values, selection)
    if 'sample' in options and not selection.is_said:
        raise SampleOfWhat(values, selection)


class Keeping(Protocol):
    """What keeps the messages about one of many databases."""

    speaker: Any
    database: str
    notes: Any
    runs: list[tuple[str, str, str]]

    def warned(self, *said: Part) -> None:
        """Keep a warning, which is said once where it is true of several."""


class InLines:
    """A logger of a loop's lines, each with the database's name before it.

    Invariant: no bar is shown for the loop, as there is one for all databases.
    """

    is_quiet = True

    def __init__(self, named: Any) -> None:
        """Take what puts the name before a line."""
        self._named = named

    def white(self, message: object) -> None:
        """Say a message."""
        self._named.white(message)

    white_bold = red = green = white


class QuietTeller(RehearsalTeller):
    """Keeps what a rehearsal of one of many databases has found.

    Invariant: it keeps one line about a migration that is well, and all about others.
    """

    def __init__(self, kept: Keeping, spelling: Spelling) -> None:
        super().__init__(kept.notes, spelling, kept.database)
        self._kept = kept
        self._speaker = InLines(kept.speaker)

    @property
    def speaker(self) -> Any:
        """Give what writes the lines of a migration's own loops, at once."""
        return self._speaker

    def warned(self, *said: Part) -> None:
        """Keep a warning."""
        self._kept.warned(*said)

    def copying(self, names: Sequence[str], origin: str, where: str) -> None:
        """Hear that the database is copied."""

    def beginning(self, doing: str, name: str, place: int, count: int) -> None:
        """Hear what is about to run."""

    def rehearsed(self, found: Rehearsed) -> None:
        """Keep what came of a migration."""
        if found.is_well:
            changes = found.stages[0].effects.describe(self._kept.database)
            self._kept.runs.append((found.name, 'rehearsed', changes))
        if not found.is_well or found.after_down or found.after_up:
            super().rehearsed(found)
            return
        for text in self.limits(found):
            self._kept.warned(f'{found.name}: {text}')

    def nothing_to_rehearse(self) -> None:
        """Hear that nothing would run, which the number of such databases tells."""

    def over(self, found: Sequence[Rehearsed], not_run: Sequence[str]) -> None:
        """Keep which were not rehearsed, and the answer for a machine."""
        if not_run:
            self._kept.notes.white(f'Not rehearsed: {enumerated(not_run)}')
        self.answer(found, not_run)
