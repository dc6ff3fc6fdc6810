"""What preflight has found: in lines, as annotations, as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from migopy.commands import Command, Spelling, spelled
from migopy.tell.dry_run_findings import values_of
from migopy.tell.problems import annotation
from migopy.tell.voice import Voice
from migopy.texts import counted, fit_in_json, one_line

if TYPE_CHECKING:
    from migopy.preflight import Finding

#: What a person is told of where something was found.
SEEN = {'server': 'seen on the server', 'file': 'read in the file'}

#: The finding of a dry run that failed, of which there is more to see.
FAILS = 'fails'

#: The levels of GitHub's annotations.
LEVELS = {'problem': 'error', 'notice': 'warning'}


def tell_foreseen(
    voice: Voice,
    spelling: Spelling,
    names: Sequence[str],
    findings: Sequence[Finding],
    form: str,
) -> None:
    """Show findings in one of the forms: `text`, `github`, `json`.

    What people have stored is told only in text, and to no log.
    """
    if form == 'json':
        found = [each.as_document() for each in findings]
        text = json.dumps(found, indent=2, default=str, ensure_ascii=False)
        voice.white(fit_in_json(text))
        return
    for each in findings:
        if form == 'github':
            voice.white(_as_annotation(each))
        else:
            _tell(voice, each)
            _tell_of_dry_run(voice, spelling, each, names)
    # Where there are problems, an error says so.
    if form == 'text' and not any(each.is_problem for each in findings):
        voice.green(_verdict(names, len(findings)))


def _verdict(names: Sequence[str], notices: int) -> str:
    if not names:
        return 'Nothing would run'
    count = counted(len(names), 'migration')
    if not notices:
        return f'{count}, nothing found'
    return f'{count}, no problem, {counted(notices, "notice")}'


def _dry_run_up_to(name: str, names: Sequence[str]) -> Command:
    """Give the dry run that comes to a migration as a look at all `names` did."""
    if len(names) == 1:
        return Command('execute', name, dry_run='yes')
    return Command('execute', to=name, dry_run='yes')


def _tell_of_dry_run(
    voice: Voice, spelling: Spelling, finding: Finding, names: Sequence[str]
) -> None:
    """Name the dry run that shows an error, if a finding is one."""
    if finding.name == FAILS:
        said = '  See all of it: ', _dry_run_up_to(finding.migration, names)
        voice.white(spelled(said, spelling))


def tell_shortly(
    voice: Voice, spelling: Spelling, findings: Sequence[Finding], names: Sequence[str]
) -> None:
    """Say each in a line; of a problem also what to write instead."""
    for each in findings:
        if each.is_problem:
            has_more = each.instead and each.name != FAILS
            instead = f'\n  Instead: {one_line(each.instead)}' if has_more else ''
            voice.red(f'{short(each)}{instead}')
            _tell_of_dry_run(voice, spelling, each, names)
        else:
            voice.white(short(each))


def short(finding: Finding) -> str:
    """Set a finding in one line: where, how grave, what, its name."""
    path = one_line(os.path.relpath(finding.path))
    where = f'{path}:{finding.line}' if finding.line else path
    what = one_line(finding.what)
    return f'{where}: {finding.severity}: {what} ({finding.name})'


def _tell(voice: Voice, finding: Finding) -> None:
    line = short(finding)[:-1] + f', {SEEN[finding.seen]})'
    say = voice.red if finding.is_problem else voice.white_bold
    say(line)
    if finding.cost:
        voice.white(f'  {one_line(finding.cost)}')
    if finding.values and not voice.is_custom:
        voice.on_terminal.white(f'  {values_of(finding.values)}')
    if finding.instead and finding.name != FAILS:
        voice.white(f'  Instead: {one_line(finding.instead)}')


def _as_annotation(finding: Finding) -> str:
    cost = f'; {finding.cost}' if finding.cost else ''
    instead = f'. Instead: {finding.instead}' if finding.instead else ''
    message = f'{finding.what}{cost}{instead}'
    level, title = LEVELS[finding.severity], f'migopy {finding.name}'
    return annotation(level, finding.path, finding.line or 1, title, message)
