"""Another node before the stack's own, which shows what the drill says."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from devstack import paths
from devstack.console import StepFailed
from devstack.stack import free_port

_WITHIN_S = 30.0


class SecondNode:
    """A proxy that runs beside the chain from ``start`` to ``stop``."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self, upstream: str) -> None:
        """Start it before the node at *upstream*. Raises StepFailed if it does not answer within 30 s."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "devstack.bor.proxy", "--upstream", upstream, "--port", str(port)]
        self._process = subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.DEVNULL)
        ends = time.monotonic() + _WITHIN_S
        while not self._answers():
            if time.monotonic() > ends:
                raise StepFailed("the second node did not start")
            time.sleep(0.2)

    def tell(self, method: str, *params: Any) -> None:
        """Tell it what to do: a ``proxy_…`` method."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310 -- our own loopback URL
        with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310 -- our own loopback URL
            reply.read()

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            self.tell("proxy_status")
        except (urllib.error.URLError, OSError):
            return False
        return True
