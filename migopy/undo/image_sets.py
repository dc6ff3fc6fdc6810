"""The set of images of a migration, and one chunk of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId

from migopy.differences import Difference
from migopy.undo.definition_records import DefinitionRecord

Document = dict[str, Any]

_COUNT: Document = {'bsonType': ['int', 'long'], 'minimum': 0}
_COUNTS: Document = {'bsonType': 'array', 'items': _COUNT}
_NAMES: Document = {'bsonType': 'array', 'items': {'bsonType': 'string'}}

#: Selects the documents of sets that are as migopy writes them, and no chunks.
KEPT: Document = {
    '_id': {'$type': 'objectId'},
    'name': {'$type': 'string'},
    # No others can be read.
    'at': {'$type': 'date', '$gt': datetime(1, 1, 1), '$lt': datetime(9999, 12, 31)},
    'runs': {'$type': 'objectId'},
    '$jsonSchema': {
        'properties': {
            'runs': {'bsonType': 'array', 'items': {'bsonType': 'objectId'}},
            'undo': {'bsonType': 'objectId'},
            **dict.fromkeys(
                ('documents', 'bytes', 'stored', 'chunks', 'defined', 'undone'), _COUNT
            ),
            **dict.fromkeys(('made', 'aside', 'paged', 'repeated'), _NAMES),
            'made_at': _COUNTS,
        }
    },
}

#: Selects those that have set collections aside, as well while they are deleted.
WITH_ASIDE: Document = {
    '$jsonSchema': {
        'required': ['aside'],
        'properties': {'aside': {**_NAMES, 'minItems': 1}},
    }
}


@dataclass
class ImageSet:
    """The images of one migration, as a document tells of them.

    Invariant: its chunks have an `_id` that begins with its id, and are of use only
    while this document exists. `runs` are the runs of `up` that have made them. `bytes`
    is the size of the documents as they were, `stored` that of the chunks. `made` are
    the collections that the migration has made.
    """

    name: str
    at: datetime
    runs: list[ObjectId]
    id: ObjectId = field(default_factory=ObjectId)
    #: The database that they were made in; of a copy they would change that one.
    database: str = ''
    documents: int = 0
    bytes: int = 0
    stored: int = 0
    chunks: int = 0
    made: list[str] = field(default_factory=list)
    #: For each of these, how many chunks there were once it was made.
    made_at: list[int] = field(default_factory=list)
    #: How many chunks are records of definitions, and where dropped collections were
    #: set aside.
    defined: int = 0
    aside: list[str] = field(default_factory=list)
    #: The collections whose documents were changed page by page or batch by batch, and
    #: those of them that may have a document in several pages or batches.
    paged: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    #: The mark of an undo that has begun to restore them chunk by chunk, and how many
    #: of the last chunks that has restored.
    undo: ObjectId | None = None
    undone: int = 0
    #: Whether documents can be restored from it: not if the migration is not applied.
    #: It is not kept, but found out.
    is_of_use: bool = True
    #: Whether the migration has its file here, without which nothing is rolled back;
    #: not kept either.
    has_file: bool = True

    def add_made(self, namespace: str) -> None:
        """Note that a collection was made, with the last chunks that there are."""
        self.made = [*self.made, namespace]
        self.made_at = [*self.made_at, self.chunks]

    def add_paged(self, namespace: str, comes_again: bool) -> None:
        """Note that documents are changed page by page, and if one may come again."""
        if namespace not in self.paged:
            self.paged = [*self.paged, namespace]
        if comes_again and namespace not in self.repeated:
            self.repeated = [*self.repeated, namespace]

    def made_before(self, number: int) -> int:
        """Count the collections that were made before the chunk of a number was."""
        return sum(each <= number for each in self.made_at)

    def document(self) -> Document:
        """Give the document that is kept."""
        return {
            '_id': self.id,
            'name': self.name,
            'at': self.at,
            'runs': self.runs,
            'database': self.database,
            'documents': self.documents,
            'bytes': self.bytes,
            'stored': self.stored,
            'chunks': self.chunks,
            'made': self.made,
            'made_at': self.made_at,
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


#: What is read of a set; anything else in its document may be unreadable.
FIELDS = sorted({*ImageSet.__dataclass_fields__} - {'id', 'is_of_use', 'has_file'})


@dataclass
class Chunk:
    """Pairs of one collection, kept and deleted together, or a record of a definition.

    With `record` there are no pairs.
    """

    id: ObjectId
    number: int
    namespace: str
    pieces: int
    pairs: list[Difference]
    record: DefinitionRecord | None = None


class CurrentSet:
    """The set of images of the run that is going on, for several threads.

    Invariant: `kept` is what the database has of it, or is about to have.
    """

    def __init__(self, kept: ImageSet) -> None:
        self.kept = kept
        self.lock = threading.RLock()
