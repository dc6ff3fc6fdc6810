"""Commands measured as a person starts them: `execute`, the status, `migopy`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.ground import Ground
from benchmarks.measuring import (
    Sample,
    beyond,
    cpu,
    fab,
    interleaved,
    is_installed,
    megabytes,
    milliseconds,
    peak,
    ratio,
    table,
    timed,
    times,
    typical,
    wall,
)

COUNTS = (10, 1000, 10_000)

#: The same floor without Fabric: Python, PyMongo, a connection, one find.
BARE_FLOOR = """
    import atexit
    import pymongo
    from pymongo.synchronous import monitor

    atexit.unregister(monitor._shutdown_resources)
    client = pymongo.MongoClient('{uri}')
    list(client.floor.empty.find())
    client.close()
"""

EMPTY = '"""Nothing."""\n\n\ndef up(db):\n    pass\n\n\ndef down(db):\n    pass\n'


def of_many(ground: Ground, count: int) -> Path:
    """Give the project of so many empty migrations, made at the first time."""
    name = f'of{count}'
    if (ground.folder / name).exists():
        return ground.folder / name
    numbers = range(1, count + 1)
    steps = {f'{number:05}_step.py': EMPTY for number in numbers}
    return ground.project(name, migrations=steps)


def execute(ground: Ground) -> None:
    """`execute` of empty migrations, against two durable writes for each."""
    rows = []
    one = of_many(ground, 1)
    for count in COUNTS:
        project = of_many(ground, count)
        writes = min(2 * count, 2000)
        cases = {
            # What the first migration of a database costs beside itself: the
            # lock, indexes, three collections that are made.
            'start': partial(executed, ground, one),
            'floor': ground.find,
            'execute': partial(executed, ground, project),
            'write': partial(fab, ground.floor, f'write:{writes}'),
        }
        if is_installed('mongrator'):
            cases['mongrator'] = partial(executed_by_mongrator, ground, project)
        rounds = max(min(3, ground.rounds), ground.rounds // (count // 100 + 1))
        runs = interleaved(rounds, cases)
        each = beyond(runs['execute'], runs['start'], count - 1)
        two = beyond(runs['write'], runs['floor'], writes / 2)
        rows.append(
            [
                f'{count:,}',
                milliseconds(typical(runs['execute'], wall)),
                milliseconds(each),
                milliseconds(two),
                times(each, two),
                to_mongrator(runs['execute'], runs),
                megabytes(max(run.peak for run in runs['execute'])),
                f'{ratio(runs["execute"], runs["floor"], peak):.2f}',
            ]
        )
    head = ['migrations', 'in all', 'each', 'two durable writes', 'ratio']
    head += ['all to mongrator', 'peak', 'to floor']
    table('fab migrations:execute, empty migrations', head, rows)


def executed(ground: Ground, project: Path) -> Sample:
    """Execute all migrations of a project, on an empty database."""
    ground.empty(project)
    return fab(project, 'migrations:execute')


def executed_by_mongrator(ground: Ground, project: Path) -> Sample:
    """Execute the same files on an empty database with mongrator."""
    ground.empty(project)
    return timed('mongrator', project, 'up')


def status(ground: Ground) -> None:
    """`fab migrations` and `history`, where all is executed, against the floor."""
    cases = {'floor': ground.find}
    for count in COUNTS:
        project = of_many(ground, count)
        ground.empty(project)
        fab(project, 'migrations:execute')
        cases[f'{count:,}'] = partial(fab, project, 'migrations')
        cases[f'history, {count:,}'] = partial(fab, project, 'migrations:history')
        if is_installed('mongrator'):
            timed('mongrator', project, 'up')
            cases[f'mongrator, {count:,}'] = partial(
                timed, 'mongrator', project, 'status'
            )
    runs = interleaved(ground.rounds, cases)
    rows = [
        [
            name,
            milliseconds(typical(samples, wall)),
            f'{ratio(samples, runs["floor"], wall):.2f}',
            milliseconds(typical(samples, cpu)),
            f'{ratio(samples, runs["floor"], cpu):.2f}',
            megabytes(max(run.peak for run in samples)),
            f'{ratio(samples, runs["floor"], peak):.2f}',
        ]
        for name, samples in runs.items()
    ]
    head = ['files', 'wall', 'ratio', 'CPU', 'ratio', 'peak', 'ratio']
    table('fab migrations', head, rows)


def command(ground: Ground) -> None:
    """`migopy`, the status, against its floor and against `fab migrations`."""
    project = of_many(ground, COUNTS[0])
    fab(project, 'migrations:execute')
    text = textwrap.dedent(BARE_FLOOR).replace('{uri}', ground.uri)
    (project / 'floor.py').write_text(text)
    runs = interleaved(
        ground.rounds,
        {
            'floor': partial(timed, 'python', project, 'floor.py'),
            'migopy': partial(timed, 'migopy', project),
            'fab migrations': partial(fab, project, 'migrations'),
        },
    )
    rows = [
        [
            name,
            milliseconds(typical(samples, wall)),
            milliseconds(typical(samples, cpu)),
            f'{ratio(samples, runs["floor"], cpu):.2f}',
            f'{ratio(samples, runs["fab migrations"], cpu):.2f}',
        ]
        for name, samples in runs.items()
    ]
    head = ['command', 'wall', 'CPU', 'to floor', 'to fab']
    table('migopy, the status of 10 migrations', head, rows)


def to_mongrator(
    samples: Sequence[Sample], runs: Mapping[str, Sequence[Sample]]
) -> str:
    """Set the seconds of samples in those of mongrator; '-' without it."""
    others = runs.get('mongrator')
    return f'{ratio(samples, others, wall):.2f}' if others else '-'
