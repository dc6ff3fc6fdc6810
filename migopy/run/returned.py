"""Make sure that a migration's function returns no work that is still to be done."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType

from pymongo import (
    DeleteMany,
    DeleteOne,
    IndexModel,
    InsertOne,
    ReplaceOne,
    UpdateMany,
    UpdateOne,
)

from migopy.effects import Effects
from migopy.errors import MigopyException
from migopy.run.step import Step

#: What PyMongo sends only when it is given to a call.
OPERATIONS = (
    DeleteMany,
    DeleteOne,
    IndexModel,
    InsertOne,
    ReplaceOne,
    UpdateMany,
    UpdateOne,
)

CALLABLES = (FunctionType, MethodType, BuiltinFunctionType, partial)

#: Python's own loops, which do nothing until somebody takes their items.
LAZY = (map, filter, zip)

#: The packages whose objects are data, or the results of what was done.
OF_DATA = ('builtins', 'datetime', 'decimal', 'uuid', 'collections', 'bson', 'pymongo')


class LeftUndone(MigopyException):
    """A function returned work in place of doing it; `name` is the migration's."""

    def __init__(self, step: Step, what: str, how: str = '') -> None:
        self.name = step.name
        super().__init__(
            f'{step.name}: its {step.direction} returned {what}, which does nothing by'
            ' itself; it is not registered.\n'
            # What to type next depends on what it has left behind.
            f'Do the work within {step.direction}(db){how}.'
        )


def require_done(step: Step, returned: object, effects: Effects) -> None:
    """Make sure that a function has done its work; raises `LeftUndone`.

    `effects` tell whether it has written anything: objects that nobody here knows are
    taken for operations where it has not (`return [ops.create_index(…)]`).
    """
    if returned is None:
        return
    what, how = _undone(returned), ''
    if what is None and isinstance(returned, (list, tuple, set)):
        strange = [each for each in returned if not _is_data(each)]
        if strange and not effects.wrote:
            what = f'a {type(returned).__name__} of {type(strange[0]).__name__}'
            # As mongrator's have it.
            if callable(getattr(strange[0], 'apply', None)):
                how = ' (call apply(db) of each)'
    if what is not None:
        raise LeftUndone(step, what, how)


def _undone(value: object) -> str | None:
    """Name what is work still to be done, `None` for what is not."""
    if inspect.iscoroutine(value):
        # Python would warn that nobody has waited for it; that is said here.
        value.close()
        return 'a coroutine'
    if inspect.isawaitable(value):
        return 'something to be awaited'
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return 'a generator'
    if isinstance(value, LAZY):
        return f'a {type(value).__name__} object'
    if isinstance(value, CALLABLES):
        return 'a function'
    if isinstance(value, OPERATIONS):
        return f'an operation, {type(value).__name__}'
    if isinstance(value, (list, tuple, set, frozenset)):
        inner = next(filter(None, map(_undone, value)), None)
        return inner and f'a {type(value).__name__} with {inner}'
    return None


def _is_data(value: object) -> bool:
    return any(module.split('.')[0] in OF_DATA for module in _modules(value))


def _modules(value: object) -> Iterator[str]:
    for each in type(value).__mro__[:-1]:
        yield each.__module__
