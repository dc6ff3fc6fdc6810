"""One run of a migration, as the history keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId

from migopy.errand import ERRAND
from migopy.state.agent import Agent
from migopy.state.fields import date_of, line_of, line_or_unknown, value_of
from migopy.state.registry import is_ours
from migopy.texts import same_name
from migopy.version import VERSION

Document = dict[str, Any]

EXECUTED = 'executed'
FAILED = 'failed'
ROLLED_BACK = 'rolled back'
IGNORED = 'ignored'
FORGOTTEN = 'forgotten'

#: What stands between the two names where a record was carried over.
RENAMED_TO = ' -> '

#: The direction of what brings the database back to the dump that it is named by.
RESTORE = 'restore'

#: What the history keeps of a run that has changed nothing, as far as all is heard.
NO_EFFECTS: Document = {'collections': []}

#: What the documents of only some runs have.
SOME = (
    'after',
    'effects',
    'checkpoints',
    'command',
    'phase',
    'interrupted',
    'images',
    'writes_until',
)


@dataclass
class Run:
    """One run of a migration's `up` or `down`, or the restore of a dump.

    Invariant: `outcome` is `None` until it is known how the run ended. `unsettled` is
    true while the migration may be half done because of this run: it has not ended, or
    failed after it had written.
    """

    name: str
    direction: str
    checksum: str | None
    owner: str
    agent: Agent
    version: str
    started: datetime
    id: ObjectId = field(default_factory=ObjectId)
    ended: datetime | None = None
    outcome: str | None = None
    duration_ms: int | None = None
    error: str | None = None
    unsettled: bool = True
    #: The `_id`s of the migration's records when the run began.
    records: list[Any] = field(default_factory=list)
    effects: Document | None = None
    #: The run that was to be registered before this one begins, where several were
    #: marked at once.
    after: ObjectId | None = None
    #: How far its calls of `update_each` have come, as `Checkpoints` keeps it.
    checkpoints: list[Document] | None = None
    #: The id of the typed command that it belongs to, if any.
    command: str | None = None
    #: The phase that its file named, if it is not the usual one; whether a signal or
    #: Ctrl-C ended it; whether it writes nothing without an image of what was there.
    phase: str | None = None
    interrupted: bool | None = None
    images: bool | None = None
    #: Until when it may write if it still runs, where its lock was taken from it.
    writes_until: datetime | None = None
    #: What its file replaces, for the record alone.
    replaces: Sequence[str] = ()

    @property
    def may_be_ours(self) -> bool:
        """Tell whether migopy can have written it: it names a file and a direction."""
        of_file = self.direction in ('up', 'down') and is_ours(self.name)
        return isinstance(self.id, ObjectId) and (of_file or self.is_restore)

    @property
    def is_restore(self) -> bool:
        """Tell whether it is the restore of a dump, and no run of a migration."""
        return self.direction == RESTORE

    @property
    def may_have_written(self) -> bool:
        """Tell whether it has changed anything, or it is not known that it has not."""
        return self.effects != NO_EFFECTS

    @property
    def good_outcome(self) -> str:
        """Give the outcome of a run in this direction that ends well."""
        return EXECUTED if self.direction == 'up' else ROLLED_BACK

    def end(
        self, outcome: str, ended: datetime, duration_ms: int, unsettled: bool = False
    ) -> None:
        """Note how the run ended, when (in UTC) and after how many milliseconds."""
        self.ended = ended
        self.outcome = outcome
        self.duration_ms = duration_ms
        self.unsettled = unsettled
        if not unsettled:
            # They are of no use any more.
            self.checkpoints = [] if self.checkpoints else None

    def document(self) -> Document:
        """Give the document that the history keeps."""
        document: Document = {
            '_id': self.id,
            'name': self.name,
            'direction': self.direction,
            'started': self.started,
            'ended': self.ended,
            'outcome': self.outcome,
            'duration_ms': self.duration_ms,
            'user': self.agent.user,
            'host': self.agent.host,
            'pid': self.agent.pid,
            'checksum': self.checksum,
            'error': self.error,
            'version': self.version,
            'owner': self.owner,
            'unsettled': self.unsettled,
            'records': self.records,
        }
        given = {name: getattr(self, name) for name in SOME}
        return document | {k: value for k, value in given.items() if value is not None}

    def record(self) -> Document:
        """Give the document that registers the migration of a run that has ended."""
        return {
            '_id': self.id,
            'name': self.name,
            'executed_at': self.ended,
            'duration_ms': self.duration_ms,
            'checksum': self.checksum,
            'by': str(self.agent),
            'how': IGNORED if self.outcome == IGNORED else EXECUTED,
            **({} if self.phase is None else {'phase': self.phase}),
            **({'replaces': list(self.replaces)} if self.replaces else {}),
        }

    def settled(self) -> Document:
        """Give what the history is to merge where a later run settled this one."""
        return {'_id': self.id, 'unsettled': False}

    def completed(self, ended: datetime | None, duration_ms: int | None) -> Document:
        """Give what the history is to merge where only the end was left unwritten."""
        document = {**self.settled(), 'outcome': self.good_outcome}
        if self.after is not None:
            document |= self.begun()
        if duration_ms is not None:
            document |= {'ended': ended, 'duration_ms': duration_ms}
        return document

    def begun(self) -> Document:
        """Give what the history is to merge where a run marked in advance has begun."""
        return {'_id': self.id, 'started': self.started, 'after': None}

    @classmethod
    def new(
        cls,
        name: str,
        direction: str,
        checksum: str | None,
        owner: str,
        started: datetime,
        agent: Agent | None = None,
        **known: Any,
    ) -> Run:
        """Make a run of this process, for the command that was typed.

        `agent` is this process, if that is known already: many runs are made at once.
        `known` are values of other fields.
        """
        errand = ERRAND.get()
        return cls(
            name=name,
            direction=direction,
            checksum=checksum,
            owner=owner,
            agent=agent or Agent.current(),
            version=VERSION,
            started=started,
            command=errand.id if errand else None,
            **known,
        )

    @classmethod
    def of(cls, document: Document) -> Run:
        """Read a document; a field of another type than migopy writes is ignored."""
        started = date_of(document, 'started')
        return cls(
            id=document.get('_id'),  # type: ignore[arg-type]
            name=same_name(line_or_unknown(document, 'name')),
            direction=line_or_unknown(document, 'direction'),
            started=datetime.min if started is None else started,
            ended=date_of(document, 'ended'),
            outcome=line_of(document, 'outcome'),
            duration_ms=value_of(document, 'duration_ms', int),
            agent=Agent.of(document),
            checksum=value_of(document, 'checksum', str),
            error=line_of(document, 'error'),
            version=line_or_unknown(document, 'version'),
            owner=line_or_unknown(document, 'owner'),
            unsettled=bool(document.get('unsettled')),
            records=value_of(document, 'records', list) or [],
            effects=value_of(document, 'effects', dict),
            after=value_of(document, 'after', ObjectId),
            checkpoints=value_of(document, 'checkpoints', list),
            command=value_of(document, 'command', str),
            phase=line_of(document, 'phase'),
            interrupted=value_of(document, 'interrupted', bool),
            images=value_of(document, 'images', bool),
            writes_until=date_of(document, 'writes_until'),
        )
