"""Migration files of the shapes that public projects have, and a shop they are for.

Each is written for this test, after what is usual in public repositories. `WANTED` has
the findings that a person who knows MongoDB would have for each, judged by hand, by
name; of a file that is not there it is none.
"""

from __future__ import annotations

import datetime
import textwrap
from typing import Any

from pymongo.database import Database

MADE = datetime.datetime(2020, 1, 1)

#: Documents of the large collection, of one that is searched often, and of one that is
#: looped over.
MANY = 100_000
VISITS = 10_000
USERS = 1100


def load(db: Database[dict[str, Any]]) -> None:
    """Fill an empty database."""
    db.users.insert_many(
        {
            '_id': n,
            'email': f'{n}@example.org',
            'login': f'u{n // 2}',
            'name': f'Ann No{n}',
            'roles': ['user'],
            'groups': ['a'],
            'created': MADE,
        }
        for n in range(USERS)
    )
    db.users.create_index('email', unique=True)
    db.events.insert_many({'_id': n, 'kind': n % 100} for n in range(MANY))
    db.visits.insert_many({'_id': n, 'user': n} for n in range(VISITS))
    db.settings.insert_one({'_id': 'site', 'version': 3})
    db.plans.insert_many({'_id': n, 'name': f'plan {n}'} for n in range(5))
    db.places.insert_many(
        {'_id': n, 'at': {'type': 'Point', 'coordinates': [n, n]}, 'name': 'x'}
        for n in range(9)
    )
    db.drafts.insert_many({'_id': n} for n in range(9))


#: What stands at the top of many files.
TIMES = 'from datetime import datetime, timedelta, timezone'

FILES: dict[str, str] = {
    # Fields added, renamed and removed.
    'add_field': """
        def up(db):
            db.users.update_many({}, {'$set': {'is_active': True}})

        def down(db):
            db.users.update_many({}, {'$unset': {'is_active': ''}})
        """,
    'add_field_where_missing': """
        def up(db):
            db['users'].update_many(
                {'locale': {'$exists': False}}, {'$set': {'locale': 'en'}}
            )
        """,
    'rename_field': """
        class Migration:
            def upgrade(self):
                self.db.users.update_many({}, {'$rename': {'name': 'full_name'}})

            def downgrade(self):
                self.db.users.update_many({}, {'$rename': {'full_name': 'name'}})
        """,
    'rename_by_a_map': """
        FIELDS = {'users': ('name', 'title'), 'plans': ('name', 'title')}

        def change(db, collection, old, new):
            db.get_collection(collection).update_many({}, {'$rename': {old: new}})

        def up(db):
            for collection, (old, new) in FIELDS.items():
                change(db, collection, old, new)

        def down(db):
            for collection, (old, new) in FIELDS.items():
                change(db, collection, new, old)
        """,
    'pipeline_update': """
        def up(db):
            db.users.update_many({}, [{'$set': {'label': {'$concat': ['$name', '!']}}}])

        def down(db):
            db.users.update_many({}, {'$unset': {'label': 1}})
        """,
    'touch_updated': TIMES
    + """

        def up(db):
            db.users.update_many({}, {'$set': {'updated': datetime.now()}})
        """,
    'touch_updated_by_name': TIMES
    + """

        def upgrade(db):
            now = datetime.now()
            db.users.update_one({'_id': 1}, {'$set': {'updated': now}})

        def downgrade(db):
            pass
        """,
    'touch_updated_in_utc': TIMES
    + """

        def up(db):
            now = datetime.now(timezone.utc)
            db.users.update_one({'_id': 1}, {'$set': {'seen': now}})
            db.users.update_one({'_id': 2}, {'$set': {'seen': datetime.utcnow()}})
        """,
    'took_how_long': TIMES
    + """

        def up(db):
            begun = datetime.now()
            db.users.update_one({'_id': 1}, {'$set': {'a': 1}})
            print('took', datetime.now() - begun)
            db.notes.insert_one({'seconds': (datetime.now() - begun).seconds})
        """,
    'delete_older': TIMES
    + """

        def up(db):
            db.users.delete_many({
                'created': {'$lt': datetime.now() - timedelta(days=30)}
            })
        """,
    'version_of_settings': """
        def up(db):
            db.settings.update_one({}, {'$set': {'version': 4}})

        def down(db):
            db.settings.update_one({}, {'$set': {'version': 3}})
        """,
    'whichever_user': """
        def up(db):
            db.users.update_one({}, {'$set': {'is_admin': True}})
        """,
    # Loops.
    'loop_that_saves': """
        def up(db):
            for user in db.users.find():
                first, _, last = user['name'].partition(' ')
                db.users.update_one(
                    {'_id': user['_id']}, {'$set': {'first': first, 'last': last}}
                )
        """,
    'loop_in_a_class': """
        class Migration:
            COLLECTION = 'users'

            def upgrade(self):
                users = self.db[self.COLLECTION]
                for user in users.find({}, no_cursor_timeout=True):
                    user['name'] = user['name'].upper()
                    users.replace_one({'_id': user['_id']}, user)

            def downgrade(self):
                pass
        """,
    'loop_of_1_0': """
        def up(db):
            for user in db.users.find():
                user['age'] = 1
                db.users.save(user)
        """,
    'loop_over_few': """
        def up(db):
            for plan in db.plans.find():
                db.plans.update_one({'_id': plan['_id']}, {'$set': {'price': 1}})
        """,
    'loop_over_a_filter': """
        def up(db):
            for user in db.users.find({'_id': {'$lt': 20}}):
                db.users.update_one({'_id': user['_id']}, {'$set': {'old': True}})
        """,
    'loop_in_bulk': """
        from pymongo import UpdateOne

        def up(db):
            changes = []
            for user in db.users.find({}, {'name': 1}):
                change = {'$set': {'slug': user['name'].lower()}}
                changes.append(UpdateOne({'_id': user['_id']}, change))
                if len(changes) == 500:
                    db.users.bulk_write(changes)
                    changes = []
            if changes:
                db.users.bulk_write(changes)
        """,
    'loop_by_update_each': """
        import migopy

        def up(db):
            def change(user):
                user['slug'] = user['name'].lower()
                return user

            for user in db.users.find({'_id': {'$lt': 5}}):
                change(user)
        """,
    'a_count_for_each': """
        def up(db):
            for plan in db.plans.find():
                count = db.users.count_documents({'plan': plan['_id']})
                db.plans.update_one({'_id': plan['_id']}, {'$set': {'users': count}})
        """,
    'an_event_for_each_user': """
        def up(db):
            for user in db.users.find().limit(120):
                db.visits.find_one({'user': user['_id']})
        """,
    # Indexes.
    'index': """
        from pymongo import ASCENDING, DESCENDING

        def up(db):
            db.users.create_index([('name', ASCENDING), ('created', DESCENDING)])

        def down(db):
            db.users.drop_index([('name', ASCENDING), ('created', DESCENDING)])
        """,
    'index_unique': """
        def up(db):
            db.users.create_index('login', unique=True)
        """,
    'index_unique_that_fits': """
        def up(db):
            db.users.create_index('name', unique=True, background=True)
        """,
    'index_unique_after_cleaning': """
        def up(db):
            seen = set()
            for user in db.users.find().sort('_id', 1):
                if user['login'] in seen:
                    db.users.delete_one({'_id': user['_id']})
                seen.add(user['login'])
            db.users.create_index('login', unique=True)
        """,
    'index_then_search': """
        def up(db):
            db.events.create_index('kind')
            db.events.update_many({'kind': 7}, {'$set': {'special': True}})
        """,
    'search_then_index': """
        def up(db):
            db.events.update_many({'kind': 7}, {'$set': {'special': True}})
            db.events.create_index('kind')
        """,
    'index_that_expires': """
        def up(db):
            db.sessions.create_index('seen', expireAfterSeconds=3600)
            db.sessions.create_index([('user', 1), ('seen', -1)])
        """,
    'index_of_a_new_collection': """
        def up(db):
            chats = db.create_collection('chats')
            chats.create_index('uuid', unique=True)

        def down(db):
            db.drop_collection('chats')
        """,
    'index_if_there': """
        from pymongo.errors import OperationFailure

        def up(db):
            try:
                db.users.drop_index('login_1')
            except OperationFailure:
                pass
            if 'name_1' not in db.users.index_information():
                db.users.create_index('name')
        """,
    'index_of_two_arrays': """
        def up(db):
            db.users.create_index([('roles', 1), ('groups', 1)])
        """,
    'index_of_places': """
        from pymongo import GEOSPHERE

        def up(db):
            db.places.create_index([('at', GEOSPHERE)])
            db.places.create_index([('name', 'text'), ('note', 'text')])
        """,
    # Collections.
    'validator_that_fits': """
        def up(db):
            db.command('collMod', 'users', validator={'email': {'$type': 'string'}})
        """,
    'validator_before_its_backfill': """
        from collections import OrderedDict

        SCHEMA = {'$jsonSchema': {'required': ['phone']}}

        def up(db):
            db.command(OrderedDict([('collMod', 'users'), ('validator', SCHEMA)]))

        def down(db):
            db.command('collMod', 'users', validator={})
        """,
    'drop': """
        def up(db):
            db.drafts.drop()
        """,
    'drop_of_several': """
        NAMES = ['drafts', 'plans']

        def up(db):
            for name in NAMES:
                db[name].drop()

        def down(db):
            raise NotImplementedError('the drafts are gone')
        """,
    'drop_with_an_empty_down': """
        def up(db):
            db.drop_collection('drafts')

        def down(db):
            pass
        """,
    'drop_of_nothing': """
        def up(db):
            db.no_longer_there.drop()
        """,
    'drop_of_its_own': """
        def up(db):
            db.users.aggregate([{'$match': {'_id': {'$lt': 9}}}, {'$out': 'scratch'}])
            db.plans.insert_one({'_id': 'copied', 'n': db.scratch.count_documents({})})
            db.scratch.drop()
        """,
    'rename': """
        def up(db):
            db.drafts.rename('old_drafts')

        def down(db):
            db.old_drafts.rename('drafts')
        """,
    'seed': """
        def up(db):
            db.rates.insert_many([{'_id': 'HRK'}, {'_id': 'EUR'}])

        def down(db):
            db.rates.delete_many({})
        """,
    'seed_again': """
        PLANS = [{'_id': n, 'name': str(n)} for n in range(3)]

        def up(db):
            db.plans.delete_many({})
            db.plans.insert_many(PLANS)
        """,
    'empty': """
        def up(db):
            db.drafts.delete_many({})
        """,
    'move_within': """
        def up(db):
            for user in list(db.users.find({'_id': {'$lt': 10}})):
                db.people.insert_one(user)
                db.users.delete_one({'_id': user['_id']})
        """,
    # What a file works with.
    'client_of_its_own': """
        import os
        from pymongo import MongoClient

        def up(db):
            client = MongoClient(os.environ.get('NO_SUCH_URI', 'mongodb://127.0.0.1:1'))
            users = client['shop']['users']
        """,
    'client_of_a_script': """
        from pymongo import MongoClient

        def up(db):
            db.users.update_one({'_id': 1}, {'$set': {'a': 1}})

        if __name__ == '__main__':
            up(MongoClient('localhost').shop)
        """,
    'threads': """
        import threading

        def fix(collection, key):
            collection.find_one({'_id': key})

        def up(db):
            running = [
                threading.Thread(target=fix, args=(db.users, n)) for n in range(2)
            ]
            for thread in running:
                thread.start()
            for thread in running:
                thread.join()
        """,
    'pool_that_is_asked': """
        from concurrent.futures import ThreadPoolExecutor

        def up(db):
            with ThreadPoolExecutor(2) as pool:
                found = list(pool.map(len, [user['name'] for user in db.plans.find()]))
        """,
    'javascript': """
        def up(db):
            query = {'$where': 'this.name.length > 100'}
            db.plans.count_documents({})
        """,
    'unheard_writes': """
        from pymongo import WriteConcern

        def up(db):
            log = db.get_collection('log', write_concern=WriteConcern(w=0))
        """,
    'majority_writes': """
        from pymongo import WriteConcern

        def up(db):
            log = db.get_collection('log', write_concern=WriteConcern(w='majority'))
        """,
    'dictionaries_and_sets': """
        def up(db):
            known = {}
            names = set()
            for plan in db.plans.find({}):
                known.update({plan['_id']: plan})
                names.add(plan['name'])
            known.pop(0)
            names.remove('plan 1')
        """,
    'frames': """
        def clean(frame):
            frame.drop(columns=['a'], inplace=True)
            frame.insert(0, 'b', 1)
            return frame

        def up(db):
            rows = list(db.plans.find({}))
        """,
    'many_lookups': """
        def up(db):
            rows = db.users.aggregate([
                {'$match': {'_id': {'$lt': 3}}},
                {'$lookup': {
                    'from': 'plans', 'localField': '_id', 'foreignField': '_id',
                    'as': 'plan',
                }},
            ])
            for row in rows:
                db.users.update_one({'_id': row['_id']}, {'$set': {'p': row['plan']}})
        """,
    'allowed': """
        def up(db):
            db.drafts.delete_many({})  # migopy: allow=empty-filter they were a trial
        """,
    'text_like_a_comment': """
        NOTE = '# migopy: allow=empty-filter this is a text'

        def up(db):
            db.drafts.delete_many({}); note = '# migopy: allow=empty-filter too'
        """,
}

#: Findings that are right, by file.
WANTED: dict[str, list[str]] = {
    'a_count_for_each': [],
    'an_event_for_each_user': ['scan'],
    'client_of_its_own': ['own-client'],
    'delete_older': ['local-time'],
    'drop': ['no-way-back'],
    'drop_with_an_empty_down': ['no-way-back'],
    'empty': ['empty-filter'],
    'index_unique': ['duplicates'],
    'index_of_two_arrays': ['arrays'],
    'javascript': ['where'],
    'loop_in_a_class': ['cursor-timeout', 'write-per-document'],
    'loop_of_1_0': ['write-per-document'],
    'loop_that_saves': ['write-per-document'],
    'search_then_index': ['scan'],
    'text_like_a_comment': ['empty-filter'],
    'threads': ['threads'],
    'touch_updated': ['local-time'],
    'touch_updated_by_name': ['local-time'],
    'unheard_writes': ['write-concern'],
    'validator_before_its_backfill': ['validator'],
    'whichever_user': ['empty-filter'],
}


def text_of(name: str) -> str:
    """Give a file's text."""
    return textwrap.dedent('\n'.join(_parts(FILES[name]))).strip() + '\n'


def _parts(text: str) -> list[str]:
    # A line at the top stands at the margin already.
    first, _, rest = text.partition('\n')
    return [first, textwrap.dedent(rest)]
