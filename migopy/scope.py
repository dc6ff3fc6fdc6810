"""How far a next step may go: no further than what was typed."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from migopy.commands import Again, Command, Part

#: Commands that have a dry run, and those that only try migrations in any case.
TRIED = ('execute', 'rollback')
TRYING = ('plan', 'preflight', 'rehearse')


def within(part: object, typed: Command) -> Iterator[Part | object]:
    """Give a part of a message so that it goes no further than `typed`.

    `Again` becomes what was typed; after a dry run what runs any only tries them.
    """
    if isinstance(part, Again):
        yield ': '
        yield _again(part, typed)
    elif isinstance(part, Command) and (
        is_trial(typed.options) or typed.name in TRYING
    ):
        yield _tried(part)
    else:
        yield part


def _again(again: Again, typed: Command) -> Command:
    """Give what was typed, to be typed again.

    A name does not go together with `to`, and the phase of one migration need not be
    that of all before it.
    """
    values, options = typed.values, dict(typed.options)
    # A `yes` was the answer to the question at that time.
    options.pop('yes', None)
    if 'to' in again.more:
        values = ()
        options.pop('phase', None)
    return Command(typed.name, *values, **{**options, **again.more})


def _tried(command: Command) -> Command:
    """Give a command that changes nothing in place of one that runs migrations."""
    if command.name in TRIED and not is_trial(command.options):
        return command.having(dry_run='yes')
    if command.name == 'work':
        # A worker tries nothing; by its name `execute` tries what is for one.
        named = Command('execute', *command.values, dry_run='yes')
        return named if command.values else Command()
    return command


def is_trial(options: Mapping[str, object]) -> bool:
    """Tell whether these options make a command a dry run; `show` alone does."""
    return says_yes(options, 'dry_run') or 'show' in options


def says_yes(options: Mapping[str, object], name: str) -> bool:
    """Tell whether an option is yes; what is neither yes nor no is refused later."""
    value = options.get(name)
    return value is True or str(value).lower() == 'yes'


def deletes_images(command: str | None, options: Container[str]) -> bool:
    """Tell whether a command deletes images, which come back from nowhere."""
    return command == 'undo' and 'forget' in options
