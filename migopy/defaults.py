"""All settings of a manager, with their defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pymongo

from migopy.pace import Wanted
from migopy.terminal import ColorsLogger


class Defaults:
    """What a fabfile may set on its manager, and what holds where it does not.

    Invariant: each attribute is a setting, and there are no others but `logger` and
    `MongoClient`, which are named as 1.0 named them.
    """

    #: How the fabfile calls the task.
    TASK_NAME = 'migrations'

    #: The folder that relative paths lie in; `None`: that of the fabfile.
    PROJECT_DIRECTORY: str | None = None

    #: Where the migrations lie: beside the fabfile, unless it is an absolute path.
    MIGRATIONS_DIRECTORY = 'mongomigrations'
    #: The pattern of a file's name; `migr_nr` is the number. If several groups have
    #: names that begin so, their digits together are the number.
    MIGRATIONS_FILE_PATTERN = r'(?P<migr_nr>[0-9]+)_[a-z0-9_]+\.py'
    #: Names of files in that folder that are no migrations (`base.py`).
    MIGRATIONS_HELPERS: Sequence[str] = ()
    #: How `create` numbers a new file: 'number' is the next one, 'timestamp' the time.
    MIGRATION_NUMBERING = 'number'
    #: A file, beside the fabfile, that new migrations are made from.
    MIGRATION_TEMPLATE: str | None = None
    #: The collection of registered migrations; followed by `_lock`, `_history` and
    #: `_undo`, it names others.
    MIGRATIONS_COLLECTION = 'migrations'
    #: The name of this environment, for files that say in which ones they are to run
    #: (`environments`). `MIGOPY_ENVIRONMENT` in the process's environment overrules it;
    #: if neither is set, `ENVIRONMENT` there is taken.
    ENVIRONMENT: str | None = None
    #: Whether to execute a migration whose number is smaller than a registered one's.
    ALLOW_LATE = True

    MONGO_HOST = 'localhost'
    MONGO_PORT = 27017
    MONGO_DATABASE: str | None = None
    #: Instead of one database many: a pattern (`tenant_*`), or a list of names,
    #: patterns, and pairs of a name and settings of its own.
    MONGO_DATABASES: str | Sequence[Any] | None = None
    #: What `execute` does with one of many databases that has no registry yet: runs
    #: all migrations, or marks all as applied (`ignore`), as the application made it.
    NEW_DATABASES = 'execute'
    MONGO_USER: str | None = None
    #: The password; both names do.
    MONGO_USER_PASS: str | None = None
    MONGO_USER_PASSWORD: str | None = None
    #: The database in which the user is; by default `MONGO_DATABASE`, as in 1.0.
    MONGO_AUTH_SOURCE: str | None = None
    #: Instead of host, port and user; `embedded:<folder>` is a private server.
    MONGO_URI: str | None = None
    #: Further arguments for `MongoClient`, TLS among them.
    MONGO_CLIENT_OPTIONS: Mapping[str, Any] = {}

    #: Whether a migration runs in a transaction where its file does not say.
    TRANSACTION = False

    #: Whether images are kept of what a migration changes, if its file does not say, so
    #: that `rollback` needs no `down`: True, False, or 'best effort'.
    UNDO: bool | str = False
    #: MB of images that a migration may have, compressed; for how many migrations
    #: images are kept, and for how many days (`None`: for ever).
    UNDO_MB: float = 500
    UNDO_KEEP: int | None = 5
    UNDO_DAYS: float | None = None

    #: Whether `execute` looks ahead, as `preflight` does, and stops where it finds a
    #: problem.
    PREFLIGHT = False

    #: How `update_each` gives way to others: 'careful', 'full' or a `migopy.Pace`.
    MIGRATION_PACE: Wanted = None

    #: Seconds that a lock lasts without renewal, and to wait for another's lock.
    LOCK_TTL: float = 60
    LOCK_WAIT: float = 60

    #: Whether to dump the database before migrations are executed, and where to.
    DO_MONGO_DUMP = False
    MONGO_DUMP_DIRECTORY = 'mongodumps'
    #: How many of the newest dumps are kept; `None` for all.
    MONGO_DUMP_KEEP: int | None = None

    #: The project's folder on the machines that Fabric has for the task (`env.hosts`,
    #: `fab -H`): the command runs there, after `task_hook`. `None`: it runs here.
    REMOTE_DIRECTORY: str | None = None
    #: A shell command to begin with there, such as `. venv/bin/activate`.
    REMOTE_PREFIX: str | None = None

    #: What writes to the person; any object with these four methods.
    logger: Any = ColorsLogger()
    #: What makes the client.
    MongoClient: Any = pymongo.MongoClient
