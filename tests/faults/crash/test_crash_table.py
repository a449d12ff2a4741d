"""A process killed at any call of intake, distribution or settlement: its order is paid exactly once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

import pytest

from devstack import servers
from distributor.units import TokenUnits
from tests.factories import ALICE
from tests.faults.crash.choice import trips
from tests.faults.crash.habits import call_the_first_block_final, submit_before_storing
from tests.faults.crash.process import PHASES, Left
from tests.faults.crash.table import (
    AMOUNT_UNITS,
    SUBMISSION,
    CrashTable,
    Habit,
    Meanwhile,
    Outcome,
    Point,
    changes,
    faults,
    lane,
)
from tests.faults.crash.wire import Call, Side, Trip, Wire, described

CALL = Call("intake", "ledger: write order")
SOUND = Outcome(
    point=Point(Trip(0, Side.BEFORE), CALL),
    killed_at=CALL,
    transfers=[(ALICE, AMOUNT_UNITS)],
    left=Left(status="paid", committed_units=0, open=False, bindings=1),
    possible=[],
)


def writes_of(row: str, calls: Sequence[Call]) -> list[int]:
    """Return the numbers of the calls that write a *row* of this kind."""
    return [
        at
        for at, call in enumerate(calls)
        if call.what.startswith("ledger: write ") and row in call.what.removeprefix("ledger: write ").split(", ")
    ]


no_sigkill = pytest.mark.skipif(os.name == "nt", reason="SIGKILL and fork are POSIX")


@no_sigkill
def test_an_order_is_paid_once_wherever_its_process_is_killed(crash_table: CrashTable) -> None:
    """The chain's own events are counted; nothing stays committed or open."""
    assert crash_table.wrong() == []


@no_sigkill
def test_the_table_holds_both_sides_of_every_call_that_changes_something(crash_table: CrashTable) -> None:
    """Found on the wire: the intake's one write, the binding, the submission and the closing are among them."""
    killed = [each.point.trip for each in crash_table.outcomes if each.point.meanwhile is Meanwhile.NOTHING]
    asked = [call.what for call in crash_table.calls]

    assert killed == trips(crash_table.calls, lambda trip: changes(crash_table.calls[trip.at]))
    assert {call.phase for call in crash_table.calls} == set(PHASES)
    assert [call.what for call in crash_table.calls if call.phase == "intake"] == [
        "ledger: read shops",  # once in a process: the salt of the secrets' fingerprints
        "ledger: read nonce...",  # once a minute: the service's own addresses, which no order may pay
        "ledger: read former...",
        "ledger: write order, ref, open, time, time-shop, time-wallet",
    ]
    assert len(writes_of("attempt", crash_table.calls)) == 1
    assert asked.count(SUBMISSION) == 1
    assert len(writes_of("stats", crash_table.calls)) == 1


@pytest.mark.parametrize(("points", "count"), [("all", 8), ("1", 5), ("0", 4)])
def test_the_points_are_those_that_change_something_and_some_others(points: str, count: int) -> None:
    """In the order of the calls; the same seed draws the same ones."""
    calls = [Call("", what) for what in ("ledger: write tx", "ledger: read tx", "ledger: write lease:one", SUBMISSION)]
    drawn = trips(calls, lambda trip: changes(calls[trip.at]), points=points, seed=1)

    assert drawn == trips(calls, lambda trip: changes(calls[trip.at]), points=points, seed=1)
    assert len(drawn) == count
    assert [trip for trip in drawn if trip.at in {0, 3}] == [Trip(at, side) for at in (0, 3) for side in Side]
    assert [trip.at for trip in drawn] == sorted(trip.at for trip in drawn)


@no_sigkill
def test_the_chain_changes_behind_the_dead_process_too(crash_table: CrashTable) -> None:
    """Our transactions in the pool or a block were mined, forgotten and reorganised away before anyone looked."""
    assert {each.point.meanwhile for each in crash_table.outcomes} == set(Meanwhile)


@no_sigkill
def test_only_a_process_killed_before_the_binding_leaves_a_binding_to_do(crash_table: CrashTable) -> None:
    """An order bound by the dead process is never bound again: the next one submits what is stored."""
    (bind,) = writes_of("attempt", crash_table.calls)
    bound = {each.point.trip: each.left.bindings for each in crash_table.outcomes}

    assert bound == {trip: int(trip.at < bind or trip == Trip(bind, Side.BEFORE)) for trip in bound}


@no_sigkill
@pytest.mark.parametrize(
    ("habit", "row", "then", "fault"),
    [
        (submit_before_storing, "attempt", (Side.BEFORE, Meanwhile.MINED), "order received"),
        (call_the_first_block_final, "stats", (Side.AFTER, Meanwhile.REORGANISED), "transfers []"),
    ],
)
def test_the_table_sees_a_bad_habit(
    azurite: servers.Azurite, habit: Habit, row: str, then: tuple[Side, Meanwhile], fault: str
) -> None:
    """Submitted before it was stored: paid and not known. Final at once: called paid and not paid."""
    with lane(azurite) as alone:
        calls = alone.calls(habit)
        (at,) = writes_of(row, calls)
        side, meanwhile = then
        outcome = alone.outcome(Point(Trip(at, side), calls[at], meanwhile), habit)

        assert list(faults(outcome, alone.wallet)) == [fault]


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (replace(SOUND, killed_at=None), "killed at None"),
        (replace(SOUND, transfers=[]), "transfers []"),
        (replace(SOUND, transfers=[(ALICE, AMOUNT_UNITS)] * 2), "transfers [("),
        (replace(SOUND, transfers=[(ALICE, TokenUnits(1))]), "transfers [("),
        (replace(SOUND, left=replace(SOUND.left, status="submitted")), "order submitted"),
        (replace(SOUND, left=replace(SOUND.left, committed_units=5)), "5 units still committed"),
        (replace(SOUND, left=replace(SOUND.left, open=True)), "open: True"),
    ],
)
def test_the_table_names_what_is_wrong(outcome: Outcome, fault: str) -> None:
    """A point that was not reached, no transfer, two, a wrong one, or something left behind."""
    assert list(faults(SOUND, ALICE)) == []
    assert [fault in found for found in faults(outcome, ALICE)] == [True]


async def test_a_process_dies_at_its_call_also_while_another_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests at once: the second is noted before the first one's answer is there."""
    told: list[Call] = []
    wire = Wire(Trip(0, Side.AFTER), dying=told.append)
    monkeypatch.setattr(os, "kill", lambda *_: None)

    async def answered() -> None:
        await asyncio.sleep(0)

    first, second = wire.passed("first", answered), wire.passed("second", answered)
    results = await asyncio.gather(first, second, return_exceptions=True)

    assert told == [Call("", "first")]
    assert [type(result) for result in results] == [AssertionError, type(None)]


@pytest.mark.parametrize(
    ("url", "data", "words"),
    [
        ("http://s/a/t('', '')/$batch", b'"RowKey": "order:d:1" RowKey=\'ref:0x1\'', "ledger: write order, ref"),
        ("http://s/a/t(PartitionKey='1',RowKey='lease%3Asettlement')", None, "ledger: read lease:settlement"),
        ("http://s/a/t()?$filter=RowKey%20ge%20'open:1'", None, "ledger: read open..."),
        ("http://n", b'[{"jsonrpc": "2.0", "method": "eth_chainId"}, {"method": "eth_call"}]', "node: call"),
        ("http://n", b'{"jsonrpc": "2.0", "method": "eth_chainId"}', "node: chainId"),
    ],
)
def test_a_call_is_told_in_a_few_words(url: str, data: bytes | None, words: str) -> None:
    """By the rows or the methods it is about."""
    assert described("GET", url, {"data": data}) == words
