"""Measure migopy: `python -m benchmarks [command status … pace] [--rounds N]`.

It needs the extra `benchmarks`. All runs against a mongod of its own, a replica set of
one member, in a temporary folder. From Python 3.13 on mongrator is measured as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from benchmarks import bulk, changes, commands, fleet, pace, rehearsing, trips, undo
from benchmarks.ground import Ground
from tests.server import replica_set, temporary_folder

#: What measures and prints its tables, by the name that is typed; all in this order.
MEASUREMENTS: dict[str, Callable[[Ground], None]] = {
    'command': commands.command,
    'execute': commands.execute,
    'status': commands.status,
    'trips': trips.measure,
    'update': changes.update,
    'dump': bulk.dump,
    'far': bulk.far,
    'db': bulk.db,
    'show': changes.show,
    'fleet': fleet.measure,
    'undo': undo.measure,
    'rehearse': rehearsing.measure,
    'pace': pace.measure,
}


def main() -> None:
    """Run what the command line names, all by default."""
    names = list(MEASUREMENTS)
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__)
    parser.add_argument('names', nargs='*', metavar='|'.join(names), default=names)
    parser.add_argument('--rounds', type=int, default=15)
    options = parser.parse_args()
    with temporary_folder() as folder, replica_set(members=1) as server:
        ground = Ground(folder, server, options.rounds)
        for name in options.names:
            MEASUREMENTS[name](ground)


if __name__ == '__main__':
    main()
