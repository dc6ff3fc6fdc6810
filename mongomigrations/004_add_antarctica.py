"""Give the continent without cities its largest place, and all places a kind.

Written as one wrote in 2014: PyMongo 4 dropped `insert`, `update`, `remove` and
`ensure_index`; under migopy they go on working.
"""


def up(db):
    db.cities.insert(
        {
            '_id': 6696480,
            'name': 'McMurdo Station',
            'country': {'code': 'AQ', 'name': 'Antarctica', 'continent': 'AN'},
            'timezone': 'Antarctica/McMurdo',
            'population': 1258,
            'location': {'type': 'Point', 'coordinates': [166.66824, -77.84632]},
            'kind': 'station',
        }
    )
    db.cities.update({'kind': None}, {'$set': {'kind': 'city'}}, multi=True)
    db.cities.ensure_index([('kind', 1), ('population', -1)])


def down(db):
    db.cities.drop_index('kind_1_population_-1')
    db.cities.remove({'kind': 'station'})
    db.cities.update({}, {'$unset': {'kind': 1}}, multi=True)
