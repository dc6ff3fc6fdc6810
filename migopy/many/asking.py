"""The question before a grave command: what it would do, in which databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from migopy.commands import Command
from migopy.errors import MOST, MigopyException, some_of
from migopy.face import Agreed, Asking, is_yes
from migopy.many.agreeing import DOING, about_in
from migopy.many.databases import Database, shown
from migopy.many.fleet import Fleet
from migopy.many.members import Member
from migopy.many.outcomes import Outcome, Turn
from migopy.many.selecting import Selection
from migopy.scope import says_yes
from migopy.texts import counted


def ask(
    fleet: Fleet,
    databases: Sequence[Database],
    where: str,
    asked: Command,
    selection: Selection,
    is_ours: bool,
) -> Mapping[str, Agreed]:
    """Ask a person once for all databases; give what was agreed to, by their titles.

    `where` are their servers. The databases are looked into first, unless the command
    is one that the fabfile has written: of that nothing is known. Where nothing is to
    be done, there is nothing to ask. Raises `NotWanted`, and what a look does.
    """
    names = some_of([shown(each.title) for each in databases])
    about = f'{len(databases):,} databases on {where}: {names}'
    asking = Asking(about, says_yes(selection.options, 'yes'))
    if not asking.will_ask:
        return {}
    looks: Sequence[Outcome] = []
    lines = []
    if is_ours and asked.name in DOING:
        looks = _looks(fleet, databases, asked, selection)
        concerned = _counted(looks)
        lines = [f'{DOING[asked.name]}: {concerned}'] if concerned else []
    if is_ours and asked.name == 'undo':
        name = selection.options['forget']
        lines = [f'Delete the images of {name}, which are not made again']
    if is_ours and asked.name == 'unlock':
        looks = _looks_at_locks(fleet, databases, selection)
        lines = _held(looks)
    if lines or not looks:
        asking.require('\n'.join([*lines, f'Go on with {asked.name}']))
    return {each.database.title: Agreed(each.concerned) for each in looks}


def _looks_at_locks(
    fleet: Fleet, databases: Sequence[Database], selection: Selection
) -> Sequence[Outcome]:
    """Look who holds a lock in each database."""
    from migopy.operations import unlocking

    worker = selection.options.get('worker', 'no')
    of_worker = is_yes(worker, 'unlock', 'worker')

    def look(member: Member, outcome: Outcome, earlier: Turn) -> Outcome:
        held_by = unlocking.who_holds(member.site, of_worker)
        return replace(outcome, concerned=held_by[:1], remark=held_by[1])

    return fleet.looks(databases, look)


def _held(looks: Sequence[Outcome]) -> list[str]:
    """Say where a lock is held, and by whom, a line each."""
    held = [
        f'The lock in {shown(each.database.title)} is held by {each.remark}'
        for each in looks
        if each.remark
    ]
    more = len(held) - MOST
    return [*held[:MOST], *([f'and {more:,} more'] if more > 0 else [])]


def _looks(
    fleet: Fleet,
    databases: Sequence[Database],
    asked: Command,
    selection: Selection,
) -> Sequence[Outcome]:
    """Look which migrations a command would take in each database."""

    def look(member: Member, outcome: Outcome, earlier: Turn) -> Outcome:
        return replace(outcome, concerned=about_in(member, asked, selection.options))

    try:
        return fleet.looks(databases, look)
    except MigopyException as error:
        error.change_commands(selection.narrow)
        raise


def _counted(looks: Sequence[Outcome]) -> str:
    """Name migrations, each with the number of databases that it is about."""
    counts = Counter(name for each in looks for name in each.concerned)
    return some_of(
        [f'{name} in {counted(count, "database")}' for name, count in counts.items()]
    )
