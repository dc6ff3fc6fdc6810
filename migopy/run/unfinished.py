"""The state of each run that the history leaves open, and the ways out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from bson import ObjectId

from migopy.commands import Command, Part
from migopy.errors import MOST, MigopyException
from migopy.files import BACKGROUND, Migration, Unreadable
from migopy.state import Holder, Record, Run

FileOf = Callable[[str], 'Migration | None']
#: What a file may call its `down`.
DOWN = ('down', 'downgrade')


class State(Enum):
    """The states of a run."""

    #: Marked in advance, not begun.
    AHEAD = 'ahead'
    #: The lock under which it was begun is held.
    RUNNING = 'running'
    #: It may have left its migration half done.
    UNFINISHED = 'unfinished'
    #: It is over, and the migration is not half done because of it.
    ENDED = 'ended'


@dataclass(frozen=True)
class OpenRuns:
    """The runs whose end the history does not tell, by their state.

    Invariant: each run is in one list, the oldest first. The registry tells which have
    ended; `took_effect` has the ids of those that changed it themselves, each with
    the record of it, if any.
    """

    ahead: Sequence[Run] = ()
    running: Sequence[Run] = ()
    unfinished: Sequence[Run] = ()
    ended: Sequence[Run] = ()
    took_effect: Sequence[tuple[object, Record | None]] = ()

    def state_of(self, run: Run) -> State:
        """Tell a run's state; one that is not among the open ones has ended."""
        for runs, state in (
            (self.ahead, State.AHEAD),
            (self.running, State.RUNNING),
            (self.unfinished, State.UNFINISHED),
        ):
            if any(each.id == run.id for each in runs):
                return state
        return State.ENDED

    def outcome_of(self, run: Run) -> str | None:
        """Tell how a run ended, by the registry if need be; `None` where it did not."""
        took_effect = any(id == run.id for id, _ in self.took_effect)
        return run.good_outcome if took_effect else run.outcome

    def record_of(self, run: Run) -> Record | None:
        """Give the record that a run has left, if it is one that took effect."""
        return next((record for id, record in self.took_effect if id == run.id), None)


def sort_out(
    runs: Sequence[Run],
    records: Mapping[str, Sequence[Record]],
    holders: Sequence[Holder],
) -> OpenRuns:
    """Compare the runs that the history calls unsettled with the registry.

    `records` are the registry's by name, `holders` who holds the locks.
    """
    begun, ahead = _by_beginning(runs, records)
    found: dict[State, list[Run]] = {state: [] for state in State}
    owners = {holder.owner for holder in holders}
    took_effect = []
    for run in begun:
        of_name = records.get(run.name, ())
        now = [record.id for record in of_name]
        if _is_settled(run, now):
            found[State.ENDED].append(run)
            if _took_effect(run, now):
                own = [record for record in of_name if record.id == run.id]
                took_effect.append((run.id, own[0] if own else None))
        elif run.outcome is None and run.owner in owners:
            found[State.RUNNING].append(run)
        else:
            found[State.UNFINISHED].append(run)
    running, ended = found[State.RUNNING], found[State.ENDED]
    return OpenRuns(ahead, running, found[State.UNFINISHED], ended, took_effect)


def _by_beginning(
    runs: Sequence[Run], records: Mapping[str, Sequence[Record]]
) -> tuple[Sequence[Run], Sequence[Run]]:
    """Split runs into those that have begun and those that are only marked.

    A run marked in advance starts when the run named in `after` is registered.
    """
    if not any(map(_is_marked_in_advance, runs)):
        return runs, ()
    registered = {
        record.id: record.since
        for several in records.values()
        for record in several
        # Somebody else's may be of any type.
        if isinstance(record.id, ObjectId)
    }
    begun, ahead = [], []
    for run in runs:
        if not _is_marked_in_advance(run):
            begun.append(run)
        elif run.after in registered:
            started = max(run.started, registered[run.after])
            begun.append(replace(run, started=started))
        elif isinstance(run.id, ObjectId) and run.id in registered:
            begun.append(run)
        else:
            ahead.append(run)
    return begun, ahead


def _is_marked_in_advance(run: Run) -> bool:
    return run.after is not None and run.outcome is None


def _is_settled(run: Run, now: Sequence[object]) -> bool:
    """Tell whether a migration's records have changed since a run of it began.

    They change when the run ends well, or a later one that settles it.
    """
    if run.direction == 'down' and run.records:
        return not any(each in run.records for each in now)
    return any(each not in run.records for each in now)


def _took_effect(run: Run, now: Sequence[object]) -> bool:
    if run.outcome is not None:
        return False
    return bool(run.records) if run.direction == 'down' else run.id in now


def is_of_worker(run: Run) -> bool:
    """Tell whether a worker has run it, in the background."""
    return run.phase == BACKGROUND and run.direction == 'up'


def goes_on(run: Run) -> bool:
    """Tell whether a worker goes on with an unfinished run where it was stopped.

    It was stopped or killed, not ended by an error, and `update_each` has kept how far
    it was.
    """
    was_stopped = run.outcome is None or bool(run.interrupted)
    return is_of_worker(run) and was_stopped and bool(run.checkpoints)


class Unfinished(MigopyException):
    """Migrations that may be half done stand in the way; `runs` are theirs.

    `file_of` gives a migration's file by its name; `back` is what is said of the dump
    from before it all, if there is one.
    """

    has_ways_out = True

    def __init__(
        self, runs: Sequence[Run], file_of: FileOf, back: Sequence[Part] = ()
    ) -> None:
        self.runs = runs
        self.back = ['\n', *back] if back else []
        said: list[Part] = ['Unfinished, so nothing was done:']
        migrations = by_migration(runs)
        for each in migrations[:MOST]:
            said += [f'\n{describe(run)}' for run in each[-MOST:]]
            said += ['\n', *ways_on(each[-1], file_of(each[-1].name))]
        if len(migrations) > MOST:
            said.append(f'\nand {len(migrations) - MOST:,} more migrations')
        super().__init__(*said, *self.back)


def by_migration(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs by migration, in the order of their first ones."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.name, []).append(run)
    return list(groups.values())


def describe(run: Run) -> str:
    """Say in a line which migration is unfinished, since when, by whom and why."""
    begun = f'started {run.started:%Y-%m-%d %H:%M:%S} UTC by {run.agent}'
    begun += f' (process {run.agent.pid})'
    if run.is_restore:
        return (
            f'dbrestore of {run.name} {begun}, it did not come to its end, so the'
            ' database is incomplete'
        )
    if run.outcome is None:
        # Nobody has heard of its end, and its lock has run out.
        why = 'killed, cut off or suspended in the middle of it'
        if run.writes_until is not None:
            why = (
                f'{why}; its lock was taken away. Unless suspended, it may write'
                f' until {run.writes_until:%Y-%m-%d %H:%M:%S} UTC: wait until then'
            )
    else:
        why = run.error or 'it failed after it had written'
    return f'{run.name}: {run.direction} {begun}, {why}'


def ways_on(run: Run, file: Migration | None) -> list[Part]:
    """List the commands that settle an unfinished run, a line each."""
    if run.is_restore:
        return [
            *('  ', Command('dbrestore', run.name), '  - do it to its end\n'),
            *('  ', Command('forget', run.name), '  - take the database as it is'),
        ]
    if file is None or not goes_on(run):
        images, is_resumed = bool(run.images), resumes(run)
        return ways_out(run.name, run.direction, file, images, is_resumed)
    on: list[Part] = ['  ', Command('work'), '  - go on where it stopped\n']
    back = _ways_back(run.name, file, bool(run.images))
    return [*on, *back, *_mark(run.name, 'applied')]


def resumes(run: Run) -> bool:
    """Tell whether it goes on where it stopped when it is run again.

    `update_each`, or a loop over `batches`, has kept how far it was.
    """
    return bool(run.checkpoints)


def ways_out(
    name: str,
    direction: str,
    file: Migration | None,
    has_images: bool,
    is_resumed: bool = False,
) -> list[Part]:
    """List the commands that settle an unfinished `up` or `down`, a line each.

    `file` is the migration's, if it has one: without it, or without a `down` in it,
    there are fewer ways. `has_images` is whether the run was to keep images, whatever
    the file says by now; `is_resumed` is what `resumes` tells of it.
    """
    if file is None:
        return [
            '  Its file is missing: bring it back (from version control, say), and'
            ' there are more ways.\n  ',
            *(Command('forget', name), '  - forget it, if it is gone for good'),
        ]
    mark = _mark(name, 'applied' if direction == 'up' else 'rolled back')
    if direction == 'down' and not _has_down(file):
        return [*_restoring(name), *mark]
    again = Command('work' if _is_in_background(file) else 'execute', name)
    up: list[Part] = ['  ', again, '  - run its up again']
    on = ': its backfill goes on, the rest begins again' if is_resumed else ''
    if direction == 'up':
        return [*up, f'{on}\n', *_ways_back(name, file, has_images), *mark]
    return [*up, '\n', *_ways_back(name, file, has_images, on), *mark]


def _ways_back(
    name: str, file: Migration, has_images: bool, on: str = ''
) -> list[Part]:
    """List the command that undoes a migration, if there is one.

    `on` is what is said of a `down` that goes on.
    """
    if _has_down(file):
        return ['  ', Command('rollback', name), f'  - run its down{on}\n']
    return _restoring(name) if has_images else []


def _restoring(name: str) -> list[Part]:
    """Give the command that restores what has no `down` from images."""
    return ['  ', Command('rollback', name), '  - restore what it has changed\n']


def _mark(name: str, state: str) -> list[Part]:
    return ['  ', Command('ignore', name), f'  - mark it as {state}']


def _has_down(file: Migration) -> bool:
    return any(map(file.defines, DOWN))


def _is_in_background(file: Migration) -> bool:
    try:
        return file.said().phase == BACKGROUND
    except Unreadable:
        return False
