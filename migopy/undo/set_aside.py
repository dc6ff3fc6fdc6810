"""Set a collection aside as a whole, before it is dropped."""

from __future__ import annotations

from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from migopy.codes import NAMESPACE_EXISTS
from migopy.differences import collection_of
from migopy.undo.chunks import is_aside, of_chunks
from migopy.undo.collection_rules import PASSING, CollectionRules
from migopy.undo.definition_records import DefinitionRecord
from migopy.undo.definitions import PLACEHOLDER, definition_of, has_placeholder
from migopy.undo.image_sets import ImageSet
from migopy.undo.images import Images
from migopy.undo.made_collections import has_documents

#: How often others may take the name of what was set aside.
ATTEMPTS = 10


class Asides:
    """Sets collections aside, and brings them back.

    Invariant: a collection is under its name or aside, never both and never neither.
    While it is aside and the command has not dropped it yet, a placeholder that takes
    no document has its name; so even after a crash it shows whether it was dropped.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, namespace: str, aside: str) -> None:
        """Set a collection aside; a placeholder takes its place."""
        holder = collection_of(self._client, _holder(aside))
        command = {'create': holder.name, 'validator': {PLACEHOLDER: 1}}
        with self._client.start_session() as session:
            holder.database.command(command, session=session)
        self.rename(namespace, aside)
        for number in range(ATTEMPTS):
            try:
                self.rename(holder.full_name, namespace)
                return
            except OperationFailure as error:
                if error.code != NAMESPACE_EXISTS or number + 1 == ATTEMPTS:
                    raise
            # Between the two others have written there: that goes with the rest.
            self._add(namespace, f'{aside}.{number}', aside)

    def _add(self, namespace: str, meanwhile: str, aside: str) -> None:
        """Move the documents of a collection to one that is set aside."""
        # Not every user may pass a validator by.
        passes = CollectionRules(self._client).of(aside).passes
        how: dict[str, Any] = {PASSING: True} if passes else {}
        collection = collection_of(self._client, meanwhile)
        name = collection_of(self._client, aside).name
        merge = {'into': name, 'whenMatched': 'merge', 'whenNotMatched': 'insert'}
        self.rename(namespace, meanwhile)
        try:
            with self._client.start_session() as session:
                collection.aggregate([{'$merge': merge}], session=session, **how)
        except PyMongoError:
            self.rename(meanwhile, namespace)
            raise
        self.drop(meanwhile)

    def settle(self, namespace: str, aside: str) -> None:
        """Bring a collection back if the command has not dropped it after all."""
        is_there = has_placeholder(self._client, namespace)
        is_aside = definition_of(self._client, aside) is not None
        if is_aside and (is_there or has_placeholder(self._client, _holder(aside))):
            if not is_there and definition_of(self._client, namespace) is not None:
                # Others have written there before the placeholder could be.
                self._add(namespace, f'{aside}.{ATTEMPTS}', aside)
            self.rename(aside, namespace, in_place=is_there)
        self.drop(_holder(aside))

    def settle_replaced(self, namespace: str, record: DefinitionRecord) -> None:
        """Bring a collection back if the rename has not replaced it after all."""
        source = definition_of(self._client, namespace)
        is_renamed = source is None or source.uuid != record.before_uuid
        is_gone = definition_of(self._client, record.touched.to) is None
        if not is_renamed and is_gone and definition_of(self._client, record.aside):
            self.rename(record.aside, record.touched.to)

    def rename(self, source: str, target: str, in_place: bool = False) -> None:
        """Rename a collection; with `in_place` it replaces what has the new name."""
        command: dict[str, Any] = {'renameCollection': source, 'to': target}
        if in_place:
            command['dropTarget'] = True
        with self._client.start_session() as session:
            self._client.admin.command(command, session=session)

    def drop(self, aside: str) -> None:
        """Drop what was set aside, if it is there; raises `PyMongoError`."""
        with self._client.start_session() as session:
            collection_of(self._client, aside).drop(session=session)

    def size(self, namespace: str) -> tuple[int, int]:
        """Count the documents of a collection, and their bytes."""
        collection = collection_of(self._client, namespace)
        with self._client.start_session() as session:
            status = {'collStats': collection.name}
            reply = collection.database.command(status, session=session)
        return int(reply['count']), int(reply['size'])


def leave_aside(images: Images, kept: ImageSet) -> ImageSet | None:
    """Delete of images that nothing needs all but documents that are still set aside.

    Returns what is left, if anything. After a crash the same call goes on. Raises
    `PyMongoError`.
    """
    own, client = images.collection.name, images.client
    with images.own_work():
        aside = [
            each
            for each in kept.aside
            if is_aside(each, own, kept.id)
            and has_documents(collection_of(client, each))
        ]
        if not aside:
            images.forget([kept.id])
            return None
        sizes = [Asides(client).size(each) for each in aside]
        images.collection.delete_many(of_chunks(kept.id))
    left = ImageSet(
        kept.name,
        kept.at,
        kept.runs,
        kept.id,
        kept.database,
        documents=sum(count for count, _ in sizes),
        bytes=sum(size for _, size in sizes),
        stored=sum(size for _, size in sizes),
        aside=aside,
    )
    images.save(left)
    return left


def _holder(aside: str) -> str:
    return f'{aside}.placeholder'
