"""The documents of a time series, as they are read, however the server packs them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database

from migopy.differences import documents, elements

#: Documents that are read; of more the server gives the number.
MOST = 100_000

#: How an ObjectId is told in BSON.
OBJECT_ID = 0x07

#: Sums of digests are no longer than these.
MODULUS = 2**256


@dataclass(frozen=True)
class Measured:
    """The documents of a time series at one moment.

    Invariant: two have the same `whole` only if they have the same documents, in
    whatever order; `bodies` is the same without ObjectIds as `_id`s. Both are `None`
    where there are more than `MOST`.
    """

    number: int
    whole: int | None = None
    bodies: int | None = None


def measured(db: Database[Any], name: str) -> Measured:
    """Read the documents of a time series, or count them if there are too many."""
    number = db[name].count_documents({})
    if number > MOST:
        return Measured(number)
    number = whole = bodies = 0
    for batch in db[name].find_raw_batches({}):
        for document in documents(batch):
            # The order of fields depends on the documents that it is packed with.
            parts = sorted(elements(document))
            body = [
                each for each in parts if each[0] != b'_id' or each[1].type != OBJECT_ID
            ]
            number += 1
            whole += _digest(parts)
            bodies += _digest(body)
    return Measured(number, whole % MODULUS, bodies % MODULUS)


def _digest(parts: list[Any]) -> int:
    digest = hashlib.sha256()
    for name, value in parts:
        digest.update(b'%b\0%c%b' % (name, value.type, value.data))
    return int.from_bytes(digest.digest(), 'big')
