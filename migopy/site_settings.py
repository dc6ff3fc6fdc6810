"""The settings of a site: a manager's attributes, as values."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from migopy.defaults import Defaults
from migopy.files import project_directory
from migopy.origins import environment_of
from migopy.pace import Wanted
from migopy.server import Settings


class SiteSettings(NamedTuple):
    """Where a site's data, files and records are.

    `base` is the folder that relative paths lie in; `environment` is `''` where none
    is named; `lock_ttl` is in seconds, and `undo_mb` in MB.
    """

    server: Settings
    base: str
    directory: str
    file_pattern: str
    helpers: Sequence[str]
    template: str | None
    environment: str
    collection: str
    dump_directory: str
    lock_ttl: float
    pace: Wanted
    undo: bool | str
    undo_mb: float
    undo_keep: int | None
    undo_days: float | None


def secrets_of(manager_class: type[Defaults]) -> list[str]:
    """List what no text may show, `[]` where the settings are not what they should be.

    Whoever has to say that they are not must be able to speak.
    """
    try:
        return _server_of(manager_class).secrets
    except (AttributeError, TypeError, ValueError):
        return []


def settings_of(manager: Defaults) -> SiteSettings:
    """Read the settings of a manager, which may be attributes of it or its class."""
    base = os.path.join(
        project_directory(type(manager)), manager.PROJECT_DIRECTORY or ''
    )
    return SiteSettings(
        server=_server_of(manager, base),
        base=base,
        directory=manager.MIGRATIONS_DIRECTORY,
        file_pattern=manager.MIGRATIONS_FILE_PATTERN,
        helpers=manager.MIGRATIONS_HELPERS,
        template=manager.MIGRATION_TEMPLATE,
        environment=environment_of(manager).value or '',
        collection=manager.MIGRATIONS_COLLECTION,
        dump_directory=manager.MONGO_DUMP_DIRECTORY,
        lock_ttl=manager.LOCK_TTL,
        pace=manager.MIGRATION_PACE,
        undo=manager.UNDO,
        undo_mb=manager.UNDO_MB,
        undo_keep=manager.UNDO_KEEP,
        undo_days=manager.UNDO_DAYS,
    )


def _server_of(manager: Defaults | type[Defaults], base: str = '') -> Settings:
    return Settings(
        host=manager.MONGO_HOST or 'localhost',
        port=manager.MONGO_PORT,
        database=manager.MONGO_DATABASE,
        user=manager.MONGO_USER,
        password=manager.MONGO_USER_PASS or manager.MONGO_USER_PASSWORD,
        uri=manager.MONGO_URI,
        auth_source=manager.MONGO_AUTH_SOURCE,
        options=manager.MONGO_CLIENT_OPTIONS,
        base=base,
    )
