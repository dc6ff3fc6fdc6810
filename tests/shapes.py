"""Migrations of the shapes that real projects have, and a shop for them to change.

Each is written for this test, after what is usual in public repositories: indexes
made where they may be there, dropped where they may not, collections copied, emptied,
renamed and given validators, fields moved in loops, in bulk and by pipelines, errors
swallowed.
"""

from __future__ import annotations

import datetime
import textwrap
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

MADE = datetime.datetime(2020, 1, 1)


def load(db: Database[dict[str, Any]]) -> None:
    """Fill an empty database."""
    db.users.insert_many(
        {
            '_id': n,
            'email': f'{n}@example.org',
            'name': f'Ann No{n}',
            'phone': '1' if n > 17 else str(n),
            'age': str(n),
            'roles': ['admin'] if n == 0 else ['user', 'user'],
            'address': {'city': 'Bern', 'zip': n},
            'created': MADE,
        }
        for n in range(20)
    )
    db.users.create_index('email', unique=True)
    db.users.create_index([('name', ASCENDING), ('created', DESCENDING)])
    db.orders.insert_many(
        {
            '_id': n,
            'user': n % 20,
            'total': n * 1.5,
            'state': 'paid' if n % 2 else 'new',
        }
        for n in range(50)
    )
    db.orders.create_index('user', name='by_user')
    db.posts.insert_many(
        {
            '_id': n,
            'slug': f'p{n}',
            'tags': ['a', 'b'],
            'comments': [{'by': n, 't': 'x'}],
        }
        for n in range(10)
    )
    db.sessions.insert_many({'_id': n, 'seen': MADE} for n in range(5))
    db.sessions.create_index('seen', expireAfterSeconds=86_400_000_0)
    db.settings.insert_one({'_id': 'site', 'version': 3, 'theme': 'dark'})
    db.legacy.insert_many({'_id': n, 'n': n} for n in range(7))
    db.create_collection('strict', validator={'n': {'$type': 'int'}})
    db.strict.insert_many({'_id': n, 'n': n} for n in range(4))
    db.create_collection(
        'paid', viewOn='orders', pipeline=[{'$match': {'state': 'paid'}}]
    )


def up(body: str, top: str = '') -> str:
    """Write a migration whose `up` has this body."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), '    ')
    return f'{textwrap.dedent(top).strip()}\n\n\ndef up(db):\n{lines}\n'


ERRORS = 'from pymongo.errors import CollectionInvalid, OperationFailure'

#: By name; a dry run shows all of each.
SHOWN: dict[str, str] = {
    # Indexes.
    'index': up("db.users.create_index('phone')"),
    'index_twice': up("""
        db.users.create_index('age')
        db.users.create_index('age')
        """),
    'index_there': up("db.users.create_index('email', unique=True)"),
    'index_list': up("""
        for field in ('age', 'phone', 'created'):
            db.users.create_index(field, background=True)
        """),
    'index_models': up(
        """
        db.orders.create_indexes([
            IndexModel([('state', 1), ('total', -1)]), IndexModel('total', name='t'),
        ])
        """,
        'from pymongo import IndexModel',
    ),
    'index_unique_sparse': up(
        "db.orders.create_index('invoice', unique=True, sparse=True)"
    ),
    'index_unique_partial': up("""
        db.users.create_index(
            'phone', unique=True, partialFilterExpression={'phone': {'$gt': '1'}}
        )
        """),
    'index_unique_after_dedupe': up("""
        seen = set()
        for user in db.users.find().sort('_id', 1):
            if user['phone'] in seen:
                db.users.delete_one({'_id': user['_id']})
            seen.add(user['phone'])
        db.users.create_index('phone', unique=True)
        """),
    'index_duplicates_swallowed': up(
        """
        try:
            db.users.create_index('phone', unique=True)
        except OperationFailure:
            db.users.create_index('phone')
        """,
        ERRORS,
    ),
    'index_text': up("db.posts.create_index([('slug', 'text')])"),
    'index_geo': up("db.users.create_index([('place', '2dsphere')])"),
    'index_ttl': up("""
        db.sessions.drop_index('seen_1')
        db.sessions.create_index('seen', expireAfterSeconds=900_000_000)
        """),
    'index_hashed': up("db.orders.create_index([('user', 'hashed')])"),
    'index_ensure': up("db.users.ensure_index([('age', 1)])"),
    'index_by_command': up("""
        db.command('createIndexes', 'users', indexes=[
            {'key': {'age': 1}, 'name': 'age_1'}
        ])
        """),
    'index_on_new': up("""
        db.audit.create_index('at')
        db.audit.insert_one({'at': 1})
        db.audit.create_index('who')
        """),
    'index_if_missing': up("""
        if 'phone_1' not in db.users.index_information():
            db.users.create_index('phone')
        """),
    'index_conflict_rebuilt': up(
        """
        try:
            db.orders.create_index('user', name='by_user', unique=True)
        except OperationFailure:
            db.orders.drop_index('by_user')
            db.orders.create_index('user', name='by_user')
        """,
        ERRORS,
    ),
    'drop_index': up("db.users.drop_index('email_1')"),
    'drop_index_by_keys': up("db.users.drop_index([('name', 1), ('created', -1)])"),
    'drop_index_swallowed': up(
        """
        def drop(collection, name):
            try:
                collection.drop_index(name)
            except OperationFailure:
                pass
        drop(db.orders, 'nothing_1')
        drop(db.orders, 'by_user')
        db.orders.update_many({}, {'$rename': {'user': 'buyer'}})
        db.orders.create_index('buyer')
        """,
        ERRORS,
    ),
    'drop_indexes': up('db.users.drop_indexes()'),
    'drop_all_but': up("""
        for name in db.users.index_information():
            if name not in ('_id_', 'email_1'):
                db.users.drop_index(name)
        """),
    'drop_by_listing': up("""
        for index in list(db.orders.list_indexes()):
            if 'user' in index['key']:
                db.orders.drop_index(index['name'])
        db.orders.create_index([('user', 1), ('state', 1)])
        """),
    # Collections.
    'create_with_indexes': up("""
        invoices = db.create_collection('invoices')
        invoices.create_index('number', unique=True)
        invoices.create_index('date')
        """),
    'create_if_missing': up("""
        for name in ('users', 'invoices'):
            if name not in db.list_collection_names():
                db.create_collection(name)
        """),
    'create_swallowed': up(
        """
        try:
            db.create_collection('users')
        except CollectionInvalid:
            pass
        db.users.insert_one({'_id': 'new', 'email': 'new'})
        """,
        ERRORS,
    ),
    'create_with_validator': up("""
        db.create_collection('invoices', validator={'$jsonSchema': {
            'bsonType': 'object', 'required': ['n'],
            'properties': {'n': {'bsonType': 'int'}},
        }})
        db.invoices.insert_one({'n': 1})
        """),
    'create_capped': up("""
        db.create_collection('log', capped=True, size=4096)
        db.log.insert_one({'started': True})
        """),
    'create_view': up("""
        db.create_collection('admins', viewOn='users', pipeline=[
            {'$match': {'roles': 'admin'}}])
        """),
    'drop': up('db.legacy.drop()'),
    'drop_several': up("""
        for name in ('legacy', 'sessions', 'nothing'):
            db.drop_collection(name)
        """),
    'drop_and_make': up("""
        db.drop_collection('legacy')
        legacy = db.create_collection('legacy')
        legacy.create_index('owner')
        legacy.create_index('n')
        """),
    'drop_and_fill': up("""
        kept = list(db.legacy.find({'n': {'$gt': 3}}))
        db.legacy.drop()
        db.legacy.insert_many(kept)
        """),
    'drop_by_names': up("""
        for name in db.list_collection_names():
            if name.startswith('leg'):
                db[name].drop()
        """),
    'rename': up("db.legacy.rename('archive')"),
    'rename_in_place_of': up("""
        db.legacy_new.insert_many(
            [{'_id': each['_id'], 'n': str(each['n'])} for each in db.legacy.find()]
        )
        db.legacy_new.rename('legacy', dropTarget=True)
        db.legacy.create_index('n')
        """),
    'rename_if_there': up("""
        names = db.list_collection_names()
        if 'legacy' in names and 'archive' not in names:
            db['legacy'].rename('archive')
        db.archive.update_many({}, {'$set': {'archived': True}})
        """),
    'rename_by_admin': up("""
        db.client.admin.command(
            'renameCollection', f'{db.name}.legacy', to=f'{db.name}.archive')
        """),
    'out': up("""
        db.orders.aggregate([
            {'$group': {'_id': '$user', 'total': {'$sum': '$total'}}},
            {'$out': 'totals'},
        ])
        db.totals.create_index('total')
        """),
    'copy_by_out': up("db.users.aggregate([{'$match': {}}, {'$out': 'users_backup'}])"),
    'merge': up("""
        db.orders.aggregate([
            {'$group': {'_id': '$user', 'total': {'$sum': '$total'}}},
            {'$merge': {'into': 'users', 'whenNotMatched': 'discard'}},
        ])
        """),
    'validator': up("""
        db.users.update_many({}, [{'$set': {'age': {'$toInt': '$age'}}}])
        db.command('collMod', 'users', validator={'age': {'$type': 'int'}},
                   validationLevel='moderate')
        """),
    'validator_off': up("""
        db.command({'collMod': 'strict', 'validator': {}, 'validationLevel': 'off'})
        """),
    'ttl_changed': up("""
        db.command('collMod', 'sessions', index={
            'keyPattern': {'seen': 1}, 'expireAfterSeconds': 800_000_000})
        """),
    # Documents.
    'default': up("""
        missing = {'active': {'$exists': False}}
        db.users.update_many(missing, {'$set': {'active': True}})
        """),
    'loop': up("""
        for user in db.users.find({}):
            first, last = user['name'].split()
            db.users.update_one(
                {'_id': user['_id']}, {'$set': {'first': first, 'last': last}})
        """),
    'bulk': up(
        """
        bulk = []
        for post in db.posts.find():
            tags = sorted(set(post['tags']))
            bulk.append(UpdateOne({'_id': post['_id']}, {'$set': {'tags': tags[:1]}}))
            if len(bulk) == 4:
                db.posts.bulk_write(bulk, ordered=False)
                bulk = []
        if bulk:
            db.posts.bulk_write(bulk, ordered=False)
        """,
        'from pymongo import UpdateOne',
    ),
    'embedded_to_own': up("""
        for post in db.posts.find():
            for number, comment in enumerate(post['comments']):
                db.comments.insert_one({'_id': f"{post['_id']}.{number}", **comment})
        db.posts.update_many({}, {'$unset': {'comments': ''}})
        db.comments.create_index('by')
        """),
    'counted_before': up("""
        if db.users.estimated_document_count() and db.legacy.count():
            db.settings.update_one({'_id': 'site'}, {'$inc': {'version': 1}})
        """),
    'old_calls': up("""
        db.users.update({}, {'$set': {'plan': 'free'}}, multi=True)
        db.settings.save({'_id': 'limits', 'n': 5})
        db.legacy.remove({'n': 3})
        """),
    'server_asked': up("""
        version = db.client.server_info()['version']
        db.settings.insert_one({'_id': 'server', 'known': bool(version)})
        db.command('ping')
        """),
    'stats_asked': up("""
        if db.command('collStats', 'users')['count'] > 0:
            db.users.update_one({'_id': 0}, {'$set': {'checked': True}})
        """),
    'says_no_transaction': up(
        "db.users.create_index('age', background=True)", 'transaction = False'
    ),
}

#: By name; of these it cannot be known what they do up to their end.
ENDED: dict[str, str] = {
    'duplicate_swallowed': up(
        """
        for user in list(db.users.find()):
            try:
                db.users.insert_one({'_id': user['_id'] + 1, 'email': 'x'})
            except OperationFailure:
                pass
        """,
        ERRORS,
    ),
    'unique_index_in_the_way': up("""
        db.users.drop_index('email_1')
        db.users.update_many({}, {'$rename': {'email': 'mail'}})
        """),
    'own_client': up(
        """
        client = pymongo.MongoClient('{uri}')
        client[db.name].users.update_one({'_id': 0}, {'$set': {'own': 1}})
        """,
        'import pymongo',
    ),
    'view_read': up("""
        db.create_collection('admins', viewOn='users', pipeline=[])
        db.settings.insert_one({'_id': 'admins', 'n': len(list(db.admins.find()))})
        """),
}
