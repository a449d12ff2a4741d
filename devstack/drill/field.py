"""What a drill acts on: the stack's chain and app, asked as an operator asks them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from devstack import paths
from devstack.console import StepFailed
from devstack.evm import Evm
from devstack.journey import signed_order
from devstack.stack import FUNCTION_KEY, MASTER_KEY, FunctionsHost, Services, environment

WITHIN_S: Final = 90.0
_LOOK_EACH_S: Final = 1.0


@dataclass
class Field:
    """The running stack, with the verbs of a drill."""

    services: Services
    host: FunctionsHost
    sent: list[str] = field(default_factory=list)
    seen: Mapping[str, Any] = field(default_factory=dict)
    """What /ready answered when an alarm was last looked for."""

    @property
    def evm(self) -> Evm:
        return Evm(self.services.chain.url)

    @property
    def chain_process(self) -> psutil.Process:
        return psutil.Process(self.services.chain.process.pid)

    def rpc(self, method: str, *params: Any) -> Any:
        """Ask the chain, as its owner."""
        return self.evm.rpc(method, *params)

    def order(self) -> str:
        """Send a signed order; return its id. Raises StepFailed if it is not taken."""
        order_id = f"drill-{time.time_ns()}"
        wallet, secret = self.services.deployment.customers[0], self.services.settings["WEBHOOK_SECRET"]
        signed = signed_order(order_id, wallet, secret)
        headers = {"X-WP-Signature": signed.signature, "Content-Type": "application/json"}
        status, answer = self._ask("/webhook", signed.body, headers)
        if status != 202:  # noqa: PLR2004 -- Accepted
            raise StepFailed(f"the order was answered {status}: {answer}")
        self.sent.append(order_id)
        return order_id

    def command(self, *arguments: str) -> str:
        """Run a command of the operator; return what it prints."""
        ran = subprocess.run(
            [sys.executable, "-m", "distributor", *arguments],
            cwd=paths.ROOT,
            env=environment(self.services.settings),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        return ran.stdout + ran.stderr

    def ready(self) -> Mapping[str, Any]:
        """Ask /ready."""
        _, answer = self._ask("/ready")
        found: Mapping[str, Any] = json.loads(answer)
        return found

    def sweep(self) -> None:
        """Let the minute's timer fire now."""
        headers = {"x-functions-key": MASTER_KEY, "Content-Type": "application/json"}
        self._ask("/admin/functions/sweep", b'{"input": ""}', headers)

    def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Sweep until *holds*. Raises StepFailed after a minute and a half."""
        ends = time.monotonic() + WITHIN_S
        while not holds():
            if time.monotonic() > ends:
                raise StepFailed(f"{what}: not within {WITHIN_S:g} s")
            self.sweep()
            time.sleep(_LOOK_EACH_S)

    def told(self, code: str) -> bool:
        """Say whether /ready has the alarm *code*, which the sweep sent."""
        self.seen = self.ready()
        return code in self.seen["alarms"]

    def all_paid(self) -> bool:
        """Say whether every order of the drill is paid."""
        asked = [self._ask(f"/orders/{order_id}?code={FUNCTION_KEY}")[1] for order_id in self.sent]
        return all(json.loads(answer).get("status") == "paid" for answer in asked)

    def _ask(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        request = urllib.request.Request(f"{self.host.url}{path}", body, dict(headers or {}))  # noqa: S310 -- our own loopback URL
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 -- our own loopback URL
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
