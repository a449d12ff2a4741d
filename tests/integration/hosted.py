"""A running host for tests: started as its own process, as a person starts it."""

import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from devstack import paths
from devstack.servers import Child, child, wait_until_said

T = TypeVar("T")
RUNTIME = paths.STATE / "runtime"
UNLIMITED = {"RATE_LIMIT_PER_ADDRESS": "0", "RATE_LIMIT_PER_SOURCE": "0"}
"""A test asks as fast as it can, unless the limits are what it is about."""


PATIENCE_S = 180.0
"""How long a test waits for what must come: enough for a slow machine, and never what a test asserts."""

PORT_SETTING = "HOST_PORT"
"""A port of its own for a host that is started again when it ends; without it the end is the end."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """A host, and the ways to talk to it."""

    url: str
    server: Child

    @property
    def log(self) -> str:
        return self.server.log.read_text("utf-8")

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; an error status is a reply, not an exception."""
        request = urllib.request.Request(self.url + path, body, dict(headers or {}), method=method)  # noqa: S310 -- loopback
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 -- loopback
                return Reply(status=reply.status, headers=dict(reply.headers), body=reply.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return Reply(status=refused.code, headers=dict(refused.headers), body=refused.read())


@contextmanager
def hosted(app: Path, settings: Mapping[str, str], log: Path) -> Iterator[Hosted]:
    """Run the host on *app* with *settings* until the block ends."""
    if not RUNTIME.exists():
        missing = f"{RUNTIME} is not there: run python3 -m devstack up"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    port = settings.get(PORT_SETTING, "0")
    command = [sys.executable, "-m", "devstack.host", "--app", str(app), "--no-local-settings"]
    command += ["--port", port, *(["--restart"] if port != "0" else [])]
    environment = {
        **os.environ,
        "PYTHONPATH": str(paths.ROOT),
        "DEVSTACK_FUNCTION_KEY": "the-key",
        "DEVSTACK_HOST_KEY": "host-key",
        "DEVSTACK_MASTER_KEY": "master-key",
        "DEVSTACK_STOP_S": "2",
        "AzureFunctionsWebHost__hostid": secrets.token_hex(8),  # the storage is shared, the timers are not
        **UNLIMITED,
        **settings,
    }
    with child("host", [*command, "--runtime", str(RUNTIME)], log=log, environment=environment) as server:
        port = wait_until_said(server, r"Host started on http://127\.0\.0\.1:(\d+)")[1]
        yield Hosted(url=f"http://127.0.0.1:{port}", server=server)


def until(look: Callable[[], T | None], *, timeout_s: float = PATIENCE_S) -> T:
    """Return the first thing *look* finds; fail when it finds nothing in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    pytest.fail(f"not seen within {timeout_s} s")
