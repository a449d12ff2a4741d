"""
The shop of a soak: it posts orders all the time, and each again until it is answered.

As a real shop does, it repeats on 5xx and on a broken connection, and now and then sends an order
that was accepted already. Every order has an amount of its own, so that the token's events alone tell
which order they pay.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from random import Random

from devstack.console import StepFailed
from distributor.model import Address
from distributor.units import TokenUnits
from foundation.clock import UnixMs, system_clock

POST_TIMEOUT_S = 15
REPEAT_AFTER_S = 1.0
SENDERS = 8
"""Requests of the shop at once."""
PAUSE_LONGEST_S = 2.0
BURST_CHANCE, BURST_ORDERS = 0.02, 20
"""Now and then more orders at once than the slots of one operator."""
AGAIN_CHANCE = 0.1
"""How often an accepted order is sent once more."""
_TOKEN_UNITS = 10**18


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """An order that the shop owes a customer."""

    order_id: str
    wallet: Address
    amount_units: TokenUnits
    placed_ms: UnixMs

    def body(self) -> bytes:
        whole, units = divmod(self.amount_units, _TOKEN_UNITS)
        fields = {"order_id": self.order_id, "wallet": self.wallet, "amount": f"{whole}.{units:018d}"}
        return json.dumps(fields).encode()


class Shop:
    """
    Posts orders until it closes.

    Args:
        url: Where a host answers now; another place after each restart.
        secret: What the shop signs with, until it is given another one.
        customers: The wallets.
        seed: The same seed gives the same orders.
        burst: How many orders come at once, now and then.
    """

    def __init__(
        self,
        url: Callable[[], str],
        secret: str,
        customers: Sequence[Address],
        seed: int,
        *,
        burst: int = BURST_ORDERS,
    ) -> None:
        self.placed: list[Placed] = []
        self.secret = secret
        """What the next request is signed with."""
        self._url, self._customers, self._burst = url, customers, burst
        self._chance = Random(f"shop {seed}")  # noqa: S311 -- a run that can be repeated, no secret
        self._closed, self._abandoned = threading.Event(), threading.Event()
        self._posts, self._posted = 0, threading.Lock()

    @property
    def posts(self) -> int:
        """How often the webhook was asked, answered or not."""
        return self._posts

    @contextmanager
    def open(self) -> Iterator[None]:
        """Post orders beside the block; when it ends, return once every order was answered. Raises StepFailed."""
        with ThreadPoolExecutor(SENDERS + 1, thread_name_prefix="shop") as senders:
            selling = senders.submit(self._sell, senders)
            try:
                yield
            except BaseException:
                self._abandoned.set()  # nobody may ever answer again
                raise
            finally:
                self._closed.set()
            for delivery in selling.result():
                delivery.result()

    def _sell(self, senders: ThreadPoolExecutor) -> Sequence[Future[None]]:
        deliveries: list[Future[None]] = []
        while not self._closed.wait(self._chance.uniform(0, PAUSE_LONGEST_S)):
            for _ in range(self._burst if self._chance.random() < BURST_CHANCE else 1):
                order, again = self._order(), self._chance.random() < AGAIN_CHANCE
                self.placed.append(order)
                deliveries.append(senders.submit(self._deliver, order, again=again))
        return deliveries

    def _order(self) -> Placed:
        number = len(self.placed) + 1
        return Placed(
            order_id=f"SOAK-{number}",
            wallet=self._chance.choice(self._customers),
            amount_units=TokenUnits(_TOKEN_UNITS + number),
            placed_ms=system_clock(),
        )

    def _deliver(self, order: Placed, *, again: bool) -> None:
        """Send *order* until it is answered, and *again* after that: the answer is then that it is known."""
        self._answered(order, {HTTPStatus.ACCEPTED, HTTPStatus.OK})
        if again:
            self._answered(order, {HTTPStatus.OK})

    def _answered(self, order: Placed, good: set[HTTPStatus]) -> None:
        while True:
            status = self._post(order)
            if status in good:
                return
            if status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise StepFailed(f"{order.order_id} was answered {status}.")
            if self._abandoned.wait(REPEAT_AFTER_S):
                return

    def _post(self, order: Placed) -> int | None:
        """Return the answer's status; None when there is none."""
        with self._posted:
            self._posts += 1
        body = order.body()
        signature = hmac.digest(self.secret.encode(), body, hashlib.sha256).hex()
        headers = {"Content-Type": "application/json", "X-WP-Signature": signature}
        request = urllib.request.Request(f"{self._url()}/webhook", body, headers)  # noqa: S310 -- our own loopback URL
        try:
            with urllib.request.urlopen(request, timeout=POST_TIMEOUT_S) as reply:  # noqa: S310 -- our own loopback URL
                return int(reply.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code
        except (OSError, http.client.HTTPException):  # refused, reset, timed out, cut in the middle
            return None
