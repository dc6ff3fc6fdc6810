"""What lies on disk: the migrations and their folder.

The rooms that import migrations are loaded when one of their names is asked for.
"""

from typing import TYPE_CHECKING

from migopy.files.creating import TEMPLATE, NotCreated, create, read_template
from migopy.files.directory import Directory, NoDirectory
from migopy.files.metadata import (
    AFTER,
    BACKGROUND,
    BEFORE,
    NOTHING,
    PHASES,
    BadSaid,
    Said,
)
from migopy.files.migration import (
    ARCHIVE,
    Migration,
    Unreadable,
    checksum_of,
    glances,
)
from migopy.files.names import NUMBERS, BadFileNames, BadPattern, FileNames, begins_with
from migopy.files.other_databases import OtherDatabase
from migopy.files.project import (
    FILES,
    cwd_in_syspath,
    first_on_path,
    invoke_program,
    project_directory,
)
from migopy.files.shapes import CONDITIONS, Functions, OtherShape, functions_of
from migopy.lazy import late

if TYPE_CHECKING:
    from migopy.files.idle import DoesNothing
    from migopy.files.kept import KeptDirectory
    from migopy.files.loaded import (
        BEST_EFFORT,
        BadParallel,
        BadTransaction,
        BadUndo,
        InEventLoop,
        LoadedMigration,
        NoSuchFunction,
    )
    from migopy.files.loading import ImportFailed, importable, load, load_all
    from migopy.files.turns import InTurn

#: The rooms of the names that are loaded late.
LATE = {
    'BEST_EFFORT': 'loaded',
    'BadParallel': 'loaded',
    'BadTransaction': 'loaded',
    'BadUndo': 'loaded',
    'DoesNothing': 'idle',
    'ImportFailed': 'loading',
    'InEventLoop': 'loaded',
    'InTurn': 'turns',
    'KeptDirectory': 'kept',
    'LoadedMigration': 'loaded',
    'NoSuchFunction': 'loaded',
    'importable': 'loading',
    'load': 'loading',
    'load_all': 'loading',
    'require_spelt': 'misspelt',
}

__all__ = [
    'AFTER',
    'ARCHIVE',
    'BACKGROUND',
    'BEFORE',
    'BEST_EFFORT',
    'CONDITIONS',
    'FILES',
    'NOTHING',
    'NUMBERS',
    'PHASES',
    'TEMPLATE',
    'BadFileNames',
    'BadParallel',
    'BadPattern',
    'BadSaid',
    'BadTransaction',
    'BadUndo',
    'Directory',
    'DoesNothing',
    'FileNames',
    'Functions',
    'ImportFailed',
    'InEventLoop',
    'InTurn',
    'KeptDirectory',
    'LoadedMigration',
    'Migration',
    'NoDirectory',
    'NoSuchFunction',
    'NotCreated',
    'OtherDatabase',
    'OtherShape',
    'Said',
    'Unreadable',
    'begins_with',
    'checksum_of',
    'create',
    'cwd_in_syspath',
    'first_on_path',
    'functions_of',
    'glances',
    'importable',
    'invoke_program',
    'load',
    'load_all',
    'project_directory',
    'read_template',
    'require_spelt',
]

__getattr__ = late(__name__, LATE)
