"""
One signed order, followed to the wallet: each line is read from the part it is about.

The webhook's answer over HTTP, the row from the storage, the wake from the host's log, the
transaction, the block, the event and the balance from the chain itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from azure.data.tables import TableClient

from devstack.console import Console, StepFailed
from devstack.contracts import Devchain
from devstack.stack import FUNCTION_KEY, FunctionsHost, Services
from distributor.model import Address, Hash
from distributor.units import TokenUnits, format_units

T = TypeVar("T")

_PAID_WITHIN_S = 120.0
_LOOK_EACH_S = 0.1
_DECIMALS = 18
_AMOUNT = "12.5"
_WOKE = re.compile(r"Executed '(?:Functions\.)?distribute'")


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedOrder:
    """An order as the shop sends it."""

    order_id: str
    wallet: Address
    body: bytes
    signature: str

    @property
    def amount_units(self) -> TokenUnits:
        return TokenUnits(int(Decimal(json.loads(self.body)["amount"]) * 10**_DECIMALS))


def signed_order(order_id: str, wallet: Address, secret: str) -> SignedOrder:
    """Return an order signed as the shop signs: HMAC-SHA256 over the raw body, in hex."""
    fields = {"order_id": order_id, "wallet": wallet, "amount": _AMOUNT, "tipo": "compra"}
    body = json.dumps(fields, separators=(",", ":")).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return SignedOrder(order_id=order_id, wallet=wallet, body=body, signature=signature)


class Journey:
    """Sends one order and shows its way."""

    def __init__(self, console: Console, services: Services, host: FunctionsHost, host_log: Path) -> None:
        self._console = console
        self._services = services
        self._host = host
        self._host_log = host_log
        self._chain = Devchain(services.deployment)
        self._began = time.monotonic()

    def pay(self, order: SignedOrder) -> None:
        """
        Send *order*, and return when its wallet holds exactly its amount.

        Raises:
            StepFailed: It was not paid in time, or not exactly once, or the event does not name it.
        """
        self._began = time.monotonic()
        before = self._chain.balance_of(order.wallet)
        self._show("order", f"{order.order_id}: {_AMOUNT} BALLX for {order.wallet}, signed with WEBHOOK_SECRET")
        answer = self._ask("/webhook", order)
        self._show("webhook", f"202 Accepted, status {answer['status']}")
        self._show_row(order)
        self._show_wake()
        document = self._follow(order)
        self._show_proof(order, Hash(document["transaction_hash"]), Hash(document["ref_id"]), before)

    def _show_row(self, order: SignedOrder) -> None:
        settings = self._services.settings
        key = f"order:default:{order.order_id}"
        table = settings.get("LEDGER_TABLE", "ledger")
        with TableClient.from_connection_string(self._services.storage.connection_string, table) as client:
            row = client.get_entity(settings["CHAIN_ID"], key)
        self._show("table", f"row {key} in table {table}, amount_units {row['amount_units']}")

    def _show_wake(self) -> None:
        self._until(lambda: _WOKE.search(self._host_log.read_text("utf-8", errors="replace")), "woken")
        self._show("queue", "a message on distributions woke the function distribute")

    def _follow(self, order: SignedOrder) -> Mapping[str, Any]:
        """Show each status once, until the order is paid."""
        shown: set[str] = set()

        def paid() -> Mapping[str, Any] | None:
            document = self._ask(f"/orders/{order.order_id}")
            if document["status"] not in shown:
                shown.add(document["status"])
                self._show_status(document)
            if document["status"] in {"held", "cancelled"}:
                raise StepFailed(f"the order ended {document['status']}: {document['held']}", self._host_log)
            return document if document["status"] == "paid" else None

        return self._until(paid, "paid")

    def _show_status(self, document: Mapping[str, Any]) -> None:
        status = document["status"]
        if status == "submitted":
            self._show(status, f"transaction {document['transaction_hash']}, nonce {document['nonce']}")
        elif status == "mined":
            self._show(status, f"in block {document['block']}; waiting until that block is final")
        elif status == "paid":
            final = int(self._chain.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)
            self._show(status, f"block {document['block']} is final (the chain is final up to {final})")

    def _show_proof(self, order: SignedOrder, tx_hash: Hash, ref_id: Hash, before: TokenUnits) -> None:
        after = self._chain.balance_of(order.wallet)
        paying = [found for found in self._chain.payouts() if found.recipient == order.wallet]
        if after - before != order.amount_units or [found.amount_units for found in paying[-1:]] != [after - before]:
            raise StepFailed(f"the wallet got {after - before} units instead of {order.amount_units}", self._host_log)
        events = [event for event in self._chain.distributed_events() if event.ref_id == ref_id]
        if [event.tx_hash for event in events] != [tx_hash] or _text(ref_id) != order.order_id:
            raise StepFailed(f"the Distributed event of {tx_hash} does not name {order.order_id}", self._host_log)
        self._show("event", f"Distributed(refId = {_text(ref_id)!r}) in {tx_hash}")
        self._show("wallet", f"{format_units(before, _DECIMALS)} -> {format_units(after, _DECIMALS)} BALLX, exactly")

    def _ask(self, path: str, order: SignedOrder | None = None) -> Mapping[str, Any]:
        headers = {"x-functions-key": FUNCTION_KEY}
        if order:
            headers |= {"Content-Type": "application/json", "X-WP-Signature": order.signature}
        request = urllib.request.Request(self._host.url + path, order.body if order else None, headers)  # noqa: S310 -- our own loopback URL
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 -- our own loopback URL
                document: Mapping[str, Any] = json.load(reply)
        except urllib.error.URLError as why:
            detail = why.read().decode() if isinstance(why, urllib.error.HTTPError) else ""
            raise StepFailed(f"{path}: {why} {detail}", self._host_log) from why
        return document

    def _until(self, look: Callable[[], T | None], what: str) -> T:
        deadline = time.monotonic() + _PAID_WITHIN_S
        while time.monotonic() < deadline:
            if found := look():
                return found
            if self._host.process.poll() is not None:
                raise StepFailed("the Functions host ended.", self._host_log)
            time.sleep(_LOOK_EACH_S)
        raise StepFailed(f"the order was not {what} within {_PAID_WITHIN_S:.0f} s.", self._host_log)

    def _show(self, part: str, text: str) -> None:
        self._console.say(f"  {time.monotonic() - self._began:5.2f} s  {part:<10} {text}")


def _text(ref_id: Hash) -> str:
    return bytes.fromhex(ref_id.removeprefix("0x")).rstrip(b"\0").decode("ascii", "replace")
