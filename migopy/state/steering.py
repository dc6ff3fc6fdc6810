"""See and steer the command that holds the lock, from another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pymongo import ReturnDocument

from migopy.commands import Command
from migopy.state.agent import Agent
from migopy.state.fields import date_of, line_or_unknown, number_of
from migopy.state.helm import Asked
from migopy.state.holder import Holder
from migopy.state.lock import Lock

Document = Mapping[str, Any]

#: What a command may be asked, as fields of what `Asked` reads.
WISHES = ('paused', 'stop', 'max_per_second')


class Loop(NamedTuple):
    """How far a loop is; `first` is what was done when it began, `seconds` ago."""

    title: str
    done: int
    total: int | None
    first: int
    seconds: float

    @classmethod
    def of(cls, document: object) -> Loop | None:
        """Read what a command has told; `None` where that is no loop."""
        if not isinstance(document, Mapping):
            return None
        total = number_of(document, 'total')
        return cls(
            title=line_or_unknown(document, 'title'),
            done=int(number_of(document, 'done') or 0),
            total=None if total is None else int(total),
            first=int(number_of(document, 'first') or 0),
            seconds=number_of(document, 'seconds') or 0.0,
        )


@dataclass(frozen=True)
class Doing:
    """What a command has told of the migration that it runs.

    Invariant: any document can be read. `seconds` is how long the migration has run,
    `age` how many seconds ago that was reported; `heard` is the number of the last
    request that it had heard by then.
    """

    name: str
    direction: str
    place: int
    count: int
    seconds: float
    in_transaction: bool
    in_loop: bool
    effects: str
    waits: str
    heard: int
    loop: Loop | None
    age: float

    @classmethod
    def of(cls, document: object, now: datetime) -> Doing | None:
        """Read the lock's field; `now` is the server's time, in UTC without a zone."""
        if not isinstance(document, Mapping):
            return None
        at = date_of(document, 'at')
        age = 0.0 if at is None else max((now - at).total_seconds(), 0.0)
        return cls(
            name=line_or_unknown(document, 'name'),
            direction=line_or_unknown(document, 'direction'),
            place=int(number_of(document, 'place') or 0),
            count=int(number_of(document, 'count') or 0),
            seconds=(number_of(document, 'seconds') or 0.0) + age,
            in_transaction=document.get('in_transaction') is True,
            in_loop=document.get('in_loop') is True,
            effects=_text(document, 'effects'),
            waits=_text(document, 'waits'),
            heard=int(number_of(document, 'heard') or 0),
            loop=Loop.of(document.get('loop')),
            age=age,
        )


class Seen(NamedTuple):
    """A command that holds the lock at this moment, what it does and was asked."""

    holder: Holder
    doing: Doing | None
    asked: Asked

    @property
    def hears(self) -> bool:
        """Tell whether it is where it hears what others ask of it."""
        return self.doing is not None and self.doing.in_loop

    @property
    def is_paused(self) -> bool:
        """Tell whether it waits until `resume` is typed, or will after its batch."""
        return self.hears and self.asked.paused and not self.asked.stop

    @property
    def way_to_end(self) -> str:
        """Say how a person ends it where it hears no `stop`, and what that leaves."""
        left = ''
        if self.doing is not None:
            left = (
                '; as it runs in a transaction, nothing is changed then'
                if self.doing.in_transaction
                else f'; {self.doing.name} is unfinished then, if it has written'
            )
        return f'{self.holder.agent.way_to_end}{left}'

    def command(self, name: str) -> Command:
        """Give a command that is about this one, and no other."""
        return Command(name, worker='yes' if self.holder.is_worker else None)


class Steering:
    """Looks at the command that holds a lock, and sends it requests.

    Invariant: a request is in the lock's document, so it ends with the lock and can
    reach no other command.
    """

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    def look(self, owner: str | None = None, worker: bool = False) -> Seen | None:
        """Read who holds a lock at this moment, by the server's clock.

        With `owner` it is that one's lock; if not, it is the worker's if `worker` is
        true or nobody holds the other one.
        """
        held = self._lock.documents([Lock.ID, Lock.WORKER])
        seen = [self._seen(document, now) for document, now in held]
        seen = [each for each in seen if not each.holder.is_gone]
        if owner is not None:
            seen = [each for each in seen if each.holder.owner == owner]
        elif worker:
            seen = [each for each in seen if each.holder.is_worker]
        return min(seen, key=lambda each: each.holder.is_worker, default=None)

    def _seen(self, document: Document, now: datetime) -> Seen:
        holder = Holder.of(document, now, self._lock.ttl)
        doing = Doing.of(document.get('doing'), now)
        return Seen(holder, doing, Asked.of(document.get('asked')))

    def ask(self, holder: Holder, **wish: bool | float | None) -> Asked | None:
        """Send a request to the command that holds the lock, if it still does.

        Gives all that it is asked then; `None` if it has ended. Whoever has typed
        `stop` stays the one who asked last, having stopped it.
        """
        is_stopped = {'$eq': ['$asked.stop', True]}
        me = {'$literal': str(Agent.current())}
        number = {'input': '$asked.number', 'to': 'long', 'onError': 0, 'onNull': 0}
        asked = {
            **{name: f'$asked.{name}' for name in WISHES},
            **{name: {'$literal': value} for name, value in wish.items()},
            'by': {'$cond': [is_stopped, '$asked.by', me]},
            # Somebody else may have written anything there.
            'number': {'$add': [{'$convert': number}, 1]},
        }
        # The lock's collection waits for a majority.
        found = self._lock.collection.find_one_and_update(
            {
                '_id': Lock.WORKER if holder.is_worker else Lock.ID,
                'owner': holder.owner,
            },
            # As it stands, `$set` would keep whatever else is there.
            [{'$set': {'asked': {'$mergeObjects': [asked]}}}],
            projection=['asked'],
            return_document=ReturnDocument.AFTER,
        )
        return None if found is None else Asked.of(found.get('asked'))


def _text(document: Document, field: str) -> str:
    return line_or_unknown(document, field) if document.get(field) else ''
