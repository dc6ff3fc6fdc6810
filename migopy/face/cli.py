"""The command `migopy`: takes a line typed in a shell, gives an exit status."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from migopy import signals
from migopy.commands import Command
from migopy.effects import listen
from migopy.errand import Errand, carrying_out
from migopy.errors import MigopyException, StopTaskExecution
from migopy.face.help import names_by_word
from migopy.face.hook import Manager, run_hook, settle
from migopy.face.in_json import told_in_json
from migopy.face.parsing import Line, parted, read
from migopy.face.process import exit_status_of, let_go_of_streams, require_shown
from migopy.face.project import Project, project_here, subtasks_of
from migopy.face.spelling import CommandSpelling, word_of
from migopy.face.subtasks import Subtasks, WrongOptions, as_typed, usage_of
from migopy.signals import is_interruption, status_after
from migopy.tell import Voice
from migopy.terminal import ColorsLogger, kept_stdout
from migopy.version import VERSION

#: The command that works without a manager, too.
HELP = 'help'

#: Set by the shell's part of argcomplete.
ASKED_TO_COMPLETE = '_ARGCOMPLETE'


class AsForFab(MigopyException):
    """A command was typed as `fab` has it; `command` is what it means."""

    def __init__(self, command: Command) -> None:
        self.command = command
        super().__init__(
            'That is how fab has it typed; nothing was done.\nHere, type: ', command
        )


def run(base: type[Any], typed: Sequence[str], program: str) -> int:
    """Carry out what was typed behind `migopy`; give the exit status.

    `base` is the class that all managers derive from, `program` how the command is
    called.
    """
    if ASKED_TO_COMPLETE in os.environ:
        from migopy.face.completion import complete

        complete(base, os.environ)
        return 0
    settle()
    # Before the project's files are loaded, so that clients that they make are heard.
    listen()
    try:
        with signals.raised():
            return _told(base, typed, program)
    except BaseException as error:
        if not is_interruption(error):
            raise
        Voice(ColorsLogger()).red('Interrupted.')
        return exit_status_of(error)
    finally:
        let_go_of_streams()


def _told(base: type[Any], typed: Sequence[str], program: str) -> int:
    """Carry the line out, and say what went wrong, unless that was said already."""
    spelling, voice = CommandSpelling(program), Voice(ColorsLogger())
    try:
        line = parted(typed)
        if line.wants_version:
            Voice(ColorsLogger('stdout')).white(f'migopy {VERSION}')
            require_shown(HELP, [], {})
            return 0
        before = [] if line.manager is None else ['--manager', line.manager]
        spelling = CommandSpelling(program, before)
        with carrying_out(Errand(spelling=spelling, is_quiet=line.is_quiet)):
            if line.wants_help:
                return _show_help(base, line, spelling)
            here = _project(base, line)
            if here is None:
                others = [each for each in line.words if each != HELP]
                return _show_help(base, line._replace(words=others), spelling)
        voice = here.manager_class.speaker()
        spelling = CommandSpelling(program, before, here.place, here.given)
        with carrying_out(Errand(spelling=spelling, is_quiet=line.is_quiet)):
            return _carry_out(here.manager_class, base, line)
    except StopTaskExecution:
        return 0
    except MigopyException as error:
        voice.red(error.spelled(spelling))
        return exit_status_of(error)


def _project(base: type[Any], line: Line) -> Project | None:
    """Load the project that the line is about; `help` does without one."""
    # What a file prints while it is loaded must not stand among lines of JSON.
    told = told_in_json(base, _first(line), _in_json(line))
    with told, _kept_stdout(line.in_json):
        try:
            return project_here(base, line.manager)
        except MigopyException:
            if _first(line) != HELP or line.in_json:
                raise
    return None


def _carry_out(manager_class: type[Manager], base: type[Any], line: Line) -> int:
    """Read a command, call the hook, then run it."""
    with told_in_json(manager_class, _first(line), _in_json(line)):
        subtasks = subtasks_of(manager_class, base)
        name, words = command_in(line, subtasks)
        subtask = subtasks.get(name) if name else subtasks.default
        called = word_of(name or subtask.__name__)
        typed = read(subtask, called, words, line)
        with _kept_stdout(manager_class.wants_json(name, typed.options)):
            run_hook(manager_class, name, as_typed(typed.values, typed.options))
            manager = manager_class()
    try:
        manager.perform(name, typed.values, typed.options)
    except BaseException as error:
        if manager.has_told(error):
            return status_after(error)
        raise
    finally:
        manager.disconnect()
    require_shown(subtask.__name__, typed.values, typed.options)
    return 0


def _first(line: Line) -> str | None:
    """Give the first word that is no option; if all is well it names the command."""
    return next((word for word in line.words if not word.startswith('-')), None)


def _kept_stdout(is_for_json: bool) -> AbstractContextManager[object]:
    return kept_stdout() if is_for_json else nullcontext()


def _in_json(line: Line) -> dict[str, str]:
    return {'json': 'yes'} if line.in_json else {}


def _show_help(base: type[Any], line: Line, spelling: CommandSpelling) -> int:
    """Show what there is to type, even if there is no manager yet."""
    from migopy.face.help_option import help_of, overview_of

    said = Voice(ColorsLogger('stdout'))
    try:
        here = project_here(base, line.manager)
    except MigopyException as error:
        Voice(ColorsLogger()).white(error.spelled(spelling))
        here = Project(base, '', {})
    subtasks = subtasks_of(here.manager_class, base)
    name, _ = command_in(line, subtasks)
    if name:
        said.white(help_of(subtasks.get(name), word_of(name), spelling))
    else:
        said.white(overview_of(subtasks, spelling, here.place))
    require_shown(HELP, [], {})
    return 0


def command_in(line: Line, subtasks: Subtasks) -> tuple[str | None, Sequence[str]]:
    """Give the name of the command, and the words behind it.

    Raises `WrongOptions` if an option stands before the command, `AsForFab` if it is
    typed as `fab` has it.
    """
    by_word = names_by_word(subtasks.names, CommandSpelling())
    if not line.words:
        return None, []
    first, *others = line.words
    if not first.startswith('-'):
        if first not in by_word:
            _refuse_form_of_fab(line, subtasks, by_word)
        return by_word.get(first, first), others
    for each in others:
        if each in by_word:
            raise WrongOptions(
                each,
                f'{first} stands before the command; nothing was done',
                usage_of(subtasks.get(by_word[each]), each),
            )
    return None, line.words


def _refuse_form_of_fab(
    line: Line, subtasks: Subtasks, by_word: Mapping[str, str]
) -> None:
    """Raise `AsForFab` for a command that is typed `execute,001` or `migrations:…`.

    What stands behind it belongs to what it means: without `--dry-run` that would run.
    """
    word, *others = line.words
    _, colon, behind = word.partition(':')
    meant = Command.parse(behind if colon else word)
    if meant.name not in by_word or '' in meant.options:
        return
    name = by_word[meant.name]
    if line.wants_help:
        raise AsForFab(Command(HELP, word_of(name)))
    typed = read(subtasks.get(name), word_of(name), others, line)
    options = {**meant.options, **typed.options}
    raise AsForFab(Command(name, *meant.values, *typed.values, **options))
