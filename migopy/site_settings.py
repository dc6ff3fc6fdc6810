"""The settings of a site: a manager's attributes, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from migopy.files import project_directory
from migopy.server import Settings


class ManagerSettings:
    """The settings of a manager that its site depends on; it gives their values."""

    MIGRATIONS_DIRECTORY: str
    MIGRATIONS_FILE_PATTERN: str
    MIGRATION_TEMPLATE: str | None
    MIGRATIONS_COLLECTION: str
    MONGO_HOST: str
    MONGO_PORT: int
    MONGO_DATABASE: str | None
    MONGO_USER: str | None
    MONGO_USER_PASS: str | None
    MONGO_USER_PASSWORD: str | None
    MONGO_AUTH_SOURCE: str | None
    MONGO_URI: str | None
    MONGO_CLIENT_OPTIONS: Mapping[str, Any]
    MONGO_DUMP_DIRECTORY: str
    LOCK_TTL: float


class SiteSettings(NamedTuple):
    """Where a site's data, files and records are.

    `base` is the folder that relative paths lie in; `lock_ttl` is in seconds.
    """

    server: Settings
    base: str
    directory: str
    file_pattern: str
    template: str | None
    collection: str
    dump_directory: str
    lock_ttl: float


def settings_of(manager: ManagerSettings) -> SiteSettings:
    """Read the settings of a manager, which may be attributes of it or its class."""
    server = Settings(
        host=manager.MONGO_HOST or 'localhost',
        port=manager.MONGO_PORT,
        database=manager.MONGO_DATABASE,
        user=manager.MONGO_USER,
        password=manager.MONGO_USER_PASS or manager.MONGO_USER_PASSWORD,
        uri=manager.MONGO_URI,
        auth_source=manager.MONGO_AUTH_SOURCE,
        options=manager.MONGO_CLIENT_OPTIONS,
    )
    return SiteSettings(
        server=server,
        base=project_directory(type(manager)),
        directory=manager.MIGRATIONS_DIRECTORY,
        file_pattern=manager.MIGRATIONS_FILE_PATTERN,
        template=manager.MIGRATION_TEMPLATE,
        collection=manager.MIGRATIONS_COLLECTION,
        dump_directory=manager.MONGO_DUMP_DIRECTORY,
        lock_ttl=manager.LOCK_TTL,
    )
