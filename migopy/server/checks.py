"""Check what a fabfile has set before it is used, each setting by itself.

A misspelt setting would otherwise be ignored, and the default server used.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from migopy.commands import Command, Where
from migopy.secrets import redacted
from migopy.server.misnamed_settings import MEANT, PREFIXES, SAME, SIMILARITY
from migopy.server.settings import BadSettings
from migopy.server.values import CHECKS, OBJECTS, has_user

#: Settings whose values nobody may see, of whatever type they are.
SECRET = ('MONGO_CLIENT_OPTIONS', 'MONGO_DATABASES', 'MONGO_URI', *SAME)

#: Types of values that settings have; a method with the name of one is no setting.
PLAIN = (str, int, float, os.PathLike, Mapping)


#: Names none of which is a setting misspelt.
NONE: Mapping[str, str] = MappingProxyType({})


def require_sound(
    values: Mapping[str, Any],
    given: Iterable[str],
    misspelt: Mapping[str, str] = NONE,
) -> None:
    """Raise `BadSettings` for the first setting at fault, by its name.

    `values` are the settings by their names, `given` what a fabfile gives a value to:
    settings, constants of its own, and settings misspelt. `misspelt` has the settings
    that were meant, where the spelling alone does not tell.
    """
    names = set(given)
    for name in sorted(names):
        if name.upper() in values and name not in values:
            raise _misspelt(name, name.upper())
    used = {name for name in names if values.get(name) not in (None, '')}
    for name in sorted(names - set(values)):
        meant = meant_by(name) or misspelt.get(name)
        # If the setting itself is set too, this name is the fabfile's own.
        if meant and not used & {meant, *SAME.get(meant, ())}:
            raise _misspelt(name, meant)
    for name, value in values.items():
        check = CHECKS.get(name) or OBJECTS.get(name)
        wish = check(value) if check else None
        if wish is not None:
            raise BadSettings(
                f'{name}{shown_value(name, value)} must be {wish}.\nCorrect it ',
                Where((name,)),
                ', then type: ',
                Command(),
            )


def _misspelt(name: str, meant: str) -> BadSettings:
    """Give the error of a name that is meant as a setting."""
    return BadSettings(
        f'{name} is no setting of migopy; {meant} is.\nRename it ',
        Where(),
        f' (to _{name} if it is your own), then type: ',
        Command(),
    )


def names_given(manager: object, base: type) -> set[str]:
    """List the names that a manager's own classes set and that may mean settings.

    Its own are those between it and `base`, mixins among them. Names in upper case are
    listed, and a setting's in lower case that has a plain value.
    """
    own = [each for each in type(manager).__mro__ if each not in base.__mro__]
    places = [vars(manager), *map(vars, own)]
    return {
        name
        for place in places
        for name, value in place.items()
        if name.isupper() or (name.upper() in CHECKS and isinstance(value, PLAIN))
    }


def meant_by(name: str) -> str | None:
    """Give the setting that an unknown name was probably meant to be, if any."""
    if name in CHECKS or not name.startswith(PREFIXES):
        return None
    usual = re.sub('^MONGODB_', 'MONGO_', name)
    if usual in CHECKS or usual in MEANT:
        return MEANT.get(usual, usual)
    near = difflib.get_close_matches(usual, CHECKS, n=1, cutoff=SIMILARITY)
    return near[0] if near else None


def shown_value(name: str, value: object) -> str:
    """Show a wrong value, to follow its setting's name; `''` for a secret."""
    is_secret = name in SECRET or (name == 'MONGO_HOST' and has_user(str(value)))
    return '' if is_secret else f' = {redacted(repr(value))}'
