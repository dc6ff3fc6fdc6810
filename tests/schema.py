"""The lines of JSON as docs/machines.rst describes them."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from tests import readme

PAGE = 'docs/machines.rst'

#: Fields of each line, and the one of lines that come from another machine.
ALWAYS = {'migopy', 'event', 'at'}
RELAYED = 'on'

#: Fields that not every object of its kind has.
OPTIONAL = {
    'run': {'state', 'next'},
    'effects': {'more_collections', 'text', 'unheard'},
}

#: The field of a line or of an answer, and the kind of object that is there.
KINDS = {
    'error': 'error',
    'status': 'status',
    'list': 'entry',
    'history': 'run',
    'runs': 'run',
    'running': 'run',
    'unfinished': 'run',
    'problems': 'problem',
    'adoptions': 'adoption',
    'records': 'record',
    'images': 'images',
    'dumps': 'dump',
    'dump': 'dump',
    'settings': 'setting',
    'rehearsed': 'rehearsed',
    'holder': 'holder',
    'doing': 'doing',
    'loop': 'loop',
    'builds': 'build',
    'operations': 'operation',
    'watched': 'run',
    'unlocked': 'holder',
    'next': 'command',
    'effects': 'effects',
}


@functools.cache
def fields(table: str) -> dict[str, frozenset[str]]:
    """Read a table of the page: the fields by what has them."""
    return {
        name: frozenset(row[1].split(', '))
        for row in readme.rows(PAGE, table)
        for name in row[0].split(', ')
    }


def check(line: str) -> dict[str, Any]:
    """Read a line; fail unless it is as the page says."""
    assert line.isascii() and line.isprintable(), line
    document: dict[str, Any] = json.loads(line)
    assert document['migopy'] == 1, line
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', document['at']), line
    event = document['event']
    found = set(document) - ALWAYS - {RELAYED}
    expected = set(fields('json-events')[event])
    if event in ('ended', 'database'):
        expected.discard('and what the command shows')
        answers = found - expected
        assert answers <= set(fields('json-answers')), (line, answers)
        found -= answers
    assert found == expected, (event, found ^ expected)
    check_objects(document)
    return document


def check_objects(holder: dict[str, Any]) -> None:
    """Fail unless the objects in an object are as the page says."""
    for name, value in holder.items():
        kind = KINDS.get(name)
        # An error's own fields have other names; so have some that are texts.
        several = value if isinstance(value, list) else [value]
        for each in several:
            if kind is None or not isinstance(each, dict):
                continue
            expected = fields('json-objects')[kind]
            missing = expected - set(each) - OPTIONAL.get(kind, set())
            assert set(each) <= expected and not missing, (kind, each)
            check_objects(each)
    failed = holder.get('failed')
    if isinstance(failed, dict):
        expected = fields('json-events')['failed'] - {'error'}
        assert set(failed) == expected, failed
        check_objects(failed)


@functools.cache
def events() -> frozenset[str]:
    """List the events that the page names."""
    return frozenset(fields('json-events'))
