"""Hear the commands of this process's clients, and tell them to recordings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from migopy.effects import offspring
from migopy.effects.commands import ENDS, READS, namespace_of
from migopy.effects.evidence import Evidence
from migopy.effects.failures import has_errors
from migopy.effects.guards import Guard
from migopy.effects.ledger import same_transaction
from migopy.effects.own_work import OwnWork
from migopy.effects.recording import BUILDS, BeforeBuild, Recording, Sent

#: The recordings that a command belongs to, and those that it may belong to.
Owners = tuple[tuple[Recording, ...], tuple[Recording, ...]]


class EffectsListener(CommandListener):
    """Hears the commands of clients and tells them to the recordings they belong to.

    Invariant: a command that writes is remembered from its start to its end, and only
    while a recording is open; it is counted by the recording of the context that sent
    it and by those around that one. If the context has none, the origin of the thread,
    the transaction and the database decide; if they do not either, each recording that
    it may belong to notes it.

    Give it to `MongoClient(event_listeners=[...])`, or use the one of `listen()`.
    Told of an event by both, it counts it once.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._recordings: tuple[Recording, ...] = ()
        #: The open recordings that have no other one within them.
        self._innermost: tuple[Recording, ...] = ()
        #: Whether any open recording has a guard.
        self._guarded = False
        self._unanswered: dict[int, Sent] = {}
        self._own_work = OwnWork()
        self._current: ContextVar[Recording | None] = ContextVar('recording')
        #: The recordings of the contexts that started threads.
        self._origins = WeakKeyDictionary[threading.Thread, Recording]()

    @contextmanager
    def recording(
        self,
        database: str = '',
        evidence: Evidence | None = None,
        guard: Guard | None = None,
        guards_strays: bool = False,
        before_build: BeforeBuild | None = None,
    ) -> Iterator[Recording]:
        """Count the commands of this context and its threads until the block's end.

        `database` is the name of the database that the work is for; it helps to tell
        whose a thread is where several recordings are open. What is given can be read
        at any time, in the block and after it. `evidence` notes where the changes are.
        `guard` sees each command before it is sent; with `guards_strays` also those of
        threads of an unknown origin, where no other recording is open. `before_build`
        hears of each command that builds indexes before it is sent.
        """
        recording = Recording(
            self,
            self._unanswered,
            database,
            self._known(),
            evidence,
            guard,
            guards_strays,
            before_build,
        )
        self._open(recording)
        token = self._current.set(recording)
        with self._own_work.working(own=False):
            try:
                yield recording
            finally:
                self._current.reset(token)
                self._close(recording)

    @contextmanager
    def own_work(self) -> Iterator[None]:
        """Leave out what this thread does in the block: it is migopy's own work.

        No recording of any thread counts it, except what is recorded within it.
        Commits and aborts are heard all the same, as they decide what becomes of the
        rest.
        """
        with self._own_work.working(own=True):
            yield

    def note(self, namespace: str, what: str) -> None:
        """Count what migopy's own work has come to; `what` is the end of a phrase.

        Its commands may have been for other names.
        """
        known = self._known()
        for each in known.chain if known else ():
            each.ledger.note(namespace, what)

    # PyMongo calls these for every command, so a plain write takes a short path: each
    # property of an event costs a call.

    def started(self, event: CommandStartedEvent) -> None:
        """Hear from PyMongo that a command is about to be sent.

        Raises `RefusedWrite` where its recording is kept to another session.
        """
        name = event.command_name
        guarded = self._guarded and not self._own_work.own
        if guarded and (known := self._known() or self._guard_of_strays()):
            known.show(event)
        if name in READS or not self._recordings:
            return
        command = event.command
        if name in ENDS:
            self._ending(event)
            return
        if self._own_work.own:
            return
        recording = self._current.get(None)
        if recording is None or not recording.is_open:
            owners, others = self._whose(event)
            if not owners and not others:
                return
        else:
            owners, others = recording.chain, ()
            # The innermost refuses it before an outer one keeps anything of it.
            for each in reversed(owners):
                if each.only is not None:
                    each.refuse(event)
        if name == BUILDS:
            for each in owners:
                each.show_build(event)
        sent = Sent(name, command, event, owners, others)
        self._unanswered[event.request_id] = sent

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Hear from PyMongo that a command was answered."""
        if (sent := self._unanswered.get(event.request_id)) is None:
            return
        name, command, _, owners, others = sent
        database, reply = event.database_name, event.reply
        # PyMongo takes some errors for a success: "no such collection" on a drop.
        done = reply.get('ok', True)
        for each in owners:
            if each.is_open:
                if done:
                    each.ledger.count(name, database, command, reply)
                    if each.evidence is not None:
                        each.evidence.take(name, database, command, reply)
                else:
                    each.ledger.doubt(name, database, command, reply)
                if not done or has_errors(reply):
                    each.meet_error(name, database, command, reply)
            each.settle(command, event.duration_micros)
        for each in others:
            if each.is_open:
                tell = each.ledger.count if done else each.ledger.doubt
                tell(name, database, command, reply, is_own=False)
        # If a signal comes before this, the command may have written.
        self._unanswered.pop(event.request_id, None)

    def failed(self, event: CommandFailedEvent) -> None:
        """Hear from PyMongo that a command met an error."""
        if (sent := self._unanswered.get(event.request_id)) is None:
            if not self._own_work.own and (reader := self._known()):
                reader.fail_to_read(event)
            return
        name, command, _, owners, others = sent
        database, failure = event.database_name, event.failure
        for each in owners:
            each.lose(database, command, failure)
        for each in owners + others:
            if each.is_open:
                each.ledger.doubt(name, database, command, failure, each in owners)
                each.meet_error(name, database, command, failure)
            each.settle(command, event.duration_micros)
        self._unanswered.pop(event.request_id, None)

    def thread_started(self, thread: threading.Thread) -> None:
        """Hear that this thread starts another, whose work counts as its own."""
        if not self._own_work.own and (recording := self._known()) is not None:
            self._origins[thread] = recording

    def process_started(self, program: str) -> None:
        """Hear that this thread starts a child process, which nobody hears."""
        if self._own_work.own:
            return
        recording = self._known()
        for each in recording.chain if recording else self._recordings:
            each.children.add(program)

    def _open(self, recording: Recording) -> None:
        with self._lock:
            if not self._recordings:
                offspring.hear(self)
            self._set_open((*self._recordings, recording))

    def _set_open(self, recordings: tuple[Recording, ...]) -> None:
        self._recordings = recordings
        self._guarded = any(each.guard is not None for each in recordings)
        around = {id(each) for leaf in recordings for each in leaf.chain[:-1]}
        self._innermost = tuple(each for each in recordings if id(each) not in around)

    def _close(self, recording: Recording) -> None:
        with self._lock:
            recording.close()
            rest = [each for each in self._recordings if each is not recording]
            self._set_open(tuple(rest))
            for request_id, sent in self._unanswered.copy().items():
                if not any(each.is_open for each in sent.owners + sent.others):
                    self._unanswered.pop(request_id, None)
            if not self._recordings:
                offspring.leave(self)

    def _ending(self, event: CommandStartedEvent) -> None:
        """Hear of the end of a transaction, which may be sent by any thread."""
        name, command = event.command_name, event.command
        of = tuple(each for each in self._recordings if each.ledger.has(command))
        if name == 'commitTransaction':
            for each in of:
                each.ledger.doubt_commit(command)
            self._unanswered[event.request_id] = Sent(name, command, event, of, ())
            return
        # Whatever is answered: nothing but a commit makes a transaction's writes last.
        for request_id, sent in self._unanswered.copy().items():
            if same_transaction(sent.command, command):
                self._unanswered.pop(request_id, None)
        for each in of:
            each.ledger.abort(command)

    def _known(self) -> Recording | None:
        """Give the open recording of this context, or of the thread's starter."""
        recording = self._current.get(None) or self._origin()
        chain = recording.chain if recording else ()
        return next((each for each in reversed(chain) if each.is_open), None)

    def _guard_of_strays(self) -> Recording | None:
        """Give the only recording, if it guards threads of an unknown origin."""
        if len(self._innermost) != 1:
            return None
        [only] = self._innermost
        return only if any(each.guards_strays for each in only.chain) else None

    def _origin(self) -> Recording | None:
        return self._origins.get(threading.current_thread())

    def _whose(self, event: CommandStartedEvent) -> Owners:
        """Find the recordings for a command from a context without one."""
        command = event.command
        namespace = namespace_of(event.command_name, event.database_name, command)
        if namespace is None:
            return (), ()
        if 'autocommit' in command:
            begun = [each for each in self._recordings if each.ledger.has(command)]
            if begun:
                return tuple(begun), ()
        candidates = self._candidates(namespace.partition('.')[0])
        if len(candidates) == 1:
            is_known = self._known() is not None
            for each in reversed(candidates[0].chain):
                if each.only is not None and (is_known or each.refuses_strays):
                    each.refuse(event)
        chains = [each.chain for each in candidates]
        possible = dict.fromkeys(each for chain in chains for each in chain)
        sure = [each for each in possible if all(each in chain for chain in chains)]
        others = [each for each in possible if each.is_open and each not in sure]
        return tuple(sure), tuple(others)

    def _candidates(self, database: str) -> list[Recording]:
        """Give the recordings that may have written to a database from this thread.

        A single one is as good as certain, as there is no other.
        """
        known = self._known()
        if known is not None:
            # A pool's threads may serve more than the one that started them.
            others = self._innermost if database != known.database else ()
            fitting = [each for each in others if each.database == database]
            return [known, *(each for each in fitting if known not in each.chain)]
        fitting = [each for each in self._innermost if each.database in ('', database)]
        candidates = fitting or list(self._innermost)
        former = self._current.get(None) or self._origin()
        if former and former.database not in [each.database for each in candidates]:
            candidates.append(former)  # it has ended, but this thread goes on
        return candidates
