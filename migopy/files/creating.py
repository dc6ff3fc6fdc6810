"""Write the file of a new migration."""

from __future__ import annotations

import errno
import os
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from migopy.commands import Again, Command, Part, Where
from migopy.errors import MigopyException
from migopy.files.directory import Directory
from migopy.files.names import FileNames
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

#: Latin letters that Unicode does not take apart into a letter and a mark.
LETTERS = str.maketrans({'ł': 'l', 'ø': 'o', 'đ': 'd', 'æ': 'ae', 'œ': 'oe'})


#: Errors that say that a file is in the place of the folder.
NO_FOLDER = (FileExistsError, NotADirectoryError)


class NotCreated(MigopyException):
    """A new migration file could not be written."""


#: Times as file names begin with them, the exact ones first.
STAMPS = (
    '%Y%m%d%H%M%S',
    '%Y%m%d_%H%M%S',
    '%Y-%m-%d-%H-%M-%S',
    '%Y_%m_%d_%H_%M_%S',
    '%Y-%m-%dT%H%M%S',
    '%Y%m%d%H%M',
    '%Y-%m-%d',
    '%Y_%m_%d',
    '%Y%m%d',
)


def create(
    directory: Directory,
    title: str,
    template: str = TEMPLATE,
    numbering: str = 'number',
) -> str:
    """Write a new migration file from a template, and give its path.

    With the numbering `'number'` it comes after the highest number of what runs once,
    as wide as that one is written; with `'timestamp'` it begins with the time (in
    UTC), in the form that fits the pattern of names. The folder is made where there is
    none. In the template `{title}` stands for the title as a sentence and `{name}` for
    the file's name. A title may be a whole name, whose number is passed over. Never
    overwrites. Raises `NotCreated`.
    """
    title = _without_number(title, directory.file_names)
    slug = _slug(title)
    if not slug:
        raise NotCreated(
            'Say in a few words, with letters from a to z, what the migration does: ',
            Command('create', 'add_user_index'),
        )
    try:
        os.makedirs(directory.path, exist_ok=True)
        numbers = (
            _times(directory) if numbering == 'timestamp' else [_next_number(directory)]
        )
        name = _fitting(numbers, slug, directory.file_names)
        path = os.path.join(directory.path, name)
        text = template.replace('{name}', name)
        _write(path, text.replace('{title}', _sentence(title)))
    except OSError as error:
        raise NotCreated(*_why_not_written(directory.path, error)) from error
    return path


def _write(path: str, text: str) -> None:
    """Write a new file whole, or leave none."""
    # 'x': whatever stands there is somebody's work.
    with open(path, 'x', encoding='utf-8') as file:
        try:
            file.write(text)
            file.flush()
        except BaseException:
            os.unlink(path)
            raise


def _why_not_written(folder: str, error: OSError) -> list[Part]:
    """Say why a migration could not be written, and what to do."""
    if error.errno == errno.ENAMETOOLONG:
        again = Command('create', 'add_user_index')
        return ["Its file's name would be too long; say it in fewer words: ", again]
    if not os.path.isdir(folder) and isinstance(error, NO_FOLDER):
        return [
            f'{folder} is to be the migrations directory, and a file is in its place.\n'
            'Move that elsewhere, or set MIGRATIONS_DIRECTORY ',
            Where(('MIGRATIONS_DIRECTORY',)),
            ', then type',
            Again(),
        ]
    return [
        f'The migration could not be written: {error.filename or folder}:'
        f' {error.strerror}.\nSee to it that there is room, and that the folder can be'
        ' written to, then type',
        Again(),
    ]


def read_template(path: str) -> str:
    """Read a team's own template; raises `NotCreated`."""
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else 'it is not UTF-8'
        raise NotCreated(
            f'MIGRATION_TEMPLATE cannot be read: {path}: {why}. Correct it ',
            Where(('MIGRATION_TEMPLATE',)),
            ', then type',
            Again(),
        ) from error


def _next_number(directory: Directory) -> str:
    migrations = directory.migrations()
    # Repeatable ones run after all others; they may have any number.
    ordinary = [each for each in migrations if not each.is_repeatable()]
    last = ordinary[-1] if ordinary else None
    number = last.number + 1 if last else 1
    taken = {each.number for each in migrations}
    while number in taken:
        number += 1
    if last is None:
        return str(number).zfill(len('001'))
    written = re.search(f'0*{last.number}', last.name)
    return str(number).zfill(len(written[0]) if written else 1)


def _times(directory: Directory) -> list[str]:
    """Give the time in each form; no file has the number of the exact one yet."""
    now = datetime.now(timezone.utc)
    taken = {each.number for each in directory.migrations()}
    while int(f'{now:{STAMPS[0]}}') in taken:
        now += timedelta(seconds=1)
    return [f'{now:{stamp}}' for stamp in STAMPS]


def _fitting(numbers: Sequence[str], slug: str, file_names: FileNames) -> str:
    """Give the first name that fits the pattern, with underscores or with dashes."""
    for sign in '_-':
        for number in numbers:
            name = f'{number}{sign}{slug.replace("_", sign)}.py'
            # A pattern may take some of the digits for a part of the name.
            if file_names.numbers_in(name) == re.sub(r'\D', '', number):
                return name
    raise NotCreated(
        f'{numbers[0]}_{slug}.py would not fit MIGRATIONS_FILE_PATTERN'
        f' ({file_names.pattern}). Make the file by hand, or, where names begin'
        " with a time, set MIGRATION_NUMBERING = 'timestamp'."
    )


def _without_number(title: str, file_names: FileNames) -> str:
    """Take the number off a title that was typed as the name of a file."""
    number = file_names.numbers_in(title)
    return title[len(number) :] if number and title.startswith(number) else title


def _slug(title: str) -> str:
    plain = unicodedata.normalize('NFKD', _without_ending(title)).casefold()
    ascii_only = plain.translate(LETTERS).encode('ascii', 'ignore').decode()
    return re.sub('[^a-z0-9]+', '_', ascii_only).strip('_')


def _sentence(title: str) -> str:
    """Write a title as a docstring begins: `add_user_index` in words.

    What could steer a terminal, or end the string, is left out.
    """
    words = ' '.join(UNFIT.sub(' ', _without_ending(title)).split())
    if ' ' not in words:
        words = words.replace('_', ' ').strip()
    words = words.replace('\\', '/').replace('"', "'")
    return words[:1].upper() + words[1:]


def _without_ending(title: str) -> str:
    title = title.strip()
    return title[: -len('.py')] if title.endswith('.py') else title
