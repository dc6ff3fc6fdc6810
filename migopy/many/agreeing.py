"""What a command would be about in one of many databases, before its turn there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.face import Agreed, is_own, is_yes
from migopy.many.members import Member
from migopy.operations import order_down, order_up
from migopy.scope import is_trial

#: The commands that are about what is there when they are typed, and how a question
#: begins about what they would do.
DOING = {'rollback': 'Roll back', 'ignore': 'Mark as applied without running'}


def about_in(member: Member, asked: Command, options: Mapping[str, str]) -> list[str]:
    """Name the migrations that a command of `DOING` would take in one database.

    It is nothing where it was done for another host. Raises what the command does.
    """
    from migopy.operations import meanwhile, other_hosts

    name = asked.values[0] if asked.values else options.get('spec_migr')
    last, to = options.get('last'), options.get('to')
    manager = member.manager
    if asked.name == 'rollback':
        forced = is_yes(options.get('force', 'no'), asked.name, 'force')
        order = order_down(manager, name, last, to, forced)
    else:
        order = order_up(manager, asked.name, name, to)
    if other_hosts.is_done(member.site, order, manager._observer):
        return []
    plan = member.site.plan()
    return meanwhile.about(order, plan, order.select(plan))


def about_now(
    member: Member, command: str, values: Sequence[str], options: Mapping[str, str]
) -> Agreed | None:
    """Give what a command is about that has found its database locked.

    `None` for one that would take nothing else if others have run before its next turn,
    and for one that the fabfile has written.
    """
    is_named = command == 'rollback' and not {'last', 'to'} & options.keys()
    if command not in DOING or is_named or is_trial(options):
        return None
    if is_own(member.manager, getattr(member.manager, command)):
        return None
    with suppress(MigopyException):
        names = about_in(member, Command(command, *values), options)
        return Agreed(names, was_asked=False)
    return Agreed((), was_asked=False)
