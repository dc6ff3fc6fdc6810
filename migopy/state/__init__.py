"""What is kept in the database: the registry, the history and the lock.

What no status needs is loaded when its names are asked for.
"""

from typing import TYPE_CHECKING

from migopy.lazy import late
from migopy.state.agent import Agent
from migopy.state.concerns import (
    DURABLE,
    FAILURE_SECONDS,
    FAREWELL_SECONDS,
    MAJORITY,
    MARK,
    NoMajority,
    begin,
    commit,
    is_passing,
)
from migopy.state.history import History
from migopy.state.holder import Holder, Locked, LockLost, StillRunning, TakenMeanwhile
from migopy.state.lock import Lock
from migopy.state.reading import read
from migopy.state.registry import Record, Registry
from migopy.state.runs import (
    EXECUTED,
    FAILED,
    FORGOTTEN,
    IGNORED,
    RENAMED_TO,
    RESTORE,
    ROLLED_BACK,
    Run,
)

if TYPE_CHECKING:
    from migopy.state.foreign import (
        ForeignRecord,
        ForeignRegistry,
        known_by,
        registries_in,
        registries_of,
    )
    from migopy.state.foreign_tools import TOOLS
    from migopy.state.guarded import UNWRITTEN, GuardedWriter
    from migopy.state.kept_pages import KeptPages
    from migopy.state.own_rights import (
        OF_IMAGES,
        OWN_ACTIONS,
        MayNotRecord,
        is_refused,
        privileges_of,
        require_rights,
    )
    from migopy.state.steering import Doing, Loop, Seen, Steering
    from migopy.state.unlocking import to_unlock, unlock
    from migopy.state.usable import NOT_WRITTEN, require_kept, require_usable

#: The rooms of the names that are loaded late.
LATE = {
    'NOT_WRITTEN': 'usable',
    'OF_IMAGES': 'own_rights',
    'OWN_ACTIONS': 'own_rights',
    'TOOLS': 'foreign_tools',
    'UNWRITTEN': 'guarded',
    'Doing': 'steering',
    'ForeignRecord': 'foreign',
    'ForeignRegistry': 'foreign',
    'GuardedWriter': 'guarded',
    'KeptPages': 'kept_pages',
    'Loop': 'steering',
    'MayNotRecord': 'own_rights',
    'Seen': 'steering',
    'Steering': 'steering',
    'is_refused': 'own_rights',
    'known_by': 'foreign',
    'privileges_of': 'own_rights',
    'registries_in': 'foreign',
    'registries_of': 'foreign',
    'require_kept': 'usable',
    'require_rights': 'own_rights',
    'require_usable': 'usable',
    'to_unlock': 'unlocking',
    'unlock': 'unlocking',
}

__all__ = [
    'DURABLE',
    'EXECUTED',
    'FAILED',
    'FAILURE_SECONDS',
    'FAREWELL_SECONDS',
    'FORGOTTEN',
    'IGNORED',
    'MAJORITY',
    'MARK',
    'NOT_WRITTEN',
    'OF_IMAGES',
    'OWN_ACTIONS',
    'RENAMED_TO',
    'RESTORE',
    'ROLLED_BACK',
    'TOOLS',
    'UNWRITTEN',
    'Agent',
    'Doing',
    'ForeignRecord',
    'ForeignRegistry',
    'GuardedWriter',
    'History',
    'Holder',
    'KeptPages',
    'Lock',
    'LockLost',
    'Locked',
    'Loop',
    'MayNotRecord',
    'NoMajority',
    'Record',
    'Registry',
    'Run',
    'Seen',
    'Steering',
    'StillRunning',
    'TakenMeanwhile',
    'begin',
    'commit',
    'is_passing',
    'is_refused',
    'known_by',
    'privileges_of',
    'read',
    'registries_in',
    'registries_of',
    'require_kept',
    'require_rights',
    'require_usable',
    'to_unlock',
    'unlock',
]

__getattr__ = late(__name__, LATE)
