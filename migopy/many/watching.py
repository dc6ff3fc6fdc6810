"""`watch` of many databases: what runs in any is looked at until it has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from migopy.commands import Command
from migopy.many.databases import Database
from migopy.many.errors import Failed
from migopy.many.fleet import Fleet
from migopy.many.members import Member
from migopy.many.outcomes import Outcome, Turn
from migopy.many.selecting import Selection
from migopy.many.viewing import FleetViewer
from migopy.state import Run, Steering

#: Seconds between two looks, at least; the rest is never shorter than the look was.
LOOK_EVERY = 1.0

#: Looks in a row that have to see nothing before it is over. A command on many
#: databases holds no lock between two of them, so a single look tells little.
QUIET_LOOKS = 5

#: The same before anything was seen, and the seconds between those.
FIRST_LOOKS = 3
FIRST_EVERY = 0.2


@dataclass
class Watched:
    """What has been seen of many databases, look after look.

    Invariant: `left` are those that are looked at again, so not the ones that `failed`.
    `owners` are who held the locks at the last look, by the databases' titles; `ended`
    are the runs of such that hold none any more.
    """

    left: list[Database]
    failed: list[Outcome] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    ended: list[tuple[str, Run]] = field(default_factory=list)
    #: Whether anything was seen to run, and the looks since that have seen nothing.
    has_seen: bool = False
    quiet: int = 0

    def take(self, looks: Sequence[Outcome]) -> list[Outcome]:
        """Take a look at all that are left; give those where something runs."""
        self.failed += [each for each in looks if each.is_failure]
        for each in looks:
            title = each.database.title
            self.owners[title] = each.seen.holder.owner if each.seen else ''
            self.ended += [(title, run) for run in each.ended]
        failed = {each.database.title for each in self.failed}
        self.left = [each for each in self.left if each.title not in failed]
        running = [each for each in looks if each.seen is not None]
        self.has_seen = self.has_seen or bool(running)
        self.quiet = 0 if running else self.quiet + 1
        return running

    @property
    def is_over(self) -> bool:
        """Tell whether there is nothing to wait for any more."""
        looks = QUIET_LOOKS if self.has_seen else FIRST_LOOKS
        return not self.left or self.quiet >= looks


def watch(
    fleet: Fleet,
    databases: Sequence[Database],
    viewer: FleetViewer,
    selection: Selection,
    worker: bool,
) -> None:
    """Show what runs in any of the databases, until nothing has run for a while.

    It only reads: the documents of each database's lock, and the runs of a command that
    has ended. Ctrl-C ends the watching and nothing else. Raises `Failed` if some could
    not be looked at.
    """
    watched = Watched(list(databases))
    running: list[Outcome] = []
    try:
        while True:
            began = time.monotonic()
            looks = fleet.looks(
                watched.left, partial(_look, dict(watched.owners), worker)
            )
            for each in looks:
                if each.is_failure:
                    fleet.tell(each)
            running = watched.take(looks)
            if watched.is_over:
                break
            if watched.has_seen:
                viewer.show(running, len(watched.left))
            took = time.monotonic() - began
            time.sleep(max(LOOK_EVERY, took) if watched.has_seen else FIRST_EVERY)
    except KeyboardInterrupt:
        viewer.left(watched.ended, running)
        return
    finally:
        viewer.close()
    if watched.has_seen:
        viewer.ended(watched.ended)
    elif watched.left:
        viewer.nothing(len(watched.left))
    if watched.failed:
        titles = [each.database.title for each in watched.failed]
        again = selection.narrow(Command('watch'))
        raise Failed(titles, len(databases), ['To look again, type: ', again])


def _look(
    owners: Mapping[str, str],
    worker: bool,
    member: Member,
    outcome: Outcome,
    earlier: Turn,
) -> Outcome:
    """Read who holds a lock, and what became of the owner of before."""
    seen = Steering(member.site.lock).look(worker=worker)
    before = owners.get(outcome.database.title, '')
    if not before or (seen is not None and seen.holder.owner == before):
        return replace(outcome, seen=seen)
    ended = member.site.history.of_owner(before)
    return replace(outcome, seen=seen, ended=ended)
