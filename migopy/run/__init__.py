"""What is to be done, and doing it."""

from migopy.run.choice import (
    AlreadyRegistered,
    AmbiguousName,
    Choice,
    LateRefused,
    NameNeeded,
    NoFile,
    NotApplied,
    NotExecuted,
    UnknownMigration,
)
from migopy.run.observer import Aftermath, Failure, Observer
from migopy.run.performing import Rooms
from migopy.run.plan import Plan
from migopy.run.registrations import NotRegistered
from migopy.run.runner import Runner
from migopy.run.step import Step, steps_of, verb
from migopy.run.transaction import (
    NoTransactions,
    TooLong,
    WroteOutside,
    require_transactions,
)
from migopy.run.trial import CannotTry, try_out
from migopy.run.unfinished import (
    State,
    Unfinished,
    by_migration,
    describe,
    ways_out,
)

__all__ = [
    'Aftermath',
    'AlreadyRegistered',
    'AmbiguousName',
    'CannotTry',
    'Choice',
    'Failure',
    'LateRefused',
    'NameNeeded',
    'NoFile',
    'NoTransactions',
    'NotApplied',
    'NotExecuted',
    'NotRegistered',
    'Observer',
    'Plan',
    'Rooms',
    'Runner',
    'State',
    'Step',
    'TooLong',
    'Unfinished',
    'UnknownMigration',
    'WroteOutside',
    'by_migration',
    'describe',
    'require_transactions',
    'steps_of',
    'try_out',
    'verb',
    'ways_out',
]
