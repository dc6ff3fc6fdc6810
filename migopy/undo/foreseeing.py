"""What an undo is going to do, and what others have done that is in its way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from migopy.differences import Value, collection_of, look_up
from migopy.undo.conflicting import Conflicting
from migopy.undo.deciding import Conflict, decide
from migopy.undo.kept import Chunk, Kept
from migopy.undo.redefining import Action, World, decide_on


class Foreseen:
    """What is to be done to definitions, to how many documents, and the conflicts."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.documents: dict[str, int] = {}
        self.conflicts = Conflicting()


def foresee(client: Any, chunks: Iterable[Chunk], wish: str, kept: Kept) -> Foreseen:
    """Look through chunks, the last ones first, and change nothing.

    Raises `Damaged`, `PyMongoError`.
    """
    found = Foreseen()
    world = World(client)
    #: What documents would be by then, if they may come again.
    would_be: dict[tuple[str, Value], bytes | None] = {}
    for chunk in chunks:
        if chunk.record is not None:
            for each in decide_on(chunk.namespace, chunk.record, world, wish):
                if isinstance(each, Conflict):
                    found.conflicts.add(each)
                else:
                    found.actions.append(each)
                    world.note(each)
            continue
        place = world.place(chunk.namespace)
        repeats = kept.defined or chunk.namespace in kept.repeated
        ids = [each.id for each in chunk.pairs]
        now = look_up(collection_of(client, place), ids, None)
        for id, pair in zip(ids, chunk.pairs):
            key = place, id
            current = would_be[key] if key in would_be else now.get(id)
            decision = decide(pair, current, wish)
            found.conflicts.note(chunk.namespace, id, decision)
            if repeats:
                would_be[key] = current if decision.is_left else decision.wanted
            if not decision.is_left:
                count = found.documents.get(chunk.namespace, 0)
                found.documents[chunk.namespace] = count + 1
    return found
