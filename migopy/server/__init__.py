"""From settings to a client.

The private server of `embedded:` has a room of its own, which is imported by whoever
needs it: `migopy.server.embedded`.
"""

from migopy.server.builds import end_builds
from migopy.server.bulks import BULK_ERRORS, code_of, is_transient
from migopy.server.checks import (
    SECRET,
    meant_by,
    names_given,
    require_sound,
    shown_value,
)
from migopy.server.client import (
    AS_THEY_ARE,
    another_client,
    await_first_contact,
    has_few_connections,
    is_made_for_us,
    listening_client,
    named_client,
    own_collection,
    without_last_word,
)
from migopy.server.denied import AccessDenied
from migopy.server.explained import (
    UNUSABLE,
    DatabaseError,
    UnsupportedServer,
    explained,
    reason_of,
)
from migopy.server.lacked import lacked_by
from migopy.server.members import has_members
from migopy.server.misspelt_settings import names_misspelt
from migopy.server.privileges import STATUS, Privileges
from migopy.server.process_exit import leave_without_sleeping
from migopy.server.remains import BEGAN, LeftRunning, Process, end_remains
from migopy.server.running import Build, Operation, Running, running_in
from migopy.server.sessions import (
    bound_session,
    end_sessions,
    how_to_end,
    is_bound,
    is_in_transaction,
)
from migopy.server.settings import (
    DATA,
    EMBEDDED,
    BadSettings,
    NoDatabase,
    OneOfMany,
    Settings,
)
from migopy.server.tls import require_password
from migopy.server.unreached import NoPrimary, ServerUnreachable
from migopy.server.uris import SCHEMES, ServerUri, heard_warnings, is_uri
from migopy.server.values import CHECKS, OBJECTS, is_logger

__all__ = [
    'AS_THEY_ARE',
    'BEGAN',
    'BULK_ERRORS',
    'CHECKS',
    'DATA',
    'EMBEDDED',
    'OBJECTS',
    'SCHEMES',
    'SECRET',
    'STATUS',
    'UNUSABLE',
    'AccessDenied',
    'BadSettings',
    'Build',
    'DatabaseError',
    'LeftRunning',
    'NoDatabase',
    'NoPrimary',
    'OneOfMany',
    'Operation',
    'Privileges',
    'Process',
    'Running',
    'ServerUnreachable',
    'ServerUri',
    'Settings',
    'UnsupportedServer',
    'another_client',
    'await_first_contact',
    'bound_session',
    'code_of',
    'end_builds',
    'end_remains',
    'end_sessions',
    'explained',
    'has_few_connections',
    'has_members',
    'heard_warnings',
    'how_to_end',
    'is_bound',
    'is_in_transaction',
    'is_logger',
    'is_made_for_us',
    'is_transient',
    'is_uri',
    'lacked_by',
    'leave_without_sleeping',
    'listening_client',
    'meant_by',
    'named_client',
    'names_given',
    'names_misspelt',
    'own_collection',
    'reason_of',
    'require_password',
    'require_sound',
    'running_in',
    'shown_value',
    'without_last_word',
]
