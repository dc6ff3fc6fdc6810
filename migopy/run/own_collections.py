"""Refuse a migration the commands that would take away what migopy keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from migopy.effects import ENDS, READS, Address, namespace_of, parts_of
from migopy.errand import is_typed
from migopy.errors import MigopyException
from migopy.run.site import Site
from migopy.texts import one_line

# An `execute` imports nothing of a dry run.
if TYPE_CHECKING:
    from migopy.standin import Told

#: What may take a collection away, or all that is in it.
TAKES_AWAY = frozenset(
    """
    aggregate convertToCapped delete drop dropDatabase mapReduce mapreduce
    renameCollection
    """.split()  # noqa: SIM905
)


class TakesOwn(MigopyException):
    """A migration was about to take away what migopy keeps; it was not sent.

    `command` is what was to be sent, `namespace` what it was for, `names` the
    collections that are to be left alone.
    """

    def __init__(self, command: str, namespace: str, names: list[str]) -> None:
        self.command = command
        self.namespace = namespace
        self.names = names
        super().__init__(
            f'It tried to take away what migopy keeps ({command} on'
            f' {one_line(namespace)}): its lock, the record of what has run, or'
            ' images. That was refused before it was sent.\nDrop or empty your'
            ' collections one by one, and leave out'
            f' {", ".join(names)} and each whose name begins with {names[-1]}.'
        )


class RefusedOwn(BaseException):
    """What `TakesOwn` tells of; `error` is that.

    No `Exception`, as PyMongo swallows those of a listener.
    """

    def __init__(self, error: TakesOwn) -> None:
        self.error = error
        super().__init__(error.message)


class WroteOn(BaseException):
    """A migration was about to write after its lock was found lost; it was not sent.

    No `Exception`, as PyMongo swallows those of a listener.
    """


class OwnNames(NamedTuple):
    """The names of the collections in which migopy keeps what is its own.

    `within` is how the names of parts of the images begin.
    """

    names: frozenset[str]
    within: str

    @classmethod
    def of(cls, site: Site) -> OwnNames:
        """Give those of a site."""
        registry = site.registry.collection.name
        # As the site names it, which would import what only images need.
        images = f'{registry}_undo'
        beside = site.history.collection, site.lock.collection
        names = frozenset({registry, images, *(each.name for each in beside)})
        return cls(names, f'{images}.')

    def has(self, collection: str) -> bool:
        """Tell whether a collection is one of them."""
        return collection in self.names or collection.startswith(self.within)


class OwnCollections:
    """The guard of the collections in which migopy keeps the lock, runs and images.

    Invariant: single documents of them may be read and written, as people have always
    corrected some that way. None of the collections is dropped, renamed, replaced or
    emptied as a whole, neither in the migration's database nor in another one of many
    that share their files. Nothing at all is written once the lock is known to be lost.
    """

    def __init__(self, site: Site, told: Told | None = None) -> None:
        """Take the site; `told` hears of each command that is not refused."""
        self._told = told
        self._lock = site.lock
        self._database = site.db.name
        self._others = site.others
        self._own = OwnNames.of(site)
        #: Whether threads of an unknown origin are a migration's.
        self.guards_strays = is_typed()
        #: The first refusal; a migration may have swallowed it.
        self.refused: TakesOwn | None = None

    def see(
        self, name: str, database: str, command: Mapping[str, Any], address: Address
    ) -> None:
        """See a command before it is sent; raises `RefusedOwn`, `WroteOn`."""
        # Ending what is under way stops no loop: its next write is another command.
        if self._lock.is_lost and _writes(name, database, command):
            raise WroteOn
        self.hear(name, database, command)

    def hear(self, name: str, database: str, command: Mapping[str, Any]) -> None:
        """Hear of a command that is sent or answered; raises `RefusedOwn`."""
        for part in parts_of(name, database, command):
            if part[0] in TAKES_AWAY:
                self._require_spared(*part)
        if self._told is not None:
            self._told(name, database, command)

    def call(self, function: Callable[[], object]) -> object:
        """Call a migration's function; raises `TakesOwn` where it was refused that."""
        try:
            returned = function()
        except RefusedOwn as refused:
            raise refused.error from refused
        if self.refused is not None:
            raise self.refused
        return returned

    def _require_spared(
        self, name: str, database: str, command: Mapping[str, Any]
    ) -> None:
        namespace = namespace_of(name, database, command)
        if namespace is None:
            return
        is_ours = self._is_own(namespace)
        if name == 'renameCollection':
            is_ours = is_ours or self._is_own(str(command.get('to')))
        if is_ours and _takes_all(name, command):
            error = TakesOwn(name, namespace, sorted(self._own.names))
            self.refused = self.refused or error
            raise RefusedOwn(error)

    def _is_own(self, namespace: str) -> bool:
        database, _, collection = namespace.partition('.')
        if database != self._database and database not in self._others:
            return False
        return not collection or self._own.has(collection)


def _writes(name: str, database: str, command: Mapping[str, Any]) -> bool:
    """Tell whether it writes; the end of a transaction has to be sent in any case."""
    if name in READS or name in ENDS:
        return False
    return namespace_of(name, database, command) is not None


def _takes_all(name: str, command: Mapping[str, Any]) -> bool:
    """Tell whether a command leaves nothing of what was in its collection."""
    if name == 'aggregate':
        return '$out' in command['pipeline'][-1]
    if name in ('mapReduce', 'mapreduce'):
        out = command['out']
        return isinstance(out, str) or 'replace' in out
    if name == 'delete':
        statements = command.get('deletes', ())
        return any(not each['q'] and each['limit'] == 0 for each in statements)
    return True
