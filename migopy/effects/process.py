"""The one listener of this process."""

from __future__ import annotations

from functools import cache

from pymongo.monitoring import register

from migopy.effects.listener import EffectsListener


@cache
def listen() -> EffectsListener:
    """Give the listener of this process; it hears every client made from now on.

    That includes a client that a migration makes for itself. PyMongo has no way to
    take a listener back; outside of recordings it costs next to nothing.
    """
    listener = EffectsListener()
    register(listener)
    return listener
