"""Keep definitions before a command that changes them is sent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from pymongo.errors import PyMongoError

from migopy.errors import MigopyException
from migopy.server import reason_of
from migopy.undo.definition_changes import Unkept, touched_by
from migopy.undo.definition_records import DefinitionRecord
from migopy.undo.definition_store import (
    Busy,
    add_record,
    aside_of,
    note_outcome,
    unsettled,
)
from migopy.undo.definitions import COLLECTION, definition_of
from migopy.undo.image_sets import Chunk, CurrentSet, ImageSet
from migopy.undo.images import Images
from migopy.undo.set_aside import Asides

#: How many seconds a command waits while a page is being written by another thread.
PATIENCE = 30.0
PAUSE = 0.02

#: The commands that are seen here.
DEFINING = frozenset(
    """
    collMod create createIndexes deleteIndexes drop dropIndexes renameCollection
    """.split()  # noqa: SIM905
)


class DefinitionKeeper:
    """Keeps what definitions were, and then lets a command go that changes one.

    Invariant: what a command drops or changes is kept, and a majority has it, before
    the command is sent; so nothing is lost, whatever is killed and when.
    """

    def __init__(
        self, images: Images, known: CurrentSet, limit: float, own: Set[str]
    ) -> None:
        """Take what is known of the images; `limit` is in MB.

        `own` are the collections that migopy keeps beside them.
        """
        self._own = own
        self._images = images
        self._known = known
        self._asides = Asides(images.client)
        self._limit = limit
        #: Chunks of commands on their way, by the `id` of the command.
        self._sent: dict[int, Chunk] = {}
        #: Whether there are commands whose outcome could not be looked up yet.
        self._is_left = False

    def inside(
        self, name: str, database: str, command: Mapping[str, Any]
    ) -> str | None:
        """Let pages go; their collection was checked before the first one."""
        return None

    def take(
        self, name: str, database: str, command: Mapping[str, Any], address: Any
    ) -> str | None:
        """Keep what a command is about to change, or say why that is not possible.

        `None` lets the command go. The reason may be `''`, where there is no better
        one.
        """
        if name not in DEFINING:
            return ''
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self._known.lock, self._images.own_work():
                    return self._take(name, database, command, address)
            except Busy:
                if time.monotonic() > deadline:
                    return 'other threads write pages all the time'
            except Unkept as reason:
                return str(reason)
            except MigopyException as error:
                return error.message
            except PyMongoError as error:
                # PyMongo swallows errors of its listeners, and sends the command.
                return f'what it was could not be kept: {reason_of(error)}'
            time.sleep(PAUSE)

    def settle(self, command: Mapping[str, Any]) -> None:
        """Hear that a command was answered, and keep what came of it."""
        with self._known.lock, self._images.own_work():
            chunk = self._sent.pop(id(command), None)
            if chunk is not None:
                try:
                    settle(self._images, chunk)
                except PyMongoError:
                    self._is_left = True

    def _take(
        self, name: str, database: str, command: Mapping[str, Any], address: Any
    ) -> str | None:
        client = self._images.client
        if address not in client.nodes:
            return "it goes to another server than the migration's"
        if client.options.pool_options.max_pool_size == 1:
            return 'maxPoolSize=1 leaves no connection to look up what it is'
        if self._is_left:
            settle_left(self._images, self._known.kept)
            self._is_left = False
        namespace = defined_by(name, database, command)
        if self._is_own(namespace) or self._is_own(str(command.get('to'))):
            return ''
        before = definition_of(client, namespace)
        touched = touched_by(name, command, before)
        if not touched:
            return None
        record = DefinitionRecord(name, touched, before)
        kept = replace(self._known.kept)
        if name == 'drop':
            record = self._dropped(record, namespace, kept)
        elif touched.to and (there := definition_of(client, touched.to)):
            if not command.get('dropTarget'):
                return None
            record = self._dropped(replace(record, replaced=there), touched.to, kept)
        chunk = add_record(self._images, kept, namespace, record)
        self._known.kept = kept
        try:
            if record.aside and name == 'drop':
                self._asides.put(namespace, record.aside)
            elif record.aside:
                self._asides.rename(touched.to, record.aside)
        except PyMongoError:
            self._take_back(chunk)
            raise
        self._sent[id(command)] = chunk
        return None

    def _take_back(self, chunk: Chunk) -> None:
        """Bring back what a command was to drop that is not sent after all."""
        try:
            settle(self._images, chunk)
        except PyMongoError:
            self._is_left = True
            # So the migration is unfinished, and whatever is typed next settles it.
            self._images.note(chunk.namespace, 'set aside')

    def _is_own(self, namespace: str) -> bool:
        if self._images.is_own(namespace) or namespace in self._own:
            return True
        return namespace.partition('.')[2].startswith('system.')

    def _dropped(
        self, record: DefinitionRecord, namespace: str, kept: ImageSet
    ) -> DefinitionRecord:
        """Choose where to set aside what is dropped, and count it; raises `Unkept`."""
        dropped = record.replaced or record.before
        if dropped is None or dropped.kind != COLLECTION:
            return record
        count, size = self._asides.size(namespace)
        if kept.stored + size > self._limit * 1_000_000:
            raise Unkept(
                f'it holds {size / 1_000_000:,.1f} MB, and with it the images would be'
                f' larger than the {self._limit:g} MB of UNDO_MB'
            )
        database = namespace.partition('.')[0]
        place = aside_of(self._images, kept, kept.chunks)
        kept.aside = [*kept.aside, f'{database}.{place}']
        kept.documents += count
        kept.bytes += size
        kept.stored += size
        return replace(record, aside=kept.aside[-1])


def defined_by(name: str, database: str, command: Mapping[str, Any]) -> str:
    """Name the collection whose definition a command is about to change."""
    is_renamed = name == 'renameCollection'
    return str(command[name]) if is_renamed else f'{database}.{command[name]}'


def require_kept(
    images: Images, name: str, database: str, command: Mapping[str, Any]
) -> None:
    """Make sure that a definition could be kept as it is at this moment.

    Raises `Unkept`, `PyMongoError`.
    """
    with images.own_work():
        before = definition_of(images.client, defined_by(name, database, command))
    touched_by(name, command, before)


def settle_left(images: Images, kept: ImageSet) -> None:
    """Look up what came of commands whose reply was lost.

    Nothing else may change definitions meanwhile. Raises `PyMongoError`.
    """
    with images.own_work():
        for chunk in unsettled(images, kept):
            settle(images, chunk)


def settle(images: Images, chunk: Chunk) -> None:
    """Keep what came of a command; a drop that was not done is taken back."""
    record, namespace = chunk.record, chunk.namespace
    assert record is not None  # noqa: S101
    asides = Asides(images.client)
    if record.aside and record.command == 'drop':
        asides.settle(namespace, record.aside)
    elif record.aside:
        asides.settle_replaced(namespace, record)
    renamed = record.touched.to or namespace
    note_outcome(images, chunk, record.settled(definition_of(images.client, renamed)))
