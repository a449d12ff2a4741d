"""The second record: a record and the epoch exclude each other, and nothing uncertain counts as written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from payflow.delivery.ports import DeliveryKey
from payflow.errors import SendLogUnavailable, ServedElsewhere
from payflow.ledger import send_log
from payflow.ledger.send_log import TableSendLog
from payflow.model import BaixaId, PaymentKey
from tests.fakes.payflow import COMPANY, NOW, a_receipt

KEY = DeliveryKey(PaymentKey(COMPANY, BaixaId("b1")), "receipt", 1)


def _log(rows: MemoryRows, epoch: int = 1, now: int = NOW) -> TableSendLog:
    return TableSendLog(rows, lambda: UnixMs(now), COMPANY, epoch)


async def test_records_are_read_by_mail_from_a_day_on() -> None:
    """A restore reads from the day before its backup began."""
    rows = MemoryRows()
    await _log(rows, now=NOW - 86_400_000).begin(KEY, "w1")
    await _log(rows).begin(KEY, "w2")
    await _log(rows).end(KEY, "w2", accepted=True)
    await _log(rows).end(KEY, "w1", accepted=False)

    assert await _log(rows).records("2026-01-01") == {
        KEY: [("w1", "not_accepted"), ("w2", "accepted"), ("w2", "begun")]
    }
    assert len((await _log(rows).records("2025-12-31"))[KEY]) == 4


async def test_a_record_says_what_its_mail_says_and_no_name() -> None:
    """Amount, day and customer's id; a record of a version before says nothing."""
    rows, terms = MemoryRows(), a_receipt().terms
    await _log(rows, now=NOW - 86_400_000).begin(KEY, "w1", terms)
    await _log(rows).begin(KEY, "w2", terms)
    await _log(rows).begin(KEY, "w3")
    await _log(rows).end(KEY, "w2", accepted=True)

    assert await _log(rows).said("2026-01-01") == {"w2": replace(terms, customer_name="")}
    assert set(await _log(rows).said("2025-12-31")) == {"w1", "w2"}
    assert terms.customer_name not in str(rows.dump())
    assert [row["said"] for row in rows.dump().values() if row.get("claimed_by") == "w1"] == ["150000\n2026-01-01\nc1"]


async def test_an_older_epoch_begins_nothing() -> None:
    """A worker of the old table, after the restore's fence."""
    rows = MemoryRows()
    await _log(rows).begin(KEY, "w1")

    assert await _log(rows).raise_epoch() == 2

    with pytest.raises(SendLogUnavailable, match="restore"):
        await _log(rows).begin(KEY, "w2")
    await _log(rows, epoch=2).begin(KEY, "w3")


async def test_an_epoch_raised_meanwhile_refuses_the_record() -> None:
    """Between reading the epoch and writing the record: one group, so the record is not written."""
    rows = MemoryRows()
    await _log(rows).raise_epoch()
    rows.after_next_read(lambda: rows.put("epoch", {**rows.dump()["epoch"], "number": 3}))

    with pytest.raises(SendLogUnavailable):
        await _log(rows, epoch=2).begin(KEY, "w")

    assert await _log(rows, epoch=3).records("2000-01-01") == {}


async def test_a_race_of_two_records_is_won_by_both() -> None:
    """The second meets another version, reads the same epoch, and tries again; in the end it gives up."""
    rows = MemoryRows()
    await _log(rows).begin(KEY, "w1")
    rows.after_next_read(lambda: rows.put("epoch", dict(rows.dump()["epoch"])))
    await _log(rows).begin(KEY, "w2")

    for act in (_log(rows).begin(KEY, "w3"), _log(rows).raise_epoch()):
        for _ in range(3 * send_log.TRIES_MAX):
            rows.after_next_read(lambda: rows.put("epoch", dict(rows.dump()["epoch"])))
        with pytest.raises(SendLogUnavailable, match="without a pause"):
            await act


@pytest.mark.parametrize("done", [True, False])
async def test_a_lost_answer_is_read_back(done: bool) -> None:
    """Written or not, once is enough."""
    rows = MemoryRows()
    rows.lose_next_answer(done=done)

    await _log(rows).begin(KEY, "w")

    assert await _log(rows).records("2000-01-01") == {KEY: [("w", "begun")]}


async def test_a_log_that_is_away_lets_nothing_begin() -> None:
    """Neither when it cannot be read nor when it cannot be written."""
    rows = MemoryRows()
    rows.after_next_read(rows.go_down)
    with pytest.raises(SendLogUnavailable, match="answer"):
        await _log(rows).begin(KEY, "w")
    with pytest.raises(SendLogUnavailable, match="answer"):
        await _log(rows).begin(KEY, "w")


async def test_whether_a_log_belongs_here_is_asked_without_a_claim() -> None:
    """Nobody's and one's own do; another deployment's does not, and is named. Nothing is written."""
    rows = MemoryRows()
    mine = replace(_log(rows), ledger="mine", where="https://mine.example")
    theirs = replace(_log(rows), ledger="theirs", where="https://theirs.example")
    await mine.belongs_here()
    assert rows.dump() == {}

    await theirs.claim()

    before = rows.dump()
    await theirs.belongs_here()
    with pytest.raises(ServedElsewhere, match=r"https://theirs\.example"):
        await mine.belongs_here()
    assert rows.dump() == before
