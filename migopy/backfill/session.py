"""The session that is bound where `update_each` is called."""

from __future__ import annotations

from pymongo.synchronous import client_session


def is_bound() -> bool:
    """Tell whether a session is bound here; where PyMongo does not tell, say yes."""
    bound = getattr(client_session, '_SESSION', None)
    return bound is None or bound.get() is not None


def is_in_transaction() -> bool:
    """Tell whether a bound session is in a transaction."""
    bound = getattr(client_session, '_SESSION', None)
    session = bound and bound.get()
    return bool(session and session.in_transaction)
