"""The sites that a rehearsal runs on: a private server's, or a named server's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from bson.binary import UuidRepresentation
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from migopy.cluster import Cluster
from migopy.commands import Command, Option
from migopy.face import WrongOptions
from migopy.files import KeptDirectory
from migopy.rehearsal import (
    InUse,
    mark,
    occupied,
    private_server,
    require_another,
    require_room,
    require_scratch,
)
from migopy.server import BadSettings, Settings, await_first_contact, reason_of
from migopy.site import Site
from migopy.state import Locked
from migopy.terminal import unheard

#: The end of the database's name, if `on` names none.
SUFFIX = '_rehearsal'

#: What PyMongo's option says for each way to read a UUID.
UUIDS = {
    UuidRepresentation.UNSPECIFIED: 'unspecified',
    UuidRepresentation.STANDARD: 'standard',
    UuidRepresentation.PYTHON_LEGACY: 'pythonLegacy',
    UuidRepresentation.JAVA_LEGACY: 'javaLegacy',
    UuidRepresentation.CSHARP_LEGACY: 'csharpLegacy',
}


#: How to name a server.
AGAIN = Command('rehearse', on='mongodb://HOST/DATABASE')


def server_named(site: Site, on: str) -> Settings:
    """Give the settings of the server and database that `on` names."""
    server = Settings(uri=on, options=_types(site))
    if server.database_name:
        return server
    name = f'{site.db.name}{SUFFIX}'
    return Settings(uri=on, database=name, options=_types(site))


@contextmanager
def private_scratch(site: Site, is_whole: bool) -> Iterator[Site]:
    """Give the site of a new private server, whose lock is held.

    `is_whole` is whether all of the database is to be copied there.
    """
    if is_whole:
        # A user who may not ask for the size learns of a full disk later.
        with suppress(OperationFailure):
            require_room(int(site.db.command('dbStats')['dataSize']))
    with private_server() as uri, ExitStack() as opened:
        server = Settings(uri=uri, database=site.db.name, options=_types(site))
        scratch = _site_on(server, site)
        opened.callback(scratch.disconnect)
        # No document may expire and count as a migration's work.
        scratch.client.admin.command('setParameter', 1, ttlMonitorEnabled=False)
        opened.enter_context(scratch.locked('rehearse', 0, unheard))
        yield scratch


@contextmanager
def named_scratch(site: Site, server: Settings) -> Iterator[Site]:
    """Give the site of an empty database of a server, whose lock is held.

    Raises `SameDatabase`, `NotScratch`, `InUse`, `WrongOptions`.
    """
    scratch = _site_on(server, site)
    with ExitStack() as opened:
        opened.callback(scratch.disconnect)
        try:
            await_first_contact(scratch.client, server)
        except BadSettings as error:
            reason = reason_of(error.__cause__ or error, server)
            said = Option('on'), f' cannot be used: {reason}; nothing was done'
            raise WrongOptions('rehearse', *said, AGAIN) from error
        require_another(site.db, scratch.db)
        require_scratch(scratch.db)
        mark(scratch.db)
        try:
            opened.enter_context(scratch.locked('rehearse', 0, unheard))
        except Locked as error:
            raise InUse(scratch.db.name, error.holder) from error
        opened.enter_context(occupied(scratch.db, scratch.lock.collection.name))
        yield scratch


def _site_on(server: Settings, site: Site) -> Site:
    """Make a site of the same migrations on another server."""
    settings = site.settings._replace(server=server)
    cluster = Cluster(server, settings.base, MongoClient)
    # Files are read and imported once, whatever happens to them meanwhile.
    directory = KeptDirectory(site.directory)
    functions = directory.functions_of
    return Site(settings, cluster, unheard, functions, directory, others=site.others)


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
