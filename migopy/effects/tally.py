"""What was done, as a value: counts by collection, their sums, and texts for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bson import encode

from migopy.texts import counted, one_line, shortened

Document = Mapping[str, Any]

RENAMED_TO = 'renamed to '

#: Characters of the line about effects, which is to fit into a log.
LONGEST_LINE = 1000

#: What the history keeps of one run: collections, and their bytes; phrases of each kind
#: for a collection, and the characters of a name or phrase. A document of MongoDB has
#: at most 16 MB, and the run's document holds more than this.
MOST_ROWS = 1000
MOST_BYTES = 4_000_000
MOST_PHRASES = 100
LONGEST_PHRASE = 500

#: The fields of `Changes` that do not mean that anything has changed.
NO_CHANGE = frozenset({'matched', 'is_written_to'})


@dataclass
class Changes:
    """What was done to one collection, or to a database where a command names none.

    Invariant: a number is what the server said; what it did not say is in `notes`.

    `found` counts the documents that findAndModify found and updated: its reply does
    not tell whether they changed, so they are neither in `matched` nor in `modified`.
    `collection` and `indexes` hold the ends of phrases (`made`; `x_1 dropped`),
    `notes` whole ones (`written by $out (count unknown)`), each of them once.
    `is_written_to` is whether any command was sent to it that could have changed
    documents, even if it changed none; making an index is no such command.
    """

    inserted: int = 0
    matched: int = 0
    modified: int = 0
    found: int = 0
    deleted: int = 0
    collection: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_written_to: bool = False

    @property
    def wrote(self) -> bool:
        """Tell whether anything was, or may have been, written."""
        fields = vars(self).items()
        return any(value for name, value in fields if name not in NO_CHANGE)

    def add(self, other: Changes) -> None:
        """Add what was done to the same collection at another time."""
        self.inserted += other.inserted
        self.matched += other.matched
        self.modified += other.modified
        self.found += other.found
        self.deleted += other.deleted
        add_new(self.collection, other.collection)
        add_new(self.indexes, other.indexes)
        add_new(self.notes, other.notes)
        self.is_written_to |= other.is_written_to

    def note(self, phrase: str) -> None:
        """Note something that has no count."""
        add_new(self.notes, [phrase])

    def doubt(self, phrase: str) -> None:
        """Note something that may have changed documents, or not."""
        self.note(phrase)
        self.is_written_to = True

    def phrases(self) -> list[str]:
        """Say what was done to the documents and the indexes, then the notes."""
        said = []
        if self.inserted:
            said.append(f'{self.inserted:,} inserted')
        if self.matched != self.modified:
            said.append(f'{self.matched:,} matched')
        if self.matched:
            said.append(f'{self.modified:,} updated')
        if self.found:
            said.append(f'{self.found:,} found and updated')
        if self.deleted:
            said.append(f'{self.deleted:,} deleted')
        said += [f'index {phrase}' for phrase in self.indexes]
        return said + self.notes

    def as_document(self) -> dict[str, Any]:
        """Give all values that are not empty; of long lists the first phrases."""
        return {
            key: _shortened(value) if isinstance(value, list) else value
            for key, value in vars(self).items()
            if value and key != 'is_written_to'
        }


#: Changes by namespace: `database.collection`, or `database` alone. Namespaces joined
#: by ` + ` are those of one bulkWrite command, whose reply has one sum for them all.
Tally = dict[str, Changes]


class Effects:
    """What was done, as a value.

    Invariant: its size grows with the collections and indexes that were touched, not
    with the number of commands; what is told and kept of it is bounded.
    """

    def __init__(self, changes: Tally | None = None) -> None:
        self._changes = changes or {}

    @property
    def changes(self) -> Tally:
        """Give the changes by namespace."""
        return self._changes

    @property
    def wrote(self) -> bool:
        """Tell whether anything was, or may have been, written."""
        return any(each.wrote for each in self.changes.values())

    def has_written(self, namespace: str) -> bool:
        """Tell whether what changes documents was sent to a collection, if in vain.

        What defines an index or a validator changes none.
        """
        database = namespace.partition('.')[0]
        return any(
            each.is_written_to and (name == database or namespace in name.split(' + '))
            for name, each in self.changes.items()
        )

    def __add__(self, other: Effects) -> Effects:
        return Effects(sum_of([self.changes, other.changes]))

    def unheard(self) -> list[str]:
        """Say, in clauses, who may have written without being counted."""
        return []

    def describe(self, database: str = '') -> str:
        """Say it in one line of at most `LONGEST_LINE` characters, '' for nothing.

        The collections of `database` come first and without its name, then the
        others, both in the order of the alphabet:
        `cities 31,995 updated, index location_2dsphere made; collection old dropped`.
        What has no place in the line is counted: `; and 3,950 more collections`.
        """
        # Once: a recording counts anew each time that it is asked.
        changes = self.changes
        own = f'{database}.'
        names = sorted(changes, key=lambda name: (not name.startswith(own), name))
        groups = [one_line(described(name, changes[name], own)) for name in names]
        return joined([group for group in groups if group])

    def as_document(self) -> dict[str, Any]:
        """Give it as the history keeps it; names are values there, never keys.

        If there are too many collections for one document of MongoDB, the first ones
        are kept, and the number of the others.
        """
        changes = self.changes
        rows: list[dict[str, Any]] = []
        size = more = 0
        for name in sorted(changes):
            row = changes[name].as_document()
            if not row:
                continue
            row = {'name': shortened(name, LONGEST_PHRASE), **row}
            size += 0 if more else len(encode(row))
            if more or len(rows) == MOST_ROWS or size > MOST_BYTES:
                more += 1
            else:
                rows.append(row)
        document: dict[str, Any] = {'collections': rows}
        if more:
            document['more_collections'] = more
        if unheard := self.unheard():
            document['unheard'] = unheard
        return document

    @classmethod
    def of(cls, document: Document) -> Effects:
        """Read what `as_document` gave; what is of another form is left out."""
        usual = vars(Changes())
        tally: Tally = {}
        rows = document.get('collections')
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, Mapping) and isinstance(name := row.get('name'), str):
                known = {key: row[key] for key in usual.keys() & row.keys()}
                same = [key for key in known if _is_like(known[key], usual[key])]
                tally[name] = Changes(**{key: known[key] for key in same})
        return cls(tally)


def changes_of(tally: Tally, namespace: str) -> Changes:
    """Give the changes of a namespace, adding new ones if there are none."""
    changes = tally.get(namespace)
    if changes is None:
        changes = tally[namespace] = Changes()
    return changes


def add_tally(total: Tally, tally: Tally) -> None:
    """Add a tally to a total; the tally stays as it is."""
    for namespace, changes in tally.items():
        changes_of(total, namespace).add(changes)


def sum_of(tallies: Iterable[Tally]) -> Tally:
    """Add tallies; they stay as they are."""
    total: Tally = {}
    for tally in tallies:
        add_tally(total, tally)
    return total


def add_new(phrases: list[str], more: Iterable[str]) -> None:
    """Append the phrases that are not there yet."""
    known = set(phrases)
    phrases += [phrase for phrase in more if phrase not in known]


def described(namespace: str, changes: Changes, own: str) -> str:
    """Say what was done to one collection; `own` is the prefix to leave out."""
    parts = [
        part[len(own) :] if part.startswith(own) else part
        for part in namespace.split(' + ')
    ]
    name = ' and '.join(map(shown, parts))
    if '.' not in namespace:
        name = f'database {name}'
    said = changes.phrases()
    if changes.collection:
        done = ' and '.join(changes.collection)
        done = done.replace(f'{RENAMED_TO}{own}', RENAMED_TO)
        return ', '.join([f'collection {name} {done}', *said])
    return f'{name} {", ".join(said)}' if said else ''


def shown(name: str) -> str:
    """Give a name as it is, or in quotes if it could be misread."""
    return name if re.fullmatch(r'[\w.$-]+', name) else repr(name)


def joined(groups: list[str]) -> str:
    """Put what was done to collections into one line that is not too long.

    Those that have no place in it are counted.
    """
    line = '; '.join(groups)
    if len(line) <= LONGEST_LINE:
        return line
    space = LONGEST_LINE - len(_and_more(len(groups)))
    kept: list[str] = []
    for group in groups:
        if len(group) + len('; ') > space:
            break
        space -= len(group) + len('; ')
        kept.append(group)
    if not kept:
        kept.append(shortened(groups[0], space - len('; ')))
    rest = len(groups) - len(kept)
    return '; '.join([*kept, _and_more(rest)] if rest else kept)


def _and_more(count: int) -> str:
    return f'and {counted(count, "more collection")}'


def _is_like(value: object, usual: object) -> bool:
    """Tell whether a value can stand where `usual` does: a number, a list of texts."""
    if isinstance(usual, list):
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, type(usual))


def _shortened(phrases: list[str]) -> list[str]:
    kept = [shortened(phrase, LONGEST_PHRASE) for phrase in phrases[:MOST_PHRASES]]
    if len(phrases) > MOST_PHRASES:
        kept.append(f'and {len(phrases) - MOST_PHRASES:,} more')
    return kept
