"""A plan, as a page that a person reads and agrees to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from migopy.texts import counted

#: How many commands of a migration are shown; the file has more.
SHOWN = 50


def as_markdown(plan: Mapping[str, Any], path: str) -> str:
    """Set a plan in Markdown; `path` is the file that has all of it."""
    return '\n'.join(_lines(plan, path)) + '\n'


def _lines(plan: Mapping[str, Any], path: str) -> Iterator[str]:
    migrations = counted(len(plan['migrations']), 'migration')
    yield f'# Plan of {migrations} of {_plain(plan["database"])}'
    yield ''
    yield f'Made {plan["made"]} by a dry run on {_code(plan["server"])}; nothing was'
    yield f'changed. All of it is in {_code(path)}.'
    for migration in plan['migrations']:
        yield ''
        yield f'## {_plain(migration["name"])}'
        yield ''
        yield f'- {_code(migration["checksum"])}'
        inside = 'one transaction' if migration['in_transaction'] else 'no transaction'
        yield f'- runs in {inside}'
        yield f'- would do: {_plain(migration["summary"] or "nothing")}'
        if not migration['known_to_its_end']:
            why = migration['reason'] or 'a dry run says why'
            yield f'- **not known to its end**: {_plain(why)}'
        for note in migration['notes']:
            yield f'- {_plain(note)}'
        for each in migration['differences']:
            if each['fields']:
                fields = ', '.join(map(_code, each['fields']))
                yield f'- {_code(each["collection"])} changes in {fields}'
        for each in migration['findings']:
            line = f'line {each["line"]}: ' if each['line'] else ''
            said = _plain(each['what'])
            yield f'- **{each["severity"]}** {line}{said} ({each["name"]})'
        yield from _commands(migration)
    yield ''
    yield '## Collections as they were'
    yield ''
    yield '| Collection | Documents | Indexes |'
    yield '| --- | ---: | --- |'
    for each in plan['state']['collections']:
        names = ', '.join(map(_code, each['indexes']))
        yield f'| {_code(each["collection"])} | {each["documents"]:,} | {names} |'


def _commands(migration: Mapping[str, Any]) -> Iterator[str]:
    commands = migration['commands']
    if not commands:
        return
    yield ''
    yield f'{counted(migration["commands_in_all"], "command")}:'
    yield ''
    yield '````json'
    for each in commands[:SHOWN]:
        times = f'  (times {each["times"]:,})' if each['times'] > 1 else ''
        yield json.dumps(each['command'], ensure_ascii=False) + times
    yield '````'
    more = len(commands) - SHOWN
    left_out = migration['commands_left_out']
    for count, where in (more, 'in the file alone'), (left_out, 'in neither'):
        if count > 0:
            yield ''
            yield f'{counted(count, "more command")} {where}.'


def _plain(text: str) -> str:
    """Write a text in one line, with a backslash before signs of Markdown."""
    one_line = ' '.join(str(text).split())
    return ''.join(f'\\{each}' if each in '\\`*_<>[]|#' else each for each in one_line)


def _code(text: str) -> str:
    shown = ' '.join(str(text).split()).replace('`', "'").replace('|', '/')
    return f'`{shown}`'
