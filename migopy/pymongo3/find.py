"""The arguments of `find()` that PyMongo 4 dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import CursorType

from migopy.pymongo3.deprecations import Deprecations
from migopy.pymongo3.refusals import refuse
from migopy.pymongo3.sending import Document

_RENAMED = {
    'spec': 'filter',
    'fields': 'projection',
    'partial': 'allow_partial_results',
}
_PASSED_OVER = (
    'compile_re',
    'manipulate',
    'network_timeout',
    'secondary_acceptable_latency_ms',
    'slave_okay',
)
#: Arguments that are refused if they asked for something, else ignored.
_REFUSED = {
    'max_scan': 'write limit=… or max_time_ms=… instead, as MongoDB 4.2 dropped it too',
    'snapshot': "write hint='_id_' instead, as MongoDB 4.0 dropped it too",
    'tag_sets': 'write with_options(read_preference=…).find(…) instead',
}

_MODIFIERS = {
    '$comment': 'comment',
    '$hint': 'hint',
    '$max': 'max',
    '$maxTimeMS': 'max_time_ms',
    '$min': 'min',
    '$orderby': 'sort',
    '$returnKey': 'return_key',
    '$showDiskLoc': 'show_record_id',
    '$showRecordId': 'show_record_id',
}
_REFUSED_MODIFIERS = {
    '$explain': 'write find(…).explain() instead',
    '$maxScan': _REFUSED['max_scan'],
    '$query': 'write find(filter=…) instead',
    '$snapshot': _REFUSED['snapshot'],
}


def modernized(arguments: Document, deprecations: Deprecations) -> Document:
    """Give `find()`'s named arguments as PyMongo 4 knows them.

    Raises `DroppedByPyMongo` for what servers dropped as well.
    """
    modern = dict(arguments)
    for name, advice in _REFUSED.items():
        if modern.pop(name, None):
            refuse(f'find({name}=…)', advice)
    for name in _PASSED_OVER:
        if name in modern:
            del modern[name]
            deprecations.say(f'find({name}=…)', 'it is passed over; leave it out')
    for old, new in _RENAMED.items():
        if old in modern:
            deprecations.say(f'find({old}=…)', f'write find({new}=…) instead')
            modern[new] = modern.pop(old)
            if old == 'fields' and modern[new] in ([], (), {}):
                # Without a field PyMongo 2 gave the _id, PyMongo 4 gives all.
                modern[new] = {'_id': 1}
    if 'timeout' in modern:
        advice = 'write find(no_cursor_timeout=…) instead'
        deprecations.say('find(timeout=…)', advice)
        modern['no_cursor_timeout'] = not modern.pop('timeout')
    _set_cursor_type(modern, deprecations)
    if 'modifiers' in modern:
        advice = 'write find(hint=…, sort=…, …) instead'
        deprecations.say('find(modifiers=…)', advice)
        modifiers = _modern_modifiers(modern.pop('modifiers') or {})
        # In PyMongo 3 an argument overrules the modifier.
        modern = {**modifiers, **modern}
    return modern


def _set_cursor_type(arguments: Document, deprecations: Deprecations) -> None:
    """Replace the three arguments of PyMongo 2 that are one today."""
    asked = set()
    for name in ('tailable', 'await_data', 'exhaust'):
        if name in arguments:
            deprecations.say(f'find({name}=…)', 'write find(cursor_type=…) instead')
            if arguments.pop(name):
                asked.add(name)
    if 'exhaust' in asked:
        if 'tailable' in asked:
            refuse('find(tailable=…, exhaust=…)', 'write one of the two')
        arguments['cursor_type'] = CursorType.EXHAUST
    elif 'tailable' in asked:
        waits = 'await_data' in asked
        arguments['cursor_type'] = (
            CursorType.TAILABLE_AWAIT if waits else CursorType.TAILABLE
        )


def _modern_modifiers(modifiers: Mapping[str, Any]) -> Document:
    """Give PyMongo 3's modifiers, the server's of old, as arguments of today."""
    modern = {}
    for name, value in modifiers.items():
        if name not in _MODIFIERS:
            advice = _REFUSED_MODIFIERS.get(name, 'there is no such modifier')
            refuse(f"find(modifiers={{'{name}': …}})", advice)
        modern[_MODIFIERS[name]] = _as_argument(name, value)
    return modern


def _as_argument(modifier: str, value: Any) -> Any:
    """Give a list of pairs, or a mapping, as PyMongo 4 has it there."""
    if modifier in ('$hint', '$orderby') and isinstance(value, Mapping):
        return list(value.items())
    if modifier in ('$max', '$min'):
        return dict(value)
    return value
