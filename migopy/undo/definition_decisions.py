"""Decide what to do about a definition that a migration has changed; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from migopy.undo.conflicts import DELETED, DROPPED_STAYS, MADE_AGAIN, OURS, Conflict
from migopy.undo.definition_records import DefinitionRecord
from migopy.undo.definitions import VIEW, Definition, definition_of, same

#: What an action does.
MAKE_INDEX, DROP_INDEX, MODIFY = 'make index', 'drop index', 'modify'
DROP_MADE, MAKE_VIEW, DROP_VIEW = 'drop made', 'make view', 'drop view'
RENAME, BRING_BACK = 'rename', 'bring back'


#: The value of an action that may be done already, and only has to be finished.
GONE = 'gone'


class Action(NamedTuple):
    """One thing to be done to what is called `namespace`.

    `name` is an index, or the collection to rename or bring back from; `value` is the
    wanted definition. `in_place` drops what others have made there.
    """

    what: str
    namespace: str
    name: str = ''
    value: Any = None
    in_place: bool = False


class Definitions:
    """Definitions as they are, or will be once the noted actions are done.

    Invariant: each is read once; what is noted changes nothing on the server.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: dict[str, Definition | None] = {}
        self._places: dict[str, str] = {}

    def of(self, namespace: str) -> Definition | None:
        """Give a definition; raises `PyMongoError`."""
        if namespace not in self._known:
            self._known[namespace] = definition_of(self._client, namespace)
        return self._known[namespace]

    def place(self, namespace: str) -> str:
        """Give the name under which a collection's documents are found now."""
        return self._places.get(namespace, namespace)

    def note(self, action: Action) -> None:
        """Note an action as done."""
        namespace, name = action.namespace, action.name
        now = self.of(namespace)
        if action.what in (RENAME, BRING_BACK):
            self._places[namespace] = self.place(name)
            self._known[namespace] = action.value
            self._known[name] = None
        elif action.what in (DROP_MADE, DROP_VIEW):
            self._known[namespace] = None
        elif action.what == MAKE_VIEW:
            self._known[namespace] = action.value
        elif now is not None and name:
            index = action.value
            if action.what == MODIFY:
                index = {**now.indexes[name], **index}
                index = {key: each for key, each in index.items() if each is not False}
            self._known[namespace] = now.with_index(name, index)
        elif now is not None:
            for option, value in action.value.items():
                now = now.with_option(option, value)
            self._known[namespace] = now


def decide_on(
    namespace: str, record: DefinitionRecord, definitions: Definitions, wish: str
) -> Iterator[Action | Conflict]:
    """Decide by what a definition is now: what is to be done, and what is in the way.

    The caller notes each action there before it asks for the next one.
    """
    touched, before = record.touched, record.before
    if not record.is_settled:
        # A dry run looks while nothing may be noted.
        record = record.settled(definitions.of(touched.to or namespace))
    if touched.to:
        yield from _renamed(namespace, record, definitions, wish)
        if record.replaced is not None:
            yield from _dropped(
                touched.to, record.replaced, record.aside, definitions, wish
            )
    elif record.command == 'drop' and before is not None:
        yield from _dropped(namespace, before, record.aside, definitions, wish)
    elif touched.is_whole:
        yield from _made(namespace, record, definitions, wish)
    else:
        yield from _changed(namespace, record, definitions, wish)


def _renamed(
    namespace: str, record: DefinitionRecord, definitions: Definitions, wish: str
) -> Iterator[Action | Conflict]:
    target, before = record.touched.to, record.before
    assert before is not None  # noqa: S101
    is_done = record.after is not None and record.after.uuid == before.uuid
    now, there = definitions.of(namespace), definitions.of(target)
    if not is_done or (now is not None and now.uuid == before.uuid):
        return
    if there is None or there.uuid != before.uuid:
        yield Conflict(target, None, DELETED)
        return
    if now is not None:
        yield Conflict(namespace, None, MADE_AGAIN)
        if wish != OURS:
            return
    yield Action(RENAME, namespace, target, there, in_place=now is not None)


def _dropped(
    namespace: str, before: Definition, aside: str, definitions: Definitions, wish: str
) -> Iterator[Action | Conflict]:
    now = definitions.of(namespace)
    if before.kind == VIEW:
        if before.is_like(now):
            return
        if now is not None:
            yield Conflict(namespace, None, MADE_AGAIN)
            if wish != OURS:
                return
            # A collection of others is not dropped for a view: the server refuses it.
            if now.kind == VIEW:
                yield Action(DROP_VIEW, namespace)
        yield Action(MAKE_VIEW, namespace, value=before)
        return
    if now is not None and now.uuid == before.uuid:
        return
    if now is not None:
        yield Conflict(namespace, None, DROPPED_STAYS)
        if wish != OURS:
            return
        if now.kind == VIEW:
            yield Action(DROP_VIEW, namespace)
            now = None
    yield Action(BRING_BACK, namespace, aside, before, in_place=now is not None)


def _made(
    namespace: str, record: DefinitionRecord, definitions: Definitions, wish: str
) -> Iterator[Action | Conflict]:
    now, left = definitions.of(namespace), record.after
    if left is None:
        return
    if now is None:
        # It may have been set aside to be dropped by an undo that was killed.
        if left.kind != VIEW:
            yield Action(DROP_MADE, namespace, value=GONE)
        return
    if now.uuid != left.uuid or now.kind != left.kind:
        yield Conflict(namespace, None, MADE_AGAIN)
        if wish != OURS:
            return
    elif not left.is_like(now):
        for what in _differences(left, now):
            yield Conflict(namespace, None, f'{what} was changed since')
        if wish != OURS:
            return
    yield Action(DROP_VIEW if now.kind == VIEW else DROP_MADE, namespace)


def _differences(one: Definition, other: Definition) -> Iterator[str]:
    for name in sorted({*one.indexes, *other.indexes}):
        if not same(one.indexes.get(name), other.indexes.get(name)):
            yield f'index {name}'
    for name in sorted({*one.options, *other.options}):
        if not same(one.options.get(name), other.options.get(name)):
            yield f'option {name}'


def _changed(
    namespace: str, record: DefinitionRecord, definitions: Definitions, wish: str
) -> Iterator[Action | Conflict]:
    now, was, left = definitions.of(namespace), record.before, record.after
    if was is None or left is None:
        return
    if now is None:
        yield Conflict(namespace, None, DELETED)
        return
    for name in record.touched.indexes:
        yield from _index(namespace, name, was.indexes, left.indexes, now.indexes, wish)
    wanted: dict[str, Any] = {}
    for name in record.touched.options:
        values = [each.options.get(name) for each in (was, left, now)]
        if same(values[0], values[1]) or same(values[0], values[2]):
            continue
        if not same(values[1], values[2]):
            yield Conflict(namespace, None, f'option {name} was changed since')
            if wish != OURS:
                continue
        wanted[name] = values[0]
    if wanted and was.kind == VIEW:
        wanted = {name: was.options.get(name) for name in ('viewOn', 'pipeline')}
    if wanted:
        yield Action(MODIFY, namespace, value=wanted)


def _index(
    namespace: str,
    name: str,
    were: Mapping[str, Any],
    left: Mapping[str, Any],
    are: Mapping[str, Any],
    wish: str,
) -> Iterator[Action | Conflict]:
    was, now = were.get(name), are.get(name)
    if same(was, left.get(name)) or same(was, now):
        return
    if not same(left.get(name), now):
        yield Conflict(namespace, None, f'index {name} was changed since')
        if wish != OURS:
            return
    if now is not None and was is not None:
        changed = {key for key in {*was, *now} if not same(was.get(key), now.get(key))}
        if changed <= {'expireAfterSeconds', 'hidden'} and not (
            'expireAfterSeconds' in changed and 'expireAfterSeconds' not in was
        ):
            value = {key: was.get(key, False) for key in sorted(changed)}
            yield Action(MODIFY, namespace, name, value)
            return
        yield Action(DROP_INDEX, namespace, name)
        now = None
    if now is not None:
        yield Action(DROP_INDEX, namespace, name)
    if was is not None:
        yield Action(MAKE_INDEX, namespace, name, was)
