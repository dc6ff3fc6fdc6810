"""Which dumps are a way back from what is unfinished, and so are not to be removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migopy.dumps.folder import Dump
from migopy.dumps.format import Say
from migopy.dumps.hidden import remove
from migopy.errors import enumerated


def prune(
    dumps: Sequence[Dump],
    new: Dump,
    keep: int,
    unfinished: Mapping[str, str],
    say: Say,
) -> None:
    """Remove the oldest of a database's dumps, until `keep` with the new one are left.

    Those of a database of this name on another server, or on an unknown one, stay.

    `unfinished` are the first runs of what is half done now, by their ids, with the
    names. A dump from before any of these stays: it may be all that is left of what
    the run has destroyed, and each try to repair that makes a dump of the ruins.
    """
    others = [
        dump
        for dump in dumps
        if dump.name != new.name and dump.servers and dump.is_of(new.servers)
    ]
    surplus = others[: max(0, len(others) - keep + 1)]
    spared = [
        dump for dump in surplus if not unfinished.keys() <= dump.unfinished.keys()
    ]
    if spared:
        are = 'dump more stays' if len(spared) == 1 else 'dumps more stay'
        say(
            f'{len(spared):,} {are} than MONGO_DUMP_KEEP says, as long as this is'
            f' unfinished: {enumerated(sorted(set(unfinished.values())))}'
        )
    for old in surplus:
        if old not in spared:
            try:
                remove(old.path)
            except OSError as error:
                say(f'The old dump {old.name} cannot be removed: {error}')


def newest_before(dumps: Sequence[Dump], unfinished: Mapping[str, str]) -> Dump | None:
    """Pick the newest dump from before the first run of anything that is unfinished.

    One from before, of an earlier time that a migration of such a name was half done,
    has been gone back from, so it is passed over.
    """
    for dump in reversed(dumps):
        names = {*dump.unfinished, *dump.unfinished.values()}
        if names.isdisjoint({*unfinished, *unfinished.values()}):
            return dump
    return None
