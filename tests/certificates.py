"""Certificates of an authority of one's own, made by the command `openssl`."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import unittest
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from migopy.server import mongod
from tests.server import Server, in_memory, temporary_folder

CONFIGURATION = """
[ca]
default_ca = own
[own]
dir = {folder}
database = $dir/index.txt
serial = $dir/serial
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 2
default_crl_days = 2
policy = any
unique_subject = no
copy_extensions = copy
[any]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
[req]
distinguished_name = none
[none]
"""


NEW_KEY = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1')


class Authority:
    """Signs certificates, of which each is a file that has its key, too."""

    def __init__(self, folder: Path, name: str = 'authority') -> None:
        """Make a new one in a folder that is there; skips the test without openssl."""
        if shutil.which('openssl') is None:
            raise unittest.SkipTest('certificates are made by openssl: apt-get it')
        self.folder = folder
        (folder / 'own.cnf').write_text(CONFIGURATION.format(folder=folder))
        (folder / 'index.txt').touch()
        (folder / 'serial').write_text('1000\n')
        self.file = folder / 'ca.pem'
        self._run(
            *('req', '-x509', '-config', 'own.cnf', '-days', '2', '-nodes'),
            *(*NEW_KEY, '-keyout', 'ca.key', '-out', 'ca.pem'),
            *('-subj', f'/O=migopy/CN={name}'),
            *('-addext', 'basicConstraints=critical,CA:TRUE'),
            *('-addext', 'keyUsage=critical,keyCertSign,cRLSign'),
        )

    def server(self, name: str = 'server', *hosts: str, seconds: float = 3600) -> Path:
        """Make the certificate of a server of these hosts, or of this machine.

        It is good for so many seconds from now; of fewer than 0 it has expired.
        """
        names = ','.join(hosts or ('DNS:localhost', 'IP:127.0.0.1'))
        added = ('-addext', f'subjectAltName={names}')
        return self._signed(name, f'/O=migopy/OU=servers/CN={name}', seconds, *added)

    @staticmethod
    def user_of(name: str) -> str:
        """Give the name in `$external` of the user of a person's certificate."""
        return f'CN={name},OU=people,O=migopy'

    def person(self, name: str, password: str = '', seconds: float = 3600) -> Path:
        """Make a client's; with a password its key is encrypted."""
        subject = f'/O=migopy/OU=people/CN={name}'
        return self._signed(name, subject, seconds, password=password)

    def revoked(self, *certificates: Path) -> Path:
        """Revoke certificates; gives the list of those."""
        for each in certificates:
            self._run('ca', '-config', 'own.cnf', '-revoke', str(each))
        self._run('ca', '-config', 'own.cnf', '-gencrl', '-out', 'crl.pem')
        return self.folder / 'crl.pem'

    def _signed(
        self, name: str, subject: str, seconds: float, *more: str, password: str = ''
    ) -> Path:
        end = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        begin = end - timedelta(days=1)
        self._run(
            *('req', '-new', '-config', 'own.cnf', '-subj', subject, *more),
            *(*NEW_KEY, '-keyout', f'{name}.key', '-out', f'{name}.csr'),
            *(('-passout', f'pass:{password}') if password else ('-nodes',)),
        )
        self._run(
            *('ca', '-config', 'own.cnf', '-batch', '-notext', '-in', f'{name}.csr'),
            *(
                '-out',
                f'{name}.crt',
                '-startdate',
                _time(begin),
                '-enddate',
                _time(end),
            ),
        )
        file = self.folder / f'{name}.pem'
        parts = (self.folder / f'{name}.crt', self.folder / f'{name}.key')
        file.write_text(''.join(each.read_text() for each in parts))
        return file

    def _run(self, *arguments: str) -> None:
        ended = subprocess.run(
            ['openssl', *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, 'OPENSSL_CONF': str(self.folder / 'own.cnf')},
        )
        if ended.returncode:
            raise AssertionError(f'openssl {arguments[0]}: {ended.stderr}')


@contextlib.contextmanager
def set_with_certificates(authority: Authority) -> Iterator[Server]:
    """Run a replica set of one that speaks nothing but TLS, and wants a user.

    It has the user root, with a password in `admin` and with a certificate. A client
    needs no certificate to connect, nor has `uri` of the server given one.
    """
    with temporary_folder(in_memory()) as folder:
        options = (
            *with_certificate(authority.server(), authority),
            *('--auth', '--clusterAuthMode=x509', f'--replSet={mongod.REPLICA_SET}'),
            '--tlsAllowConnectionsWithoutCertificates',
        )
        member = Server(folder, *options)
        try:
            member.start()
            with administrator(authority, member) as client:
                members = [{'_id': 0, 'host': f'127.0.0.1:{member.port}'}]
                config = {'_id': mongod.REPLICA_SET, 'members': members}
                client.admin.command('replSetInitiate', config)
            with administrator(authority, member, directConnection=False) as client:
                # The localhost exception; it waits until there is a primary.
                client.admin.command('createUser', 'root', pwd='root', roles=['root'])
            yield member
        finally:
            member.kill()


def with_certificate(certificate: Path, authority: Authority) -> list[str]:
    """Give the options of a mongod that speaks nothing but TLS."""
    return [
        '--tlsMode=requireTLS',
        f'--tlsCertificateKeyFile={certificate}',
        f'--tlsCAFile={authority.file}',
    ]


def administrator(
    authority: Authority, server: Server, **options: Any
) -> MongoClient[dict[str, Any]]:
    """Give a client of a server with TLS; close it."""
    given = {'directConnection': True, 'tlsCAFile': str(authority.file), **options}
    return MongoClient('127.0.0.1', server.port, **given)


def _time(when: datetime) -> str:
    return f'{when:%Y%m%d%H%M%SZ}'
