"""How busy a replica set is, looked at while many documents are written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from migopy.pace import Pace

#: Seconds between two looks.
LOOK_EVERY = 0.5

#: Seconds to wait for what the server says of itself.
STATUS_SECONDS = 2

#: Seconds after which a member that does not answer is not waited for any more.
SILENT_SECONDS = 60.0

#: The part of an oplog's room that is used where it is full.
FULL = 0.9

#: Seconds within which a reachable member should have answered.
FIRST_ANSWER = 10.0

#: Why the lag of a member is not known, by what a client takes it for.
UNKNOWN = {
    'Unknown': 'which does not answer',
    'RSOther': 'which is no secondary at present',
    'RSGhost': 'which is in no replica set at present',
}

#: What a client takes routers of a sharded cluster for.
ROUTERS = ('Sharded', 'LoadBalanced')

#: What the commands tell that need the role clusterMonitor.
MONITORED = {
    'serverStatus': 'flow control, dirty cache, queued operations',
    'replSetGetConfig': 'hidden and delayed members',
    'replSetGetStatus': 'hidden and delayed members',
    'collStats': 'the oplog window',
}

#: Parts of `serverStatus` that nobody looks at here, and that cost the server most.
LEFT_OUT = ('metrics', 'tcmalloc', 'locks', 'opLatencies', 'network', 'transactions')


class Strain(NamedTuple):
    """How near a limit is: 1 is at it. `text` says what is."""

    share: float
    text: str


class ServerLoad:
    """Looks at a replica set, as far as its user may.

    Invariant: it only reads; what cannot be read is in `unread`, each once, and is
    not looked at again.
    """

    def __init__(self, client: Any, heartbeats: Any, pace: Pace) -> None:
        """Take the client that writes, and one that hears of members twice a second."""
        self.unread: list[str] = []
        self._client = client
        self._heartbeats = heartbeats
        self._pace = pace
        self._looked = -LOOK_EVERY
        self._strains: list[Strain] = []
        #: Of each member when it last answered, and what it had written then.
        self._seen: dict[str, tuple[float, float]] = {}
        #: Seconds between two answers of a member.
        self._between = float(heartbeats.options.heartbeat_frequency)
        self._began = time.monotonic()
        self._refused: set[str] = set()
        #: Seconds that members no client sees are behind on purpose, by their names.
        self._unseen: dict[str, float] | None = None
        #: Hours that the oplog held when the work began.
        self._held_at_first: float | None = None

    def look(self) -> list[Strain]:
        """Tell what is near a limit or beyond it; look twice a second at most."""
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY:
            self._strains = [*self._lags(now), *self._monitored()]
            self._looked = now
        return self._strains

    def _lags(self, now: float) -> Iterator[Strain]:
        limit = self._pace.max_lag
        if limit is None:
            return
        topology = self._heartbeats.topology_description
        if topology.topology_type_name in ROUTERS:
            self._note('the lag of secondaries, as the server is a router')
        is_direct = topology.topology_type_name == 'Single'
        servers = {
            f'{host}:{port}': each
            for (host, port), each in topology.server_descriptions().items()
        }
        primary: Any = None
        for name, member in servers.items():
            kind = member.server_type_name
            if kind == 'RSPrimary':
                primary = member
                self._seen.pop(name, None)
                if is_direct and len(member.all_hosts) > 1:
                    self._note('the lag of secondaries, as it is a direct connection')
            elif kind == 'RSSecondary' and member.last_write_date:
                self._seen[name] = member.last_update_time, member.last_write_date
            elif name not in self._seen and now - self._began > FIRST_ANSWER:
                self._note_lag(name, kind)
        # One that was taken out of the set is not waited for.
        self._seen = {
            name: seen for name, seen in self._seen.items() if name in servers
        }
        if primary is None:
            return
        for name, (answered, written) in self._seen.items():
            kind = servers[name].server_type_name
            behind = primary.last_write_date - written
            if now - answered > SILENT_SECONDS:
                self._note_lag(name, kind)
            elif kind in UNKNOWN:
                yield _lag(f'{name}, {UNKNOWN[kind]}, may be', behind, limit)
            else:
                # It may have written since, while the primary was heard of again.
                since = min(primary.last_update_time - answered, self._between)
                behind = max(behind - max(since, 0.0), 0.0)
                yield _lag(f'secondary {name} is', behind, limit)

    def _monitored(self) -> Iterator[Strain]:
        pace, admin = self._pace, self._client.admin
        if pace.max_dirty or pace.max_queued or pace.min_oplog_hours:
            left_out = dict.fromkeys(LEFT_OUT, 0)
            status = self._ask(admin, 'serverStatus', 1, oplog=1, **left_out)
            yield from _strains_of(status, pace)
            if pace.min_oplog_hours is not None:
                oplog = self._ask(self._client.local, 'collStats', 'oplog.rs')
                yield from self._window(status, oplog, pace.min_oplog_hours)
        if pace.max_lag is None:
            return
        if self._unseen is None and 'replSetGetConfig' not in self._refused:
            config = self._ask(admin, 'replSetGetConfig', 1).get('config', {})
            self._unseen = dict(_unseen_in(config)) if config else None
        if self._unseen:
            status = self._ask(admin, 'replSetGetStatus', 1)
            yield from self._lags_of_unseen(status, self._unseen, pace.max_lag)

    def _lags_of_unseen(
        self, status: Mapping[str, Any], unseen: Mapping[str, float], limit: float
    ) -> Iterator[Strain]:
        members = {str(each.get('name')): each for each in status.get('members', ())}
        primaries = [each for each in members.values() if each.get('state') == 1]
        if not primaries:
            return
        for name, delay in unseen.items():
            member = members.get(name)
            if member is None:
                continue
            kind = 'delayed' if delay else 'hidden'
            if member.get('health') != 1:
                self._note(f'the lag of {kind} member {name}, {UNKNOWN["Unknown"]}')
            elif member.get('state') != 2:
                self._note(f'the lag of {kind} member {name}, {UNKNOWN["RSOther"]}')
            else:
                lag = primaries[0]['optimeDate'] - member['optimeDate']
                behind = max(lag.total_seconds() - delay, 0.0)
                yield _lag(f'{kind} member {name} is', behind, limit)

    def _window(
        self, status: Mapping[str, Any], oplog: Mapping[str, Any], wanted: float
    ) -> Iterator[Strain]:
        """Tell how short the oplog is, if it is full.

        If it held little before this work began, waiting would not make it longer, so
        half of that is the limit then.
        """
        first = getattr(_at(status, 'oplog', 'earliestOptime'), 'time', None)
        last = getattr(_at(status, 'oplog', 'latestOptime'), 'time', None)
        used, room = _number(oplog, 'size'), _number(oplog, 'maxSize')
        if first is None or last is None or not used or not room:
            return
        hours = max((last - first) / 3600, 1 / 3600)
        if self._held_at_first is None:
            self._held_at_first = hours
        limit = min(wanted, self._held_at_first / 2)
        if used >= FULL * room:
            said = f'the oplog holds the last {_span(hours)} (limit {_span(limit)})'
            yield Strain(limit / hours, said)

    def _ask(
        self, db: Any, command: str, value: object, **options: object
    ) -> Mapping[str, Any]:
        """Give what a command tells; nothing where that is refused or takes long."""
        if command in self._refused:
            return {}
        try:
            with pymongo.timeout(STATUS_SECONDS):
                reply: Mapping[str, Any] = db.command(command, value, **options)
                return reply
        except OperationFailure as error:
            # A server that is too slow to tell is busy, as its writes will show.
            if not error.timeout:
                self._refused.add(command)
                self._note(MONITORED[command])
        except PyMongoError:
            # The next write meets it as well, and knows what to do.
            return {}
        return {}

    def _note_lag(self, name: str, kind: str) -> None:
        if kind != 'RSArbiter':
            why = UNKNOWN.get(kind, UNKNOWN['Unknown'])
            self._note(f'the lag of {name}, {why}')

    def _note(self, what: str) -> None:
        if what not in self.unread:
            self.unread.append(what)


def _lag(name: str, behind: float, limit: float) -> Strain:
    said = f'{name} {behind:.0f} s behind (limit {limit:g} s)'
    return Strain(behind / limit, said)


def _strains_of(status: Mapping[str, Any], pace: Pace) -> Iterator[Strain]:
    """Tell what the server says of itself; what it does not say is passed over."""
    if _at(status, 'flowControl', 'isLagged') is True:
        yield Strain(1.0, 'the server slows all writes down (flow control)')
    cache = _at(status, 'wiredTiger', 'cache')
    dirty = _number(cache, 'tracked dirty bytes in the cache')
    size = _number(cache, 'maximum bytes configured')
    if dirty is not None and size and pace.max_dirty is not None:
        said = f"{dirty / size:.0%} of the server's cache is not on disk yet"
        limit = f'limit {pace.max_dirty:.0%}'
        yield Strain(dirty / size / pace.max_dirty, f'{said} ({limit})')
    queued = _number(_at(status, 'globalLock', 'currentQueue'), 'total')
    if queued is not None and pace.max_queued is not None:
        said = f'{queued:.0f} operations wait on the server'
        limit = f'limit {pace.max_queued:g}'
        yield Strain(queued / pace.max_queued, f'{said} ({limit})')


def _span(hours: float) -> str:
    return f'{hours:.1f} h' if hours >= 1 else f'{hours * 60:.1f} min'


def _unseen_in(config: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """List the members with data that no client is told of, and their delays."""
    for member in config.get('members', ()):
        delay = member.get('secondaryDelaySecs', member.get('slaveDelay', 0))
        if (member.get('hidden') or delay) and not member.get('arbiterOnly'):
            yield str(member['host']), float(delay)


def _at(document: Any, *names: str) -> Any:
    for name in names:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _number(document: Any, name: str) -> float | None:
    value = _at(document, name)
    return float(value) if isinstance(value, (int, float)) else None
