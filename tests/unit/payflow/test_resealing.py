"""A change of MASTER_KEY: sealed anew row by row, begun again when cut, and an old key kept while it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from foundation.clock import UnixMs
from foundation.errors import ConfigurationError, Contention
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row, RowWrite, WriteConflict
from payflow.connection import Token
from payflow.ledger import backup, identity, keys, resealing
from payflow.ledger.records import codec
from payflow.ledger.resealing import Rotated, SealedPartition
from payflow.sealing import Sealer, key_id, new_key
from payflow.state import Receipt
from tests.fakes.payflow import COMPANY, MASTER_KEY, NOW, SEALER, Book, a_company, a_delivery, a_receipt, an_instalment

OLD, NEW = key_id(MASTER_KEY), new_key()
BOTH, ONLY_NEW = Sealer.of(NEW, [MASTER_KEY]), Sealer.of(NEW)


class World:
    """A company's rows and its rescue, an identity; all sealed with the old key."""

    def __init__(self) -> None:
        self.book, self.own, self.rescue = Book(), MemoryRows(), MemoryRows()

    async def filled(self) -> World:
        lane = self.book.lane
        await lane.write_company(a_company())
        await lane.add(None, an_instalment(), [a_receipt()], [])
        await lane.write_delivery(a_delivery())
        await identity.create(self.own, SEALER, environment="development", redirect_uri="u")
        token = Token(generation=3, access="a", refresh="r", expires_ms=NOW)
        self.rescue.put(keys.TOKEN, lane.codec.encode(token))
        return self

    @property
    def parts(self) -> Sequence[SealedPartition]:
        return [
            SealedPartition(self.own, ""),
            SealedPartition(self.book.company_rows, COMPANY),
            SealedPartition(self.rescue, COMPANY),
        ]


@pytest.fixture
async def world() -> World:
    """An installation."""
    return await World().filled()


async def test_every_row_is_sealed_anew_and_the_old_key_may_go(world: World) -> None:
    """Rows of both accounts and the identity; once more changes nothing; only then nobody needs the old key."""
    assert (await resealing.users(world.parts))[OLD] == 6
    before = await world.book.company_rows.get(keys.receipt(world.book.lane.name(a_receipt().baixa)))

    assert await resealing.rotate(world.parts, BOTH) == Rotated(anew=6, already=0)
    assert await resealing.rotate(world.parts, BOTH) == Rotated(anew=0, already=6)

    assert await resealing.users(world.parts) == {key_id(NEW): 6}
    lane = replace(world.book.lane, codec=codec(COMPANY, ONLY_NEW))
    after = await world.book.company_rows.get(keys.receipt(lane.name(a_receipt().baixa)))
    assert before
    assert after
    assert codec(COMPANY, ONLY_NEW).decode(Receipt, after) == a_receipt()
    assert {name for name, value in after.values.items() if before.values[name] != value} == {"customer_name", "owner"}
    rescued = await world.rescue.get(keys.TOKEN)
    assert rescued
    assert codec(COMPANY, ONLY_NEW).decode(Token, rescued).refresh == "r"
    await identity.load_identity(world.own, ONLY_NEW, environment="development", redirect_uri="u")


async def test_a_rotation_that_was_cut_is_begun_again(world: World) -> None:
    """What was sealed anew is passed over."""
    await resealing.rotate(world.parts[:1], BOTH)

    assert await resealing.rotate(world.parts, BOTH) == Rotated(anew=5, already=1)


async def test_a_row_whose_key_is_missing_stops_the_rotation(world: World) -> None:
    """By the key's name; nothing of the row changes."""
    before = world.book.company_rows.dump()
    with pytest.raises(ConfigurationError, match=OLD):
        await resealing.rotate(world.parts[1:], ONLY_NEW)
    assert world.book.company_rows.dump() == before


async def test_a_lane_that_writes_meanwhile_loses_nothing(world: World) -> None:
    """The row is read again; what the lane wrote is what is sealed anew. One that is gone is passed over."""
    rows, lane = world.book.company_rows, world.book.lane
    commits = 0

    class Busy:
        async def get(self, key: str) -> Row | None:
            return await rows.get(key) if commits < 3 else None

        async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
            return await rows.scan(first, last, limit=limit)

        async def commit(self, group: Sequence[RowWrite]) -> object:
            nonlocal commits
            commits += 1
            if commits == 1:  # a lane is first
                company = await lane.read_company()
                assert company
                await lane.write_company(replace(company, status_ms=UnixMs(7)))
                raise WriteConflict
            if commits > 2:
                raise WriteConflict
            return await rows.commit(group)

    await resealing.rotate([SealedPartition(Busy(), COMPANY)], BOTH)  # type: ignore[arg-type]

    stored = await replace(lane, codec=codec(COMPANY, BOTH)).read_company()
    assert stored
    assert stored.status_ms == 7


async def test_a_row_that_is_written_without_a_pause_is_said(world: World) -> None:
    """After five tries; the operator begins again."""
    rows = world.book.company_rows

    class Busy:
        get, scan = rows.get, rows.scan

        async def commit(self, _group: Sequence[RowWrite]) -> object:
            raise WriteConflict

    with pytest.raises(Contention, match="without a pause"):
        await resealing.rotate([SealedPartition(Busy(), COMPANY)], BOTH)  # type: ignore[arg-type]


async def test_a_backup_says_which_keys_it_needs(world: World) -> None:
    """Taken before the rotation it needs the old one, after it the new one."""
    old = await backup.take_backup(world.book.company_rows, ledger_id="l", company=COMPANY, now=NOW)
    await resealing.rotate(world.parts, BOTH)
    new = await backup.take_backup(world.book.company_rows, ledger_id="l", company=COMPANY, now=NOW)

    assert [resealing.keys_of(each.rows.values()) for each in (old, new)] == [{OLD}, {key_id(NEW)}]
    assert resealing.keys_of([{"name": "lane:5f0a-clinic", "address": 5}]) == set()
