"""`squash`: make one file of several, and move those into an archive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from migopy.commands import Again, Command, Part
from migopy.errors import MigopyException, enumerated
from migopy.face import Asking
from migopy.files import ARCHIVE, BEFORE, NUMBERS, Migration, importable, load_all
from migopy.folders import write_whole
from migopy.run import Choice, Plan, Step, still_there
from migopy.site import Site

#: What the new file is; what is said in `top` decides how it is run.
FILE = '''"""Squash {first} to {last}.

The files that it replaces are in the folder `{archive}`. Migopy calls their up() in
this order, and their down() in the reverse one.
"""

replaces = [
{names}
]
{top}'''


class NotSquashed(MigopyException):
    """Migrations cannot be squashed; `why` says why, and nothing was done."""

    def __init__(self, why: str, *next_step: Part) -> None:
        self.why = why
        super().__init__(f'{why}; nothing was done.\n', *next_step)


class HalfMoved(MigopyException):
    """A file could not be moved into the archive; `name` is that of the new file."""

    def __init__(self, name: str, cause: OSError) -> None:
        self.name = name
        super().__init__(
            f'Not all that {name} replaces could be moved into {ARCHIVE}: {cause}.\n'
            'Until that is done nothing is executed. See to it, then type: ',
            Command('squash', to=name),
        )


class Squashed(NamedTuple):
    """What was done: the path of the new file.

    Invariant: `without_down` are the old ones that have no `down`, so that the new one
    has none.
    """

    path: str
    without_down: Sequence[str] = ()


def squash(
    site: Site, to: str, transaction: bool, asking: Asking, of_many: bool
) -> Squashed:
    """Make one file of all files up to and with one, after the last one made so.

    The old files are moved into the archive once the new file is complete. If anything
    ends it in between, nothing is executed from that folder until the same command has
    finished the move. For many databases, none of them is looked at. `transaction` is
    the manager's default. Raises what `Choice.find` does, `NotSquashed`, `HalfMoved`
    and what keeps a file from being run.
    """
    files = Plan(site.directory.migrations())
    # Whatever was typed, a move that was begun is finished first.
    for name, there in still_there(_all_replaced(files), files.migrations):
        return _finished(site, name, there, asking)
    new = _prepared(site, files, to, transaction, of_many)
    done, text, chosen = new
    if asking.will_ask:
        asking.require(_doing([each.name for each in chosen]))
        files = Plan(site.directory.migrations())
        if _prepared(site, files, to, transaction, of_many) != new:
            why = 'The files are not those that you were asked about'
            raise NotSquashed(
                why, 'To be asked about those: ', Command('squash', to=to)
            )
    _write(done.path, text)
    _move(site, os.path.basename(done.path), chosen)
    return done


def _prepared(
    site: Site, files: Plan, to: str, transaction: bool, of_many: bool
) -> tuple[Squashed, str, Sequence[Migration]]:
    """Give what will be done, the new file's text, and the files that it replaces."""
    plan = files if of_many else site.surveyed(site.plan())
    chosen = _chosen(plan, to)
    _require_settled(plan, chosen)
    with importable(site.directory):
        steps = [
            Step.of(loaded, 'up', transaction)
            for loaded in load_all(chosen, site.directory)
        ]
    later = {each.name for each in plan.migrations if each.number > chosen[-1].number}
    top = list(_top(steps, site.settings.undo, later))
    _require_room(site, chosen, to)
    text = _text([each.name for each in chosen], top)
    without_down = [
        each.name for each in steps if not callable(each.loaded.functions.get('down'))
    ]
    path = os.path.join(site.directory.path, _name(site, chosen[-1], to))
    return Squashed(path, without_down), text, chosen


def _finished(
    site: Site, name: str, there: Sequence[Migration], asking: Asking
) -> Squashed:
    """Move what an earlier command has left among the migrations."""
    names = [each.name for each in there]
    asking.require(_doing(names))
    _move(site, name, there)
    return Squashed(os.path.join(site.directory.path, name))


def _require_room(site: Site, chosen: Sequence[Migration], to: str) -> None:
    """Make sure that the archive has no file of these names yet."""
    for each in chosen:
        path = os.path.join(site.directory.path, ARCHIVE, each.name)
        if os.path.lexists(path):
            again = 'Move that elsewhere, then type: ', Command('squash', to=to)
            raise NotSquashed(f'There is a file {path}', *again)


def _text(names: Sequence[str], top: Sequence[str]) -> str:
    """Write the new file: the names that it replaces, and how it is run."""
    return FILE.format(
        first=names[0],
        last=names[-1],
        archive=ARCHIVE,
        names='\n'.join(f'    {name!r},' for name in names),
        top=''.join(f'{line}\n' for line in top),
    )


def _all_replaced(files: Plan) -> dict[str, Sequence[str]]:
    """Read all files for what they replace."""
    said = {each.name: each.said() for each in files.migrations}
    return {name: each.replaces for name, each in said.items() if each.replaces}


def _chosen(plan: Plan, to: str) -> list[Migration]:
    last = Choice(plan).find(to)
    if last.is_repeatable():
        raise NotSquashed(
            f'{last.name} runs again whenever it changes (repeat = True), so it is'
            ' left out of squash',
            *('See all: ', Command('list')),
        )
    migrations = [each for each in plan.migrations if not each.is_repeatable()]
    end = migrations.index(last) + 1
    rest = migrations[end:]
    if rest and rest[0].number == last.number:
        raise NotSquashed(
            f'{rest[0].name} has the same number as {last.name}',
            'To take both: ',
            Command('squash', to=rest[0].name),
        )
    chosen = migrations[:end]
    squashed = [place for place, each in enumerate(chosen) if each.said().replaces]
    chosen = chosen[squashed[-1] + 1 :] if squashed else chosen
    if len(chosen) < 2:
        after = ' after the last file that replaces others' if squashed else ''
        raise NotSquashed(
            f'Up to {last.name} there are no two files to be squashed{after}',
            *('See all: ', Command('list')),
        )
    return chosen


def _require_settled(plan: Plan, chosen: Sequence[Migration]) -> None:
    """Make sure that all or none are applied, and unchanged since."""
    names = {each.name for each in chosen}
    for name, why in plan.wrong:
        if name in names:
            raise NotSquashed(f'{name} {why}', 'Correct it, then see: ', Command())
    for run in (*plan.unfinished, *plan.open_runs.running):
        if run.name in names:
            raise NotSquashed(f'{run.name} is unfinished, or runs', 'See: ', Command())
    renamed = names & plan.renamed.keys()
    if renamed:
        raise NotSquashed(
            f'{min(renamed)} is applied under another name', 'See: ', Command()
        )
    for name in plan.changed:
        if name in names:
            raise NotSquashed(
                f'{name} is not as it was executed',
                'To take it as it is now, and run nothing: ',
                Command('accept', name),
            )
    applied = [each for each in chosen if each.name in plan.registered]
    pending = [each for each in chosen if each.name not in plan.registered]
    if applied and pending:
        raise NotSquashed(
            f'Only some of them are applied here; pending: '
            f'{enumerated([each.name for each in pending])}',
            'Execute those first: ',
            Command('execute', to=pending[-1].name),
        )


def _instead(alike: Sequence[Step]) -> list[Part]:
    """Say what can be squashed instead, if several are alike."""
    if len(alike) < 2:
        return ['See all: ', Command('list')]
    before = Command('squash', to=alike[-1].name)
    return ['The files before it can be squashed: ', before]


def _top(steps: Sequence[Step], undo: bool | str, later: set[str]) -> Iterator[str]:
    """Give the lines that say how the new file is run: like all the old ones.

    Raises `NotSquashed` if these are not run alike, or need a file that comes `later`.
    """
    traits: dict[str, list[object]] = {
        'phase': [each.loaded.said().phase for each in steps],
        'environments': [list(each.loaded.said().environments) for each in steps],
        'transaction': [each.in_transaction for each in steps],
        'undo': [each.loaded.images(undo) for each in steps],
        'parallel': [each.loaded.in_parallel() for each in steps],
    }
    for word, values in traits.items():
        for step, value in zip(steps, values):
            if value != values[0]:
                alike = steps[: steps.index(step)]
                raise NotSquashed(
                    f'They are not run alike: {word} is {values[0]!r} in'
                    f' {steps[0].name} and {value!r} in {step.name}',
                    *_instead(alike),
                )
        said = any(hasattr(each.loaded.module, word) for each in steps)
        if said and values[0] not in (BEFORE, []):
            yield f'{word} = {values[0]!r}'
    for step in steps:
        for need in step.loaded.said().needs:
            if {need, f'{need}.py'} & later:
                raise NotSquashed(
                    f'{step.name} needs {need}, which comes after them',
                    *('See all: ', Command('list')),
                )


def _name(site: Site, last: Migration, to: str) -> str:
    """Find a name for the new file, with the number of the last one."""
    numbers = NUMBERS.match(last.name)
    begin = numbers[0] if numbers else last.stem
    sign = last.name[len(begin)] if numbers else '_'
    taken = {each.lower() for each in os.listdir(site.directory.path)}
    for name in (f'{begin}{sign}squashed.py', f'{last.stem}_squashed.py'):
        number = site.directory.file_names.number(name)
        fits = number == site.directory.file_names.number(last.name)
        if fits and name.lower() not in taken:
            return name
    raise NotSquashed(
        f'No name that ends with squashed.py and has the number of {last.name} fits'
        f' MIGRATIONS_FILE_PATTERN ({site.directory.file_names.pattern}), or it is'
        ' taken',
        *('Where there is room for one: ', Command('squash', to=to)),
    )


def _doing(names: Sequence[str]) -> str:
    return f'Move {len(names)} files into {ARCHIVE}: {enumerated(names)}'


def _write(path: str, text: str) -> None:
    """Write the new file, whole or not at all."""
    try:
        os.makedirs(os.path.join(os.path.dirname(path), ARCHIVE), exist_ok=True)
        write_whole(path, text, 0o644)
    except OSError as error:
        raise NotSquashed(
            f'{path} cannot be written: {error.strerror}',
            'See to it that there is room, and that its folder can be written to, then'
            ' type',
            Again(),
        ) from error


def _move(site: Site, new: str, migrations: Sequence[Migration]) -> None:
    archive = os.path.join(site.directory.path, ARCHIVE)
    try:
        os.makedirs(archive, exist_ok=True)
        for each in migrations:
            path = os.path.join(archive, each.name)
            if os.path.lexists(path):
                raise FileExistsError(f'{path} is there already')
            os.replace(each.path, path)
    except OSError as error:
        raise HalfMoved(new, error) from error
