"""From settings to a client.

The private server of `embedded:` has a room of its own, which is imported by whoever
needs it: `migopy.server.embedded`.
"""

from migopy.server.client import leave_without_waiting, own_collection
from migopy.server.explained import (
    AccessDenied,
    DatabaseError,
    ServerUnreachable,
    explained,
)
from migopy.server.settings import BadSettings, NoDatabase, Settings

__all__ = [
    'AccessDenied',
    'BadSettings',
    'DatabaseError',
    'NoDatabase',
    'ServerUnreachable',
    'Settings',
    'explained',
    'leave_without_waiting',
    'own_collection',
]
