"""What answers in a dry run what no transaction can do, and how it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, cast

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.command_cursor import CommandCursor

from migopy.pymongo3.sending import Document, without_none


class Answers(Protocol):
    """Answers in place of the server."""

    def answer(self, database: str, command: Document) -> Document | None:
        """Give the reply to a command; `None` if the server is to be asked.

        A cursor has one batch. Raises `OperationFailure` as PyMongo does.
        """


ANSWERS: ContextVar[Answers | None] = ContextVar('ANSWERS', default=None)


@contextmanager
def answered_by(answers: Answers | None) -> Iterator[None]:
    """Put what no transaction can do to `answers` in the block."""
    token = ANSWERS.set(answers)
    try:
        yield
    finally:
        ANSWERS.reset(token)


def answer(
    database: str, command: Document, session: ClientSession | None = None
) -> Document | None:
    """Give the answer to a command; `None` if the server is to be asked.

    A call with a session of its own is not part of the dry run's transaction.
    """
    answers = ANSWERS.get()
    if answers is None or session is not None:
        return None
    return answers.answer(database, without_none(command))


def batch_of(reply: Document) -> list[Any]:
    """Give the documents of a cursor's only batch."""
    return list(reply['cursor']['firstBatch'])


def listed(collection: Collection[Any], documents: list[Any]) -> CommandCursor[Any]:
    """Give a cursor over documents that are already known."""
    info = {'id': 0, 'ns': collection.full_name, 'firstBatch': documents}
    return CommandCursor(collection, info, None)


def answer_aggregation(
    collection: Collection[Any], pipeline: Sequence[Any], options: Mapping[str, Any]
) -> CommandCursor[Any] | None:
    """Give the answer to an aggregation; `None` if the transaction can do it."""
    if ANSWERS.get() is None or not pipeline or not isinstance(pipeline, list):
        return None
    command = {'aggregate': collection.name, 'pipeline': pipeline, **options}
    session = cast('ClientSession | None', command.pop('session', None))
    reply = answer(collection.database.name, command, session)
    return None if reply is None else listed(collection, batch_of(reply))
