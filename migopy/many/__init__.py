"""One set of migrations for many databases."""

from migopy.many.databases import (
    Database,
    NoDatabases,
    NoSuchDatabase,
    SpellingForOne,
)
from migopy.many.dispatch import perform
from migopy.many.errors import CanaryFailed, DumpOfOne, Failed, InDatabase
from migopy.many.selecting import SayWhich

__all__ = [
    'CanaryFailed',
    'Database',
    'DumpOfOne',
    'Failed',
    'InDatabase',
    'NoDatabases',
    'NoSuchDatabase',
    'SayWhich',
    'SpellingForOne',
    'perform',
]
