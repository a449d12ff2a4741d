"""A ledger is put back from a copy that was made while it worked: it fits together, is nobody's, and lost nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from distributor.cli.backup import restore_answer
from distributor.errors import ForeignLedger
from distributor.ledger import Ledger, keys
from distributor.ledger.purging import Unfinished
from distributor.ledger.rebuild_store import RebuildStore
from distributor.ledger.restore_store import GROUP_BYTES_MAX, NotEmpty, Refill, RestoreStore
from distributor.model import HoldReason, OrderKey, OrderStatus
from distributor.payout.lane import SCHEMA_LEVEL
from distributor.recovery.backup import AT_MS, LedgerBackup, backup_is_due
from distributor.recovery.consistency import Consistency
from distributor.recovery.purging import PurgeReport
from distributor.recovery.rebuild import RestoreCut
from distributor.recovery.restore import Restore, RestoreReport
from foundation.backup import keeping, manifest
from foundation.backup.ports import Backup, BackupStore, NoBackup
from foundation.clock import DAY_MS, UnixMs
from foundation.errors import ConfigurationError, Contention, NoTable, StoreUnavailable
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row, Rows
from tests.factories import IDENTITY, OPERATOR, an_order
from tests.fakes.bench import Bench, a_closing, founded
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.rows import ListAudit
from tests.rebuilding import Desk
from tests.world import a_world

Verb = Callable[[Bench], Awaitable[None]]


@dataclass
class Table:
    """An empty table beside the ledger's, and the account of the backups."""

    bench: Bench
    store: MemoryBlobs = field(default_factory=MemoryBlobs)
    rows: MemoryRows = field(default_factory=MemoryRows)
    trail: MemoryRows = field(default_factory=MemoryRows)
    audit: ListAudit = field(default_factory=ListAudit)
    replayed: list[bool] = field(default_factory=list)
    erased: PurgeReport = field(default_factory=PurgeReport)

    def backing_up(self, rows: Rows | None = None) -> LedgerBackup:
        async def store() -> BackupStore:
            return self.store

        bench, old_trail = self.bench, MemoryRows()
        for key, values in bench.audit.entries.items():
            old_trail.put(key, values)
        return LedgerBackup(
            ledger=bench.ledger, rows=rows or bench.rows, trail=old_trail, open_store=store, clock=bench.clock
        )

    @property
    def restoring(self) -> Restore:
        async def replay() -> PurgeReport:
            assert await self.ledger.identity() is None
            self.replayed.append(True)
            return self.erased

        return Restore(
            store=self.store,
            restore_store=RestoreStore(self.rows),
            trail=self.trail,
            audit=self.audit,
            expected=replace(IDENTITY, ledger_id=""),
            replay_purges=replay,
            clock=self.bench.clock,
        )

    async def restore(self, kept: Backup) -> RestoreReport:
        return await self.restoring.run(kept.name, by="ana", why="lost")

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.rows, self.audit, clock=self.bench.clock)

    async def status(self, order_id: str) -> OrderStatus | None:
        order = await self.ledger.order(OrderKey("default", order_id))
        return order.status if order else None


@pytest.fixture
async def table() -> Table:
    """A ledger with an order in each status, a transaction in flight, and one that is final."""
    bench = await founded()
    await bench.ledger.close(await bench.bound("PAID"), a_closing("PAID"))
    await bench.bound("BOUND")
    (held, cancelled, _) = await bench.received("HELD", "CANCELLED", "WAITS")
    await bench.ledger.hold(held, HoldReason.SIMULATION, "reverted")
    await bench.ledger.admin.cancel(cancelled, "ana", "fraud")
    await bench.ledger.console_sessions.end_all("ana", "test")
    bench.rows.put(keys.SCHEMA, {"level": SCHEMA_LEVEL})  # type: ignore[union-attr]  # in memory
    return Table(bench)


async def test_what_was_in_motion_is_left_to_the_chain(table: Table) -> None:
    """Ended orders come back as they were; a bound one is free, in a ledger that is nobody's and halted."""
    kept = await table.backing_up().run()
    report = await table.restore(kept)

    assert (report.open, report.unbound, report.unreadable) == (1, 1, [])
    found = {name: await table.status(name) for name in ("PAID", "BOUND", "HELD", "CANCELLED", "WAITS")}
    assert found == {
        "PAID": OrderStatus.PAID,
        "BOUND": OrderStatus.RECEIVED,
        "HELD": OrderStatus.HELD,
        "CANCELLED": OrderStatus.CANCELLED,
        "WAITS": OrderStatus.RECEIVED,
    }
    ledger = table.ledger
    assert await ledger.identity() is None
    assert not await ledger.any_open()
    state = await ledger.admin.pause_state()
    assert (state.paused, state.halted, state.console_epoch) == (True, True, 2)
    assert await Consistency(table.rows).disagreements() == []
    assert table.trail.dump().keys() == table.bench.audit.entries.keys()
    assert table.replayed == [True]
    (entry,) = table.audit.entries.values()
    assert (entry["deed"], entry["by"], entry["why"]) == ("restore", "ana", "lost")
    assert await ledger.signs.next_nonces() == {OPERATOR: 9}
    assert [await _spent(table.bench.rows), await _spent(table.rows)] == [[20 * 10**18] * 2, [10 * 10**18] * 2]
    before, after = (
        await table.bench.ledger.order(OrderKey("default", "PAID")),
        await ledger.order(OrderKey("default", "PAID")),
    )
    assert before == after


async def _spent(rows: Rows) -> list[int]:
    """Return the day's totals: in all, and of the wallet."""
    return [int(row.values["units"]) for row in await rows.scan("spent:", "spent;", limit=10)]


class Stepping:
    """A table in which something happens at one step of a reader that goes page by page."""

    def __init__(self, rows: Rows, at: int, act: Callable[[], Awaitable[None]]) -> None:
        self.rows, self.at, self.act, self.steps = rows, at, act, 0

    async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
        self.steps += 1
        if self.steps == self.at:
            await self.act()
        return await self.rows.scan(first, last, limit=limit)


async def _insert(bench: Bench) -> None:
    await bench.received("NEW")


async def _bind(bench: Bench) -> None:
    await bench.bound("NEW")


async def _pay_what_waits(bench: Bench) -> None:
    """Bind and close in one go: some read the order before, some the transaction after."""
    transaction = await bench.bound("NEW")
    await bench.ledger.close(transaction, a_closing("NEW"))


async def _close(bench: Bench) -> None:
    transaction = await bench.ledger.transaction(OPERATOR, 8)
    assert transaction
    await bench.ledger.close(transaction, a_closing("BOUND"))


async def _hold(bench: Bench) -> None:
    await bench.ledger.hold(await bench.order("WAITS"), HoldReason.SIMULATION, "reverted")


async def _retry(bench: Bench) -> None:
    await bench.ledger.admin.retry(await bench.order("HELD"), "ana", "again")


async def _cancel(bench: Bench) -> None:
    await bench.ledger.admin.cancel(await bench.order("WAITS"), "ana", "fraud")


@pytest.mark.parametrize("verb", [_insert, _bind, _pay_what_waits, _close, _hold, _retry, _cancel])
async def test_whatever_happens_at_any_step_of_the_copy_the_restored_ledger_fits(
    table: Table, monkeypatch: pytest.MonkeyPatch, verb: Verb
) -> None:
    """No order that was there is missing, none is bound, what was paid before is paid, and every row agrees."""
    monkeypatch.setattr(keeping, "PAGE_ROWS", 3)
    dump = table.bench.rows.dump()  # type: ignore[union-attr]  # in memory
    counting = Stepping(table.bench.rows, 0, _nothing)
    await table.backing_up(counting).run()  # type: ignore[arg-type]  # only read
    for step in range(1, counting.steps + 1):
        table.bench.rows.restore(dump)  # type: ignore[union-attr]  # in memory
        moving = Stepping(table.bench.rows, step, lambda: verb(table.bench))
        kept = await table.backing_up(moving).run()  # type: ignore[arg-type]  # only read
        after = Table(table.bench, store=table.store)
        await after.restore(kept)

        assert await Consistency(after.rows).disagreements() == [], step
        found = {name: await after.status(name) for name in ("PAID", "BOUND", "HELD", "CANCELLED", "WAITS")}
        assert found["PAID"] is OrderStatus.PAID
        assert None not in found.values()
        assert OrderStatus.BOUND not in found.values()
        assert await after.ledger.identity() is None


async def _nothing() -> None: ...


async def test_a_restore_says_what_was_erased_again(table: Table) -> None:
    """And which orders it could not erase, as they are not finished in the backup; a dry run erases nothing."""
    kept = await table.backing_up().run()
    key = OrderKey("default", "WAITS")
    table.erased = PurgeReport(rows=Counter(order=2, ref=1), unfinished={key: Unfinished.WAITS}, torn=["order:x"])

    dry = restore_answer(await table.restoring.look(kept.name))
    done = restore_answer(await table.restore(kept))

    assert (dry["erased_again"], dry["erased_unfinished"]) == ({}, [])
    assert done["erased_again"] == {"order": 2, "ref": 1}
    assert (done["erased_unfinished"], done["erased_unreadable"]) == (["default:WAITS"], ["order:x"])


async def test_a_restore_that_was_cut_is_run_again(table: Table) -> None:
    """Killed at any write; until it is through no rebuild begins, and no backup is made of it."""
    kept = await table.backing_up().run()

    for writes in range(8):
        cut = Table(table.bench, store=table.store, rows=_Dying(writes))
        try:
            await cut.restore(kept)
        except StoreUnavailable:
            mark = await RebuildStore(cut.rows, table.bench.clock).restored()
            assert mark is None or not mark.whole
            cut.rows.lives = True  # type: ignore[attr-defined]  # it is a _Dying
            await cut.restore(kept)
        whole = await RebuildStore(cut.rows, table.bench.clock).restored()
        assert whole is not None
        assert whole.whole
        assert await Consistency(cut.rows).disagreements() == []


class _Dying(MemoryRows):
    """A table that is away after some writes, until it lives again."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.left, self.lives = writes, False

    async def commit(self, group: Any) -> Any:
        self.left -= 1
        if self.left < 0 and not self.lives:
            raise StoreUnavailable
        return await super().commit(group)


async def test_other_rows_end_a_restore(table: Table) -> None:
    """A ledger that is there, another restore, or a shop's order that came in between; nothing is overwritten."""
    first = await table.backing_up().run()
    table.bench.clock.advance(DAY_MS)
    second = await table.backing_up().run()

    full = Table(table.bench, store=table.store)
    full.rows.put("order:default:OTHER", {})
    with pytest.raises(NotEmpty, match="order:default:OTHER"):
        await full.restore(first)
    with pytest.raises(NotEmpty):
        await full.restoring.look(first.name)

    table.rows.put(keys.WATCH, {})  # what a running service notes of itself is no ledger
    await table.restoring.look(first.name)
    await table.restore(first)
    with pytest.raises(NotEmpty, match="another restore"):
        await table.restore(second)
    row = await table.rows.get("order:default:WAITS")
    assert row
    table.rows.put(row.key, {**row.values, "wallet": "other"})
    with pytest.raises(NotEmpty, match="order:default:WAITS is not as"):
        await table.restore(first)


async def test_a_dry_run_needs_no_table(table: Table) -> None:
    """And makes none."""
    kept = await table.backing_up().run()

    class Gone(MemoryRows):
        async def get(self, key: str) -> Row | None:
            raise NoTable(key)

    report = await Table(table.bench, store=table.store, rows=Gone()).restoring.look(kept.name)
    assert (report.rows, report.open) == (kept.rows, 1)


async def test_a_backup_of_another_ledger_or_of_newer_rules_is_refused(table: Table) -> None:
    """Before a row is written."""
    kept = await table.backing_up().run()
    paper = manifest.manifest_name(kept.name)
    other = replace(table.restoring, expected=replace(IDENTITY, ledger_id="0" * 32))
    with pytest.raises(ForeignLedger, match="another ledger"):
        await other.run(kept.name, by="ana", why="lost")
    newer = replace(kept, source=replace(kept.source, schema=SCHEMA_LEVEL + 1))
    table.store.blobs[paper] = manifest.manifest_text(newer)
    with pytest.raises(NoBackup, match="rules of level"):
        await table.restore(kept)
    assert table.rows.dump() == {}

    table.bench.rows.remove(keys.IDENTITY)  # type: ignore[union-attr]  # in memory
    with pytest.raises(ConfigurationError, match="no identity"):
        await table.backing_up().run()
    assert await table.backing_up().run_if_due() is None


async def test_a_copy_without_identity_is_refused(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken away while the copy was read."""
    rows = table.bench.rows

    async def gone() -> None:
        rows.remove(keys.IDENTITY)  # type: ignore[union-attr]  # in memory

    monkeypatch.setattr("distributor.ledger.backup_rows.GROWING", frozenset())
    kept = await table.backing_up(Stepping(rows, 4, gone)).run()  # type: ignore[arg-type]  # only read
    with pytest.raises(NoBackup, match="no identity"):
        await table.restore(kept)


async def test_rows_that_cannot_be_read_come_back_as_they_are(table: Table) -> None:
    """One bad row harms itself alone, and is named."""
    table.bench.rows.put("order:default:TORN", {"source": "default"})  # type: ignore[union-attr]  # in memory
    table.bench.rows.put("tx:x:00000000000000000001", {"nonce": "one"})  # type: ignore[union-attr]  # in memory
    report = await table.restore(await table.backing_up().run())

    assert sorted(report.unreadable) == ["order:default:TORN", "tx:x:00000000000000000001"]
    row = await table.rows.get("order:default:TORN")
    assert row
    assert row.values["source"] == "default"


async def test_the_trail_that_is_there_is_newer_and_stays(table: Table) -> None:
    """The table of the ledger was lost, and that of the trail was not."""
    kept = await table.backing_up().run()
    (key, *_) = table.bench.audit.entries
    table.trail.put(key, {"why": "newer"})
    await table.restore(kept)

    assert table.trail.dump()[key] == {"why": "newer"}
    assert table.trail.dump().keys() == table.bench.audit.entries.keys()


async def test_groups_are_as_large_as_the_table_takes() -> None:
    """A hundred rows, and two megabytes."""
    sizes = list[int]()
    rows = MemoryRows()
    rows.on_done = lambda group, _: sizes.append(len(group))
    refill = Refill(rows)
    for number in range(250):
        await refill.add({f"a:{number:03d}": {}})
    for number in range(3):
        await refill.add({f"b:{number}": {f"raw{part}": b"x" * 60_000 for part in range(GROUP_BYTES_MAX // 200_000)}})
    await refill.flush()
    await refill.flush()
    assert (sizes, refill.written) == ([100, 100, 51, 1, 1], 253)


async def test_the_mark_must_stay(table: Table) -> None:
    """Somebody emptied the table while rows were written."""
    with pytest.raises(Contention, match="mark"):
        await RestoreStore(table.rows).end()


async def test_the_rebuild_writes_the_identity_and_ends_the_restore() -> None:
    """What was paid after the copy is paid; what was in flight then is not paid twice; and an older one is refused."""
    world = await a_world()
    paid, flying = await world.receive(order_id="PAID"), await world.receive(order_id="FLYING")
    await world.distribution.drain()
    store = MemoryBlobs()

    async def open_store() -> BackupStore:
        return store

    backing = LedgerBackup(
        ledger=world.ledger, rows=world.rows, trail=MemoryRows(), open_store=open_store, clock=world.clock
    )
    kept = await backing.run()
    await world.settle(8)
    waits = await world.receive(order_id="AFTER")
    await world.distribution.drain()
    await world.settle(8)
    moved = world.chain.balance_of(paid.wallet)

    for key in list(world.rows.dump()):
        world.rows.remove(key)

    async def replay() -> PurgeReport:
        return PurgeReport()

    restore = Restore(
        store=store,
        restore_store=RestoreStore(world.rows),
        trail=MemoryRows(),
        audit=world.audit,
        expected=IDENTITY_OF_THE_WORLD(),
        replay_purges=replay,
        clock=world.clock,
    )
    await restore.run(kept.name, by="ana", why="lost")
    assert (await world.order(paid)).status is OrderStatus.RECEIVED
    desk = Desk(world)
    mark = await RestoreStore(world.rows).find()
    assert mark
    world.rows.put(keys.RESTORED, {**world.rows.dump()[keys.RESTORED], "whole": False})
    with pytest.raises(RestoreCut):
        await desk.use_case.run(0, by="ana", why="lost")
    world.rows.put(keys.RESTORED, {**world.rows.dump()[keys.RESTORED], "whole": True})
    report = await desk.use_case.run(0, by="ana", why="lost")

    assert report.ledger_id == mark.identity.ledger_id
    assert await RestoreStore(world.rows).find() is None
    assert await world.ledger.identity() == mark.identity
    for order in (paid, flying, waits):
        assert (await world.order(order)).status is OrderStatus.PAID
    await world.ledger.admin.resume("ana", "rebuilt")
    await world.distribution.drain()
    await world.settle(8)
    assert world.chain.balance_of(paid.wallet) == moved


def IDENTITY_OF_THE_WORLD() -> Any:  # noqa: N802 -- a constant that another module owns
    """Return whose ledger the world's is."""
    from tests.world import IDENTITY as WORLD_IDENTITY

    return WORLD_IDENTITY


@pytest.mark.parametrize(
    ("last_h", "now_h", "due"),
    [
        (5, 28, False),
        (5, 29, True),
        (6, 29, True),
        (29, 30, False),
        (29, 52, False),
        (29, 53, True),
        (0, 4, False),
        (999, 29, True),
    ],
)
def test_a_backup_is_due_once_five_in_the_morning_has_passed(last_h: int, now_h: int, due: bool) -> None:
    """UTC, by when the last good one was begun; a failed one is due again in an hour, one of next month is none."""
    day = 20_000 * DAY_MS
    assert backup_is_due(UnixMs(day + last_h * 3_600_000), UnixMs(day + now_h * 3_600_000)) is due
    assert AT_MS == 5 * 3_600_000


async def test_one_a_day_is_made_and_noted(table: Table) -> None:
    """A failed one is tried again by the next wake-up."""
    table.store.down_after = 0
    with pytest.raises(StoreUnavailable):
        await table.backing_up().run_if_due()
    table.store.down_after = None
    kept = await table.backing_up().run_if_due()
    assert kept is not None
    assert await table.backing_up().run_if_due() is None
    monitor = await table.bench.ledger.service.monitor_state()
    assert (monitor.backup_ms, monitor.backup_name) == (kept.begun_ms, kept.name)
    table.bench.clock.advance(DAY_MS)
    assert await table.backing_up().run_if_due() is not None


async def test_the_row_of_the_sweep_is_written_again_where_a_sweep_was_first(table: Table) -> None:
    """And given up where sweeps never let it."""
    service, rows = table.bench.ledger.service, table.bench.rows
    state = await service.monitor_state()
    await service.save_monitor_state(state)

    def sweep() -> None:
        rows.put(keys.WATCH, dict(rows.dump()[keys.WATCH]))  # type: ignore[union-attr]  # in memory

    rows.after_next_read(sweep)  # type: ignore[union-attr]  # in memory
    await service.note_backup(UnixMs(7), "n")
    assert (await service.monitor_state()).backup_name == "n"
    for _ in range(32):
        rows.after_next_read(sweep)  # type: ignore[union-attr]  # in memory
    with pytest.raises(Contention, match="kept writing"):
        await service.note_backup(UnixMs(8), "m")


async def test_an_order_read_behind_the_references_gets_its_own(table: Table) -> None:
    """It came while the copy was read."""
    bench = table.bench

    async def come() -> None:
        await bench.received("LATE")

    kept = await table.backing_up(Stepping(bench.rows, 6, come)).run()  # type: ignore[arg-type]  # only read
    await table.restore(kept)
    late = an_order("LATE")
    assert await table.rows.get(keys.ref(late.ref_id))
    assert not (await table.ledger.insert(late)).new
