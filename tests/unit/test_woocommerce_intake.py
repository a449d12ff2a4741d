"""One signed WooCommerce order into the ledger, once, or an alarm."""

from __future__ import annotations

import base64
import hmac
import json
import logging
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from distributor.caps import Caps
from distributor.errors import BadSignature
from distributor.ledger import Ledger
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.model import HoldReason, OrderKey
from distributor.settings.chain import ContractSettings
from distributor.settings.shops import WooCommerceSettings
from distributor.units import TokenUnits
from distributor.webhook.authentication import WebhookRequest
from distributor.webhook.intake import Intake
from distributor.webhook.order_keeper import Accepted
from distributor.webhook.signature import Key, Verified
from distributor.webhook.signature_schemes import Scheme
from distributor.webhook.woocommerce import NotPaid, NotPaidKind
from distributor.webhook.woocommerce_intake import WooCommerceIntake
from foundation.errors import StoreUnavailable
from foundation.tablestore.memory import MemoryRows
from tests.factories import ALICE, AUTHORITY, BALLX, BOB, RESERVE, TOKEN
from tests.fakes.alarms import ListAlarms
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit
from tests.fakes.senders import authentication

JSON = {"Content-Type": "application/json"}
SIGNED = Verified(source="shop-b", secret="current", scheme=Scheme.BASE64, signed_with="the secret of shop b")


async def _salt() -> bytes:
    return b"salt"


SALTED = SecretFingerprints(salt=_salt)
RULES = WooCommerceSettings(
    paid_statuses=frozenset({"completed"}),
    wallet_meta="_ballx_wallet",
    tokens_per_unit=Decimal(2),
    currency="BRL",
)


@pytest.fixture
def rows() -> MemoryRows:
    """An empty table."""
    return MemoryRows()


@pytest.fixture
def alarms() -> ListAlarms:
    """What a person would see."""
    return ListAlarms()


@pytest.fixture
def shop(rows: MemoryRows, clock: FrozenClock, alarms: ListAlarms) -> WooCommerceIntake:
    """A shop that pays two tokens for each real."""
    payment_rules = ContractSettings(chain_id=31337, token=BALLX, authority=AUTHORITY, reserve=RESERVE, decimals=18)
    ledger = Ledger(rows, ListAudit(), clock=clock)
    return WooCommerceIntake(
        intake=Intake(
            ledger=ledger,
            authentication=authentication((), clock),
            payment_rules=payment_rules,
            fingerprints=SALTED,
            alarms=alarms,
            clock=clock,
        ),
        rules=RULES,
        alarms=alarms,
    )


async def deliver(
    shop: WooCommerceIntake, wallet: str = ALICE, signed_with: str = SIGNED.signed_with, **changes: Any
) -> Accepted | NotPaid:
    """Hand in an order as the shop shows it now."""
    order = {"id": 727, "status": "completed", "currency": "BRL", "total": "29.35", "number": "727"}
    meta = [{"id": 1, "key": "_ballx_wallet", "value": wallet}]
    verified = replace(SIGNED, signed_with=signed_with)
    return await shop.take(verified, json.dumps({**order, "meta_data": meta, **changes}).encode())


async def test_an_order_in_a_paid_status_is_stored_and_wakes(shop: WooCommerceIntake, rows: MemoryRows) -> None:
    """One round trip, under the shop whose secret signed it; nobody is alarmed."""
    accepted = await deliver(shop)

    assert isinstance(accepted, Accepted)
    assert (accepted.new, accepted.wake) == (True, True)
    assert (rows.commits, rows.reads) == (1, 0)
    stored = await shop.intake.ledger.order(OrderKey("shop-b", "727"))
    assert stored == accepted.order
    assert stored.amount_units == 587 * TOKEN // 10


async def test_snapshots_of_one_order_are_one_order(shop: WooCommerceIntake, alarms: ListAlarms) -> None:
    """Created unpaid, paid, updated with a note, updated again: paid once, and no alarm."""
    created = await deliver(shop, status="pending")
    first = await deliver(shop)
    again = [await deliver(shop, customer_note=note) for note in ("please", "thanks")]

    assert isinstance(created, NotPaid)
    assert (created.verdict, created.reason) == (NotPaidKind.IGNORED, "status_not_paid")
    assert isinstance(first, Accepted)
    assert [(one.new, one.order) for one in again if isinstance(one, Accepted)] == [(False, first.order)] * 2
    assert alarms.raised == []


async def test_an_order_refunded_after_it_was_stored_is_the_same_order(
    shop: WooCommerceIntake, alarms: ListAlarms
) -> None:
    """Each refund delivers the order again; the first content is kept, and that is no conflict."""
    refunds = [{"id": 9, "reason": "", "total": "-2.00"}, {"id": 8, "reason": "", "total": "-9.35"}]
    first = await deliver(shop, refunds=refunds[1:])
    later = await deliver(shop, refunds=refunds)
    another = await deliver(shop, total="99.00", refunds=refunds)

    assert isinstance(first, Accepted)
    assert first.order.amount_units == 40 * TOKEN
    assert isinstance(later, Accepted)
    assert (later.new, later.order) == (False, first.order)
    assert isinstance(another, NotPaid)
    assert another.verdict is NotPaidKind.CONFLICT
    assert [alarm.code for alarm in alarms.raised] == ["woocommerce_conflict"]


@pytest.mark.parametrize("change", [{"total": "1.00"}, {"wallet": BOB}])
async def test_another_wallet_or_amount_is_a_conflict_and_an_alarm(
    shop: WooCommerceIntake, alarms: ListAlarms, change: dict[str, str]
) -> None:
    """The first content is kept; the same finding again is the same alarm, so it is sent once an hour."""
    first = await deliver(shop)
    assert isinstance(first, Accepted)

    found = [await deliver(shop, **change) for _ in range(2)]

    assert {(one.verdict, one.reason, one.order_id) for one in found if isinstance(one, NotPaid)} == {
        (NotPaidKind.CONFLICT, "order_conflict", "727")
    }
    assert alarms.codes == ["woocommerce_conflict"] * 2
    assert alarms.raised[0] == alarms.raised[1]
    assert alarms.raised[0].subject == "shop-b:727"
    assert await shop.intake.ledger.order(OrderKey("shop-b", "727")) == first.order


async def test_an_id_that_another_secret_signed_is_an_alarm_and_no_failed_delivery(
    shop: WooCommerceIntake, alarms: ListAlarms
) -> None:
    """A secret changed without an overlap, and old orders are saved again: seven 503 would switch the webhook off."""
    ledger = shop.intake.ledger
    await deliver(shop)
    await ledger.shops.add(await SALTED.of(SIGNED.signed_with), "shop-b", by="ana", how="accept")

    found = await deliver(shop, signed_with="a new secret of shop b")

    assert isinstance(found, NotPaid)
    assert (found.verdict, found.reason) == (NotPaidKind.UNPAYABLE, "shop_unknown")
    assert alarms.codes == ["waiting_shop_unknown", "woocommerce_unpayable"]


async def test_what_cannot_be_paid_is_an_alarm_and_stores_nothing(
    shop: WooCommerceIntake, alarms: ListAlarms, rows: MemoryRows
) -> None:
    """It says which order and what is wrong, without repeating what the customer wrote."""
    found = await deliver(shop, wallet="0xJOAO")

    assert isinstance(found, NotPaid)
    assert (found.verdict, found.reason) == (NotPaidKind.UNPAYABLE, "bad_wallet")
    assert alarms.codes == ["woocommerce_unpayable"]
    assert (alarms.raised[0].subject, "_ballx_wallet" in alarms.raised[0].summary) == ("shop-b:727", True)
    assert "JOAO" not in repr(alarms.raised)
    assert rows.commits == 0


async def test_an_order_above_a_cap_is_an_alarm_and_no_failed_delivery(
    shop: WooCommerceIntake, alarms: ListAlarms
) -> None:
    """58.70 tokens, and a cap of 58: WooCommerce would switch its webhook off for a 422."""
    capped = replace(shop, intake=replace(shop.intake, caps=Caps(order_units=TokenUnits(58 * TOKEN))))

    unpaid = await deliver(capped)

    assert isinstance(unpaid, NotPaid)
    assert (unpaid.verdict, unpaid.reason) == (NotPaidKind.UNPAYABLE, "over_order_cap")
    assert alarms.codes == ["woocommerce_unpayable"]


async def test_an_order_above_the_limit_is_stored_held_for_approval(
    shop: WooCommerceIntake, alarms: ListAlarms
) -> None:
    """58.70 tokens, and a limit of 58: delivered, not failed, and it waits for a person."""
    taken = await deliver(replace(shop, intake=replace(shop.intake, caps=Caps(approval_units=TokenUnits(58 * TOKEN)))))

    assert isinstance(taken, Accepted)
    assert (taken.new, taken.wake, taken.order.hold_reason) == (True, False, HoldReason.NEEDS_APPROVAL)
    assert alarms.codes == []


async def test_signed_bytes_that_are_no_order_are_an_alarm_of_the_shop(
    shop: WooCommerceIntake, alarms: ListAlarms
) -> None:
    """No order can be named, so the shop is."""
    found = await shop.take(SIGNED, b"<html>")

    assert isinstance(found, NotPaid)
    assert [(alarm.code, alarm.subject) for alarm in alarms.raised] == [("woocommerce_unpayable", "shop-b")]


async def test_the_order_that_is_ignored_alarms_nobody(
    shop: WooCommerceIntake, alarms: ListAlarms, rows: MemoryRows, caplog: pytest.LogCaptureFixture
) -> None:
    """A line in the log says why, and no storage is touched."""
    with caplog.at_level(logging.INFO, logger="distributor.webhook.woocommerce_intake"):
        await deliver(shop, status="cancelled")

    assert json.loads(caplog.records[-1].getMessage()) == {
        "event": "woocommerce_not_paid",
        "verdict": "ignored",
        "code": "status_not_paid",
        "order_id": "727",
        "source": "shop-b",
    }
    assert (alarms.raised, rows.commits, rows.reads) == ([], 0, 0)


async def test_a_ledger_that_is_down_is_no_verdict(shop: WooCommerceIntake, rows: MemoryRows) -> None:
    """Nothing is known of the order, so the delivery fails and the shop's log shows it."""
    rows.go_down()

    with pytest.raises(StoreUnavailable):
        await deliver(shop)


async def test_a_delivery_is_verified_before_it_is_read(shop: WooCommerceIntake, clock: FrozenClock) -> None:
    """The shop is the one whose secret signed it; a wrong signature is refused whatever the body is."""
    keys = [Key(source="shop-b", which="current", secret="the secret of shop b")]
    signed = replace(shop, intake=replace(shop.intake, authentication=authentication(keys, clock)))
    body = b'{"id": 727, "status": "pending"}'
    mac = base64.b64encode(hmac.digest(b"the secret of shop b", body, "sha256")).decode()

    sender, found = await signed.accept(WebhookRequest(headers={**JSON, "X-WC-Webhook-Signature": mac}, body=body))

    assert sender.verified.source == "shop-b"
    assert isinstance(found, NotPaid)
    assert found.reason == "not_an_order"
    with pytest.raises(BadSignature):
        await signed.accept(WebhookRequest(headers={**JSON, "X-WC-Webhook-Signature": mac}, body=b"no order"))
