"""`mongodump` and `mongorestore`, connected as PyMongo is, with no secret in sight."""

from __future__ import annotations

import json
import os
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from migopy.dumps.format import Say
from migopy.errors import listing
from migopy.secrets import redacted, secrets_in
from migopy.server import ServerUri, is_uri

# The options of PyMongo that decide which server is reached, as whom, and how. The
# tools have the same names for them.
_OPTIONS = (
    'authMechanism',
    'authMechanismProperties',
    'authSource',
    'compressors',
    'connectTimeoutMS',
    'directConnection',
    'loadBalanced',
    'replicaSet',
    'serverSelectionTimeoutMS',
    'srvMaxHosts',
    'srvServiceName',
    'tls',
    'tlsCAFile',
    'tlsCertificateKeyFile',
    'tlsCertificateKeyFilePassword',
    'tlsDisableOCSPEndpointCheck',
    'tlsInsecure',
)

_SPELLINGS = {
    **{name.lower(): name for name in _OPTIONS},
    'ssl': 'tls',
    # The tools have one word for all that may be left unverified.
    'tlsallowinvalidcertificates': 'tlsInsecure',
    'tlsallowinvalidhostnames': 'tlsInsecure',
}

# With these mechanisms the URI's path does not say where the user is looked up.
_EXTERNAL = ('GSSAPI', 'MONGODB-AWS', 'MONGODB-OIDC', 'MONGODB-X509')

_END_SECONDS = 10.0


class ToolFailed(Exception):
    """A tool did not end well; the text is the reason, without secrets."""


class Connection:
    """What `MongoClient` was given, so that the tools reach the same server as it.

    Invariant: no text made from it shows a secret, but for `uri()`, which only a tool's
    pipe gets.
    """

    def __init__(
        self, host: str = 'localhost', port: int = 27017, **options: Any
    ) -> None:
        """Take the arguments of `MongoClient`: a host or a URI, a port, options."""
        self._scheme = 'mongodb'
        path = ''
        if is_uri(host):
            uri = ServerUri.of(host)
            self._scheme, self._hosts, path = uri.scheme, uri.hosts, uri.database
            user = {'username': uri.user, 'password': uri.password}
            options = {**user, **uri.options, **options}
        else:
            self._hosts = ','.join(_address(one, port) for one in host.split(','))
        given = {name.lower(): value for name, value in options.items()}
        self._user: str | None = given.get('username')
        self._password: str | None = given.get('password')
        self._secrets = secrets_in(given)
        self._revocations: str | None = given.get('tlscrlfile')
        self._options = {
            _SPELLINGS[name]: _option_text(value)
            for name, value in sorted(given.items())
            if name in _SPELLINGS and value not in (None, '', False, 'false')
        }
        # With mongodb+srv the DNS may say where, which PyMongo and the tools ask for.
        external = self._options.get('authMechanism') in _EXTERNAL
        if self._user and path and self._scheme == 'mongodb' and not external:
            self._options.setdefault('authSource', path)

    def __repr__(self) -> str:
        return f'Connection({self._scheme}://{self._hosts})'

    def uri(self, replica_set: str | None = None) -> str:
        """Give the URI for the tools, with the password, without a database.

        Unlike PyMongo, a tool that is not told the replica set's name stays with the
        host it was given, also where that is not the primary.
        """
        options = dict(self._options)
        if replica_set and not {'directConnection', 'loadBalanced'} & set(options):
            options.setdefault('replicaSet', replica_set)
        user = _quoted(self._user) if self._user else ''
        if self._password:
            user += f':{_quoted(self._password)}'
        query = '&'.join(f'{name}={_quoted(text)}' for name, text in options.items())
        return f'{self._scheme}://{user}{"@" if user else ""}{self._hosts}/?{query}'

    @property
    def arguments(self) -> list[str]:
        """Give the tools' arguments for what has no place in a URI."""
        return [f'--sslCRLFile={self._revocations}'] if self._revocations else []

    def redact(self, text: str) -> str:
        """Put `***` for each secret in a text, plain or as a URI spells it."""
        return redacted(text, self._secrets)


class Tool:
    """`mongodump` or `mongorestore`.

    Invariant: secrets are in a pipe that it reads, and nowhere else; nothing is left of
    them, whatever is killed.
    """

    def __init__(
        self, path: str, connection: Connection, replica_set: str | None, say: Say
    ) -> None:
        self.path = path
        self._connection = connection
        self._replica_set = replica_set
        self._say = say

    def run(self, *arguments: str) -> None:
        """Run it to its end, passing on its lines as they come.

        Raises `ToolFailed` where it does not start or ends with a status that is not 0.
        An exception that comes in between ends it.
        """
        uri = self._connection.uri(self._replica_set)
        reading, writing = os.pipe()
        try:
            # JSON is YAML, which the tools expect. It is far shorter than a pipe.
            with open(writing, 'w', encoding='utf-8') as file:
                json.dump({'uri': uri}, file)
            fixed = [f'--config=/dev/fd/{reading}', *self._connection.arguments]
            self._run([self.path, *fixed, *arguments], reading)
        finally:
            os.close(reading)

    def _run(self, command: Sequence[str], config: int) -> None:
        try:
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,  # it fails rather than ask for a password
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors='replace',
                pass_fds=[config],
            )
        except OSError as error:
            raise ToolFailed(f'{self.path} does not start: {error.strerror}') from error
        last: deque[str] = deque(maxlen=5)
        with process:
            try:
                for line in process.stdout or ():
                    last.append(self._connection.redact(line.rstrip()))
                    self._say(last[-1])
                status = process.wait()
            except BaseException:
                _end(process)
                raise
        if status != 0:
            words = listing(list(last)) or '  (none)'
            raise ToolFailed(
                f'{self.path} ended with status {status}. Its last words:\n{words}'
            )


def _address(host: str, port: int) -> str:
    """Spell a host as a URI does: IPv6 in brackets, the path of a socket quoted."""
    if host.startswith('/'):
        return _quoted(host)
    if host.count(':') > 1 and not host.startswith('['):
        host = f'[{host}]'
    has_port = ':' in host.rpartition(']')[2]
    return host if has_port else f'{host}:{port}'


def _option_text(value: object) -> str:
    if isinstance(value, Mapping):
        return ','.join(f'{name}:{_option_text(one)}' for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ','.join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    return quote(text, safe='')


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
