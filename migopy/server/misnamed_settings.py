"""Names that are probably meant as settings, from other tools or typed in a hurry."""

from __future__ import annotations

#: Unknown names with these beginnings are checked.
PREFIXES = (
    'MONGO_',
    'MONGODB_',
    'MIGRATION_',
    'MIGRATIONS_',
    'LOCK_',
    'DO_MONGO',
    'TRANSACTION',
    'REMOTE_',
    'ALLOW_',
    'UNDO',
    'PREFL',
    'NEW_DATA',
)

#: How similar to a setting an unknown name must be to be taken for it.
SIMILARITY = 0.85

#: Names that are not similar, but mean a setting all the same.
MEANT = {
    'MONGO_AUTH_DATABASE': 'MONGO_AUTH_SOURCE',
    'MONGO_AUTH_DB': 'MONGO_AUTH_SOURCE',
    'MONGO_CONNECTION_STRING': 'MONGO_URI',
    'MONGO_DATABASE_NAME': 'MONGO_DATABASE',
    'MONGO_DB': 'MONGO_DATABASE',
    'MONGO_DBNAME': 'MONGO_DATABASE',
    'MONGO_DB_NAME': 'MONGO_DATABASE',
    'MONGO_DUMP': 'DO_MONGO_DUMP',
    'MONGO_DUMP_DIR': 'MONGO_DUMP_DIRECTORY',
    'MONGO_HOSTNAME': 'MONGO_HOST',
    'MONGO_NAME': 'MONGO_DATABASE',
    'MONGO_OPTIONS': 'MONGO_CLIENT_OPTIONS',
    'MONGO_PASS': 'MONGO_USER_PASS',
    'MONGO_PASSWD': 'MONGO_USER_PASSWORD',
    'MONGO_PASSWORD': 'MONGO_USER_PASSWORD',
    'MONGO_PWD': 'MONGO_USER_PASSWORD',
    'MONGO_SERVER': 'MONGO_HOST',
    'MONGO_USERNAME': 'MONGO_USER',
    'MIGRATION_DIR': 'MIGRATIONS_DIRECTORY',
    'MIGRATIONS_DIR': 'MIGRATIONS_DIRECTORY',
    'MIGRATIONS_FOLDER': 'MIGRATIONS_DIRECTORY',
    'MIGRATIONS_PATH': 'MIGRATIONS_DIRECTORY',
    'LOCK_TIMEOUT': 'LOCK_WAIT',
    'REMOTE_DIR': 'REMOTE_DIRECTORY',
    'UNDO_MAX_MB': 'UNDO_MB',
    'UNDO_SIZE': 'UNDO_MB',
    'UNDO_SIZE_MB': 'UNDO_MB',
}

#: Settings of which either one will do.
SAME = {
    'MONGO_USER_PASS': ('MONGO_USER_PASSWORD',),
    'MONGO_USER_PASSWORD': ('MONGO_USER_PASS',),
}
