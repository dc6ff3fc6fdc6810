"""Make or import things when they are first asked for, by whatever thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from typing import Any, Callable, TypeVar, overload

T = TypeVar('T')


class lazy(cached_property[T]):  # noqa: N801 - written as `cached_property` is
    """A `cached_property` that is made once, even if several threads ask at a time.

    Since Python 3.12 `cached_property` lets each of them make one, and keeps the last:
    of a manager's parts, one thread would hold the lock of one and write with another.
    Invariant: all threads get the same object.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        super().__init__(make)
        self._turn = threading.RLock()

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> lazy[T]: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        """Give it, made at the first time; the class gives what makes it."""
        if instance is None:
            return self
        with self._turn:
            return super().__get__(instance, owner)


def late(package: str, rooms: Mapping[str, str]) -> Callable[[str], Any]:
    """Give the `__getattr__` of a package that imports some names late.

    `rooms` are the rooms of those names.
    """

    def get(name: str) -> Any:
        if name in rooms:
            return getattr(import_module(f'{package}.{rooms[name]}'), name)
        raise AttributeError(f'module {package!r} has no attribute {name!r}')

    return get
