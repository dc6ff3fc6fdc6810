"""Tell by an error whether the command may have done anything before it failed."""

from __future__ import annotations

from migopy.codes import FAILED_TO_PARSE
from migopy.effects.tally import Document

NO_ANSWER = 'no answer'

#: Errors that any command meets before it does anything.
NEVER_BEGUN = frozenset(
    [
        13,  # Unauthorized
        16,  # InvalidLength: a batch with no statement in it, or with too many
        59,  # CommandNotFound
        263,  # OperationNotSupportedInTransaction
        40324,  # an unknown stage of a pipeline
        40414,  # a field of the command is missing
        40415,  # an unknown field of the command
        50791,  # a write to `system.js` in a transaction
    ]
)

#: Errors after which a command that does one thing has done nothing.
NOT_DONE = frozenset(
    [
        2,  # BadValue
        FAILED_TO_PARSE,
        14,  # TypeMismatch
        20,  # IllegalOperation
        26,  # NamespaceNotFound
        27,  # IndexNotFound
        28,  # PathNotViable
        40,  # ConflictingUpdateOperators
        48,  # NamespaceExists
        52,  # DollarPrefixedFieldName
        53,  # InvalidIdField
        54,  # NotSingleValueField
        56,  # EmptyFieldName
        57,  # DottedFieldName
        66,  # ImmutableField
        67,  # CannotCreateIndex
        72,  # InvalidOptions
        73,  # InvalidNamespace
        85,  # IndexOptionsConflict
        86,  # IndexKeySpecsConflict
        121,  # DocumentValidationFailure
        166,  # CommandNotSupportedOnView
        11000,  # DuplicateKey
    ]
)

#: The commands that do one thing. insert, update and delete are among them: they report
#: the errors of single documents in a reply that succeeded.
ATOMIC = frozenset(
    """
    create createIndexes delete deleteIndexes drop dropIndexes findAndModify
    findandmodify insert renameCollection update
    """.split()  # noqa: SIM905
)

#: Errors of a server that is not the primary; it may have been when it began.
NOT_PRIMARY = frozenset([10107, 13435, 13436])


def was_refused(name: str, command: Document, failure: Document) -> bool:
    """Tell whether an error proves that nothing was written."""
    if 'NoWritesPerformed' in failure.get('errorLabels', ()):
        return True
    if 'ok' not in failure:
        # A lost connection, or a write concern that was not met.
        return False
    code = failure.get('code')
    return (
        code in NEVER_BEGUN
        or (code in NOT_DONE and name in ATOMIC)
        or (code in NOT_PRIMARY and _is_for_one(name, command))
    )


def _is_for_one(name: str, command: Document) -> bool:
    """Tell whether a command writes one document at most."""
    if name in ('findAndModify', 'findandmodify'):
        return True
    statements = command.get(STATEMENTS.get(name, ''), ())
    if len(statements) != 1:
        return False
    return name == 'insert' or not (
        statements[0].get('multi') or statements[0].get('limit') == 0
    )


STATEMENTS = {'insert': 'documents', 'update': 'updates', 'delete': 'deletes'}


def reason_of(failure: Document) -> str:
    """Name an error in a word or two."""
    if 'errtype' in failure:
        # An exception in place of an answer; its name depends on PyMongo's release.
        return NO_ANSWER
    return str(failure.get('codeName') or f'error {failure.get("code")}')
