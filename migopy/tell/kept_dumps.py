"""What is said of dumps: which there are, and which one is the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from migopy.commands import Command, Part, Spelling, spelled
from migopy.errors import enumerated
from migopy.tell.amounts import age, ago, size
from migopy.tell.voice import Voice
from migopy.terminal import table

if TYPE_CHECKING:
    from migopy.dumps import Dump


def tell_dumps(
    voice: Voice, spelling: Spelling, dumps: Sequence[Dump], back: Dump | None
) -> None:
    """List dumps with size and age, and how to go back to one of them."""
    if back is None:
        said = 'There are no dumps. To make one: ', Command('dbdump')
        return voice.white(spelled(said, spelling))
    titles = ['Dump', 'Size', 'Age']
    rows = [[dump.name, size(dump.size), age(dump)] for dump in dumps]
    if any(dump.unfinished for dump in dumps):
        titles.append('Made while unfinished')
        for dump, row in zip(dumps, rows):
            row.append(enumerated(names_of_unfinished(dump)))
    voice.white(table(titles, rows))
    said = 'To go back to one: ', Command('dbrestore', back.name)
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
