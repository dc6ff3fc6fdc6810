"""Certificates: what is wrong with their files, and why a server was not trusted."""

from __future__ import annotations

import os
import shlex
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any

from migopy.commands import Command, Part, Where
from migopy.contents import content_of
from migopy.server.settings import BadSettings, Settings

CA, KEY, REVOKED = 'tlsCAFile', 'tlsCertificateKeyFile', 'tlsCRLFile'
PASSWORD = 'tlsCertificateKeyFilePassword'  # noqa: S105 - the option's name

#: What a file in PEM has of an encrypted key, in the new form and in the old one.
ENCRYPTED = (b'BEGIN ENCRYPTED PRIVATE KEY', b'Proc-Type: 4,ENCRYPTED')

#: What OpenSSL, and PyOpenSSL, say of the certificate of a server.
NOT_TRUSTED = ('certificate verify failed', 'certificate_verify', 'verificationerror')

#: What PyMongo says of a connection that the other side has ended.
ENDED = ('connection closed', 'Connection reset', 'EOF occurred', 'UNEXPECTED_EOF')


def require_password(settings: Settings, make: object) -> None:
    """Refuse an encrypted key without its password: OpenSSL would ask the terminal.

    It would do so anew for each client, of which some are made in the middle of a run.
    Where `make`, which makes them, is a function, that may have the password.
    """
    if not isinstance(make, (type, partial)):
        return
    given = (
        {name.lower() for name in make.keywords} if isinstance(make, partial) else ()
    )
    if PASSWORD.lower() in given or settings.client_options.get(PASSWORD.lower()):
        return
    path = _path(settings, KEY)
    # What is no file may be read only once.
    if path is None or not os.path.isfile(path):
        return
    try:
        content = content_of(path)
    except OSError:
        return  # PyMongo says so as well
    if any(mark in content for mark in ENCRYPTED):
        raise _bad(
            settings,
            PASSWORD,
            f'is not set, and the key in {path} is encrypted',
            verb='Set it in',
        )


def unusable_file(settings: Settings) -> BadSettings | None:
    """Say which file of certificates cannot be used; gives `None` if all can."""
    for option, what in (
        (CA, 'certificate of an authority'),
        (REVOKED, 'list of revoked certificates'),
    ):
        path = _path(settings, option)
        if path is None:
            continue
        try:
            content_of(path)
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except ssl.SSLError:
            return _bad(settings, option, f'cannot be used: no {what} is in {path}')
        except OSError as error:
            reason = f'cannot be read: {error.strerror}: {path}'
            return _bad(settings, option, reason)
    return _unusable_key(settings)


def _unusable_key(settings: Settings) -> BadSettings | None:
    path = _path(settings, KEY)
    if path is None:
        return None
    try:
        content = content_of(path)
    except OSError as error:
        return _bad(settings, KEY, f'cannot be read: {error.strerror}: {path}')
    for mark, what in (
        (b'BEGIN CERTIFICATE', 'certificate'),
        (b'PRIVATE KEY-----', 'private key'),
    ):
        if mark not in content:
            reason = f'cannot be used: no {what} is in {path}, which is to have both'
            return _bad(settings, KEY, f'{reason} a certificate and its key')
    password = str(settings.client_options.get(PASSWORD.lower()) or '')
    try:
        # By a function: for a text that is empty OpenSSL would ask the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
            path, password=lambda: password
        )
    except (ssl.SSLError, OSError):
        if any(mark in content for mark in ENCRYPTED):
            return _bad(settings, PASSWORD, f'is not that of the key in {path}')
        reason = f'cannot be used: the key in {path} does not fit the certificate'
        return _bad(settings, KEY, reason)
    return None


def is_encrypted(settings: Settings) -> bool:
    """Tell whether the settings ask for TLS, as PyMongo reads them."""
    options = settings.client_options
    for name in ('tls', 'ssl'):
        if name in options:
            return str(options[name]).lower() == 'true'
    files = any(name.startswith('tls') for name in options)
    return files or settings.where.startswith('mongodb+srv://')


def what_to_do(reason: str, settings: Settings) -> tuple[Part, ...]:
    """Say what to do about a connection that was made, and failed then.

    `reason` is PyMongo's. Gives nothing where it is of something else than of TLS.
    Nothing that is said has a server trusted that is not known.
    """
    place = settings.place
    lowered = reason.lower()
    if any(each in lowered for each in NOT_TRUSTED):
        return _not_trusted(lowered, settings)
    if 'alert' in lowered and ('certificate' in lowered or 'unknown ca' in lowered):
        return _no_such_client(settings)
    if is_encrypted(settings):
        if 'ssl' in lowered:
            return (
                'It answers, but not by TLS, which is asked for. If it is to be'
                ' encrypted, have it speak TLS (mongod --tlsMode). If it is not, take'
                f' tls out of {settings.place_of("tls")} ',
                Where.of(settings.place_of('tls')),
            )
        if _is_ended(reason):
            return _no_such_client(settings)
    elif _is_ended(reason):
        return (
            'It took the connection and ended it. If it speaks nothing but TLS, set'
            f' tls=true in {settings.place_of("tls")} ',
            Where.of(settings.place_of('tls')),
            '. If what listens there is no MongoDB, or a tunnel that leads to none,'
            f' correct {place}',
        )
    return ()


def _not_trusted(lowered: str, settings: Settings) -> tuple[Part, ...]:
    place = settings.place
    ca = settings.place_of(CA)
    if 'mismatch' in lowered or "doesn't match" in lowered:
        return (
            f'Its certificate is for other names. Have one of those in {place} ',
            Where.of(place),
            ' (the members of a replica set have those of rs.conf() in mongosh), or'
            ' give it a certificate for this one',
        )
    if 'crl' in lowered:
        at = settings.place_of(REVOKED)
        return f'Correct {REVOKED} in {at} ', Where.of(at)
    if 'revoked' in lowered:
        return ('Its certificate is revoked. Give the server another one',)
    if 'expired' in lowered or 'not yet valid' in lowered:
        return (
            'If the clock of this machine is right, give the server another'
            ' certificate',
        )
    if _path(settings, CA) is None:
        return (
            'No authority that is known here has signed its certificate. Set'
            f' {CA}, the file of the authority that did, in {ca} ',
            Where.of(ca),
        )
    return (
        f'None of the authorities in {CA} has signed its certificate. If it is the'
        f' server that is meant, correct {CA} in {ca} ',
        Where.of(ca),
    )


def _no_such_client(settings: Settings) -> tuple[Part, ...]:
    at = settings.place_of(KEY)
    path = _path(settings, KEY)
    if path is None:
        return (
            'It ended the connection when TLS was agreed on, so it may want a'
            f' certificate. Set {KEY} in {at} ',
            Where.of(at),
        )
    return (
        'It ended the connection when TLS was agreed on, so it may refuse the'
        f' certificate in {path}: its log says why. Look at it (openssl x509 -noout'
        f' -dates -issuer -in {shlex.quote(path)}), correct {KEY} in {at} ',
        Where.of(at),
    )


def _is_ended(reason: str) -> bool:
    return any(each in reason for each in ENDED)


def _bad(
    settings: Settings, option: str, reason: str, verb: str = 'Correct'
) -> BadSettings:
    place = settings.place_of(option)
    return BadSettings(
        f'{option} {reason}.\n{verb} {place} ',
        Where.of(place),
        ', then type: ',
        Command(),
    )


def _path(settings: Settings, option: str) -> str | None:
    options: Mapping[str, Any] = settings.client_options
    value = options.get(option.lower())
    if not isinstance(value, (str, os.PathLike)) or not value:
        return None
    return os.path.join(settings.base, os.fspath(value))
