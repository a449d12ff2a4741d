"""The distributor's call-backs at a real WordPress: signed by the sender's own code, a wake-up and never the truth."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest

from devstack.wordpress.shop import Shop
from distributor.call_backs.message import body_of, body_of_test, event_id, headers_of
from distributor.call_backs.posting import Posting, Receiver
from distributor.call_backs.schedule import Meaning
from distributor.ledger.call_records import CallBack
from distributor.model import OrderStatus
from distributor.webhook.signature_schemes import Scheme
from distributor.webhook.signing import signed_headers
from foundation.clock import UnixMs, system_clock
from foundation.outgoing.guard import Answer, Limits, Request
from tests.integration.hosted import until
from tests.wordpress.admin import Administrator
from tests.wordpress.test_orders import a_wallet
from tests.wordpress.test_trouble import a_stranger

ANOTHER = "another secret, of no shop at all"  # pragma: allowlist secret
ADDRESS = "return rest_url( 'ballx/v1/call-back' );"
CHANGE = "$GLOBALS['wpdb']->update( 'wp_ballx_deliveries', $row, array( 'order_id' => $id ) );"
LATER_S = 3000
SETTINGS = "/wp-admin/admin.php?page=ballx-settings"
UNCERTAIN: dict[str, dict[str, Any]] = {
    "no answer yet": {"state": "waiting", "attempts": 2, "error_code": "no_answer"},
    "given up": {"state": "given_up", "attempts": 8, "due_at": None, "error_code": "no_answer"},
    "stopped": {"state": "stopped", "attempts": 2, "due_at": None, "error_code": "stopped_uncertain"},
}


@pytest.fixture
def told(shop: Shop) -> Iterator[Shop]:
    """The shop, which no call-back has reached yet; nothing is due when it does."""
    yield shop
    shop.site.evaluate("delete_option( 'ballx_call_back_at' );")


def an_event(order_id: str, status: OrderStatus, sequence: int) -> CallBack:
    """Return what the distributor tells of an order."""
    now = UnixMs(system_clock())
    return CallBack(source="default", order_id=order_id, sequence=sequence, status=status, at_ms=now, next_ms=now)


async def sent(request: Request, limits: Limits) -> Answer:
    """Post as the outgoing guard does, to an address that it refuses: this machine's."""
    asked = HttpRequest(request.url, request.body, dict(request.headers), method=request.method)  # noqa: S310 -- loopback

    def post() -> int:
        try:
            with urlopen(asked, timeout=limits.deadline_s) as reply:  # noqa: S310 -- loopback
                return int(reply.status)
        except HTTPError as refused:
            return refused.code

    return Answer(status=await asyncio.to_thread(post), headers={}, body=b"", host="localhost")


def tell(shop: Shop, call: CallBack, *secrets: str) -> Meaning:
    """Let the distributor's own sender post *call*, signed with *secrets* or the shop's; return what it understood."""
    return post(shop, body_of(call), event_id(call.key, call.sequence), *secrets)


def post(
    shop: Shop, body: bytes, message_id: str, *secrets: str, clock: Callable[[], UnixMs] = system_clock
) -> Meaning:
    """Let the distributor's own sender post *body*."""
    url = str(shop.site.evaluate(ADDRESS))
    known = secrets or (str(shop.option("ballx_webhook_secret")),)
    receiver = Receiver(source="default", url=url, secrets=known)
    return asyncio.run(Posting(send=sent, clock=clock).post(receiver, body, message_id)).meaning


def refused(shop: Shop, body: bytes, headers: dict[str, str]) -> int:
    """Post bytes with *headers* of our own; return the status."""
    request = Request(url=str(shop.site.evaluate(ADDRESS)), method="POST", headers=headers, body=body)
    return asyncio.run(sent(request, Limits(deadline_s=15))).status


def change(shop: Shop, order_id: str, **row: Any) -> None:
    """Bring a delivery to where it would be some other day; what wakes is gone."""
    shop.site.evaluate(CHANGE + "wp_unschedule_hook( 'ballx_work' );", {"id": order_id, "row": row})


def stored(shop: Shop, order_id: str, **row: Any) -> None:
    """Let the shop have a delivery that was accepted long ago and is not due for an hour."""
    shop.place({"order_id": order_id, "wallet": a_wallet(order_id), "amount": "1.5"})
    old = {"state": "accepted", "status": "received", "attempts": 1, "asks": 9, "due_at": int(time.time()) + LATER_S}
    change(shop, order_id, **{**old, **row})


def answer(order_id: str, status: str) -> bytes:
    """Return what a distributor says of an order."""
    return json.dumps({"order_id": order_id, "status": status}).encode()


def is_due(shop: Shop, order_id: str) -> bool:
    """Say whether the next run of the plugin looks at it."""
    return int(shop.delivery(order_id)["due_at"] or 2**40) <= time.time()


def test_what_the_distributor_tells_is_asked_for_and_known_at_once(told: Shop) -> None:
    """It would have been asked about in an hour; only what the call-back scheduled is run here."""
    told.place({"order_id": "CB-1", "wallet": a_wallet("called"), "amount": "1.5"})
    told.follow("CB-1", "received")
    change(told, "CB-1", due_at=int(time.time()) + LATER_S)
    sequence = 1_800_000_000_000

    def paid() -> bool:
        nonlocal sequence
        sequence += 1
        assert tell(told, an_event("CB-1", OrderStatus.PAID, sequence)) is Meaning.TOLD
        told.site.run_cron()
        if told.delivery("CB-1")["status"] == "paid":
            return True
        change(told, "CB-1", due_at=int(time.time()) + LATER_S)
        return False

    until(paid, timeout_s=60)
    assert str(told.delivery("CB-1")["tx_hash"]).startswith("0x")


def test_only_what_the_distributor_signed_a_moment_ago_wakes(told: Shop) -> None:
    """Another secret, another purpose of the shop's own, an old time, other bytes, no signature at all."""
    stored(told, "CB-2")
    secret, now = str(told.option("ballx_webhook_secret")), UnixMs(system_clock())
    call = an_event("CB-2", OrderStatus.PAID, 7)
    body, headers = body_of(call), dict(headers_of(body_of(call), "evt_1", [secret], now))
    old, early = UnixMs(now - 301_000), UnixMs(now + 330_000)

    assert tell(told, call, ANOTHER) is Meaning.FAILED
    for moment in (old, early):
        assert refused(told, body, dict(headers_of(body, "evt_1", [secret], moment))) == 401
    assert refused(told, body + b" ", headers) == 401
    assert refused(told, body, {**headers, "webhook-id": "evt_2"}) == 401
    assert refused(told, body, {**headers, "webhook-timestamp": f" {now // 1_000} x"}) == 401
    assert (
        refused(told, body, {**headers, "webhook-signature": " ".join(["v1,x"] * 9 + [headers["webhook-signature"]])})
        == 401
    )
    orders = signed_headers(secret, body, Scheme.STANDARD, now_s=now // 1_000, message_id="evt_1")
    assert refused(told, body, {**orders, "Content-Type": "application/json"}) == 401
    assert refused(told, body, {"Content-Type": "application/json"}) == 401
    assert (is_due(told, "CB-2"), told.option("ballx_call_back_at")) == (False, False)

    assert tell(told, call, ANOTHER, secret) is Meaning.TOLD
    assert is_due(told, "CB-2")


def test_an_event_wakes_once_and_an_older_one_never(told: Shop) -> None:
    """Posted again by a stranger who saw it, or by the sender after a crash, or late."""
    stored(told, "CB-3")
    woken = []
    for sequence in (5, 5, 4, 6):
        assert tell(told, an_event("CB-3", OrderStatus.HELD, sequence)) is Meaning.TOLD
        woken.append(is_due(told, "CB-3"))
        change(told, "CB-3", due_at=int(time.time()) + LATER_S)

    assert woken == [True, False, False, True]


@pytest.mark.parametrize(("truth", "known"), [("held", "held"), ("paid", "paid")])
def test_paid_is_turned_back_by_the_distributors_answer_alone(told: Shop, truth: str, known: str) -> None:
    """A late word asks nothing; a newer one asks, and what is answered counts, not what the call-back says."""
    stored(told, "CB-4", status="paid", due_at=None, call_back_seq=10)
    with a_stranger(200, {"Content-Type": "application/json"}, body=answer("CB-4", truth)) as distributor:
        told.set({"ballx_webhook_url": distributor.url})
        tell(told, an_event("CB-4", OrderStatus.HELD, 9))
        told.site.run_cron()
        before = (distributor.asked[:], told.delivery("CB-4")["status"])
        tell(told, an_event("CB-4", OrderStatus.HELD, 11))
        told.site.run_cron()

    assert before == ([], "paid")
    assert distributor.asked == [("GET", "/shop/orders/CB-4")]
    assert told.delivery("CB-4")["status"] == known


def test_a_word_that_comes_while_the_shop_asks_is_not_lost(told: Shop) -> None:
    """The question was on its way with an older answer; its record must not put the next one off."""
    stored(told, "CB-5", due_at=1)
    go = Event()
    json_type = {"Content-Type": "application/json"}
    with a_stranger(200, json_type, body=answer("CB-5", "mined"), go=go) as distributor, ThreadPoolExecutor(1) as cron:
        told.set({"ballx_webhook_url": distributor.url})
        asking = cron.submit(told.site.evaluate, "do_action( 'ballx_work' );")
        until(lambda: distributor.asked, timeout_s=30)
        tell(told, an_event("CB-5", OrderStatus.PAID, 1))
        go.set()
        asking.result(timeout=60)

    assert told.delivery("CB-5")["status"] == "mined"
    assert is_due(told, "CB-5")


@pytest.mark.parametrize("case", UNCERTAIN)
def test_what_nobody_knew_is_known_after_a_call_back(told: Shop, case: str) -> None:
    """Its answer was lost; the distributor has it. What was stopped here meanwhile is reported as taken."""
    order_id = f"CB-6-{case.replace(' ', '-')}"
    stored(told, order_id, **UNCERTAIN[case])
    reply = answer(order_id, "paid")
    with a_stranger(200, {"Content-Type": "application/json"}, body=reply) as distributor:
        told.set({"ballx_webhook_url": distributor.url})
        tell(told, an_event(order_id, OrderStatus.PAID, 3))
        told.site.run_cron()

    known = told.delivery(order_id)
    asks = case == "stopped"
    assert distributor.asked == [("GET", f"/shop/orders/{order_id}") if asks else ("POST", "/webhook")]
    assert (known["state"], known["status"]) == ("accepted", "paid")
    assert (known["changed"], known["needs_look"]) == (("1", "1") if asks else ("0", "0"))


def test_what_was_stopped_and_never_taken_stays_stopped(told: Shop) -> None:
    """The distributor does not know it: the reason it was stopped for is kept, and it is not asked about again."""
    stored(told, "CB-7", **UNCERTAIN["stopped"])
    with a_stranger(404, {"X-Error-Code": "order_not_found"}) as distributor:
        told.set({"ballx_webhook_url": distributor.url})
        tell(told, an_event("CB-7", OrderStatus.PAID, 3))
        told.site.run_cron()

    kept = told.delivery("CB-7")
    assert (kept["state"], kept["error_code"], kept["due_at"]) == ("stopped", "stopped_uncertain", None)


def test_an_order_of_another_shop_wakes_nothing(told: Shop) -> None:
    """Two shops share a secret: what this one never sent, or never had, is not its business."""
    stored(told, "CB-8", state="waiting", attempts=0, status="")
    for order_id in ("CB-8", "not-here", "' OR 1=1 --"):
        assert tell(told, an_event(order_id, OrderStatus.PAID, 3)) is Meaning.TOLD

    assert not is_due(told, "CB-8")


@pytest.mark.parametrize("document", [b"[]", b'{"type":"order.paid"}', b'{"data":7}'])
def test_what_is_signed_and_says_nothing_is_refused(told: Shop, document: bytes) -> None:
    """It is no event."""
    assert post(told, document, "evt_1") is Meaning.FAILED


@pytest.mark.parametrize("data", [{"order_id": 7, "sequence": 1}, {"order_id": "CB-9", "sequence": "9"}, {}])
def test_what_the_shop_does_not_know_is_answered_and_changes_nothing(told: Shop, data: dict[str, Any]) -> None:
    """Other types may follow."""
    stored(told, "CB-9")
    assert post(told, json.dumps({"type": "new.kind", "data": data}).encode(), "evt_1") is Meaning.TOLD

    assert not is_due(told, "CB-9")


def test_without_a_secret_it_is_tried_again_later(told: Shop) -> None:
    """Nothing can be verified, and nothing is lost."""
    told.set({"ballx_webhook_secret": ""})
    call = an_event("CB-10", OrderStatus.PAID, 1)
    assert refused(told, body_of(call), dict(headers_of(body_of(call), "evt_1", [ANOTHER], system_clock()))) == 503


def test_the_owner_sees_the_address_and_when_the_last_one_came(told: Shop, administrator: Administrator) -> None:
    """To be given to the operator; a test of theirs is seen here."""
    before = administrator.open(SETTINGS)
    now = system_clock()
    assert post(told, body_of_test("default", now), "evt_1") is Meaning.TOLD
    after = administrator.open(SETTINGS)

    address = str(told.site.evaluate(ADDRESS))
    assert address in before.html
    assert "None came yet." in before.text
    assert f"The last one came on {time.strftime('%Y-%m-%d', time.gmtime(now / 1_000))}" in after.text


# Questions that were used up ---------------------------------------------------------------------------


def test_an_order_without_news_for_a_month_is_marked_and_can_be_asked_about_again(
    told: Shop, administrator: Administrator
) -> None:
    """It stayed "Accepted" and nobody looked. The last question itself is not yet the end of it."""
    stored(told, "ASK-1", asks=719, due_at=1)
    with a_stranger(503, {}) as distributor:
        told.set({"ballx_webhook_url": distributor.url})
        told.site.evaluate("do_action( 'ballx_work' );")
        last = told.delivery("ASK-1")
        change(told, "ASK-1", due_at=1)
        told.site.evaluate("do_action( 'ballx_work' );")
        marked = told.delivery("ASK-1")
        page = administrator.open("/wp-admin/admin.php?page=ballx-deliveries&ballx_view=look")
        form = "form:has(input[name=action][value=ballx_list])"
        administrator.send_many(form, [("ballx_one", f"ask:{marked['id']}")])
        asked = len(distributor.asked)
        again = told.delivery("ASK-1")

    assert (last["asks"], last["needs_look"]) == ("720", "0")
    assert int(last["due_at"] or 0) > time.time()
    assert (marked["asks"], marked["due_at"], marked["needs_look"]) == ("720", None, "1")
    assert "No answer The distributor did not say for about 30 days what became of it." in page.text
    assert asked == 2
    assert (again["asks"], again["needs_look"]) == ("721", "0")
    assert int(again["due_at"] or 0) > time.time()


def test_what_the_version_before_left_unmarked_is_marked_by_the_update(told: Shop) -> None:
    """Its questions were used up without a word."""
    stored(told, "ASK-2", asks=720, due_at=None)
    told.site.evaluate(
        "$GLOBALS['wpdb']->query( 'ALTER TABLE wp_ballx_deliveries DROP asks_max, DROP call_back_seq' );"
        "update_option( 'ballx_schema', '4' );"
    )
    marked = told.delivery("ASK-2")

    assert (marked["needs_look"], marked["asks_max"], marked["call_back_seq"]) == ("1", "720", "0")


def test_a_refund_of_what_may_have_been_taken_is_not_told_as_in_time(told: Shop) -> None:
    """Given up, sent again by hand, stopped before the first attempt: nobody knows whether it was taken before."""
    stored(told, "ASK-3", **UNCERTAIN["given up"])
    told.site.evaluate(
        "$d = new Ballx\\Distributor\\Deliveries( $GLOBALS['wpdb'], 'time' );"
        "$d->restart( $d->ofOrder( 'ASK-3' ) );"
        "$p = Ballx\\Distributor\\Plugin::running(); $c = Closure::bind( fn() => $this->courier, $p, $p )();"
        "$c->stop( $d->ofOrder( 'ASK-3' ), new Ballx\\Distributor\\InvalidOrder( 'order_ended' ) );"
    )
    stopped = told.delivery("ASK-3")

    assert (stopped["state"], stopped["error_code"], stopped["needs_look"]) == ("stopped", "stopped_uncertain", "1")
