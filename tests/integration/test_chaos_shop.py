"""The shop of a soak against a webhook that misbehaves, over a real socket."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from devstack.chaos import shop as chaos_shop
from devstack.chaos.shop import Shop
from devstack.console import StepFailed
from tests.factories import ALICE

SECRET = "the shop and we know this"
HANG_UP = 0
Answer = Callable[[str, int], int]
"""The status for an order and how often it was sent, from 1; ``HANG_UP`` ends the connection."""


@contextmanager
def webhook(answer: Answer) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Serve a webhook; yield where it is, and the orders it got with a right signature."""
    got: list[dict[str, str]] = []
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["X-WP-Signature"] != hmac.digest(SECRET.encode(), body, hashlib.sha256).hex():
                self.send_error(401)
                return
            with one_at_a_time:
                got.append(json.loads(body))
                status = answer(got[-1]["order_id"], [order["order_id"] for order in got].count(got[-1]["order_id"]))
            if status == HANG_UP:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", got
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat at once; every accepted order is sent again."""
    monkeypatch.setattr(chaos_shop, "REPEAT_AFTER_S", 0.01)
    monkeypatch.setattr(chaos_shop, "PAUSE_LONGEST_S", 0.02)
    monkeypatch.setattr(chaos_shop, "AGAIN_CHANCE", 1.0)


def sell(answer: Answer, *, orders: int) -> tuple[Shop, list[dict[str, str]]]:
    """Run a shop until it has placed so many *orders*, and every one was answered."""
    with webhook(answer) as (url, got):
        shop = Shop(lambda: url, SECRET, [ALICE], seed=1)
        with shop.open():
            while len(shop.placed) < orders:
                threading.Event().wait(0.005)
        return shop, got


def sell_until_it_breaks(shop: Shop) -> None:
    """Let a script of faults break once the first order was sent."""
    with shop.open():
        while not shop.posts:
            threading.Event().wait(0.005)
        raise StepFailed("a script broke")


def test_an_order_is_sent_until_it_is_answered_and_once_more() -> None:
    """503, 500, a hung-up connection, then 202; the same bytes each time, then once more for 200."""
    answers = [503, 500, HANG_UP, 202, 200]

    shop, got = sell(lambda _, times: answers[times - 1], orders=3)

    sent = [order["order_id"] for order in got]
    assert {sent.count(order.order_id) for order in shop.placed} == {len(answers)}
    assert shop.posts == len(got) == len(answers) * len(shop.placed)


def test_every_order_has_an_amount_of_its_own() -> None:
    """So that a transfer on the chain belongs to one order."""
    shop, got = sell(lambda _, times: 202 if times == 1 else 200, orders=5)

    amounts = {order["order_id"]: order["amount"] for order in got}
    assert len(set(amounts.values())) == len(shop.placed)
    assert amounts["SOAK-1"] == "1.000000000000000001"
    assert shop.placed[0].amount_units == 10**18 + 1


@pytest.mark.parametrize(("first", "second"), [(422, 0), (202, 202)])
def test_an_answer_that_must_not_be_ends_the_soak(first: int, second: int) -> None:
    """A good order refused; an accepted order taken for a new one."""
    with pytest.raises(StepFailed, match=r"SOAK-\d+ was answered (422|202)"):
        sell(lambda _, times: first if times == 1 else second, orders=1)


def test_a_soak_that_broke_waits_for_nobody() -> None:
    """The host may never answer again."""
    with webhook(lambda _order, _times: 503) as (url, _):
        shop = Shop(lambda: url, SECRET, [ALICE], seed=1)

        with pytest.raises(StepFailed, match="a script broke"):
            sell_until_it_breaks(shop)
