"""What cannot be done as under PyMongo 3, and what to write instead."""

from __future__ import annotations

from typing import NoReturn

from migopy.errors import MigopyException

#: The client's option for the representation of UUIDs, by the binary's subtype.
_REPRESENTATIONS = {3: 'pythonLegacy', 4: 'standard'}


class DroppedByPyMongo(MigopyException):
    """A file uses what PyMongo 4 does not have any more, and nothing can replace it."""

    def __init__(self, use: str, advice: str) -> None:
        super().__init__(f'PyMongo 4 dropped {use}: {advice}')
        self.use = use
        self.advice = advice


class UuidsReadAsBinary(MigopyException):
    """A file of PyMongo 3 has read a UUID as PyMongo 4 gives it.

    Its comparisons with that UUID may have been wrong, so it is stopped before the call
    that shows that it was written for PyMongo 3.
    """

    def __init__(self, use: str, subtype: int) -> None:
        super().__init__(
            f'the file uses {use}, which PyMongo 4 dropped, after it read a UUID as'
            ' bson.Binary, which equals no uuid.UUID; PyMongo 3 gave uuid.UUID.'
            f' {uuid_advice(subtype)}'
        )
        self.use = use
        self.subtype = subtype


def uuid_advice(subtype: int) -> str:
    """Say what to write so that UUIDs of a subtype are read as `uuid.UUID`."""
    return f'To get uuid.UUID, {_with_representation(subtype)}'


def written_uuid_advice() -> str:
    """Say what to write so that a `uuid.UUID` is taken, in queries as well."""
    return (
        'PyMongo 3 took a uuid.UUID as a binary of subtype 3. For the same,'
        f' {_with_representation(3)}. Where the UUIDs that are there have subtype 4,'
        f" write 4 for 3, and '{_REPRESENTATIONS[4]}'."
    )


def _with_representation(subtype: int) -> str:
    # PyMongo's numbers for these representations are those of the subtypes.
    return (
        'begin with db = db.with_options(codec_options='
        f'db.codec_options.with_options(uuid_representation={subtype})), or for all'
        " files set MONGO_CLIENT_OPTIONS = {'uuidRepresentation':"
        f" '{_REPRESENTATIONS[subtype]}'}}"
    )


def refuse(use: str, advice: str) -> NoReturn:
    """Raise the error for a use of what PyMongo 4 does not have any more."""
    raise DroppedByPyMongo(use, advice)


_ERRORS_ARE_RAISED = 'leave it out, as a write that fails raises an error'
_IN_THE_SETTINGS = (
    'leave it out, and give user and password in the settings of the fabfile'
)
_CONCERN = 'write with_options(write_concern=WriteConcern(…)) instead'
_PREFERENCE = 'write with_options(read_preference=…) instead'
_CLIENT = 'leave it out, as the client sees to its connections itself'
_OPEN = 'leave it out, as migopy closes the client itself'

REFUSED_COLLECTION_METHODS = {
    'parallel_scan': 'write find() instead, as MongoDB 4.2 dropped it too',
    'get_lasterror_options': 'read write_concern instead',
    'set_lasterror_options': _CONCERN,
    'unset_lasterror_options': _CONCERN,
}

REFUSED_DATABASE_METHODS = {
    'add_son_manipulator': 'change the documents in the migration itself',
    'authenticate': _IN_THE_SETTINGS,
    'logout': _IN_THE_SETTINGS,
    'error': _ERRORS_ARE_RAISED,
    'eval': 'do the work in Python, as MongoDB 4.2 dropped it too',
    'get_lasterror_options': 'read write_concern instead',
    'last_status': _ERRORS_ARE_RAISED,
    'previous_error': _ERRORS_ARE_RAISED,
    'reset_error_history': _ERRORS_ARE_RAISED,
    'set_lasterror_options': _CONCERN,
    'unset_lasterror_options': _CONCERN,
}

REFUSED_CLIENT_METHODS = {
    'close_cursor': 'write cursor.close() instead',
    'copy_database': 'use mongodump and mongorestore, as MongoDB 4.2 dropped it too',
    'disconnect': _OPEN,
    'end_request': _CLIENT,
    'in_request': _CLIENT,
    'kill_cursors': 'write cursor.close() instead',
    'set_cursor_manager': 'leave it out',
    'start_request': _CLIENT,
}

#: Methods that PyMongo 2's `db.connection` had.
REFUSED_CONNECTION_METHODS = {**REFUSED_CLIENT_METHODS, 'close': _OPEN}

#: Attributes of collections and databases that PyMongo 2 let be set.
REFUSED_ATTRIBUTES = {
    'read_preference': _PREFERENCE,
    'tag_sets': _PREFERENCE,
    'uuid_subtype': 'write with_options(codec_options=CodecOptions('
    'uuid_representation=…)) instead',
    'write_concern': _CONCERN,
}

#: Attributes that change nothing that matters to a migration.
PASSED_OVER_ATTRIBUTES = ('safe', 'secondary_acceptable_latency_ms', 'slave_okay')
