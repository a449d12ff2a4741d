"""Call-backs among torn rows, other hosts and processes that are killed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from distributor.call_backs.schedule import ATTEMPTS_MAX
from distributor.ledger import keys
from distributor.ledger.call_records import CallState
from distributor.ledger.closing import Release
from distributor.ledger.shop_orders import Moved
from distributor.ledger.shop_owners import registered
from distributor.model import OrderKey
from foundation.clock import UnixMs
from foundation.errors import InvariantBroken, StoreUnavailable
from foundation.outgoing.guard import (
    Answer,
    Limits,
    Request,
)
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row, RowWrite, Value, Version
from tests.fakes.bench import a_closing
from tests.fakes.receiver import OURS, FakeReceiver
from tests.fakes.telling import NEVER_FAILED, SOUTH, Telling, a_telling
from tests.service import Killed


@pytest.fixture
async def there() -> Telling:
    """One shop with an address, and nothing in its ledger."""
    return await a_telling()


# rows that are not as they can only be -------------------------------------------------------------


async def test_an_announcement_that_cannot_be_read_harms_itself_alone(there: Telling) -> None:
    """It is named; the others get theirs."""
    await spoil(there, "call:000000000000000:default:ORD0", {"at_ms": 1, "events": "paid"})
    await there.paid("ORD1")

    await there.turn()

    assert there.shop.knows == {"ORD1": "paid"}
    assert there.alarms.codes == ["row_unreadable"]


@pytest.mark.parametrize("values", [{"source": "default"}, {"source": "default", "order_id": "X", "sequence": 1}])
async def test_a_call_back_that_cannot_be_read_harms_itself_alone(there: Telling, values: Mapping[str, str]) -> None:
    """Its index row names nothing that can be read."""
    await spoil(there, "callback-due:default:000000000000000:ORD0:000000000000001", values)
    await there.paid("ORD1")

    await there.turn()

    assert there.shop.knows == {"ORD1": "paid"}
    assert set(there.alarms.codes) == {"row_unreadable"}


async def test_how_an_address_answered_that_cannot_be_read_harms_its_own_shop_alone(there: Telling) -> None:
    """The other shops get theirs; what is wrong is raised behind them."""
    south = FakeReceiver(there.clock, SOUTH)
    there.others = {"south": (SOUTH, south)}
    await there.held("OURS")
    await there.held("THEIRS", source="south", secret=SOUTH)
    await spoil(there, "callback-address:default", {"source": "default"})

    with pytest.raises(InvariantBroken, match="callback-address:default"):
        await there.turn()

    assert (there.shop.got, south.knows) == ([], {"THEIRS": "held"})


async def test_an_order_that_cannot_be_read_harms_its_own_call_backs_alone(there: Telling) -> None:
    """Its call-back is put off as one that failed, and given up where nobody repairs the row; the address is good."""
    there.shop.down = 503
    await there.held("TORN")
    await there.turn()
    there.shop.down = None
    await change(there, "order:default:TORN", amount_units="much")
    await there.paid("ORD1")

    await there.turns(5)

    assert there.shop.knows == {"ORD1": "paid"}
    assert (await there.states("TORN"))[0][:2] == ("held", "due")
    assert set(there.alarms.codes) == {"row_unreadable"}
    for _ in range(80):
        await there.turn(60)
    assert (await there.states("TORN"))[0] == ("held", "given_up", ATTEMPTS_MAX)
    assert set(there.alarms.codes) == {"row_unreadable", "callback_given_up"}


async def test_what_an_older_version_did_with_an_order_is_told_instead_of_what_it_was(there: Telling) -> None:
    """It leaves the event's number as it was, and announces nothing."""
    there.secrets = ()
    await there.held()
    await there.turn()
    await change(there, "order:default:ORD1", status="cancelled")
    there.secrets = (OURS,)

    await there.turns(2)

    assert there.shop.told == [("ORD1", "order.cancelled")]
    assert await there.states() == [("held", "superseded", 0), ("cancelled", "told", 1)]


async def test_what_a_newer_version_calls_an_order_is_left_to_it(there: Telling) -> None:
    """This one has no event for it."""
    there.secrets = ()
    await there.held()
    await there.turn()
    await change(there, "order:default:ORD1", status="disputed")
    there.secrets = (OURS,)

    await there.turns(2)

    assert there.shop.told == [("ORD1", "order.held")]


async def change(there: Telling, key: str, **values: str) -> None:
    """Write columns of a row as another version, or a hand, might."""
    row = await there.rows.get(key)
    assert row is not None
    group = AtomicWrite()
    group.replace(key, {**row.values, **values}, row.version)
    await commit(there.rows, group, marker_row=key)


async def spoil(there: Telling, key: str, values: Mapping[str, str | int]) -> None:
    """Write a row by hand."""
    group = AtomicWrite()
    group.insert(key, values)
    await commit(there.rows, group, marker_row=key)


# hosts beside one another --------------------------------------------------------------------------


async def test_two_hosts_fan_out_the_same_announcement(there: Telling) -> None:
    """The second finds it gone, or loses; the shop is told once."""
    await there.paid("ORD1", "ORD2")
    await asyncio.gather(there.a_turn("host-1").run(), there.a_turn("host-2").run())
    await there.turn()

    assert sorted(there.shop.told) == [("ORD1", "order.paid"), ("ORD2", "order.paid")]


async def test_a_fan_out_that_loses_leaves_the_announcement(there: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host inserted one of its call-backs in between; the next turn makes the others."""
    await there.paid("ORD1", "ORD2")
    backs = there.ledger.call_backs
    (announced,), _ = await backs.announced(limit=10)
    first = there.rows.get

    async def blind(key: str) -> Row | None:
        return None if key.startswith(keys.CALL_BACKS) else await first(key)

    await spoil(there, keys.call_back(OrderKey("default", "ORD1"), announced.said.events[0].sequence), {})  # type: ignore[union-attr]
    with monkeypatch.context() as patch:
        patch.setattr(there.rows, "get", blind)
        await there.turn()
    assert there.shop.got == []

    await there.turn()

    assert there.shop.knows == {"ORD2": "paid"}


async def test_a_call_back_that_changed_meanwhile_is_left_to_whoever_changed_it(there: Telling) -> None:
    """A person sends it again while an attempt is open: the answer of that attempt is not written over it."""
    await there.paid("ORD1")
    await there.a_turn().run()
    (call,) = await there.calls()
    await there.ledger.call_backs.send_again(call)
    order = OrderKey("default", "ORD1")

    async def by_hand(request: Request, limits: Limits) -> Answer:
        found = await there.ledger.call_backs.find(order, call.sequence)
        assert found is not None
        there.shop.send = plain  # type: ignore[method-assign]
        await there.ledger.call_backs.send_again(found)
        return await plain(request, limits)

    plain = there.shop.send
    there.shop.send = by_hand  # type: ignore[method-assign]
    await there.turn()

    assert len(set(there.shop.ids)) == 1
    assert len(there.shop.ids) == 3
    assert await there.states() == [("paid", "told", 1)]


async def test_a_call_back_that_another_host_sends_is_not_sent_here(
    there: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease outlived: the attempt is stored first, and only one of the two can store it."""
    await there.paid("ORD1")
    there.secrets = ()
    await there.turn()
    there.secrets = (OURS,)
    (call,) = await there.calls()
    real = there.ledger.call_backs.due

    async def outdated(source: str, *, limit: int) -> Sequence[object]:
        monkeypatch.undo()
        found = await real(source, limit=limit)
        await there.ledger.call_backs.save(call, replace(call, state=CallState.TOLD))
        return found

    monkeypatch.setattr(type(there.ledger.call_backs), "due", lambda _, source, limit: outdated(source, limit=limit))
    await there.turn()

    assert there.shop.got == []
    assert await there.states() == [("paid", "told", 0)]


async def test_what_is_noted_of_an_address_gives_way_to_another_hosts_note(there: Telling) -> None:
    """A person's test said that it is back; the failure of an attempt that began before does not undo that."""
    await there.paid("ORD1")

    def meanwhile(_: Request) -> None:
        address = keys.call_address("default")
        values: Mapping[str, Value] = {**NEVER_FAILED, "source": "default", "url_id": ""}
        there.rows._rows[address] = Row(key=address, values=values, version=Version("other"))

    there.shop.before, there.shop.answers = meanwhile, [500]
    await there.turn()

    assert await there.states() == [("paid", "due", 1)]


# killed at each step -------------------------------------------------------------------------------


class Dying(MemoryRows):
    """A table behind which a process dies before or after its *at*-th write."""

    def __init__(self) -> None:
        super().__init__()
        self.at, self.done, self.writes = -1, True, 0

    async def commit(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        now, self.writes = self.writes, self.writes + 1
        if now == self.at and not self.done:
            raise Killed
        versions = await super().commit(group)
        if now == self.at:
            raise Killed
        return versions


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("at", range(7))
async def test_a_process_killed_at_any_write_loses_no_call_back(at: int, done: bool) -> None:
    """Before the write or behind it: each order is told at least once, always with its one id, and counted."""
    rows = Dying()
    there = await a_telling(rows)
    await there.paid("ORD1", "ORD2")
    rows.writes, rows.at, rows.done = 0, at, done
    with pytest.raises(Killed):
        await there.turn()
    rows.at = -1

    await there.turns(5)

    assert there.shop.knows == {"ORD1": "paid", "ORD2": "paid"}
    assert len(set(there.shop.ids)) == 2
    for order in ("ORD1", "ORD2"):
        (call,) = await there.calls(order)
        sent = sum(request == order for request, _ in there.shop.told)
        assert call.state is CallState.TOLD
        assert 1 <= sent <= call.attempts <= 2
    assert await there.bench.keys("callback-due:", "callback-due;") == await there.bench.keys("call:", "call;") == []


async def test_a_process_killed_behind_the_last_attempt_gives_it_up_visibly(there: Telling) -> None:
    """Counted before it was sent, it is not sent an eleventh time."""
    await there.paid("ORD1")
    there.secrets = ()
    await there.turn()
    there.secrets = (OURS,)
    (call,) = await there.calls()
    await there.ledger.call_backs.save(
        call, replace(call, attempts=ATTEMPTS_MAX, answer="sent, and the answer is not known", tried_ms=UnixMs(1))
    )

    await there.turn()

    assert there.shop.got == []
    assert await there.states() == [("paid", "given_up", ATTEMPTS_MAX)]
    assert there.alarms.codes == ["callbacks_unsigned", "callback_given_up"]


async def test_a_store_that_is_away_stops_the_turn_and_loses_nothing(
    there: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next turn goes on."""
    await there.paid("ORD1")

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(MemoryRows, "scan", away)
        with pytest.raises(StoreUnavailable):
            await there.turn()
    await there.turn()

    assert there.shop.knows == {"ORD1": "paid"}


async def test_an_address_that_another_host_forgot_is_forgotten(there: Telling) -> None:
    """The same again changes nothing."""
    there.shop.down = 410
    await there.paid("ORD1")
    await there.turn()
    (address,) = await there.ledger.call_backs.addresses()

    await there.ledger.call_backs.forget_address(address)
    await there.ledger.call_backs.forget_address(address)

    assert await there.ledger.call_backs.addresses() == []


async def test_an_order_that_goes_back_to_the_line_is_no_event(there: Telling) -> None:
    """Its transaction is over and moved nothing for it: the shop knows that it waits."""
    transaction = await there.bench.bound("ORD1")
    release = Release(detail="the guard refused the whole transaction", own_fault=False)
    closing = replace(a_closing(), released={OrderKey("default", "ORD1"): release})
    await there.ledger.close(transaction, closing)

    assert await there.bench.keys("call:", "call;") == []
    assert (await there.bench.order("ORD1")).sequence is None


async def test_an_order_that_takes_the_place_of_another_keeps_the_higher_number(there: Telling) -> None:
    """What a shop was told under that id has no higher number than what it is told next."""
    await there.ledger.shops.add(await there.fingerprints.of(OURS), "south", by="ana", how="accept")
    await there.ledger.shops.add(await there.fingerprints.of(SOUTH), "default", by="ana", how="accept")
    one = await there.held("ORD1")
    other = await there.order("ORD1", source="south", secret=SOUTH)
    waits = await there.ledger.admin.retry(one, "ana", "mended")

    owners = (await registered(there.rows)).owners
    assert await there.ledger.shop_orders.move(await there.again(waits), owners) is Moved.EXCHANGED

    assert (await there.again(waits)).sequence == waits.sequence
    assert (await there.again(other)).sequence == waits.sequence
