"""Loops over `batches` that are left within the transaction of a batch."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextvars import ContextVar
from types import CodeType
from typing import Any, NamedTuple

from migopy.effects import Recording

Loop = Generator[list[Any], None, None]


class Left(NamedTuple):
    """A loop that was left within the transaction of a batch.

    `done` is how many documents of `namespace` it had done before that batch.
    `is_tried` is whether that was in a dry run, in which there are no such
    transactions.
    """

    namespace: str
    done: int
    is_tried: bool = False


class Call(NamedTuple):
    """A call of `batches`.

    Invariant: of two that are equal, the second one gives to the same lines what the
    first one gave to them, from the beginning.
    """

    namespace: str
    query: bytes
    #: The lines that led to it, as `calling_lines` gives them.
    lines: tuple[tuple[CodeType, int], ...]

    def give(
        self,
        documents: list[Any],
        done: int,
        effects: Recording | None,
        is_tried: bool = False,
    ) -> Loop:
        """Give a batch; note where the loop is left with it, for an error to say so."""
        before = count_changes(effects)
        IN_TRIED.set(is_tried)
        try:
            yield documents
        except GeneratorExit:
            left = Left(self.namespace, done, is_tried)
            LEFT.set(left)
            if count_changes(effects) != before:
                LOST.set({**LOST.get({}), self: left})
            raise
        finally:
            IN_TRIED.set(False)

    def has_ended(self) -> None:
        """Note that its loop has gone through all: nothing of an equal one is lost."""
        lost = LOST.get({})
        LOST.set({call: left for call, left in lost.items() if call != self})


#: Whether the body of a loop has a batch, in a dry run, that would be a transaction.
IN_TRIED: ContextVar[bool] = ContextVar('IN_TRIED', default=False)

#: The last loop of this run that was left so.
LEFT: ContextVar[Left | None] = ContextVar('LEFT', default=None)

#: The loops of this run that were left so when they had changed something, in order,
#: unless the same has gone through all since.
LOST: ContextVar[dict[Call, Left]] = ContextVar('LOST')


def count_changes(effects: Recording | None) -> int:
    """Count what a loop has changed so far, what is not certain of it as well."""
    changes = effects.changes.values() if effects is not None else ()
    return sum(
        each.inserted
        + each.modified
        + each.found
        + each.deleted
        + len(each.collection)
        + len(each.indexes)
        + len(each.notes)
        for each in changes
    )


def names_written(before: Iterable[str], effects: Recording | None) -> list[str]:
    """List what a loop has written to, with what it had `before` it went on."""
    names = set(before)
    for each in effects.changes if effects is not None else ():
        names.update(each.split(' + '))
    return sorted(names)
