"""Collections that a migration has made, dropped if nobody has written into them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from migopy.differences import collection_of
from migopy.undo.images import Images, Kept

#: The server's answers where there is no such collection, or one of the new name.
NO_SUCH_COLLECTION = 26
IS_THERE = 48

#: Stands before the number of images in the name of a collection that is set aside.
ASIDE = 'migopy_undone'


def drop_made(images: Images, kept: Kept, say: Callable[[str], None]) -> None:
    """Drop the collections that a migration has made; say which are not empty.

    Each is set aside under another name first, so that nobody can write into it between
    a look and the drop: who writes then makes it anew. Raises `PyMongoError`.
    """
    for place, namespace in enumerate(kept.made):
        collection = collection_of(images.client, namespace)
        aside = collection.database[f'{ASIDE}.{kept.id}.{place}']
        with images.own_work():
            is_gone = _set_aside(collection, aside) and _drop(collection, aside)
        name = (
            namespace if collection.database.name != _own(images) else collection.name
        )
        if is_gone:
            say(f'collection {name} dropped, as {kept.name} had made it')
        else:
            say(
                f'collection {name} stays, though {kept.name} had made it: others have'
                ' written into it'
            )


def _own(images: Images) -> str:
    return images.collection.database.name


def _set_aside(collection: Collection[Any], aside: Collection[Any]) -> bool:
    """Rename a collection that is empty; returns whether it was."""
    if _has_documents(collection):
        return False
    try:
        collection.rename(aside.name)
    except OperationFailure as error:
        # An undo before this one may have come so far.
        if error.code not in (NO_SUCH_COLLECTION, IS_THERE):
            raise
    return True


def _drop(collection: Collection[Any], aside: Collection[Any]) -> bool:
    """Drop what was set aside, or bring it back where it has documents by now.

    Raises `OperationFailure` where it was made anew meanwhile; nothing is lost then.
    """
    if not _has_documents(aside):
        aside.drop()
        return not _has_documents(collection)
    aside.rename(collection.name)
    return False


def _has_documents(collection: Collection[Any]) -> bool:
    return any(collection.find_raw_batches(limit=1))
