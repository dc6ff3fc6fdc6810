"""How a command is called for one of many databases, which may be a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from migopy.errors import enumerated
from migopy.face import Agreed, call, has_option, is_own
from migopy.many.errors import NotNewAnyMore
from migopy.many.members import Member
from migopy.many.status import is_new
from migopy.operations import ChangedMeanwhile, order_up
from migopy.run import Plan, as_files_say
from migopy.scope import is_trial

#: Options with which `execute` still takes all that is pending, up to a point.
TAKING_ALL = frozenset({'phase', 'wait', 'preflight', 'to', 'show', 'dry_run'})

#: What a dry run of `execute` says it would do to a migration in a new database.
MARKED = 'marked as applied'


def call_for_one(
    member: Member,
    command: str,
    values: Sequence[str],
    options: Mapping[str, str],
    agreed: Agreed | None = None,
) -> Any:
    """Call a command for one database, to do what was `agreed` to, if anything was.

    In a new database `execute` only marks all as applied if `NEW_DATABASES` says so; a
    migration that is named, and a plan, are executed all the same. Raises what the
    command does.
    """
    if agreed is not None:
        member = member._replace(manager=member.manager._after(agreed))
    if _only_marks(member, command, values, options):
        given = {name: text for name, text in options.items() if name == 'to'}
        if has_option(type(member.manager), 'ignore', 'yes'):
            # The fabfile has said so in advance.
            given['yes'] = 'yes'
        manager = member.manager._after(_all_in_new(member, options.get('to')))
        try:
            return call(manager.ignore, 'ignore', values, given)
        except ChangedMeanwhile as error:
            raise NotNewAnyMore(options.get('to')) from error
    return call(getattr(member.manager, command), command, values, options)


def _all_in_new(member: Member, to: str | None) -> Agreed | None:
    """Give what is pending where nothing has run: all of it is marked, or nothing.

    `None` where the fabfile's own `ignore` may take something else.
    """
    from migopy.operations import meanwhile

    manager, site = member.manager, member.site
    if is_own(manager, manager.ignore):
        return None
    plan = Plan(
        site.directory.migrations(),
        (),
        file_names=site.directory.file_names,
        environment=site.settings.environment,
    )
    order = order_up(manager, 'ignore', None, to)
    return Agreed(meanwhile.looked(order, as_files_say(plan)))


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
