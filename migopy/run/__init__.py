"""What is to be done, and doing it.

What a command needs that only looks is loaded with this door; the rooms that run
migrations are loaded when their names are asked for, as `fab migrations` is to start
fast.
"""

from typing import TYPE_CHECKING

from migopy.lazy import late
from migopy.run.choice import Choice
from migopy.run.choice_errors import (
    AlreadyBegun,
    AlreadyRegistered,
    AmbiguousName,
    AtWork,
    Before,
    LateRefused,
    NameNeeded,
    NoFile,
    NoNumberOfRuns,
    NotApplied,
    NotExecuted,
    OtherEnvironment,
    OtherPhase,
    Renamed,
    UnknownMigration,
)
from migopy.run.hooks import Hooks, MigrationInfo, MigrationOutcome, RunOutcome
from migopy.run.last_runs import last_runs, read_open_runs, runs_of
from migopy.run.listing import PENDING, Entry, listing
from migopy.run.observer import Aftermath, Failure, Observer, Observers, side_by_side
from migopy.run.pending_files import as_files_say
from migopy.run.plan import Plan
from migopy.run.repeating import NoWayBack, in_order, repeats_of
from migopy.run.replacing import still_there
from migopy.run.unfinished import (
    OpenRuns,
    State,
    Unfinished,
    by_migration,
    describe,
    goes_on,
    is_of_worker,
    ways_on,
)

if TYPE_CHECKING:
    from migopy.run.adoption import Adoption, Match, adoption_of, rolled_back_in
    from migopy.run.cautions import (
        warn_of_helpers,
        warn_of_imports,
        warn_of_later,
        warn_of_other_than_executed,
        warn_of_same_number,
    )
    from migopy.run.conditions import ask_after, function_of, only_reading
    from migopy.run.dependencies import (
        DependencyRefused,
        require_dependencies,
        warn_of_dependents,
        warn_of_left_without,
    )
    from migopy.run.imaging import with_images
    from migopy.run.imaging_errors import NoImagesHere, NotImaged, OutsidePages
    from migopy.run.inspection import Problem, inspect, unparsable
    from migopy.run.other_registries import (
        AppliedByAnotherTool,
        RegisteredElsewhere,
        require_not_elsewhere,
    )
    from migopy.run.own_collections import OwnNames
    from migopy.run.registrations import NotRegistered
    from migopy.run.runner import Runner
    from migopy.run.site import Site
    from migopy.run.step import Step, steps_of
    from migopy.run.threads import OF_DATABASE, inherited
    from migopy.run.transaction import (
        NoTransactions,
        TooLong,
        WroteOutside,
        require_transactions,
    )
    from migopy.run.trial import try_out
    from migopy.run.trial_errors import CannotTry, NotAllShown, TrialWrote

#: The rooms of the names that are loaded late.
LATE = {
    'OF_DATABASE': 'threads',
    'Adoption': 'adoption',
    'Match': 'adoption',
    'CannotTry': 'trial_errors',
    'NoImagesHere': 'imaging_errors',
    'NotImaged': 'imaging_errors',
    'OutsidePages': 'imaging_errors',
    'NoTransactions': 'transaction',
    'NotRegistered': 'registrations',
    'Problem': 'inspection',
    'AppliedByAnotherTool': 'other_registries',
    'RegisteredElsewhere': 'other_registries',
    'Runner': 'runner',
    'OwnNames': 'own_collections',
    'Site': 'site',
    'Step': 'step',
    'TooLong': 'transaction',
    'NotAllShown': 'trial_errors',
    'TrialWrote': 'trial_errors',
    'WroteOutside': 'transaction',
    'adoption_of': 'adoption',
    'ask_after': 'conditions',
    'function_of': 'conditions',
    'inherited': 'threads',
    'inspect': 'inspection',
    'unparsable': 'inspection',
    'only_reading': 'conditions',
    'DependencyRefused': 'dependencies',
    'require_dependencies': 'dependencies',
    'require_not_elsewhere': 'other_registries',
    'with_images': 'imaging',
    'require_transactions': 'transaction',
    'rolled_back_in': 'adoption',
    'steps_of': 'step',
    'try_out': 'trial',
    'warn_of_dependents': 'dependencies',
    'warn_of_helpers': 'cautions',
    'warn_of_imports': 'cautions',
    'warn_of_later': 'cautions',
    'warn_of_left_without': 'dependencies',
    'warn_of_other_than_executed': 'cautions',
    'warn_of_same_number': 'cautions',
}

__all__ = [
    'OF_DATABASE',
    'PENDING',
    'Adoption',
    'Aftermath',
    'AlreadyBegun',
    'AlreadyRegistered',
    'AmbiguousName',
    'AppliedByAnotherTool',
    'AtWork',
    'Before',
    'CannotTry',
    'Choice',
    'DependencyRefused',
    'Entry',
    'Failure',
    'Hooks',
    'LateRefused',
    'Match',
    'MigrationInfo',
    'MigrationOutcome',
    'NameNeeded',
    'NoFile',
    'NoImagesHere',
    'NoNumberOfRuns',
    'NoTransactions',
    'NoWayBack',
    'NotAllShown',
    'NotApplied',
    'NotExecuted',
    'NotImaged',
    'NotRegistered',
    'Observer',
    'Observers',
    'OpenRuns',
    'OtherEnvironment',
    'OtherPhase',
    'OutsidePages',
    'OwnNames',
    'Plan',
    'Problem',
    'RegisteredElsewhere',
    'Renamed',
    'RunOutcome',
    'Runner',
    'Site',
    'State',
    'Step',
    'TooLong',
    'TrialWrote',
    'Unfinished',
    'UnknownMigration',
    'WroteOutside',
    'adoption_of',
    'as_files_say',
    'ask_after',
    'by_migration',
    'describe',
    'function_of',
    'goes_on',
    'in_order',
    'inherited',
    'inspect',
    'is_of_worker',
    'last_runs',
    'listing',
    'only_reading',
    'read_open_runs',
    'repeats_of',
    'require_dependencies',
    'require_not_elsewhere',
    'require_transactions',
    'rolled_back_in',
    'runs_of',
    'side_by_side',
    'steps_of',
    'still_there',
    'try_out',
    'unparsable',
    'warn_of_dependents',
    'warn_of_helpers',
    'warn_of_imports',
    'warn_of_later',
    'warn_of_left_without',
    'warn_of_other_than_executed',
    'warn_of_same_number',
    'ways_on',
    'with_images',
]

__getattr__ = late(__name__, LATE)
