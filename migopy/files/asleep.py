"""Modules of migrations that are kept as packed code until they are called.

A module takes two kilobytes, and all are imported before the first one runs. If a file
has an `up` and a `down` and nothing else, its module is thrown away and made again when
it is called, from the code that was compiled. Nobody can tell it from the first one.
"""

from __future__ import annotations

import inspect
import marshal
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import lru_cache, partial
from opcode import opmap
from types import CodeType, FunctionType, ModuleType
from typing import Any

from migopy.files.loaded import LoadedMigration
from migopy.files.migration import Migration

#: How many files are packed together: much alike, they take less room so.
TOGETHER = 100

#: Instructions that may run twice: they only import, and make functions. No Python has
#: all of them.
HARMLESS = frozenset(
    opmap[name]
    for name in (
        'BUILD_CONST_KEY_MAP',
        'BUILD_TUPLE',
        'CACHE',
        'EXTENDED_ARG',
        'IMPORT_FROM',
        'IMPORT_NAME',
        'LOAD_CONST',
        'LOAD_NAME',
        'LOAD_SMALL_INT',
        'MAKE_FUNCTION',
        'NOP',
        'POP_TOP',
        'RESUME',
        'RETURN_CONST',
        'RETURN_VALUE',
        'SET_FUNCTION_ATTRIBUTE',
        'STORE_NAME',
    )
    if name in opmap
)

#: Flags of functions whose work is not done when they return.
NOT_DONE = (
    inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
    | inspect.CO_ITERABLE_COROUTINE
)

#: The names of a file's functions.
UP = ('up',)
UP_AND_DOWN = ('up', 'down')

#: Stands for a module without `transaction`, `undo` and so on.
SILENT = ModuleType('asleep')
#: Stands for the turn of a module that each call makes anew.
NO_TURN = nullcontext()

#: Makes the module of a migration from its code.
Make = Callable[[Migration, CodeType], ModuleType]


class Sleepers:
    """Puts files to sleep, one after the other."""

    def __init__(self, make: Make) -> None:
        """Take what makes a module again."""
        self._make = make
        self._pack = Pack()

    def put(self, loaded: LoadedMigration, code: CodeType) -> LoadedMigration:
        """Give the migration as one that sleeps until it is called, if it can.

        `code` is what its module was made of.
        """
        if not _can_sleep(loaded, code):
            return loaded
        if self._pack.is_full:
            self._pack = Pack()
        sys.modules.pop(loaded.module.__name__, None)
        place = self._pack.add(code)
        # The same two for all: a tuple for each file would be felt.
        names = UP_AND_DOWN if 'down' in loaded.functions else UP
        functions = Asleep(self._make, loaded.migration, self._pack, place, names)
        return loaded._replace(module=SILENT, functions=functions, turn=NO_TURN)


class Pack:
    """The code of several files, as bytes once there are enough of them."""

    def __init__(self) -> None:
        self._codes: list[CodeType] = []
        self._packed: bytes | None = None

    @property
    def is_full(self) -> bool:
        """Tell whether no more can be added."""
        return self._packed is not None

    def add(self, code: CodeType) -> int:
        """Add code; give its place."""
        self._codes.append(code)
        place = len(self._codes) - 1
        if len(self._codes) == TOGETHER:
            self._packed = zlib.compress(marshal.dumps(self._codes), 1)
            self._codes = []
        return place

    def code(self, place: int) -> CodeType:
        """Give the code of a place."""
        packed = self._packed
        return (self._codes if packed is None else _unpacked(packed))[place]


# They are called in the order of their places, so one pack at a time is open.
@lru_cache(maxsize=1)
def _unpacked(packed: bytes) -> list[CodeType]:
    codes: list[CodeType] = marshal.loads(zlib.decompress(packed))  # noqa: S302 - ours
    return codes


class Asleep(Mapping[str, Callable[[Any], object]]):
    """The functions of a file that sleeps, by name."""

    __slots__ = ('_make', '_migration', '_names', '_pack', '_place')

    def __init__(
        self,
        make: Make,
        migration: Migration,
        pack: Pack,
        place: int,
        names: tuple[str, ...],
    ) -> None:
        self._make = make
        self._migration = migration
        self._pack = pack
        self._place = place
        self._names = names

    def __getitem__(self, name: str) -> Callable[[Any], object]:
        if name not in self._names:
            raise KeyError(name)
        return partial(self._call, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _call(self, name: str, db: Any) -> object:
        module = self._make(self._migration, self._pack.code(self._place))
        try:
            returned: object = getattr(module, name)(db)
            return returned
        finally:
            sys.modules.pop(module.__name__, None)


def _can_sleep(loaded: LoadedMigration, code: CodeType) -> bool:
    """Tell whether a file imports, and has an `up` and maybe a `down`, and no more."""
    if not HARMLESS.issuperset(code.co_code[::2]):
        return False
    own = vars(loaded.module)
    functions = {name: own.get(name) for name in UP_AND_DOWN if name in own}
    return (
        'up' in own
        and functions == dict(loaded.functions)
        and all(
            _is_done_when_it_returns(value)
            if name in functions
            else name.startswith('__') or isinstance(value, (ModuleType, type))
            for name, value in own.items()
        )
    )


def _is_done_when_it_returns(value: object) -> bool:
    return isinstance(value, FunctionType) and not value.__code__.co_flags & NOT_DONE
