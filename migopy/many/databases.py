"""Which databases a command is for, where one set of migrations is for many."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from migopy.commands import Command, Option, Spelling, Usage, Where, Word
from migopy.errors import NAMES_SHOWN, MigopyException, some_of
from migopy.face import OF_DATABASE
from migopy.many.patterns import (
    FAILED_ONES,
    matcher,
    only_name,
    typed_only,
    untypable,
    words_of,
)

#: MongoDB's own databases, which no pattern takes.
SYSTEM = frozenset({'admin', 'config', 'local'})

#: Databases that are named in a command that is offered.
MOST_NAMED = 20

#: The characters of most databases' names; other names are shown in quotes.
PLAIN_NAME = re.compile(r'[\w-]+(?:@[\w.:,-]+)?', re.ASCII)


class NoDatabases(MigopyException):
    """No database is named, or a pattern fits none; `source` is what names them."""

    def __init__(self, what: str, source: str) -> None:
        super().__init__(
            f'{what}, so nothing was done.\nCorrect {source} ',
            Where(('MONGO_DATABASES',)),
            ', then type: ',
            Command(),
        )


class NoSuchDatabase(MigopyException):
    """`only=`, `except=` or `canary=` fits no database; `word` is what was typed.

    `several` are the names in it, if something else than a space stands between them.
    """

    def __init__(
        self, option: str, word: str, names: Sequence[str], several: Sequence[str]
    ) -> None:
        self.word = word
        # If there are very many, only those that are spelled much like it.
        like = get_close_matches(word, names, n=3) if len(names) > NAMES_SHOWN else []
        there_are = some_of([shown(typed_only(name)) for name in like or names])
        apart = (
            f'Type spaces between several, in quotes: {" ".join(several)!r}'
            if several
            else f'{"Spelled much like it" if like else "There are"}: {there_are}'
        )
        super().__init__(
            Option(option, word),
            f' fits none of the databases, so nothing was done.\n{apart}\n'
            'To see how they are, type: ',
            Command(),
        )


class NoneLeft(MigopyException):
    """`except=` leaves out all databases that were meant; `word` is what was typed."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(
            Option('except', word),
            ' leaves no database, so nothing was done.\n'
            'To see which ones there are, type: ',
            Command(),
        )


def narrowed_to(command: Command, only: str) -> Command:
    """Give a command for the databases of `only=` alone, if it is about any."""
    name = command.name or 'show_status'
    if name not in OF_DATABASE or 'only' in command.options:
        return command
    return Command(name, *command.values, **{**command.options, 'only': only})


class SpellingForOne(NamedTuple):
    """How commands are typed that are for some of many databases only.

    Invariant: a command as it spells it is carried out for no other database.
    """

    spelling: Spelling
    only: str

    def command(self, command: Command) -> str:
        """Spell a command so that it can be typed as it stands."""
        return self.spelling.command(self.meant(command))

    def meant(self, command: Command) -> Command:
        """Give a command as it is meant here."""
        return narrowed_to(command, self.only)

    def usage(self, usage: Usage) -> str:
        """Show how a command may be typed."""
        return self.spelling.usage(usage)

    def option(self, option: Option) -> str:
        """Spell an option by itself."""
        return self.spelling.option(option)

    def word(self, word: Word) -> str:
        """Spell the name of a command by itself."""
        return self.spelling.word(word)

    def where(self, where: Where) -> str:
        """Say where settings are to be set or corrected."""
        return self.spelling.where(where)


class Database(NamedTuple):
    """One of many databases.

    Invariant: `title` is unique among them: the name, with the server if several have
    that name. `settings` are those of the manager that hold for this database only.
    `found` is whether a pattern has found it on the server.
    """

    name: str
    title: str
    settings: Mapping[str, Any] = {}
    found: bool = False

    @property
    def only(self) -> str:
        """Give what to type behind `only=` for this database only."""
        return typed_only(self.title)

    def spelling(self, spelling: Spelling) -> Spelling:
        """Give how commands are spelled that are for this database only."""
        return SpellingForOne(spelling, self.only)


class Wanted(NamedTuple):
    """Which of the databases a command is for, as it was typed."""

    only: str | None = None
    but: str | None = None
    sample: int | None = None

    @property
    def is_all(self) -> bool:
        """Tell whether all are wanted, or all of those whose last run failed."""
        return self.only in (None, FAILED_ONES) and (self.but, self.sample) == (
            None,
            None,
        )

    @property
    def asks_for_failed(self) -> bool:
        """Tell whether only those are wanted whose last run failed."""
        return self.only == FAILED_ONES

    @property
    def is_one(self) -> bool:
        """Tell whether one database was named, and no pattern of several."""
        only = self.only or ''
        is_word = bool(only) and ' ' not in only
        return is_word and not self.asks_for_failed and only_name(only) is not None

    def of(self, databases: Sequence[Database]) -> list[Database]:
        """Select from databases by their names, in their order.

        Raises `NoSuchDatabase`, and `NoneLeft` where all were left out.
        """
        chosen = list(databases)
        if self.only is not None and not self.asks_for_failed:
            chosen = fitting('only', self.only, databases)
        if self.but is not None:
            left_out = {each.title for each in fitting('except', self.but, databases)}
            chosen = [each for each in chosen if each.title not in left_out]
        if not chosen and self.but is not None:
            raise NoneLeft(self.but)
        return chosen

    def drawn(self, chosen: Sequence[Database]) -> list[Database]:
        """Draw as many as the sample is to have, by lot, in their order."""
        if self.sample is None or self.sample >= len(chosen):
            return list(chosen)
        places = sorted(random.sample(range(len(chosen)), self.sample))
        return [chosen[place] for place in places]


def fitting(option: str, words: str, databases: Sequence[Database]) -> list[Database]:
    """Select the databases that one of the words fits: names or patterns.

    Spaces stand between words. Raises `NoSuchDatabase` for the first that fits none.
    """
    taken: set[str] = set()
    for word in words_of(words):
        titles = _titles(word, databases)
        if not titles:
            names = [each.title for each in databases]
            raise NoSuchDatabase(option, word, names, _apart(words, databases))
        taken.update(titles)
    return [each for each in databases if each.title in taken]


def _apart(words: str, databases: Sequence[Database]) -> list[str]:
    """Split words at what else may stand between them, if that makes them fit."""
    parts = [part for part in re.split(r'[,;\s]+', untypable(words)) if part]
    is_new = parts != words_of(words)
    return parts if is_new and all(_titles(one, databases) for one in parts) else []


def _titles(word: str, databases: Sequence[Database]) -> list[str]:
    """List the titles of the databases that a word fits, or their names."""
    fits, only = matcher(word), only_name(word)
    # Another one's name may look like the title of this one.
    exact = [each.title for each in databases if each.title == only]
    return exact or [
        each.title for each in databases if fits(each.title) or fits(each.name)
    ]


def found_by(pattern: str, names: Iterable[str]) -> list[str]:
    """Select the names that a pattern fits, never MongoDB's own databases."""
    fits = matcher(pattern)
    return sorted(name for name in names if name not in SYSTEM and fits(name))


def titled(
    databases: Iterable[tuple[str, str, Mapping[str, Any], bool]],
) -> list[Database]:
    """Make the databases, each with a title of its own; doubles are taken once.

    Takes of each the name, where its server is, its settings, and whether it was found
    there.
    """
    several = {
        (name, place_of(where)): (own, found) for name, where, own, found in databases
    }
    count = Counter(name for name, _ in several)
    whole = {each: '@'.join(each) for each in several}
    # A name may look like one with a server.
    taken = set(whole.values())
    return [
        Database(
            each[0],
            each[0] if count[each[0]] == 1 and each[0] not in taken else whole[each],
            own,
            found,
        )
        for each, (own, found) in several.items()
    ]


def place_of(where: str) -> str:
    """Give a server's address in one form, whether it was a URI or host and port."""
    hosts = where.removeprefix('mongodb://')
    if '://' in hosts:
        return hosts
    return ','.join(
        host if ':' in host else f'{host}:27017' for host in hosts.split(',')
    )


def shown(title: str) -> str:
    """Show a database's name, quoted where it has odd characters."""
    return title if PLAIN_NAME.fullmatch(title) else repr(title)
