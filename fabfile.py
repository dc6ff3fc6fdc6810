"""A small project on real data: the cities of the world in MongoDB."""

import os

from fabric.api import task

import migopy

EARTH_RADIUS_KM = 6378.1


class Migrations(migopy.MigrationsManager):
    MONGO_URI = os.environ.get('MONGO_URI', 'embedded:mongodata')
    MONGO_DATABASE = 'migopy_demo'


migrations = task(Migrations.create_task())


@task
def largest(latitude, longitude, km=100):
    """Show the largest cities near a point: largest:47.56,7.59"""
    center = [float(longitude), float(latitude)]
    circle = {'$centerSphere': [center, float(km) / EARTH_RADIUS_KM]}
    cities = Migrations().db.cities.find({'location': {'$geoWithin': circle}})
    for city in cities.sort('population', -1).limit(10):
        print(f'{city["population"]:>10,}  {city["name"]}, {city["country"]["name"]}')
