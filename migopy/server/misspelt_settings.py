"""Find constants of a fabfile's class that are settings spelt wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from inspect import getattr_static
from types import CodeType, FunctionType
from typing import Any

from migopy.server.misnamed_settings import PREFIXES
from migopy.server.values import CHECKS
from migopy.spelt import is_misspelling

#: Where the function is of a cached property, and of a task.
INSIDE = ('func', '__wrapped__', 'wrapped', 'body')


def names_misspelt(manager: object, base: type) -> dict[str, str]:
    """Give the settings that a manager's own classes misspell, by the names they have.

    Its own are those between it and `base`. A constant that their code uses is their
    own, and so is one whose value the setting could not have, or that is like a setting
    by its first word: `meant_by` looks at those.
    """
    own = [each for each in type(manager).__mro__ if each not in base.__mro__]
    found = {
        name: setting
        for place in (vars(manager), *map(vars, own))
        for name, value in place.items()
        if name.isupper() and not name.startswith(PREFIXES)
        for setting in settings_like(name)
        if CHECKS[setting](value) is None
    }
    used = set(_used_by(own)) if found else set()
    return {name: setting for name, setting in found.items() if name not in used}


@lru_cache(maxsize=1024)
def settings_like(name: str) -> tuple[str, ...]:
    """Give the settings that a name may be a misspelling of."""
    return tuple(each for each in CHECKS if is_misspelling(name, each))


def _used_by(classes: list[type]) -> Iterator[str]:
    """Give the names that the code of classes uses, and the functions beside them."""
    left: list[Any] = []
    for each in classes:
        left += vars(each).values()
        left += vars(sys.modules.get(each.__module__, each)).values()
    for each in left:
        found = [each]
        if isinstance(each, property):
            found = [each.fget]
        elif isinstance(each, (classmethod, staticmethod)):
            found = [each.__func__]
        else:
            # Static: a proxy beside the class might connect, or fail.
            found += [getattr_static(each, name, None) for name in INSIDE]
        for function in found:
            if isinstance(function, FunctionType):
                yield from _names_in(function.__code__)


def _names_in(code: CodeType) -> Iterator[str]:
    """Give the names, and the texts, in code and in the code inside it."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names_in(each)
        elif isinstance(each, str):
            yield each
