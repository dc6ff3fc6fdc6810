"""Tell which parts of a definition a command changes, and what no image keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bson import encode

from migopy.undo.definitions import COLLECTION, ID_INDEX, VIEW, Definition

#: Options that `collMod` sets back as it sets them.
OPTIONS = frozenset({'pipeline', 'validationAction', 'validationLevel', 'validator'})
OPTIONS |= frozenset({'changeStreamPreAndPostImages', 'viewOn'})

#: What `collMod` changes of an index and sets back again.
OF_AN_INDEX = frozenset({'expireAfterSeconds', 'hidden'})

#: Fields of a command that say how it is done.
HOW = frozenset({'comment', 'lsid', 'maxTimeMS', 'txnNumber', 'writeConcern'})


class Unkept(Exception):
    """A command changes what no image keeps; the text says why, as a clause."""


@dataclass(frozen=True)
class Touched:
    """What a command is about to change of one definition.

    Invariant: nothing else of it is changed. `is_whole` is a collection or view that
    is made, dropped or renamed; `to` is its new name.
    """

    indexes: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    is_whole: bool = False
    to: str = ''

    def __bool__(self) -> bool:
        return bool(self.indexes or self.options or self.is_whole)


def touched_by(
    name: str, command: Mapping[str, Any], before: Definition | None
) -> Touched:
    """Tell what a command changes of a definition; `before` is `None` if there is none.

    It is nothing if the server is going to refuse the command. Raises `Unkept`.
    """
    look = LOOKS.get(name)
    if look is None:
        raise Unkept('')
    if before is not None and before.kind not in (COLLECTION, VIEW):
        raise Unkept('it is a time series, of which no images are kept')
    return look(command, before)


def _created(command: Mapping[str, Any], before: Definition | None) -> Touched:
    if command.get('timeseries'):
        raise Unkept('it is to be a time series, of which no images are kept')
    return Touched(is_whole=before is None)


def _indexes_made(command: Mapping[str, Any], before: Definition | None) -> Touched:
    names = [each['name'] for each in command['indexes']]
    return Touched(indexes=names, is_whole=before is None)


def _indexes_dropped(command: Mapping[str, Any], before: Definition | None) -> Touched:
    there = before.indexes if before else {}
    which = command['index']
    if which == '*':
        return Touched(indexes=list(there))
    if isinstance(which, Mapping):
        keys = encode(which)
        return Touched(indexes=[n for n in there if encode(there[n]['key']) == keys])
    names = [which] if isinstance(which, str) else which
    return Touched(indexes=[each for each in names if each in there])


def _modified(command: Mapping[str, Any], before: Definition | None) -> Touched:
    if before is None:
        return Touched()
    changed = set(command) - HOW - {'collMod', 'index'}
    changed = {each for each in changed if not each.startswith('$')}
    if unknown := sorted(changed - OPTIONS):
        raise Unkept(f'what collMod changes with {unknown[0]} is not set back')
    if before.kind == VIEW:
        changed |= {'viewOn', 'pipeline'}
    index = command.get('index')
    return Touched(_index_modified(index, before) if index else [], sorted(changed))


def _index_modified(index: Mapping[str, Any], before: Definition) -> list[str]:
    changed = set(index) - {'name', 'keyPattern'}
    if unknown := sorted(changed - OF_AN_INDEX):
        raise Unkept(f'what collMod changes with index.{unknown[0]} is not set back')
    if 'name' in index:
        names = [index['name']]
    else:
        key = encode(index['keyPattern'])
        names = [n for n, each in before.indexes.items() if encode(each['key']) == key]
    there = [each for each in names if each in before.indexes and each != ID_INDEX]
    is_new = any('expireAfterSeconds' not in before.indexes[each] for each in there)
    if 'expireAfterSeconds' in changed and is_new:
        raise Unkept(
            'collMod does not take expireAfterSeconds away again: drop the index and'
            ' make it anew'
        )
    return there


def _dropped(command: Mapping[str, Any], before: Definition | None) -> Touched:
    return Touched(is_whole=before is not None)


def _renamed(command: Mapping[str, Any], before: Definition | None) -> Touched:
    source, target = str(command['renameCollection']), str(command['to'])
    if source.partition('.')[0] != target.partition('.')[0]:
        raise Unkept('it is to go to another database, which copies it')
    return Touched(is_whole=before is not None, to=target)


LOOKS: dict[str, Callable[[Mapping[str, Any], Definition | None], Touched]] = {
    'collMod': _modified,
    'create': _created,
    'createIndexes': _indexes_made,
    'deleteIndexes': _indexes_dropped,
    'drop': _dropped,
    'dropIndexes': _indexes_dropped,
    'renameCollection': _renamed,
}
