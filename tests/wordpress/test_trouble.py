"""What the plugin does when the distributor is down, slow, strange, or refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from devstack.wordpress.shop import Shop
from tests.wordpress.admin import Administrator
from tests.wordpress.conftest import Distributor
from tests.wordpress.test_orders import ONE_AND_A_HALF, a_wallet, got


@dataclass
class Stranger:
    """Somebody else at the webhook's address, who answers what the test says."""

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every request of this shop; others may still look for who had the port before."""


@contextmanager
def a_stranger(
    status: int, headers: dict[str, str], *, slow_s: float = 0.0, body: bytes = b"", go: Event | None = None
) -> Iterator[Stranger]:
    """Answer every request with *status*, *headers* and *body*, after *slow_s* and not before *go*."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if self.headers.get("User-Agent", "").startswith("BALLX-Distributor/"):
                stranger.asked.append((self.command, self.path))
            time.sleep(slow_s)
            if go is not None:
                go.wait()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 -- the names http.server calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stranger = Stranger(f"http://127.0.0.1:{server.server_port}/webhook")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield stranger
        finally:
            server.shutdown()
            thread.join()


def test_an_order_placed_while_the_distributor_is_down_is_paid_once_it_is_up(
    shop: Shop, distributor: Distributor
) -> None:
    """No answer is no refusal: it is sent again by itself, and paid once."""
    wallet = a_wallet("down")
    distributor.stop()
    shop.place({"order_id": "DOWN-1", "wallet": wallet, "amount": "1.5"})
    shop.let_time_pass()
    shop.let_time_pass()
    down = shop.delivery("DOWN-1")
    distributor.start()
    paid = shop.follow("DOWN-1", "paid")

    assert (down["state"], down["attempts"], down["error_code"]) == ("waiting", "2", "no_answer")
    assert paid["attempts"] == "3"
    assert got(distributor, wallet) == [ONE_AND_A_HALF]


def test_a_wrong_secret_is_told_and_ends_by_itself_when_it_is_corrected(
    shop: Shop, distributor: Distributor, administrator: Administrator
) -> None:
    """An hour of a wrong secret or clock cost one click for each order; the notice holds the code and the request."""
    wallet = a_wallet("secret")
    shop.set({"ballx_webhook_secret": "another-secret-of-16"})
    shop.place({"order_id": "SECRET-1", "wallet": wallet, "amount": "1.5"})
    shop.site.evaluate(
        "$GLOBALS['wpdb']->update( $GLOBALS['wpdb']->prefix . 'ballx_deliveries', array( 'attempts' => 7 ),"
        " array( 'order_id' => 'SECRET-1' ) );"
    )
    shop.let_time_pass()
    shop.let_time_pass()
    unauthorized = shop.delivery("SECRET-1")

    assert (unauthorized["state"], unauthorized["attempts"], unauthorized["http_status"]) == ("waiting", "9", "401")
    assert unauthorized["error_code"] == "bad_signature"
    notice = administrator.open("/wp-admin/").text
    assert "Order SECRET-1: Being sent. The webhook secret is not the distributor's" in notice
    assert f"X-Error-Code: bad_signature · X-Request-Id: {unauthorized['request_id']}" in notice

    shop.set({"ballx_webhook_secret": distributor.secret})
    shop.site.run_cron()
    assert shop.delivery("SECRET-1")["state"] == "accepted"
    assert "SECRET-1" not in administrator.open("/wp-admin/").text


def test_what_the_distributor_refuses_is_final(shop: Shop, distributor: Distributor) -> None:
    """More decimals than the token has: no retry makes it payable."""
    wallet = a_wallet("refused")
    shop.place({"order_id": "REFUSED-1", "wallet": wallet, "amount": "0.0000000000000000001"})
    shop.let_time_pass()
    shop.let_time_pass()
    refused = shop.delivery("REFUSED-1")

    assert (refused["state"], refused["attempts"], refused["due_at"]) == ("refused", "1", None)
    assert refused["http_status"] in {"400", "422"}
    assert refused["detail"]
    assert got(distributor, wallet) == []


@pytest.mark.parametrize("status", [302, 404, 409, 429, 500, 503])
def test_an_answer_that_may_pass_is_waited_out(shop: Shop, status: int) -> None:
    """Another status, even a redirect, is tried again at the same address, and never sooner than asked for."""
    order_id = f"STRANGE-{status}"
    headers = {"Retry-After": "7200", "Location": "/elsewhere", "X-Error-Code": "not_now", "X-Request-Id": "r-1"}
    with a_stranger(status, headers) as stranger:
        shop.set({"ballx_webhook_url": stranger.url})
        shop.place({"order_id": order_id, "wallet": a_wallet(order_id), "amount": "1.5"})
        shop.let_time_pass()
        waiting = shop.delivery(order_id)
        shop.let_time_pass()

    assert stranger.asked == [("POST", "/webhook"), ("POST", "/webhook")]
    assert (waiting["state"], waiting["error_code"], waiting["request_id"]) == ("waiting", "not_now", "r-1")
    assert int(waiting["due_at"] or 0) >= int(waiting["updated_at"] or 0) + 7200


def test_a_lost_wake_up_costs_a_minute(shop: Shop) -> None:
    """WP-Cron keeps its events in one option, and of two requests that change it one is lost."""
    shop.place({"order_id": "LOST-1", "wallet": a_wallet("lost"), "amount": "1.5"})
    interval_s, due_at, now = shop.site.evaluate(
        "wp_unschedule_hook( 'ballx_work' ); $sweep = wp_get_scheduled_event( 'ballx_sweep' );"
        "wp_unschedule_hook( 'ballx_sweep' ); wp_schedule_event( time() - 1, $sweep->schedule, 'ballx_sweep' );"
        "return array( $sweep->interval, $sweep->timestamp, time() );"
    )
    shop.site.run_cron()

    assert interval_s == 60
    assert due_at <= now + 60
    assert shop.delivery("LOST-1")["status"] == "received"


def test_of_four_crons_at_once_one_sends(shop: Shop) -> None:
    """The step is taken in the database before it is made, so that a slow answer is not asked for twice."""
    with a_stranger(503, {}, slow_s=2.0) as stranger, ThreadPoolExecutor(4) as crons:
        shop.set({"ballx_webhook_url": stranger.url})
        shop.place({"order_id": "RACE-1", "wallet": a_wallet("race"), "amount": "1.5"})
        list(crons.map(shop.site.evaluate, ["do_action( 'ballx_work' );"] * 4))

    assert stranger.asked == [("POST", "/webhook")]
    assert shop.delivery("RACE-1")["attempts"] == "1"


def test_the_plugin_leaves_wordpress_guard_on_private_addresses(shop: Shop) -> None:
    """Without the two filters of the local stack nothing is sent to this machine."""
    with a_stranger(202, {}) as stranger:
        shop.set({"ballx_webhook_url": stranger.url})
        shop.place({"order_id": "PRIVATE-1", "wallet": a_wallet("private"), "amount": "1.5"})
        shop.site.evaluate(
            "remove_all_filters( 'http_request_host_is_external' ); remove_all_filters( 'http_allowed_safe_ports' );"
            "do_action( 'ballx_work' );"
        )

    assert stranger.asked == []
    assert shop.delivery("PRIVATE-1")["state"] == "waiting"


def test_a_copy_of_the_shop_pays_nothing_until_confirmed(shop: Shop, administrator: Administrator) -> None:
    """A staging copy has the live shop's secret: its test orders must not move real tokens."""
    shop.set({"ballx_home": "the-live-shop.example"})
    shop.place({"order_id": "COPY-1", "wallet": a_wallet("copy"), "amount": "1.5"})
    shop.let_time_pass()

    assert shop.delivery("COPY-1")["attempts"] == "0"
    assert "The address of this shop has changed." in administrator.open("/wp-admin/").text
    administrator.press("/wp-admin/", "ballx_confirm_site")
    assert shop.follow("COPY-1", "received")["attempts"] == "1"
