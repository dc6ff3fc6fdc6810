"""The pace of `update_each`: when it slows down, waits, and what it says."""

from __future__ import annotations

import math
import unittest
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import bson
from bson import Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo.errors import NetworkTimeout, OperationFailure

from migopy.backfill import server_load
from migopy.backfill import silence as silence_room
from migopy.backfill import throttle as throttle_room
from migopy.backfill.server_load import ServerLoad, Strain
from migopy.backfill.sizes import BASE, MOST, WELL, RoundTrip, Sizes
from migopy.backfill.throttle import SMALLEST, Throttle
from migopy.pace import CAREFUL, NOTHING, Pace, wish_for
from migopy.terminal import told_by
from tests import readme
from tests.faults import eventually
from tests.project import RecordingLogger

NOW = datetime(2014, 5, 6)


class Clock:
    """A clock that goes on only while one sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def member(kind: str, behind: float = 0, answered: float = 1000.0) -> Any:
    """Give what a client knows of a member."""
    return SimpleNamespace(
        server_type_name=kind,
        last_write_date=NOW.timestamp() - behind,
        last_update_time=answered,
        all_hosts={('a', 1), ('b', 2), ('c', 3)},
    )


class Client:
    """A client that knows members, and whose server answers commands."""

    def __init__(self, **replies: Any) -> None:
        self.members: dict[tuple[str, int], Any] = {}
        self.kind = 'ReplicaSetWithPrimary'
        self.asked: list[str] = []
        self.replies = replies
        self.admin = self.local = self
        self.options = SimpleNamespace(heartbeat_frequency=0.5)

    @property
    def topology_description(self) -> Any:
        return SimpleNamespace(
            topology_type_name=self.kind, server_descriptions=lambda: self.members
        )

    def command(self, name: str, *_: object, **__: object) -> Any:
        self.asked.append(name)
        reply = self.replies.get(name, OperationFailure('not authorized', 13))
        if isinstance(reply, Exception):
            raise reply
        return reply


class PaceTest(unittest.TestCase):
    def test_hours_go_past_midnight(self) -> None:
        night, day = Pace(hours=('22:00', '6:30')), Pace(hours=('08:00', '12:00'))
        for hour, at_night, by_day in ((23, 1, 0), (3, 1, 0), (7, 0, 0), (9, 0, 1)):
            with self.subTest(hour=hour):
                self.assertEqual(night.is_open(hour * 60), bool(at_night))
                self.assertEqual(day.is_open(hour * 60), bool(by_day))
        self.assertTrue(Pace().is_open(0))

    def test_what_is_no_limit(self) -> None:
        for wrong in (0, -1, math.nan, math.inf, 10**400, '5', True):
            with self.subTest(wrong=wrong):
                wish = wish_for(Pace(max_per_second=wrong))  # type: ignore[arg-type]
                self.assertIn('max_per_second is a number greater than 0', wish or '')


class WatchTest(unittest.TestCase):
    """What of a server is near a limit."""

    def setUp(self) -> None:
        self.clock = Clock()
        patch = mock.patch.object(server_load, 'time', self.clock)
        patch.start()
        self.addCleanup(patch.stop)

    def watch(self, client: Client, pace: Pace = CAREFUL) -> ServerLoad:
        return ServerLoad(client, client, pace)

    def test_secondaries_that_are_behind(self) -> None:
        client = Client()
        client.members = {
            ('a', 1): member('RSPrimary'),
            ('b', 2): member('RSSecondary', behind=7),
            ('c', 3): member('RSSecondary', behind=1),
        }
        strains = self.watch(client).look()
        self.assertEqual(
            strains,
            [
                Strain(1.4, 'secondary b:2 is 7 s behind (limit 5 s)'),
                Strain(0.2, 'secondary c:3 is 1 s behind (limit 5 s)'),
            ],
        )

    def test_one_that_is_silent_is_behind_until_it_is_given_up(self) -> None:
        client = Client()
        client.members = {
            ('a', 1): member('RSPrimary'),
            ('b', 2): member('RSSecondary', behind=2),
        }
        watch = self.watch(client)
        watch.look()
        client.members['b', 2] = member('Unknown')
        client.members['a', 1] = member('RSPrimary', behind=-10)
        self.clock.sleep(30)
        [strain] = watch.look()
        self.assertEqual(
            strain.text, 'b:2, which does not answer, may be 12 s behind (limit 5 s)'
        )
        self.clock.sleep(31)
        self.assertEqual(watch.look(), [])
        self.assertIn('the lag of b:2, which does not answer', watch.unread)
        client.members['b', 2] = member('RSSecondary', answered=self.clock.now)
        self.clock.sleep(1)
        self.assertEqual(len(watch.look()), 1)

    def test_one_that_recovers_is_not_said_to_be_silent(self) -> None:
        client = Client()
        client.members = {
            ('a', 1): member('RSPrimary'),
            ('b', 2): member('RSSecondary'),
            ('c', 3): member('RSOther'),
            ('d', 4): member('RSArbiter'),
        }
        watch = self.watch(client)
        watch.look()
        client.members['a', 1] = member('RSPrimary', behind=-7)
        client.members['b', 2] = member('RSOther')
        self.clock.sleep(15)
        [strain] = watch.look()
        why = 'which is no secondary at present'
        self.assertEqual(strain.text, f'b:2, {why}, may be 7 s behind (limit 5 s)')
        self.clock.sleep(60)
        self.assertEqual(watch.look(), [])
        lags = [each for each in watch.unread if each.startswith('the lag of ')]
        self.assertEqual(lags, [f'the lag of c:3, {why}', f'the lag of b:2, {why}'])

    def test_one_that_was_taken_out_of_the_set_is_not_waited_for(self) -> None:
        client = Client()
        client.members = {
            ('a', 1): member('RSPrimary'),
            ('b', 2): member('RSSecondary', behind=9),
        }
        watch = self.watch(client)
        self.assertEqual(len(watch.look()), 1)
        del client.members['b', 2]
        self.clock.sleep(1)
        self.assertEqual(watch.look(), [])

    def test_members_that_were_heard_of_at_different_times(self) -> None:
        client = Client()
        client.options.heartbeat_frequency = 10
        client.members = {
            ('a', 1): member('RSPrimary', answered=1009.0),
            ('b', 2): member('RSSecondary', behind=9),
            ('c', 3): member('RSSecondary', behind=1, answered=1011.0),
            ('d', 4): member('RSSecondary', behind=18, answered=995.0),
        }
        self.assertEqual(
            [each.text for each in self.watch(client).look()],
            [
                'secondary b:2 is 0 s behind (limit 5 s)',
                'secondary c:3 is 1 s behind (limit 5 s)',
                # It has been silent for longer than there is between two answers.
                'secondary d:4 is 8 s behind (limit 5 s)',
            ],
        )

    def test_of_a_router_no_lag_is_known(self) -> None:
        client = Client()
        client.kind = 'Sharded'
        watch = self.watch(client)
        self.assertEqual(watch.look(), [])
        self.assertIn('the lag of secondaries, as the server is a router', watch.unread)

    def test_members_that_no_client_is_told_of(self) -> None:
        members = [
            {'host': 'p:1'},
            {'host': 'h:2', 'hidden': True},
            {'host': 'd:3', 'priority': 0, 'slaveDelay': 60},
            {'host': 'h:4', 'hidden': True},
            {'host': 'h:5', 'hidden': True, 'arbiterOnly': True},
        ]
        late = NOW - timedelta(seconds=67)
        states = [
            {'name': 'p:1', 'state': 1, 'health': 1, 'optimeDate': NOW},
            {'name': 'h:2', 'state': 8, 'health': 0, 'optimeDate': NOW},
            {'name': 'd:3', 'state': 2, 'health': 1, 'optimeDate': late},
            {'name': 'h:4', 'state': 5, 'health': 1, 'optimeDate': NOW},
        ]
        client = Client(
            replSetGetConfig={'config': {'members': members}},
            replSetGetStatus={'members': states},
        )
        watch = self.watch(client, NOTHING._replace(max_lag=5))
        self.assertEqual(
            watch.look(), [Strain(1.4, 'delayed member d:3 is 7 s behind (limit 5 s)')]
        )
        self.assertEqual(
            watch.unread,
            [
                'the lag of hidden member h:2, which does not answer',
                'the lag of hidden member h:4, which is no secondary at present',
            ],
        )

    def test_what_may_not_be_read_is_named_once_and_not_asked_again(self) -> None:
        client = Client()
        watch = self.watch(client)
        for _ in range(3):
            self.assertEqual(watch.look(), [])
            self.clock.sleep(1)
        self.assertEqual(
            watch.unread,
            [
                'flow control, dirty cache, queued operations',
                'the oplog window',
                'hidden and delayed members',
            ],
        )
        self.assertEqual(
            client.asked, ['serverStatus', 'collStats', 'replSetGetConfig']
        )

    def test_what_is_only_slow_to_answer_is_asked_again(self) -> None:
        client = Client(serverStatus=NetworkTimeout('late'), collStats={})
        watch = self.watch(client, Pace(max_lag=None))
        watch.look()
        self.clock.sleep(1)
        watch.look()
        self.assertEqual(client.asked.count('serverStatus'), 2)
        self.assertEqual(watch.unread, [])

    def test_nothing_is_asked_twice_within_half_a_second(self) -> None:
        client = Client(serverStatus={}, collStats={})
        watch = self.watch(client, Pace(max_lag=None))
        for _ in range(4):
            watch.look()
            self.clock.sleep(0.2)
        self.assertEqual(client.asked.count('serverStatus'), 2)

    def test_what_the_server_says_of_itself(self) -> None:
        cache = {
            'tracked dirty bytes in the cache': 18,
            'maximum bytes configured': 100,
        }
        hour = 3600
        client = Client(
            serverStatus={
                'flowControl': {'isLagged': True},
                'wiredTiger': {'cache': cache},
                'globalLock': {'currentQueue': {'total': 5}},
                'oplog': window(3 * hour),
            },
            collStats={'size': 95, 'maxSize': 100},
            replSetGetConfig={
                'config': {
                    'members': [
                        {'host': 'h:1', 'hidden': True, 'secondaryDelaySecs': 60},
                        {'host': 'h:2'},
                    ]
                }
            },
            replSetGetStatus={
                'members': [
                    {'name': 'p:1', 'state': 1, 'optimeDate': NOW},
                    {
                        'name': 'h:1',
                        'state': 2,
                        'health': 1,
                        'optimeDate': NOW - timedelta(seconds=65),
                    },
                ]
            },
        )
        watch = self.watch(client)
        self.assertEqual(
            [each.text for each in watch.look()],
            [
                'the server slows all writes down (flow control)',
                "18% of the server's cache is not on disk yet (limit 15%)",
                '5 operations wait on the server (limit 50)',
                'the oplog holds the last 3.0 h (limit 1.0 h)',
                'delayed member h:1 is 5 s behind (limit 5 s)',
            ],
        )
        self.assertEqual(watch.unread, [])

    def test_an_oplog_that_is_not_full_is_as_old_as_its_set(self) -> None:
        times = {'earliestOptime': Timestamp(1, 1), 'latestOptime': Timestamp(2, 1)}
        client = Client(
            serverStatus={'oplog': times}, collStats={'size': 5, 'maxSize': 100}
        )
        self.assertEqual(self.watch(client, Pace(max_lag=None)).look(), [])

    def test_an_oplog_that_was_short_before_is_no_reason_to_wait_for_ever(self) -> None:
        status = {'oplog': window(600)}
        client = Client(serverStatus=status, collStats={'size': 95, 'maxSize': 100})
        watch = self.watch(client, Pace(max_lag=None))
        [now] = watch.look()
        self.assertEqual(now.text, 'the oplog holds the last 10.0 min (limit 5.0 min)')
        self.assertEqual(now.share, 0.5)
        status['oplog'] = window(240)
        self.clock.sleep(1)
        [later] = watch.look()
        self.assertEqual(later.text, 'the oplog holds the last 4.0 min (limit 5.0 min)')
        self.assertGreater(later.share, 1)


def window(seconds: int) -> dict[str, Timestamp]:
    """Give what a server tells of an oplog that holds the last so many seconds."""
    return {
        'earliestOptime': Timestamp(36_000, 1),
        'latestOptime': Timestamp(36_000 + seconds, 1),
    }


class SilenceTest(unittest.TestCase):
    """What is said where the server does not answer."""

    def setUp(self) -> None:
        self.logger = RecordingLogger()
        self.shown: list[str] = []
        self.silence = silence_room.Silence('notes', self.shown.append)
        quick = {'SILENCE': 0.05, 'LOOK_EVERY': 0.01}
        patch = mock.patch.multiple(silence_room, **quick)
        patch.start()
        self.addCleanup(patch.stop)

    def late(self, answer: Any) -> Any:
        """Answer once a person was told that nobody does."""
        eventually(lambda: self.logger.said, 'a line that says so')
        if isinstance(answer, Exception):
            raise answer
        return answer

    def test_one_that_answers_late(self) -> None:
        with told_by(self.logger), self.silence.told():
            self.assertEqual(self.silence.answer(lambda: self.late(5)), 5)
        waits, goes_on = self.logger.of('white')
        said = 'notes: waits for the server, which has not answered for '
        self.assertTrue(waits.startswith(said), waits)
        self.assertRegex(goes_on, r'^notes: goes on after [0-9.]+ m?s$')
        self.assertEqual(self.shown, [silence_room.WAITS, ''])

    def test_one_that_does_not_answer_at_all(self) -> None:
        with (
            told_by(self.logger),
            self.silence.told(),
            self.assertRaises(NetworkTimeout),
        ):
            self.silence.answer(lambda: self.late(NetworkTimeout('late')))
        self.assertEqual(len(self.logger.said), 1)
        self.assertEqual(self.shown, [silence_room.WAITS, ''])

    def test_one_that_answers_each_attempt_with_a_conflict(self) -> None:
        clock = mock.Mock()
        clock.monotonic.return_value = 0.0

        def attempts() -> None:
            for moment in (0.04, 0.08):
                clock.monotonic.return_value = moment
                clock.reset_mock()
                eventually(lambda: clock.monotonic.call_count > 1, 'a look')
                throttle.tries_again('a conflict', 0)

        throttle = Throttle('notes', NOTHING, None, Sizes(1000))
        throttle.silence = self.silence
        with (
            mock.patch.object(silence_room, 'time', clock),
            told_by(self.logger),
            self.silence.told(),
        ):
            self.silence.answer(attempts)
        self.assertNotIn(silence_room.WAITS, self.shown)


class SizesTest(unittest.TestCase):
    """How many documents a page has."""

    def setUp(self) -> None:
        self.round_trip = RoundTrip(None)

    def wanted(
        self,
        given: int | None = None,
        each: float = 40e-6,
        target: float | None = None,
        length: int = 0,
    ) -> list[int]:
        """List the sizes of pages after the first three, which were read before.

        The server needs `each` seconds for a document of some `length`.
        """
        sizes = Sizes(given, self.round_trip, target)
        found = []
        document = RawBSONDocument(bson.encode({'_id': 1, 'a': 'a' * length}))
        for _ in range(4):
            sizes.took(3 * self.round_trip.seconds + sizes.most * each, sizes.most, 3)
            sizes.read([document] * 10)
            found.append(sizes.most)
        return found

    def test_near_by_they_stay_as_they_are(self) -> None:
        for seconds in (0.0002, 0.001, 0.0019):
            with self.subTest(seconds=seconds):
                self.round_trip = RoundTrip(None)
                self.round_trip.saw(seconds)
                self.assertEqual(self.wanted(), [BASE] * 4)

    def test_where_nothing_is_known_of_the_way_they_stay_too(self) -> None:
        self.assertEqual(self.wanted(), [BASE] * 4)

    def test_far_away_they_grow_until_the_way_takes_a_small_part(self) -> None:
        self.round_trip.saw(0.01)
        # 30 ms of 230.
        self.assertEqual(self.wanted(), [4000, 5000, 5000, 5000])
        self.round_trip = RoundTrip(None)
        self.round_trip.saw(0.04)
        self.assertEqual(self.wanted(), [4000, MOST, MOST, MOST])

    def test_the_way_alone_tells_before_any_page_was_written(self) -> None:
        for seconds, wanted in (
            (0.0, [BASE, BASE]),
            (0.0049, [BASE, BASE]),
            (0.01, [2000, 2000]),
            (0.04, [4000, 7500]),
        ):
            with self.subTest(seconds=seconds):
                self.round_trip = RoundTrip(None)
                self.round_trip.saw(seconds or 10)
                sizes = Sizes(None, self.round_trip if seconds else None)
                sizes.trips = 3
                sizes.begin()
                found = [sizes.most]
                sizes.read([])
                self.assertEqual([*found, sizes.most], wanted)

    def test_what_the_caller_says_is_kept_to_from_the_first_page_on(self) -> None:
        self.round_trip.saw(0.04)
        sizes = Sizes(200, self.round_trip)
        sizes.begin()
        self.assertEqual(sizes.most, 200)

    def test_what_was_read_too_large_is_written_in_parts(self) -> None:
        self.round_trip.saw(0.04)
        sizes = Sizes(None, self.round_trip)
        sizes.trips = 3
        sizes.read([])
        self.assertEqual(sizes.at_once, 7500)
        sizes.took(0.12 + 0.5, BASE, 3)
        self.assertEqual(sizes.at_once, 1500)
        sizes.took(0.12 + 5.0, BASE, 3)
        self.assertEqual(sizes.at_once, BASE)

    def test_none_takes_much_longer_than_a_second(self) -> None:
        self.round_trip.saw(0.2)
        self.assertEqual(self.wanted(each=250e-6), [3000] * 4)
        self.assertEqual(self.wanted(each=0.002), [BASE] * 4)

    def test_none_takes_longer_than_the_pace_wants(self) -> None:
        self.round_trip.saw(0.04)
        self.assertEqual(self.wanted(target=0.25), [4000, 5000, 5000, 5000])

    def test_large_documents_do_not_fill_the_memory(self) -> None:
        self.round_trip.saw(0.04)
        self.assertEqual(set(self.wanted(length=10_000)), {BASE})
        self.assertLess(max(self.wanted(length=2000)), 4000)

    def test_what_the_caller_says_is_kept_to(self) -> None:
        self.round_trip.saw(0.04)
        self.assertEqual(self.wanted(given=100), [100] * 4)
        self.assertEqual(self.wanted(given=BASE), [BASE] * 4)

    def test_a_page_that_was_held_up_is_no_reason(self) -> None:
        sizes = Sizes(None, self.round_trip)
        self.round_trip.saw(0.0003)
        sizes.took(30.0, BASE, 3)
        sizes.read([])
        self.assertEqual(sizes.most, BASE)

    def test_the_way_is_the_shortest_that_was_seen(self) -> None:
        for seconds in (0.5, 0.04, 0.2):
            self.round_trip.saw(seconds)
        self.assertEqual(self.round_trip.seconds, 0.04)

    def test_after_one_that_was_too_large_they_grow_again_carefully(self) -> None:
        for given, small in ((1000, 500), (1000, 250), (None, BASE)):
            with self.subTest(given, small=small):
                self.round_trip = RoundTrip(None)
                self.round_trip.saw(0.04)
                sizes = Sizes(given, self.round_trip)
                self.written(sizes, 3)
                usual = sizes.most
                for times in (1, 2, 4):
                    sizes.keep_to(small)
                    self.assertEqual(sizes.at_once, small)
                    for size in (small, 2 * small):
                        self.assertEqual(sizes.most, min(size, usual))
                        self.written(sizes, times * WELL - 1)
                        self.assertEqual(sizes.most, min(size, usual))
                        self.written(sizes, 1)
                self.written(sizes, 1000)
                self.assertEqual(sizes.most, usual)

    def written(self, sizes: Sizes, pages: int) -> None:
        """Have pages written at 40 µs for each document."""
        for _ in range(pages):
            sizes.took(0.12 + sizes.most * 40e-6, sizes.most, 3)
            sizes.read([])

    def test_they_stay_small_where_a_large_one_could_not_be_written(self) -> None:
        self.round_trip.saw(0.04)
        sizes = Sizes(None, self.round_trip)
        sizes.took(0.2, BASE, 3)
        sizes.read([])
        self.assertGreater(sizes.most, BASE)
        sizes.keep_to(BASE)
        sizes.took(0.2, BASE, 3)
        sizes.read([])
        self.assertEqual(sizes.most, BASE)


class ThrottleTest(unittest.TestCase):
    """How fast it goes."""

    def setUp(self) -> None:
        self.clock = Clock()
        for room in (throttle_room, server_load):
            patch = mock.patch.object(room, 'time', self.clock)
            patch.start()
            self.addCleanup(patch.stop)
        self.logger = RecordingLogger()
        told = told_by(self.logger)
        told.__enter__()
        self.addCleanup(told.__exit__, None, None, None)

    def test_batches_halve_where_they_take_long_and_grow_where_not(self) -> None:
        throttle = Throttle('notes', NOTHING._replace(target=0.25), None, Sizes(1000))
        sizes = []
        for seconds in (0.2, 0.3, 0.3, 0.1, 0.1, 9, 9, 9, 9, 9):
            throttle.timed(self.clock.sleep, seconds, throttle.size, 3)
            sizes.append(throttle.size)
        self.assertEqual(sizes, [1000, 500, 250, 300, 350, 175, 87, 43, 21, SMALLEST])

    def far(self, **limits: Any) -> Throttle:
        """Give the pace of a call whose server is 40 ms away, there and back."""
        round_trip = RoundTrip(None)
        round_trip.saw(0.04)
        pace = NOTHING._replace(**limits)
        return Throttle('notes', pace, None, Sizes(None, round_trip, pace.target))

    def sizes(self, throttle: Throttle, each: float, pages: int) -> list[int]:
        """Write pages of three round trips, `each` seconds a document beside those."""
        found = []
        for _ in range(pages):
            size = throttle.size
            throttle.timed(self.clock.sleep, 0.12 + size * each, size, 3)
            throttle.sizes.read([RawBSONDocument(bson.encode({'_id': 1}))] * size)
            found.append(throttle.size)
        return found

    def test_a_round_trip_is_not_the_servers_work(self) -> None:
        # Else each of them would be halved, down to ten documents in 120 ms.
        throttle = self.far(target=0.05)
        self.assertEqual(self.sizes(throttle, 20e-6, 4), [2000] * 4)
        self.assertEqual(self.sizes(throttle, 150e-6, 4), [1000, 500, 250, 300])

    def test_what_somebody_types_counts_for_a_large_page_too(self) -> None:
        throttle = self.far(max_per_second=1500.0)
        self.assertEqual(self.sizes(throttle, 20e-6, 4), [1500] * 4)

    def test_where_a_limit_is_near_a_large_page_becomes_a_small_one(self) -> None:
        throttle = self.far()
        self.sizes(throttle, 20e-6, 4)
        strains = iter([Strain(0.8, 'b'), *[Strain(0.0, '')] * 9])
        watch = SimpleNamespace(look=lambda: [next(strains)], unread=[])
        held = Throttle('notes', Pace(), watch, throttle.sizes)  # type: ignore[arg-type]
        self.assertEqual(held.size, MOST)
        held.wait(MOST)
        self.assertEqual(held.size, 500)
        self.assertEqual(self.sizes(held, 20e-6, 3), [550, 600, 650])

    def test_so_many_a_second(self) -> None:
        pace = NOTHING._replace(max_per_second=100.0)
        throttle = Throttle('notes', pace, None, Sizes(1000))
        self.assertEqual(throttle.size, 100)
        began = self.clock.now
        for _ in range(11):
            throttle.wait(100)
        self.assertAlmostEqual(self.clock.now - began, 10, places=3)

    def test_it_slows_down_then_pauses_and_goes_on_by_itself(self) -> None:
        strains = iter(
            [Strain(0.2, 'a'), Strain(0.8, 'b'), Strain(1.4, 'c')]
            + [Strain(1.2, 'd')] * 30
            + [Strain(0.8, 'e'), Strain(0.1, 'f')]
        )
        watch = SimpleNamespace(look=lambda: [next(strains)], unread=['x', 'y'])
        throttle = Throttle('notes', Pace(), watch, Sizes(1000))  # type: ignore[arg-type]
        throttle.wait(1000)
        self.assertEqual(throttle.size, 1000)
        throttle.wait(1000)
        self.assertEqual(throttle.size, 500)
        throttle.wait(500)
        self.assertEqual(throttle.size, 250)
        self.assertEqual(
            self.logger.of('white'),
            [
                'notes: the pace cannot know: x, y',
                'notes: slowed down: b',
                'notes: paused: c',
                'notes: still paused: d',
                'notes: goes on after 16.0 s',
            ],
        )

    def test_what_the_page_shows(self) -> None:
        said = 'secondary db2:27017 is 7 s behind (limit 5 s)'
        strains = iter([Strain(1.4, said)] * 17 + [Strain(0.0, '')])
        watch = SimpleNamespace(look=lambda: [next(strains)], unread=[])
        throttle = Throttle('cities', Pace(), watch, Sizes(1000))  # type: ignore[arg-type]
        throttle.wait(1000)
        page = readme.block('paused').splitlines()
        self.assertEqual(self.logger.of('white'), page)

    def test_outside_of_its_hours_it_waits(self) -> None:
        pace = NOTHING._replace(hours=('22:00', '06:00'))
        throttle = Throttle('notes', pace, None, Sizes(1000))
        with (
            mock.patch.object(throttle_room, '_minute', side_effect=[600, 601, 1320]),
            mock.patch.object(throttle_room, 'wait_for') as on_the_bar,
        ):
            throttle.wait(10)
        why = 'paused until 22:00 (hours 22:00 to 06:00)'
        self.assertEqual(self.logger.of('white'), [f'notes: {why}', 'notes: goes on'])
        self.assertEqual(on_the_bar.mock_calls, [mock.call(why), mock.call('')])
