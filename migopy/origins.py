"""Where each setting of a manager comes from."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import new_class
from typing import Any, NamedTuple, TypeVar, cast

from migopy.defaults import Defaults
from migopy.secrets import redacted
from migopy.server import CHECKS, SECRET, ServerUri, is_uri

#: The attribute of a derived class that says where its values come from, which replace
#: those of the class that it derives from.
WHERE = 'migopy_where'

#: The setting that each face takes from the process's environment, and the variables
#: there: the first overrules the setting; the second, not migopy's own, is a default.
ENVIRONMENT = 'ENVIRONMENT'
OWN_VARIABLE, USUAL_VARIABLE = 'MIGOPY_ENVIRONMENT', 'ENVIRONMENT'

#: The setting in whose place a method of the fabfile may be.
DATABASES, METHOD = 'MONGO_DATABASES', 'databases'

#: The attribute, of 1.0, that marks a method as a command.
MARK = 'migopy_task'

#: The attribute that marks a method of migopy's own; an override has none.
ORIGINAL = 'migopy_original'

#: What stands for a value that nobody may see.
HIDDEN = '(set, not shown)'

Manager = TypeVar('Manager', bound=Defaults)


class Given(NamedTuple):
    """The value of a setting, and where it comes from: `MIGOPY_MONGO_URI`."""

    value: Any
    where: str


class Shown(NamedTuple):
    """A setting as a person may see it: no secret is in it."""

    name: str
    value: str
    where: str


def over(manager_class: type[Manager], given: Mapping[str, Given]) -> type[Manager]:
    """Derive a class with other values for some settings."""
    if not given:
        return manager_class
    attributes = {
        '__module__': manager_class.__module__,
        '__qualname__': manager_class.__qualname__,
        '__doc__': manager_class.__doc__,
        WHERE: {name: each.where for name, each in given.items()},
        **{name: each.value for name, each in given.items()},
    }
    name, bases = manager_class.__name__, (manager_class,)
    made = new_class(name, bases, exec_body=lambda body: body.update(attributes))
    return cast('type[Manager]', made)


def shown(manager: Defaults) -> list[Shown]:
    """List the settings of a manager, each as a person may see it."""
    rows = []
    for name in CHECKS:
        if name == DATABASES and has_method(manager):
            where = _where(manager, METHOD)
            rows.append(Shown(name, f'(the method {METHOD})', where))
            continue
        given = (
            environment_of(manager)
            if name == ENVIRONMENT
            else Given(getattr(manager, name), _where(manager, name))
        )
        rows.append(Shown(name, _visible(name, given.value), given.where))
    return rows


def has_method(manager: Any) -> bool:
    """Tell whether a method of the fabfile gives the databases."""
    method = getattr(manager, METHOD)
    return not hasattr(method, ORIGINAL) and not hasattr(method, MARK)


def environment_of(manager: Defaults) -> Given:
    """Tell what this environment is called, and where that is said.

    The value is `None` where none is named.
    """
    candidates = (
        (os.environ.get(OWN_VARIABLE), OWN_VARIABLE),
        (manager.ENVIRONMENT, _where(manager, ENVIRONMENT)),
        (os.environ.get(USUAL_VARIABLE), f'{USUAL_VARIABLE} in the environment'),
    )
    for value, where in candidates:
        # A value that is no text is refused when the settings are checked.
        if isinstance(value, str) and value.strip():
            return Given(value.strip(), where)
    return Given(None, _where(manager, ENVIRONMENT))


def where_of(manager_class: type, name: str) -> str:
    """Say where a class has a setting from; `''` for the default."""
    for cls in manager_class.__mro__:
        if name in vars(cls):
            if cls is Defaults:
                return ''
            where = vars(cls).get(WHERE, {}).get(name)
            return where or f'{cls.__qualname__} in {_file_of(cls)}'
    return ''


def _where(manager: Defaults, name: str) -> str:
    if name in vars(manager):
        return f'set by {type(manager).__qualname__} itself'
    return where_of(type(manager), name) or 'default'


def _file_of(cls: type) -> str:
    file = getattr(sys.modules.get(cls.__module__), '__file__', None)
    return os.path.basename(file) if file else cls.__module__


def _visible(name: str, value: Any) -> str:
    if value in (None, ''):
        return 'None' if value is None else "''"
    if name in ('MONGO_URI', 'MONGO_HOST') and is_uri(str(value)):
        return ServerUri.of(str(value)).where
    if name == 'MONGO_CLIENT_OPTIONS':
        return ', '.join(f'{option}: …' for option in value) or '{}'
    if name == DATABASES and _is_names(value):
        return ', '.join([value] if isinstance(value, str) else value)
    if name in SECRET and name != 'MONGO_URI':
        return HIDDEN
    return redacted(str(value))


def _is_names(value: Any) -> bool:
    """Tell whether it is only names and patterns, without settings of their own."""
    names = [value] if isinstance(value, str) else value
    return isinstance(names, (list, tuple)) and all(
        isinstance(name, str) for name in names
    )
