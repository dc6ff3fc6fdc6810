"""The databases that a fabfile declares, checked one by one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from migopy.commands import Command, Part, Where
from migopy.errors import MigopyException
from migopy.many.databases import SYSTEM, shown
from migopy.many.patterns import is_pattern
from migopy.origins import has_method
from migopy.server import CHECKS, BadSettings, OneOfMany, meant_by, require_sound
from migopy.traces import excerpt

#: Settings that a single database cannot override.
OF_ALL = frozenset({'MONGO_DATABASE', 'MONGO_DATABASES'})

#: Settings of a server that a URI takes the place of.
PLACES = ('MONGO_HOST', 'MONGO_PORT')

#: What errors call the place where databases are declared.
SETTING, METHOD = 'MONGO_DATABASES', 'the method databases'

#: What the databases may be.
WISH = (
    'must be names, patterns such as tenant_*, or pairs of a name and a dict of'
    ' settings'
)


class DatabasesFailed(MigopyException):
    """The fabfile's method `databases` raised; the cause is chained."""

    def __init__(self, error: Exception, path: str) -> None:
        super().__init__(
            'The method databases has failed, so nothing was done.\n'
            f'{excerpt(error, path)}\nCorrect it ',
            Where(),
            ', then type: ',
            Command(),
        )


class Declared(NamedTuple):
    """A name, or a pattern of several, and the settings for these databases only."""

    name: str
    own: Mapping[str, Any]


def where_declared(manager: Any) -> str:
    """Say where a manager's databases are declared: in its setting or its method."""
    return METHOD if has_method(manager) else SETTING


def in_sentence(source: str) -> str:
    """Give the place where databases are declared as the beginning of a sentence."""
    return f'T{source[1:]}' if source == METHOD else source


def declared_by(manager: Any) -> list[Declared]:
    """Ask a manager for its databases; its method is called once, here.

    Raises `BadSettings` for what cannot be a database, `DatabasesFailed` if the method
    raises an error.
    """
    if not has_method(manager):
        answers = list(_each(manager.MONGO_DATABASES or [], SETTING))
        return [_checked(each, SETTING) for each in answers]
    if not callable(manager.databases):
        raise _bad(
            'databases is a method that gives the databases, and here it is'
            f' {_kind(manager.databases)}. A list of them is MONGO_DATABASES.'
        )
    try:
        # A generator runs here.
        answers = list(_each(manager.databases(), METHOD))
    except OneOfMany as error:
        raise _bad(
            'The method databases has no self.db, as it says first which databases'
            " there are. self.mongo_client['NAME'] is any of them."
        ) from error
    except MigopyException:
        raise
    except Exception as error:
        path = inspect.getsourcefile(type(manager)) or ''
        raise DatabasesFailed(error, path) from error
    given = [_checked(each, METHOD) for each in answers]
    if manager.MONGO_URI:
        for each in given:
            _require_to_count(each)
    return given


def _each(answer: Any, source: str) -> Iterator[Any]:
    if isinstance(answer, str):
        return iter([answer])
    # Somebody may expect that the values of a dict count.
    if isinstance(answer, Mapping) or not isinstance(answer, Iterable):
        raise _bad(f'What {source} gives {WISH}; it is {_kind(answer)}.')
    return iter(answer)


def _checked(answer: Any, source: str) -> Declared:
    """Read a name, or a pair of a name and settings; raises `BadSettings`."""
    pair = (answer, {}) if isinstance(answer, str) else answer
    # The answer may have a password in it, so it is not shown.
    wrong = f'What {source} gives {WISH}; one of them is {_kind(answer)}.'
    try:
        name, own = pair
    except (TypeError, ValueError) as error:
        raise _bad(wrong) from error
    if not isinstance(name, str) or not isinstance(own, Mapping):
        raise _bad(wrong)
    plain = name.replace('*', '').replace('?', '') if is_pattern(name) else name
    wish = CHECKS['MONGO_DATABASE'](plain)
    if not name or wish is not None:
        raise _bad(
            f'{shown(name)} of {source} must be {wish or "the name of a database"}.'
        )
    if name in SYSTEM:
        raise _bad(f"{name} of {source} is MongoDB's own, so no migration runs there.")
    _require_settings(name, own)
    return Declared(name, own)


def _require_settings(name: str, own: Mapping[str, Any]) -> None:
    for setting in own:
        text = str(setting)
        in_capitals = text.upper() if text.upper() in CHECKS else None
        meant = in_capitals or meant_by(text) or text
        if meant in OF_ALL or not meant.startswith('MONGO_'):
            raise _bad(
                f'{shown(name)}: {setting} is no setting that one of many databases'
                ' can have for itself. Those that say where it is do: MONGO_URI,'
                ' MONGO_USER, …'
            )
        if setting not in CHECKS:
            near = f'; {meant} is' if meant in CHECKS else ''
            raise _bad(f'{shown(name)}: {setting} is no setting of migopy{near}.')
    try:
        require_sound(own, [])
    except BadSettings as error:
        raise BadSettings(f'{shown(name)}: ', *error.parts) from error


def _require_to_count(given: Declared) -> None:
    """Raise `BadSettings` for what the `MONGO_URI` of all takes the place of.

    The database would be looked for on another server than the one that was meant.
    """
    idle = [each for each in PLACES if given.own.get(each) is not None]
    if idle and 'MONGO_URI' not in given.own:
        raise _bad(
            f'{shown(given.name)}: {idle[0]} has no effect beside the MONGO_URI of all'
            ' databases. Give it a MONGO_URI of its own, or MONGO_URI = None.'
        )


def _bad(text: str) -> BadSettings:
    next_step: list[Part] = ['\nCorrect it ', Where(('MONGO_DATABASES',))]
    return BadSettings(text, *next_step, ', then type: ', Command())


def _kind(answer: object) -> str:
    return 'None' if answer is None else f'of the type {type(answer).__name__}'
