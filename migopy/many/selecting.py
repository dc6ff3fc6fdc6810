"""The options that say for which of many databases a command is, and how many at once.

If a manager has one database, no command takes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from migopy.commands import Command, Part, Word
from migopy.errors import MigopyException
from migopy.face import OF_DATABASE, OF_MANY, is_yes, number
from migopy.many.databases import MOST_NAMED, Wanted
from migopy.many.patterns import typable, typed_only

#: The options that say for which databases a command is, and how to go through them.
OPTIONS = frozenset({each.name.rstrip('_') for each in OF_MANY})

#: Those of them that say for which databases it is.
WHICH = frozenset({'only', 'except', 'sample', 'canary', 'all'})

#: Those of them that are names or patterns.
WORDS = ('only', 'except', 'canary')

#: Databases at a time, if nothing else is said.
WORKERS = 4

#: Commands that nobody should give to a thousand databases by habit.
GRAVE = frozenset({'dbrestore', 'rollback', 'unlock'})

#: Commands that ask once for all databases, before the first one.
ASKING = GRAVE | {'ignore'}

#: Commands that do nothing where there is no need of them, in whatever databases they
#: are typed.
DONE_WHERE_NEEDED = frozenset({'rename'})

#: The commands that go through the databases one by one.
ONE_BY_ONE = 1
WORKERS_OF = {'rehearse': ONE_BY_ONE}

#: Options that a command has for itself, with a meaning of its own.
OWN = {'rehearse': frozenset({'sample'})}


class SayWhich(MigopyException):
    """A grave command was typed without saying for which of many databases."""

    def __init__(self, command: str, values: Sequence[str], selection: Selection):
        typed = {**selection.typed, 'all': 'yes'}
        super().__init__(
            Word(command),
            ' wants to know for which databases; nothing was done.\n'
            'For one (or a pattern of several): ',
            Command(command, *values, **selection.kept, only='NAME'),
            f'\nFor all{" but these" if "except" in typed else ""}: ',
            Command(command, *values, **typed),
        )


class SayWhatToUndo(MigopyException):
    """A rollback in many databases does not say what is to be undone."""

    def __init__(self, selection: Selection) -> None:
        super().__init__(
            'rollback needs the name of a migration; nothing was done.\n'
            'To see what was executed in each database, type: ',
            selection.narrow(Command('history')),
        )


class Selection(NamedTuple):
    """For which of many databases a command is, and how they are done.

    Invariant: `options` are those that are left for the command itself, `typed` all;
    `asked` is the command with its values and `options`.
    """

    wanted: Wanted
    canary: str | None
    workers: int
    fail_fast: bool
    all: bool
    options: Mapping[str, str]
    typed: Mapping[str, str]
    asked: Command | None = None

    @classmethod
    def of(cls, command: str, options: Mapping[str, str]) -> Selection:
        """Read the options that were typed; raises `WrongOptions`."""
        # A parameter, of a face that takes flags, cannot be called `except`.
        options = {_plain(name): text for name, text in options.items()}
        for name in options.keys() & set(WORDS):
            if isinstance(options[name], str):
                # It is typed again in what is said next.
                options[name] = typable(options[name])
        taken = OPTIONS - OWN.get(command, frozenset())
        sample = options.get('sample') if 'sample' in taken else None
        workers = WORKERS_OF.get(command, WORKERS)
        return cls(
            Wanted(
                options.get('only'),
                options.get('except'),
                None if sample is None else number(sample, command, 'sample'),
            ),
            options.get('canary'),
            number(options.get('workers', workers), command, 'workers'),
            is_yes(options.get('fail_fast', 'no'), command, 'fail_fast'),
            is_yes(options.get('all', 'no'), command, 'all'),
            {name: text for name, text in options.items() if name not in taken},
            options,
        )

    @property
    def kept(self) -> Mapping[str, str]:
        """Give what was typed, without the options that choose databases."""
        return {
            name: text
            for name, text in self.typed.items()
            if name not in WHICH or name in self.options
        }

    def narrow(self, command: Command) -> Command:
        """Give a command for the databases that were meant, if it is about any."""
        name = command.name or 'show_status'
        if name not in OF_DATABASE:
            return command
        wanted = WHICH - {'all'}
        which = {key: text for key, text in self.typed.items() if key in wanted}
        if self.all and command == self.asked:
            which['all'] = 'yes'
        elif name in GRAVE and 'only' not in which:
            # A next step must never undo something in all of them.
            which['only'] = 'NAME'
        if not which:
            return command
        options = {**command.options, **which, **command.options}
        return Command(name, *command.values, **options)

    def narrow_all(self, said: Iterable[Part]) -> list[Part]:
        """Give the parts of a text with its commands for those databases."""
        return [
            self.narrow(each) if isinstance(each, Command) else each for each in said
        ]

    def for_those(
        self, command: Command, titles: Sequence[str], count: int
    ) -> Command | None:
        """Give a command for some of the `count` databases that were meant, or all.

        `None` where those are too many to name.
        """
        # What is drawn by lot, or has failed last, may be others the next time.
        is_sure = self.wanted.sample is None and not self.wanted.asks_for_failed
        if is_sure and len(titles) == count:
            return self.narrow(command)
        if len(titles) > MOST_NAMED:
            return self.narrow(command) if command.name in DONE_WHERE_NEEDED else None
        return command.having(only=' '.join(map(typed_only, titles)))

    def without(self, said: Iterable[Part], titles: Sequence[str]) -> list[Part]:
        """Give the parts of a text with its commands for all but some databases.

        If those are too many to name, each command finds them in its way by itself.
        """
        if len(titles) > MOST_NAMED:
            return list(said)
        but = ' '.join(filter(None, [self.wanted.but, *map(typed_only, titles)]))
        return [
            each.having(**{'except': but}) if isinstance(each, Command) else each
            for each in said
        ]

    def sure(self, command: str) -> Selection:
        """Give the same, with `yes=yes` for a command that was asked about."""
        if command not in ASKING:
            return self
        return self._replace(options={**self.options, 'yes': 'yes'})

    @property
    def is_said(self) -> bool:
        """Tell whether somebody has said which databases are meant, or all."""
        return self.all or self.wanted.only is not None


def _plain(name: str) -> str:
    return 'except' if name == 'except_' else name


def needs_name(command: str, values: Sequence[str], selection: Selection) -> bool:
    """Tell whether a rollback does not say what is to be undone."""
    return command == 'rollback' and not (
        values or selection.options.keys() & {'spec_migr', 'last', 'to'}
    )
