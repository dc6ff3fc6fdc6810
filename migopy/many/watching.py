"""`watch` of many databases: what runs in any is looked at until it has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from migopy.commands import Command
from migopy.many.crowd import Crowd
from migopy.many.databases import Database
from migopy.many.errors import Failed
from migopy.many.gathered import Outcome
from migopy.many.members import Member
from migopy.many.selecting import Selection
from migopy.many.viewing import FleetViewer
from migopy.state import Run, Steering, runs_of

#: Seconds between two looks, at least; it is never longer at work than it rests.
LOOK_EVERY = 1.0

#: Looks in a row that must have seen nothing. A command on many databases holds no lock
#: between two of them, so one that sees nothing tells little.
QUIET_LOOKS = 5

#: The same before anything was seen, and the seconds between those.
FIRST_LOOKS = 3
FIRST_EVERY = 0.2


def watch(
    crowd: Crowd,
    databases: Sequence[Database],
    viewer: FleetViewer,
    selection: Selection,
    worker: bool,
) -> None:
    """Show what runs in any of the databases, until nothing has run for a while.

    It only reads: of each database the documents of its lock, and of a command that has
    ended its runs. Ctrl-C ends the looking and nothing else. Raises `Failed` where
    some could not be looked at.
    """
    left, failed = list(databases), list[Outcome]()
    owners: dict[str, str] = {}
    ended: list[tuple[str, Run]] = []
    has_seen, quiet = False, 0
    try:
        while True:
            began = time.monotonic()
            looks = crowd.looks(left, partial(_look, dict(owners), worker))
            for each in looks:
                if each.is_failure:
                    crowd.tell(each)
                    failed.append(each)
                title = each.database.title
                owners[title] = each.seen.holder.owner if each.seen else ''
                ended += [(title, run) for run in each.ended]
            unseen = {each.database.title for each in failed}
            left = [each for each in left if each.title not in unseen]
            running = [each for each in looks if each.seen is not None]
            has_seen = has_seen or bool(running)
            quiet = 0 if running else quiet + 1
            if not left or quiet >= (QUIET_LOOKS if has_seen else FIRST_LOOKS):
                break
            if has_seen:
                viewer.show(running, len(left))
            took = time.monotonic() - began
            time.sleep(max(LOOK_EVERY, took) if has_seen else FIRST_EVERY)
    except KeyboardInterrupt:
        viewer.ended(ended, is_over=False)
        return
    finally:
        viewer.close()
    if has_seen:
        viewer.ended(ended, is_over=True)
    elif left:
        viewer.nothing(len(left))
    if failed:
        titles = [each.database.title for each in failed]
        again = selection.narrow(Command('watch'))
        raise Failed(titles, len(databases), ['To look again, type: ', again])


def _look(
    owners: Mapping[str, str],
    worker: bool,
    member: Member,
    outcome: Outcome,
    waits: bool,
) -> Outcome:
    """Read who holds a lock, and what became of the owner of before."""
    seen = Steering(member.site.lock).look(worker=worker)
    before = owners.get(outcome.database.title, '')
    if not before or (seen is not None and seen.holder.owner == before):
        return replace(outcome, seen=seen)
    ended = runs_of(member.site.history, before)
    return replace(outcome, seen=seen, ended=ended)
