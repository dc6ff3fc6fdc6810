"""Check what files say that they need: names that fit nothing, and circles.

Pure: files and records are given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from migopy.files import NOTHING, Migration, Said


def named(need: str, migrations: Sequence[Migration]) -> Migration | None:
    """Find the file that a need names: `001_x.py`, or `001_x`."""
    fitting = (each for each in migrations if need in (each.name, each.stem))
    return next(fitting, None)


def problems(
    migrations: Sequence[Migration],
    said: Mapping[str, Said],
    registered: Collection[str],
    repeats: Collection[str] = (),
) -> Iterator[tuple[str, str]]:
    """Give the pending files whose needs no order can meet: the name, and why.

    `said` is what pending files say of themselves, by name; `repeats` are the names of
    those that run after all others.
    """
    can_be_met: dict[str, list[str]] = {}
    for name in said:
        for need in said[name].needs:
            found = named(need, migrations)
            if found is None:
                why = _of_no_file(need, registered)
            else:
                why = _out_of_order(name, found.name, repeats)
                if not why:
                    can_be_met.setdefault(name, []).append(found.name)
                    why = _elsewhere(found.name, said[name], said, registered)
            if why:
                yield name, why
    pending = {
        name: [each for each in needs if each not in registered]
        for name, needs in can_be_met.items()
    }
    for circle in _circles(pending):
        yield circle[0], f'needs itself in a circle: {" needs ".join(circle)}'


def _of_no_file(need: str, registered: Collection[str]) -> str:
    """Say that a need names no file, `''` where what it names is applied."""
    if {need, f'{need}.py'} & set(registered):
        return ''
    return f'needs {need}, which has no file here'


def _out_of_order(name: str, needed: str, repeats: Collection[str]) -> str:
    """Say why what is needed never runs before, `''` where it can."""
    if needed == name:
        return 'needs itself'
    if needed in repeats and name not in repeats:
        return f'needs {needed}, which runs after all others (repeat = True)'
    return ''


def _elsewhere(
    needed: str, own: Said, said: Mapping[str, Said], registered: Collection[str]
) -> str:
    """Say that what is needed runs in fewer environments, `''` where it does not."""
    if needed in registered:
        return ''
    places = _only_in(said.get(needed, NOTHING), own)
    return (
        f'needs {needed}, which is for {" and ".join(places)} alone' if places else ''
    )


def _only_in(needed: Said, said: Said) -> Sequence[str]:
    """Give the environments that a needed file is limited to, if that is too few."""
    own = said.environments
    if own and all(map(needed.is_for, own)):
        return ()
    return needed.environments


def _circles(needs: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Give each circle once, from the first of its names on and back to it."""
    done: set[str] = set()
    for start in needs:
        way: list[str] = []
        rest = [iter([start])]
        while rest:
            name = next(rest[-1], None)
            if name is None:
                rest.pop()
                if way:
                    done.add(way.pop())
            elif name in way:
                yield [*way[way.index(name) :], name]
            elif name not in done:
                way.append(name)
                rest.append(iter(needs.get(name, ())))
