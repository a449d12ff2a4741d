"""The schema's levels: up and down, cut and begun again, beside lanes, and an older version beside a newer one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from foundation.errors import ConfigurationError, Contention, Rejected
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import DeleteRow, Row, RowWrite, Version
from payflow.ledger import keys, migrating, schema, verifying
from payflow.ledger.lane import LaneLedger
from payflow.ledger.migrating import Step, migrate
from payflow.model import BaixaId, InstalmentId
from payflow.state import DeliveryState, ReceiptState
from tests.fakes.payflow import Book, a_company, a_delivery, a_receipt, an_instalment

ID = "<0123456789ab@payflow.example>"
INDEXES = (keys.DUE, keys.HELD, keys.AGAIN, keys.SIBLING, keys.MESSAGE)


async def older() -> Book:
    """Return a book as a version before the index rows left it: a receipt due, one held, one sent, one to be read."""
    book = Book()
    lane = book.lane
    await lane.write_company(a_company())
    receipts = [
        a_receipt("b1"),
        a_receipt("b2", state=ReceiptState.HELD),
        a_receipt("b3", state=ReceiptState.SENT),
    ]
    await lane.add(None, an_instalment(worked=False), receipts, [])
    await lane.write_delivery(a_delivery("b3", state=DeliveryState.SENT, message_id=ID))
    await lane.write_delivery(a_delivery("b1", message_id=""))
    await book.company_rows.commit([DeleteRow(key=key) for key in book.company_rows.dump() if key.startswith(INDEXES)])
    return book


def values(book: Book) -> dict[str, object]:
    """Return every row but for who wrote it last."""
    dump = book.company_rows.dump()
    return {key: {name: value for name, value in row.items() if name != "owner"} for key, row in dump.items()}


async def test_up_makes_every_row_findable_and_changes_none() -> None:
    """As the lane, the page and the bounces look for them; a dry run writes nothing and counts the same."""
    book, own = await older(), MemoryRows()
    before = values(book)
    assert (await book.lane.next_due(), await book.lane.mail_of(ID)) == (None, None)
    assert len((await verifying.verify_company(book.lane)).faults) == 7

    (dry,) = await migrate(own, [book.lane], to=1, apply=False)
    assert (dry.rows, values(book), await schema.level_of(own)) == (5, before, 0)
    (done,) = await migrate(own, [book.lane], to=1, apply=True)

    assert (done.rows, await schema.level_of(own)) == (5, 1)
    assert {key: row for key, row in values(book).items() if key in before} == before
    assert [receipt.baixa for receipt in await book.lane.due(a_receipt().due_ms, limit=9)] == ["b1"]
    assert [receipt.baixa for receipt in await book.lane.held(limit=9)] == ["b2"]
    assert len(await book.lane.siblings(InstalmentId("p1"))) == 3
    assert [each.id for each in await book.lane.to_read_again(limit=9)] == ["p1"]
    mail = await book.lane.mail_of(ID)
    assert mail
    assert (mail.baixa, (await verifying.verify_company(book.lane)).faults) == ("b3", [])


async def test_again_it_does_nothing_and_down_it_only_lowers_the_level() -> None:
    """An older version reads the same rows; up again writes none."""
    book, own = await older(), MemoryRows()
    await migrate(own, [book.lane], to=1, apply=True)
    after = book.company_rows.dump()

    assert [done.rows for done in await migrate(own, [book.lane], to=1, apply=True)] == [0]
    assert [done.rows for done in await migrate(own, [book.lane], to=0, apply=False)] == [0]
    assert await schema.level_of(own) == 1
    assert [done.step.level for done in await migrate(own, [book.lane], to=0, apply=True)] == [1]
    assert (await schema.level_of(own), book.company_rows.dump()) == (0, after)
    await migrate(own, [book.lane], to=1, apply=True)
    assert (await schema.level_of(own), book.company_rows.dump()) == (1, after)


async def test_what_was_cut_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The level is written last, so nobody takes half for the whole."""
    book, own, real = await older(), MemoryRows(), migrating._indexed

    async def cut(lane: LaneLedger, row: Row, *, apply: bool) -> bool:
        if row.key.startswith("receipt:"):
            raise ConnectionError
        return await real(lane, row, apply=apply)

    monkeypatch.setattr(migrating, "_indexed", cut)
    with pytest.raises(ConnectionError):
        await migrate(own, [book.lane], to=1, apply=True)
    assert await schema.level_of(own) == 0
    monkeypatch.undo()

    (done,) = await migrate(own, [book.lane], to=1, apply=True)
    assert (done.rows, (await verifying.verify_company(book.lane)).faults) == (3, [])


async def test_who_migrates_the_other_way_meanwhile_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The level says what every row is.

    1. One goes up, and is slow; another one goes up, and then down again.
    2. Were the first one's level written now, rows that were taken back would be taken for new ones.
    """
    book, own = await older(), MemoryRows()

    async def slow(_: LaneLedger, apply: bool) -> int:
        await schema.write_level(own, 2)
        return int(apply)

    monkeypatch.setattr(schema, "LEVEL", 2)
    monkeypatch.setattr(migrating, "STEPS", (Step(1, "index rows", up=slow, down=slow),))
    with pytest.raises(Contention, match="somebody else migrates"):
        await migrate(own, [book.lane], to=1, apply=True)
    assert await schema.level_of(own) == 2


class Meanwhile(MemoryRows):
    """Rows that another worker changes just before a group is done, some times."""

    times = 0

    async def commit(self, writes: Sequence[RowWrite]) -> Mapping[str, Version]:
        """Change first what is to be written."""
        if self.times:
            self.times -= 1
            await self.meanwhile()
        return await super().commit(writes)

    async def meanwhile(self) -> None:
        """Do what the other worker does."""


async def test_a_lane_may_work_meanwhile() -> None:
    """The row that it wrote is read again, and its index is the one of what it wrote."""
    book, rows = await older(), Meanwhile()
    for key, row in book.company_rows.dump().items():
        rows.put(key, row)
    book.company_rows = rows
    lane = book.lane

    async def meanwhile() -> None:
        receipt = await lane.receipt(BaixaId("b1"))
        assert receipt
        held = replace(receipt, state=ReceiptState.HELD)
        rows.put(keys.receipt(lane.name(receipt.baixa)), lane.codec.encode(held))

    rows.meanwhile, rows.times = meanwhile, 5  # type: ignore[method-assign]
    await migrate(MemoryRows(), [lane], to=1, apply=True)
    assert sorted(receipt.baixa for receipt in await lane.held(limit=9)) == ["b1", "b2"]


async def test_a_row_that_is_written_without_a_pause_ends_it() -> None:
    """And one that has gone is left."""
    rows, lane = MemoryRows(), (await older()).lane
    row = await lane.rows.get(keys.receipt(lane.name(BaixaId("b1"))))
    assert row
    stale = replace(row, version=replace(row.version, etag="stale"))
    with pytest.raises(Contention, match="without a pause"):
        await migrating._indexed(replace(lane, rows=_Always(stale)), stale, apply=True)
    assert await migrating._indexed(replace(lane, rows=rows), row, apply=True) is False


class _Always(MemoryRows):
    """One row, in a version that nobody can write."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.row = row

    async def get(self, key: str) -> Row | None:
        """Return the row, or nothing."""
        return self.row if key == self.row.key else None


async def test_a_newer_schema_stops_this_version() -> None:
    """Nothing is looked for or sent; down by the newer version, or the newer version again, ends it."""
    rows = MemoryRows()
    await schema.require_known(rows)
    await schema.write_level(rows, schema.LEVEL)
    await schema.require_known(rows)
    await schema.write_level(rows, schema.LEVEL + 1)

    with pytest.raises(ConfigurationError, match=rf"level {schema.LEVEL + 1} .*migrate --to {schema.LEVEL} --apply"):
        await schema.require_known(rows)
    with pytest.raises(ConfigurationError):
        await migrate(rows, [], to=schema.LEVEL, apply=True)


@pytest.mark.parametrize("level", [-1, schema.LEVEL + 1])
async def test_there_are_no_other_levels(level: int) -> None:
    """A typing error writes nothing."""
    rows = MemoryRows()
    with pytest.raises(Rejected, match="levels 0 to"):
        await migrate(rows, [], to=level, apply=True)
    assert rows.dump() == {}


async def test_steps_go_up_in_order_and_down_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """With three levels, from two to one: the second is taken back, the first is gone through."""
    said: list[str] = []

    def step(level: int) -> Step:
        async def up(_: LaneLedger, apply: bool) -> int:
            said.append(f"up {level} {apply}")
            return 1

        async def down(_: LaneLedger, apply: bool) -> int:
            said.append(f"down {level} {apply}")
            return 1

        return Step(level, "x", up, down)

    monkeypatch.setattr(migrating, "STEPS", tuple(map(step, (1, 2, 3))))
    monkeypatch.setattr(schema, "LEVEL", 3)
    rows, lanes = MemoryRows(), [Book().lane, Book().lane]
    assert [done.rows for done in await migrate(rows, lanes, to=2, apply=True)] == [2, 2]
    assert said == ["up 1 True", "up 1 True", "up 2 True", "up 2 True"]
    said.clear()
    await migrate(rows, lanes[:1], to=1, apply=True)
    assert said == ["down 2 True", "up 1 True"]
    said.clear()
    await migrate(rows, lanes[:1], to=3, apply=False)
    assert said == ["up 1 False", "up 2 False", "up 3 False"]
    assert await schema.level_of(rows) == 1


def test_every_level_has_one_step() -> None:
    """From one to this version's."""
    assert [step.level for step in migrating.STEPS] == list(range(1, schema.LEVEL + 1))
