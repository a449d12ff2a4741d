"""One signed order into the ledger, once."""

import asyncio
import hmac
import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from distributor.caps import Caps
from distributor.errors import BadSignature, ConflictingOrder, MalformedOrder, UnpayableOrder
from distributor.ledger import Ledger
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.model import Address, HoldReason, OrderKey, OrderStatus
from distributor.order_ids import ref_id
from distributor.settings.chain import ContractSettings
from distributor.units import TokenUnits
from distributor.webhook.authentication import WebhookRequest
from distributor.webhook.intake import Intake
from distributor.webhook.order_keeper import Accepted
from distributor.webhook.signature import Key, Verified
from distributor.webhook.signature_schemes import Scheme
from foundation.errors import StoreUnavailable
from foundation.tablestore.memory import MemoryRows
from tests.factories import ALICE, AUTHORITY, BALLX, BOB, RESERVE, TOKEN
from tests.fakes.alarms import ListAlarms
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit
from tests.fakes.senders import authentication

SECRET = "a secret of sixteen bytes or more"
OTHER = "the secret of the second shop here"
KEYS = (
    Key(source="default", which="current", secret=SECRET),
    Key(source="shop-b", which="previous", secret=OTHER),
)
TERMS = ContractSettings(chain_id=31337, token=BALLX, authority=AUTHORITY, reserve=RESERVE, decimals=18)


async def _salt() -> bytes:
    return b"salt"


SALTED = SecretFingerprints(salt=_salt)


@pytest.fixture
def rows() -> MemoryRows:
    """An empty table."""
    return MemoryRows()


@pytest.fixture
def intake(rows: MemoryRows, clock: FrozenClock) -> Intake:
    """An intake for two shops."""
    ledger = Ledger(rows, ListAudit(), clock=clock)
    return Intake(
        ledger=ledger,
        authentication=authentication(KEYS, clock),
        payment_rules=TERMS,
        clock=clock,
        fingerprints=SALTED,
        alarms=ListAlarms(),
    )


async def send(intake: Intake, secret: str = SECRET, **changes: Any) -> Accepted:
    """Sign an order and hand it in."""
    body = json.dumps({"order_id": "ORD1", "wallet": ALICE, "amount": "10", **changes}).encode()
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    _, accepted = await intake.accept(WebhookRequest(headers={"X-WP-Signature": signature}, body=body))
    return accepted


async def test_a_new_order_is_stored_and_wakes(intake: Intake, rows: MemoryRows, clock: FrozenClock) -> None:
    """One group, no read before it, and the order in it is the one that was signed."""
    accepted = await send(intake)

    assert (accepted.new, accepted.wake) == (True, True)
    assert (rows.commits, rows.reads) == (1, 0)
    stored = await intake.ledger.order(OrderKey("default", "ORD1"))
    assert stored == accepted.order
    assert (stored.wallet, stored.amount_units, stored.received_ms) == (ALICE, 10 * TOKEN, clock())


async def test_the_same_order_again_wakes_while_it_waits(intake: Intake, rows: MemoryRows, clock: FrozenClock) -> None:
    """The first message may be lost with its sender; the stored order keeps its time."""
    first = await send(intake)
    clock.advance(60_000)

    again = await send(intake, reason="another reason", amount=10)

    assert (again.new, again.wake) == (False, True)
    assert again.order == first.order
    assert len([key for key in rows.dump() if key.startswith("order:")]) == 1


async def test_a_plain_request_overheard_and_sent_a_year_later_is_the_same_order(
    intake: Intake, rows: MemoryRows, clock: FrozenClock
) -> None:
    """A signature without a time never ends, so neither does idempotency: nothing is paid again."""
    first = await send(intake)
    clock.advance(365 * 86_400_000)

    again = await send(intake)

    assert (again.new, again.order) == (False, first.order)
    assert len([key for key in rows.dump() if key.startswith("order:")]) == 1


async def test_an_order_under_way_is_not_woken_again(intake: Intake) -> None:
    """Nothing waits for distribution then."""
    first = await send(intake)
    await intake.ledger.hold(first.order, HoldReason.SIMULATION, "refused")

    again = await send(intake)

    assert (again.new, again.wake) == (False, False)
    assert again.order.hold_reason is HoldReason.SIMULATION


@pytest.mark.parametrize("change", [{"amount": "11"}, {"wallet": BOB}, {"tipo": "refund"}])
async def test_the_same_id_with_other_content_is_refused(intake: Intake, change: dict[str, str]) -> None:
    """The first content is kept, and idempotency never expires."""
    first = await send(intake)

    with pytest.raises(ConflictingOrder):
        await send(intake, **change)

    assert await intake.ledger.order(first.order.key) == first.order


async def test_two_shops_may_use_one_id(intake: Intake) -> None:
    """The secret that signed says whose order it is."""
    first = await send(intake)
    second = await send(intake, secret=OTHER)

    assert [first.order.key, second.order.key] == [OrderKey("default", "ORD1"), OrderKey("shop-b", "ORD1")]
    assert second.new
    assert first.order.ref_id != second.order.ref_id


async def test_fifty_at_once_are_one_order(intake: Intake) -> None:
    """One is new; all get the same answer."""
    answers = await asyncio.gather(*(send(intake) for _ in range(50)))

    assert sum(answer.new for answer in answers) == 1
    assert len({answer.order.fingerprint for answer in answers}) == 1
    assert all(answer.wake for answer in answers)


@pytest.mark.parametrize("done", [True, False])
async def test_a_lost_answer_of_the_store_loses_nothing(intake: Intake, rows: MemoryRows, done: bool) -> None:
    """Stored or not, the order is there once when the sender hears so."""
    rows.lose_next_answer(done=done)

    accepted = await send(intake)

    assert (accepted.new, accepted.wake) == (True, True)


async def test_a_store_that_is_down_accepts_nothing(intake: Intake, rows: MemoryRows) -> None:
    """The sender hears of it and the next try settles it."""
    rows.go_down()
    with pytest.raises(StoreUnavailable):
        await send(intake)
    rows.come_back()

    assert (await send(intake)).new


async def test_an_unsigned_body_is_not_even_read(intake: Intake, rows: MemoryRows) -> None:
    """A stranger learns nothing about what a body should look like, and costs no storage."""
    with pytest.raises(BadSignature):
        await intake.accept(WebhookRequest(headers={}, body=b"not json"))

    assert (rows.commits, rows.reads) == (0, 0)


async def test_a_signed_body_that_is_no_order_is_refused(intake: Intake, rows: MemoryRows) -> None:
    """The sender is known, so the answer says what is wrong."""
    with pytest.raises(MalformedOrder):
        await send(intake, order_id="a/b")

    assert rows.commits == 0


async def test_every_order_leaves_a_line(intake: Intake, caplog: pytest.LogCaptureFixture) -> None:
    """Id, source and amount; never the body, the wallet or the signature."""
    with caplog.at_level(logging.INFO, logger="distributor.webhook"):
        await send(intake)
        await send(intake)
        with pytest.raises(ConflictingOrder):
            await send(intake, amount="11")

    lines = [line for line in told_by(caplog) if line["event"].startswith("order_")]
    told = {"order_id": "ORD1", "source": "default", "amount_units": str(10 * TOKEN)}
    assert lines == [
        {"event": "order_received", **told},
        {"event": "order_repeated", **told},
        {"event": "order_conflict", **told, "amount_units": str(11 * TOKEN)},
    ]


def told_by(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the lines of the intake."""
    return [
        json.loads(record.getMessage()) for record in caplog.records if record.name.startswith("distributor.webhook.")
    ]


async def test_who_signed_is_known_before_anything_is_read(intake: Intake) -> None:
    """Another route may understand another body; the verifier is the same."""
    body = b"not an order of ours"
    signature = hmac.new(OTHER.encode(), body, "sha256").hexdigest()

    verified = intake.authentication.verify(WebhookRequest(headers={"X-WP-Signature": signature}, body=body))

    assert verified == Verified(source="shop-b", secret="previous", scheme=Scheme.HEX)


async def test_which_secret_and_scheme_verified_is_logged(intake: Intake, caplog: pytest.LogCaptureFixture) -> None:
    """So that a person sees when the previous secret is no longer used, and who still signs without a time."""
    with caplog.at_level(logging.INFO, logger="distributor.webhook"):
        await send(intake, secret=OTHER)

    assert told_by(caplog)[0] == {
        "event": "signature_verified",
        "source": "shop-b",
        "secret": "previous",
        "scheme": "hex",
    }
    assert OTHER not in caplog.text


async def test_why_a_signature_was_refused_is_logged_and_not_answered(
    intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    """The shop's owner asks the operator; the stranger who guesses asks nobody."""
    body = b"{}"
    with caplog.at_level(logging.INFO, logger="distributor.webhook"):
        for headers in ({}, {"X-WP-Signature": "0" * 64}, {"X-WP-Signature": f"t=1,v1={'0' * 64}"}):
            with pytest.raises(BadSignature, match="missing, too old or wrong"):
                intake.authentication.verify(WebhookRequest(headers=headers, body=body))

    assert [line["cause"] for line in told_by(caplog)] == ["unsigned", "mismatch", "stale"]


async def test_a_time_may_be_required(intake: Intake) -> None:
    """WEBHOOK_REQUIRE_TIMESTAMP reaches the verifier."""
    with pytest.raises(BadSignature):
        await send(replace(intake, authentication=replace(intake.authentication, require_timestamp=True)))


async def test_secrets_are_not_in_its_repr(intake: Intake) -> None:
    """What prints a use case prints no secret."""
    assert SECRET not in repr(intake)
    assert SECRET not in repr(KEYS)


@pytest.mark.parametrize(
    ("name", "code"),
    [("order_units", "over_order_cap"), ("day_units", "over_daily_cap"), ("wallet_units", "over_daily_cap")],
)
async def test_an_order_above_a_cap_is_refused_and_not_stored(intake: Intake, name: str, code: str) -> None:
    """It could not be paid on any day; one as large as the cap could."""
    capped = replace(intake, caps=Caps(**{name: TokenUnits(10 * TOKEN)}))

    with pytest.raises(UnpayableOrder, match="amount is above the most") as refused:
        await send(capped, amount="10.000000000000000001")

    assert refused.value.code == code
    assert await intake.ledger.order(OrderKey("default", "ORD1")) is None
    assert (await send(capped, amount="10")).new


async def test_an_order_taken_before_a_cap_was_lowered_is_still_the_stored_one(intake: Intake) -> None:
    """A shop that sends it again hears what became of it; other content is a conflict, whatever its amount."""
    first = await send(intake)
    capped = replace(intake, caps=Caps(order_units=TokenUnits(1)))

    assert await send(capped) == Accepted(order=first.order, new=False, wake=True)
    with pytest.raises(ConflictingOrder):
        await send(capped, amount="11")


async def test_an_order_above_the_limit_is_stored_held_and_wakes_nobody(intake: Intake) -> None:
    """It is accepted: the shop did nothing wrong. Sent again it is the same; other content stays a conflict."""
    limited = replace(intake, caps=Caps(approval_units=TokenUnits(10 * TOKEN)))

    first = await send(limited, amount="10.5")

    assert (first.new, first.wake, first.order.status) == (True, False, OrderStatus.HELD)
    assert first.order.hold_reason is HoldReason.NEEDS_APPROVAL
    assert await send(limited, amount="10.5") == Accepted(order=first.order, new=False, wake=False)
    with pytest.raises(ConflictingOrder):
        await send(limited, amount="9")
    assert (await send(limited, order_id="AT-THE-LIMIT", amount="10")).wake


async def test_an_order_to_ourselves_is_refused(intake: Intake) -> None:
    """A hot key, a guard or an authority of before: no customer has one of them. What is stored already stays known."""
    known = await send(intake, order_id="BEFORE", wallet=BOB)
    guarded = replace(intake, own_addresses=_bob_is_ours)

    with pytest.raises(UnpayableOrder) as caught:
        await send(guarded, order_id="AFTER", wallet=BOB)
    assert caught.value.code == "wallet_forbidden"
    assert await intake.ledger.order(OrderKey("default", "AFTER")) is None
    assert (await send(guarded, order_id="BEFORE", wallet=BOB)).order == known.order
    assert (await send(guarded, order_id="ALICE")).new


async def _bob_is_ours() -> frozenset[Address]:
    return frozenset({BOB})


async def test_a_look_says_what_keeping_would_and_keeps_nothing(intake: Intake) -> None:
    """New, known, in conflict, or refused."""
    stored = (await send(intake)).order
    new = replace(stored, order_id="ORD2", ref_id=ref_id("default", "ORD2"))
    capped = replace(intake, caps=Caps(order_units=TokenUnits(1)))

    assert (await intake.look(stored), await capped.look(stored), await intake.look(new)) == (stored, stored, None)
    with pytest.raises(ConflictingOrder):
        await intake.look(replace(stored, fingerprint="other"))
    with pytest.raises(UnpayableOrder):
        await capped.look(new)
    assert await intake.ledger.order(new.key) is None
