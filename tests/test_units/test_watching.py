"""What `watch` shows of what it sees; no server."""

from __future__ import annotations

import unittest
from datetime import datetime
from unittest import mock

from migopy.commands import FabSpelling
from migopy.server import Build, Operation, Running
from migopy.state import Agent, Doing, Holder, Loop, Seen
from migopy.state.helm import Asked
from migopy.tell import Voice
from migopy.tell.watching import Rates, Sight, Viewer
from tests import readme
from tests.project import RecordingLogger

NOW = datetime(2026, 11, 22, 9, 30)
HOLDER = Holder('0f3c', Agent('ann', 'web1', 1204), 'execute', NOW, None)
LOOP = {'title': 'cities', 'done': 1_204_000, 'total': 5_000_000, 'first': 0}
DOING = {
    'name': '004_shorten_codes.py',
    'direction': 'up',
    'place': 1,
    'count': 1,
    'seconds': 41.2,
    'in_loop': True,
    'effects': 'cities 1,204,000 updated',
    'loop': {**LOOP, 'seconds': 1_204_000 / 28_912},
    'at': NOW,
}


def sight(doing: dict[str, object], asked: Asked | None = None) -> Sight:
    seen = Seen(HOLDER, Doing.of(doing, NOW), asked or Asked())
    build = Build('users', 'email_1', 3.4, 150_715, 300_000)
    load = ['secondary db2:27017 is 1 s behind (limit 5 s)']
    return Sight(seen, Running([build], []), load, [])


class ViewerTest(unittest.TestCase):
    def setUp(self) -> None:
        self.logger = RecordingLogger()
        self.viewer = Viewer(Voice(self.logger), FabSpelling())

    def test_it_is_as_the_page_has_it(self) -> None:
        self.viewer.show(sight(DOING))
        [line] = self.logger.of('white')
        page = [each.strip() for each in readme.block('watched').splitlines()]
        self.assertEqual(line.split('; '), page)

    def test_a_line_is_written_again_where_something_else_is_waited_for(self) -> None:
        with mock.patch('time.monotonic', return_value=100.0):
            self.viewer.show(sight(DOING))
            self.viewer.show(sight(DOING))
            self.assertEqual(len(self.logger.said), 1)
            self.viewer.show(sight({**DOING, 'waits': 'paused by bob@web2'}))
        self.assertEqual(len(self.logger.said), 2)
        self.assertIn('; paused by bob@web2; ', self.logger.said[1][1])

    def test_what_was_typed_is_shown(self) -> None:
        asked = Asked(1, stop=True, max_per_second=500.0, by='bob@web2')
        self.viewer.show(sight(DOING, asked))
        [line] = self.logger.of('white')
        self.assertIn('; bob@web2 has typed stop; ', line)
        self.assertIn('; bob@web2 has typed speed: 500/s at most; ', line)

    def test_whatever_stands_in_the_document_can_be_shown(self) -> None:
        for odd in ({}, {'name': 7, 'loop': 'x', 'seconds': 'y', 'at': 3}):
            with self.subTest(odd):
                self.viewer.show(sight({**odd, 'effects': '\x1b[31m', 'waits': [1]}))
        for _, line in self.logger.said:
            self.assertNotIn('\x1b', line)

    def test_no_name_of_another_forges_a_line(self) -> None:
        other = Operation('update', 'a\nEnded: b', 5, 'c\nEnded: d')
        build = Build('a\nEnded: b', 'i\nEnded: x', 5, None, None)
        seen = Seen(HOLDER, Doing.of(DOING, NOW), Asked())
        self.viewer.show(Sight(seen, Running([build], [other]), [], []))
        [line] = self.logger.of('white')
        self.assertNotIn('\n', line)

    def test_one_that_has_told_nothing_yet(self) -> None:
        seen = Seen(HOLDER, None, Asked.of('odd'))
        self.viewer.show(Sight(seen, Running([], [], sees_all=False), [], ['lag']))
        self.assertEqual(
            self.logger.of('white'),
            [
                f'{HOLDER}: no migration has begun or told of itself yet; this user'
                ' sees only operations of its own; this user cannot see: lag'
            ],
        )


class LeftTest(unittest.TestCase):
    """What is said where one leaves off watching."""

    def said(self, doing: dict[str, object] | None, asked: Asked | None = None) -> str:
        logger = RecordingLogger()
        told = Doing.of(doing, NOW)
        seen = Seen(HOLDER, told, asked or Asked())
        Viewer(Voice(logger), FabSpelling()).left(seen)
        return '\n'.join(logger.of('white'))

    def test_stop_is_offered_only_where_it_is_heard(self) -> None:
        stop = 'It goes on. To end it after its batch: fab migrations:stop'
        self.assertEqual(self.said(DOING), stop)
        kill = (
            'It goes on. To end it: Ctrl-C where it runs, or kill 1204 (SIGTERM)'
            ' on web1'
        )
        self.assertEqual(self.said(None), kill)
        plain = {**DOING, 'in_loop': False}
        self.assertEqual(
            self.said(plain),
            f'{kill}; 004_shorten_codes.py is unfinished then, if it has written',
        )
        self.assertEqual(
            self.said({**plain, 'in_transaction': True}),
            f'{kill}; as it runs in a transaction, nothing is changed then',
        )

    def test_what_others_have_asked(self) -> None:
        self.assertEqual(
            self.said(DOING, Asked(1, paused=True, by='bob@web2')),
            'It stays paused. To let it go on: fab migrations:resume\n'
            'To end it after its batch: fab migrations:stop',
        )
        self.assertEqual(
            self.said(DOING, Asked(2, paused=True, stop=True, by='bob@web2')),
            'It ends after its batch: bob@web2 has typed stop',
        )

    def test_no_number_that_means_many_processes_is_killed(self) -> None:
        for pid in (0, -1, -1204):
            agent = Agent('ann', 'web1', pid)
            self.assertEqual(agent.way_to_end, 'Ctrl-C where it runs')


class RatesTest(unittest.TestCase):
    def test_it_is_that_of_the_last_seconds(self) -> None:
        rates = Rates()
        first = Loop('a', 500, 1000, 400, 10.0)
        self.assertEqual(rates.of(first, 0.0), 10.0)
        self.assertEqual(rates.of(first._replace(done=600), 2.0), 50.0)
        self.assertEqual(rates.of(first._replace(done=600), 14.0), 0.0)

    def test_another_loop_begins_anew(self) -> None:
        rates = Rates()
        rates.of(Loop('a', 500, None, 0, 1.0), 0.0)
        self.assertEqual(rates.of(Loop('b', 10, None, 0, 2.0), 5.0), 5.0)
