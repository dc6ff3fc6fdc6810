"""What is said of dumps: which there are, and which one is the way back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from migopy.commands import Command, Part, Spelling, spelled
from migopy.errors import enumerated
from migopy.tell.amounts import age, ago, size
from migopy.tell.voice import Voice
from migopy.terminal import table

if TYPE_CHECKING:
    from migopy.dumps import Dump
    from migopy.run import Plan


class KeptDumps(NamedTuple):
    """The dumps of a database, the oldest first, and the one to go back to, if any.

    `empty` are the names of those without documents, but for migopy's own.
    """

    dumps: Sequence[Dump]
    back: Dump | None
    empty: Collection[str] = ()


def tell_dumps(voice: Voice, spelling: Spelling, kept: KeptDumps) -> None:
    """List dumps with size and age, and how to go back to one of them."""
    dumps, back, empty = kept
    if back is None:
        said = 'There are no dumps. To make one: ', Command('dbdump')
        return voice.white(spelled(said, spelling))
    titles = ['Dump', 'Size', 'Age']
    rows = [[dump.name, size(dump.size), age(dump)] for dump in dumps]
    if empty:
        titles.append('Holds')
        for dump, row in zip(dumps, rows):
            row.append('no documents' if dump.name in empty else 'documents')
    if any(dump.unfinished for dump in dumps):
        titles.append('Made while unfinished')
        for dump, row in zip(dumps, rows):
            row.append(enumerated(names_of_unfinished(dump)))
    voice.white(table(titles, rows))
    said = 'To go back to one: ', Command('dbrestore', back.name)
    return voice.white(spelled(said, spelling))


def tell_back(voice: Voice, spelling: Spelling, plan: Plan, dump: Dump) -> None:
    """Name the dump from before what is unfinished, or from before all was gone."""
    if plan.to_settle:
        return tell_way_back(voice, spelling, dump, is_of_earlier=True)
    said = (
        f'Nothing is registered in {dump.database}, and there is a dump of it with'
        f' documents ({size(dump.size)}, {ago(dump)}). If the database was dropped or'
        ' emptied, execute nothing, but go back to that:\n  ',
        Command('dbrestore', dump.name),
    )
    return voice.white(spelled(said, spelling))


def tell_way_back(
    voice: Voice, spelling: Spelling, dump: Dump, is_of_earlier: bool
) -> None:
    """Name the dump from before a run, or from before the first attempt of it."""
    voice.white(spelled(going_back(dump, is_of_earlier), spelling))


def going_back(dump: Dump, is_of_earlier: bool = True) -> list[Part]:
    """Say how to go back to a dump, from before a run or the first attempt of it."""
    when = 'this run'
    if is_of_earlier:
        when = f'the first attempt, {ago(dump).partition(" ")[2]}'
    return [
        f'The dump {dump.name} was made before {when}. To go back to it:\n  ',
        Command('dbrestore', dump.name),
    ]


def names_of_unfinished(dump: Dump) -> list[str]:
    """List the names of what was half done when a dump was made."""
    return sorted(set(dump.unfinished.values()))
