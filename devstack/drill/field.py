"""What a drill acts on: the stack's chain and app, asked as an operator asks them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psutil
from azure.data.tables import EdmType, EntityProperty, TableClient

from devstack import paths
from devstack.console import StepFailed
from devstack.contracts import Devchain
from devstack.evm import Evm
from devstack.journey import signed_order
from devstack.stack import FUNCTION_KEY, MASTER_KEY, FunctionsHost, Services, environment
from distributor.model import Address

WITHIN_S: Final = 90.0
_LOOK_EACH_S: Final = 1.0
_AN_HOUR_MS: Final = 3_600_000
_RUNBOOK: Final = paths.ROOT / "docs" / "runbook.md"
_PROGRAM: Final = "python -m distributor "


@dataclass
class Field:
    """The running stack, with the verbs of a drill."""

    services: Services
    """The stack's parts, with the settings that the app runs with now."""
    serving: Callable[[Mapping[str, str]], AbstractContextManager[FunctionsHost]]
    """Start the Functions host with these settings."""
    orders: list[str] = field(default_factory=list)
    """The ids of the orders this drill sent."""
    typed: list[str] = field(default_factory=list)
    """The commands of the runbook that healed it."""
    seen: Mapping[str, Any] = field(default_factory=dict)
    """What /ready answered when an alarm was last looked for."""
    _host: FunctionsHost | None = None
    _running: ExitStack = field(default_factory=ExitStack)
    _first: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._first = self.services.settings

    # the stack ---------------------------------------------------------------------------------

    @property
    def chain(self) -> Devchain:
        return Devchain(self.services.deployment)

    @property
    def url(self) -> str:
        """Where the app answers; nothing while it does not run."""
        return self._host.url if self._host else ""

    @property
    def evm(self) -> Evm:
        return Evm(self.services.chain.url)

    @property
    def chain_process(self) -> psutil.Process:
        return psutil.Process(self.services.chain.process.pid)

    def rpc(self, method: str, *params: Any) -> Any:
        """Ask the chain, as its owner."""
        return self.evm.rpc(method, *params)

    def serve(self, **changed: str) -> None:
        """Run the app with the stack's settings and those *changed*, which a person corrects by leaving them out."""
        self.close()
        self.services = replace(self.services, settings={**self._first, **changed})
        self._host = self._running.enter_context(self.serving(self.services.settings))

    def close(self) -> None:
        """Stop the app."""
        self._running.close()

    def begin(self) -> None:
        """Begin the next drill: its orders are its own."""
        self.orders.clear()
        self.typed.clear()

    # the shop ----------------------------------------------------------------------------------

    def order(self, order_id: str = "") -> str:
        """Send a signed order; return its id. Raises StepFailed if it is not taken."""
        order_id = order_id or new_id()
        signed = signed_order(order_id, self.wallet, self.services.settings["WEBHOOK_SECRET"])
        headers = {"X-WP-Signature": signed.signature, "Content-Type": "application/json"}
        status, answer = self._ask("/webhook", signed.body, headers)
        if status != 202:  # noqa: PLR2004 -- Accepted
            raise StepFailed(f"the order was answered {status}: {answer}")
        self.orders.append(order_id)
        return order_id

    @property
    def wallet(self) -> Address:
        return self.services.deployment.customers[0]

    def document(self, order_id: str) -> Mapping[str, Any]:
        """Return the status document of an order."""
        _, answer = self._ask(f"/orders/{order_id}?code={FUNCTION_KEY}")
        found: Mapping[str, Any] = json.loads(answer)
        return found

    # the operator ------------------------------------------------------------------------------

    def command(self, *arguments: str) -> str:
        """Run a command of the operator; return what it prints."""
        ran = self._run(arguments)
        return ran.stdout + ran.stderr

    def ask(self, *arguments: str) -> Mapping[str, Any]:
        """Return a command's answer to ``--json``."""
        answer: Mapping[str, Any] = json.loads(self._run((*arguments, "--json")).stdout)
        return answer

    def do(self, *arguments: str) -> None:
        """Run a command that must end well. Raises StepFailed."""
        ran = self._run(arguments)
        if ran.returncode:
            raise StepFailed(f"{shlex.join(arguments)} ended with {ran.returncode}: {ran.stdout}{ran.stderr}")

    def ends_well(self, *arguments: str) -> bool:
        """Run a command; say whether it ended with exit code 0."""
        return self._run(arguments).returncode == 0

    def page(self, heading: str) -> None:
        """Type the commands of a page of the runbook as they are written, for the drill's only order."""
        stands_for = {"WHY": "drill", "ORDER": self.orders[0] if self.orders else ""}
        found = re.search(rf"^### {heading}$(.*?)(?=^##)", _RUNBOOK.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        lines = [line for line in found[1].splitlines() if line.startswith(_PROGRAM)] if found else []
        if not lines:
            raise StepFailed(f"the runbook's page {heading} has no command")
        for line in lines:
            words = [stands_for.get(word, word) for word in shlex.split(line.removeprefix(_PROGRAM), comments=True)]
            self.do(*words)
            self.typed.append(f"{_PROGRAM}{shlex.join(words)}")

    def ready(self) -> Mapping[str, Any]:
        """Ask /ready."""
        _, answer = self._ask("/ready")
        found: Mapping[str, Any] = json.loads(answer)
        return found

    def told(self, code: str) -> bool:
        """Say whether /ready has the alarm *code*, which the sweep sent."""
        self.seen = self.ready()
        return code in self.seen["alarms"]

    def all_are(self, status: str) -> bool:
        """Say whether every order of the drill has that status."""
        return all(self.document(order_id).get("status") == status for order_id in self.orders)

    # time --------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Let the minute's timer fire now."""
        headers = {"x-functions-key": MASTER_KEY, "Content-Type": "application/json"}
        self._ask("/admin/functions/sweep", b'{"input": ""}', headers)

    def watch(self) -> None:
        """Let the five minutes of the watch be over; a drill has no time for them."""
        self.age("watch", "watched_ms", _AN_HOUR_MS)

    def age(self, row_key: str, column: str, by_ms: int) -> bool:
        """Let a time in a row of the ledger be so much longer ago; return whether the row has that time."""
        settings = self.services.settings
        table = settings.get("LEDGER_TABLE", "ledger")
        with TableClient.from_connection_string(self.services.storage.connection_string, table) as client:
            row = client.get_entity(settings["CHAIN_ID"], row_key)
            if column not in row:
                return False
            key = {name: row[name] for name in ("PartitionKey", "RowKey")}
            client.update_entity({**key, column: EntityProperty(row[column].value - by_ms, EdmType.INT64)})
            return True

    def until(self, what: str, holds: Callable[[], bool], *, watching: bool = False, sweeping: bool = True) -> None:
        """
        Sweep until *holds*, with the watch due each time if *watching*; without *sweeping* only wait.

        Raises StepFailed after 90 seconds.
        """
        ends = time.monotonic() + WITHIN_S
        while not holds():
            if time.monotonic() > ends:
                raise StepFailed(f"{what}: not within {WITHIN_S:g} s")
            if watching:
                self.watch()
            if sweeping:
                self.sweep()
            time.sleep(_LOOK_EACH_S)

    # -------------------------------------------------------------------------------------------

    def _run(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "distributor", *arguments],
            cwd=paths.ROOT,
            env=environment({**self.services.settings, "CONSOLE_URL": self.url}),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    def _ask(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        if self._host is None:
            raise StepFailed("the app does not run")
        request = urllib.request.Request(f"{self._host.url}{path}", body, dict(headers or {}))  # noqa: S310 -- our own loopback URL
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 -- our own loopback URL
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()


def new_id() -> str:
    """Return an order id that no drill had before."""
    return f"drill-{time.time_ns()}"
