"""`rehearse`: pending migrations run on a copy of the database, back and forth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from bson.binary import UuidRepresentation
from pymongo import MongoClient

from migopy import signals
from migopy.cluster import Cluster
from migopy.commands import Command, Option
from migopy.dumps import FAILURES, Progress, reason_of
from migopy.effects import unwatched_clients
from migopy.errors import MigopyException, enumerated
from migopy.face import WrongOptions, only_one
from migopy.files import KeptDirectory, importable
from migopy.operations.orders import Order
from migopy.operations.preparing import loaded, prepare
from migopy.rehearsal import (
    Copied,
    Copier,
    InUse,
    Rehearsed,
    Rehearser,
    Teller,
    Watch,
    mark,
    occupied,
    of_dump,
    private_server,
    require_another,
    require_room,
    require_scratch,
)
from migopy.run import Step
from migopy.server import Settings, await_first_contact
from migopy.site import Site
from migopy.state import Locked
from migopy.terminal import meter, told_by

#: Behind the name of the database, where `on` names none.
SUFFIX = '_rehearsal'

#: What PyMongo's option says for each way to read a UUID.
UUIDS = {
    UuidRepresentation.UNSPECIFIED: 'unspecified',
    UuidRepresentation.STANDARD: 'standard',
    UuidRepresentation.PYTHON_LEGACY: 'pythonLegacy',
    UuidRepresentation.JAVA_LEGACY: 'javaLegacy',
    UuidRepresentation.CSHARP_LEGACY: 'csharpLegacy',
}


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
        if on is not None and not on.startswith(('mongodb://', 'mongodb+srv://')):
            # It may have a password in it, so it is not shown.
            reason = ' takes the URI of a server; nothing was done'
            again = Command('rehearse', on='mongodb://HOST/DATABASE')
            raise WrongOptions('rehearse', Option('on'), reason, again)
        return cls(sample, dump, on)


class RehearsalFailed(MigopyException):
    """A rehearsal found something; `names` are the migrations'."""

    def __init__(self, names: Sequence[str], count: int) -> None:
        self.names = names
        super().__init__(
            f'{len(names)} of {count} not as they should be, see above:'
            f' {enumerated(names)}'
        )


class NotCopied(MigopyException):
    """The database could not be copied; the cause is chained."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(
            f'The database {database} was not copied: {reason}\n'
            'Nothing was changed. When the cause is mended, type: ',
            Command('rehearse'),
        )


class NotHeard(MigopyException):
    """A client lives in this process that migopy does not hear."""

    def __init__(self) -> None:
        super().__init__(
            'A client was made before migopy could hear it. If a migration uses it, a'
            ' rehearsal would write to your data, so nothing was done.\n'
            'Make clients below the import of migopy and its create_task(), or in a'
            ' function; then type: ',
            Command('rehearse'),
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
        with ExitStack() as opened:
            scratch = opened.enter_context(_scratch(site, how))
            if unwatched_clients(site.listener):
                raise NotHeard
            origin = how.dump or site.settings.server.title
            teller.copying(names, origin, scratch.settings.server.where)
            with meter() as progress:
                copied = _filled(site, scratch, how, progress)
            is_private = how.on is None
            heard, not_run = on_scratch(scratch, order, copied, teller, is_private)
        if not heard.found:
            return False
        teller.over(heard.found, not_run)
        failed = [each.name for each in heard.found if not each.is_well]
        if failed:
            raise RehearsalFailed(failed, len(heard.found) + len(not_run))
        return True


def _names(site: Site, order: Order) -> list[str]:
    """List what would run; raises `Locked` where another command changes that."""
    plan = site.plan()
    names = [each.name for each in order.select(plan)]
    holder = site.lock.holder()
    if holder:
        raise Locked(holder, waited=0)
    return names


@contextmanager
def _scratch(site: Site, how: How) -> Iterator[Site]:
    """Give the site of an empty database, whose lock is held."""
    with ExitStack() as opened:
        if how.on is None:
            if how.sample is None and how.dump is None:
                require_room(int(site.db.command('dbStats')['dataSize']))
            uri = opened.enter_context(private_server())
            server = Settings(uri=uri, database=site.db.name, options=_types(site))
        else:
            server = Settings(uri=how.on, options=_types(site))
            if not server.database_name:
                name = f'{site.db.name}{SUFFIX}'
                server = Settings(uri=how.on, database=name, options=_types(site))
        scratch = _site_on(server, site)
        opened.callback(scratch.disconnect)
        if how.on is None:
            # Nothing is to go by itself, and be taken for a migration's work.
            scratch.client.admin.command('setParameter', 1, ttlMonitorEnabled=False)
            opened.enter_context(scratch.locked('rehearse', 0, _nobody))
        else:
            await_first_contact(scratch.client, server)
            require_another(site.db, scratch.db)
            require_scratch(scratch.db)
            mark(scratch.db)
            try:
                opened.enter_context(scratch.locked('rehearse', 0, _nobody))
            except Locked as error:
                raise InUse(scratch.db.name, error.holder) from error
            kept = scratch.lock.collection.name
            opened.enter_context(occupied(scratch.db, kept))
        yield scratch


def _site_on(server: Settings, site: Site) -> Site:
    """Make a site of the same migrations on another server."""
    settings = site.settings._replace(server=server)
    cluster = Cluster(server, settings.base, MongoClient)
    # Files are read and imported once, whatever happens to them meanwhile.
    directory = KeptDirectory(site.directory)
    return Site(settings, cluster, _nobody, directory.functions_of, directory)


def _types(site: Site) -> dict[str, Any]:
    """Give the options of the client that decide what Python makes of documents."""
    codec = site.db.codec_options
    return {
        'document_class': codec.document_class,
        'tz_aware': codec.tz_aware,
        'tzinfo': codec.tzinfo,
        'type_registry': codec.type_registry,
        'uuidRepresentation': UUIDS[codec.uuid_representation],
        'datetime_conversion': codec.datetime_conversion,
        'unicode_decode_error_handler': codec.unicode_decode_error_handler,
    }


def _filled(site: Site, scratch: Site, how: How, progress: Progress) -> Copied:
    """Fill the scratch database; raises `NotCopied`."""
    registry = site.registry.collection.name
    lock = site.lock.collection.name
    try:
        with site.dumps(_nobody) as dumps:
            if how.dump is not None:
                dump = dumps.find(site.db.name, how.dump, foreign=True)
                return of_dump(dumps.fill(scratch.db, dump))
            whole = {registry, site.history.collection.name}
            copier = Copier(site.db, scratch.db, how.sample, whole, progress)
            return copier.copy({lock, site.images.collection.name})
    except FAILURES as error:
        folder = dumps.directory
        raise NotCopied(site.db.name, reason_of(error, folder)) from error


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
    watch = Watch(scratch.client, scratch.db.name, is_private)
    recording = scratch.listener.recording(
        scratch.db.name, guard=watch, guards_strays=True
    )
    observer: Any = heard
    with recording, importable(scratch.directory):
        steps = loaded(scratch, order, plan, migrations, observer)
        downs = [_down_of(step, order.transaction) for step in steps]
        with scratch.listener.own_work():
            prepare(scratch, plan, observer)
        rehearser = Rehearser(scratch, watch, copied, observer)
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


def _down_of(step: Step, transaction: bool) -> Step | None:
    if not callable(step.loaded.functions.get('down')):
        return None
    return Step.of(step.loaded, 'down', transaction)


def _nobody(_what: object) -> None:
    """Hear of what nobody is told of in a rehearsal."""
