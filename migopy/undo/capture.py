"""What a transaction has changed, as images, before it is committed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo.client_session import ClientSession

from migopy.differences import (
    Difference,
    Scan,
    States,
    look,
    look_up,
    state_before,
)
from migopy.undo.errors import TooManyImages
from migopy.undo.images import Images
from migopy.undo.kept import Kept

#: Pairs of a chunk, and bytes of their documents, or one pair.
PAIRS = 2000
BYTES = 4_000_000

#: Of three transactions that are opened one after the other with this read concern each
#: sees what those before it see.
LEVEL = 'local'


class Capture:
    """The state before a transaction, to find out what that has changed.

    Invariant: a pair is what the transaction has made of a document, and nothing that
    others have. What the transaction changes is in the state that was opened after it
    as it was: else its write would have met a conflict. What differs otherwise others
    have changed between the state that was opened before and that one; of that a trial
    write tells whose it is.
    """

    def __init__(
        self,
        client: Any,
        earlier: ClientSession,
        session: ClientSession,
        before: ClientSession,
    ) -> None:
        """Take the sessions of three open transactions, in the order of opening."""
        self._states = States(client, before, session)
        self._earlier = earlier

    def exists(self, namespace: str) -> bool:
        """Tell whether a collection is there without the transaction."""
        return self._states.exists(namespace)

    def pairs(self, namespace: str, was_there: bool) -> Iterator[list[Difference]]:
        """Iterate over what the transaction has changed in a collection, in batches.

        `was_there` is what `exists` says. Raises `PyMongoError`.
        """
        scan = Scan(self._states, namespace, math.inf)
        for batch in in_chunks(scan.differences()):
            own = self._own(namespace, batch) if was_there else batch
            if own:
                yield own

    def _own(self, namespace: str, batch: Sequence[Difference]) -> list[Difference]:
        collection = self._states.collection(namespace)
        ids = [each.id for each in batch]
        earlier = look_up(collection, ids, self._earlier)
        return [
            each
            for id, each in zip(ids, batch)
            if earlier.get(id) == each.before
            or self._states.is_own(namespace, *each, for_certain=True)
        ]


@contextmanager
def capturing(
    session: ClientSession, database: str, collection: str
) -> Iterator[Capture]:
    """Open the transaction of a session between two others that see the state before.

    `collection` is one that the user may read.
    """
    client = session.client
    with state_before(client, database, collection, LEVEL) as earlier:
        look(session, database, collection)
        with state_before(client, database, collection, LEVEL) as before:
            yield Capture(client, earlier, session, before)


def keep(
    images: Images,
    kept: Kept,
    namespace: str,
    batches: Iterator[list[Difference]],
    session: ClientSession,
    limit: float,
) -> int:
    """Keep images in a session's transaction, and count them; `limit` is in MB.

    Raises `TooManyImages`.
    """
    count = 0
    for pairs in batches:
        images.add(kept, namespace, pairs, session)
        count += len(pairs)
        if kept.stored > limit * 1_000_000:
            raise TooManyImages(limit)
    return count


def in_chunks(differences: Iterator[Difference]) -> Iterator[list[Difference]]:
    """Put as many pairs together as a chunk has."""
    pairs: list[Difference] = []
    size = 0
    for each in differences:
        length = len(each.before or b'') + len(each.after or b'')
        if pairs and (len(pairs) == PAIRS or size + length > BYTES):
            yield pairs
            pairs, size = [], 0
        pairs.append(each)
        size += length
    if pairs:
        yield pairs
