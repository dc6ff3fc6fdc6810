"""Indexes and validators that would be there, and that nobody enforces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True)
class Constraint:
    """A unique or TTL index, or a validator, that the server does not know of.

    One of `index` and `validator` is `None`. `broken` is by how many documents or
    values it was broken when it was made.
    """

    namespace: str
    name: str
    index: Document | None
    validator: Mapping[str, Any] | None
    broken: int


class Constraints:
    """The constraints that a dry run has answered for.

    Invariant: those of a collection are given to be checked only if it was written to
    since they were made, or were checked last.
    """

    def __init__(self) -> None:
        self._all: list[Constraint] = []
        self._written: set[str] = set()

    def add_index(self, namespace: str, index: Document, broken: int = 0) -> None:
        """Add a unique index, or a TTL index with the documents that have expired."""
        name = f'the unique index {namespace}.{index["name"]}'
        self._add(Constraint(namespace, name, index, None, broken))

    def add_validator(
        self, namespace: str, options: Mapping[str, Any], broken: int = 0
    ) -> None:
        """Add the validator of a collection's options, if it would reject anything."""
        validator = options.get('validator')
        if validator and is_enforced(options):
            name = f'the validator of {namespace}'
            self._add(Constraint(namespace, name, None, validator, broken))

    def drop_index(self, namespace: str, index: Document) -> None:
        """Drop an index, if it is one of these."""
        self._all = [
            each
            for each in self._all
            if each.namespace != namespace or each.index != index
        ]

    def move(self, namespace: str, target: str) -> None:
        """Have those of a collection be of another one, and be checked there."""
        self._all = [
            replace(each, namespace=target) if each.namespace == namespace else each
            for each in self._all
        ]
        self._written.add(target)

    def drop_validator(self, namespace: str) -> None:
        """Drop the validator of a collection, if it is one of these."""
        self._all = [
            each
            for each in self._all
            if each.namespace != namespace or each.validator is None
        ]

    def drop_all(self, namespace: str) -> None:
        """Drop those of a collection."""
        self._all = [each for each in self._all if each.namespace != namespace]

    def note_writes(self, namespaces: Iterable[str]) -> None:
        """Note that collections are about to be written to."""
        self._written.update(namespaces)

    def to_be_checked(self) -> list[Constraint]:
        """Give those that later writes may have broken; each write counts once."""
        concerned = [each for each in self._all if each.namespace in self._written]
        self._written.clear()
        return concerned

    def _add(self, constraint: Constraint) -> None:
        self._all.append(constraint)
        self._written.discard(constraint.namespace)


def is_enforced(options: Mapping[str, Any]) -> bool:
    """Tell whether documents are rejected, and not let in with a word in the log."""
    return (
        options.get('validationLevel') != 'off'
        and options.get('validationAction') != 'warn'
    )
