"""Remote machines for tests: sshd on loopback, each with a home folder of its own.

They log in the user that runs the tests, by a key made for the occasion.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

#: How to get what `sshd()` looks for.
HOW_TO_INSTALL = (
    'these tests need a real sshd: apt-get install openssh-server, or what your '
    'system calls it'
)

#: Where sshd may be though it is not on the PATH of a user.
SBIN = '/usr/sbin:/usr/local/sbin:/sbin'

START_SECONDS = 20
PORTS_TRIED = 10

# Neither the machine's own configuration nor its users' files have a part in it.
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PrintMotd no
PrintLastLog no
UseDNS no
LogLevel VERBOSE
SetEnv HOME="{home}"
"""


@functools.cache
def sshd() -> str | None:
    """Give the path of sshd, which it must be started by; `None` where none is."""
    return shutil.which('sshd') or shutil.which('sshd', path=SBIN)


def make_key(file: Path) -> Path:
    """Make a key of a kind that old and new versions of Paramiko know."""
    command = ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(file)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return file


class Host:
    """A remote machine: an sshd process, on one port for all its life.

    Invariant: only this object starts and ends the sshd, and the sessions that it
    has ended are those of this sshd. A login finds itself in `home`, whose path is
    `~` and which has nothing in it that the test did not put there.
    """

    def __init__(self, folder: Path, key: Path) -> None:
        self.folder = folder
        self.home = folder / 'home'
        self.port = 0
        self.home.mkdir(parents=True)
        make_key(folder / 'host_key')
        shutil.copy(key.with_suffix('.pub'), folder / 'authorized_keys')
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Give what Fabric calls the machine, its host string."""
        return f'{getpass.getuser()}@127.0.0.1:{self.port}'

    @property
    def known(self) -> str:
        """Give the line of `known_hosts` that makes it known."""
        kind, key, *_ = (self.folder / 'host_key.pub').read_text().split()
        return f'[127.0.0.1]:{self.port} {kind} {key}\n'

    @property
    def log(self) -> str:
        """Give what sshd has said, for a failing test's message."""
        return (self.folder / 'log').read_text()

    def start(self) -> None:
        """Start on a free port, and listen there before returning."""
        if os.geteuid() == 0:
            # Where sshd was installed but never run as a service.
            Path('/run/sshd').mkdir(mode=0o755, exist_ok=True)
        for _ in range(PORTS_TRIED):
            self.port = free_port()
            if self._listens():
                return
        raise AssertionError(f'sshd does not start:\n{self.log}')

    def stop(self) -> None:
        """End sshd and its sessions."""
        if self._process is not None:
            self.lose_connections()
            self._process.kill()
            self._process.wait()
            self._process = None

    def sessions(self) -> list[int]:
        """List the processes of sshd that serve a connection."""
        assert self._process is not None
        return [
            pid
            for pid in descendants(self._process.pid)
            if process_name(pid).startswith('sshd')
        ]

    def lose_connections(self) -> None:
        """Kill the sessions, as where the network or a firewall cuts them off."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _listens(self) -> bool:
        config = self.folder / 'config'
        values = {'port': self.port, 'folder': self.folder, 'home': self.home}
        config.write_text(CONFIG.format(**values))
        with (self.folder / 'log').open('wb') as log:
            command = [str(sshd()), '-D', '-e', '-f', str(config)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if 'Server listening' in self.log:
                return True
            time.sleep(0.01)
        self.stop()
        return False


def free_port() -> int:
    """Find a loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """List the children of a process, and theirs."""
    found: list[int] = []
    # One may end while it is looked at.
    with contextlib.suppress(OSError):
        for task in Path(f'/proc/{pid}/task').glob('*/children'):
            for child in task.read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def process_name(pid: int) -> str:
    """Give the name of a process, empty where it has ended."""
    with contextlib.suppress(OSError):
        return Path(f'/proc/{pid}/comm').read_text().strip()
    return ''
