"""What is said of a server that does not answer, or takes no writes."""

from __future__ import annotations

from pymongo.errors import (
    ConnectionFailure,
    NetworkTimeout,
    NotPrimaryError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from migopy.commands import Part, Where
from migopy.errors import MigopyException
from migopy.server.members import Member
from migopy.server.settings import Settings
from migopy.server.tls import what_to_do

#: What PyMongo says of a server that answers, but for another replica set or for none.
OF_OTHER_SETS = (
    'No replica set members available for replica set name',
    'client is configured to connect to a replica set named',
)

#: The options of `MongoClient` that say how long it waits for an answer. Of both it
#: heeds the first one.
OF_ANSWERS = ('timeoutMS', 'socketTimeoutMS')


class ServerUnreachable(MigopyException):
    """No server answered; `where` is its address as the settings have it."""

    def __init__(self, where: str, reason: str, *what_to_do: Part) -> None:
        self.where = where
        start_it = (
            'Start it, or correct MONGO_HOST and MONGO_PORT (or MONGO_URI) ',
            Where(('MONGO_URI', 'MONGO_HOST', 'MONGO_PORT')),
        )
        super().__init__(
            f'MongoDB at {where} cannot be reached: {reason}.\n',
            *(what_to_do or start_it),
            ', then type the command again.',
        )


class NoPrimary(MigopyException):
    """A server answers, but none takes writes; `where` is its address."""

    def __init__(self, where: str, *what_to_do: Part) -> None:
        self.where = where
        super().__init__(*what_to_do)


def not_reached(
    error: ConnectionFailure, reason: str, settings: Settings, member: Member | None
) -> MigopyException:
    """Say why a server was not reached; `member` is the only one that was asked."""
    where = settings.where
    if member and member.kind not in ('', 'primary'):
        return NoPrimary(
            where,
            f'MongoDB at {where} is {member.described}, which takes no writes.'
            + (f' The primary is {member.primary}.' if member.primary else ''),
            f'\nCorrect {settings.place} ',
            Where.of(settings.place),
            ': name the replica set, so that its primary is found, and leave'
            ' directConnection out:\n'
            f'  MONGO_URI = {settings.uri_of_set(member.hosts, member.replica_set)!r}\n'
            'then type the command again.',
        )
    no_primary = isinstance(error, NotPrimaryError) or (
        isinstance(error, ServerSelectionTimeoutError)
        and reason.startswith(('No primary available', 'No replica set members match'))
    )
    if no_primary:
        return NoPrimary(
            where,
            f'The replica set at {where} has no primary now: {reason}.\n'
            'It elects one within seconds if most of its members run. Look at them'
            ' (rs.status() in mongosh), then type the command again.',
        )
    if reason.startswith(OF_OTHER_SETS):
        name, place = 'replicaSet', settings.place_of('replicaSet')
        is_called = settings.client_options.get(name.lower())
        return ServerUnreachable(
            where,
            f'it answers, but is in no replica set {is_called!r}',
            f'rs.conf()._id in mongosh is the name. Correct {name} in {place} ',
            Where.of(place),
        )
    if isinstance(error, WaitQueueTimeoutError):
        place = settings.place_of('maxPoolSize')
        return ServerUnreachable(
            where,
            reason,
            'All connections that this command may have were busy. Have a larger'
            f' maxPoolSize in {place} ',
            Where.of(place),
        )
    limit = next(filter(settings.sets, OF_ANSWERS), None)
    if isinstance(error, NetworkTimeout) and limit is not None:
        # PyMongo raises another error for a server that was not found at all.
        place = settings.place_of(limit)
        return ServerUnreachable(
            where,
            reason,
            'It was there, but has not answered in time. Look at it, or make'
            f' {limit} in {place} longer ',
            Where.of(place),
        )
    return ServerUnreachable(where, reason, *what_to_do(reason, settings))


def in_no_set(settings: Settings) -> NoPrimary:
    """Say of a server that it waits to become a member of a set."""
    return NoPrimary(
        settings.where,
        f'MongoDB at {settings.where} answers, but is in no replica set now, and takes'
        ' no writes.\nIf it is new and to be a set of its own, type rs.initiate() in'
        ' mongosh. If it was a member of one, look at that (rs.status() on another'
        f' member). If it is not the one that is meant, correct {settings.place} ',
        Where.of(settings.place),
        '. Then type the command again.',
    )
