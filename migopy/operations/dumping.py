"""`dbdump` and `dbrestore`: the whole database, kept and brought back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pymongo.errors import PyMongoError

from migopy.errors import enumerated
from migopy.face import Asking
from migopy.operations.ways_back import first_runs, has_own_alone, servers
from migopy.run import Observer, Unfinished, read_open_runs
from migopy.site import Site
from migopy.state import RESTORE, Holder, Lock, LockLost, Run
from migopy.tell import IS_LOST, ago
from migopy.terminal import told_by

if TYPE_CHECKING:
    from migopy.dumps import Dump, Mark


class Restore(NamedTuple):
    """Which dump to bring the database back to, and how."""

    name: str
    foreign: bool
    in_place: bool
    #: Whether another server's database of this name has dumps in the same folder.
    of_here: bool
    #: Seconds to wait for the lock.
    wait: float


def dump(site: Site, keep: int | None, wait: float, observer: Observer) -> Dump:
    """Dump the database, under the lock; of its dumps the newest `keep` stay.

    Raises `Unfinished` of one that a restore has left incomplete: a dump of that would
    be the newest one, and could take the place of a whole one. So could one of nothing,
    where the database was dropped, say: that removes none.
    """
    locked = site.locked('dbdump', wait, observer.waiting)
    # What a worker is in the middle of, and how far it is, would not fit in a dump.
    alone = without_worker(site, 'dbdump', wait, observer)
    speaking, folder = told_by(observer.speaker), site.dumps(observer.warned)
    with locked, alone as worker, speaking, folder as dumps:
        open_runs = read_open_runs(site.history, site.lock, site.registry)
        begun = [*open_runs.unfinished, *open_runs.running]
        if restores := [run for run in begun if run.is_restore]:
            raise Unfinished(restores, _no_file)
        observer.dumping(site.db.name)
        there = _collections(site)
        is_empty = there is not None and has_own_alone(site, there)
        made = dumps.make(
            site.db,
            None if is_empty else keep,
            first_runs(begun),
            check=partial(_require_whole, site, worker),
        )
    _tell_what_was_left(there or (), observer)
    if is_empty:
        observer.warned(
            "Nothing is in this dump: there are no collections but migopy's own in"
            f' {site.settings.server.title}. Is that the one you mean?'
        )
    return made


def _require_whole(site: Site, worker: Lock) -> None:
    """Make sure that no migration can have run while it was dumped."""
    from migopy.dumps import DumpFailed

    try:
        _require_alone(site, worker)
    except LockLost as error:
        reason = (
            'it was suspended for too long, or its lock was taken away, so others may'
            ' have run migrations meanwhile.'
        )
        raise DumpFailed(site.db.name, reason) from error


def _require_alone(site: Site, worker: Lock) -> None:
    """Make sure that both locks are still held; raises `LockLost`."""
    site.lock.check()
    worker.check()


def _tell_what_was_left(there: Sequence[str], observer: Observer) -> None:
    """Warn of copies that a killed restore has left, as they take room."""
    from migopy.dumps import STAGED

    left = [name for name in there if name.startswith(STAGED)]
    if left:
        is_in = 'which is in no dump. The next dbrestore drops it.'
        if len(left) > 1:
            is_in = 'which are in no dump. The next dbrestore drops them.'
        names = enumerated(left)
        observer.warned(f'A dbrestore that was killed has left {names}, {is_in}')


def _collections(site: Site) -> list[str] | None:
    """List the collections, if the user may: why not, the dump itself will say."""
    with suppress(PyMongoError):
        return list(site.db.list_collection_names())
    return None


def restore(site: Site, which: Restore, observer: Observer, asking: Asking) -> None:
    """Bring the database back to a dump, under the lock, if that is wanted."""
    here = servers(site) if which.of_here else frozenset()
    with told_by(observer.speaker), site.dumps(observer.warned) as dumps:
        dump = dumps.find(site.db.name, which.name, which.foreign, here)
        told = dumps.cautions(site.db, dump)
        for line in told:
            observer.warned(line)
        known = f'{dump.name} was {ago(dump)}.\n{IS_LOST}'
        asking.require(f'{known}\nBring the database back to {dump.name}')
        locked = site.locked('dbrestore', which.wait, observer.waiting)
        with locked, without_worker(site, 'dbrestore', which.wait, observer) as worker:
            if asking.will_ask and dump.foreign:
                _require_told(dump, told, dumps.cautions(site.db, dump))
            observer.restoring(dump)
            dumps.restore(site.db, dump, which.in_place, _mark(site, worker, dump))
    observer.restored(dump)


def _require_told(dump: Dump, told: Sequence[str], now: Sequence[str]) -> None:
    """Make sure that a person has agreed to what a restore is to drop."""
    new = [line for line in now if line not in told]
    if new:
        from migopy.dumps import RestoreRefused

        reason = f'this is not what you were asked about. {" ".join(new)}'
        raise RestoreRefused(dump.name, reason)


def _mark(site: Site, worker: Lock, dump: Dump) -> Mark:
    """Give what says that a restore did not come to its end: an unfinished run.

    It stands in the history, which comes back with the dump.
    """
    from migopy.dumps import Mark

    run = Run.new(dump.name, RESTORE, None, site.lock.owner, site.lock.now())
    history, owner = site.history.collection.name, site.lock.owner
    check = partial(_require_alone, site, worker)
    return Mark(history, run.document(), check, owner)


@contextmanager
def without_worker(
    site: Site, command: str, wait: float, observer: Observer
) -> Iterator[Lock]:
    """Hold and give the worker's lock: nothing runs in the background meanwhile."""
    lock = site.lock.of_worker()

    def waiting(holder: Holder) -> None:
        # A dbdump or dbrestore that was killed had the other lock, too, which has told.
        if not holder.is_gone or holder.command == 'work':
            observer.waiting(holder)

    with site.listener.own_work(), lock.held(command, wait, waiting):
        yield lock


def _no_file(name: str) -> None:
    """Give the file of a dump's name: there is none."""
