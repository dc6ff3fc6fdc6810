"""An undo: a migration's documents restored as they were before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Set
from itertools import takewhile
from typing import Any

from bson import ObjectId
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from migopy.codes import DUPLICATE_KEY
from migopy.commands import Command
from migopy.differences import Value
from migopy.pymongo3 import legacy_database
from migopy.server import bound_session, is_bound, is_transient
from migopy.state import begin, commit
from migopy.texts import counted
from migopy.undo.chunk_groups import groups_of, pairs_of
from migopy.undo.collection_rules import CollectionRules
from migopy.undo.conflicts import KEEP, OURS, STOP, THEIRS, Conflict, FoundConflicts
from migopy.undo.definition_decisions import Definitions, decide_on
from migopy.undo.definition_keeper import settle_left
from migopy.undo.definition_records import DefinitionRecord
from migopy.undo.definition_restorer import DefinitionRestorer
from migopy.undo.document_restorer import DocumentRestorer
from migopy.undo.errors import (
    REST_ALONE,
    Conflicts,
    InTheWay,
    left_to_others,
    what_is_restored,
)
from migopy.undo.forecast import Foreseen, foresee, may_be_taken
from migopy.undo.image_sets import Chunk, ImageSet
from migopy.undo.images import Images
from migopy.undo.made_collections import (
    drop_made,
    drop_made_after,
    name_here,
    would_drop,
)
from migopy.undo.packing import Damaged

#: Up to so many documents, and bytes of them, all is restored in one transaction.
DOCUMENTS = 50_000
BYTES = 32_000_000

#: How often a chunk is tried that the server aborts, and for how many seconds a
#: transaction at most.
ATTEMPTS = 30
PATIENCE = 120.0

#: Seconds to the next try, times the number of tries.
PAUSE = 0.05

#: Seconds between two looks at the lock.
LOCK_EVERY = 1.0


class Undo:
    """Restores what a migration has changed, as its `down` would.

    Invariant: called in a transaction, it does all in that one. If not, each chunk is
    restored in a transaction of its own that also deletes its images; so an undo that
    was killed goes on where it was, and no chunk is restored twice.
    """

    def __init__(
        self,
        images: Images,
        kept: ImageSet,
        wish: str,
        check: Callable[[], object],
        say: Callable[[str], None],
        why: str,
        is_trial: bool,
    ) -> None:
        """Take images, and what decides conflicts.

        `check` looks at the lock, `say` takes what a person reads, and `why` says why
        it is an undo. `is_trial` is whether it is a dry run.
        """
        self._images = images
        self._kept = kept
        self._wish = wish
        self._check = check
        self._say = say
        self._why = why
        self._is_trial = is_trial
        self._rules = CollectionRules(images.client)
        self._is_told = self._is_left_told = False
        #: Documents that stay as they are, by collection and `_id`.
        self._left: Set[tuple[str, Value]] = frozenset()
        #: Whether a part is restored, by this undo or by one that was interrupted.
        self._is_begun = kept.undone > 0

    @property
    def is_small(self) -> bool:
        """Tell whether all can be done in one transaction."""
        kept = self._kept
        fits = kept.documents <= DOCUMENTS and kept.bytes <= BYTES
        return fits and not kept.made and not kept.defined

    def __call__(self, db: Any) -> None:
        """Do it; raises `Conflicts`, `InTheWay`, `NotExact`, `Damaged`, `LockLost`."""
        try:
            self._undo(db)
        except InTheWay as error:
            error.change_commands(self._as_wished)
            raise

    def _as_wished(self, command: Command) -> Command:
        """Add to a command what was decided about others' changes, if anything."""
        wish = {} if self._wish == STOP else {'conflicts': self._wish}
        return Command(command.name, *command.values, **{**command.options, **wish})

    def _undo(self, db: Any) -> None:
        self._tell()
        if is_bound() and self._kept.defined:
            # A dry run: no transaction sees its own indexes dropped and made.
            self._would()
            return
        if is_bound():
            session = bound_session()
            if session is not None and not self._is_trial:
                self._images.begin_undo(self._kept, session)
            self._in_one(session)
            for namespace in self._kept.made:
                # Only a dry run comes here, whose stand-in answers it.
                database, _, name = namespace.partition('.')
                is_own = database == db.name
                would_drop(
                    self._images,
                    self._kept,
                    (db if is_own else legacy_database(db.client, database))[name],
                    self._say,
                )
            return
        settle_left(self._images, self._kept)
        found = self._look_through()
        self._left = found.left
        self._tell_left(found.conflicts)
        self._in_chunks()
        self._check()
        drop_made(self._images, self._kept, self._say)

    def _tell(self) -> None:
        if not self._is_told:
            what = what_is_restored(self._kept, self._is_begun)
            at = f'{self._kept.at:%Y-%m-%d %H:%M:%S} UTC'
            self._say(f'{self._why}; restoring {what} as before {at}')
            if self._is_begun and self._wish != STOP:
                self._say(REST_ALONE)
            self._is_told = True

    def _tell_left(self, found: FoundConflicts) -> None:
        """Say what is not restored; only once, even if a transaction is repeated."""
        if found.count and self._wish in (KEEP, THEIRS) and not self._is_left_told:
            self._say(left_to_others(found, self._wish))
            self._is_left_told = True

    def _in_one(self, session: ClientSession | None) -> None:
        is_looked = may_be_taken(self._images, self._kept, self._wish)
        found = self._look_through() if is_looked else Foreseen()
        self._left = found.left
        restoring = self._restoring(None)
        for group in groups_of(self._images, self._kept):
            restoring.restore(group[0].namespace, pairs_of(group))
        self._require_agreed(restoring.conflicts)
        restoring.finish()
        seen = found.conflicts
        self._tell_left(seen if seen.count else restoring.conflicts)
        # It is given: PyMongo does not see that a bound one takes no write concern.
        self._images.forget([self._kept.id], session)

    def _would(self) -> None:
        """Say what would be done about definitions, and to how many documents."""
        found = self._look_through()
        self._tell_left(found.conflicts)
        applying = DefinitionRestorer(self._images, self._kept, self._say)
        for action in found.actions:
            applying.would(action)
        for namespace, count in found.documents.items():
            name = name_here(self._images, namespace)
            self._say(f'{name}: {counted(count, "document")} would be restored')

    def _look_through(self) -> Foreseen:
        """Make sure that all images are there, and that no conflict is undecided."""
        found = foresee(self._images, self._kept, self._wish)
        self._require_agreed(found.conflicts)
        return found

    def _in_chunks(self) -> None:
        mark = ObjectId()
        with self._images.client.start_session() as session:
            self._images.begin_undo(self._kept, session, mark)
            while self._go_through(mark, session):
                pass

    def _go_through(self, mark: ObjectId, session: ClientSession) -> bool:
        """Restore chunks, group by group.

        Returns whether there may be more to do, after groups that had to be restored
        together.
        """
        self._check()
        checked = time.monotonic()
        for group in groups_of(self._images, self._images.again(self._kept)):
            record = group[0].record
            try:
                if record is not None:
                    self._redefine(group[0], record)
                self._in_transaction(group, mark, session)
            except InTheWay as error:
                if error.code != DUPLICATE_KEY or record is not None:
                    raise
                # Documents of several chunks may have exchanged their values.
                self._in_transaction(None, mark, session)
                return True
            if time.monotonic() - checked > LOCK_EVERY:
                self._check()
                checked = time.monotonic()
        return False

    def _redefine(self, chunk: Chunk, record: DefinitionRecord) -> None:
        """Set a definition back, as far as it is not so already."""
        self._check()
        drop_made_after(self._images, self._kept, chunk, self._say)
        definitions = Definitions(self._images.client)
        applying = DefinitionRestorer(self._images, self._kept, self._say)
        conflicts = FoundConflicts()
        for each in decide_on(chunk.namespace, record, definitions, self._wish):
            if isinstance(each, Conflict):
                conflicts.add(each)
                self._require_agreed(conflicts)
            else:
                applying.apply(each, f'{chunk.id}.{chunk.number}')
                self._is_begun = True
                definitions.note(each)
        self._rules = CollectionRules(self._images.client)

    def _rest(self) -> Iterable[list[Chunk]]:
        """Give the next groups, up to one of a definition."""
        groups = groups_of(self._images, self._images.again(self._kept))
        return takewhile(lambda each: each[0].record is None, groups)

    def _in_transaction(
        self, group: list[Chunk] | None, mark: ObjectId, session: ClientSession
    ) -> None:
        """Restore a group in a transaction, tried again if others are in its way.

        Without a group, all that are left up to one of a definition.
        """
        deadline = time.monotonic() + PATIENCE
        for number in range(1, ATTEMPTS + 1):
            try:
                with begin(session):
                    groups = self._rest() if group is None else [group]
                    self._restore(groups, mark, session)
                    commit(session, deadline)
                self._is_begun = True
                return
            except PyMongoError as error:
                again = is_transient(error) and number < ATTEMPTS
                if not again or time.monotonic() > deadline:
                    raise
            time.sleep(PAUSE * number)

    def _restore(
        self, groups: Iterable[list[Chunk]], mark: ObjectId, session: ClientSession
    ) -> None:
        restoring = self._restoring(session)
        for group in groups:
            if not self._images.drop_chunks(group, mark, session):
                self._check()
                raise Damaged(self._kept.name)
            if group[0].record is None:
                restoring.restore(group[0].namespace, pairs_of(group))
        self._require_agreed(restoring.conflicts)
        restoring.finish()

    def _restoring(self, session: ClientSession | None) -> DocumentRestorer:
        client, kept = self._images.client, self._kept
        return DocumentRestorer(
            client, session, kept, self._wish, self._rules, self._left
        )

    def _require_agreed(self, found: FoundConflicts) -> None:
        """Make sure that a person has decided about what others have changed.

        No decision lets an undo take a unique value away from another document.
        """
        is_refused = found.lost if self._wish == OURS else self._wish == STOP
        if found.count and is_refused:
            raise Conflicts(self._kept.name, found, self._wish, self._is_begun)
