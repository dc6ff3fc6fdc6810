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
        115,  # CommandNotSupported
        168,  # InvalidPipelineOperator
        263,  # OperationNotSupportedInTransaction
        323,  # APIStrictError
        15955,  # a `$group` without an `_id`
        31082,  # SearchNotEnabled
        31325,  # an unknown expression in a `$project`
        40324,  # an unknown stage of a pipeline
        40414,  # a field of the command is missing
        40415,  # an unknown field of the command
        40601,  # an `$out` or a `$merge` that is not the last stage
        51183,  # a `$merge` on what has no unique index
        50791,  # a write to `system.js` in a transaction
    ]
)

#: Errors after which a command that does one thing has done nothing.
NOT_DONE = frozenset(
    [
        2,  # BadValue
        5,  # GraphContainsCycle: a view of itself
        FAILED_TO_PARSE,
        11,  # UserNotFound
        14,  # TypeMismatch
        20,  # IllegalOperation
        26,  # NamespaceNotFound
        27,  # IndexNotFound
        28,  # PathNotViable
        31,  # RoleNotFound
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
        165,  # ViewDepthLimitExceeded
        166,  # CommandNotSupportedOnView
        167,  # OptionNotSupportedOnView
        171,  # CannotIndexParallelArrays
        197,  # InvalidIndexSpecificationOption
        201,  # CannotBuildIndexKeys: an array beside a text
        241,  # ConversionFailure
        359,  # CannotConvertIndexToUnique
        11000,  # DuplicateKey
        13027,  # a place outside of a `2d`
        13068,  # half a place, for a `2d`
        16755,  # no place on earth, for a `2dsphere`
        16766,  # an array, for a hashed index
        16804,  # no place, for a `2d`
        17152,  # an `$out` into a capped collection
        17261,  # a language that is no text, for a text index
        17262,  # a language that is not known, for a text index
        51002,  # the role is there already
        51003,  # the user is there already
    ]
)

#: The commands that do one thing, or meet such an error before they begin. insert,
#: update and delete are among them: they report the errors of single documents in a
#: reply that succeeded.
ATOMIC = frozenset(
    """
    collMod convertToCapped create createIndexes createRole createUser delete
    deleteIndexes drop dropDatabase dropIndexes dropRole dropUser findAndModify
    findandmodify grantPrivilegesToRole grantRolesToRole grantRolesToUser insert
    renameCollection revokePrivilegesFromRole revokeRolesFromRole revokeRolesFromUser
    update updateRole updateUser
    """.split()  # noqa: SIM905
)

#: Where a command has its statements or its documents.
STATEMENTS = {'insert': 'documents', 'update': 'updates', 'delete': 'deletes'}

#: Errors of a server that is not the primary; it may have been when it began.
NOT_PRIMARY = frozenset([10107, 13435, 13436])


def was_refused(name: str, command: Document, failure: Document) -> bool:
    """Tell whether an error proves that nothing was written."""
    if 'NoWritesPerformed' in failure.get('errorLabels', ()):
        return True
    if 'ok' not in failure:
        # A lost connection, or a write concern that was not met.
        return False
    if by_shard := failure.get('raw'):
        # A router tells one error, and some shards may have done it.
        return all(was_refused(name, command, each) for each in by_shard.values())
    code = failure.get('code')
    return (
        code in NEVER_BEGUN
        or (code in NOT_DONE and (name in ATOMIC or _is_exchange(name, command)))
        or (code in NOT_PRIMARY and _is_for_one(name, command))
    )


def _is_exchange(name: str, command: Document) -> bool:
    """Tell whether it is an `$out`, whose collection takes its place at the end."""
    pipeline = command.get('pipeline')
    return name == 'aggregate' and pipeline is not None and '$out' in pipeline[-1]


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


def reason_of(failure: Document) -> str:
    """Name an error in a word or two."""
    if 'errtype' in failure:
        # An exception in place of an answer; its name depends on PyMongo's release.
        return NO_ANSWER
    return str(failure.get('codeName') or f'error {failure.get("code")}')
