"""Read pending files for a plan: what they say of themselves, and their old names."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from migopy.files import NOTHING, Said, Unreadable
from migopy.run.needs import named
from migopy.run.plan import Plan
from migopy.run.repeating import in_order, look_through


def as_files_say(plan: Plan) -> Plan:
    """Add to a plan what its pending files say, and which are applied ones renamed.

    Applied files are read for which run again, and which are as they were run.
    """
    repeats, unchanged = look_through(plan.migrations, plan.own)
    ordered = in_order(plan.migrations, repeats)
    plan = replace(plan, migrations=ordered, repeats=repeats, unchanged=unchanged)
    # A new plan would have to sort all of its names again.
    if said := said_by_pending(plan):
        plan = replace(plan, said=said)
    # What is replaced is not missing.
    if replaces := replaces_of(plan):
        plan = replace(plan, replaces=replaces)
    if renamed := renamed_of(plan):
        plan = replace(plan, renamed=renamed)
    return plan


def renamed_of(plan: Plan) -> dict[str, str]:
    """Read the pending files, and give those that are applied ones under a new name.

    The result has the old name, which has no file any more, by the new one. Where
    several have the same content, each has an old name of its own, in their order.
    """
    gone: dict[str, list[str]] = {}
    for name in plan.missing:
        if checksum := plan.registered[name].checksum:
            gone.setdefault(checksum, []).append(name)
    renamed = {}
    for each in plan.unregistered if gone else ():
        if not plan.is_untouched(each):
            continue
        # One that cannot be read is told of when it is to run.
        with suppress(Unreadable):
            if old := gone.get(each.checksum()):
                renamed[each.name] = old.pop(0) if len(old) > 1 else old[0]
    return renamed


def said_by_pending(plan: Plan) -> dict[str, Said]:
    """Read the pending files, and give what they say of themselves, by name.

    Those are left out that say nothing.
    """
    said = {}
    for each in plan.unregistered:
        # One that cannot be read is told of when it is to run.
        with suppress(Unreadable):
            if (found := each.said()) != NOTHING:
                said[each.name] = found
    return said


def replaces_of(plan: Plan) -> dict[str, Sequence[str]]:
    """Give which migrations each file replaces, by name, where it replaces any.

    Applied files are read only if a name is looked for that has no file.
    """
    found: dict[str, Sequence[str]] = {
        name: each.replaces for name, each in plan.said.items() if each.replaces
    }
    sought = {need for each in plan.said.values() for need in each.needs}
    sought = {need for need in sought if named(need, plan.migrations) is None}
    if sought.union(plan.missing) - {old for olds in found.values() for old in olds}:
        for each in plan.migrations:
            with suppress(Unreadable):
                if each.name in plan.registered and (olds := each.said().replaces):
                    found[each.name] = olds
    return found
