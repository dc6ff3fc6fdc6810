"""Set definitions back on the server, as decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo.errors import OperationFailure

from migopy.differences import collection_of
from migopy.server import reason_of
from migopy.texts import counted
from migopy.undo.definition_decisions import (
    BRING_BACK,
    DROP_INDEX,
    DROP_MADE,
    DROP_VIEW,
    GONE,
    MAKE_INDEX,
    MAKE_VIEW,
    MODIFY,
    RENAME,
    Action,
)
from migopy.undo.errors import InTheWay
from migopy.undo.image_sets import ImageSet
from migopy.undo.images import Images
from migopy.undo.made_collections import drop_if_empty, name_here, said_of
from migopy.undo.set_aside import Asides

Document = dict[str, Any]

#: What to give `collMod` for an option that was not there.
WITHOUT: Document = {
    'changeStreamPreAndPostImages': {'enabled': False},
    'validationAction': 'error',
    'validationLevel': 'strict',
    'validator': {},
}

#: What each action does, in the words of a dry run: `index x would be dropped`.
DONE = {
    BRING_BACK: 'brought back',
    DROP_INDEX: 'dropped',
    DROP_MADE: 'dropped, if it is empty then',
    DROP_VIEW: 'dropped',
    MAKE_INDEX: 'made again',
    MAKE_VIEW: 'made again',
    MODIFY: 'set back',
    RENAME: 'renamed back',
}

#: Said of a unique index: others may have written duplicates; nothing looks for them.
PROVISO = ', if no two documents have equal values in it then'


class DefinitionRestorer:
    """Does on the server what was decided about definitions.

    Invariant: each action is one that can be done again, and then does nothing more.
    """

    def __init__(
        self, images: Images, kept: ImageSet, say: Callable[[str], None]
    ) -> None:
        """Take the images; `say` takes what a person reads."""
        self._images = images
        self._kept = kept
        self._say = say
        self._asides = Asides(images.client)

    def apply(self, action: Action, place: str) -> None:
        """Do an action; `place` is a name for a collection that it sets aside.

        Raises `InTheWay`, `PyMongoError`.
        """
        namespace = action.namespace
        try:
            if action.what == DROP_MADE:
                self._drop_made(action, place)
            elif action.what == BRING_BACK:
                self._bring_back(action)
            elif action.what == RENAME:
                self._asides.rename(action.name, namespace, action.in_place)
            else:
                name = namespace.partition('.')[2]
                database = collection_of(self._images.client, namespace).database
                database.command(_command(action, name))
        except OperationFailure as error:
            what = said_as(action)
            reason, code = reason_of(error), error.code
            raise InTheWay(self._kept.name, namespace, reason, code, what) from error

    def would(self, action: Action) -> None:
        """Say what an action would do."""
        if action.value is not GONE:
            name = name_here(self._images, action.namespace)
            is_unique = action.what == MAKE_INDEX and action.value.get('unique')
            done = DONE[action.what] + (PROVISO if is_unique else '')
            self._say(f'{name}: {said_as(action)} would be {done}')

    def _drop_made(self, action: Action, place: str) -> None:
        is_gone = drop_if_empty(self._images, action.namespace, place)
        if action.value is not GONE:
            said = said_of(self._images, self._kept, action.namespace, is_gone)
            self._say(said)

    def _bring_back(self, action: Action) -> None:
        namespace = action.namespace
        with self._images.own_work():
            count, _ = self._asides.size(action.name)
            self._asides.rename(action.name, namespace, action.in_place)
        replaced = ' in place of what was there' if action.in_place else ''
        self._images.note(namespace, f'brought back{replaced}')
        name = name_here(self._images, namespace)
        self._say(f'collection {name} brought back with {counted(count, "document")}')


def said_as(action: Action) -> str:
    """Name what an action restores."""
    if action.what == MODIFY and not action.name:
        return f'what it is defined as ({", ".join(sorted(action.value))})'
    if action.name and action.what not in (RENAME, BRING_BACK):
        return f'index {action.name}'
    if action.what in (MAKE_VIEW, DROP_VIEW):
        return 'the view'
    return 'the collection'


def _command(action: Action, name: str) -> Document:
    value = action.value
    if action.what == MAKE_INDEX:
        index = {key: each for key, each in value.items() if key != 'ns'}
        return {'createIndexes': name, 'indexes': [index]}
    if action.what == DROP_INDEX:
        return {'dropIndexes': name, 'index': action.name}
    if action.what == DROP_VIEW:
        return {'drop': name}
    if action.what == MAKE_VIEW:
        return {'create': name, **value.options}
    if action.name:
        return {'collMod': name, 'index': {'name': action.name, **value}}
    options = {
        key: WITHOUT.get(key) if each is None else each for key, each in value.items()
    }
    return {'collMod': name, **options}
