"""Which documents the steps of a dry run would change."""

from __future__ import annotations

import time

from migopy.differences import Comparison, States, compare
from migopy.effects import Changes, Effects, Evidence

#: Seconds for one collection, and for all of a dry run, whose transaction the server
#: ends after a minute.
EACH = 5.0
ALL = 20.0


class Comparer:
    """Looks for the first documents that steps have changed.

    Invariant: it reads only collections that a step has touched, for `EACH` seconds a
    collection and `ALL` seconds in total at most.
    """

    def __init__(self, wanted: int, database: str) -> None:
        """Take how many documents of each collection are wanted.

        The collections of `database` come first.
        """
        self._own = f'{database}.'
        self._wanted = wanted
        self._left = ALL

    def compare(
        self, states: States, effects: Effects, evidence: Evidence
    ) -> list[Comparison]:
        """Compare what a step has touched, each collection on its own."""
        comparisons = []
        names = touched(effects)
        names.sort(key=lambda name: (not name.startswith(self._own), name))
        for namespace in names:
            began = time.monotonic()
            seconds = min(EACH, self._left)
            clues = evidence.of(namespace)
            comparisons.append(compare(states, namespace, clues, self._wanted, seconds))
            self._left -= time.monotonic() - began
        return comparisons


def touched(effects: Effects) -> list[str]:
    """List the collections whose documents have changed, or may have."""
    names: dict[str, None] = {}
    for namespace, changes in effects.changes.items():
        if _may_have_changed(changes):
            names.update(dict.fromkeys(namespace.split(' + ')))
    # What stands without a collection is about a database.
    return [each for each in names if '.' in each]


def _may_have_changed(changes: Changes) -> bool:
    documents = changes.inserted + changes.modified + changes.found + changes.deleted
    return bool(documents or changes.notes)
