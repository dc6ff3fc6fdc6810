"""The server that most databases share, asked once before any of them is begun."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from migopy.errors import MigopyException
from migopy.many.databases import Database
from migopy.many.members import Members
from migopy.many.selecting import Selection


class Greeted(NamedTuple):
    """Which databases can be begun, and why the others cannot.

    Invariant: if some are `unreached`, `error` says why.
    """

    reached: Sequence[Database]
    unreached: Sequence[Database]
    error: MigopyException | None


def are_apart(databases: Sequence[Database]) -> bool:
    """Tell whether some have settings of their own, so may be on another server."""
    return any(each.settings for each in databases)


def greet(
    members: Members, databases: Sequence[Database], selection: Selection
) -> Greeted:
    """Find out whether the server that most databases share can be used at all.

    If it cannot, only those on other servers are begun, or with `fail_fast` none.
    Raises the error if there are no other servers.
    """
    apart = are_apart(databases)
    if selection.workers == 1 and not apart:
        return Greeted(databases, [], None)  # the first one finds it out
    try:
        members.greet(databases)
    except MigopyException as error:
        if not apart:
            error.change_commands(selection.narrow)
            raise
        unreached = [each for each in databases if not each.settings]
        others = [each for each in databases if each.settings]
        return Greeted([] if selection.fail_fast else others, unreached, error)
    return Greeted(databases, [], None)
