"""The groups of an erasure, in memory and in real tables: empty bytes and texts are stored and read."""

from __future__ import annotations

from distributor.model import OrderKey
from distributor.recovery.purging import PurgeKind, PurgeSubject, Purging
from foundation.purge_journal import PurgeJournal
from tests.factories import ALICE
from tests.fakes.bench import Bench, a_closing
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.purging import DAY_MS


async def test_what_is_erased_is_empty_and_still_there(bench: Bench) -> None:
    """Order, transaction, attempt and index change in groups that a table takes; once more changes nothing."""
    transaction = await bench.bound("ORD1", "ORD2")
    await bench.ledger.close(transaction, a_closing("ORD1", "ORD2"))
    bench.clock.advance(2 * DAY_MS)
    journal = PurgeJournal(MemoryBlobs(), "1/")
    purging = Purging(rows=bench.rows, audit=bench.audit.rows, journal=journal, clock=bench.clock)
    wallet = PurgeSubject(kind=PurgeKind.WALLET, name=ALICE)

    report = await purging.run(wallet, by="ana", apply=True)

    assert report.rows["order"] == 2
    order = await bench.order("ORD1")
    assert (order.wallet, order.reason, order.status) == ("", "", "paid")
    stored = await bench.ledger.transaction(transaction.operator, transaction.nonce)
    assert stored is not None
    assert stored.data == b""
    assert [each.raw for each in await bench.ledger.attempts(transaction.operator, transaction.nonce)] == [b""]
    assert (await purging.run(wallet, by="ana", apply=True)).rows == {}
    assert (await bench.ledger.order(OrderKey("default", "ORD2"))) is not None
