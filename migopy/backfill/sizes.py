"""How many documents a page has: more of them where the server is far away.

A page costs round trips, however many documents it has. They take next to nothing if
the server is near; if it is far away, most of the time would be spent waiting for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

#: Documents of a page by default, and at most if the server is far away.
BASE = 1000
MOST = 16_000

#: Bytes of the documents of a page that is larger than `BASE`.
BYTES = 8_000_000

#: The part of a page's time that its round trips are to take.
SHARE = 0.15

#: Seconds that a page larger than `BASE` may take without its round trips, and the
#: function for the documents of any batch, so that all can be stopped soon; and the
#: part of a pace's target to stay below.
SECONDS = 0.75
BELOW_TARGET = 0.8

#: Seconds for one document that no server falls below: anything faster is noise.
FASTEST = 10e-6

#: Seconds assumed for a document before any was measured; most take less than half.
ASSUMED = 100e-6

#: How many times larger than the one before a page may be, as something else may have
#: delayed what was measured.
STEP = 4

#: Pages that have to be written, after one was too large, until they may be twice as
#: large again; it is twice as many after each further one that was.
WELL = 16


class RoundTrip:
    """How long a round trip to the server takes.

    Invariant: it is the shortest time seen, as anything that delays a reply makes it
    longer.
    """

    def __init__(self, client: object) -> None:
        """Take the client, which is asked if it is a `MongoClient`."""
        self._client = client
        self._least = math.inf

    def saw(self, seconds: float) -> None:
        """Hear how long a command took that costs the server next to nothing."""
        self._least = min(self._least, seconds)

    @property
    def seconds(self) -> float:
        """Give the seconds of a round trip; 0 where nothing is known of them."""
        if isinstance(self._client, MongoClient):
            servers = self._client.topology_description.server_descriptions()
            for each in servers.values():
                if each.is_writable and each.round_trip_time is not None:
                    self.saw(each.round_trip_time)
        return self._least if math.isfinite(self._least) else 0.0


class Sizes:
    """How many documents the pages of one call may have.

    Invariant: the caller's number, if there is one; else `BASE`, and more only if round
    trips would take too large a share of the time. No more documents are written at
    once than the last measurements allow, and fewer for a while after a page that was
    too large.
    """

    def __init__(
        self,
        given: int | None,
        round_trip: RoundTrip | None = None,
        target: float | None = None,
    ) -> None:
        """Take what the caller says, if anything; `target` is that of the pace."""
        self._most = BASE if given is None else given
        self.round_trip = round_trip or RoundTrip(None)
        self._seconds = min(SECONDS, (target or math.inf) * BELOW_TARGET)
        #: Whether a page may become larger than `BASE`, as nobody has said how large.
        self.grows = given is None
        #: Round trips of a page, one after the other.
        self.trips = 1
        #: Seconds of work, and for how many documents; older ones count for less.
        self._worked = 0.0
        self._documents = 0.0
        #: Documents of a page for a while, as a larger one was too large; how many have
        #: been written so, and how many have to be.
        self._kept: int | None = None
        self._well = 0
        self._patience = WELL // 2

    @property
    def most(self) -> int:
        """Give the documents of the next page at most."""
        return self._most if self._kept is None else min(self._most, self._kept)

    def took(self, seconds: float, documents: int, trips: int) -> float:
        """Hear how long a page took to be written, with so many round trips.

        Returns the seconds that it took beside them.
        """
        self.trips = trips
        worked = max(seconds - trips * self.round_trip.seconds, 0.0)
        self._worked = self._worked / 2 + worked
        self._documents = self._documents / 2 + documents
        if self._kept is not None:
            self._well += 1
            if self._well >= self._patience:
                self._well = 0
                self._kept = min(2 * self._kept, max(self._most, MOST))
        return worked

    def begin(self) -> None:
        """Hear that the first page is about to be asked for."""
        if self.grows:
            self._most = max(self._most, min(self.at_once, STEP * BASE))

    def read(self, page: Sequence[RawBSONDocument]) -> None:
        """Hear of a page that was read, before the next one is asked for."""
        if not self.grows:
            return
        wanted: float = min(self.at_once, MOST, STEP * self.most)
        if wanted > BASE and page:
            size = sum(len(each.raw) for each in page) / len(page)
            wanted = min(wanted, BYTES / size)
        self._most = max(BASE, round(wanted))

    @property
    def at_once(self) -> int:
        """Give how many documents of a page to write at once."""
        if not self.grows:
            return self.most
        each = ASSUMED
        if self._documents:
            each = max(self._worked / self._documents, FASTEST)
        waited = self.trips * self.round_trip.seconds
        most = max(BASE, round(min(waited / SHARE, self._seconds) / each))
        return most if self._kept is None else min(most, self._kept)

    def keep_to(self, documents: int) -> None:
        """Keep pages at so many documents until enough of them were written."""
        self._kept = documents
        self._well = 0
        self._patience *= 2
