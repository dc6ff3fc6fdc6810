"""The errors of many writes at once: what the server has said in them."""

from __future__ import annotations

from typing import Any

from pymongo.errors import (
    BulkWriteError,
    ClientBulkWriteException,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
)

from migopy.codes import TRANSIENT

#: Errors that have those of many writes in them.
BULK_ERRORS = (BulkWriteError, ClientBulkWriteException)


def whole_error(error: BaseException) -> BaseException:
    """Give the error that has ended a client's `bulk_write` as a whole.

    It has the server's code and labels, which PyMongo's error around it has not. Where
    there is none, single writes have failed, or it is another error: then it is given.
    """
    if isinstance(error, ClientBulkWriteException):
        within = error.error
        if isinstance(within, PyMongoError):
            return within
    return error


def code_of(error: BaseException) -> int | None:
    """Give the server's code for an error; of the errors of many writes, the first."""
    whole = whole_error(error)
    if isinstance(whole, BULK_ERRORS):
        refused: list[Any] = whole.details.get('writeErrors') or [{}]
        code: int | None = refused[0].get('code')
        return code
    return whole.code if isinstance(whole, OperationFailure) else None


def is_transient(error: PyMongoError) -> bool:
    """Tell whether the server says that the transaction may be tried again.

    PyMongo says so as well of what it does not even send, with a client that is closed.
    """
    whole = whole_error(error)
    if isinstance(whole, InvalidOperation):
        return False
    return isinstance(whole, PyMongoError) and whole.has_error_label(TRANSIENT)
