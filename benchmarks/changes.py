"""One change of all cities told in several ways, and what a dry run of it shows."""

from __future__ import annotations

from functools import partial

from benchmarks.ground import Ground
from benchmarks.measuring import (
    Sample,
    beyond,
    cpu,
    fab,
    interleaved,
    milliseconds,
    peak,
    ratio,
    table,
    times,
    typical,
    wall,
)

#: Documents that the slow loops change; of more they would take minutes.
LOOP = 5_000

#: One document after another, as far as `LOOP`.
CHANGE_SOME = """
        def change_some(cities):
            for city in cities.find().limit(LOOP):
                place = [city['longitude'], city['latitude']]
                point = {'type': 'Point', 'coordinates': place}
                cities.update_one({'_id': city['_id']}, {
                    '$set': {'location': point},
                    '$unset': {'longitude': '', 'latitude': ''}})
        """

#: The same change of a city, told in four ways.
CHANGES = {
    '1_update_each.py': """
        import migopy

        def up(db):
            migopy.update_each(db.cities, change)

        def change(city):
            place = [city['longitude'], city['latitude']]
            point = {'type': 'Point', 'coordinates': place}
            return {'$set': {'location': point},
                    '$unset': {'longitude': '', 'latitude': ''}}
        """,
    '2_update_many.py': """
        def up(db):
            point = {'type': 'Point', 'coordinates': ['$longitude', '$latitude']}
            db.cities.update_many({}, [
                {'$set': {'location': point}}, {'$unset': ['latitude', 'longitude']}
            ])
        """,
    '3_loop.py': """
        def up(db):
            change_some(db.cities)
        """
    + CHANGE_SOME,
    '4_loop_w1.py': """
        from pymongo import WriteConcern

        def up(db):
            one = WriteConcern(1)
            change_some(db.cities.with_options(write_concern=one))
        """
    + CHANGE_SOME,
    '5_replace_each.py': """
        import migopy

        def up(db):
            migopy.update_each(db.cities, change)

        def change(city):
            place = [city.pop('longitude'), city.pop('latitude')]
            city['location'] = {'type': 'Point', 'coordinates': place}
            return city
        """,
    '6_bulk_loop.py': """
        from pymongo import UpdateOne

        def up(db):
            bulk = []
            for city in db.cities.find():
                place = [city['longitude'], city['latitude']]
                point = {'type': 'Point', 'coordinates': place}
                bulk.append(UpdateOne({'_id': city['_id']}, {
                    '$set': {'location': point},
                    '$unset': {'longitude': '', 'latitude': ''}}))
                if len(bulk) == 1000:
                    db.cities.bulk_write(bulk, ordered=False)
                    bulk = []
            if bulk:
                db.cities.bulk_write(bulk, ordered=False)
        """,
    '7_work_of_50_us.py': """
        import time
        import migopy

        def up(db):
            migopy.update_each(db.cities, change)

        def change(city):
            end = time.thread_time() + 50e-6
            while time.thread_time() < end:
                pass
            place = [city['longitude'], city['latitude']]
            point = {'type': 'Point', 'coordinates': place}
            return {'$set': {'location': point},
                    '$unset': {'longitude': '', 'latitude': ''}}
        """,
}

#: Changes of all cities and of ten of them, for a dry run.
TRIALS = {
    '1_all.py': """
        def up(db):
            db.cities.update_many({}, {'$set': {'seen': True}})
        """,
    '2_few.py': """
        def up(db):
            names = [each['name'] for each in db.cities.find().skip(100000).limit(7)]
            for name in names[:5]:
                db.cities.update_one({'name': name}, {'$set': {'seen': True}})
            for name in names[5:]:
                db.cities.delete_one({'name': name})
            db.cities.insert_many([{'name': f'New {name}'} for name in names[:3]])
        """,
}

#: What is shown of each: as many as the clues lead to, and more than there are, which
#: takes a look at all documents.
SHOWN = {'1_all.py': (5,), '2_few.py': (5, 20)}

#: The last columns of the table.
HOW_MANY_TIMES = ['x loop', 'x loop, w=1', 'peak to floor']


def update(ground: Ground) -> None:
    """One change of all cities, by `update_each`, loops, and the server."""
    count = ground.load_cities()
    changes = {name: text.replace('LOOP', str(LOOP)) for name, text in CHANGES.items()}
    ground.project('cities', migrations=changes)
    runs = interleaved(
        max(1, ground.rounds // 7),
        {
            'floor': ground.find,
            **{name: partial(changed, ground, name) for name in CHANGES},
        },
    )
    slow = {'3_loop.py', '4_loop_w1.py'}
    documents = {name: LOOP if name in slow else count for name in CHANGES}
    each = {
        name: beyond(runs[name], runs['floor'], documents[name]) for name in CHANGES
    }
    rows = [
        [
            name,
            f'{documents[name]:,}',
            milliseconds(typical(runs[name], wall)),
            milliseconds(each[name]),
            times(each['3_loop.py'], each[name]),
            times(each['4_loop_w1.py'], each[name]),
            f'{ratio(runs[name], runs["floor"], peak):.2f}',
        ]
        for name in CHANGES
    ]
    table(
        f'A change of {count:,} cities',
        ['migration', 'documents', 'in all', 'each', *HOW_MANY_TIMES],
        rows,
    )


def changed(ground: Ground, name: str) -> Sample:
    """Execute one of the changes on cities as they were."""
    fab(ground.floor, 'reset')
    return fab(ground.folder / 'cities', f'migrations:execute,{name}')


def show(ground: Ground) -> None:
    """`show=5`, which shows documents, against a dry run that does not."""
    count = ground.load_cities()
    trials = ground.project('trials', migrations=TRIALS)
    ground.copy_cities(trials.name)
    rows = []
    for name, numbers in SHOWN.items():
        cases = {
            'dry': partial(fab, trials, f'migrations:execute,{name},dry_run=yes'),
            **{
                str(number): partial(
                    fab, trials, f'migrations:execute,{name},show={number}'
                )
                for number in numbers
            },
        }
        runs = interleaved(max(3, ground.rounds // 3), cases)
        for number in map(str, numbers):
            more = typical(runs[number], wall)
            plain = typical(runs['dry'], wall)
            rows.append(
                [
                    f'{name}, show={number}',
                    milliseconds(plain),
                    milliseconds(more - plain),
                    f'{ratio(runs[number], runs["dry"], cpu):.2f}',
                    f'{ratio(runs[number], runs["dry"], peak):.2f}',
                ]
            )
    head = ['dry run', 'without show', 'show beyond it', 'CPU', 'peak']
    table(f'A dry run on {count:,} cities', head, rows)
