"""What a migration did, counted from the server's replies.

PyMongo tells a `CommandListener` every command it sends and every reply it gets,
whichever call was used. Here the replies are added up: documents inserted, updated
and deleted, indexes and collections made and dropped. What a reply does not tell
(`$out`, an unacknowledged write, a lost connection) is named, never guessed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Callable, NamedTuple

from pymongo import AsyncMongoClient, MongoClient
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
    register,
)

Document = Mapping[str, Any]


@dataclass
class Changes:
    """What was done to one collection, or to a database where a command names none.

    Invariant: a number is what the server said; what it did not say is in `notes`.

    `found` counts the documents that findAndModify found and updated: its reply does
    not tell whether they changed, so they are neither in `matched` nor in `modified`.
    `collection` and `indexes` hold the ends of phrases (`made`; `x_1 dropped`),
    `notes` whole ones (`written by $out (count unknown)`), each of them once.
    """

    inserted: int = 0
    matched: int = 0
    modified: int = 0
    found: int = 0
    deleted: int = 0
    collection: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def wrote(self) -> bool:
        """Tell whether anything was, or may have been, written."""
        return any(value for name, value in vars(self).items() if name != 'matched')

    def add(self, other: Changes) -> None:
        """Add what was done to the same collection at another time."""
        self.inserted += other.inserted
        self.matched += other.matched
        self.modified += other.modified
        self.found += other.found
        self.deleted += other.deleted
        _add_new(self.collection, other.collection)
        _add_new(self.indexes, other.indexes)
        _add_new(self.notes, other.notes)

    def note(self, phrase: str) -> None:
        """Name what has no count."""
        _add_new(self.notes, [phrase])

    def phrases(self) -> list[str]:
        """Say what was done to the documents and the indexes, then the notes."""
        said = []
        if self.inserted:
            said.append(f'{self.inserted:,} inserted')
        if self.matched != self.modified:
            said.append(f'{self.matched:,} matched')
        if self.matched:
            said.append(f'{self.modified:,} updated')
        if self.found:
            said.append(f'{self.found:,} found and updated')
        if self.deleted:
            said.append(f'{self.deleted:,} deleted')
        said += [f'index {phrase}' for phrase in self.indexes]
        return said + self.notes


#: Changes by namespace: `database.collection`, or `database` alone. Namespaces joined
#: by ` + ` are those of one bulkWrite command, whose reply has one sum for them all.
Tally = dict[str, Changes]


class Effects:
    """What was done, as a value.

    Invariant: its size grows with the collections and indexes that were touched, not
    with the number of commands.
    """

    def __init__(self, changes: Tally | None = None) -> None:
        self._changes = changes or {}

    @property
    def changes(self) -> Tally:
        """Give the changes by namespace."""
        return self._changes

    @property
    def wrote(self) -> bool:
        """Tell whether anything was, or may have been, written."""
        return any(changes.wrote for changes in self.changes.values())

    def __add__(self, other: Effects) -> Effects:
        return Effects(_sum([self.changes, other.changes]))

    def describe(self, database: str = '') -> str:
        """Say it in one line, '' where there is nothing to say.

        The collections of `database` come first and without its name, then the
        others, both in the order of the alphabet:
        `cities 31,995 updated, index location_2dsphere made; collection old dropped`.
        """
        own = f'{database}.'
        names = sorted(self.changes, key=lambda name: (not name.startswith(own), name))
        groups = [_described(name, self.changes[name], own) for name in names]
        return '; '.join(group for group in groups if group)

    def as_document(self) -> dict[str, Any]:
        """Give it as the history keeps it; names are values there, never keys."""
        rows = []
        for name in sorted(self.changes):
            said = vars(self.changes[name])
            row = {key: value for key, value in said.items() if value}
            if row:
                rows.append({'name': name, **row})
        return {'collections': rows}

    @classmethod
    def from_document(cls, document: Document) -> Effects:
        """Read what `as_document` gave; unknown fields are passed over."""
        known = [each.name for each in fields(Changes)]
        return cls(
            {
                row['name']: Changes(**{key: row[key] for key in known if key in row})
                for row in document.get('collections', ())
            }
        )


#: A command that was sent: its name, itself, and PyMongo's event.
Sent = tuple[str, Document, CommandStartedEvent]


class Attempt(NamedTuple):
    """A retryable write that PyMongo may be sending again under the same number.

    `doubt` is the collection and the phrase to note if no reply ever comes; `None`
    says that the reply was counted.
    """

    number: int
    doubt: tuple[str, str] | None


@dataclass
class Transaction:
    """What a transaction did that is neither committed nor aborted.

    `doubt` says why it is not known whether it was committed, if that was tried.
    """

    number: int
    tally: Tally = field(default_factory=dict)
    doubt: str = ''

    def outcome(self) -> Tally:
        """Give what it did, noting where that may not have been committed."""
        outcome = _sum([self.tally])
        if self.doubt:
            for changes in outcome.values():
                changes.note(f'perhaps not committed ({self.doubt})')
        return outcome


class Recording(Effects):
    """Effects that are being counted.

    Invariant: an aborted transaction left nothing, an open one counts as if it were
    committed; a write that was sent again counts once; a command that is neither
    answered nor refused before it did anything is noted.

    `unanswered` holds the commands that were sent and not answered yet.
    """

    def __init__(self, unanswered: dict[int, Sent]) -> None:
        super().__init__()
        self._unanswered = unanswered
        self._lock = threading.Lock()
        self._settled: Tally = {}
        # Both by the id of the session, of which PyMongo keeps a small pool.
        self._attempts: dict[bytes, Attempt] = {}
        self._transactions: dict[bytes, Transaction] = {}

    @property
    def changes(self) -> Tally:
        """Give the changes by namespace, with a note for what is not answered yet."""
        return self._total(self._sent(), transactions=True)

    @property
    def answered(self) -> Effects:
        """Give what was done so far, whatever is on its way."""
        return Effects(self._total([], transactions=True))

    @property
    def outside(self) -> Effects:
        """Give what is not part of a transaction that is open."""
        sent = [each for each in self._sent() if 'autocommit' not in each[1]]
        return Effects(self._total(sent, transactions=False))

    def _sent(self) -> Iterable[Sent]:
        return self._unanswered.copy().values()

    def _total(self, sent: Iterable[Sent], transactions: bool) -> Tally:
        with self._lock:
            total = _sum([self._settled])
            if transactions:
                for transaction in self._transactions.values():
                    _add(total, transaction.outcome())
            doubts = [attempt.doubt for attempt in self._attempts.values()]
        for name, command, event in sent:
            doubts.append(_doubt(name, event.database_name, command, NO_ANSWER))
        for doubt in doubts:
            if doubt:
                _of(total, doubt[0]).note(doubt[1])
        return total

    def close(self) -> None:
        """Take what is not answered now for unanswered for good."""
        self._unanswered = self._unanswered.copy()

    def count(
        self, name: str, database: str, command: Document, reply: Document
    ) -> None:
        """Count what a reply tells."""
        with self._lock:
            if name == 'commitTransaction':
                _add(self._settled, self._end_transaction(command))
                return
            if self._attempts and self._is_counted(command):
                return
            namespace = _namespace(name, database, command)
            if namespace is None:
                return
            _count(name, _of(self._tally(command), namespace), command, reply)
            if 'writeConcernError' in reply and _is_retryable(command):
                self._remember(command, None)

    def doubt(
        self, name: str, database: str, command: Document, failure: Document
    ) -> None:
        """Note what an error leaves open."""
        if name == 'commitTransaction':
            if 'TransientTransactionError' in failure.get('errorLabels', ()):
                self.abort(command)
            else:
                self.doubt_commit(command, _reason(failure))
            return
        doubt = _doubt(name, database, command, _reason(failure))
        if doubt is None or _was_refused(name, command, failure):
            return
        with self._lock:
            if _is_retryable(command):
                self._remember(command, doubt)
            else:
                _of(self._tally(command), doubt[0]).note(doubt[1])

    def abort(self, command: Document) -> None:
        """Forget the transaction that a command belongs to."""
        with self._lock:
            self._end_transaction(command)

    def doubt_commit(self, command: Document, reason: str) -> None:
        """Remember that a transaction may be committed, or not."""
        with self._lock:
            transaction = self._transaction(command)
            if transaction:
                transaction.doubt = reason

    def _remember(self, command: Document, doubt: tuple[str, str] | None) -> None:
        session, number = command['lsid']['id'], command['txnNumber']
        if self._attempts.get(session) == Attempt(number, None):
            return  # the attempt before this one was counted
        # PyMongo sends again at once, so an early one has had its last attempt. A
        # session that met a network error is not used again, its entry stays.
        if session not in self._attempts and len(self._attempts) == ATTEMPTS:
            self._give_up(next(iter(self._attempts)))
        elif session in self._attempts and self._attempts[session].number != number:
            self._give_up(session)
        self._attempts[session] = Attempt(number, doubt)

    def _give_up(self, session: bytes) -> None:
        doubt = self._attempts.pop(session).doubt
        if doubt:
            _of(self._settled, doubt[0]).note(doubt[1])

    def _is_counted(self, command: Document) -> bool:
        if not _is_retryable(command):
            return False
        session = command['lsid']['id']
        attempt = self._attempts.get(session)
        if attempt is None or attempt.number != command['txnNumber']:
            return False
        if attempt.doubt:
            del self._attempts[session]
        return attempt.doubt is None

    def _tally(self, command: Document) -> Tally:
        if 'autocommit' not in command:
            return self._settled
        session, number = command['lsid']['id'], command['txnNumber']
        transaction = self._transactions.get(session)
        if transaction is None or transaction.number != number:
            # The server drops the one before unless it was committed.
            if transaction is not None and transaction.doubt:
                _add(self._settled, transaction.outcome())
            transaction = self._transactions[session] = Transaction(number)
        return transaction.tally

    def _transaction(self, command: Document) -> Transaction | None:
        transaction = self._transactions.get(command['lsid']['id'])
        if transaction and transaction.number == command['txnNumber']:
            return transaction
        return None

    def _end_transaction(self, command: Document) -> Tally:
        transaction = self._transaction(command)
        if transaction is None:
            return {}
        del self._transactions[command['lsid']['id']]
        return transaction.tally


class Here(threading.local):
    """What is so in this thread: whether its commands are migopy's own."""

    own = False


class EffectsListener(CommandListener):
    """Hears the commands of clients and tells them to the recordings that are open.

    Invariant: a command that writes is remembered from its start to its end, and only
    while a recording is open.

    Give it to `MongoClient(event_listeners=[...])`, or use the one of `listen()`.
    Told of an event by both, it counts it once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recordings: tuple[Recording, ...] = ()
        self._unanswered: dict[int, Sent] = {}
        self._here = Here()

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Count the commands of all threads until the end of the block.

        What is given can be read at any time, in the block and after it.
        """
        recording = Recording(self._unanswered)
        with self._lock:
            self._recordings = (*self._recordings, recording)
        try:
            yield recording
        finally:
            with self._lock:
                recording.close()
                self._recordings = tuple(
                    each for each in self._recordings if each is not recording
                )
                if not self._recordings:
                    self._unanswered.clear()

    @contextmanager
    def own_work(self) -> Iterator[None]:
        """Leave out what this thread does in the block: it is migopy's own work.

        Commits and aborts are heard all the same, they tell what the rest came to.
        """
        before = self._here.own
        self._here.own = True
        try:
            yield
        finally:
            self._here.own = before

    # PyMongo calls these for every command, so the way of a plain write is short: each
    # property of an event costs a call.

    def started(self, event: CommandStartedEvent) -> None:
        """Hear from PyMongo that a command is about to be sent."""
        name = event.command_name
        if name in READS or not self._recordings:
            return
        command = event.command
        if name == 'abortTransaction':
            self._abort(command)
            return
        if name == 'commitTransaction':
            for recording in self._recordings:
                recording.doubt_commit(command, NO_ANSWER)
        elif self._here.own:
            return
        self._unanswered[event.request_id] = name, command, event

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Hear from PyMongo that a command was answered."""
        sent = self._unanswered.pop(event.request_id, None)
        if sent is None:
            return
        name, command, _ = sent
        database, reply = event.database_name, event.reply
        # PyMongo takes some errors for a success: "no such collection" on a drop.
        done = reply.get('ok', True)
        for recording in self._recordings:
            if done:
                recording.count(name, database, command, reply)
            else:
                recording.doubt(name, database, command, reply)

    def failed(self, event: CommandFailedEvent) -> None:
        """Hear from PyMongo that a command met an error."""
        sent = self._unanswered.pop(event.request_id, None)
        if sent is None:
            return
        for recording in self._recordings:
            recording.doubt(sent[0], event.database_name, sent[1], event.failure)

    def _abort(self, command: Document) -> None:
        # Whatever is answered: nothing but a commit makes a transaction's writes last.
        for request_id, (_, sent, _) in self._unanswered.copy().items():
            if _same_transaction(sent, command):
                del self._unanswered[request_id]
        for recording in self._recordings:
            recording.abort(command)


@cache
def listen() -> EffectsListener:
    """Give the listener of this process; it hears every client made from now on.

    That includes a client that a migration makes for itself. PyMongo has no way to
    take a listener back; outside of recordings it costs next to nothing.
    """
    listener = EffectsListener()
    register(listener)
    return listener


def unwatched_clients(listener: EffectsListener) -> bool:
    """Tell whether a client lives in this process that `listener` does not hear.

    PyMongo keeps its clients in a private place, and only where a process can be
    forked; where it is not found the answer is True, for it cannot be known.
    """
    try:
        clients = [*MongoClient._clients.values(), *AsyncMongoClient._clients.values()]
        ears = [client._event_listeners.event_listeners() for client in clients]
    except AttributeError:
        return True
    return not ears or any(listener not in each for each in ears)


# What commands do to what


def _namespace(name: str, database: str, command: Document) -> str | None:
    """Give what a command writes to, `None` for one that only reads."""
    if name in ON_A_COLLECTION:
        return f'{database}.{command[name]}'
    target = TARGETS.get(name)
    return target(database, command) if target else database


def _aggregate_target(database: str, command: Document) -> str | None:
    # $out and $merge are allowed as the last stage only, and not in a sub-pipeline.
    pipeline = command.get('pipeline')
    last = pipeline[-1] if pipeline and isinstance(pipeline, (list, tuple)) else {}
    if command.get('explain') or not isinstance(last, Mapping):
        return None
    target = last.get('$out') or last.get('$merge')
    if isinstance(target, Mapping):
        target = target.get('into', target)
    if isinstance(target, Mapping):
        database, target = target.get('db', database), target.get('coll')
    return f'{database}.{target}' if target else None


def _map_reduce_target(database: str, command: Document) -> str | None:
    out = command.get('out')
    if isinstance(out, Mapping):
        database = out.get('db', database)
        out = out.get('replace') or out.get('merge') or out.get('reduce')
    return f'{database}.{out}' if out else None


def _bulk_target(database: str, command: Document) -> str:
    return ' + '.join(sorted({each['ns'] for each in command.get('nsInfo', ())}))


def _renamed(database: str, command: Document) -> str:
    return str(command['renameCollection'])


def _capped_copy(database: str, command: Document) -> str:
    return f'{database}.{command.get("toCollection")}'


#: Commands whose own value is the name of the collection they write to.
ON_A_COLLECTION = frozenset(
    """
    collMod compact convertToCapped create createIndexes createSearchIndexes delete
    deleteIndexes drop dropIndexes dropSearchIndex findAndModify findandmodify insert
    reIndex update updateSearchIndex
    """.split()  # noqa: SIM905
)

#: Commands that name it elsewhere. What stands in neither is about the database.
TARGETS: dict[str, Callable[[str, Document], str | None]] = {
    'aggregate': _aggregate_target,
    'bulkWrite': _bulk_target,
    'cloneCollectionAsCapped': _capped_copy,
    'mapReduce': _map_reduce_target,
    'mapreduce': _map_reduce_target,
    'renameCollection': _renamed,
}


def _count(name: str, changes: Changes, command: Document, reply: Document) -> None:
    """Add to the changes what a reply tells of a command."""
    concern = command.get('writeConcern')
    if concern and concern.get('w') == 0:
        # PyMongo made the reply up.
        changes.note(f'written by an unacknowledged {name} (count unknown)')
        return
    try:
        COUNTERS[name](changes, command, reply)
    except (KeyError, TypeError, IndexError):
        # A command that has no count, or a reply that is not a mongod's: it came from
        # a router, or from an imitation.
        changes.note(f'{name} done')


def _count_insert(changes: Changes, command: Document, reply: Document) -> None:
    changes.inserted += reply['n']


def _count_update(changes: Changes, command: Document, reply: Document) -> None:
    found, modified = reply['n'], reply['nModified']
    upserted = len(reply.get('upserted', ()))
    changes.inserted += upserted
    changes.matched += found - upserted
    changes.modified += modified
    _note_partial(changes, 'update', command['updates'], reply)


def _count_delete(changes: Changes, command: Document, reply: Document) -> None:
    changes.deleted += reply['n']
    _note_partial(changes, 'delete', command['deletes'], reply)


def _note_partial(
    changes: Changes, name: str, statements: list[Document], reply: Document
) -> None:
    """Note a statement for many documents that stopped at one of them.

    The server says `n: 0` of it, though those before were written.
    """
    for error in reply.get('writeErrors', ()):
        statement = statements[error['index']]
        many = statement.get('multi') or statement.get('limit') == 0
        pipeline = isinstance(statement.get('u'), list)
        if many and (pipeline or error['code'] != FAILED_TO_PARSE):
            changes.note(f'perhaps changed by {name} ({_reason(error)})')


def _count_find_and_modify(
    changes: Changes, command: Document, reply: Document
) -> None:
    last = reply['lastErrorObject']
    if command.get('remove'):
        changes.deleted += last['n']
    elif 'upserted' in last:
        changes.inserted += 1
    else:
        changes.found += last['n']


def _count_bulk(changes: Changes, command: Document, reply: Document) -> None:
    inserted, upserted = reply['nInserted'], reply['nUpserted']
    matched, modified = reply['nMatched'], reply['nModified']
    changes.deleted += reply['nDeleted']
    changes.inserted += inserted + upserted
    changes.matched += matched
    changes.modified += modified
    if reply['nErrors'] and any(each.get('multi') for each in command['ops']):
        changes.note('perhaps changed by bulkWrite (some of it failed)')


def _note_output(changes: Changes, command: Document, reply: Document) -> None:
    pipeline = command.get('pipeline')
    by = next(iter(pipeline[-1])) if pipeline else 'mapReduce'
    changes.note(f'written by {by} (count unknown)')


def _count_indexes(changes: Changes, command: Document, reply: Document) -> None:
    made = reply['numIndexesAfter'] - reply['numIndexesBefore']
    names = [shown(each['name']) for each in command['indexes']]
    if reply.get('createdCollectionAutomatically'):
        _add_new(changes.collection, ['made'])
    if made == len(names):
        _add_new(changes.indexes, [f'{name} made' for name in names])
    elif made:
        changes.note(f'some of the indexes {", ".join(names)} made')


def _count_dropped_indexes(
    changes: Changes, command: Document, reply: Document
) -> None:
    before, which = reply['nIndexesWas'], command['index']
    if which == '*':
        # A clustered collection has no index _id_, so one index may be any.
        if before:
            unsure = ', if there were any' if before == 1 else ''
            changes.note(f'all indexes but _id_ dropped{unsure}')
    elif isinstance(which, Mapping):
        _add_new(changes.indexes, [f'on {", ".join(map(shown, which))} dropped'])
    else:
        names = [which] if isinstance(which, str) else which
        _add_new(changes.indexes, [f'{shown(name)} dropped' for name in names])


def _count_made(changes: Changes, command: Document, reply: Document) -> None:
    _add_new(changes.collection, ['made'])


def _count_dropped(changes: Changes, command: Document, reply: Document) -> None:
    # Since MongoDB 7.0 it is no error to drop what is not there.
    if 'ns' in reply:
        _add_new(changes.collection, ['dropped'])
    else:
        changes.note('dropped, if it existed')


def _note_dropped_database(
    changes: Changes, command: Document, reply: Document
) -> None:
    changes.note('dropped, if it existed')


def _count_renamed(changes: Changes, command: Document, reply: Document) -> None:
    replaced = ' in place of what was there' if command.get('dropTarget') else ''
    _add_new(changes.collection, [f'{RENAMED_TO}{command["to"]}{replaced}'])


COUNTERS: dict[str, Callable[[Changes, Document, Document], None]] = {
    'aggregate': _note_output,
    'bulkWrite': _count_bulk,
    'cloneCollectionAsCapped': _count_made,
    'create': _count_made,
    'createIndexes': _count_indexes,
    'delete': _count_delete,
    'deleteIndexes': _count_dropped_indexes,
    'drop': _count_dropped,
    'dropDatabase': _note_dropped_database,
    'dropIndexes': _count_dropped_indexes,
    'findAndModify': _count_find_and_modify,
    'findandmodify': _count_find_and_modify,
    'insert': _count_insert,
    'mapReduce': _note_output,
    'mapreduce': _note_output,
    'renameCollection': _count_renamed,
    'update': _count_update,
}

NO_ANSWER = 'no answer'

#: How many writes may be sent again at one time: threads, in practice fewer.
ATTEMPTS = 1000

#: Commands that write nothing. One that stands in no list is taken for a write.
READS = frozenset(
    """
    authenticate buildInfo buildinfo collStats collstats connPoolStats connectionStatus
    count currentOp dataSize datasize dbHash dbStats dbhash dbstats distinct endSessions
    explain features find getCmdLineOpts getDefaultRWConcern getLastError getLog getMore
    getParameter getnonce getShardMap hello hostInfo isMaster isdbgrid ismaster
    killAllSessions killAllSessionsByPattern killCursors killOp killSessions
    listCollections listCommands listDatabases listIndexes lockInfo logout ping
    planCacheListFilters refreshSessions replSetGetConfig replSetGetStatus rolesInfo
    saslContinue saslStart serverStatus startSession top usersInfo validate whatsmyuri
    """.split()  # noqa: SIM905
)


# What an error proves

FAILED_TO_PARSE = 9

#: Errors that any command meets before it does anything.
NEVER_BEGUN = frozenset(
    [
        13,  # Unauthorized
        16,  # InvalidLength: a batch with no statement in it, or with too many
        59,  # CommandNotFound
        263,  # OperationNotSupportedInTransaction
        40324,  # an unknown stage of a pipeline
        40414,  # a field of the command is missing
        40415,  # an unknown field of the command
    ]
)

#: Errors after which a command that does one thing has done nothing.
NOT_DONE = frozenset(
    [
        2,  # BadValue
        FAILED_TO_PARSE,
        14,  # TypeMismatch
        20,  # IllegalOperation
        26,  # NamespaceNotFound
        27,  # IndexNotFound
        28,  # PathNotViable
        40,  # ConflictingUpdateOperators
        48,  # NamespaceExists
        52,  # DollarPrefixedFieldName
        53,  # InvalidIdField
        54,  # NotSingleValueField
        56,  # EmptyFieldName
        57,  # DottedFieldName
        66,  # ImmutableField
        67,  # CannotCreateIndex
        72,  # InvalidOptions
        73,  # InvalidNamespace
        85,  # IndexOptionsConflict
        86,  # IndexKeySpecsConflict
        121,  # DocumentValidationFailure
        166,  # CommandNotSupportedOnView
        11000,  # DuplicateKey
    ]
)

#: The commands that do one thing. Those for many documents (insert, update, delete)
#: are of them: they tell the errors of single documents in a reply that succeeded.
ATOMIC = frozenset(
    """
    create createIndexes delete deleteIndexes drop dropIndexes findAndModify
    findandmodify insert renameCollection update
    """.split()  # noqa: SIM905
)

#: Errors of a server that is not the primary. It may have been when it began.
NOT_PRIMARY = frozenset([10107, 13435, 13436])


def _was_refused(name: str, command: Document, failure: Document) -> bool:
    """Tell whether an error proves that nothing was written."""
    if 'NoWritesPerformed' in failure.get('errorLabels', ()):
        return True
    if 'ok' not in failure:
        # A lost connection, or a write concern that was not met.
        return False
    code = failure.get('code')
    return (
        code in NEVER_BEGUN
        or (code in NOT_DONE and name in ATOMIC)
        or (code in NOT_PRIMARY and _is_for_one(name, command))
    )


def _is_for_one(name: str, command: Document) -> bool:
    """Tell whether a command writes one document at most."""
    if name in ('findAndModify', 'findandmodify'):
        return True
    statements = command.get(STATEMENTS.get(name, ''), ())
    if len(statements) != 1:
        return False
    return name == 'insert' or not (
        statements[0].get('multi') or statements[0].get('limit') == 0
    )


STATEMENTS = {'insert': 'documents', 'update': 'updates', 'delete': 'deletes'}


def _same_transaction(one: Document, other: Document) -> bool:
    return all(
        one.get(key) == other[key] for key in ('lsid', 'txnNumber', 'autocommit')
    )


def _is_retryable(command: Document) -> bool:
    return 'txnNumber' in command and 'autocommit' not in command


def _doubt(
    name: str, database: str, command: Document, reason: str
) -> tuple[str, str] | None:
    namespace = _namespace(name, database, command)
    if namespace is None or name == 'commitTransaction':
        return None
    return namespace, f'perhaps changed by {name} ({reason})'


def _reason(failure: Document) -> str:
    if 'errtype' in failure:
        # An exception in place of an answer; its name depends on PyMongo's release.
        return NO_ANSWER
    return str(failure.get('codeName') or f'error {failure.get("code")}')


# Sums and words


def _of(tally: Tally, namespace: str) -> Changes:
    changes = tally.get(namespace)
    if changes is None:
        changes = tally[namespace] = Changes()
    return changes


def _add(total: Tally, tally: Tally) -> None:
    for namespace, changes in tally.items():
        _of(total, namespace).add(changes)


def _sum(tallies: Iterable[Tally]) -> Tally:
    total: Tally = {}
    for tally in tallies:
        _add(total, tally)
    return total


def _add_new(phrases: list[str], more: Iterable[str]) -> None:
    phrases += [phrase for phrase in more if phrase not in phrases]


RENAMED_TO = 'renamed to '


def _described(namespace: str, changes: Changes, own: str) -> str:
    parts = [
        part[len(own) :] if part.startswith(own) else part
        for part in namespace.split(' + ')
    ]
    name = ' and '.join(map(shown, parts))
    if '.' not in namespace:
        name = f'database {name}'
    said = changes.phrases()
    if changes.collection:
        done = ' and '.join(changes.collection)
        done = done.replace(f'{RENAMED_TO}{own}', RENAMED_TO)
        return ', '.join([f'collection {name} {done}', *said])
    return f'{name} {", ".join(said)}' if said else ''


def shown(name: str) -> str:
    """Give a name as it is, or in quotes where it could be misread."""
    return name if re.fullmatch(r'[\w.$-]+', name) else repr(name)
