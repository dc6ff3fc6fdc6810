"""The same command on a remote machine, through Fabric 1's `run()`.

Like `fab`, the one that imports this room, it imports Fabric 1.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from fabric.api import cd, hide, prefix, settings, shell_env, show
from fabric.api import run as fabric_run
from fabric.exceptions import CommandTimeout, NetworkError
from fabric.network import ssh
from fabric.state import connections, env, output

from migopy.face import hosts
from migopy.face.hosts import HostFailed, lost, require_utf8
from migopy.face.in_json import relay
from migopy.face.sent import taken

#: Machines, each with a key that a person has been told of in this process.
TOLD: set[tuple[str, str]] = set()


def is_sent() -> bool:
    """Tell whether another machine's migopy began this command, to be run here."""
    return taken() is not None


def is_turn_of_another_host() -> bool:
    """Tell whether Fabric repeats this task, and it is not the first host's turn."""
    all_hosts = env.get('all_hosts')
    return bool(all_hosts) and env.host_string != all_hosts[0]


def connect() -> list[str]:
    """Connect to the machine that Fabric has for this task, if it is not connected.

    Gives a sentence for each machine on the way, gateways too, whose key Fabric has
    accepted without knowing it; each is given once in a process. Raises `HostFailed`.
    """
    host = str(env.host_string)
    with settings(keepalive=env.keepalive or hosts.KEEPALIVE), named(host):
        connections[host]  # connects
    told = []
    for name, client in connections.items():
        # Fabric loads what is known into another list than the one that it adds to.
        for keys in client.get_host_keys().values():
            for key in keys.values():
                shown = hosts.key_shown(key.get_name(), key.asbytes())
                if (name, shown) not in TOLD:
                    TOLD.add((name, shown))
                    told.append(hosts.accepted_unknown(name, shown))
    return told


def run(
    command: str,
    directory: str,
    preparation: str | None,
    sent: str,
    in_json: bool = False,
) -> None:
    """Run a shell command in a folder of the machine that Fabric has for this task.

    `preparation` is a command to begin with, `sent` what the command brings along.
    What they write appears here line by line as it comes, behind the machine's name;
    with `in_json` lines of JSON alone on stdout. Raises `HostFailed` unless all ends
    well.
    """
    host = str(env.host_string)
    require_utf8(host, command)
    write_whole_lines()
    contexts = [
        hide('warnings'),
        cd(directory),
        shell_env(**environment(sent, in_json)),
    ]
    if in_json:
        contexts += [show('stdout'), settings(output_prefix=False)]
    if preparation:
        contexts.append(prefix(preparation))
    keepalive = env.keepalive or hosts.KEEPALIVE
    with (
        settings(*contexts, keepalive=keepalive),
        named(host),
        relay(host, in_json) as to,
    ):
        result = fabric_run(command, warn_only=True, shell_escape=True, stdout=to)
    if result.failed:
        raise failure(host, result)


def write_whole_lines() -> None:
    """Have each line written whole, as soon as it comes.

    Where stdout is a file or a pipe, Fabric leaves the lines of parallel tasks in the
    buffer until they end.
    """
    # Something else may stand in for stdout.
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def environment(sent: str, is_plain: bool = False) -> dict[str, str]:
    """Give the remote command's environment variables, the fabfile's among them."""
    return {**env.shell_env, **hosts.environment(sent, is_plain)}


@contextlib.contextmanager
def named(host: str) -> Iterator[None]:
    """Raise `HostFailed` for what goes wrong with the connection in the block.

    Errors that Fabric has told already, such as that it must not ask for a password,
    and those that it is set to handle (`--skip-bad-hosts`) are passed on as they are.
    """
    try:
        yield
    except NetworkError as error:
        if env.skip_bad_hosts or env.use_exceptions_for['network']:
            raise
        raise HostFailed(host, f'no connection. {error}') from error
    except CommandTimeout as error:
        raise hosts.too_slow(host, error.timeout) from error
    except SystemExit as error:
        if error.code:
            raise
        # Fabric ends with success where a server breaks off the first handshake.
        raise HostFailed(host, 'closed the connection at once.') from error
    except EOFError as error:
        if host in connections:
            raise lost(host) from error
        reason = 'asks for a password, and there is nobody to type it.'
        raise HostFailed(host, reason) from error
    except (ssh.SSHException, OSError) as error:
        raise HostFailed(host, f'the connection failed. {error}') from error


def failure(host: str, result: Any) -> HostFailed:
    """Say how a remote command failed."""
    status = result.return_code
    if status == hosts.NO_STATUS:
        return hosts.killed(host) if is_connected(host) else lost(host)
    return hosts.ended_with(host, status, '' if output.stdout else str(result))


def is_connected(host: str) -> bool:
    """Tell whether a connection is open; one that is closing is given time for that."""
    transport = connections[host].get_transport()
    transport.join(hosts.ENDING)
    return bool(transport.is_active())
