"""How commands of dropped methods are sent: concerns, codecs, sessions."""

from __future__ import annotations

from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collation import Collation
from pymongo.collection import Collection
from pymongo.errors import WriteConcernError, WTimeoutError
from pymongo.write_concern import WriteConcern

Document = dict[str, Any]


def with_write_concern(
    collection: Collection[Any], options: Document
) -> Collection[Any]:
    """Give the collection with the write concern that a dropped method was called with.

    `safe` is PyMongo 2's: true asks for an acknowledgement, false for none. Raises
    `TypeError` for any other option.
    """
    safe = options.pop('safe', None)
    if safe is not None:
        options.setdefault('w', 1 if safe else 0)
    if not options:
        return collection
    return collection.with_options(write_concern=WriteConcern(**options))


def write_command(
    collection: Collection[Any],
    command: Document,
    session: ClientSession | None = None,
) -> Document:
    """Run a command that writes, with the collection's write concern and codec.

    Raises `WriteConcernError`, which `Database.command()` leaves in the answer.
    """
    concern = collection._write_concern_for(session)
    if concern.acknowledged and not concern.is_server_default:
        command.setdefault('writeConcern', concern.document)
    reply = collection.database.command(
        without_none(command),
        codec_options=collection.codec_options,
        session=session,
    )
    if 'writeConcernError' in reply:
        raise write_concern_error(reply['writeConcernError'])
    return dict(reply)


def without_none(options: Document) -> Document:
    """Leave out what was not given, and spell a collation as the server does."""
    return {
        name: value.document if isinstance(value, Collation) else value
        for name, value in options.items()
        if value is not None
    }


def write_concern_error(details: Document) -> WriteConcernError:
    """Make the error that the server's `writeConcernError` stands for."""
    timed_out = details.get('errInfo', {}).get('wtimeout')
    kind = WTimeoutError if timed_out else WriteConcernError
    return kind(details['errmsg'], details.get('code'), details)


def bound_session(collection: Collection[Any]) -> ClientSession | None:
    """Give the session that `session.bind()` bound, if there is one."""
    # PyMongo has no public way to ask which session `session.bind()` bound.
    return collection.database.client._get_bound_session()
