"""What is kept of one command that changes a definition: a chunk of its own kind."""

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

    Invariant: `before` was kept before the command was sent. `aside` is where what it
    drops has gone whole, documents and all, `replaced` what that was defined as where
    it stood under the new name of what is renamed. `after` is of use where
    `is_settled` says that what came of the command is known.
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
