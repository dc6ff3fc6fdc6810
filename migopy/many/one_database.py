"""How a command is called for one of many databases, which may be a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migopy.commands import Command
from migopy.errors import enumerated
from migopy.face import call, has_option, is_yes
from migopy.many.members import Member
from migopy.many.status import is_new
from migopy.operations import ChangedMeanwhile, order_down, order_up
from migopy.scope import is_trial

#: Options with which `execute` still takes all that is pending, up to a point.
TAKING_ALL = frozenset({'phase', 'wait', 'preflight', 'to', 'show', 'dry_run'})

#: What a dry run of `execute` says it would do to a migration in a new database.
MARKED = 'marked as applied'


@dataclass(frozen=True)
class Agreed:
    """What a person has agreed to in many databases.

    Invariant: `names` has what `asked`, with these `options`, would have taken in each
    database, by its title, when the person was shown that.
    """

    asked: Command
    options: Mapping[str, str]
    names: dict[str, Sequence[str]]

    def look(self, member: Member) -> list[str]:
        """List the migrations that the command would take now."""
        asked, options = self.asked, self.options
        name = asked.values[0] if asked.values else options.get('spec_migr')
        last, to = options.get('last'), options.get('to')
        if asked.name == 'rollback':
            forced = is_yes(options.get('force', 'no'), asked.name, 'force')
            order = order_down(member.manager, name, last, to, forced)
        else:
            order = order_up(member.manager, asked.name, name, to)
        return [each.name for each in order.select(member.site.plan())]

    def require(self, member: Member, title: str) -> None:
        """Raise `ChangedMeanwhile` where it would take others by now."""
        before = self.names.get(title)
        if before is None:
            return
        now = self.look(member)
        if now != list(before):
            again = self.asked.having(**self.options)
            raise ChangedMeanwhile(again, list(before), now)


def call_for_one(
    member: Member, command: str, values: Sequence[str], options: Mapping[str, str]
) -> Any:
    """Call a command for one database.

    In a new database `execute` only marks all as applied if `NEW_DATABASES` says so; a
    migration that is named, and a plan, are executed all the same. Raises what the
    command does.
    """
    if _only_marks(member, command, values, options):
        given = {name: text for name, text in options.items() if name == 'to'}
        if has_option(type(member.manager), 'ignore', 'yes'):
            # The fabfile has said so in advance.
            given['yes'] = 'yes'
        return call(member.manager.ignore, 'ignore', values, given)
    return call(getattr(member.manager, command), command, values, options)


def would_mark(
    member: Member, command: str, values: Sequence[str], options: Mapping[str, str]
) -> list[str] | None:
    """List what a dry run would only mark as applied; `None` if it would run it.

    Raises what `ignore` does.
    """
    if not is_trial(options) or not _only_marks(member, command, values, options):
        return None
    order = order_up(member.manager, 'ignore', None, options.get('to'))
    return [each.name for each in order.select(member.site.plan())]


def marking(names: Sequence[str]) -> str:
    """Say what would be marked as applied in a new database."""
    return (
        "It is new, and NEW_DATABASES is 'ignore', so nothing would be run, and"
        f' {MARKED}: {enumerated(names) or "nothing"}'
    )


def _only_marks(
    member: Member, command: str, values: Sequence[str], options: Mapping[str, str]
) -> bool:
    takes_all = command == 'execute' and not values and options.keys() <= TAKING_ALL
    is_wanted = member.manager.NEW_DATABASES == 'ignore'
    return takes_all and is_wanted and is_new(member.site)
