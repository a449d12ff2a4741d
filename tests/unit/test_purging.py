"""Erasure: a person's rows stay, emptied; what is unfinished is refused; nothing is ever paid a second time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from distributor.errors import ConflictingOrder
from distributor.ledger import keys
from distributor.ledger.closing import PaidBy
from distributor.ledger.columns import encode
from distributor.ledger.order_search import OrderFilter
from distributor.ledger.purging import Unfinished
from distributor.ledger.rebuild_store import Payout, RebuildStore, RestoreResult
from distributor.ledger.records import UNREMEMBERED, Slot
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.model import Address, Order, OrderKey, OrderStatus
from distributor.payout.corrected import Corrected
from distributor.payout.correction import Correction
from distributor.payout.decision import Decision
from distributor.payout.guard_change import GuardChange
from distributor.payout.guard_settling import GuardSettling
from distributor.recovery.audit import Mismatch, _compared, _entry
from distributor.recovery.consistency import Consistency
from distributor.recovery.purging import PurgeKind
from distributor.units import TokenUnits
from distributor.webhook.order_keeper import OrderKeeper
from foundation.alarms.model import FACTS
from foundation.errors import Contention, InvariantBroken, StoreUnavailable
from foundation.tablestore.memory import MemoryRows
from tests.factories import (
    ALICE,
    BOB,
    IDENTITY,
    NOW_MS,
    OPERATOR,
    POLICY,
    TOKEN,
    a_hash,
    an_attempt,
    an_order,
)
from tests.fakes.alarms import ListAlarms
from tests.fakes.bench import Bench, a_closing
from tests.fakes.chain import FakeChain
from tests.fakes.guard import FakeGuard
from tests.fakes.history import FakeHistory
from tests.fakes.purging import DAY_MS, Eraser, paid_yesterday

CANARY = "Ana Canaria"


def rows_of(eraser: Eraser) -> MemoryRows:
    """Return the ledger's rows, past every rule."""
    assert isinstance(eraser.bench.rows, MemoryRows)
    return eraser.bench.rows


def said(eraser: Eraser) -> str:
    """Return all that is stored anywhere, as text."""
    return f"{rows_of(eraser).dump()} {eraser.bench.audit.entries} {eraser.journal.blobs}"


async def with_wallets(eraser: Eraser) -> set[str]:
    """Return the orders that still name a wallet."""
    orders = RebuildStore(rows_of(eraser), eraser.bench.clock).orders()
    return {str(order.key) async for order in orders if order.wallet}


def keeper(bench: Bench) -> OrderKeeper:
    """Return the front door's keeper of orders."""

    async def salt() -> bytes:
        return b"salt"

    return OrderKeeper(ledger=bench.ledger, fingerprints=SecretFingerprints(salt=salt), alarms=ListAlarms())


# what is erased -----------------------------------------------------------------------------------


async def test_nothing_of_a_wallet_is_left_anywhere() -> None:
    """Order, call data, signed bytes, index, day's total, alarm and audit; the ids and the hash of each stay."""
    eraser = await paid_yesterday("A1", "A2")
    bench, rows = eraser.bench, rows_of(eraser)
    before = await bench.order("A1")
    rows.put(f"{FACTS}held_reverted:default:A1", {"code": "held_reverted", "subject": "default:A1", "detail": CANARY})
    await bench.audit.record("retry:default:A1:1", {"deed": "retry", "subject": "default:A1", "why": CANARY})

    report = await eraser.erase(PurgeKind.WALLET, ALICE)

    assert not any(word in said(eraser) for word in (ALICE, CANARY, "Reward", "raw 7", "distribute"))
    wanted = {"order": 2, "time-wallet": 2, "tx": 1, "attempt": 1, "spent": 1, "audit": 1, "alarm": 1}
    assert report.rows == wanted
    assert next((each.key.order_id, each.fingerprint) for each in report.proofs) == ("A1", before.fingerprint)
    order = await bench.order("A1")
    assert (order.status, order.fingerprint, order.paid_hash) == ("paid", before.fingerprint, before.paid_hash)
    assert order.purged_ms == bench.clock()
    assert await Consistency(rows).disagreements() == []


async def test_words_about_its_call_backs_and_about_its_nonces_are_emptied() -> None:
    """They are said of the order too: why its shop is told again, and why somebody decided about what carried it."""
    eraser = await paid_yesterday("A1")
    order, record = await eraser.bench.order("A1"), eraser.bench.audit.record
    told = ("callbacks-resend", str(order.key))
    decided = [(word, f"{order.operator}:{order.nonce}") for word in ("resolve", "resubmit", "cancel-nonce")]
    other = ("resolve", f"{order.operator}:{order.nonce}1")
    for deed, subject in (told, *decided, other):
        await record(f"{deed}:{subject}:{1:015d}", {"deed": deed, "subject": subject, "why": CANARY})

    report = await eraser.erase(PurgeKind.ORDER, "default:A1")

    assert report.rows["audit"] == 1 + len(decided)
    assert said(eraser).count(CANARY) == 1, "of another nonce"


async def test_a_dry_run_counts_the_same_and_writes_nothing() -> None:
    """No row changes, and the journal has no entry."""
    eraser = await paid_yesterday("A1")
    before = rows_of(eraser).dump()

    dry = await eraser.erase(PurgeKind.WALLET, ALICE, apply=False)

    assert (rows_of(eraser).dump(), eraser.journal.blobs) == (before, {})
    assert dry.rows == (await eraser.erase(PurgeKind.WALLET, ALICE)).rows


async def test_once_more_changes_nothing() -> None:
    """What is empty stays empty; an order named by its id is found again and left."""
    eraser = await paid_yesterday("A1")
    await eraser.erase(PurgeKind.ORDER, "default:A1")
    before = rows_of(eraser).dump()

    assert (await eraser.erase(PurgeKind.ORDER, "default:A1")).rows == {}
    assert rows_of(eraser).dump() == before


async def test_an_entry_without_words_and_an_id_that_nobody_knows_are_nothing() -> None:
    """Neither is written again."""
    eraser = await paid_yesterday("A1")
    await eraser.bench.audit.record("retry:default:A1:1", {"deed": "retry", "subject": "default:A1", "why": ""})

    assert (await eraser.erase(PurgeKind.ORDER, "default:none")).rows == {}
    assert "audit" not in (await eraser.erase(PurgeKind.ORDER, "default:A1")).rows


async def test_other_people_keep_theirs() -> None:
    """A shop's purge takes its own orders, a wallet's purge its own, an order's purge that order."""
    eraser = await paid_yesterday("A1", "A2")
    await eraser.bench.received("B1", source="loja", wallet=BOB, ref_id=a_hash("B1"))
    bobs = await eraser.bench.ledger.order(OrderKey("loja", "B1"))
    assert bobs is not None

    await eraser.erase(PurgeKind.ORDER, "default:A2")
    assert (await eraser.bench.order("A1")).wallet == ALICE
    await eraser.erase(PurgeKind.SHOP, "default")

    assert [(await eraser.bench.order(each)).wallet for each in ("A1", "A2")] == ["", ""]
    assert await eraser.bench.ledger.order(bobs.key) == bobs


async def test_an_order_that_was_moved_is_erased_at_both_places() -> None:
    """What it left behind names the wallet too."""
    eraser = await paid_yesterday("A1")
    moved = an_order("A1", source="old", ref_id=a_hash("old"), status=OrderStatus.CANCELLED, moved_to="default")
    rows_of(eraser).put(keys.order_row(moved.key), encode(moved))
    rows_of(eraser).put(keys.ref(moved.ref_id), encode(moved.key))

    report = await eraser.erase(PurgeKind.ORDER, "old:A1")

    assert report.rows["order"] == 2
    assert len(eraser.journal.blobs) == 2
    assert ALICE not in str([values for key, values in rows_of(eraser).dump().items() if key.startswith("order:")])


@pytest.mark.parametrize(("kind", "name"), [(PurgeKind.ORDER, "default:A1"), (PurgeKind.SHOP, "default")])
async def test_what_an_order_left_behind_is_erased_with_it(kind: PurgeKind, name: str) -> None:
    """The console names an order where it is now; the row under its first name holds the wallet too."""
    eraser = await paid_yesterday("A1", "A2")
    for source, order_id, to in (("older", "A1", "old"), ("old", "A1", "default"), ("old", "A9", "elsewhere")):
        left = an_order(order_id, source=source, status=OrderStatus.CANCELLED, moved_to=to)
        rows_of(eraser).put(keys.order_row(left.key), encode(left))
    backup = rows_of(eraser).dump()
    left_alone = {"old:A9"} | ({"default:A2"} if kind is PurgeKind.ORDER else set())

    report = await eraser.erase(kind, name)

    assert {str(each.key) for each in report.proofs} >= {"older:A1", "old:A1", "default:A1"}
    assert await with_wallets(eraser) == left_alone
    assert (await eraser.erase(kind, name)).rows == {}
    rows_of(eraser).restore(backup)
    await eraser.replay()
    assert await with_wallets(eraser) == left_alone


async def test_an_index_row_that_became_wrong_goes_and_a_new_order_keeps_its_own() -> None:
    """Orders that changed places left a row under this wallet; what the person orders afterwards is not touched."""
    eraser = await paid_yesterday("A1")
    await eraser.bench.received("B1", wallet=BOB)
    bobs = await eraser.bench.order("B1")
    rows_of(eraser).put(keys.wallet_time_row(replace(bobs, wallet=ALICE)), encode(bobs.key))
    rows_of(eraser).put(keys.wallet_time_row(an_order("gone", wallet=ALICE)), encode(OrderKey("default", "gone")))

    report = await eraser.erase(PurgeKind.WALLET, ALICE)

    assert report.rows["time-wallet"] == 3
    found = await eraser.bench.ledger.found(OrderFilter(wallet=BOB), limit=5)
    assert [each.order.key for each in found.orders] == [bobs.key]


async def test_the_totals_of_today_and_yesterday_stay() -> None:
    """The caps of those days are counted with them; once they are past they go."""
    eraser = await paid_yesterday("A1")
    rows_of(eraser).put("spent:2027-01-16:" + ALICE, {"day": "2027-01-16", "wallet": ALICE, "units": "1"})

    assert (await eraser.erase(PurgeKind.WALLET, ALICE)).rows["spent"] == 1
    assert f"spent:2027-01-16:{ALICE}" in rows_of(eraser).dump()
    eraser.bench.clock.advance(2 * DAY_MS)
    assert (await eraser.erase(PurgeKind.WALLET, ALICE)).rows == {"spent": 1}


async def test_more_attempts_than_a_group_holds_are_all_emptied() -> None:
    """A hundred to a group, the transaction's own row in the last."""
    eraser = await paid_yesterday("A1")
    for index in range(1, 130):
        attempt = an_attempt(index)
        rows_of(eraser).put(keys.attempt(*Slot(OPERATOR, 7), index), encode(attempt))

    report = await eraser.erase(PurgeKind.ORDER, "default:A1")

    assert report.rows["attempt"] == 130
    assert "raw 7" not in said(eraser)


async def test_a_row_that_changes_meanwhile_is_not_written_over() -> None:
    """Each group is conditional on the rows as they were read; a purge is begun again then, and ends."""
    eraser = await paid_yesterday("A1")
    rows, key = rows_of(eraser), keys.order_row(OrderKey("default", "A1"))
    rows.on_done = lambda group, _: rows.put(key, rows.dump()[key]) if group[0].key.startswith("attempt:") else None

    with pytest.raises(Contention):
        await eraser.erase(PurgeKind.WALLET, ALICE)
    rows.on_done = lambda _, __: None
    await eraser.erase(PurgeKind.WALLET, ALICE)

    assert ALICE not in said(eraser)


# what is not finished ------------------------------------------------------------------------------


async def _waits(eraser: Eraser) -> None:
    await eraser.bench.received("N1")


async def _is_bound(eraser: Eraser) -> None:
    await eraser.bench.bound("N1")


async def _is_held(eraser: Eraser) -> None:
    transaction = await eraser.bench.bound("N1")
    await eraser.bench.ledger.close(transaction, a_closing(held=["N1"]))


async def _was_paid_just_now(eraser: Eraser) -> None:
    transaction = await eraser.bench.bound("N1")
    await eraser.bench.ledger.close(transaction, a_closing("N1"))


async def _rests_on_one_word(eraser: Eraser) -> None:
    transaction = await eraser.bench.bound("N1")
    await eraser.bench.ledger.close(transaction, a_closing("N1", alone=True))
    eraser.bench.clock.advance(2 * DAY_MS)


async def _is_newer(eraser: Eraser) -> None:
    rows_of(eraser).put(
        keys.order_row(OrderKey("default", "N1")), encode(an_order("N1", wallet=ALICE)) | {"status": "tomorrow"}
    )
    rows_of(eraser).put(keys.wallet_time_row(an_order("N1")), encode(OrderKey("default", "N1")))


async def _was_bound_before_it_was_cancelled(eraser: Eraser) -> None:
    """A person settled the order otherwise while a transaction that carried it is open."""
    await eraser.bench.bound("N1")
    order = await eraser.bench.order("N1")
    paid = replace(order, status=OrderStatus.PAID, operator=None, nonce=None)
    rows_of(eraser).put(keys.order_row(order.key), encode(paid))


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (_waits, Unfinished.WAITS),
        (_is_bound, Unfinished.BOUND),
        (_is_held, Unfinished.HELD),
        (_was_paid_just_now, Unfinished.YOUNG),
        (_rests_on_one_word, Unfinished.ONE_WORD),
        (_is_newer, Unfinished.NEWER),
        (_was_bound_before_it_was_cancelled, Unfinished.OPEN),
    ],
)
async def test_one_unfinished_order_and_nothing_is_written(prepare: Callable[[Eraser], Any], why: Unfinished) -> None:
    """Its data is needed to pay it, or to prove that it was paid; the others wait for it too."""
    eraser = await paid_yesterday("A1")
    # bound on the day that the bench's transactions name
    eraser.bench.clock.now_ms = NOW_MS
    await prepare(eraser)
    before = rows_of(eraser).dump()

    report = await eraser.erase(PurgeKind.WALLET, ALICE)

    assert report.unfinished[OrderKey("default", "N1")] is why
    assert (rows_of(eraser).dump(), eraser.journal.blobs, report.rows) == (before, {}, {})


@pytest.mark.parametrize("key", ["order:default:T1", "tx:0xT:1", "ref:0xT"])
async def test_a_row_that_cannot_be_read_is_named_and_hides_no_other(key: str) -> None:
    """It is not erased: the answer says so; a restore is not stopped by it."""
    eraser = await paid_yesterday("A1")
    backup = rows_of(eraser).dump() | {key: {"paid_hash": 7}}
    rows_of(eraser).restore(backup)

    report = await eraser.erase(PurgeKind.SHOP, "default")
    rows_of(eraser).restore(backup)
    replayed = await eraser.replay()

    assert key in replayed.torn
    assert (key in report.torn) is not key.startswith("ref:")
    assert (await eraser.bench.order("A1")).wallet == ""


# never paid twice ----------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"amount_units": TokenUnits(99 * TOKEN), "wallet": BOB, "fingerprint": "x"}])
async def test_what_comes_under_its_id_is_answered_as_known(changes: dict[str, Any]) -> None:
    """The same content or any other: it is paid, nothing is woken, and nothing is stored."""
    eraser = await paid_yesterday("A1")
    await eraser.erase(PurgeKind.WALLET, ALICE)
    before = rows_of(eraser).dump()

    accepted = await keeper(eraser.bench).keep(an_order("A1", **changes), "secret")
    looked = await keeper(eraser.bench).look(an_order("A1", **changes))

    assert (accepted.new, accepted.wake, accepted.order.status) == (False, False, "paid")
    assert looked is not None
    assert looked.status == "paid"
    assert rows_of(eraser).dump() == before


async def test_a_rebuild_finds_its_payment_known() -> None:
    """The chain shows wallet and reason for all time; the ledger does not take them back."""
    eraser = await paid_yesterday("A1")
    order = await eraser.bench.order("A1")
    await eraser.erase(PurgeKind.WALLET, ALICE)
    store = RebuildStore(eraser.bench.rows, eraser.bench.clock)

    assert await store.restore(_payout(order)) is RestoreResult.KNOWN
    assert ALICE not in said(eraser)


def _payout(order: Order, key: OrderKey | None = None) -> Payout:
    return Payout(
        ref_id=order.ref_id,
        key=key,
        wallet=ALICE,
        amount_units=order.amount_units,
        reason=CANARY,
        operator=None,
        nonce=None,
        tx_hash=order.paid_hash or a_hash("final"),
        block_number=90,
    )


@pytest.mark.parametrize("named", [True, False])
async def test_what_a_rebuild_found_is_erased_and_stays_paid(named: bool) -> None:
    """Its reference holds the wallet, with an order's name or without one; other content is known as well."""
    eraser = await paid_yesterday("A1")
    lost = an_order("L1")
    store = RebuildStore(eraser.bench.rows, eraser.bench.clock)
    await store.restore(_payout(lost, lost.key if named else None))

    report = await eraser.erase(PurgeKind.WALLET, ALICE)
    accepted = await keeper(eraser.bench).keep(an_order("L1", wallet=BOB, fingerprint="y"), "secret")

    assert report.rows["ref"] == 1
    assert ALICE not in said(eraser)
    assert (accepted.new, accepted.order.status, accepted.order.wallet) == (False, "paid", "")


async def test_a_barred_id_stays_barred() -> None:
    """It has no data but its id; a purge of its shop does not open it."""
    eraser = await paid_yesterday("A1")
    await eraser.bench.ledger.exits.bar(OrderKey("default", "X1"))
    await eraser.erase(PurgeKind.SHOP, "default")

    accepted = await keeper(eraser.bench).keep(an_order("X1"), "secret")

    assert (accepted.new, accepted.order.status) == (False, "cancelled")


async def test_other_content_under_an_id_that_was_not_erased_is_still_refused() -> None:
    """The rule of before."""
    eraser = await paid_yesterday("A1")

    with pytest.raises(ConflictingOrder):
        await keeper(eraser.bench).keep(an_order("A1", fingerprint="x"), "secret")
    with pytest.raises(ConflictingOrder):
        await keeper(eraser.bench).look(an_order("A1", fingerprint="x"))


async def test_no_act_of_a_person_brings_it_back() -> None:
    """Reopen, correct, settle, adopt, retry and cancel are refused by the ledger itself."""
    eraser = await paid_yesterday("A1")
    await eraser.erase(PurgeKind.WALLET, ALICE)
    ledger, order = eraser.bench.ledger, await eraser.bench.order("A1")
    proof = PaidBy(tx_hash=a_hash("x"), block_number=1, log_index=0)
    gone = replace(order, status=OrderStatus.CANCELLED, nonce=None, operator=None)
    held = replace(gone, status=OrderStatus.HELD)
    acts = [
        ledger.exits.reopen(order, ""),
        ledger.guard_rows.correct(order, proof),
        ledger.exits.settle(gone, a_hash("x"), 1, 0),
        ledger.guard_rows.adopt(gone, proof),
        ledger.admin.retry(held, "ana", ""),
        ledger.admin.cancel(held, "ana", ""),
    ]

    for act in acts:
        with pytest.raises(InvariantBroken, match="erased"):
            await act


# the journal ---------------------------------------------------------------------------------------


async def test_the_journal_is_written_first() -> None:
    """Where it does not answer nothing is erased; an entry without its rows is found by the next purge."""
    eraser = await paid_yesterday("A1")
    before = rows_of(eraser).dump()
    eraser.journal.down_after = 0

    with pytest.raises(StoreUnavailable):
        await eraser.erase(PurgeKind.WALLET, ALICE)

    assert rows_of(eraser).dump() == before


@pytest.mark.parametrize(
    ("kind", "name"), [(PurgeKind.WALLET, ALICE), (PurgeKind.ORDER, "default:A1"), (PurgeKind.SHOP, "default")]
)
async def test_a_backup_that_is_put_back_is_erased_again(kind: PurgeKind, name: str) -> None:
    """The journal names nobody, and finds the subject all the same; afterwards the id is still known."""
    eraser = await paid_yesterday("A1")
    backup = rows_of(eraser).dump()
    await eraser.erase(kind, name)
    assert name not in str(eraser.journal.blobs)
    rows_of(eraser).restore(backup)

    dry = await eraser.replay(apply=False)
    report = await eraser.replay()

    assert dry.rows == report.rows
    assert report.rows["order"] == 1
    assert (await eraser.bench.order("A1")).wallet == ""
    assert (await eraser.replay()).rows["order"] == 0


async def test_what_a_backup_has_unfinished_is_told_and_erased_once_it_is_paid() -> None:
    """It is still needed: the rebuild pays or marks it, and the journal is replayed once more."""
    eraser = await paid_yesterday("A1")
    bench, paid = eraser.bench, rows_of(eraser).dump()
    await eraser.erase(PurgeKind.WALLET, ALICE)
    rows_of(eraser).restore(paid)
    order = await bench.order("A1")
    rows_of(eraser).put(keys.order_row(order.key), encode(replace(order, status=OrderStatus.HELD)))

    report = await eraser.replay()

    assert report.unfinished == {order.key: Unfinished.HELD}
    assert report.rows == {}
    assert (await bench.order("A1")).wallet == ALICE


async def test_what_a_person_orders_after_the_purge_is_theirs() -> None:
    """A wallet's entry covers what came before it, and what a rebuild found without its time."""
    eraser = await paid_yesterday("A1")
    await eraser.erase(PurgeKind.WALLET, ALICE)
    eraser.bench.clock.advance(1)
    store = RebuildStore(eraser.bench.rows, eraser.bench.clock)
    lost = an_order("L1", fingerprint=UNREMEMBERED)
    await store.restore(_payout(lost, lost.key))
    await eraser.bench.received("N1", received_ms=eraser.bench.clock())
    await eraser.bench.ledger.admin.cancel(await eraser.bench.order("N1"), "ana", "asked")

    await eraser.replay()

    assert (await eraser.bench.order("N1")).wallet == ALICE
    assert (await eraser.bench.order("L1")).wallet == ""
    found = await eraser.bench.ledger.found(OrderFilter(wallet=Address(ALICE)), limit=5)
    assert [each.order.order_id for each in found.orders] == ["N1"]


# what reads what is left ---------------------------------------------------------------------------


async def test_no_command_gives_it_another_way() -> None:
    """What is left of it shows neither recipient nor amount, and its bytes are gone."""
    eraser = await paid_yesterday("A1")
    chain = FakeChain()
    await eraser.erase(PurgeKind.WALLET, ALICE)
    correction = Correction(
        ledger=eraser.bench.ledger,
        chain=chain,
        history=FakeHistory(chain),
        identity=IDENTITY,
        policy=POLICY,
        guard_settling=GuardSettling(
            ledger=eraser.bench.ledger, guard=FakeGuard(chain), alarms=ListAlarms(), reserve=IDENTITY.reserve
        ),
    )
    order, decision = await eraser.bench.order("A1"), Decision(by="ana", why="looked")

    assert await correction.settle(order, a_hash("final"), decision) is Corrected.ERASED
    assert await correction.reopening.reopen(order, a_hash("final"), decision) is Corrected.ERASED
    assert await correction.resubmit(OPERATOR, 7, decision) == (Corrected.ERASED, None)


def test_an_audit_of_the_chain_misses_no_wallet_that_was_erased() -> None:
    """The amount is still compared; so is the wallet of an order that was not erased."""
    payout = _payout(an_order("A1", paid_hash=a_hash("final")))
    paid = an_order("A1", status=OrderStatus.PAID, paid_hash=a_hash("final"), wallet=BOB)

    assert [each.kind for each in _compared(_entry(paid), payout)] == [Mismatch.OTHER_WALLET]
    assert list(_compared(_entry(replace(paid, wallet=Address(""), purged_ms=NOW_MS)), payout)) == []


async def test_a_new_guard_gets_the_reference_with_the_reserve_as_its_recipient() -> None:
    """The contract takes no empty one; what refuses a second payment is the reference."""
    eraser = await paid_yesterday("A1", "A2")
    await eraser.erase(PurgeKind.ORDER, "default:A1")
    chain = FakeChain()
    change = GuardChange(
        ledger=eraser.bench.ledger,
        guard=FakeGuard(chain),
        chain=chain,
        rebuild_store=RebuildStore(eraser.bench.rows, eraser.bench.clock),
        identity=IDENTITY,
        operators=[OPERATOR],
        policy=POLICY,
        block_time_s=2.0,
        sleep=asyncio.sleep,
        say=lambda _: None,
    )

    recipients = {wallet async for _, wallet, _ in change._paid()}

    assert recipients == {ALICE, IDENTITY.reserve}
