"""The session that `session.bind()` has bound where this is called."""

from __future__ import annotations

from pymongo.client_session import ClientSession
from pymongo.synchronous import client_session


def is_bound() -> bool:
    """Tell whether a session is bound here; where PyMongo does not tell, say yes."""
    bound = getattr(client_session, '_SESSION', None)
    return bound is None or bound.get() is not None


def bound_session() -> ClientSession | None:
    """Give the session that is bound here."""
    bound = getattr(client_session, '_SESSION', None)
    session: ClientSession | None = bound.get() if bound is not None else None
    return session


def is_in_transaction() -> bool:
    """Tell whether a bound session is in a transaction."""
    session = bound_session()
    return bool(session and session.in_transaction)
