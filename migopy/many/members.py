"""The databases of a manager that has many, and the manager for each of them."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pymongo.errors import PyMongoError

from migopy.cluster import Cluster, client_maker
from migopy.defaults import Defaults
from migopy.files import KeptDirectory
from migopy.many.databases import (
    SYSTEM,
    Database,
    NoDatabases,
    found_by,
    is_pattern,
    shown,
    titled,
)
from migopy.many.gathered import Gathered
from migopy.run import Observer
from migopy.server import (
    CHECKS,
    BadSettings,
    await_first_contact,
    explained,
    require_sound,
)
from migopy.site import Site
from migopy.site_settings import SiteSettings, settings_of

#: What a manager keeps that is of one database.
OF_ONE = ('_site', '_text', 'mongo_client', 'db', 'collection')

#: Settings that a database cannot have for itself.
OF_ALL = frozenset({'MONGO_DATABASE', 'MONGO_DATABASES'})

#: Clusters that nobody uses at this moment whose clients are kept.
IDLE = 8


class Member(NamedTuple):
    """One of many databases: the manager for it alone, and its site."""

    manager: Any
    site: Site


class Members:
    """The databases of a manager that has many.

    Invariant: they share the migrations, which are read once, and one client for each
    cluster; all else each has for itself.
    """

    def __init__(self, manager: Defaults, site: Site) -> None:
        """Take the manager, and its site, which has the cluster of most.

        Raises what reading the folder of migrations does.
        """
        self._manager = manager
        self._site = site
        self._directory = KeptDirectory(site.directory)
        self._turn = threading.Lock()
        self._clusters: dict[str, Cluster] = {}
        #: The servers of all that were listed, and what no text may show of any.
        self.where = ''
        self.secrets: list[str] = []
        self._in_use: Counter[str] = Counter()

    def databases(self, given: Iterable[Any]) -> list[Database]:
        """List the databases that a fabfile gives, those that patterns find among them.

        Raises `BadSettings` for what cannot be one, `NoDatabases` where there is none.
        """
        listed: list[tuple[str, str, Mapping[str, Any], bool]] = []
        for each in [given] if isinstance(given, str) else given:
            name, own = _checked(each)
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
                raise NoDatabases(f'No database on {where} fits {name!r}')
            listed += [(one, where, own, True) for one in names]
        if not listed:
            raise NoDatabases('MONGO_DATABASES names no database')
        servers = sorted({where for _, where, _, _ in listed})
        self.where = (
            ', '.join(servers) if len(servers) < 4 else f'{len(servers)} servers'
        )
        return titled(listed)

    def member(
        self, database: Database, logger: Any, gathered: Gathered | None = None
    ) -> Member:
        """Make the manager for one database; `logger` takes what it says.

        `gathered` is told what happens, in place of a person.
        """
        manager = self._configured(database.name, database.settings)
        settings = settings_of(manager)
        cluster = self._cluster(settings, database.settings)
        notify = manager._notify if gathered is None else gathered.warned
        functions = self._directory.functions_of
        site = Site(settings, cluster, notify, functions, self._directory)
        vars(manager).update(_site=site, _of_many=database, logger=logger)
        if gathered is not None:
            observer: Observer = gathered
            vars(manager)['_text'] = observer
        return Member(manager, site)

    def done(self, database: Database) -> None:
        """Hear that nobody uses a database's cluster for it any more.

        Of clusters that nobody uses a few are kept, as the next database may be there.
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

    def _configured(self, name: str, own: Mapping[str, Any]) -> Any:
        manager = copy.copy(self._manager)
        attributes = vars(manager)
        for each in OF_ONE:
            attributes.pop(each, None)
        attributes.update(own, MONGO_DATABASE=name, MONGO_DATABASES=None)
        # One user of all is in one place; one of a tenant's own in its database.
        if manager.MONGO_USER and not manager.MONGO_AUTH_SOURCE and not own:
            attributes['MONGO_AUTH_SOURCE'] = 'admin'
        return manager

    def _settings(self, name: str, own: Mapping[str, Any]) -> SiteSettings:
        return settings_of(self._configured(name, own))

    def _cluster(self, settings: SiteSettings, own: Mapping[str, Any]) -> Cluster:
        """Give the cluster of a database, which is in use until `done`."""
        with self._turn:
            if not own:
                cluster = self._site.cluster
            else:
                key = _key(settings)
                known = self._clusters.pop(key, None)
                cluster = known or Cluster(
                    settings.server, settings.base, client_maker(self._manager)
                )
                # The one that was asked for last comes last.
                self._clusters[key] = cluster
            _ = cluster.client  # made here, for two threads would make two
            if own:
                self._in_use[key] += 1
            return cluster

    def _names_on(self, cluster: Cluster, settings: SiteSettings) -> list[str]:
        try:
            await_first_contact(cluster.client, settings.server)
            names: list[str] = cluster.client.list_database_names()
        except PyMongoError as error:
            raise explained(error, settings.server, cluster.made) from error
        return names


def _key(settings: SiteSettings) -> str:
    place, options = settings.server.arguments()
    return repr((place, sorted(options.items())))


def _checked(given: Any) -> tuple[str, Mapping[str, Any]]:
    """Read a name, or a pair of a name and settings; raises `BadSettings`."""
    pair = (given, {}) if isinstance(given, str) else given
    try:
        name, own = pair
    except (TypeError, ValueError) as error:
        raise BadSettings(_wrong(given)) from error
    if not isinstance(name, str) or not isinstance(own, Mapping):
        raise BadSettings(_wrong(given))
    plain = name.replace('*', '').replace('?', '') if is_pattern(name) else name
    wish = CHECKS['MONGO_DATABASE'](plain)
    if not name or wish is not None:
        raise BadSettings(
            f'{shown(name)} of MONGO_DATABASES must be'
            f' {wish or "the name of a database"}.'
        )
    if name in SYSTEM:
        raise BadSettings(
            f"{name} of MONGO_DATABASES is MongoDB's own, so no migration runs there."
        )
    for setting in own:
        if setting in OF_ALL or not str(setting).startswith('MONGO_'):
            raise BadSettings(
                f'{setting} is no setting that a database of MONGO_DATABASES can have'
                ' for itself. Those that say where it is do: MONGO_URI, MONGO_USER, …'
            )
    if own:
        require_sound({each: own[each] for each in own if each in CHECKS}, [])
        unknown = next((each for each in own if each not in CHECKS), None)
        if unknown is not None:
            raise BadSettings(f'{unknown} is no setting of migopy.')
    return name, own


def _wrong(given: object) -> str:
    # It may have a password in it, so it is not shown.
    return (
        'MONGO_DATABASES must be names, patterns such as tenant_*, or pairs of a name'
        f' and a dict of settings; there is a {type(given).__name__}.'
    )
