"""`rehearse`: run pending migrations on a copy of the database, up, down and up."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from pymongo.errors import PyMongoError

from migopy import signals
from migopy.commands import Again, Option
from migopy.dumps import FAILURES, Progress, reason_of
from migopy.effects import unwatched_clients
from migopy.errors import MigopyException, enumerated
from migopy.face import WrongOptions, only_one
from migopy.files import importable
from migopy.operations.orders import Order
from migopy.operations.preparing import load_steps, prepare
from migopy.operations.scratch import (
    AGAIN,
    named_scratch,
    private_scratch,
    server_named,
)
from migopy.operations.undoing import undo_of
from migopy.rehearsal import (
    Copied,
    Copier,
    Guard,
    Rehearsed,
    Rehearser,
    ServerGone,
    Teller,
    of_dump,
)
from migopy.run import NotRegistered, Plan, Step
from migopy.server import SCHEMES, Settings
from migopy.server import reason_of as reason_of_error
from migopy.site import Site
from migopy.state import Locked, LockLost
from migopy.terminal import meter, told_by, unheard
from migopy.texts import is_utf8


class How(NamedTuple):
    """How to rehearse: on which documents, and on which server."""

    #: So many documents of each collection at most.
    sample: int | None = None
    #: The name of a dump to begin with.
    dump: str | None = None
    #: The URI of a server, `None` for a private one.
    on: str | None = None

    @classmethod
    def of(cls, sample: int | None, dump: str | None, on: str | None) -> How:
        """Take what was typed; raises `WrongOptions`."""
        only_one('rehearse', {'sample': sample, 'from': dump})
        if on is not None and not (str(on).startswith(SCHEMES) and is_utf8(str(on))):
            # The URI may have a password in it, so it is not shown.
            reason = ' takes the URI of a server; nothing was done'
            raise WrongOptions('rehearse', Option('on'), reason, AGAIN)
        return cls(sample, dump, on)


class RehearsalFailed(MigopyException):
    """A rehearsal found something; `names` are the migrations'."""

    def __init__(self, names: Sequence[str], count: int) -> None:
        self.names = names
        super().__init__(
            f'{len(names)} of {count} failed the rehearsal, see above:'
            f' {enumerated(names)}'
        )


class NotCopied(MigopyException):
    """The database could not be copied; the cause is chained."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(
            f'The database {database} was not copied: {reason}\n'
            'Nothing was changed. When the cause is mended, type',
            Again(),
        )


class EndedEarly(MigopyException):
    """A server failed in the middle of a rehearsal; the cause is chained."""

    def __init__(self, where: str, database: str, *reason: object) -> None:
        self.where = where
        super().__init__(
            f'The rehearsal on {where} has ended early: ',
            *reason,
            f'\n{database} was only read. When the cause is mended, type',
            Again(),
        )


class NotHeard(MigopyException):
    """A client lives in this process that migopy does not hear."""

    is_of_process = True

    def __init__(self) -> None:
        super().__init__(
            'A client was made before migopy could hear it. If a migration uses it, a'
            ' rehearsal would write to your data, so nothing was done.\n'
            'Make clients below the import of migopy and its create_task(), or in a'
            ' function; then type',
            Again(),
        )


def rehearse(site: Site, order: Order, how: How, teller: Teller) -> bool:
    """Run up, down and up of what an order takes on a copy, and compare.

    Returns whether there was anything to run. The database itself is only read. Raises
    `RehearsalFailed` where something failed or differs, and what kept it from running.
    """
    with signals.raised(), told_by(teller.speaker):
        names = [] if how.dump else _names(site, order)
        if not how.dump and not names:
            return False
        if how.dump is not None:
            # Before anybody is told what would run.
            _require_dump(site, how.dump)
        server = None if how.on is None else server_named(site, how.on)
        try:
            heard, not_run = _on_copy(site, order, how, teller, names, server)
        # What these say to do next is about your database, where nothing has run.
        except (PyMongoError, NotRegistered, LockLost, ServerGone) as error:
            where = 'a private server' if server is None else server.where
            reason = _why_stopped(error, server)
            raise EndedEarly(where, site.db.name, *reason) from error
        if not heard.found:
            return False
        teller.over(heard.found, not_run)
        failed = [each.name for each in heard.found if not each.is_well]
        if failed:
            raise RehearsalFailed(failed, len(heard.found) + len(not_run))
        return True


def _on_copy(
    site: Site,
    order: Order,
    how: How,
    teller: Teller,
    names: Sequence[str],
    server: Settings | None,
) -> tuple[Heard, list[str]]:
    """Copy the database, and rehearse on that; raises `PyMongoError`."""
    is_whole = how.sample is None and how.dump is None
    is_private = server is None
    taken = named_scratch(site, server) if server else private_scratch(site, is_whole)
    with taken as scratch:
        if unwatched_clients(site.listener):
            raise NotHeard
        origin = how.dump or site.settings.server.title
        teller.copying(names, origin, scratch.settings.server.where)
        with meter() as progress:
            copied = _filled(site, scratch, how, progress)
        return on_scratch(scratch, order, copied, teller, is_private)


def _why_stopped(
    error: BaseException | None, server: Settings | None
) -> Sequence[object]:
    """Give the reason why a rehearsal came to no end, without what to do about it."""
    if isinstance(error, NotRegistered):
        said = f'{error.name} has run, but that could not be registered there: '
        return [said, *_why_stopped(error.__cause__, server)]
    if isinstance(error, ServerGone):
        return error.parts
    if isinstance(error, LockLost):
        return ['it lost its lock there, as it was suspended too long or by unlock']
    assert error is not None  # noqa: S101 - one that is not registered has a cause
    return [reason_of_error(error, server)]


def _names(site: Site, order: Order) -> list[str]:
    """List what would run; raises `Locked` where another command changes that."""
    plan = site.plan()
    names = [each.name for each in order.select(plan)]
    holder = site.lock.holder()
    if holder:
        raise Locked(holder, waited=None)
    return names


def _require_dump(site: Site, name: str) -> None:
    """Make sure that there is a dump of this name; raises `UnknownDump`."""
    with site.dumps(unheard) as dumps:
        dumps.find(site.db.name, name, foreign=True)


def _filled(site: Site, scratch: Site, how: How, progress: Progress) -> Copied:
    """Fill the scratch database; raises `NotCopied`."""
    registry = site.registry.collection.name
    lock = site.lock.collection.name
    try:
        with site.dumps(unheard) as dumps:
            if how.dump is not None:
                dump = dumps.find(site.db.name, how.dump, foreign=True)
                return of_dump(dumps.fill(scratch.db, dump))
            whole = {registry, site.history.collection.name}
            copier = Copier(site.db, scratch.db, how.sample, whole, progress)
            return copier.copy({lock, *site.images.names()})
    except FAILURES as error:
        reason = f'{reason_of(error, dumps.directory)}{_of_versions(site, scratch)}'
        raise NotCopied(site.db.name, reason) from error


def _of_versions(site: Site, scratch: Site) -> str:
    """Say if the scratch server is an older MongoDB, which may lack something."""
    with suppress(PyMongoError):
        theirs, ours = (each.client.server_info() for each in (site, scratch))
        if ours['versionArray'][:2] < theirs['versionArray'][:2]:
            return (
                f'\nThe copy was to be on MongoDB {ours["version"]}, and the database'
                f' is on {theirs["version"]}: use one as new (MIGOPY_MONGOD names a'
                " private one's program)."
            )
    return ''


def on_scratch(
    scratch: Site, order: Order, copied: Copied, teller: Teller, is_private: bool
) -> tuple[Heard, list[str]]:
    """Rehearse on a filled scratch database; give what was found, and what was left.

    Its lock is held. `is_private` is whether all of its server is for this.
    """
    heard = Heard(teller)
    plan = scratch.plan()
    migrations = order.select(plan)
    if not migrations:
        return heard, []
    guard = Guard(scratch.client, scratch.db.name, is_private)
    recording = scratch.listener.recording(
        scratch.db.name, guard=guard, guards_strays=True
    )
    observer: Any = heard
    with recording, importable(scratch.directory):
        try:
            steps = load_steps(scratch, order, plan, migrations, observer)
        finally:
            # A file may write while it is imported, and swallow that it may not.
            refused = guard.end()
            if refused is not None:
                raise refused
        downs = [_down_of(step, plan, order.transaction) for step in steps]
        with scratch.listener.own_work():
            prepare(scratch, plan, migrations, observer)

        def undo_of_run(up: Step) -> Step | None:
            if _has_run(up, plan):
                return None
            return undo_of(scratch, order, scratch.plan(), up.loaded, observer)

        rehearser = Rehearser(scratch, guard, copied, observer, undo_of_run)
        return heard, rehearser.rehearse(steps, downs)


class Heard:
    """A teller that keeps what was found as well."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self.found: list[Rehearsed] = []

    def rehearsed(self, found: Rehearsed) -> None:
        """Keep what came of a migration, and tell it."""
        self.found.append(found)
        self._teller.rehearsed(found)

    def __getattr__(self, event: str) -> Any:
        return getattr(self._teller, event)


def _down_of(step: Step, plan: Plan, transaction: bool) -> Step | None:
    if _has_run(step, plan) or not callable(step.loaded.functions.get('down')):
        return None
    return Step.of(step.loaded, 'down', transaction)


def _has_run(step: Step, plan: Plan) -> bool:
    """Tell whether it has run before, so that a way back undoes more than one run."""
    return step.name in plan.repeats and step.name in plan.registered
