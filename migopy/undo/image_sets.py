"""What is known of a migration's images, and of one chunk of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId

from migopy.differences import Difference
from migopy.undo.definition_records import DefinitionRecord

Document = dict[str, Any]

#: Selects what is known of images, and no chunks.
KEPT: Document = {
    '_id': {'$type': 'objectId'},
    'name': {'$type': 'string'},
    'at': {'$type': 'date'},
    'runs': {'$type': 'objectId'},
}


@dataclass
class ImageSet:
    """What is known of a migration's images: a document of its own.

    Invariant: its chunks are those whose `_id` begins with its id, and only while it
    is there they are of use. `runs` are the runs of `up` that have made them. `bytes`
    are those of the documents as they were, `stored` those of the chunks. `made` are
    the collections that the migration has made.
    """

    name: str
    at: datetime
    runs: list[ObjectId]
    id: ObjectId = field(default_factory=ObjectId)
    documents: int = 0
    bytes: int = 0
    stored: int = 0
    chunks: int = 0
    made: list[str] = field(default_factory=list)
    #: How many chunks are of definitions, and where collections were set aside that
    #: were dropped.
    defined: int = 0
    aside: list[str] = field(default_factory=list)
    #: The collections whose documents were changed page by page or batch by batch, and
    #: those of them of which there may be a document in several.
    paged: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    #: The mark of an undo that has begun to restore them chunk by chunk, and how many
    #: of the last chunks that has restored.
    undo: ObjectId | None = None
    undone: int = 0
    #: Whether documents can be restored from them: not of what is not applied. It is
    #: not kept, but found out.
    is_of_use: bool = True

    def document(self) -> Document:
        """Give the document that is kept."""
        return {
            '_id': self.id,
            'name': self.name,
            'at': self.at,
            'runs': self.runs,
            'documents': self.documents,
            'bytes': self.bytes,
            'stored': self.stored,
            'chunks': self.chunks,
            'made': self.made,
            'defined': self.defined,
            'aside': self.aside,
            'paged': self.paged,
            'repeated': self.repeated,
        }

    @classmethod
    def of(cls, document: Document) -> ImageSet:
        """Read one that `document` has made."""
        fields = [each for each in cls.__dataclass_fields__ if each != 'id']
        known = {name: document[name] for name in fields if name in document}
        return cls(id=document['_id'], **known)


@dataclass
class Chunk:
    """Pairs of one collection, kept and deleted together, or a definition of one.

    `record` is that definition, and then there are no pairs.
    """

    id: ObjectId
    number: int
    namespace: str
    pieces: int
    pairs: list[Difference]
    record: DefinitionRecord | None = None


class CurrentSet:
    """What is known of the images of a run that is going on.

    Invariant: `kept` is what the database has of them, or is about to have.
    """

    def __init__(self, kept: ImageSet) -> None:
        self.kept = kept
        self.lock = threading.RLock()
