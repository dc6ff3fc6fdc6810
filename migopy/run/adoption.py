"""Match the records of another tool to the files here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from migopy.files import Migration
from migopy.run.plan import Plan
from migopy.state import ROLLED_BACK, ForeignRecord, ForeignRegistry, History
from migopy.texts import whole_number

#: Endings of files in the languages that tools are written for.
ENDINGS = (
    *('.py', '.js', '.cjs', '.mjs', '.ts', '.cts', '.mts', '.json', '.java', '.kt'),
    *('.go', '.php', '.rb', '.cs'),
)

#: Digits from which on a number is a time.
TIME_DIGITS = 8

#: Digits of a date, the day alone: several migrations may be of it.
DAY_DIGITS = 8

#: How a file was found whose time is the record's.
TIMESTAMP = 'timestamp'

#: The beginning of a name in its plain form: its numbers.
NUMBERS = re.compile(r'\d+(?:_\d+)*(?=_|$)')


class Match(NamedTuple):
    """A record of another tool, and the file that it belongs to.

    Invariant: no file is matched twice, and `how` says by what it was found. A record
    without a file, or one that counts as not applied, is not to be registered. Where
    it belongs to no file, `fitting` are the names that it fits: several, or one that
    other records fit as well.
    """

    record: ForeignRecord
    migration: Migration | None = None
    how: str = ''
    #: Whether migopy has it registered already.
    is_registered: bool = False
    #: Whether migopy has rolled it back since; of that the other tool knows nothing.
    is_rolled_back: bool = False
    fitting: Sequence[str] = ()

    @property
    def is_to_register(self) -> bool:
        """Tell whether it is to be registered."""
        found = self.migration is not None and not self.record.not_applied
        return found and not (self.is_registered or self.is_rolled_back)


class Adoption(NamedTuple):
    """The records of a tool against the files here.

    `without_record` are the files that no record is of, in the order in which they run.
    """

    registry: ForeignRegistry
    matches: Sequence[Match]
    without_record: Sequence[Migration]

    @property
    def to_register(self) -> list[Match]:
        """List what is to be registered, in the order in which it would run."""
        found = [each for each in self.matches if each.is_to_register]
        return sorted(found, key=_place)


def adoption_of(
    registry: ForeignRegistry, plan: Plan, rolled_back: Mapping[str, datetime]
) -> Adoption:
    """Find the file that each record of a tool is of.

    The whole name is compared first, then a name or an id in the file, the number or
    the time that the name begins with, and its words; a match counts only where it is
    of one file and one record alone. `rolled_back` tells when migopy has rolled back
    which migration.
    """
    files = list(plan.migrations)
    found: dict[int, tuple[Migration, str]] = {}
    single = [each for each in registry.records if each.up_to is None]
    doubtful: dict[int, Sequence[str]] = {}
    for rule in RULES:
        left = [each for each in single if id(each) not in found]
        taken = {migration.name for migration, _ in found.values()}
        free = [each for each in files if each.name not in taken]
        fitting = _fitting(rule, left, free)
        for record, migration, how in _alone(fitting):
            found[id(record)] = migration, how
        for record, those in fitting:
            doubtful.setdefault(id(record), list(those))
    matches: list[Match] = []
    for record in registry.records:
        if record.up_to is not None:
            matches += _up_to(record, files)
        else:
            fits = () if id(record) in found else doubtful.get(id(record), ())
            file, how = found.get(id(record), (None, ''))
            matches.append(Match(record, file, how, fitting=fits))
    matches = [
        each._replace(
            is_registered=_name(each) in plan.registered,
            is_rolled_back=is_before(each.record, rolled_back.get(_name(each))),
        )
        for each in matches
    ]
    names = {_name(each) for each in matches if each.migration}
    return Adoption(
        registry, matches, [each for each in files if each.name not in names]
    )


def rolled_back_in(history: History) -> dict[str, datetime]:
    """Tell when migopy rolled back the migrations that nothing was done to since."""
    last = {run.name: run for run in history.each() if run.outcome is not None}
    return {
        name: run.ended
        for name, run in last.items()
        if run.outcome == ROLLED_BACK and run.ended is not None
    }


def is_before(record: ForeignRecord, rolled_back: datetime | None) -> bool:
    """Tell whether the other tool applied it before migopy rolled it back."""
    at = record.at
    return rolled_back is not None and (at is None or at < rolled_back)


def _place(match: Match) -> tuple[int, str]:
    return (match.migration.number if match.migration else 0, _name(match))


def _name(match: Match) -> str:
    return match.migration.name if match.migration else ''


def _up_to(record: ForeignRecord, files: Sequence[Migration]) -> list[Match]:
    last = record.up_to or 0
    fitting = [each for each in files if each.number <= last]
    if not fitting:
        return [Match(record)]
    return [Match(record, each, _kind(str(each.number))) for each in fitting]


class Rule(NamedTuple):
    """A rule by which a record may be matched to a file.

    Both give keys, of which `''` fits nothing; a record and a file that share a key
    are one migration, if `may_be_one` does not say otherwise.
    """

    key_of_name: Callable[[str], str]
    keys_of_file: Callable[[Migration], Sequence[str]]
    #: What the key is, for a person who reads how a file was found.
    kind_of_key: Callable[[str], str]
    may_be_one: Callable[[ForeignRecord, Migration], bool]


#: A record and the files that it fits by a rule: each one's name, and by what.
Fitting = tuple[ForeignRecord, dict[str, tuple[Migration, str]]]


def _alone(
    fitting: Sequence[Fitting],
) -> Iterator[tuple[ForeignRecord, Migration, str]]:
    """Give the pairs in which the record fits one file, and the file one record."""
    pairs = [
        (record, *found)
        for record, those in fitting
        if len(those) == 1
        for found in those.values()
    ]
    times = [migration.name for _, migration, _ in pairs]
    yield from (pair for pair in pairs if times.count(pair[1].name) == 1)


def _fitting(
    rule: Rule, records: Sequence[ForeignRecord], files: Sequence[Migration]
) -> list[Fitting]:
    """Give the records that fit files by a rule, each with all that it fits."""
    by_key: dict[str, list[Migration]] = {}
    for migration in files:
        for key in dict.fromkeys(rule.keys_of_file(migration)):
            by_key.setdefault(key, []).append(migration)
    found = []
    for record in records:
        keys = dict.fromkeys(filter(None, map(rule.key_of_name, record.names)))
        fitting = {
            each.name: (each, rule.kind_of_key(key))
            for key in keys
            for each in by_key.get(key, ())
            if rule.may_be_one(record, each)
        }
        if fitting:
            found.append((record, fitting))
    return found


def plain(name: str) -> str:
    """Give a name in its plain form: `2020_07_add_x` for `2020-07-AddX.js`."""
    bare = os.path.basename(name.replace('\\', '/'))
    stem, ending = os.path.splitext(bare)
    if ending.lower() not in ENDINGS:
        stem = bare
    stem = re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', stem)
    return re.sub(r'[^a-z0-9]+', '_', stem.lower()).strip('_')


def _numbers(name: str) -> str:
    """Give the number that a name begins with; the digits of its parts are joined.

    Classes of mongo-migrate-ts end with a time: `AddX1595592000000`.
    """
    form = plain(name)
    match = NUMBERS.match(form)
    if match:
        number = whole_number(match[0].replace('_', ''))
        return '' if number is None else str(number)
    behind = re.search(r'(?<!\d)\d{13}$', form)
    return behind[0] if behind else ''


def _words(name: str) -> str:
    """Give the words of a name without its numbers; `''` for a single letter."""
    form = plain(name)
    match = NUMBERS.match(form)
    words = re.sub(r'\d{13}$', '', form[match.end() :] if match else form).strip('_')
    return words if len(words) > 1 else ''


def _as_it_is(name: str) -> str:
    return name


def _inside(migration: Migration) -> list[str]:
    """Give what a file calls itself: pymongo-migrate's name, mongomig's revision."""
    given = [migration.text_in(variable) for variable in ('name', 'revision')]
    return [text for text in given if text]


def _kind(number: str) -> str:
    """Say what a number in a name is."""
    return TIMESTAMP if len(number) >= TIME_DIGITS else 'number'


def _always(record: ForeignRecord, migration: Migration) -> bool:
    return True


def _not_of_two_times(record: ForeignRecord, migration: Migration) -> bool:
    """Tell whether no two different times show that they are two migrations."""
    times = {
        number
        for name in (record.names[0], migration.name)
        if len(number := _numbers(name)) >= TIME_DIGITS
    }
    return len(times) < 2


def _not_of_one_day_alone(record: ForeignRecord, migration: Migration) -> bool:
    """Tell whether they share more than the day, where that is all of the number."""
    if len(_numbers(migration.name)) != DAY_DIGITS:
        return True
    return not all(_words(name) for name in (record.names[0], migration.name))


#: In the order in which they are tried.
RULES: tuple[Rule, ...] = (
    Rule(plain, lambda each: [plain(each.name)], lambda key: 'name', _always),
    Rule(_as_it_is, _inside, lambda key: 'name in it', _always),
    Rule(
        _numbers,
        lambda each: [str(each.number), _numbers(each.name)],
        _kind,
        _not_of_one_day_alone,
    ),
    Rule(
        _words, lambda each: [_words(each.name)], lambda key: 'words', _not_of_two_times
    ),
)
