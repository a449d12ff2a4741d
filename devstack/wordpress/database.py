"""A MariaDB for one WordPress: on a socket that only this user reaches, without a network port."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from devstack import servers
from devstack.wordpress.parts import Parts

_LOG_SIZE = "--innodb-log-file-size=8M"
"""The same at both starts: another one is written anew, 96 MB by default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """A running MariaDB that only this user reaches, through *socket*."""

    socket: Path
    process: subprocess.Popen[bytes] = field(repr=False)


@contextmanager
def database(parts: Parts, folder: Path, log: Path | None = None) -> Iterator[Database]:
    """Run a fresh MariaDB with its data in *folder* until the block ends; raises ServerFailed."""
    data = folder / "data"
    with TemporaryDirectory(prefix="wp-") as place:  # a socket's whole path may have 107 bytes
        address = Path(place) / "db"
        _make_tables(parts, data)
        command = [
            *(str(parts.mariadbd), "--no-defaults", *_as_root()),
            *(f"--basedir={parts.mariadbd.parent.parent}", f"--datadir={data}", f"--tmpdir={place}"),
            *(f"--socket={address}", f"--pid-file={place}/pid", "--skip-networking", "--skip-name-resolve"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--skip-log-bin"),
            *(_LOG_SIZE, "--skip-innodb-use-native-aio"),  # io_uring is forbidden in many containers
        ]
        with servers.child("mariadb", command, log=log, environment=parts.environment()) as server:
            servers.wait_until_said(server, "ready for connections")
            yield Database(socket=address, process=server.process)


def _make_tables(parts: Parts, data: Path) -> None:
    base = parts.mariadb_install_db.parent.parent
    command = [
        *(str(parts.mariadb_install_db), "--no-defaults", *_as_root(), f"--basedir={base}", f"--datadir={data}"),
        *("--auth-root-authentication-method=normal", "--skip-test-db", _LOG_SIZE),
    ]
    ended = subprocess.run(
        command, env=parts.environment(), capture_output=True, text=True, check=False, errors="replace"
    )
    if ended.returncode:
        raise servers.ServerFailed(f"MariaDB's tables could not be made:\n{ended.stdout}{ended.stderr}")


def _as_root() -> list[str]:
    """Return what makes MariaDB run as root when we are root; it refuses otherwise."""
    return ["--user=root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
