"""What files say that they need: names that fit nothing, and circles.

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
    """Give the pending ones whose needs no order can meet: the name, and why.

    `said` is what pending files say of themselves, by name; `repeats` are the names of
    those that run after all others.
    """
    needs: dict[str, list[str]] = {}
    for name in said:
        for need in said[name].needs:
            found = named(need, migrations)
            if found is None:
                if not {need, f'{need}.py'} & set(registered):
                    yield name, f'needs {need}, of which there is no file here'
            elif found.name == name:
                yield name, 'needs itself'
            elif found.name in repeats and name not in repeats:
                after = 'which runs after all others (repeat = True)'
                yield name, f'needs {found.name}, {after}'
            else:
                needs.setdefault(name, []).append(found.name)
                if found.name not in registered:
                    places = _only_in(said.get(found.name, NOTHING), said[name])
                    if places:
                        where = ' and '.join(places)
                        yield name, f'needs {found.name}, which is for {where} alone'
    pending = {name: [n for n in needs[name] if n not in registered] for name in needs}
    for circle in _circles(pending):
        yield circle[0], f'needs itself in a circle: {" needs ".join(circle)}'


def _only_in(needed: Said, said: Said) -> Sequence[str]:
    """Give the environments that a file is for alone, where another runs elsewhere."""
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
