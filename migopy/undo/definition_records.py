"""The record of one command that changed a definition, kept as a chunk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bson import Binary

from migopy.undo.definition_changes import Touched
from migopy.undo.definitions import Definition

Document = dict[str, Any]


@dataclass(frozen=True)
class DefinitionRecord:
    """What a command has made of a definition.

    Invariant: `before` was kept before the command was sent. `aside` is the collection
    to which what it drops was moved, with all documents; for a rename that replaced a
    collection, `replaced` is that one's definition. `after` means something only if
    `is_settled`: then it is known what came of the command.
    """

    command: str
    touched: Touched
    before: Definition | None
    replaced: Definition | None = None
    aside: str = ''
    after: Definition | None = None
    is_settled: bool = False

    @property
    def before_uuid(self) -> Any:
        """Give what tells the collection apart from any other, `None` for a view."""
        return None if self.before is None else self.before.uuid

    def settled(self, after: Definition | None) -> DefinitionRecord:
        """Give it with what came of the command."""
        return replace(self, after=after, is_settled=True)

    def outcome(self) -> Document:
        """Give the fields that say what came of it."""
        return {'after': _packed(self.after), 'is_settled': self.is_settled}

    def document(self) -> Document:
        """Give the fields of its chunk."""
        return {
            'command': self.command,
            'touched': vars(self.touched),
            'before': _packed(self.before),
            'replaced': _packed(self.replaced),
            'aside': self.aside,
            **self.outcome(),
        }

    @classmethod
    def of(cls, document: Document) -> DefinitionRecord:
        """Read what `document` has given; raises `ValueError` for anything else."""
        try:
            return cls(
                document['command'],
                Touched(**document['touched']),
                _unpacked(document['before']),
                _unpacked(document['replaced']),
                document['aside'],
                _unpacked(document['after']),
                document['is_settled'],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(error) from error


def _packed(definition: Definition | None) -> Binary | None:
    return None if definition is None else Binary(definition.as_bytes())


def _unpacked(data: Binary | None) -> Definition | None:
    return None if data is None else Definition.from_bytes(data)
