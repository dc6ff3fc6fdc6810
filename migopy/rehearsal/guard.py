"""The guard that sees what a rehearsed migration sends, and refuses some of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from migopy.effects import ENDS, READS, Address, namespace_of
from migopy.errors import MigopyException
from migopy.rehearsal.preserving import Preserver
from migopy.texts import one_line


class RefusedElsewhere(BaseException):
    """A write to another server than the scratch one; it was not sent.

    No `Exception`, as PyMongo swallows those of a listener.
    """


class WroteElsewhere(MigopyException):
    """A rehearsed migration was about to write to another place than the scratch one.

    `command` is what was to be sent, `namespace` what it was for, `where` the address.
    """

    def __init__(self, command: str, namespace: str, where: str) -> None:
        self.command = command
        self.namespace = namespace
        self.where = where
        super().__init__(
            f'It tried to write to {where} ({command} on {one_line(namespace)}), which'
            ' does not belong to the rehearsal. It has a client of its own, as models'
            ' of an ODM have. The write was refused before it was sent. Let the'
            ' migration use the db that it is given'
        )


class Guard:
    """The guard of a rehearsal.

    Invariant: nothing is written outside of the scratch server, and if that server is
    not private, outside of the scratch database. Preservers hear of each write before
    it.
    """

    def __init__(self, client: Any, database: str, is_private: bool) -> None:
        """Take the scratch client and database, and whether the server is its own."""
        self._client = client
        self._database = database
        self._is_private = is_private
        self._preservers: Sequence[Preserver] = ()
        self._refused: WroteElsewhere | None = None

    def begin(self, preservers: Sequence[Preserver]) -> None:
        """Have preservers know of each write, until `end`."""
        self._preservers, self._refused = preservers, None

    def end(self) -> WroteElsewhere | None:
        """Let go of the preservers; give the first write since that was refused."""
        self._preservers = ()
        return self._refused

    def see(self, name: str, database: str, command: Any, address: Address) -> None:
        """See a command before it is sent; raises `RefusedElsewhere`."""
        if name in READS or name in ENDS:
            return  # the writes of a transaction that ends were seen already
        target = namespace_of(name, database, command)
        if target is None:
            return
        parts = target.split(' + ')
        if name == 'renameCollection':
            parts.append(str(command.get('to')))
        is_elsewhere = address not in self._client.nodes
        if not self._is_private:
            names = {each.partition('.')[0] for each in parts}
            is_elsewhere = is_elsewhere or names != {self._database}
        if is_elsewhere:
            host, port = address
            where = host if port is None else f'{host}:{port}'
            found = WroteElsewhere(name, target, where)
            self._refused = self._refused or found
            raise RefusedElsewhere(found.message)
        self._prepare(parts)

    def _prepare(self, parts: Sequence[str]) -> None:
        own = f'{self._database}.'
        names = [each[len(own) :] for each in parts if each.startswith(own)]
        is_of_all = self._database in parts
        for each in self._preservers:
            each.about_to_write(None if is_of_all else names)
