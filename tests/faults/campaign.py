"""Faults of every kind, one after another, each in a project of its own."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from pymongo import MongoClient

from migopy.server import mongod
from tests.faults import eventually
from tests.faults.deploys import LOCK_TTL, WAYS, Deploys
from tests.faults.proxy import PASSING, TRANSIENT, ErrorProxy, LossyProxy
from tests.server import ReplicaSet, Server, temporary_folder

#: How long a run lasts from the moment when it has the lock, about.
RUN_SECONDS = 0.5

#: Seconds that a lock lasts where nobody dies: one that a stalled disk can't take away.
LONG_LOCK_TTL = 90.0

#: Seconds after which a server ends a dead process's transaction.
TRANSACTION_SECONDS = 3

#: Errors that come again or mean what they say: Unauthorized, MaxTimeMSExpired,
#: WriteConcernFailed, Interrupted, OutOfDiskSpace, those of Atlas and Cosmos.
OTHERS = frozenset({1, 8, 13, 50, 64, 8000, 11601, 14031, 16500})

#: Errors of a write concern: it is unknown, cannot be met, or was not met in time.
OF_CONCERN = frozenset({64, 79, 100})

#: Of which a fault says whether it has met the command.
Hit = bool


@dataclass(frozen=True)
class Fault:
    """A fault; `strike` starts commands in a project and does it to them.

    It gives whether it has met a command that was running.
    """

    name: str
    strike: Callable[[Deploys], Hit]
    with_transactions: bool = True
    while_settling: bool = True
    #: Seconds that a lock lasts.
    lock_ttl: float = LOCK_TTL


# Faults of processes


def crowd(deploys: Deploys) -> Hit:
    """Ten deploy at once; all end well."""
    started = [deploys.start(deploys.command) for _ in range(10)]
    for process in started:
        result = deploys.ended(process)
        deploys.expect(result.status == 0, 'one of ten did not end well')
    return True


def killed(deploys: Deploys) -> Hit:
    """A process is killed at any moment."""
    victim = deploys.start(deploys.command)
    some_moment(deploys, victim)
    hit = not has_ended(victim)
    victim.kill()
    deploys.claims(deploys.ended(victim))
    return hit


def killed_at_a_command(deploys: Deploys) -> Hit:
    """A process is killed right before it sends a command."""
    victim = deploys.start(deploys.command, FAULT=f'{deploys.number} SIGKILL')
    deploys.ended(victim)
    return (deploys.folder / 'fault').exists()


def terminated(deploys: Deploys) -> Hit:
    """A process is asked to end, by a person or by a machine that goes down."""
    name = deploys.choice.choice(['SIGTERM', 'SIGINT'])
    if deploys.choice.random() < 0.5:
        fault = f'{deploys.number} {name}'
        deploys.claims(deploys.ended(deploys.start(deploys.command, FAULT=fault)))
        hit = (deploys.folder / 'fault').exists()
    else:
        victim = deploys.start(deploys.command)
        some_moment(deploys, victim)
        hit = not has_ended(victim)
        victim.send_signal(getattr(signal, name))
        deploys.claims(deploys.ended(victim))
    return hit


def stopped(deploys: Deploys) -> Hit:
    """A process is suspended for longer than its lock lasts; nobody minds."""
    return suspended(deploys, competitor=False)


def stopped_and_overtaken(deploys: Deploys) -> Hit:
    """A process is suspended, and another deploys in the meantime."""
    return suspended(deploys, competitor=True)


def suspended(deploys: Deploys, competitor: bool) -> Hit:
    def meanwhile() -> None:
        if competitor:
            deploys.fab(deploys.command, role='competitor')
        else:
            time.sleep(LOCK_TTL + 1)

    return strike(deploys, meanwhile, always_stop=True)


# Faults of the network


def reply_lost(deploys: Deploys) -> Hit:
    """The server does a command, and the reply to it is lost."""
    return lost(deploys, after=True)


def command_lost(deploys: Deploys) -> Hit:
    """A command does not reach the server."""
    return lost(deploys, after=False)


def lost(deploys: Deploys, after: bool) -> Hit:
    return behind(LossyProxy(port_of(deploys), deploys.number, after), deploys)


def refused(deploys: Deploys) -> Hit:
    """The server answers commands with an error, before it does them or after."""
    times = deploys.choice.choice([1, 1, 2, 3, 1000])
    code = deploys.choice.choice(sorted(PASSING | TRANSIENT | OTHERS))
    after = deploys.choice.random() < 0.5
    given = port_of(deploys), deploys.number, times, code, after
    return behind(ErrorProxy(*given, of_concern=False), deploys)


def unconfirmed(deploys: Deploys) -> Hit:
    """The server does what it is told, and does not know whether that will stay."""
    times = deploys.choice.choice([1, 1, 2, 3, 1000])
    code = deploys.choice.choice(sorted(PASSING | OF_CONCERN))
    given = port_of(deploys), deploys.number, times, code, True
    return behind(ErrorProxy(*given, of_concern=True), deploys)


def behind(proxy: LossyProxy, deploys: Deploys) -> Hit:
    """Have the victim speak with the server through a proxy that meets it."""
    with proxy.running():
        victim = deploys.start(deploys.command, URI=proxy.uri)
        deploys.claims(deploys.ended(victim))
        return proxy.has_met


def port_of(deploys: Deploys) -> int:
    return deploys.client.address[1] if deploys.client.address else 0


# Faults of servers


def server_killed(server: Server) -> Callable[[Deploys], Hit]:
    """A mongod is killed and comes back after a while."""

    def fault(deploys: Deploys) -> Hit:
        def restart() -> None:
            server.kill()
            time.sleep(deploys.choice.uniform(0, 1))
            server.restart()

        return strike(deploys, restart)

    return fault


def stepped_down(cluster: ReplicaSet) -> Callable[[Deploys], Hit]:
    """Another member of a replica set becomes the primary."""

    def fault(deploys: Deploys) -> Hit:
        return strike(deploys, cluster.step_down)

    return fault


def primary_killed(cluster: ReplicaSet) -> Callable[[Deploys], Hit]:
    """The primary of a replica set is killed, and comes back after a while."""

    def fault(deploys: Deploys) -> Hit:
        def kill() -> None:
            primary = cluster.primary()
            primary.kill()
            cluster.primary()
            time.sleep(deploys.choice.uniform(0, 1))
            primary.restart()

        return strike(deploys, kill)

    return fault


def strike(
    deploys: Deploys, blow: Callable[[], None], always_stop: bool = False
) -> Hit:
    """Do something around a command that runs, and wait for its end.

    The command is met at any moment, or it is stopped right before it sends something.
    """
    at_a_command = deploys.choice.random() < 0.5
    if at_a_command:
        victim = deploys.start(deploys.command, FAULT=f'{deploys.number} SIGSTOP')
        eventually(lambda: is_stopped(victim) or has_ended(victim), 'a stop')
    else:
        victim = deploys.start(deploys.command)
        some_moment(deploys, victim)
        if always_stop:
            victim.send_signal(signal.SIGSTOP)
    hit = not has_ended(victim)
    blow()
    victim.send_signal(signal.SIGCONT)
    deploys.claims(deploys.ended(victim))
    return hit


def some_moment(deploys: Deploys, victim: subprocess.Popen[str]) -> None:
    """Wait until a command has the lock, and for a while."""
    lock = deploys.db.migrations_lock
    eventually(lambda: has_ended(victim) or lock.find_one(), 'a lock')
    time.sleep(deploys.choice.uniform(0, RUN_SECONDS))


def has_ended(victim: subprocess.Popen[str]) -> bool:
    return victim.poll() is not None


def is_stopped(victim: subprocess.Popen[str]) -> bool:
    with contextlib.suppress(OSError):
        status = Path(f'/proc/{victim.pid}/stat').read_text()
        return status.rpartition(')')[2].split()[0] == 'T'
    return False


# The campaign


@dataclass
class Lane:
    """Faults that are made in turn, on a server that has no others meanwhile."""

    uri: str
    faults: Sequence[Fault]


@dataclass
class Outcome:
    """What has come of a campaign."""

    survived: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    named: int = 0
    #: A report for each round in which something was not as promised.
    broken: list[str] = field(default_factory=list)

    def summary(self, seed: str, seconds: float) -> str:
        kinds = ', '.join(f'{count} {name}' for name, count in self.survived.items())
        return (
            f'Survived {sum(self.survived.values())} faults in {seconds:.0f} s'
            f' (MIGOPY_FAULTS_SEED={seed}): {kinds}. {self.named} left something'
            f' unfinished, named and settled; {self.missed} came when all was over.'
        )


class Campaign:
    """Lanes of faults, at the same time, until the time is out.

    Invariant: each fault is made at least once; each round is a project and a database
    of its own, and what is random in it follows from the seed and its place.
    """

    def __init__(self, seed: str, seconds: float) -> None:
        self._seed = seed
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self.outcome = Outcome()

    def run(self) -> None:
        """Start the servers and make the faults."""
        with contextlib.ExitStack() as stack:
            lanes = list(self._lanes(stack))
            with ThreadPoolExecutor(len(lanes)) as pool:
                list(pool.map(self._run_lane, range(len(lanes)), lanes))

    def _lanes(self, stack: contextlib.ExitStack) -> Iterator[Lane]:
        with ThreadPoolExecutor() as pool:
            single = pool.submit(stack.enter_context, cluster(1))
            three = pool.submit(stack.enter_context, cluster(3))
            alone = pool.submit(stack.enter_context, lone_server())
            fragile = pool.submit(stack.enter_context, cluster(1))
        one, two = single.result().members[0].uri, three.result()
        yield Lane(
            one,
            [
                Fault('crowds', crowd, while_settling=False, lock_ttl=LONG_LOCK_TTL),
                Fault('kills', killed),
            ],
        )
        yield Lane(
            one,
            [
                Fault('kills at a command', killed_at_a_command),
                Fault('terminations', terminated),
            ],
        )
        yield Lane(
            one,
            [
                Fault('suspensions', stopped),
                Fault(
                    'suspensions with a competitor',
                    stopped_and_overtaken,
                    while_settling=False,
                ),
            ],
        )
        yield Lane(
            one,
            [
                Fault('lost replies', reply_lost),
                Fault('lost commands', command_lost),
            ],
        )
        yield Lane(
            one,
            [
                Fault('errors of the server', refused),
                Fault('errors of the write concern', unconfirmed),
            ],
        )
        server = alone.result()
        crash = server_killed(server)
        yield Lane(server.uri, [Fault('crashes', crash, with_transactions=False)])
        member = fragile.result().members[0]
        yield Lane(
            member.uri, [Fault('crashes of a replica set', server_killed(member))]
        )
        yield Lane(
            two.uri,
            [
                Fault('step-downs', stepped_down(two)),
                Fault('crashes of a primary', primary_killed(two)),
            ],
        )

    def _run_lane(self, number: int, lane: Lane) -> None:
        with MongoClient(lane.uri, serverSelectionTimeoutMS=60_000) as client:
            first = random.Random(f'{self._seed}/{number}').randrange(100)
            rounds = 0
            while rounds < len(lane.faults) or time.monotonic() < self._end:
                turn, place = divmod(rounds, len(lane.faults))
                self._round(
                    f'{self._seed}/{number}/{rounds}',
                    lane.faults[place],
                    first + turn,
                    client,
                    lane.uri,
                )
                rounds += 1

    def _round(
        self,
        seed: str,
        fault: Fault,
        turn: int,
        client: MongoClient[Any],
        uri: str,
    ) -> None:
        choice = random.Random(seed)
        settles = fault.while_settling
        deploys = Deploys(
            client,
            uri,
            direction=choice.choice(['up', 'up', 'down']),
            transaction=fault.with_transactions and choice.random() < 0.3,
            choice=choice,
            way=choice.choice([*WAYS, None, None, None]) if settles else None,
            turn=turn,
            lock_ttl=fault.lock_ttl,
        )
        hit = False
        try:
            hit = fault.strike(deploys)
            deploys.recover()
        except Exception as error:
            deploys.violations.append(repr(error))
        finally:
            self._note(seed, fault, deploys, hit)
            deploys.close()

    def _note(self, seed: str, fault: Fault, deploys: Deploys, hit: Hit) -> None:
        with self._lock:
            if deploys.violations:
                where = f'{fault.name} ({deploys.scene}), {seed}'
                report = f'{where}:\n{deploys.report()}'
                self.outcome.broken.append(report)
            elif hit:
                self.outcome.survived[fault.name] += 1
            else:
                self.outcome.missed += 1
            self.outcome.named += bool(deploys.named)


@contextlib.contextmanager
def lone_server() -> Iterator[Server]:
    """Run a mongod without a replica set that is slow to write its journal."""
    with temporary_folder() as folder:
        server = Server(folder, '--journalCommitInterval=500')
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def cluster(members: int) -> Iterator[ReplicaSet]:
    """Run a replica set that ends the transactions of the dead soon."""
    with contextlib.ExitStack() as stack:
        servers = []
        for _ in range(members):
            folder = stack.enter_context(temporary_folder())
            limit = f'transactionLifetimeLimitSeconds={TRANSACTION_SECONDS}'
            options = f'--replSet={mongod.REPLICA_SET}', f'--setParameter={limit}'
            servers.append(Server(folder, *options))
            stack.callback(servers[-1].kill)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.start, servers))
        replica_set = ReplicaSet(servers)
        replica_set.initiate()
        yield replica_set
