"""The table `[tool.migopy]` of a project's pyproject.toml."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from migopy.contents import content_of
from migopy.face.configuration import BadSetting

NAME = 'pyproject.toml'

#: Whether a file has the table, in one of the ways to write it. Most have none, and to
#: read them takes longer than this.
HAS_TABLE = r"""(?x)
    \btool\b["']? \s* \. \s* ["']?migopy\b
    | ^\s* \[ \s* ["']?tool["']? \s* \] (?s:.*) ^\s* ["']?migopy\b
    | ^\s* ["']?tool["']? \s* = .* \bmigopy\b
"""


class Table(NamedTuple):
    """What a project says of migopy; `file` is the path of its pyproject.toml."""

    content: Mapping[str, Any]
    file: str


def table_in(folders: Iterable[str]) -> Table:
    """Give the table of the first folder that has one, else an empty one.

    Raises `BadSetting` for a file that cannot be read.
    """
    for folder in folders:
        path = os.path.join(folder, NAME)
        try:
            text = content_of(path).decode(errors='replace')
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise BadSetting(path, f' cannot be read: {error.strerror}.') from error
        if re.search(HAS_TABLE, text, re.MULTILINE):
            table = _parsed(text, path).get('tool', {}).get('migopy', {})
            if not isinstance(table, dict):
                raise BadSetting(NAME, ': tool.migopy must be a table.')
            return Table(table, path)
    return Table({}, '')


def _parsed(text: str, path: str) -> dict[str, Any]:
    toml = _reader()
    try:
        parsed: dict[str, Any] = toml.loads(text)
    except ValueError as error:
        raise BadSetting(path, f' is no TOML: {error}.') from error
    return parsed


def _reader() -> Any:
    """Give what reads TOML: Python's own from 3.11 on, before that `tomli`."""
    for name in ('tomllib', 'tomli'):
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise BadSetting(
        NAME,
        ' has settings of migopy, and to read them Python 3.9 and 3.10 need tomli.'
        '\nType: pip install tomli',
    )
