"""Errors of a server that decide what comes next, by their numbers and labels."""

from __future__ import annotations

FAILED_TO_PARSE = 9
USER_NOT_FOUND = 11
UNAUTHORIZED = 13
AUTHENTICATION_FAILED = 18
NAMESPACE_NOT_FOUND = 26
NAMESPACE_EXISTS = 48
INVALID_OPTIONS = 72
#: Another transaction has written to the document.
WRITE_CONFLICT = 112
#: A set has no such write concern, or has not so many members that keep data.
NO_SUCH_CONCERN = frozenset({79, 100})
#: A validator refuses the document.
NOT_VALID = 121
NOT_ON_A_VIEW = 166
NOT_IN_TRANSACTION = 263
OUTSIDE_STABLE_API = 323
#: The server lets nobody log in by that mechanism.
NO_SUCH_MECHANISM = 334
DUPLICATE_KEY = 11000

#: The label of errors after which a transaction may be tried again.
TRANSIENT = 'TransientTransactionError'

#: A transaction is over, also for its time limit (NoSuchTransaction,
#: TransactionExceededLifetimeLimitSeconds).
TRANSACTION_OVER = frozenset({251, 290})

#: It is too large for one transaction (TransactionTooLarge and the same `ForCache`).
TOO_LARGE = frozenset({257, 388})

#: It does not sort so much in memory: 100 MB, before 6.0 (the second before 4.4).
TOO_LARGE_TO_SORT = frozenset({292, 16819})

#: No transaction can do it, or hold all of it (IllegalOperation; writes to `system.js`
#: and reads of `system.views` have codes of their own).
NEVER_IN_TRANSACTION = frozenset({20, NOT_IN_TRANSACTION, 50791, 51071}) | TOO_LARGE

#: A unique index or a validator refuses a document.
OF_CONSTRAINTS = frozenset({DUPLICATE_KEY, NOT_VALID})

#: The server does not know a command, a stage, a variable or a kind of update, or it
#: takes no write that may be sent again: an old one, or none of MongoDB's own.
NOT_KNOWN = frozenset(
    {FAILED_TO_PARSE, 20, 59, 115, 168, 238, 301, 303, 304, 17276, 40324}
)
