"""What is said of a user that the server refuses, or of what it may not do."""

from __future__ import annotations

import shlex

from pymongo.errors import OperationFailure

from migopy.codes import (
    AUTHENTICATION_FAILED,
    NO_SUCH_MECHANISM,
    OUTSIDE_STABLE_API,
    UNAUTHORIZED,
    USER_NOT_FOUND,
)
from migopy.commands import Where
from migopy.errors import MigopyException
from migopy.server.lacked import lacked_by
from migopy.server.settings import Settings

#: The settings for the password.
PASSWORDS = ('MONGO_USER_PASS', 'MONGO_USER_PASSWORD')


class AccessDenied(MigopyException):
    """The server refused the user, or what the user wanted to do.

    `is_of_user` is whether it was the user, who can then do nothing there at all.
    """

    def __init__(self, *said: object, is_of_user: bool = False) -> None:
        super().__init__(*said)
        self.is_of_user = is_of_user


def refused(
    error: OperationFailure, reason: str, settings: Settings
) -> AccessDenied | None:
    """Say why a server has refused something; gives `None` for other reasons."""
    where = settings.where
    if error.code == NO_SUCH_MECHANISM or (
        settings.mechanism and 'authentication for mechanism' in reason
    ):
        place = settings.place_of('authMechanism')
        return AccessDenied(
            f'MongoDB at {where} lets nobody log in that way: {reason}.\n'
            f'Correct authMechanism in {place} ',
            Where.of(place),
            ', then type the command again.',
            is_of_user=True,
        )
    by_certificate = settings.mechanism == 'MONGODB-X509'
    if by_certificate and (
        error.code == AUTHENTICATION_FAILED
        or (error.code == USER_NOT_FOUND and '"$external"' in reason)
    ):
        return _no_user_of_certificate(settings)
    if error.code == AUTHENTICATION_FAILED:
        by = (
            f' It is to log in by {settings.mechanism} (authMechanism), which not every'
            ' user can.'
            if settings.mechanism
            else ''
        )
        return AccessDenied(
            f'MongoDB at {where} refused the user name or the password.\n'
            'Correct MONGO_USER and MONGO_USER_PASS (or MONGO_URI) ',
            Where(('MONGO_URI', 'MONGO_USER', *PASSWORDS)),
            '; the user is looked up in the database'
            f' {settings.looked_up_in}, set MONGO_AUTH_SOURCE where it is another.{by}',
            is_of_user=True,
        )
    if error.code == UNAUTHORIZED:
        return _forbidden(error, reason, settings)
    if error.code == OUTSIDE_STABLE_API:
        return AccessDenied(
            f'MongoDB at {where} does not allow this: {reason}.\n'
            'server_api in MONGO_CLIENT_OPTIONS is strict. Take strict=True out of it'
            ' ',
            Where(('MONGO_CLIENT_OPTIONS',)),
            ', then type the command again.',
        )
    return None


def _no_user_of_certificate(settings: Settings) -> AccessDenied:
    file = str(settings.client_options.get('tlscertificatekeyfile') or '')
    if not file:
        place = settings.place_of('tlsCertificateKeyFile')
        return AccessDenied(
            f'MongoDB at {settings.where} was shown no certificate, which is what one'
            ' logs in by with authMechanism=MONGODB-X509.\n'
            f'Set tlsCertificateKeyFile in {place} ',
            Where.of(place),
            ', then type the command again.',
            is_of_user=True,
        )
    name = settings.user_name
    return AccessDenied(
        f'MongoDB at {settings.where} knows no user of the certificate in {file}'
        + (f' whose name is {name}' if name else '')
        + '.\nThe user is to be in $external, and its name is the subject that this'
        ' shows: openssl x509 -noout -subject -nameopt RFC2253'
        f' -in {shlex.quote(file)}\n'
        'Correct tlsCertificateKeyFile ' + ('or the user name ' if name else ''),
        Where(('MONGO_CLIENT_OPTIONS', 'MONGO_URI')),
        ', or have an administrator create that user; then type the command again.',
        is_of_user=True,
    )


def _forbidden(
    error: OperationFailure, reason: str, settings: Settings
) -> AccessDenied:
    user = settings.user_name
    if user is None and settings.mechanism == 'MONGODB-X509':
        user = 'the user of the certificate'
    lacked = lacked_by(error)
    if lacked is None or not lacked.needed:
        if user is None and 'requires authentication' in reason:
            of_certificate = (
                ', or authMechanism=MONGODB-X509 if it is that of the certificate'
                if settings.sets('tlsCertificateKeyFile')
                else ''
            )
            return AccessDenied(
                f'MongoDB at {settings.where} wants a user, and none is set.\n'
                'Set MONGO_USER and MONGO_USER_PASS (or MONGO_URI) ',
                Where(('MONGO_USER', 'MONGO_URI')),
                f'{of_certificate}, then type the command again.',
            )
        advice = (
            lacked.advice
            if lacked
            else 'Give the user the role readWrite on the database'
            f' {settings.database_name}, or set MONGO_USER and MONGO_USER_PASS.'
        )
        return AccessDenied(
            f'MongoDB at {settings.where} does not allow this: {reason}.\n{advice}'
        )
    return AccessDenied(
        f'MongoDB at {settings.where} does not allow {user or "this user"} to run'
        f' {lacked.command}: not authorized on {lacked.database}.\n'
        f'{lacked.advice}' + ('' if user else ' Or set MONGO_USER and MONGO_USER_PASS.')
    )
