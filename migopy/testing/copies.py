"""A database kept in memory, and made again as often as it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

from pymongo.database import Database

from migopy.differences import documents
from migopy.dumps import Filler, Stored, plain_database, stored_in
from migopy.terminal import unheard


class Copy(NamedTuple):
    """What a small database holds: collections, options, indexes and documents."""

    contents: Sequence[Stored]
    documents: Mapping[str, Sequence[bytes]]

    @classmethod
    def of(cls, db: Database[Any], excluded: Set[str]) -> Copy:
        """Keep a database, but for the collections named in `excluded`."""
        db = plain_database(db)
        contents = [each.stored for each in stored_in(db, excluded)]
        return cls(
            contents,
            {
                each.name: list(_documents(db, each.data_name))
                for each in contents
                if not each.is_view
            },
        )

    def made_in(self, db: Database[Any]) -> None:
        """Make the same again in an empty database."""
        found = self.documents.__getitem__
        filler = Filler(
            db, lambda stored: [found(stored.name)], unheard, is_scratch=True
        )
        filler.fill_all(self.contents, are_small=True)


def _documents(db: Database[Any], name: str) -> Iterable[bytes]:
    for batch in db[name].find_raw_batches():
        yield from documents(batch)
