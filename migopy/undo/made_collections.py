"""Drop collections that a migration has made, if nobody has written into them."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from migopy.codes import NAMESPACE_EXISTS, NAMESPACE_NOT_FOUND
from migopy.differences import collection_of
from migopy.texts import one_line
from migopy.undo.image_sets import Chunk, ImageSet
from migopy.undo.images import Images

#: The beginning of the name of a collection that is set aside.
ASIDE = 'migopy_undone'


def drop_made(images: Images, kept: ImageSet, say: Callable[[str], None]) -> None:
    """Drop the collections that a migration has made; say which are not empty.

    Each is renamed first, so that nobody can write into it between the look and the
    drop: whoever writes then makes it anew. Raises `PyMongoError`.
    """
    _drop_from(images, kept, 0, say)


def drop_made_after(
    images: Images, kept: ImageSet, chunk: Chunk, say: Callable[[str], None]
) -> None:
    """Drop those that were made after a chunk, which is about to be undone itself.

    So its definition finds a name free that the migration has taken again. `kept` has
    none of them afterwards, even after a crash. Raises `PyMongoError`.
    """
    first = kept.made_before(chunk.number)
    if first == len(kept.made):
        return
    record = chunk.record
    names = (chunk.namespace, record.touched.to if record is not None else '')
    _drop_from(images, kept, first, say, names)
    images.leave_made(kept, first)


def would_drop(
    images: Images, kept: ImageSet, collection: Any, say: Callable[[str], None]
) -> None:
    """Drop a collection in a dry run if it is empty there, or say that it stays."""
    if collection.find_one({}, {'_id': 1}) is None:
        collection.drop()
    else:
        say(said_of(images, kept, collection.full_name, is_gone=False))


def drop_if_empty(images: Images, namespace: str, place: str) -> bool:
    """Drop a collection if it is empty; returns whether it is gone.

    `place` is what it is called while it is set aside. Raises `PyMongoError`.
    """
    collection = collection_of(images.client, namespace)
    aside = collection.database[f'{ASIDE}.{place}']
    with images.own_work():
        return _set_aside(collection, aside) and _drop(images, collection, aside)


def said_of(images: Images, kept: ImageSet, namespace: str, is_gone: bool) -> str:
    """Say what has become of a collection that a migration has made."""
    name = one_line(name_here(images, namespace))
    if is_gone:
        return f'collection {name} dropped, as {kept.name} had made it'
    return (
        f'collection {name} stays, though {kept.name} had made it: others have'
        ' written into it'
    )


def name_here(images: Images, namespace: str) -> str:
    """Give a collection's name, with the database only if it is another one."""
    database, _, name = namespace.partition('.')
    return name if database == images.collection.database.name else namespace


def _drop_from(
    images: Images,
    kept: ImageSet,
    first: int,
    say: Callable[[str], None],
    decided: Container[str] = (),
) -> None:
    """Drop the ones from a place on; what stays of those in `decided` is not told."""
    for place, namespace in enumerate(kept.made[first:], first):
        is_gone = drop_if_empty(images, namespace, f'{kept.id}.{place}')
        if is_gone or namespace not in decided:
            say(said_of(images, kept, namespace, is_gone))


def _set_aside(collection: Collection[Any], aside: Collection[Any]) -> bool:
    """Rename a collection that is empty; returns whether it was."""
    if has_documents(collection):
        return False
    try:
        collection.rename(aside.name)
    except OperationFailure as error:
        # An undo before this one may have done that already.
        if error.code not in (NAMESPACE_NOT_FOUND, NAMESPACE_EXISTS):
            raise
    return True


def _drop(images: Images, collection: Collection[Any], aside: Collection[Any]) -> bool:
    """Drop what was set aside, or bring it back if it has documents by now.

    Raises `OperationFailure` where it was made anew meanwhile; nothing is lost then.
    """
    if not has_documents(aside):
        reply = aside.database.drop_collection(aside.name)
        # An undo before this one may have done it.
        if 'ns' in reply:
            images.note(collection.full_name, 'dropped')
        return not has_documents(collection)
    aside.rename(collection.name)
    return False


def has_documents(collection: Collection[Any]) -> bool:
    """Tell whether a collection has documents, which no estimate can."""
    return any(collection.find_raw_batches(limit=1))
