"""The state of an order, as a shop sees it."""

from dataclasses import replace
from typing import Any

import pytest

from distributor.ledger import Closing, Ledger
from distributor.model import AttemptKind, HoldReason, Order, OrderKey, OrderStatus, Transaction, TransactionStatus
from distributor.state import WaitingReason
from distributor.status import rfc3339, shown
from distributor.translation import translated
from distributor.units import Wei
from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from tests.factories import (
    ALICE,
    IDENTITY,
    NOW_MS,
    OPERATOR,
    TOKEN,
    a_block,
    a_transaction,
    an_attempt,
    an_order,
)
from tests.fakes.bench import bind
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit
from tests.fakes.status import a_status, no_round_runs

KEY = OrderKey("default", "ORD1")
BLOCK = a_block(100)


@pytest.fixture
def rows() -> MemoryRows:
    """An empty table."""
    return MemoryRows()


@pytest.fixture
async def ledger(rows: MemoryRows) -> Ledger:
    """A ledger with one operator and one order received."""
    found = Ledger(rows, ListAudit(), clock=FrozenClock(NOW_MS))
    await found.admin.initialise(IDENTITY, OPERATOR, 7)
    await found.insert(an_order())
    return found


async def look(ledger: Ledger, key: OrderKey = KEY) -> dict[str, Any]:
    """Return the order's document."""
    document = await a_status(ledger).of(key)
    assert document is not None
    return dict(document)


async def bound(ledger: Ledger) -> Transaction:
    """Bind the order to nonce 7."""
    order, binding_state = await ledger.order(KEY), await ledger.binding_state(OPERATOR)
    assert order
    assert binding_state
    _, transaction = await bind(ledger, binding_state, [order], a_transaction(), an_attempt())
    return transaction


async def close(ledger: Ledger, held: HoldReason | None = None) -> None:
    """Mine and close the bound transaction: its order is paid, or held for a reason."""
    transaction = await ledger.transaction(OPERATOR, 7)
    assert transaction
    transaction = await ledger.update(mined(transaction))
    closing = Closing(
        tx_hash=an_attempt().tx_hash,
        block_number=100,
        paid=() if held else (KEY,),
        held={KEY: held} if held else {},
        detail="execution reverted" if held else "",
        gas_used=63_000,
        gas_cost_wei=Wei(1),
    )
    await ledger.close(transaction, closing)


def mined(transaction: Transaction) -> Transaction:
    """Return *transaction* in block 100."""
    return replace(
        transaction,
        status=TransactionStatus.MINED,
        mined_hash=an_attempt().tx_hash,
        block_number=BLOCK.number,
        block_hash=BLOCK.block_hash,
    )


async def test_a_received_order_shows_what_was_asked(ledger: Ledger) -> None:
    """All of it, with the amount in tokens and in units, and nothing of the chain yet."""
    assert await look(ledger) == {
        "order_id": "ORD1",
        "source": "default",
        "status": "received",
        "wallet": ALICE,
        "amount": "10",
        "amount_units": str(10 * TOKEN),
        "tipo": "bonus",
        "reason": "Reward",
        "ref_id": an_order().ref_id,
        "transaction_hash": None,
        "operator": None,
        "nonce": None,
        "block": None,
        "waiting": None,
        "held": None,
        "received_at": "2027-01-15T08:00:00.000Z",
        "updated_at": "2027-01-15T08:00:00.000Z",
    }


async def test_a_waiting_order_says_why_and_what_to_do(ledger: Ledger) -> None:
    """The reason is the whole service's; it passes without anyone touching the order."""
    await ledger.service.set_waiting(WaitingReason.GAS_SHORT, "0.01 POL at 0xabc")

    waiting = (await look(ledger))["waiting"]

    assert (waiting["reason"], waiting["detail"]) == ("gas_short", "0.01 POL at 0xabc")
    assert waiting["since"] == rfc3339(NOW_MS)
    assert waiting["action"].startswith("Send POL")
    assert waiting["summary"]


@pytest.mark.parametrize(
    ("reason", "why", "last"),
    [
        (WaitingReason.PAUSED, "By ana: a look", " found: paused: By ana: a look"),
        (WaitingReason.PAUSED, "", " found: paused"),
        (None, "", " found nothing."),
    ],
)
async def test_while_no_round_runs_that_is_why_an_order_waits(
    ledger: Ledger, reason: WaitingReason | None, why: str, last: str
) -> None:
    """What the last round found may be long over; it is only in the detail, in both languages."""
    await ledger.service.set_waiting(reason, why)
    await no_round_runs(ledger, UnixMs(NOW_MS - 60_000))

    waiting = (await look(ledger))["waiting"]

    assert (waiting["reason"], waiting["since"]) == ("work_not_running", rfc3339(UnixMs(NOW_MS - 60_000)))
    assert waiting["summary"] == "Nobody takes the wake-ups of a queue: its function does not run."
    assert waiting["action"]
    assert waiting["detail"] == f"The function `distribute` does not run. Its last round{last}"
    assert translated(waiting["detail"], "pt").startswith("A função `distribute` não está em execução. ")


async def test_a_held_order_waits_for_no_round(ledger: Ledger) -> None:
    """It says why it is held."""
    await no_round_runs(ledger, UnixMs(NOW_MS))
    order = await ledger.order(KEY)
    assert order is not None
    await ledger.hold(order, HoldReason.SIMULATION, "refused")

    document = await look(ledger)

    assert (document["status"], document["waiting"], document["held"]["reason"]) == ("held", None, "simulation")


async def test_a_bound_order_is_submitted(ledger: Ledger) -> None:
    """With the hash an explorer finds it under, its nonce and its operator; a waiting reason is not its own."""
    await ledger.service.set_waiting(WaitingReason.PAUSED, "")
    await bound(ledger)

    document = await look(ledger)

    assert (document["status"], document["transaction_hash"]) == ("submitted", an_attempt().tx_hash)
    assert (document["operator"], document["nonce"], document["block"]) == (OPERATOR, 7, None)
    assert document["waiting"] is None


async def test_a_replaced_transaction_shows_its_latest_payment(ledger: Ledger) -> None:
    """A cancellation in flight pays nobody, so its hash is not the order's."""
    second = an_attempt(1)
    transaction = await ledger.add_attempt(await bound(ledger), second)
    await ledger.add_attempt(transaction, an_attempt(2, kind=AttemptKind.CANCEL))

    assert (await look(ledger))["transaction_hash"] == second.tx_hash


async def test_a_mined_order_shows_its_block(ledger: Ledger) -> None:
    """Mined is not paid: the block may still leave the chain."""
    await ledger.update(mined(await bound(ledger)))

    document = await look(ledger)

    assert (document["status"], document["transaction_hash"], document["block"]) == ("mined", an_attempt().tx_hash, 100)


async def test_a_paid_order_keeps_its_proof(ledger: Ledger) -> None:
    """Hash, block and nonce stay permanently."""
    await bound(ledger)
    await close(ledger)

    document = await look(ledger)

    assert (document["status"], document["transaction_hash"]) == ("paid", an_attempt().tx_hash)
    assert (document["block"], document["nonce"], document["held"]) == (100, 7, None)


async def test_a_held_order_says_why_and_what_to_do(ledger: Ledger) -> None:
    """With the transaction that finally failed, and no nonce any more."""
    await bound(ledger)
    await close(ledger, HoldReason.REVERTED)

    document = await look(ledger)

    assert (document["status"], document["nonce"], document["transaction_hash"]) == (
        "held",
        None,
        an_attempt().tx_hash,
    )
    assert (document["held"]["reason"], document["held"]["detail"]) == ("reverted", "execution reverted")
    assert document["held"]["action"]


async def test_a_closing_between_two_reads_is_not_shown_half(rows: MemoryRows, ledger: Ledger) -> None:
    """The order was read bound, its transaction final: the order is read again."""

    class ClosesMeanwhile(Ledger):
        """Another host's settlement closes just after the order was read."""

        async def order(self, key: OrderKey) -> Order | None:
            order = await super().order(key)
            if order and order.status is OrderStatus.BOUND:
                await close(ledger)
            return order

    await bound(ledger)

    document = await look(ClosesMeanwhile(rows, ListAudit(), clock=FrozenClock(NOW_MS)))

    assert (document["status"], document["block"]) == ("paid", 100)


async def test_an_order_nobody_sent_is_none(ledger: Ledger) -> None:
    """Other ids, and ids of other shops."""
    status = a_status(ledger)

    assert await status.of(OrderKey("default", "ORD2")) is None
    assert await status.of(OrderKey("shop-b", "ORD1")) is None


@pytest.mark.parametrize(
    "key", [("default", "a/b"), ("default", "x" * 65), ("De fault", "ORD1"), ("", "ORD1"), ("default", "é\n")]
)
async def test_a_name_no_order_can_have_asks_nothing(rows: MemoryRows, ledger: Ledger, key: tuple[str, str]) -> None:
    """A made-up path is no key of a table."""
    before = rows.reads

    assert await a_status(ledger).of(OrderKey(*key)) is None
    assert rows.reads == before


@pytest.mark.parametrize("status", list(OrderStatus))
def test_users_see_their_own_words(status: OrderStatus) -> None:
    """``assigned`` is ours; shops read submitted."""
    order: Order = an_order(status=status)

    assert shown(order) == ("submitted" if status is OrderStatus.BOUND else status.value)


def test_a_time_is_utc_to_the_millisecond() -> None:
    """RFC 3339, without a float on the way."""
    assert rfc3339(UnixMs(1_800_000_000_007)) == "2027-01-15T08:00:00.007Z"
