"""Make latitude and longitude a GeoJSON point, for queries by distance."""


def up(db):
    point = {'type': 'Point', 'coordinates': ['$longitude', '$latitude']}
    db.cities.update_many(
        {}, [{'$set': {'location': point}}, {'$unset': ['latitude', 'longitude']}]
    )
    db.cities.create_index([('location', '2dsphere')])


def down(db):
    db.cities.drop_index([('location', '2dsphere')])
    coordinates = '$location.coordinates'
    db.cities.update_many(
        {},
        [
            {'$set': {'latitude': {'$arrayElemAt': [coordinates, 1]}}},
            {'$set': {'longitude': {'$arrayElemAt': [coordinates, 0]}}},
            {'$unset': 'location'},
        ],
    )
