"""`embedded:`'s private mongod among real processes, and the servers of the tests."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock
from urllib.parse import unquote

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from migopy.server import ServerUri, mongod, programs
from migopy.server.embedded import PrivateMongod, open_lock, try_lock
from migopy.server.mongod import MongodFailed
from tests import server
from tests.faults import eventually, full_disk

PATIENCE = 60
"""Seconds in which a command of these tests says its next word, or has failed."""

PROLOGUE = """
import os, signal, sys, time
from pathlib import Path
from pymongo import MongoClient
from migopy.server import mongod
from migopy.server.embedded import PrivateMongod
private = PrivateMongod(Path(sys.argv[1]))
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background, too
def say(word):
    print(word, flush=True)
def wait():
    sys.stdin.readline()
"""

USE = """
with private.running() as uri:
    say(uri)
    wait()
"""


class Command:
    """A process that runs a script with a folder as its argument.

    It tells its progress by a line at a time, which `hear` gives, and goes on when
    `go_on` answers its `wait()`.
    """

    def __init__(self, folder: Path, script: str = USE, **options: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, '-c', PROLOGUE + script, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **{'env': environment(), **options},
        )

    def hear(self) -> str:
        """Give the next line; a process that says nothing is ended by a signal."""
        alarm = signal.SIGALRM
        before = signal.signal(alarm, lambda *_: self.process.kill())
        signal.alarm(PATIENCE)
        try:
            return self.process.stdout.readline().strip()
        finally:
            signal.alarm(0)
            signal.signal(alarm, before)

    def go_on(self) -> None:
        self.process.stdin.write('\n')
        self.process.stdin.flush()

    def end(self) -> int:
        """Let it come to its end; give its exit status."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return status

    def kill(self) -> None:
        self.process.kill()
        self.end()


def environment() -> dict[str, str]:
    """Let a command import the package from any working directory."""
    return {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[2])}


def pid_of(uri: str) -> int:
    with MongoClient(uri) as client:
        return client.admin.command('serverStatus')['pid']


def socket_of(uri: str) -> str:
    """Give the path of the socket that a URI names."""
    return unquote(ServerUri.of(uri).hosts)


class PrivateMongodTest(unittest.TestCase):
    """Tests with a folder of their own, in which no mongod may run at their end."""

    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve() / 'mongodata'
        self.addCleanup(self.assert_none_runs)

    def command(self, script: str = USE, **options: object) -> Command:
        command = Command(self.folder, script, **options)
        self.addCleanup(command.kill)
        return command

    def runs(self, folder: Path | None = None) -> bool:
        """Say whether a mongod runs on the folder: it holds `server.lock` then."""
        with open((folder or self.folder) / 'server.lock', 'a') as lock:
            return not try_lock(lock.fileno(), fcntl.LOCK_EX)

    def assert_none_runs(self):
        if self.runs():
            with PrivateMongod(self.folder).running():
                pass  # takes it over, and stops it
            self.fail('a mongod was left behind')

    def insert(self, uri: str, number: int) -> None:
        with MongoClient(uri) as client:
            client.shop.cities.insert_one({'_id': number})

    def numbers(self, uri: str) -> list[int]:
        with MongoClient(uri) as client:
            return [city['_id'] for city in client.shop.cities.find().sort('_id')]


class RunningTest(unittest.TestCase):
    """What a command finds while it runs; they share one server, for speed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.parent = stack.enter_context(server.temporary_folder())
        cls.folder = cls.parent / 'mongodata'
        cls.uri = stack.enter_context(PrivateMongod(cls.folder).running())
        cls.client = stack.enter_context(MongoClient(cls.uri))

    def test_transactions_work(self):
        cities = self.client.shop.cities
        with self.client.start_session() as session:
            with session.start_transaction():
                cities.insert_one({'_id': 1}, session=session)
                session.abort_transaction()
            with session.start_transaction():
                cities.insert_one({'_id': 2}, session=session)
        self.assertEqual([{'_id': 2}], list(cities.find()))

    def test_the_server_is_nobody_elses(self):
        """On loopback only, in a folder and with a log that others do not read."""
        log = self.folder / 'mongod.log'
        self.assertEqual(0o700, self.folder.stat().st_mode & 0o777)
        self.assertEqual(0o600, log.stat().st_mode & 0o777)
        options = self.client.admin.command('getCmdLineOpts')['parsed']
        self.assertEqual(socket_of(self.uri), options['net']['bindIp'])
        self.assertEqual(0o600, os.stat(socket_of(self.uri)).st_mode & 0o777)
        # Of a compressed message the pinned one gives memory away.
        compression = options['net']['compression']
        self.assertEqual({'compressors': 'disabled'}, compression)

    def test_it_listens_on_no_port(self):
        """As the kernel lists them: sockets of this process by their inodes."""
        pid = pid_of(self.uri)
        links = []
        for file in Path(f'/proc/{pid}/fd').iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                links.append(os.readlink(file))
        inodes = {each[8:-1] for each in links if each.startswith('socket:[')}
        self.assertTrue(inodes)
        for table in ('tcp', 'tcp6', 'udp', 'udp6'):
            lines = Path(f'/proc/net/{table}').read_text().splitlines()[1:]
            self.assertEqual(set(), inodes & {line.split()[9] for line in lines})

    def test_git_leaves_the_folder_alone(self):
        self.assertEqual('*\n', (self.folder / '.gitignore').read_text())

    def test_a_document_of_the_largest_size_fits(self):
        blobs = self.client.shop.blobs
        blobs.insert_one({'bytes': os.urandom(16 * 1024 * 1024 - 100)})
        self.assertEqual(1, blobs.count_documents({}))

    def test_uses_nest_in_one_process(self):
        """The inner one does not stop the server, even where it fails."""
        private = PrivateMongod(self.folder)
        with self.assertRaises(ZeroDivisionError), private.running() as uri:
            self.assertEqual(self.uri, uri)
            raise ZeroDivisionError
        self.assertEqual(1.0, self.client.shop.command('ping')['ok'])

    def test_a_link_on_the_way_leads_to_the_same_server(self):
        with tempfile.TemporaryDirectory() as elsewhere:
            link = Path(elsewhere, 'link')
            link.symlink_to(self.parent)
            with PrivateMongod(link / 'mongodata').running() as uri:
                self.assertEqual(self.uri, uri)

    def test_a_relative_path_leads_to_the_same_server(self):
        there = Command(Path('mongodata'), cwd=self.parent)
        self.addCleanup(there.kill)
        self.assertEqual(self.uri, there.hear())
        self.assertEqual(0, there.end())


class OneCommandTest(PrivateMongodTest):
    def test_data_lasts_and_the_end_is_clean(self):
        with PrivateMongod(self.folder).running() as uri:
            self.insert(uri, 1)
            self.assertTrue(self.runs())
        self.assertFalse(self.runs())
        with self.assertRaises(OSError):
            mongod.ask(socket_of(uri), {'hello': 1})
        # A mongod that was not shut down leaves its process id there.
        self.assertEqual(b'', (self.folder / 'db' / 'mongod.lock').read_bytes())
        with PrivateMongod(self.folder).running() as again:
            self.assertEqual([1], self.numbers(again))
        self.assertEqual(uri, again)

    def test_in_another_place_it_is_the_same_replica_set(self):
        with PrivateMongod(self.folder).running() as first:
            self.insert(first, 1)
        self.folder = self.folder.rename(self.folder.with_name('moved'))
        with PrivateMongod(self.folder).running() as second:
            self.assertNotEqual(first, second)
            self.assertEqual([1], self.numbers(second))
            with MongoClient(second) as client:
                hello = client.admin.command('hello')
                with client.start_session() as s, s.start_transaction():
                    client.shop.cities.insert_one({'_id': 2}, session=s)
            self.assertEqual([socket_of(second)], hello['hosts'])

    def test_an_exception_in_the_block_stops_it_as_well(self):
        private = PrivateMongod(self.folder)
        with self.assertRaises(ZeroDivisionError), private.running():
            raise ZeroDivisionError
        self.assertFalse(self.runs())

    def test_odd_paths_and_very_long_ones(self):
        """A socket's path is short, and has no comma and no colon."""
        parent = self.folder.parent
        odd = (
            ('a folder', True),
            ('Käse@1?%41#', True),
            ('a:b', False),
            ('a,b', False),
        )
        for name, inside in (*odd, (os.sep.join(['long' * 20] * 5), False)):
            with self.subTest(name):
                self.folder = parent / name
                for number in range(2):
                    with PrivateMongod(self.folder).running() as uri:
                        self.insert(uri, number)
                        self.assertEqual(list(range(number + 1)), self.numbers(uri))
                    place = Path(socket_of(uri)).parent
                    self.assertEqual(inside, place == self.folder)
                self.assertTrue((self.folder / 'db').is_dir())
                self.assertEqual(inside, place.exists(), 'a folder is left behind')

    def test_with_no_place_for_a_socket_the_error_says_what_to_set(self):
        long = Path(self.folder.parent, *['long' * 20] * 5)
        long.mkdir(parents=True)
        self.folder = long / 'mongodata'
        nowhere = mock.patch.object(tempfile, 'tempdir', str(long))
        error = self.assertRaisesRegex(MongodFailed, 'Set TMPDIR')
        with nowhere, error, PrivateMongod(self.folder).running():
            self.fail('no socket can be made')
        self.assertEqual([*long.glob('migopy-socket-*')], [])

    def test_ctrl_c_does_not_reach_it_before_the_command_has_ended(self):
        command = self.command(
            """
with private.running() as uri:
    try:
        say(uri)
        wait()
    except KeyboardInterrupt:
        with MongoClient(uri) as client:
            say(client.shop.command('ping')['ok'])
""",
            start_new_session=True,
        )
        command.hear()
        os.killpg(command.process.pid, signal.SIGINT)
        self.assertEqual('1.0', command.hear())
        self.assertEqual(0, command.end())
        self.assertFalse(self.runs())

    def test_ctrl_c_while_it_starts_leaves_none(self):
        command = self.command(
            """
spawn = mongod.spawn
def spawn_and_say(*args, **options):
    process = spawn(*args, **options)
    say('spawned')
    return process
mongod.spawn = spawn_and_say
try:
    with private.running() as uri:
        say('started all the same')
except KeyboardInterrupt:
    say('interrupted')
"""
        )
        command.hear()
        command.process.send_signal(signal.SIGINT)
        self.assertEqual('interrupted', command.hear())
        self.assertEqual(0, command.end())
        self.assertFalse(self.runs())

    def test_a_program_that_the_command_leaves_running_keeps_nothing(self):
        """It inherits no lock, so the mongod ends with the command."""
        with PrivateMongod(self.folder).running():
            sleeper = subprocess.Popen(['sleep', '60'], close_fds=False)
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        self.assertFalse(self.runs())
        with PrivateMongod(self.folder).running() as uri:
            self.insert(uri, 1)

    def test_a_mongod_that_crashed_is_replaced_with_nothing_lost(self):
        with PrivateMongod(self.folder).running() as uri:
            with MongoClient(uri, w='majority') as client:
                client.shop.cities.insert_one({'_id': 1})
            os.kill(pid_of(uri), signal.SIGKILL)
            self.await_end()
            with PrivateMongod(self.folder).running() as again:
                self.assertEqual([1], self.numbers(again))

    def await_end(self):
        eventually(lambda: not self.runs(), 'the mongod has ended')


class SeveralCommandsTest(PrivateMongodTest):
    def test_two_share_it_and_the_last_one_stops_it(self):
        first = self.command()
        uri = first.hear()
        second = self.command()
        self.assertEqual(uri, second.hear())
        self.assertEqual(0, first.end(), 'the one that started it')
        self.insert(uri, 1)
        self.assertEqual(0, second.end())
        self.assertFalse(self.runs())

    def test_ten_at_once_have_one_server(self):
        commands = [self.command() for _ in range(10)]
        uris = [command.hear() for command in commands]
        self.assertEqual([uris[0]] * 10, uris)
        for number, command in enumerate(commands):
            self.insert(uris[0], number)
            command.process.stdin.close()
        self.assertEqual([0] * 10, [command.end() for command in commands])
        self.assertFalse(self.runs())

    def test_coming_and_going_at_the_same_time(self):
        """Nobody is given a server that is about to stop."""
        script = """
for number in range(3):
    with private.running() as uri, MongoClient(uri) as client:
        client.shop.cities.insert_one({'_id': f'{os.getpid()} {number}'})
"""
        commands = [self.command(script) for _ in range(4)]
        self.assertEqual([0] * 4, [command.end() for command in commands])
        self.assertFalse(self.runs())
        with PrivateMongod(self.folder).running() as uri:
            self.assertEqual(12, len(self.numbers(uri)))

    def test_the_server_of_a_killed_command_is_taken_over(self):
        killed = self.command()
        uri = killed.hear()
        self.insert(uri, 1)
        left = pid_of(uri)
        killed.kill()
        self.assertTrue(self.runs())
        with PrivateMongod(self.folder).running() as again:
            self.assertEqual((uri, left), (again, pid_of(again)))
            self.assertEqual([1], self.numbers(again))
        self.assertFalse(self.runs())

    def test_killed_before_the_mongod_was_spawned(self):
        killed = self.command(
            """
mongod.spawn = lambda *args, **options: (say('about to spawn'), wait())
with private.running(): pass
"""
        )
        self.assertEqual('about to spawn', killed.hear())
        killed.kill()
        self.assertFalse(self.runs())
        with PrivateMongod(self.folder).running() as uri:
            self.insert(uri, 1)

    def test_killed_when_the_mongod_was_only_just_spawned(self):
        killed = self.command(
            """
mongod.await_listening = lambda process, folder: (say(process.pid), wait())
with private.running(): pass
"""
        )
        left = int(killed.hear())
        killed.kill()
        with PrivateMongod(self.folder).running() as uri:
            self.assertEqual(left, pid_of(uri))
            self.insert(uri, 1)

    def test_killed_before_the_replica_set_was_initiated(self):
        killed = self.command(
            """
mongod.is_primary = lambda path: (say('it listens'), wait())
with private.running(): pass
"""
        )
        killed.hear()
        killed.kill()
        with PrivateMongod(self.folder).running() as uri:
            self.insert(uri, 1)

    def test_killed_when_it_was_about_to_stop_the_mongod(self):
        """A stop that was begun is finished first, and another one started."""
        for moment in ('before', 'after'):
            with self.subTest(f'killed {moment} the server was told'):
                killed = self.command(
                    f"""
ask = mongod.ask
def ask_and_wait(path, command, *args):
    if 'shutdown' in command:
        if {moment == 'after'}:
            private.is_alive = lambda: (say('told'), wait())
            return ask(path, command, seconds=0.01)
        say('about to tell')
        wait()
    return ask(path, command, *args)
with private.running() as uri:
    say(uri)
    wait()
    mongod.ask = ask_and_wait
"""
                )
                left = pid_of(killed.hear())
                killed.go_on()
                killed.hear()
                killed.kill()
                with PrivateMongod(self.folder).running() as uri:
                    self.assertNotEqual(left, pid_of(uri))
                    self.insert(uri, 1 + len(self.numbers(uri)))
        with PrivateMongod(self.folder).running() as uri:
            self.assertEqual([1, 2], self.numbers(uri))


class ForkTest(PrivateMongodTest):
    def test_a_forked_child_does_not_stop_its_parents_server(self):
        parent = self.command(
            """
with private.running() as uri:
    child = os.fork()
    if child == 0:
        sys.exit()
    os.waitpid(child, 0)
    with MongoClient(uri) as client:
        say(client.shop.command('ping')['ok'])
    with private.running() as again:
        say(again == uri)
"""
        )
        self.assertEqual('1.0', parent.hear())
        self.assertEqual('True', parent.hear())
        self.assertEqual(0, parent.end())
        self.assertFalse(self.runs())

    def test_a_forked_child_that_outlives_its_parent_keeps_nothing(self):
        parent = self.command(
            """
with private.running() as uri:
    child = os.fork()
    if child == 0:
        os.close(0), os.close(1)
        time.sleep(60)
        os._exit(0)
    say(child)
"""
        )
        child = int(parent.hear())
        self.addCleanup(os.kill, child, signal.SIGKILL)
        self.assertEqual(0, parent.end())
        self.assertFalse(self.runs())
        with PrivateMongod(self.folder).running() as uri:
            self.insert(uri, 1)

    def test_forked_children_are_users_of_their_own(self):
        """As the hosts of a task that Fabric runs in parallel."""
        parent = self.command(
            """
import multiprocessing
def work(number):
    with private.running() as uri, MongoClient(uri) as client:
        client.shop.cities.insert_one({'_id': number})
fork = multiprocessing.get_context('fork')
children = [fork.Process(target=work, args=[number]) for number in range(4)]
for child in children: child.start()
for child in children: child.join()
say([child.exitcode for child in children])
"""
        )
        self.assertEqual('[0, 0, 0, 0]', parent.hear())
        self.assertEqual(0, parent.end())
        with PrivateMongod(self.folder).running() as uri:
            self.assertEqual([0, 1, 2, 3], self.numbers(uri))


class ForeignerTest(PrivateMongodTest):
    """What is not this folder's mongod is neither used nor harmed."""

    def write_state(self, path: str, stopping: bool = False) -> None:
        PrivateMongod(self.folder)._remember(path, stopping)

    def other(self) -> str:
        """Run another folder's mongod for the test; give its socket."""
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        folder = stack.enter_context(server.temporary_folder())
        return socket_of(stack.enter_context(PrivateMongod(folder / 'd').running()))

    def test_a_stale_state_that_names_another_mongods_socket(self):
        self.folder.mkdir(mode=0o700)
        other = self.other()
        for stopping in (False, True):
            with self.subTest(stopping=stopping):
                self.write_state(other, stopping)
                with PrivateMongod(self.folder).running() as uri:
                    self.assertNotEqual(other, socket_of(uri))
                self.assertEqual(1, mongod.ask(other, {'hello': 1})['ok'])

    def test_a_running_mongod_whose_state_names_another_mongods_socket(self):
        killed = self.command()
        uri = killed.hear()
        killed.kill()
        other = self.other()
        self.write_state(other)
        impatient = mock.patch.multiple(mongod, START_SECONDS=0.2, STOP_SECONDS=0.2)
        private = PrivateMongod(self.folder)
        error = self.assertRaisesRegex(MongodFailed, r'ps ax \| grep')
        with impatient, error, private.running():
            self.fail('this is not the mongod of the folder')
        self.assertEqual(1, mongod.ask(other, {'hello': 1})['ok'])
        self.write_state(socket_of(uri))
        with PrivateMongod(self.folder).running() as again:
            self.assertEqual(uri, again)

    def test_a_state_that_cannot_be_read(self):
        self.folder.mkdir()
        for text in ('{"port": ', '[]', '{"socket": [], "stopping": 1}', '{}'):
            (self.folder / 'server.json').write_text(text)
            with PrivateMongod(self.folder).running() as uri:
                self.assertEqual(1, mongod.ask(socket_of(uri), {'hello': 1})['ok'])

    def test_a_full_disk_leaves_no_mongod_running(self):
        stack = contextlib.ExitStack()
        uri = stack.enter_context(PrivateMongod(self.folder).running())
        with full_disk():
            stack.close()
        with self.assertRaises(OSError):
            mongod.ask(socket_of(uri), {'hello': 1})

    def test_where_a_full_disk_keeps_it_from_starting_one_reads_so(self):
        with PrivateMongod(self.folder).running():
            pass
        error = self.assertRaisesRegex(MongodFailed, r'too large.*\n.*type the command')
        with full_disk(), error, PrivateMongod(self.folder).running():
            self.fail('there is no room for it')

    def test_a_process_that_got_the_id_of_a_mongod_that_crashed(self):
        with PrivateMongod(self.folder).running():
            pass
        with subprocess.Popen(['sleep', '60']) as sleeper:
            lock = self.folder / 'db' / 'mongod.lock'
            lock.write_text(f'{sleeper.pid}\n')
            with PrivateMongod(self.folder).running() as uri:
                self.insert(uri, 1)
            self.assertIsNone(sleeper.poll())
            sleeper.kill()

    def test_a_mongod_started_by_hand_on_the_same_data(self):
        self.folder.mkdir(mode=0o700)
        by_hand, port = server.start(self.folder)
        try:
            error = self.assertRaisesRegex(MongodFailed, 'already running')
            with error, PrivateMongod(self.folder).running():
                self.fail('this one is somebody elses')
            self.assertEqual(1, mongod.ask(port, {'hello': 1})['ok'])
        finally:
            by_hand.terminate()
            by_hand.wait(PATIENCE)


class FolderOfTodayTest(PrivateMongodTest):
    """One of a version that listened on a port is taken over with its data."""

    def setUp(self):
        super().setUp()
        self.folder.mkdir(mode=0o700)
        with open_lock(self.folder / 'server.lock') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            port = server.free_port()
            options = server.on_port(port, ['--replSet=migopy'])
            self.mongod = mongod.spawn(self.folder, options, keep=[lock])
            mongod.await_listening(self.mongod, self.folder)
        self.addCleanup(self.mongod.wait)
        self.addCleanup(self.mongod.kill)
        state = {'port': port, 'stopping': False}
        (self.folder / 'server.json').write_text(json.dumps(state))
        running = server.Server(self.folder)
        running.port = port
        server.ReplicaSet([running]).initiate()
        self.insert(running.uri, 1)

    def test_where_its_server_was_stopped(self):
        self.mongod.terminate()
        self.mongod.wait(PATIENCE)
        self.assert_taken_over()

    def test_where_a_killed_command_left_its_server_running(self):
        self.assert_taken_over()
        self.assertIsNotNone(self.mongod.wait(PATIENCE))

    def assert_taken_over(self) -> None:
        for _ in range(2):
            with PrivateMongod(self.folder).running() as uri:
                self.assertIn('.sock', uri)
                self.assertEqual([1], self.numbers(uri))
        self.assertEqual('*\n', (self.folder / '.gitignore').read_text())


class NewerMongodTest(PrivateMongodTest):
    def test_data_that_the_newest_cannot_read_is_read_by_the_other(self):
        """mongod 8 cannot open the data of 6; it ends then."""
        [usual, *_] = programs.find_mongods()
        newest = self.folder.parent / 'mongod'
        newest.write_text('#!/bin/sh\nexit 62\n')
        newest.chmod(0o755)
        both = mock.patch.object(programs, 'newest_first', lambda _: [newest, usual])
        with both, PrivateMongod(self.folder).running() as uri:
            self.insert(uri, 1)


class TestServersTest(unittest.TestCase):
    """The servers that other tests are written on."""

    def test_one_that_wants_a_password(self):
        with server.with_auth('ann', 'secret', 'shop') as guarded:
            right = {'username': 'ann', 'password': 'secret', 'authSource': 'shop'}
            with MongoClient(guarded.uri, **right) as client:
                client.shop.cities.insert_one({'_id': 1})
            wrong = MongoClient(guarded.uri, **{**right, 'password': 'no'})
            error = self.assertRaisesRegex(OperationFailure, 'Authentication failed')
            with wrong as client, error:
                client.shop.cities.find_one()
            error = self.assertRaisesRegex(OperationFailure, 'requires auth')
            with MongoClient(guarded.uri) as client, error:
                client.shop.cities.find_one()

    def test_a_standalone_one_has_no_transactions(self):
        with server.standalone() as alone, MongoClient(alone.uri) as client:
            client.shop.cities.insert_one({'_id': 1})
            error = self.assertRaisesRegex(
                OperationFailure, 'only allowed on a replica'
            )
            with error, client.start_session() as s, s.start_transaction():
                client.shop.cities.insert_one({'_id': 2}, session=s)

    def test_a_replica_set_survives_a_step_down_and_the_death_of_a_member(self):
        with (
            server.replica_set() as cluster,
            # Before MongoDB 5.0 that is not what it waits for by itself.
            MongoClient(cluster.uri, w='majority') as client,
        ):
            client.shop.cities.insert_one({'_id': 1})
            first = cluster.primary()
            cluster.step_down()
            second = cluster.primary()
            self.assertIsNot(first, second)
            client.shop.cities.insert_one({'_id': 2})
            second.kill()
            client.shop.cities.insert_one({'_id': 3})
            second.restart()
            self.assertEqual(3, len(list(client.shop.cities.find())))
            self.assertIn(cluster.primary(), cluster.members)

    def test_the_end_of_a_server_leaves_nothing(self):
        with server.standalone() as alone:
            mongod.ask(alone.port, {'hello': 1})
        self.assertFalse(alone.folder.exists())
        with self.assertRaises(OSError):
            mongod.ask(alone.port, {'hello': 1})


class SharedServerTest(server.DatabaseTest):
    """Each test has a database that begins empty, whichever was first."""

    def test_one(self):
        self.assertEqual([], self.db.list_collection_names())
        self.db.cities.insert_one({'_id': 1})

    def test_another(self):
        self.test_one()

    def test_its_name_is_its_own_and_is_dropped(self):
        name = self.db.name
        self.db.cities.insert_one({'_id': 1})
        self.doCleanups()
        with server.client() as client:
            self.assertNotIn(name, client.list_database_names())
