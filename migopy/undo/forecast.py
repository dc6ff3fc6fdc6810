"""Find out what an undo would do, and what others have done that is in its way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from migopy.differences import (
    Difference,
    Value,
    collection_of,
    documents,
    id_of,
    look_up,
)
from migopy.undo.chunk_groups import groups_of, pairs_of
from migopy.undo.conflicts import LOST, OURS, STOP, Conflict, FoundConflicts
from migopy.undo.definition_decisions import DROP_MADE, Action, Definitions, decide_on
from migopy.undo.definition_records import DefinitionRecord
from migopy.undo.definition_store import recorded
from migopy.undo.document_decisions import decide
from migopy.undo.image_sets import Chunk, ImageSet
from migopy.undo.images import Images
from migopy.undo.unique_keys import Unique, fields_of, found_by, names_of, plain_unique
from migopy.undo.unique_values import Claim, Restored, Who, claims, lost, who


class Foreseen:
    """What is to be done to definitions, to how many documents, and the conflicts.

    `left` are documents, by collection and `_id`, that stay as they are because another
    document has taken a unique value of theirs.
    """

    def __init__(self, repeated: Collection[str] = ()) -> None:
        """Take the collections whose images may hold a document several times."""
        self.actions: list[Action] = []
        self.documents: dict[str, int] = {}
        self.conflicts = FoundConflicts(repeated)
        self.left: set[tuple[str, Value]] = set()


def foresee(images: Images, kept: ImageSet, wish: str) -> Foreseen:
    """Look through the chunks that are left, the last ones first, and change nothing.

    Raises `Damaged`, `PyMongoError`.
    """
    records = recorded(images, kept) if kept.defined else []
    looking = _Forecaster(images.client, kept, wish, records)
    for group in groups_of(images, kept):
        if group[0].record is not None:
            looking.at_made(group[0].number)
            looking.at_definition(group[0].namespace, group[0].record)
        else:
            looking.at_documents(group)
    if kept.defined:
        looking.at_made(-1)
    if looking.claimed:
        looking.settle(images.chunks(kept))
    return looking.found


def may_be_taken(images: Images, kept: ImageSet, wish: str) -> bool:
    """Tell whether documents may have to get unique values back.

    What they have now is not looked up. Raises `Damaged`, `PyMongoError`.
    """
    definitions = Definitions(images.client)
    names = {
        each: names_of(_unique_in(definitions, each))
        for each in images.namespaces(kept)
    }
    if not any(names.values()):
        return False
    return any(
        wish == OURS or _gave_up(pair, names[chunk.namespace])
        for chunk in images.chunks(kept)
        if names[chunk.namespace]
        for pair in chunk.pairs
    )


def _gave_up(pair: Difference, names: Collection[bytes]) -> bool:
    """Tell whether a migration has changed or deleted one of these fields."""
    before, after = pair
    if before is None or after is None:
        return before is not None
    return fields_of(before, names) != fields_of(after, names)


def _unique_in(definitions: Definitions, namespace: str) -> list[Unique]:
    definition = definitions.of(namespace)
    return [] if definition is None else plain_unique(definition.indexes)


def _after(
    records: Iterable[Chunk], client: Any, kept: ImageSet, wish: str
) -> Definitions:
    """Give definitions as they would be after the whole undo."""
    definitions = Definitions(client)
    made = kept.made
    for chunk in records:
        assert chunk.record is not None  # noqa: S101
        first = kept.made_before(chunk.number)
        for namespace in made[first:]:
            definitions.note(Action(DROP_MADE, namespace))
        made = made[:first]
        for each in decide_on(chunk.namespace, chunk.record, definitions, wish):
            if not isinstance(each, Conflict):
                definitions.note(each)
    return definitions


class _Forecaster:
    """Looks at chunk after chunk.

    Invariant: after the last chunk all is in `found`, except what `settle` finds out
    about the unique values in `claimed`.
    """

    def __init__(
        self, client: Any, kept: ImageSet, wish: str, records: Iterable[Chunk]
    ) -> None:
        """Take all chunks of definitions that are left, the last one first."""
        self.found = Foreseen(kept.repeated)
        self.claimed: list[Claim] = []
        self._client = client
        self._kept = kept
        self._wish = wish
        #: As they are by then, and as they are now.
        self._definitions, self._real = Definitions(client), Definitions(client)
        self._final = _after(records, client, kept, wish)
        #: The collections that the migration had made by then.
        self._made = kept.made
        #: The collection where documents are now, by the number of their chunk.
        self._places: dict[int, str] = {}
        #: What documents would be by then, where later chunks may hold them, too.
        self._would_be: dict[tuple[str, Value], bytes | None] = {}

    def at_made(self, number: int) -> None:
        """Drop those that were made after a chunk, as far as they are empty by then."""
        first = self._kept.made_before(number)
        for namespace in reversed(self._made[first:]):
            is_there = self._definitions.of(namespace) is not None
            if is_there and self._is_emptied(self._definitions.place(namespace)):
                action = Action(DROP_MADE, namespace)
                self.found.actions.append(action)
                self._definitions.note(action)
        self._made = self._made[:first]

    def at_definition(self, namespace: str, record: DefinitionRecord) -> None:
        """Decide about a definition."""
        for each in decide_on(namespace, record, self._definitions, self._wish):
            if isinstance(each, Conflict):
                self.found.conflicts.add(each)
            else:
                self.found.actions.append(each)
                self._definitions.note(each)

    def at_documents(self, group: Sequence[Chunk]) -> None:
        """Decide about documents, and find out who has their unique values now."""
        namespace, found = group[0].namespace, self.found
        place = self._definitions.place(namespace)
        self._places.update({each.number: place for each in group})
        unique = self._unique(namespace, place)
        repeats = self._kept.defined or namespace in self._kept.repeated
        pairs = pairs_of(group)
        now = self._now(place, pairs)
        restored: list[Restored] = []
        for pair in pairs:
            id = pair.id
            current = self._would_be.get((place, id), now.get(id))
            decision = decide(pair, current, self._wish)
            found.conflicts.note(namespace, id, decision.conflict)
            is_again = (place, id) in self._would_be
            if repeats:
                wanted = current if decision.is_left else decision.wanted
                self._would_be[place, id] = wanted
            if decision.is_left:
                continue
            count = found.documents.get(namespace, 0)
            found.documents[namespace] = count if is_again else count + 1
            if unique and decision.wanted is not None:
                restored.append(Restored(id, current, decision.wanted))
        self.claimed += claims(self._client, namespace, place, unique, restored)

    def _unique(self, namespace: str, place: str) -> list[Unique]:
        """List the unique indexes that there are by then, and after the whole undo."""
        unique: dict[Unique, None] = {}
        for definitions in (self._definitions, self._final):
            unique.update(dict.fromkeys(_unique_in(definitions, namespace)))
        return found_by(unique, _unique_in(self._real, place))

    def settle(self, chunks: Iterable[Chunk]) -> None:
        """Find out which documents cannot get their unique values back."""
        for claim in lost(self.claimed, self._fates(chunks)).values():
            self.found.left.add((claim.namespace, claim.id))
            self.found.documents[claim.namespace] -= 1
            to = claim.unique.name, claim.holder
            conflict = Conflict(claim.namespace, claim.id, LOST, lost=to)
            self.found.conflicts.add(conflict)

    def _fates(self, chunks: Iterable[Chunk]) -> dict[Who, bytes | None]:
        """Tell what becomes of documents that have claimed values or are to get them.

        Documents that the undo does not touch are left out. Conflicts that nobody has
        decided count as decided, as they are reported anyway.
        """
        wish = OURS if self._wish == STOP else self._wish
        concerned = {
            one for each in self.claimed for one in (each.claimer, each.having)
        }
        fates: dict[Who, bytes | None] = {}
        for chunk in chunks:
            place = self._places.get(chunk.number, '')
            pairs = [each for each in chunk.pairs if who(place, each.id) in concerned]
            now = self._now(place, pairs)
            for pair in pairs:
                one = who(place, pair.id)
                current = fates.get(one, now.get(pair.id))
                decision = decide(pair, current, wish)
                fates[one] = current if decision.is_left else decision.wanted
        return fates

    def _is_emptied(self, place: str) -> bool:
        """Tell whether all documents of a collection would be deleted by then."""
        collection = collection_of(self._client, place)
        return all(
            self._would_be.get((place, id_of(each)), each) is None
            for batch in collection.find_raw_batches({}, {'_id': True})
            for each in documents(batch)
        )

    def _now(self, place: str, pairs: Sequence[Difference]) -> dict[Value, bytes]:
        if not pairs:
            return {}
        ids = [each.id for each in pairs]
        return look_up(collection_of(self._client, place), ids, None)
