"""What to write instead of imports that only Python 2 or PyMongo 2 knew."""

from __future__ import annotations

import os
import re

#: Names that PyMongo had, and what stands for them now.
NAMES = {
    'Connection': 'from pymongo import MongoClient',
    'ReplicaSetConnection': 'from pymongo import MongoClient',
    'MongoReplicaSetClient': 'from pymongo import MongoClient',
}
#: Modules that PyMongo had; most of them have moved to the package `bson`.
MODULES = {
    'pymongo.connection': 'from pymongo import MongoClient',
    'pymongo.replica_set_connection': 'from pymongo import MongoClient',
    'pymongo.objectid': 'from bson import ObjectId',
    'pymongo.son': 'from bson import SON',
    'pymongo.code': 'from bson import Code',
    'pymongo.dbref': 'from bson import DBRef',
    'pymongo.binary': 'from bson import Binary',
    'pymongo.timestamp': 'from bson import Timestamp',
    'pymongo.tz_util': 'from bson import tz_util',
    'pymongo.json_util': 'from bson import json_util',
    'pymongo.bson': 'import bson',
}


def advice(cause: BaseException, path: str) -> str:
    """Give a line that says what to write instead of a failed import, or `''`."""
    if not isinstance(cause, ImportError):
        return ''
    instead = MODULES.get(cause.name or '')
    missing = re.match(r"cannot import name '(\w+)' from 'pymongo'", str(cause))
    if missing:
        instead = NAMES.get(missing[1])
    elif instead is None and _is_beside(cause.name, path):
        # Python 2 looked for modules beside the file first.
        instead = f'from . import {cause.name}, or from .{cause.name} import …'
    return f'In place of that import write: {instead}\n' if instead else ''


def _is_beside(module: str | None, path: str) -> bool:
    if not module or not module.isidentifier():
        return False
    beside = os.path.join(os.path.dirname(path), module)
    return os.path.isfile(f'{beside}.py') or os.path.isdir(beside)
