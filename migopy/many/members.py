"""The databases of a manager that has many, and the manager for each of them."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pymongo.errors import OperationFailure, PyMongoError

from migopy.cluster import Cluster, client_maker
from migopy.codes import UNAUTHORIZED
from migopy.errors import MigopyException
from migopy.files import KeptDirectory
from migopy.many.databases import (
    Database,
    NoDatabases,
    found_by,
    place_of,
    titled,
)
from migopy.many.declared import Declared, in_sentence
from migopy.many.gathered import Gathered
from migopy.many.patterns import is_pattern
from migopy.server import await_first_contact, explained
from migopy.site import Site
from migopy.site_settings import SiteSettings, settings_of

#: How many clusters keep their clients while nobody uses them.
IDLE = 8

#: What a user needs to see databases on which it has no right.
SEES_ALL = 'a role that allows listDatabases on the cluster shows them'


class Member(NamedTuple):
    """One of many databases: the manager for it alone, and its site."""

    manager: Any
    site: Site


class Members:
    """The databases of a manager that has many.

    Invariant: they share the migrations, which are read once, and one client for each
    cluster; all else each has for itself.
    """

    def __init__(self, manager: Any, site: Site) -> None:
        """Take the manager, and its site, which has the cluster that most are on.

        Raises what reading the folder of migrations does.
        """
        self._manager = manager
        self._site = site
        self._directory = KeptDirectory(site.directory)
        self._turn = threading.Lock()
        self._clusters: dict[str, Cluster] = {}
        #: The servers of all that were listed, the one server if there is but one, and
        #: the secrets that no text may show.
        self.where = self.server = ''
        self.secrets: list[str] = []
        #: Says that a pattern was compared with a part of the databases alone.
        self.unseen = ''
        self._in_use: Counter[str] = Counter()
        #: The names of those that were listed, by the places of their servers.
        self._names: dict[str, frozenset[str]] = {}
        #: The errors of servers that did not answer, by their places.
        self._unreached: dict[str, MigopyException] = {}

    def databases(self, given: Iterable[Declared], source: str) -> list[Database]:
        """List the databases that a fabfile declares, with those that patterns find.

        `source` says where they are declared. Raises `NoDatabases` if there is none.
        """
        listed: list[tuple[str, str, Mapping[str, Any], bool]] = []
        for name, own in given:
            settings = self._settings(name, own)
            where = settings.server.where
            if own:
                self.secrets += settings.server.secrets
            if not is_pattern(name):
                listed.append((name, where, own, False))
                continue
            cluster = self._cluster(settings, own)
            names = found_by(name, self._names_on(cluster, settings))
            if not names:
                seen = f' that the user may see ({SEES_ALL})' if self.unseen else ''
                raise NoDatabases(f'No database on {where}{seen} fits {name!r}', source)
            listed += [(one, where, own, True) for one in names]
        if not listed:
            raise NoDatabases(f'{in_sentence(source)} names no database', source)
        servers = {place_of(where): where for _, where, _, _ in listed}
        self.where = _servers(servers)
        self.server = self.where if len(servers) == 1 else ''
        self._names = _by_place((name, where) for name, where, _, _ in listed)
        return titled(listed)

    def greet(self, databases: Iterable[Database]) -> None:
        """Log in at the server that most share, once, before several threads do.

        If the server refused the user, PyMongo would have every other thread wait ten
        seconds and log in once more. Raises `MigopyException`.
        """
        ordinary = next((each for each in databases if not each.settings), None)
        if ordinary is None:
            return
        settings = self._settings(ordinary.name, ordinary.settings).server
        cluster = self._site.cluster
        try:
            await_first_contact(cluster.client, settings)
            cluster.client.admin.command('ping')
        except PyMongoError as error:
            raise explained(error, settings, cluster.made) from error

    def member(
        self, database: Database, logger: Any, gathered: Gathered | None = None
    ) -> Member:
        """Make the manager for one database; `logger` takes what it says.

        If `gathered` is given, it is told what happens, instead of a person.
        """
        manager = self._manager._copy_for(database.name, database.settings)
        settings = settings_of(manager)
        cluster = self._cluster(settings, database.settings)
        notify = manager._notify if gathered is None else gathered.warned
        functions = self._directory.functions_of
        names = self._names.get(place_of(settings.server.where), frozenset())
        site = Site(settings, cluster, notify, functions, self._directory, others=names)
        manager._take(database, site, logger, gathered)
        return Member(manager, site)

    def unreached(self, database: Database, error: MigopyException) -> None:
        """Hear that a database's server did not answer, and the error."""
        self._unreached[self._place(database)] = error

    def error_of(self, database: Database) -> MigopyException | None:
        """Give the error of a server that did not answer; nobody is to wait again."""
        return self._unreached.get(self._place(database)) if self._unreached else None

    def done(self, database: Database) -> None:
        """Hear that the work on a database is over.

        A few clusters that nobody uses are kept, as the next database may be there.
        """
        if not database.settings:
            return
        key = _key(self._settings(database.name, database.settings))
        with self._turn:
            self._in_use[key] -= 1
            idle = [each for each in self._clusters if not self._in_use[each]]
            for each in idle[:-IDLE]:
                self._clusters.pop(each).disconnect()
                del self._in_use[each]

    def disconnect(self) -> None:
        """Close the clients of clusters that single databases have."""
        for cluster in self._clusters.values():
            cluster.disconnect()

    def _settings(self, name: str, own: Mapping[str, Any]) -> SiteSettings:
        return settings_of(self._manager._copy_for(name, own))

    def _place(self, database: Database) -> str:
        settings = self._settings(database.name, database.settings)
        return place_of(settings.server.where)

    def _cluster(self, settings: SiteSettings, own: Mapping[str, Any]) -> Cluster:
        """Give the cluster of a database, which is in use until `done`."""
        if not own:
            return self._site.cluster
        key = _key(settings)
        with self._turn:
            known = self._clusters.pop(key, None)
            cluster = known or Cluster(
                settings.server,
                settings.base,
                client_maker(self._manager),
                self._manager._notify,
            )
            # The one that was used last stands last, so it is kept longest.
            self._clusters[key] = cluster
            self._in_use[key] += 1
            return cluster

    def _names_on(self, cluster: Cluster, settings: SiteSettings) -> list[str]:
        """List the names of a server's databases that the user may see."""
        list_databases = cluster.client.list_databases
        try:
            await_first_contact(cluster.client, settings.server)
            try:
                found = list(list_databases(nameOnly=True, authorizedDatabases=False))
            except OperationFailure as error:
                # Without being asked for all, the server leaves out the others unsaid.
                found = list(list_databases(nameOnly=True))
                if error.code == UNAUTHORIZED:
                    self.unseen = (
                        f'Databases on {settings.server.where} on which the user has no'
                        f' right are left out ({SEES_ALL})'
                    )
        except PyMongoError as error:
            raise explained(error, settings.server, cluster.made) from error
        return [each['name'] for each in found]


def _key(settings: SiteSettings) -> str:
    place, options = settings.server.arguments()
    return repr((place, sorted(options.items())))


def _by_place(listed: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Sort names of databases by the places of their servers."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for name, where in listed:
        names[place_of(where)].add(name)
    return {place: frozenset(each) for place, each in names.items()}


def _servers(servers: Mapping[str, str]) -> str:
    """Say on which servers databases are; if there are many, only how many."""
    if len(servers) < 4:
        return ', '.join(sorted(servers.values()))
    return f'{len(servers)} servers'
