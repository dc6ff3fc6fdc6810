"""Processes measured from outside, in pairs, and the table of what they took."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Callable

#: Where the programs of this environment are.
PROGRAMS = Path(sys.executable).parent

#: What is measured, by name; each runs a process.
Cases = Mapping[str, Callable[[], 'Sample']]


@dataclass(frozen=True)
class Sample:
    """What one process took: seconds, seconds of CPU, and bytes at its peak."""

    wall: float
    cpu: float
    peak: int


def fab(folder: Path, *arguments: str) -> Sample:
    """Run `fab` in a project; raises where it fails, or its memory cannot be known."""
    sample = timed('fab', folder, *arguments)
    # Linux begins the count of a process with the memory of the one that started it.
    if sample.peak <= own_peak():
        raise RuntimeError('this process is larger than the one it measures')
    return sample


def is_installed(program: str) -> bool:
    """Tell whether this environment has a program."""
    return (PROGRAMS / program).exists()


def tool(program: str) -> str | None:
    """Find one of MongoDB's own programs on the PATH, `None` if it is not there."""
    return shutil.which(program)


def timed(program: str, folder: Path, *arguments: str) -> Sample:
    """Run a program of this environment, or one by its path; raises where it fails.

    It finds no other program, so dumps are PyMongo's also where mongodump is installed.
    """
    # Users have their bytecode; without it, compiling is what is measured.
    wanted = {**os.environ, 'PYTHONWARNINGS': 'ignore', 'PATH': str(PROGRAMS)}
    wanted.pop('PYTHONDONTWRITEBYTECODE', None)
    log = folder / f'{Path(program).name}.log'
    began = time.perf_counter()
    with log.open('w') as output:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [str(PROGRAMS / program), *arguments],
            cwd=folder,
            env=wanted,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f'{program} {" ".join(arguments)} failed:\n{log.read_text()}'
        )
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def own_peak() -> int:
    """Give this process's peak in bytes."""
    status = Path('/proc/self/status').read_text()
    return int(status.partition('VmHWM:')[2].split()[0]) * 1024


def interleaved(rounds: int, cases: Cases) -> dict[str, list[Sample]]:
    """Run the cases one after the other, and that `rounds` times.

    So whatever slows the machine for a while slows all of them. One that many use
    stalls for seconds, so nothing is said of a single run.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            samples[name].append(case())
    return samples


def typical(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    """Give the median of what samples took."""
    return median(of(each) for each in samples)


def ratio(
    samples: Sequence[Sample], floor: Sequence[Sample], of: Callable[[Sample], float]
) -> float:
    """Give the median of the ratios of pairs, each of one round."""
    return median(of(one) / of(other) for one, other in zip(samples, floor))


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    print(f'\n{title}')
    for row in (head, ['-' * width for width in widths], *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        print('  '.join(cells).rstrip())
    sys.stdout.flush()


def milliseconds(seconds: float) -> str:
    """Set a time; '-' is one that was lost in the noise."""
    if not seconds:
        return '-'
    return (
        f'{seconds * 1000:,.0f} ms' if seconds >= 0.01 else f'{seconds * 1e6:,.0f} µs'
    )


def megabytes(size: float) -> str:
    """Set a size."""
    return f'{size / 1e6:.1f} MB'


def wall(sample: Sample) -> float:
    """Give a sample's seconds."""
    return sample.wall


def cpu(sample: Sample) -> float:
    """Give a sample's seconds of CPU."""
    return sample.cpu


def peak(sample: Sample) -> float:
    """Give a sample's bytes."""
    return sample.peak


def beyond(samples: Sequence[Sample], start: Sequence[Sample], count: float) -> float:
    """Give the seconds for one of `count` things, without those of a bare start.

    Where they are few, and the machine is busy, they may be lost in the noise: then 0.
    """
    return max(typical(samples, wall) - typical(start, wall), 0.0) / count


def times(one: float, other: float) -> str:
    """Set how many times `other` is in `one`; '-' where either was lost in noise."""
    return f'{one / other:.2f}' if one and other else '-'
