"""A logger for all that is said, which gets no secrets and no control characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from migopy.secrets import redacted
from migopy.terminal import ColorsLogger
from migopy.texts import fit, text_of


class KeptLines:
    """A logger that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def white(self, message: object) -> None:
        """Keep a message."""
        self.said.append(str(message))

    white_bold = red = green = white


class Voice:
    """A manager's logger for what migopy says.

    Invariant: what the logger gets has no control characters but line ends and tabs,
    and no secrets, whatever a database or a migration has put into it. A quiet voice
    says only errors and what was asked for.
    """

    def __init__(
        self,
        logger: Any,
        secrets: Sequence[str] = (),
        is_quiet: bool = False,
        is_answer: bool = False,
    ) -> None:
        """Take the logger, and what is shown as `***` in whatever is said.

        `is_answer`: what it says is what a command was asked to show.
        """
        self._logger = logger
        self._secrets = secrets
        self.is_quiet = is_quiet
        self._is_answer = is_answer

    @property
    def results(self) -> Voice:
        """Give the voice for what a command was asked to show.

        On stdout, for `| grep` and `| less`, unless the fabfile has its own logger.
        """
        logger = self._logger if self.is_custom else ColorsLogger('stdout')
        return Voice(logger, self._secrets, self.is_quiet, is_answer=True)

    @property
    def is_custom(self) -> bool:
        """Tell whether the fabfile has a logger of its own."""
        return type(self._logger) is not ColorsLogger

    @property
    def on_terminal(self) -> Voice:
        """Give the voice for what must be kept in no log: never the fabfile's logger.

        It writes to stderr, so that the order of all that is said stays.
        """
        return Voice(ColorsLogger(), self._secrets)

    def white(self, message: object) -> None:
        """Say something."""
        if self._is_answer or not self.is_quiet:
            self._logger.white(self.fitted(message))

    def white_bold(self, message: object) -> None:
        """Say something of weight."""
        if self._is_answer or not self.is_quiet:
            self._logger.white_bold(self.fitted(message))

    def red(self, message: object) -> None:
        """Say an error, or a migration that has not run."""
        self._logger.red(self.fitted(message))

    def green(self, message: object) -> None:
        """Say that all is well."""
        if not self.is_quiet:
            self._logger.green(self.fitted(message))

    def fitted(self, message: object) -> str:
        """Give a text as it may be shown."""
        return redacted(fit(text_of(message)), self._secrets)
