"""Write the file of a new migration."""

from __future__ import annotations

import os
import re
import unicodedata

from migopy.commands import Command, Where
from migopy.errors import MigopyException
from migopy.files.directory import Directory
from migopy.files.names import BadFileNames, FileNames
from migopy.texts import UNFIT

#: What a new migration looks like; `{title}` stands for what was typed.
TEMPLATE = '''"""{title}."""

from typing import Any

from pymongo.database import Database


def up(db: Database[dict[str, Any]]) -> None:
    """Change the data."""


def down(db: Database[dict[str, Any]]) -> None:
    """Undo what up did."""
'''


class NotCreated(MigopyException):
    """A new migration file could not be written."""


def create(directory: Directory, title: str, template: str = TEMPLATE) -> str:
    """Write a new migration file from a template, and give its path.

    Its number comes after the highest, as wide as that one is written; the folder is
    made where there is none. In the template `{title}` stands for the title as a
    sentence and `{name}` for the file's name. Never overwrites. Raises `NotCreated`.
    """
    slug = _slug(title)
    if not slug:
        raise NotCreated(
            'Say in a few words, with letters from a to z, what the migration does: ',
            Command('create', 'add_user_index'),
        )
    try:
        os.makedirs(directory.path, exist_ok=True)
        name = f'{_next_number(directory)}_{slug}.py'
        _require_fitting(name, directory.file_names)
        path = os.path.join(directory.path, name)
        # 'x': whatever stands there is somebody's work.
        with open(path, 'x', encoding='utf-8') as file:
            text = template.replace('{name}', name)
            file.write(text.replace('{title}', _sentence(title)))
    except OSError as error:
        raise NotCreated(f'The migration could not be written: {error}') from error
    return path


def read_template(path: str) -> str:
    """Read a team's own template; raises `NotCreated`."""
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error if isinstance(error, OSError) else f'{path} is not UTF-8'
        raise NotCreated(
            f'MIGRATION_TEMPLATE cannot be read: {reason}. Correct it ',
            Where(('MIGRATION_TEMPLATE',)),
            ', then type the command again.',
        ) from error


def _next_number(directory: Directory) -> str:
    migrations = directory.migrations()
    if not migrations:
        return '001'
    last = migrations[-1]
    written = re.search(f'0*{last.number}', last.name)
    return str(last.number + 1).zfill(len(written[0]) if written else 1)


def _require_fitting(name: str, file_names: FileNames) -> None:
    try:
        file_names.sorted([name])
    except BadFileNames as error:
        raise NotCreated(
            f'{name} would not fit MIGRATIONS_FILE_PATTERN'
            f' ({file_names.pattern}). Make the file by hand.'
        ) from error


def _slug(title: str) -> str:
    plain = unicodedata.normalize('NFKD', _without_ending(title)).casefold()
    ascii_only = plain.encode('ascii', 'ignore').decode()
    return re.sub('[^a-z0-9]+', '_', ascii_only).strip('_')


def _sentence(title: str) -> str:
    """Set a title as it can stand in a docstring: `add_user_index` in words.

    What could steer a terminal, or end the line, is left out.
    """
    words = ' '.join(UNFIT.sub(' ', _without_ending(title)).split())
    if ' ' not in words:
        words = words.replace('_', ' ').strip()
    words = words.replace('\\', '/').replace('"', "'")
    return words[:1].upper() + words[1:]


def _without_ending(title: str) -> str:
    title = title.strip()
    return title[: -len('.py')] if title.endswith('.py') else title
