"""What lies on disk: the migrations and their folder."""

from migopy.files.creating import TEMPLATE, NotCreated, create, read_template
from migopy.files.directory import Directory, NoDirectory
from migopy.files.loading import (
    CONDITIONS,
    BadTransaction,
    ImportFailed,
    LoadedMigration,
    NoSuchFunction,
    importable,
    load,
    load_all,
)
from migopy.files.migration import Migration, Unreadable, checksum_of
from migopy.files.names import BadFileNames, BadPattern, FileNames, begins_with
from migopy.files.project import (
    FILES,
    cwd_in_syspath,
    invoke_program,
    project_directory,
)

__all__ = [
    'CONDITIONS',
    'FILES',
    'TEMPLATE',
    'BadFileNames',
    'BadPattern',
    'BadTransaction',
    'Directory',
    'FileNames',
    'ImportFailed',
    'LoadedMigration',
    'Migration',
    'NoDirectory',
    'NoSuchFunction',
    'NotCreated',
    'Unreadable',
    'begins_with',
    'checksum_of',
    'create',
    'cwd_in_syspath',
    'importable',
    'invoke_program',
    'load',
    'load_all',
    'project_directory',
    'read_template',
]
