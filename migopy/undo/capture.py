"""What a transaction has changed, as images, before it is committed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from migopy.differences import (
    Difference,
    Scan,
    States,
    Value,
    aligned,
    are_in_a_row,
    fetch,
    id_of,
    look_up,
    match_to_ids,
    pin_snapshot,
    queries_for_values,
    state_before,
)
from migopy.undo.errors import TooManyImages
from migopy.undo.image_sets import ImageSet
from migopy.undo.images import Images

#: Pairs of a chunk, and bytes of their documents, or one pair.
PAIRS = 2000
BYTES = 4_000_000

#: Bytes of chunks that wait for others, to be written with them.
WAITING = 1_000_000

#: Documents that are looked up at once.
AT_ONCE = 1000

#: After so many chunks whose documents do not stand in a row in the collection,
#: documents are looked up one by one.
NO_RUNS = 2

#: With this read concern, each of three transactions that are opened one after another
#: sees what the one before it sees.
LEVEL = 'local'


class Capture:
    """The state before a transaction, to find out what that has changed.

    Invariant: a pair is what the transaction has made of a document, and nothing that
    others have. The state opened after the transaction has its documents as they were
    before, or its writes would have met a conflict. What else differs, others have
    changed between the two states; a trial write tells whose a change is.
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
        self._session = session
        self._before = before

    def exists(self, namespace: str) -> bool:
        """Tell whether a collection is there without the transaction."""
        return self._states.exists(namespace)

    def pairs(self, namespace: str, was_there: bool) -> Iterator[list[Difference]]:
        """Iterate over what the transaction has changed in a collection, in batches.

        `was_there` is what `exists` says. Raises `PyMongoError`.
        """
        scan = Scan(self._states, namespace, math.inf)
        no_runs = 0
        for batch in in_chunks(scan.differences()):
            if not was_there:
                yield batch
                continue
            # If all documents are changed, reading them in a row costs a third.
            is_whole = no_runs < NO_RUNS and self._was_run(namespace, batch)
            no_runs = 0 if is_whole else no_runs + 1
            own = batch if is_whole else self._own(namespace, batch)
            if own:
                yield own

    def pairs_of(
        self, namespace: str, ids: Sequence[Value], was_there: bool
    ) -> Iterator[list[Difference]]:
        """Do the same where only documents with these `_id`s may have changed."""
        return in_chunks(self._looked_up(namespace, ids, was_there))

    def _looked_up(
        self, namespace: str, ids: Sequence[Value], was_there: bool
    ) -> Iterator[Difference]:
        """Iterate over the changes of these documents, each of them once."""
        seen: set[Value] = set()
        for place in range(0, len(ids), AT_ONCE):
            some = ids[place : place + AT_ONCE]
            for each in self._compared(namespace, some, was_there):
                id = each.id
                if id not in seen:
                    seen.add(id)
                    yield each

    def _compared(
        self, namespace: str, ids: Sequence[Value], was_there: bool
    ) -> list[Difference]:
        """List what the transaction has changed of the documents with these `_id`s."""
        collection = self._states.collection(namespace)
        queries = queries_for_values(ids)
        before = fetch(collection, queries, self._before) if was_there else b''
        after = fetch(collection, queries, self._session)
        differences = aligned(before, after)
        if differences is None:
            old = match_to_ids(collection, ids, before, self._before)
            new = match_to_ids(collection, ids, after, self._session)
            differences = [*self._told_apart(collection, old, new, was_there)]
        if not was_there or not differences:
            return differences
        if fetch(collection, queries, self._earlier) == before:
            return differences
        return self._own(namespace, differences)

    def _told_apart(
        self,
        collection: Collection[Any],
        before: Mapping[Value, bytes],
        after: Mapping[Value, bytes],
        was_there: bool,
    ) -> Iterator[Difference]:
        """Iterate over the differences of documents that may be in one state alone."""
        new = [each for each in after if each not in before]
        # Equal to the server, as 1 and 1.0 are: one has replaced the other.
        same = look_up(collection, new, self._before) if was_there else {}
        replaced = {id_of(each) for each in same.values()}
        for id, document in before.items():
            if id not in after and id not in replaced:
                yield Difference(document, None)
        for id, document in after.items():
            old = before.get(id, same.get(id))
            if old != document:
                yield Difference(old, document)

    def _was_run(self, namespace: str, batch: Sequence[Difference]) -> bool:
        """Tell whether documents were the same already in the state opened first.

        It is false if they do not stand one after another, even where they were.
        """
        collection = self._states.collection(namespace)
        run = [each.before for each in batch if each.before is not None]
        return len(run) == len(batch) and are_in_a_row(collection, run, self._earlier)

    def _own(self, namespace: str, batch: Sequence[Difference]) -> list[Difference]:
        """List the differences that the transaction itself has made."""
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
        pin_snapshot(session, database, collection)
        with state_before(client, database, collection, LEVEL) as before:
            yield Capture(client, earlier, session, before)


def keep(
    images: Images,
    kept: ImageSet,
    namespace: str,
    batches: Iterable[list[Difference]],
    session: ClientSession,
    limit: float,
    saves: bool = False,
) -> int:
    """Keep images in a session's transaction, and count them; `limit` is in MB.

    With `saves` what is known of them is written with the last ones. Raises
    `TooManyImages`.
    """
    count = 0
    waiting: list[dict[str, Any]] = []
    for pairs in batches:
        waiting += images.chunk(kept, namespace, pairs)
        count += len(pairs)
        if kept.stored > limit * 1_000_000:
            raise TooManyImages(limit)
        if sum(len(each['data']) for each in waiting) > WAITING:
            images.add(waiting, session)
            waiting = []
    if saves:
        images.add_and_save(waiting, kept, session)
    elif waiting:
        images.add(waiting, session)
    return count


def in_chunks(differences: Iterable[Difference]) -> Iterator[list[Difference]]:
    """Put pairs together in lists as large as a chunk."""
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
