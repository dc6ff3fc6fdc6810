"""What is told in JSON, as values that JSON has: runs, statuses, errors, dumps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from migopy.commands import Command, Spelling
from migopy.effects import Effects
from migopy.errors import MigopyException
from migopy.run import Entry, Failure, OpenRuns, Plan, by_migration, ways_on
from migopy.state import Holder, Run
from migopy.tell.kept_dumps import names_of_unfinished
from migopy.traces import summary

if TYPE_CHECKING:
    from migopy.dumps import Dump
    from migopy.run import Adoption, Problem

Document = dict[str, Any]


def of_status(plan: Plan, pending: Sequence[str], spelling: Spelling) -> Document:
    """Tell what is pending, and what does not fit."""
    unfinished = [
        {
            **of_run(plan.open_runs, runs[-1]),
            'next': _settling(plan, runs[-1], spelling),
        }
        for runs in by_migration(plan.to_settle)
    ]
    return {
        'pending': list(pending),
        'again': [name for name in pending if name in plan.again],
        'needs': {
            each.name: names
            for each in plan.unregistered
            if (names := [needed.name for needed in plan.waits_for(each)])
        },
        'phases': {
            each.name: plan.phase_of(each)
            for each in plan.unregistered
            if each.name in plan.said
        },
        'environment': plan.environment or None,
        'elsewhere': {name: list(each) for name, each in plan.elsewhere.items()},
        'late': [each.name for each in plan.late],
        'changed': plan.changed,
        'missing': plan.missing,
        'wrong': [{'name': name, 'reason': why} for name, why in plan.wrong],
        'renamed': [{'name': new, 'was': old} for new, old in plan.renamed.items()],
        'same_number': [
            {'name': new, 'missing': old} for new, old in plan.same_number.items()
        ],
        'equal_numbers': plan.equal_numbers,
        'running': [of_run(plan.open_runs, run) for run in plan.open_runs.running],
        'unfinished': unfinished,
        'foreign_documents': plan.foreign,
        'needs_attention': bool(pending) or not plan.fits,
    }


def of_run(open_runs: OpenRuns | None, run: Run) -> Document:
    """Tell of one run; how it ended may be known from `open_runs`, if given."""
    outcome = open_runs.outcome_of(run) if open_runs else run.outcome
    document: Document = {
        'name': run.name,
        'direction': run.direction,
        'outcome': outcome,
        'started': None if run.started == datetime.min else run.started,
        'ended': run.ended,
        'duration_ms': run.duration_ms,
        'user': run.agent.user,
        'host': run.agent.host,
        'pid': run.agent.pid,
        'error': run.error,
        'effects': _kept(run.effects),
    }
    if open_runs:
        document['state'] = open_runs.state_of(run).value
    return document


def of_entry(entry: Entry) -> Document:
    """Tell of one migration in the list of all."""
    return {
        'name': entry.name,
        'state': entry.state.replace(' ', '_'),
        'also': list(entry.also),
        'environments': list(entry.environments),
        'replaced_by': entry.replaced_by,
        'when': entry.when,
        'duration_ms': entry.duration_ms,
        'by': entry.by,
    }


def of_effects(effects: Effects, database: str) -> Document:
    """Tell what was done: in figures, by collection, and in one line."""
    return {**effects.as_document(), 'text': effects.describe(database)}


def of_failure(failure: Failure, spelling: Spelling) -> Document:
    """Tell what failed and what it left behind, and what to type."""
    return {
        'name': failure.name,
        'direction': failure.direction,
        'function': failure.function or failure.direction,
        'aftermath': failure.aftermath.value.replace(' ', '_'),
        'is_unfinished': failure.is_unfinished,
        'written': failure.written,
        'done': list(failure.done),
        'not_run': list(failure.not_run),
        'next': of_commands(failure.next, spelling),
    }


def of_problem(problem: Problem, spelling: Spelling) -> Document:
    """Tell what is wrong with a file, and what mends it."""
    following = [] if problem.next is None else [problem.next]
    return {**problem._asdict(), 'next': of_commands(following, spelling)}


def of_adoption(adoption: Adoption) -> Document:
    """Tell which records of a tool belong to which files, and which to none."""
    return {
        'tool': adoption.registry.tool,
        'collection': adoption.registry.collection,
        'records': [
            {
                'record': each.record.names[0],
                'at': each.record.at,
                'not_applied': each.record.not_applied,
                'name': each.migration.name if each.migration else None,
                'found_by': each.how,
                'fitting': list(each.fitting),
                'is_registered': each.is_registered,
                'is_rolled_back': each.is_rolled_back,
            }
            for each in adoption.matches
        ],
        'without_record': [each.name for each in adoption.without_record],
    }


def of_error(error: BaseException, spelling: Spelling) -> Document:
    """Tell of an error: its type, what it says, the commands that help."""
    message, following = summary(error), []
    if isinstance(error, MigopyException):
        message, following = error.spelled(spelling), of_commands(error.next, spelling)
    return {'type': type(error).__name__, 'message': message, 'next': following}


def of_holder(holder: Holder) -> Document:
    """Tell who holds the lock."""
    return {
        'user': holder.agent.user,
        'host': holder.agent.host,
        'pid': holder.agent.pid,
        'command': holder.command,
        'since': holder.since,
    }


def of_dump(dump: Dump) -> Document:
    """Tell of a dump; its size is in bytes."""
    return {
        'name': dump.name,
        'path': str(dump.path),
        'database': dump.database,
        'made': dump.made,
        'size': dump.size,
        'unfinished': names_of_unfinished(dump),
    }


def of_commands(
    commands: Sequence[Command], spelling: Spelling
) -> list[Mapping[str, Any]]:
    """Give commands as objects."""
    return [spelling.meant(command).as_document() for command in commands]


def _settling(plan: Plan, run: Run, spelling: Spelling) -> list[Mapping[str, Any]]:
    said = ways_on(run, plan.file_of(run.name))
    commands = [part for part in said if isinstance(part, Command)]
    return of_commands(commands, spelling)


def _kept(effects: Mapping[str, Any] | None) -> Document | None:
    """Give the effects in a history record, without what others may have put there."""
    if effects is None:
        return None
    rows = effects.get('collections')
    kept: Document = {'collections': rows if isinstance(rows, list) else []}
    if 'more_collections' in effects:
        kept['more_collections'] = effects['more_collections']
    if 'unheard' in effects:
        kept['unheard'] = effects['unheard']
    return kept
