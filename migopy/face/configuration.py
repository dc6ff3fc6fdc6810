"""Settings that come as texts: from the environment, or from pyproject.toml."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from migopy.defaults import Defaults
from migopy.errors import MigopyException
from migopy.origins import Given
from migopy.secrets import redacted
from migopy.server import (
    CHECKS,
    DATA,
    EMBEDDED,
    SECRET,
    meant_by,
    shown_value,
)

#: What the variable of each setting begins with.
PREFIX = 'MIGOPY_'

#: The variable that names the manager, as `--manager` does.
MANAGER = 'MIGOPY_MANAGER'

#: Ends a variable that names a file with the value, as containers give secrets.
FILE = '_FILE'

#: Variables that are no settings: the path of a mongod, what another machine sends with
#: a command, and those of migopy's own tests.
OTHERS = ('MIGOPY_MONGOD', 'MIGOPY_SENT')
OF_TESTS = r'MIGOPY_(TEST|FAULTS|WRITE_DOCS)'

#: What Kubernetes sets in each pod where a service is called `migopy`, or
#: `migopy-mongodb`.
OF_A_SERVICE = (
    r'MIGOPY_(\w+_)?'
    r'(SERVICE_(HOST|PORT)\w*|PORT_\d+_(TCP|UDP|SCTP)\w*|PORT=(tcp|udp|sctp)://.*)'
)

#: Settings that are paths.
PATHS = (
    'MIGRATIONS_DIRECTORY',
    'MIGRATION_TEMPLATE',
    'MONGO_DUMP_DIRECTORY',
    'PROJECT_DIRECTORY',
)

#: Settings that may be a number or none, and how none is written.
NUMBERS_OR_NONE = ('MONGO_DUMP_KEEP', 'UNDO_DAYS', 'UNDO_KEEP')
NONE = 'none'

#: How similar to a variable an unknown one is that was meant as it.
SIMILARITY = 0.6

YES = {'yes': True, 'true': True, '1': True, 'no': False, 'false': False, '0': False}


class BadSetting(MigopyException):
    """A setting in the environment or in pyproject.toml that cannot be used.

    `where` is the variable or the key.
    """

    def __init__(self, where: str, said: str) -> None:
        self.where = where
        super().__init__(f'{where}{said}')


def from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    """Read the settings of an environment.

    An empty variable counts as not set. Raises `BadSetting` for a variable that begins
    with `MIGOPY_` and is none of migopy's, and for a value that cannot be used.
    """
    given: dict[str, Given] = {}
    for variable in sorted(environment):
        text = environment[variable]
        if not variable.startswith(PREFIX) or not text or _is_other(variable, text):
            continue
        name, is_file = _setting_of(variable)
        if name in given:
            said = f' and {given[name].where} are both set. Unset one of them.'
            raise BadSetting(variable, said)
        text = _content(variable, text) if is_file else text
        given[name] = _checked(name, _value(variable, name, text), variable)
    return given


def from_table(table: Mapping[str, Any], file: str) -> dict[str, Given]:
    """Read the settings of a table `[tool.migopy]`; raises `BadSetting`.

    `file` is the path of the file that has the table. Relative paths lie beside it.
    """
    given: dict[str, Given] = {}
    folder, file_name = os.path.split(file)
    for key, value in table.items():
        name = key.upper().replace('-', '_')
        where = f'{key} in {file_name}'
        if name == 'MANAGER':
            continue
        if name not in CHECKS:
            meant = meant_by(name) or _nearest(name, CHECKS)
            near = f'; {meant.lower()} is' if meant else ''
            raise BadSetting(where, f' is no setting of migopy{near}.')
        if name in given:
            raise BadSetting(where, ' is there twice.')
        if name in NUMBERS_OR_NONE and str(value).lower() == NONE:
            value = None  # for which TOML has no word
        value, where = _checked(name, value, where)
        given[name] = Given(_beside(folder, name, value), where)
    return given


def _beside(folder: str, name: str, value: Any) -> Any:
    """Give the value of a setting, a relative path joined to a folder."""
    if name in PATHS and value is not None:
        return os.path.join(folder, value)
    if name in ('MONGO_URI', 'MONGO_HOST') and str(value).startswith(EMBEDDED):
        data = value[len(EMBEDDED) :] or DATA
        return f'{EMBEDDED}{os.path.join(folder, data)}'
    return value


def _setting_of(variable: str) -> tuple[str, bool]:
    """Give the setting of a variable, and whether it names a file with the value.

    Raises `BadSetting` if it is the variable of no setting.
    """
    name = variable[len(PREFIX) :]
    if name in CHECKS:
        return name, False
    of_file = name.removesuffix(FILE)
    if of_file != name and of_file in SECRET:
        return of_file, True
    raise _no_setting(variable)


def _is_other(variable: str, text: str) -> bool:
    if variable[len(PREFIX) :] in CHECKS:
        return False
    return (
        variable in (MANAGER, *OTHERS)
        or re.match(OF_TESTS, variable) is not None
        or re.fullmatch(OF_A_SERVICE, variable) is not None
        or re.fullmatch(OF_A_SERVICE, f'{variable}={text}') is not None
    )


def _no_setting(variable: str) -> BadSetting:
    name = variable[len(PREFIX) :]
    of_files = [f'{each}{FILE}' for each in SECRET]
    known = [*CHECKS, *of_files, MANAGER[len(PREFIX) :]]
    without = name.removesuffix(FILE)
    meant = without if without in CHECKS else meant_by(name) or _nearest(name, known)
    near = f'; {PREFIX}{meant} is' if meant else ''
    return BadSetting(
        variable,
        f' in the environment is no variable of migopy{near}. Rename it, or unset it.',
    )


def _nearest(name: str, known: Iterable[str]) -> str | None:
    names = list(known)
    ending_so = [each for each in names if each.endswith(f'_{name}')]
    near = difflib.get_close_matches(name, names, 1, cutoff=SIMILARITY)
    return next(iter([*ending_so, *near]), None)


def _content(variable: str, path: str) -> str:
    """Read the file that a variable names, without the line end at its end."""
    try:
        with open(path, encoding='utf-8') as file:
            text = file.read()
    except OSError as error:
        raise BadSetting(
            variable, f': {path} cannot be read: {error.strerror}.'
        ) from error
    except UnicodeDecodeError as error:
        raise BadSetting(variable, f': {path} is not UTF-8.') from error
    text = text.removesuffix('\n').removesuffix('\r')
    if not text:
        raise BadSetting(variable, f': {path} is empty.')
    return text


def _value(variable: str, name: str, text: str) -> Any:
    """Give the value that a text stands for, by the type of the setting."""
    read, wish = _reader(name)
    try:
        return read(text)
    except (ValueError, KeyError, RecursionError) as error:
        shown = '' if name in SECRET else f'={redacted(text)}'
        raise BadSetting(variable, f'{shown} must be {wish}.') from error


def _reader(name: str) -> tuple[Callable[[str], Any], str]:
    default = getattr(Defaults, name)
    if name == 'UNDO':
        # It takes words beside yes and no, which are checked afterwards.
        return lambda text: YES.get(text.strip().lower(), text), 'yes or no'
    if isinstance(default, bool):
        return lambda text: YES[text.strip().lower()], 'yes or no'
    if isinstance(default, Mapping):
        return _object, 'a JSON object, such as {"tls": true}'
    if isinstance(default, tuple) or name == 'MONGO_DATABASES':
        return _names, 'names with commas between them'
    if name in NUMBERS_OR_NONE:
        return _number_or_none, 'a number, or none'
    if isinstance(default, (int, float)):
        return _number, 'a number'
    return str, 'a text'


def _names(text: str) -> list[str]:
    # A no-break space may be a part of a database's name.
    return [name.strip(' \t\r\n') for name in text.split(',')]


def _number_or_none(text: str) -> float | None:
    return None if text.strip().lower() == NONE else _number(text)


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() and '.' not in text else number


def _object(text: str) -> Mapping[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError('no object')
    return value


def _checked(name: str, value: Any, where: str) -> Given:
    wish = CHECKS[name](value)
    if wish is not None:
        raise BadSetting(where, f'{shown_value(name, value)} must be {wish}.')
    return Given(value, where)
