"""Where the rooms of migopy are, and the order of its wings."""

from __future__ import annotations

from pathlib import Path

import migopy

HOUSE = Path(migopy.__file__).parent

#: The rooms of the ground floor, then the wings along the way of a command. Each may
#: import those before it.
ORDER = (
    'version',
    'codes',
    'commands',
    'scope',
    'errors',
    'texts',
    'spelt',
    'secrets',
    'errand',
    'signals',
    'traces',
    'callers',
    'folders',
    'contents',
    'machine',
    'lazy',
    'naps',
    'pace',
    'terminal',
    'effects',
    'pymongo3',
    'server',
    'state',
    'files',
    'dumps',
    'backfill',
    'differences',
    'undo',
    'standin',
    'preflight',
    'run',
    'rehearsal',
    'tell',
    'defaults',
    'origins',
    'site_settings',
    'cluster',
    'site',
    'face',
    'operations',
    'many',
    'manager_class',
    'overridable',
    'wiring',
    'table',
    'manager',
    'testing',
    'public',
    '__init__',
    '__main__',
)
