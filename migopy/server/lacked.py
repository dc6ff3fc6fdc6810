"""Which right a user lacks, as the server tells it where it refuses a command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pymongo.errors import OperationFailure

from migopy.codes import UNAUTHORIZED
from migopy.texts import one_line

#: What a role has to allow for a command, if that has another name.
ACTIONS: Mapping[str, Sequence[str]] = {
    'aggregate': ['find'],
    'count': ['find'],
    'create': ['createCollection'],
    'createIndexes': ['createIndex'],
    'currentOp': ['inprog'],
    'delete': ['remove'],
    'distinct': ['find'],
    'drop': ['dropCollection'],
    'dropIndexes': ['dropIndex'],
    'findAndModify': ['find', 'insert', 'update', 'remove'],
    'killOp': ['killop'],
    'renameCollection': ['renameCollectionSameDB'],
}

#: Commands that the role readWrite does not allow, and dbAdmin does.
OF_ADMINS = frozenset(
    'collMod compact dropDatabase profile reIndex validate'.split()  # noqa: SIM905
)

#: What a whole server is asked; the role clusterMonitor allows it.
OF_MONITORS = frozenset(
    """
    connPoolStats currentOp getCmdLineOpts getLog getParameter getShardMap hostInfo
    listDatabases listShards replSetGetConfig replSetGetStatus serverStatus top
    """.split()  # noqa: SIM905
)

_REFUSED = re.compile(
    r'not authorized on (?P<database>\S+) to execute command'
    r' {? ?(?P<command>\w+)(?:: "(?P<on>[^"]*)")?'
)

#: As it is said of one who has not logged in, and of a user who is gone meanwhile.
_UNKNOWN = re.compile(r'command (\w+) requires authentication')
_GONE = (
    'The server does not know the user, who may have been dropped meanwhile: have the'
    ' user made again, or set another one.'
)

#: Where the pipeline of a command writes, and what it reads beside its own collection.
_MERGED = re.compile(r'\$merge: {[^{}]*?\binto: (?:{[^{}]*\bcoll: )?"([^"]*)"')
_OUT = re.compile(r'\$out: (?:{[^{}]*\bcoll: )?"([^"]*)"')
_READ = re.compile(
    r'\$(?:unionWith: (?:{ coll: )?|(?:lookup|graphLookup): {[^{}]*?\bfrom: )"([^"]*)"'
)


class Lacked(NamedTuple):
    """What a user may not do: a command, with its collection if it has one.

    `is_of_system` is whether that is one of the server's own, as of a time series.
    `needed` are the actions that the user needs, as `find on users`; it is `''` where
    the server does not know the user. `advice` is a sentence that says what to do.
    """

    database: str
    command: str
    needed: str
    advice: str
    is_of_system: bool

    @property
    def first(self) -> str:
        """Say in a few words what is to be done before the same is tried again."""
        return 'give the user that right' if self.needed else 'see to the user'


def lacked_by(error: BaseException) -> Lacked | None:
    """Say what a server has refused for want of a right; `None` for other errors.

    Nothing of the documents in the command is told.
    """
    if not isinstance(error, OperationFailure) or error.code != UNAUTHORIZED:
        return None
    said = str((error.details or {}).get('errmsg') or error)
    unknown, refused = _UNKNOWN.search(said), _REFUSED.search(said)
    if unknown is not None:
        return Lacked('', unknown[1], '', _GONE, is_of_system=False)
    if refused is None:
        return None
    database, name, on = refused['database'], refused['command'], refused['on']
    if name == 'renameCollection' and on:
        # It is sent to admin, whatever it is about.
        database, _, on = on.partition('.')
    on = one_line(on) if on else ''
    command = f'{name} on {on}' if on else name
    needed = _actions(name, on, said)
    # The stored functions are for everybody.
    is_of_system = on.startswith('system.') and on != 'system.js'
    if name in OF_MONITORS and not on:
        advice = (
            'Give the user the role clusterMonitor on admin, or one that allows'
            f' {needed} on the cluster.'
        )
    elif is_of_system or (database == 'admin' and not on):
        advice = f'Give the user a role that allows {needed}.'
    else:
        role = 'dbAdmin' if name in OF_ADMINS else 'readWrite'
        advice = (
            f'Give the user the role {role} on the database {database}, or a role that'
            f' allows {needed} there.'
        )
    return Lacked(database, command, needed, advice, is_of_system)


def _actions(name: str, on: str, said: str) -> str:
    """List the actions that a command needs, each with its collection."""
    actions = _joined(ACTIONS.get(name, [name]))
    needed = [f'{actions} on {on}' if on else actions]
    if name != 'aggregate':
        return needed[0]
    read = dict.fromkeys(each for each in _READ.findall(said) if each != on)
    needed += [f'find on {one_line(each)}' for each in read]
    # It is the last stage; before it may stand a document that says anything.
    if merged := _MERGED.findall(said):
        needed.append(f'insert and update on {one_line(merged[-1])}')
    elif replaced := _OUT.findall(said):
        needed.append(f'insert and remove on {one_line(replaced[-1])}')
    return _joined(needed)


def _joined(several: Sequence[str]) -> str:
    *first, last = several
    return f'{", ".join(first)} and {last}' if first else last
