"""The question before a grave command: what it would do, in which databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from migopy.commands import Command
from migopy.errors import MOST, MigopyException, some_of
from migopy.face import Asking, is_yes
from migopy.many.databases import Database, shown
from migopy.many.fleet import Fleet
from migopy.many.members import Member
from migopy.many.one_database import Agreed
from migopy.many.outcomes import Outcome
from migopy.many.selecting import Selection
from migopy.scope import says_yes
from migopy.texts import counted

#: How the question begins, where it can say which migrations are meant.
DOING = {'rollback': 'Roll back', 'ignore': 'Mark as applied without running'}


def ask(
    fleet: Fleet,
    databases: Sequence[Database],
    where: str,
    asked: Command,
    selection: Selection,
    is_ours: bool,
) -> Agreed | None:
    """Ask a person once for all databases; raises `NotWanted`, and what a look does.

    `where` are their servers. The databases are looked into first, unless the command
    is one that the fabfile has written; where nobody holds a lock, there is nothing to
    ask. Returns what the person has agreed to, where that is about migrations.
    """
    names = some_of([shown(each.title) for each in databases])
    about = f'{len(databases):,} databases on {where}: {names}'
    asking = Asking(about, says_yes(selection.options, 'yes'))
    if not asking.will_ask:
        return None
    agreed = None
    lines = [f'Go on with {asked.name}']
    if is_ours and asked.name in DOING:
        agreed = Agreed(asked, selection.options, {})
        concerned = _concerned(fleet, databases, agreed, selection)
        if concerned:
            lines.insert(0, f'{DOING[asked.name]}: {concerned}')
    if is_ours and asked.name == 'undo':
        name = selection.options['forget']
        lines.insert(0, f'Delete the images of {name}, which are not made again')
    if is_ours and asked.name == 'unlock':
        held = _held(fleet, databases, selection)
        if not held:
            return None
        lines = [*held, *lines]
    asking.require('\n'.join(lines))
    return agreed


def _held(
    fleet: Fleet, databases: Sequence[Database], selection: Selection
) -> list[str]:
    """Say where a lock is held, and by whom, a line each."""
    from migopy.operations import unlocking

    worker = selection.options.get('worker', 'no')
    of_worker = is_yes(worker, 'unlock', 'worker')

    def look(member: Member, outcome: Outcome, waits: bool) -> Outcome:
        who = unlocking.who_holds(member.site, of_worker)
        return replace(outcome, concerned=[who] if who else [])

    held = [
        f'The lock in {shown(each.database.title)} is held by {who}'
        for each in fleet.looks(databases, look)
        for who in each.concerned
    ]
    more = len(held) - MOST
    return [*held[:MOST], *([f'and {more:,} more'] if more > 0 else [])]


def _concerned(
    fleet: Fleet, databases: Sequence[Database], agreed: Agreed, selection: Selection
) -> str:
    """Say which migrations a command would take, each with how many databases.

    They are noted in `agreed`.
    """

    def look(member: Member, outcome: Outcome, waits: bool) -> Outcome:
        return replace(outcome, concerned=agreed.look(member))

    try:
        looks = fleet.looks(databases, look)
    except MigopyException as error:
        error.change_commands(selection.narrow)
        raise
    for each in looks:
        if not each.is_failure:
            agreed.names[each.database.title] = each.concerned
    counts = Counter(name for each in looks for name in each.concerned)
    return some_of(
        [f'{name} in {counted(count, "database")}' for name, count in counts.items()]
    )
