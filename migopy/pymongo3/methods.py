"""The table of dropped methods: what runs each, and what to write instead."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from migopy.pymongo3.administration import (
    add_user,
    collection_names,
    current_op,
    database_names,
    ensure_index,
    fsync,
    profiling_info,
    profiling_level,
    reindex,
    remove_user,
    set_profiling_level,
    unlock,
)
from migopy.pymongo3.aggregation import group, inline_map_reduce, map_reduce
from migopy.pymongo3.bulk import (
    initialize_ordered_bulk_op,
    initialize_unordered_bulk_op,
)
from migopy.pymongo3.counting import count
from migopy.pymongo3.writes import find_and_modify, insert, remove, save, update


class DroppedMethod(NamedTuple):
    """A method that PyMongo 4 dropped: what runs it, and what to write instead."""

    run: Callable[..., Any]
    instead: str


#: By name; each is run with the collection that it is called on, and its arguments.
COLLECTION_METHODS = {
    'insert': DroppedMethod(insert, 'insert_one() or insert_many()'),
    'save': DroppedMethod(save, 'insert_one() or replace_one(…, upsert=True)'),
    'update': DroppedMethod(update, 'update_one(), update_many() or replace_one()'),
    'remove': DroppedMethod(remove, 'delete_one() or delete_many()'),
    'find_and_modify': DroppedMethod(
        find_and_modify,
        'find_one_and_update(), find_one_and_replace() or find_one_and_delete()',
    ),
    'ensure_index': DroppedMethod(ensure_index, 'create_index()'),
    'reindex': DroppedMethod(reindex, "database.command('reIndex', name)"),
    'count': DroppedMethod(
        count, 'count_documents(filter) or estimated_document_count()'
    ),
    'group': DroppedMethod(group, 'aggregate() with $group'),
    'map_reduce': DroppedMethod(map_reduce, 'aggregate()'),
    'inline_map_reduce': DroppedMethod(inline_map_reduce, 'aggregate()'),
    'initialize_ordered_bulk_op': DroppedMethod(
        initialize_ordered_bulk_op, 'bulk_write([…])'
    ),
    'initialize_unordered_bulk_op': DroppedMethod(
        initialize_unordered_bulk_op, 'bulk_write([…], ordered=False)'
    ),
}

#: By name; each is run with the database that it is called on, and its arguments.
DATABASE_METHODS = {
    'collection_names': DroppedMethod(collection_names, 'list_collection_names()'),
    'add_user': DroppedMethod(
        add_user, "command('createUser', …) or command('updateUser', …)"
    ),
    'current_op': DroppedMethod(
        current_op, "client.admin.aggregate([{'$currentOp': {}}])"
    ),
    'profiling_info': DroppedMethod(profiling_info, "db['system.profile'].find()"),
    'profiling_level': DroppedMethod(profiling_level, "command('profile', -1)['was']"),
    'set_profiling_level': DroppedMethod(
        set_profiling_level, "command('profile', level, slowms=…)"
    ),
    'remove_user': DroppedMethod(remove_user, "command('dropUser', name)"),
}

#: By name; each is run with the client that it is called on, and its arguments.
CLIENT_METHODS = {
    'database_names': DroppedMethod(database_names, 'list_database_names()'),
    'fsync': DroppedMethod(fsync, "admin.command('fsync')"),
    'unlock': DroppedMethod(unlock, "admin.command('fsyncUnlock')"),
}
