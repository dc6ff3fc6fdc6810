"""Who holds the lock, and what is said of it; no server."""

from __future__ import annotations

import os
import signal
import socket
import threading
import unittest
from datetime import datetime
from unittest import mock

from migopy.signals import HELD, Held, Terminated
from migopy.state.agent import Agent
from migopy.state.concerns import told_if_slow
from migopy.state.helm import Asked, Helm
from migopy.state.holder import Holder, Locked, LockLost

DOCUMENT = {
    '_id': 'lock',
    'owner': '0f3c',
    'user': 'ann',
    'host': 'web1',
    'pid': 7,
    'subtask': 'execute',
    'since': datetime(2014, 1, 14, 12, 30, 5, 250000),
    'expires': datetime(2014, 1, 14, 12, 31, 5),
}


class AgentTest(unittest.TestCase):
    def test_is_this_process(self) -> None:
        agent = Agent.current()
        self.assertEqual((agent.host, agent.pid), (socket.gethostname(), os.getpid()))
        self.assertEqual(str(agent), f'{agent.user}@{agent.host}')

    def test_a_user_without_a_name_is_a_number(self) -> None:
        """In a container: KeyError, and OSError from Python 3.13 on."""
        for error in (KeyError('uid not found'), OSError('no username')):
            with self.subTest(error), mock.patch('getpass.getuser', side_effect=error):
                self.assertEqual(Agent.current().user, str(os.getuid()))

    def test_one_of_any_bytes_can_be_kept_and_shown(self) -> None:
        with mock.patch.dict(os.environ, LOGNAME='\udcff\n\x1b'):
            self.assertEqual(Agent.current().user, r'\udcff\n\x1b')


class HolderTest(unittest.TestCase):
    def test_is_read_from_the_document(self) -> None:
        holder = Holder.of(DOCUMENT)
        self.assertEqual(holder.owner, '0f3c')
        self.assertEqual(holder.agent, Agent('ann', 'web1', 7))
        self.assertEqual(holder.expires, datetime(2014, 1, 14, 12, 31, 5))

    def test_says_who_with_what_since_when(self) -> None:
        self.assertEqual(
            str(Holder.of(DOCUMENT)),
            'ann@web1 (process 7, execute) since 2014-01-14 12:30:05 UTC',
        )

    def test_says_what_a_document_has_not(self) -> None:
        self.assertEqual(str(Holder.of({})), '?@? (process 0, ?) since ?')


class ToldIfSlowTest(unittest.TestCase):
    def test_the_thread_that_looks_at_the_clock_has_ended_with_the_write(self) -> None:
        """Python 3.9 may crash where one wakes up at the end of the process."""
        to = mock.Mock(full_name='shop.migrations_lock')
        before = set(threading.enumerate())
        for number in range(100):
            self.assertEqual(told_if_slow(lambda: number, to), number)  # noqa: B023
            self.assertEqual(set(threading.enumerate()) - before, set())


class SteeredTest(unittest.TestCase):
    """A signal is held back in the thread of one of many databases: it looks for it."""

    def test_what_is_slowed_down_or_paused_hears_that_the_process_is_to_end(
        self,
    ) -> None:
        for asked in (Asked(max_per_second=0.2), Asked(paused=True)):
            with self.subTest(asked):
                first, helm = Held(), Helm()
                token = HELD.set(first)
                self.addCleanup(HELD.reset, token)
                # The first item of a limit is written at once.
                helm.asked = asked._replace(paused=False)
                helm.obey(1)
                helm.asked = asked
                told = threading.Timer(0.2, setattr, (first, 'number', signal.SIGTERM))
                told.start()
                self.addCleanup(told.cancel)
                with self.assertRaises(Terminated):
                    helm.obey(1)


class MessageTest(unittest.TestCase):
    holder = Holder.of(DOCUMENT)

    def test_locked_names_the_holder_and_the_command(self) -> None:
        error = Locked(self.holder, 2.5)
        self.assertIn('ann@web1 (process 7, execute)', str(error))
        self.assertIn('Waited 2.5 s', str(error))
        self.assertIn('fab migrations:unlock', str(error))
        self.assertEqual((error.holder, error.waited), (self.holder, 2.5))

    def test_lost_names_who_has_it_now(self) -> None:
        error = LockLost(self.holder)
        self.assertIn('held by ann@web1 (process 7, execute)', str(error))
        self.assertIs(error.holder, self.holder)

    def test_lost_to_nobody_is_taken_away(self) -> None:
        self.assertIn('taken away', str(LockLost(None)))
