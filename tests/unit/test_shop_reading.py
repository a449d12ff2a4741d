"""A shop asks where its own order is: who may ask, what it sees, and that another shop's order is as if it were not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from distributor.errors import BadSignature, RateLimited
from distributor.ledger import Ledger
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.model import HoldReason, Order, OrderKey
from distributor.rates import Rate
from distributor.shop_reading import ShopReading
from distributor.state import WaitingReason
from distributor.webhook.authentication import Authentication, WebhookRequest
from distributor.webhook.rate_limiter import RateLimiter
from distributor.webhook.refusal_lines import RefusalLines
from distributor.webhook.signature import Key
from distributor.webhook.signature_schemes import Scheme
from distributor.webhook.signing import signed_headers
from foundation.clock import UnixMs
from foundation.errors import ConfigurationError, Rejected
from foundation.tablestore.memory import MemoryRows
from tests.factories import IDENTITY, NOW_MS, OPERATOR, a_hash, an_order
from tests.fakes.clock import FrozenClock
from tests.fakes.counters import FakeCounters
from tests.fakes.rows import ListAudit
from tests.fakes.status import a_status

OURS = "secret of the default shop, 32 bytes"
SOUTH = "secret of the shop in the south, 32"
TIMED = (Scheme.TIMED, Scheme.STANDARD)


@dataclass
class Front:
    """The reading of a ledger with two shops, and the questions they sign."""

    ledger: Ledger
    reading: ShopReading
    fingerprints: SecretFingerprints
    clock: FrozenClock
    counters: FakeCounters

    async def stored(self, order_id: str, secret: str, **changes: Any) -> Order:
        """Store an order that was signed with *secret*."""
        signed_with = await self.fingerprints.of(secret)
        order = an_order(order_id, **{"signed_with": signed_with, **changes})
        return (await self.ledger.insert(order)).order

    def headers(
        self, order_id: str, secret: str = OURS, scheme: Scheme = Scheme.TIMED, question: str = ""
    ) -> Mapping[str, str]:
        """Sign a question as a shop does."""
        text = question or f"GET /shop/orders/{order_id}"
        return signed_headers(
            secret, text.encode("utf-8", "surrogatepass"), scheme, now_s=self.clock() // 1_000, message_id="q1"
        )

    async def ask(self, order_id: str, secret: str = OURS, scheme: Scheme = Scheme.TIMED) -> Mapping[str, Any] | None:
        """Return what a shop is shown."""
        _, document = await self.reading.of(self.headers(order_id, secret, scheme), order_id)
        return document


async def front(south: str = "loja-sul", per_source: Rate | None = None) -> Front:
    """Return a ledger with two shops, of which the second one's setting has the name *south*."""
    clock, rows = FrozenClock(NOW_MS), MemoryRows()
    ledger = Ledger(rows, ListAudit(), clock=clock)
    await ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    counters = FakeCounters(clock)

    async def salt() -> bytes:
        return b"salt"

    fingerprints = SecretFingerprints(salt=salt)
    keys = [
        Key(source="default", which="current", secret=OURS),
        Key(source=south, which="current", secret=SOUTH),
    ]
    authentication = Authentication(
        rate_limiter=RateLimiter(
            counters=counters, per_address=None, per_source=per_source, trusted_proxies=0, clock=clock
        ),
        keys=lambda: keys,
        clock=clock,
        refusal_lines=RefusalLines(clock),
    )
    reading = ShopReading(
        ledger=ledger,
        authentication=authentication,
        fingerprints=fingerprints,
        status=a_status(ledger),
    )
    return Front(ledger, reading, fingerprints, clock, counters)


async def registered(there: Front, sources: Mapping[str, str]) -> None:
    """Register whose each secret is."""
    for secret, source in sources.items():
        await there.ledger.shops.add(await there.fingerprints.of(secret), source, by="ana", how="accept")


@pytest.mark.parametrize("scheme", TIMED)
async def test_a_shop_sees_its_own_order(scheme: Scheme) -> None:
    """What it asked for and where that is; neither operator, nor nonce, nor what only an operator can do."""
    there = await front()
    await there.stored("ORD1", OURS)
    await there.ledger.service.set_waiting(WaitingReason.GAS_SHORT, "Order loja-sul:77 needs more")

    document = await there.ask("ORD1", scheme=scheme)

    assert document is not None
    assert (document["order_id"], document["source"], document["status"]) == ("ORD1", "default", "received")
    assert document["waiting"].keys() == {"reason", "summary"}
    assert document["waiting"]["reason"] == "gas_short"
    assert "loja-sul" not in str(document)
    assert {"operator", "nonce"}.isdisjoint(document)


async def test_a_held_order_says_why_and_names_no_other(  # the detail of a batch may
) -> None:
    """The reason's word and its sentence."""
    there = await front()
    order = await there.stored("ORD1", OURS)
    await there.ledger.hold(order, HoldReason.SIMULATION, "refused beside loja-sul:77")

    document = await there.ask("ORD1")

    assert document is not None
    assert (document["status"], document["held"]["reason"]) == ("held", "simulation")
    assert "loja-sul" not in str(document)


async def test_an_order_of_another_shop_is_as_if_it_were_not() -> None:
    """By its id alone, whatever is registered; and an id that no order can have is answered alike."""
    there = await front()
    await there.stored("ORD1", OURS)
    await there.stored("S-1", SOUTH, source="loja-sul", ref_id=a_hash("s"))

    before = [await there.ask(name, secret) for name, secret in (("S-1", OURS), ("ORD1", SOUTH), ("NONE", OURS))]
    await registered(there, {OURS: "default", SOUTH: "loja-sul"})
    after = [await there.ask(name, secret) for name, secret in (("S-1", OURS), ("ORD1", SOUTH), ("NONE", OURS))]

    assert [*before, *after, await there.ask("no such id!"), await there.ask("\udce9")] == [None] * 8
    assert (await there.ask("S-1", SOUTH) or {})["source"] == "loja-sul"


async def test_a_name_that_changed_hands_shows_nobody_the_orders_of_before() -> None:
    """The second shop's setting got the first one's old name: its secret decides, not the name."""
    there = await front(south="loja-antiga")
    await registered(there, {OURS: "default", SOUTH: "loja-sul"})
    await there.stored("OLD", "the secret of who had that name before", source="loja-antiga")
    await there.stored("MINE", SOUTH, source="loja-sul", ref_id=a_hash("m"))
    waits = await there.stored("WAITS", SOUTH, source="loja-antiga", ref_id=a_hash("w"))

    assert await there.ask("OLD", SOUTH) is None
    assert (await there.ask("MINE", SOUTH) or {})["source"] == "loja-sul"
    assert (await there.ask("WAITS", SOUTH) or {})["source"] == "loja-antiga"
    owners = (await there.ledger.shops.registered()).owners
    await there.ledger.shop_orders.move(waits, owners)
    assert (await there.ask("WAITS", SOUTH) or {})["source"] == "loja-sul"


async def test_a_secret_nobody_registered_sees_what_it_signed_and_no_more() -> None:
    """A new shop's orders wait for a word; it may see that they do. One of before that names no secret is not its."""
    there = await front()
    await registered(there, {OURS: "default"})
    await there.stored("S-1", SOUTH, source="loja-sul", ref_id=a_hash("s"))
    await there.stored("S-0", SOUTH, source="loja-sul", ref_id=a_hash("s0"), signed_with=None)

    assert await there.ask("S-1", SOUTH) is not None
    assert await there.ask("S-0", SOUTH) is None


async def test_an_order_of_before_that_names_no_secret_is_its_names(  # a ledger of an older version
) -> None:
    """It lies where its shop's name says, and the shop still has that name."""
    there = await front()
    await there.stored("OLD", OURS, signed_with=None, received_ms=UnixMs(NOW_MS - 86_400_000))
    await registered(there, {OURS: "default"})

    assert await there.ask("OLD") is not None
    assert await there.ask("OLD", SOUTH) is None


@pytest.mark.parametrize("scheme", [scheme for scheme in Scheme if scheme not in TIMED])
async def test_a_signature_without_a_time_is_none(scheme: Scheme) -> None:
    """A stranger who saw it once could ask at any time."""
    there = await front()

    with pytest.raises(BadSignature, match="without a time"):
        await there.ask("ORD1", scheme=scheme)


async def test_a_signature_is_for_one_question_and_five_minutes() -> None:
    """Of another order, of the webhook, of another method, or an old one: all refused with one text."""
    there = await front()
    wrong = [
        there.headers("ORD2"),
        there.headers("ORD1", question="POST /webhook"),
        there.headers("ORD1", question="DELETE /shop/orders/ORD1"),
        there.headers("ORD1", question='{"order_id":"ORD1"}'),
        there.headers("ORD1", "a secret that nobody has, 32 bytes"),
        {},
    ]
    stale = there.headers("ORD1")

    for headers in wrong:
        with pytest.raises(BadSignature):
            await there.reading.of(headers, "ORD1")
    there.clock.advance(301_000)
    with pytest.raises(BadSignature):
        await there.reading.of(stale, "ORD1")


async def test_a_signed_question_is_no_order() -> None:
    """Posted to the webhook, its bytes are verified and are no JSON type's order; an order's signature asks nothing."""
    there = await front()
    headers = there.headers("ORD1")

    sender = await there.reading.authentication.authenticate(
        WebhookRequest(headers=headers, body=b"GET /shop/orders/ORD1"), body_bytes_max=100
    )
    assert sender.verified.source == "default"  # the parser refuses it: it is no JSON
    with pytest.raises(Rejected):
        await there.reading.of(there.headers("ORD1", question='{"order_id": "ORD1"}'), "ORD1")


async def test_a_shop_that_asks_too_often_is_refused_questions_and_no_order() -> None:
    """They are counted apart, at the same rate."""
    there = await front(per_source=Rate(amount=2, period_s=60))
    await there.stored("ORD1", OURS)

    assert [await there.ask("ORD1") is not None for _ in range(2)] == [True, True]
    with pytest.raises(RateLimited):
        await there.ask("ORD1")
    order = b'{"order_id": "A"}'
    headers = signed_headers(OURS, order, Scheme.TIMED, now_s=there.clock() // 1_000, message_id="m")
    sender = await there.reading.authentication.authenticate(
        WebhookRequest(headers=headers, body=order), body_bytes_max=100
    )
    assert sender.window is not None
    assert sender.window.remaining == 1


async def test_a_question_reads_a_few_rows_whatever_the_ledger_holds() -> None:
    """The register, two orders at most, why orders wait, and whether a round runs."""
    there = await front()
    await registered(there, {OURS: "default", SOUTH: "loja-sul"})
    for number in range(200):
        await there.stored(f"ORD{number}", OURS, ref_id=a_hash(str(number)))
    rows = there.ledger.shops.rows
    assert isinstance(rows, MemoryRows)
    before = rows.reads

    await there.ask("ORD7")
    known, before = rows.reads - before, rows.reads
    await there.ask("NONE")

    assert (known, rows.reads - before) == (5, 3)


async def test_while_a_shops_secret_cannot_be_used_nobody_is_told_that_it_signs_wrongly() -> None:
    """It may be that shop: it asks again later."""
    there = await front()
    closed = replace(there.reading.authentication, closes_a_shop=lambda: True)

    with pytest.raises(ConfigurationError):
        await replace(there.reading, authentication=closed).of(
            there.headers("ORD1", "another secret, 32 bytes!!"), "ORD1"
        )
    assert await there.ledger.order(OrderKey("default", "ORD1")) is None
