"""Words whose time is over are emptied in slices; what is not finished keeps them, and is come back to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.ledger.records import Retention
from distributor.model import OrderKey, OrderStatus
from distributor.recovery import retention
from distributor.recovery.retention import RetentionPass
from distributor.settings.operations import RetentionSettings
from foundation.errors import ConfigurationError
from foundation.settings.reading import read_group
from foundation.tablestore.memory import MemoryRows
from tests.factories import ALICE, NOW_MS
from tests.fakes.bench import Bench, a_closing, founded
from tests.fakes.purging import DAY_MS

KEPT_DAYS = 60


class Bin:
    """A ledger on a bench, and the passes over it."""

    def __init__(self, bench: Bench, days: int = KEPT_DAYS) -> None:
        assert isinstance(bench.rows, MemoryRows)
        self.bench, self.rows = bench, bench.rows
        self.passes = RetentionPass(rows=bench.rows, audit=bench.audit.rows, clock=bench.clock, days=days)

    async def a_day(self, slices: int = 9) -> None:
        """Let a day pass, with so many watches."""
        self.bench.clock.advance(DAY_MS)
        for _ in range(slices):
            await self.passes.run()

    async def words(self) -> Mapping[str, str]:
        """Return the reason of each order."""
        rows = [row for key, row in self.rows.dump().items() if key.startswith("order:")]
        return {str(row["order_id"]): str(row["reason"]) for row in rows}


@pytest.fixture
async def bin_() -> Bin:
    """A1 is paid; a day's total, a decision and a bound of the switch are noted."""
    bench = await founded()
    transaction = await bench.bound("A1")
    await bench.ledger.close(transaction, a_closing("A1"))
    await bench.audit.record("retry:default:A1:1", {"deed": "retry", "subject": "default:A1", "why": "words"})
    await bench.ledger.admin.pause("ana", "words")
    await bench.ledger.admin.record("look", "payouts", "ana", "words")
    await bench.audit.record("held:default:X:unbound", {"reason": "reverted", "detail": "no time, no order"})
    return Bin(bench)


async def test_words_stay_while_their_time_is_not_over(bin_: Bin) -> None:
    """A day before the end nothing has changed, but the place of the pass."""
    before = {key: row for key, row in bin_.rows.dump().items() if key != keys.RETENTION}
    bin_.bench.clock.advance((KEPT_DAYS - 2) * DAY_MS)

    await bin_.a_day()

    assert {key: row for key, row in bin_.rows.dump().items() if key != keys.RETENTION} == before


async def test_words_are_emptied_when_their_time_is_over(bin_: Bin) -> None:
    """Reason, bytes, details and the wallet's total go; wallet, ids, amounts and who decided stay."""
    bin_.bench.clock.advance(KEPT_DAYS * DAY_MS)

    await bin_.a_day()

    order = await bin_.bench.order("A1")
    assert (order.reason, order.tipo, order.wallet, order.status) == ("", "", ALICE, "paid")
    stored = await bin_.bench.ledger.transaction(order.operator or ALICE, order.nonce or 0)
    assert stored is not None
    assert stored.data == b""
    entries = bin_.bench.audit.entries
    assert entries["retry:default:A1:1"]["why"] == ""
    assert entries[f"look:payouts:{NOW_MS:015d}"] == {
        "deed": "look", "subject": "payouts", "by": "ana", "why": "", "at_ms": NOW_MS,
    }  # fmt: skip
    assert entries[f"control:{NOW_MS:015d}"]["paused_why"] == ""
    assert entries["held:default:X:unbound"]["detail"] == "no time, no order"
    assert [key for key in bin_.rows.dump() if key.startswith("spent:")] == ["spent:2027-01-15"]


async def test_nothing_happens_twice_a_day_and_never_with_zero(bin_: Bin) -> None:
    """A pass begins once a day; `0` keeps everything, and writes not even its place."""
    bin_.bench.clock.advance(KEPT_DAYS * DAY_MS)
    await bin_.a_day()
    await bin_.bench.received("A2", received_ms=NOW_MS)
    await bin_.bench.ledger.admin.cancel(await bin_.bench.order("A2"), "ana", "asked")
    commits = bin_.rows.commits

    await bin_.passes.run()

    assert bin_.rows.commits == commits
    never = Bin(await founded(), days=0)
    await never.a_day()
    assert keys.RETENTION not in never.rows.dump()


async def test_a_table_that_is_nobodys_stays_as_it_is(bin_: Bin) -> None:
    """A restore refuses a table with rows in it that are not its own."""
    bin_.rows.restore({})

    await bin_.a_day()

    assert bin_.rows.dump() == {}


async def test_what_is_not_finished_keeps_its_words_until_it_is(bin_: Bin) -> None:
    """The pass comes back to the oldest order that it left, and empties what was paid since."""
    await bin_.bench.received("W1", received_ms=NOW_MS - 5)
    bin_.bench.clock.advance(KEPT_DAYS * DAY_MS)
    await bin_.a_day()
    assert await bin_.words() == {"A1": "", "W1": "Reward"}
    state = decode(Retention, await bin_.rows.get(keys.RETENTION) or pytest.fail("no place"))
    assert (state.done_ms, state.until_ms) == (NOW_MS - 5, None)

    await bin_.bench.ledger.admin.cancel(await bin_.bench.order("W1"), "ana", "asked")
    await bin_.a_day()

    assert await bin_.words() == {"A1": "", "W1": ""}


async def test_a_pass_goes_on_from_slice_to_slice(bin_: Bin, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows a slice reads, all are come to; the oldest one left is remembered over the slices."""
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 1)
    await bin_.bench.received("W1", received_ms=NOW_MS + 5)
    for number in range(3):
        await bin_.bench.received(f"C{number}", received_ms=NOW_MS + 10 * number)
        await bin_.bench.ledger.admin.cancel(await bin_.bench.order(f"C{number}"), "ana", "asked")
    bin_.bench.clock.advance(KEPT_DAYS * DAY_MS)

    await bin_.a_day(slices=40)

    assert await bin_.words() == {"A1": "", "C0": "", "C1": "", "C2": "", "W1": "Reward"}
    state = decode(Retention, await bin_.rows.get(keys.RETENTION) or pytest.fail("no place"))
    assert (state.done_ms, state.until_ms) == (NOW_MS + 5, None)


async def test_a_slice_that_meets_another_worker_is_done_again(bin_: Bin) -> None:
    """Its place moves only when all of it is written; nothing is passed over."""
    bin_.bench.clock.advance(KEPT_DAYS * DAY_MS)
    key, rows = keys.order_row(OrderKey("default", "A1")), bin_.rows
    rows.on_done = lambda group, _: rows.put(key, rows.dump()[key]) if group[0].key.startswith("attempt:") else None

    await bin_.a_day(slices=1)
    assert await bin_.words() == {"A1": "Reward"}
    await bin_.a_day()

    assert await bin_.words() == {"A1": ""}


async def test_two_hosts_that_do_one_slice_do_no_harm(bin_: Bin) -> None:
    """The place that the other one wrote is kept."""
    bin_.bench.clock.advance((KEPT_DAYS + 1) * DAY_MS)
    rows, seen = bin_.rows, encode(Retention(until_ms=NOW_MS, place="days "))
    rows.put(keys.RETENTION, encode(Retention()))
    rows.on_done = lambda group, _: rows.put(keys.RETENTION, seen) if group[0].key.startswith("order:") else None

    await bin_.passes.run()

    assert decode(Retention, await rows.get(keys.RETENTION) or pytest.fail("no place")).place == "days "


async def test_a_total_that_an_open_transaction_may_give_back_to_stays(bin_: Bin) -> None:
    """A transaction is open for long: should it fail, its units come off the day it was bound."""
    await bin_.bench.bound("O1")
    bin_.bench.clock.advance(KEPT_DAYS * DAY_MS)

    await bin_.a_day()

    assert f"spent:2027-01-15:{ALICE}" in bin_.rows.dump()


@pytest.mark.parametrize("change", [{"status": "tomorrow"}, {"attempts": "none"}, {"raw": "none"}])
async def test_a_transaction_that_is_newer_or_torn_is_left(bin_: Bin, change: Mapping[str, str]) -> None:
    """It harms itself alone; the order's own words go."""
    operator = (await bin_.bench.order("A1")).operator or ALICE
    key = keys.attempt(operator, 7, 0) if "raw" in change else keys.transaction(operator, 7)
    bin_.rows.put(key, bin_.rows.dump()[key] | dict(change))
    bin_.bench.clock.advance(KEPT_DAYS * DAY_MS)

    await bin_.a_day()

    assert await bin_.words() == {"A1": ""}
    assert bin_.rows.dump()[keys.transaction(operator, 7)]["data"] == b"distribute"


async def test_an_order_of_a_newer_version_is_left(bin_: Bin) -> None:
    """And come back to."""
    order = await bin_.bench.order("A1")
    bin_.rows.put(keys.order_row(order.key), encode(replace(order, status=OrderStatus.PAID)) | {"status": "tomorrow"})
    bin_.bench.clock.advance(KEPT_DAYS * DAY_MS)

    await bin_.a_day()

    assert await bin_.words() == {"A1": "Reward"}


@pytest.mark.parametrize(("text", "days"), [("", 1825), ("0", 0), ("30", 30), ("3650", 3650)])
def test_how_long_is_said_in_days(text: str, days: int) -> None:
    """Five years where nothing is said: so long a claim may be made in Brazil."""
    assert read_group(RetentionSettings, {"RETENTION_DAYS": text} if text else {}).retention_days == days


@pytest.mark.parametrize("text", ["29", "-1", "soon", "36501"])
def test_less_than_a_month_is_refused(text: str) -> None:
    """What is younger is still settled, capped and asked about."""
    with pytest.raises(ConfigurationError, match="RETENTION_DAYS"):
        read_group(RetentionSettings, {"RETENTION_DAYS": text})
