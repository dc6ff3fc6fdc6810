"""The dumps that there are, and which one is the way back from what is unfinished."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pymongo.errors import PyMongoError

from migopy.errors import MigopyException
from migopy.files import Migration
from migopy.operations.orders import Order
from migopy.run import (
    AlreadyRegistered,
    OwnNames,
    Plan,
    Unfinished,
    by_migration,
    is_of_worker,
    read_open_runs,
)
from migopy.site import Site
from migopy.state import Run
from migopy.tell import KeptDumps, going_back
from migopy.terminal import unheard

if TYPE_CHECKING:
    from migopy.dumps import Dump


def dumps(site: Site, of_here: bool = False) -> Sequence[Dump]:
    """List the dumps of the database, the oldest first.

    With `of_here` those are left out that are of another server's database, which has
    the same name.
    """
    with site.dumps(unheard) as dumps:
        found = dumps.of(site.db.name)
    if not of_here or not found:
        return found
    here = servers(site)
    return [each for each in found if each.is_of(here)]


def names_of_dumps(site: Site) -> set[str]:
    """List the names of the dumps; of none where they cannot be read.

    The dump itself will say why they cannot.
    """
    with suppress(MigopyException):
        return {each.name for each in dumps(site)}
    return set()


def servers(site: Site) -> frozenset[str]:
    """Give the addresses of the members of the database's server."""
    from migopy.dumps import servers_of

    with site.listener.own_work():
        return frozenset(servers_of(site.db))


def first_runs(begun: Sequence[Run]) -> dict[str, str]:
    """Give the name of each migration by the id of its first run of these."""
    return {str(runs[0].id): runs[0].name for runs in by_migration(begun)}


def way_back(site: Site, unfinished: Sequence[Run]) -> Dump | None:
    """Find the newest dump from before the first one of these runs.

    A restore that has stopped tells its dump itself, and a worker goes on.
    """
    runs = [run for run in unfinished if not is_of_worker(run)]
    if not runs or any(run.is_restore for run in runs):
        return None
    from migopy.dumps import newest_before

    with suppress(MigopyException):
        return newest_before(dumps(site, of_here=True), first_runs(runs))
    return None


def of_what_was(site: Site, plan: Plan) -> Dump | None:
    """Find the dump to go back to if a database was dropped: nothing is registered.

    One in which something was registered is taken before others, as it tells that.
    """
    folder = Path(site.settings.base, site.settings.dump_directory)
    if plan.records or plan.foreign or plan.runs or not folder.is_dir():
        return None
    with suppress(MigopyException, PyMongoError):
        found = [each for each in dumps(site, of_here=True) if holds_any(site, each)]
        if not found:
            return None
        registry = site.registry.collection.name
        known = [each for each in found if each.data_bytes.get(registry)]
        # One from before the first deploy tells nothing while there are documents.
        is_gone = not known and has_own_alone(site, site.db.list_collection_names())
        return next(reversed(known or (found if is_gone else [])), None)
    return None


def has_own_alone(site: Site, there: Sequence[str]) -> bool:
    """Tell whether there is nothing in the database but what migopy keeps there."""
    from migopy.dumps import STAGED

    own = OwnNames.of(site)
    others = [n for n in there if not own.has(n) and not n.startswith(STAGED)]
    return all(n.startswith('system.') and n != 'system.js' for n in others)


def holds_any(site: Site, dump: Dump) -> bool:
    """Tell whether a dump holds any document that is not migopy's own."""
    own = OwnNames.of(site)
    return any(size and not own.has(name) for name, size in dump.data_bytes.items())


def selected(site: Site, order: Order, plan: Plan) -> list[Migration]:
    """Give what an order takes of a plan; raises what it does.

    An `Unfinished` also names the dump to go back to. It is raised as well for what
    another command has left unfinished while this one waited for it: nobody who typed a
    migration's name has decided about that. An `AlreadyRegistered` does not offer to
    roll back what has changed nothing, or has no `down`.
    """
    try:
        migrations = order.select(plan)
        left = [run for each in migrations for run in plan.unfinished_of(each)]
        if any(run.owner in site.lock.awaited for run in left):
            raise Unfinished(left, plan.file_of)
        return migrations
    except Unfinished as error:
        back = way_back(site, plan.unfinished)
        if back is None:
            raise
        raise Unfinished(error.runs, plan.file_of, going_back(back)) from error
    except AlreadyRegistered as error:
        if not error.is_to_run:
            raise
        in_vain = ran_in_vain(site, plan, error.name)
        file, undo = plan.file_of(error.name), site.settings.undo
        one_way = not site.directory.may_be_undone(file, undo)
        later = 0 if in_vain else error.later
        raise AlreadyRegistered(
            error.name, error.how, True, later, in_vain, one_way
        ) from None


def ran_in_vain(site: Site, plan: Plan, name: str) -> bool:
    """Tell whether an applied migration is known to have changed nothing."""
    with site.listener.own_work():
        return site.history.did_nothing(plan.of_name(name))


def kept(site: Site, found: Sequence[Dump]) -> KeptDumps:
    """Tell of these dumps which are empty, and which one is to be gone back to."""
    empty = {each.name for each in found if not holds_any(site, each)}
    return KeptDumps(found, _offered(site, found), empty)


def _offered(site: Site, found: Sequence[Dump]) -> Dump | None:
    """Pick of these dumps the one to go back to, if there are any.

    It is the newest one, but for an empty one, one of what is half done now, or of
    another server's database of this name.
    """
    if len(found) > 1:
        # Where the server cannot be asked, the list is still of use.
        with suppress(MigopyException, PyMongoError), site.listener.own_work():
            here = servers(site)
            found = [each for each in found if each.is_of(here)] or found
            runs = read_open_runs(site.history, site.lock, site.registry).unfinished
            begun = {run.name for run in runs if run.is_restore}
            back = [each for each in found if each.name in begun]
            if back or (before := way_back(site, runs)) is None:
                return _fullest(site, back or found)[-1]
            return before
    return _fullest(site, found)[-1] if found else None


def _fullest(site: Site, found: Sequence[Dump]) -> Sequence[Dump]:
    """Give those of these dumps that hold documents, or all if none does."""
    return [each for each in found if holds_any(site, each)] or found
