"""How problems of files are told: in lines of text, or as annotations of GitHub's."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from migopy.commands import Spelling, spelled
from migopy.run import Problem
from migopy.texts import one_line


def as_text(problem: Problem, message: str) -> str:
    """Set a problem as compilers do: `mongomigrations/002_b.py:3: …`."""
    path = os.path.relpath(problem.path)
    return f'{one_line(path)}:{problem.line}: {message}'


def as_annotation(problem: Problem, message: str) -> str:
    """Set a problem as a workflow command, which GitHub shows beside the line."""
    return annotation('error', problem.path, problem.line, 'migopy', message)


def annotation(level: str, path: str, line: int, title: str, message: str) -> str:
    """Write what is said of a file's line as GitHub's `::error` or another level.

    The path is relative to the checkout. `%`, line ends, and in the path `:` and `,`
    are escaped as GitHub's own toolkit does.
    """
    checkout = os.environ.get('GITHUB_WORKSPACE') or os.getcwd()
    path = os.path.relpath(os.path.realpath(path), os.path.realpath(checkout))
    path = one_line(path).replace('%', '%25').replace(':', '%3A').replace(',', '%2C')
    message = one_line(message).replace('%', '%25')
    return f'::{level} file={path},line={line},title={title}::{message}'


#: The forms in which problems are told, by the name that is typed.
FORMS: dict[str, Callable[[Problem, str], str]] = {
    'text': as_text,
    'github': as_annotation,
}


def lines_of_problems(
    problems: Sequence[Problem], form: str, spelling: Spelling
) -> list[str]:
    """Set problems, a line each, in one of the forms."""
    return [FORMS[form](each, _message(each, spelling)) for each in problems]


def _message(problem: Problem, spelling: Spelling) -> str:
    if problem.next is None:
        return problem.message
    return spelled((problem.message, '. To move them: ', problem.next), spelling)
