"""What a dry run cannot show, and what it has done that it should not have."""

from __future__ import annotations

from collections.abc import Sequence

from migopy.commands import Command, Option
from migopy.errors import MigopyException, enumerated
from migopy.run.step import Step
from migopy.run.unfinished import ways_out


class CannotTry(MigopyException):
    """A migration that no transaction can run; `name` is its name."""

    def __init__(
        self, step: Step, reason: str, not_shown: Sequence[str], asked: Command
    ) -> None:
        self.name = step.name
        self.not_shown = not_shown
        lines = [f'{step.name} cannot be tried in a transaction:{reason}']
        if not_shown:
            lines.append(f'Those after it cannot be shown: {enumerated(not_shown)}')
        lines.append(
            'The dry run has changed nothing. Executed, it would fail in the same'
            f' way. Correct it, or have `transaction = False` at the top of'
            f' {step.name} (instead of True, if that stands there). Then type: '
        )
        super().__init__('\n'.join(lines), asked)


class NotAllShown(MigopyException):
    """Migrations that a dry run could not show to their end; `names` are theirs.

    With `lacks_rights` it is known that they would not come to their end either. `show`
    is how many documents were to be shown, which makes it a dry run, too.
    """

    def __init__(
        self,
        names: Sequence[str],
        lacks_rights: bool = False,
        show: int | None = None,
    ) -> None:
        self.names = names
        # With more rights the same dry run may show all, else it never does.
        self.is_for_good = not lacks_rights
        first = 'First give the user the rights named above. ' if lacks_rights else ''
        shown = () if show is None else (Option('show', str(show)), ' and ')
        super().__init__(
            f'The dry run has changed nothing, but could not show all of'
            f' {enumerated(names)}. {first}To run all of it, type the same without ',
            *shown,
            Option('dry_run', 'yes'),
            '.',
        )


class TrialWrote(MigopyException):
    """A dry run has written what cannot be taken back; `name` is the migration's.

    `written` says what, as far as that is known.
    """

    has_ways_out = True

    def __init__(self, step: Step, written: str, is_kept: bool) -> None:
        self.name = step.name
        self.written = written
        kept = 'so it is unfinished' if is_kept else 'and the history cannot be told so'
        super().__init__(
            f'The dry run of {step.name} has written past its transaction, or may have:'
            f' {written}. That cannot be taken back, {kept}. Type one of:\n',
            *ways_out(step.name, step.direction, step.migration, step.images is True),
        )
