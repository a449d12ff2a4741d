"""
What is stored, or named by others, stays as it was when it was captured: no renaming may touch it.

``tests/vectors/stored.json`` holds rows, audit entries, words and names as an earlier version wrote
them. A later version may add columns and words; it reads and writes these byte for byte.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from distributor import queue_names
from distributor.adapters.alarms import LogAlarms
from distributor.day_totals import DayTotals
from distributor.ledger import Ledger, keys
from distributor.ledger.columns import decode, encode
from distributor.ledger.records import (
    GuardMark,
    NextNonce,
    PaidRef,
    Progress,
    Restored,
    ShopRegister,
    ShopSecret,
    Slot,
    Total,
)
from distributor.model import (
    Address,
    Attempt,
    AttemptKind,
    HoldReason,
    Order,
    OrderKey,
    OrderStatus,
    SubmitOutcome,
    Transaction,
    TransactionStatus,
)
from distributor.ports import Alarm
from distributor.settings.chain import ContractSettings
from distributor.state import (
    SETTLEMENT_LEASE,
    Identity,
    MonitorState,
    PauseState,
    SettlementLook,
    Spent,
    Stats,
    Waiting,
    WaitingReason,
)
from distributor.webhook.orders import parse
from foundation.clock import UnixMs
from foundation.tablestore import leases
from foundation.tablestore.codec import OWNER
from foundation.tablestore.leases import Lease
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row, Value, Version
from tests.factories import ALICE, AUTHORITY, BALLX, IDENTITY, NOW_MS, OPERATOR, RESERVE, an_attempt
from tests.fakes.bench import Bench, a_closing
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit

STORED: Mapping[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "stored.json").read_text("utf-8"))
RECORDS: Mapping[str, type[object]] = {
    "order": Order,
    "order_key": OrderKey,
    "paid_ref": PaidRef,
    "transaction": Transaction,
    "attempt": Attempt,
    "slot": Slot,
    "next_nonce": NextNonce,
    "total": Total,
    "spent": Spent,
    "stats": Stats,
    "identity": Identity,
    "control": PauseState,
    "waiting": Waiting,
    "watch": MonitorState,
    "settlement_look": SettlementLook,
    "lease": Lease,
    "rebuild": Progress,
    "shops": ShopRegister,
    "secret": ShopSecret,
    "guard_mark": GuardMark,
    "day": DayTotals,
    "restored": Restored,
}
WORDS: Mapping[str, type[StrEnum]] = {
    "order_status": OrderStatus,
    "hold_reason": HoldReason,
    "transaction_status": TransactionStatus,
    "attempt_kind": AttemptKind,
    "submit_outcome": SubmitOutcome,
    "waiting_reason": WaitingReason,
}


def values_of(columns: Mapping[str, Any]) -> dict[str, Value]:
    """Return columns as a store gives them; bytes are hex in the file."""
    return {name: bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for name, value in columns.items()}


def written(values: Mapping[str, Value]) -> str:
    """Return columns as text, each with its type; what a group adds to mark its rows is left out."""
    return repr(sorted((name, value) for name, value in values.items() if name != OWNER))


@pytest.mark.parametrize("captured", STORED["records"], ids=lambda captured: captured["id"])
def test_a_stored_record_is_read_and_written_as_it_was(captured: Mapping[str, Any]) -> None:
    """Every kind, each stored word, optional columns present and absent."""
    values = values_of(captured["columns"])

    record = decode(RECORDS[captured["record"]], Row(key="any", values=values, version=Version("v1")))

    assert written(encode(record)) == written(values)


def test_every_record_was_captured() -> None:
    """So that no kind of row goes unwatched."""
    assert {captured["record"] for captured in STORED["records"]} == set(RECORDS)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_a_stored_word_is_still_a_word(name: str) -> None:
    """A later version may know more of them."""
    assert set(STORED["words"][name]) <= {str(word.value) for word in WORDS[name]}


async def test_a_ledger_still_has_these_rows() -> None:
    """Row keys, columns and the audit trail of a short life: bound, paid, held, retried, cancelled, paused."""
    bench = await a_life()

    rows = {row.key: row.values for row in await bench.rows.scan("!", "~", limit=1000)}
    assert {key: written(values) for key, values in rows.items()} == {
        key: written(values_of(columns)) for key, columns in STORED["rows"].items()
    }
    assert {key: written(values) for key, values in bench.audit.entries.items()} == {
        key: written(values_of(columns)) for key, columns in STORED["audit"].items()
    }


def test_rows_with_other_keys_keep_them() -> None:
    """Those of a short life are not all there are."""
    assert [
        keys.WAITING,
        keys.WATCH,
        keys.REBUILD,
        leases.lease_key(SETTLEMENT_LEASE),
        leases.lease_key(f"distribution:{OPERATOR}"),
        keys.attempt(OPERATOR, 7, 11),
    ] == STORED["keys"]


def test_an_order_keeps_its_fingerprint() -> None:
    """The same content sent again next year is still the same order."""
    payment_rules = ContractSettings(chain_id=31337, decimals=18, token=BALLX, authority=AUTHORITY, reserve=RESERVE)

    for captured in STORED["fingerprints"]:
        order = parse(captured["body"].encode(), "default", payment_rules, UnixMs(NOW_MS))
        assert (order.fingerprint, order.ref_id) == (captured["fingerprint"], captured["ref_id"])


def test_queues_and_functions_keep_their_names() -> None:
    """Messages under way, metrics, alerts and addresses go by them."""
    names = "import function_app; print(*(each.get_function_name() for each in function_app.app.get_functions()))"
    found = subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, check=True)

    assert {queue_names.DISTRIBUTIONS, queue_names.SETTLEMENTS} == set(STORED["queues"])
    assert set(STORED["functions"]) <= set(found.stdout.split())


async def test_an_alarm_keeps_its_line(caplog: pytest.LogCaptureFixture) -> None:
    """All alert rules of a platform read it."""
    with caplog.at_level(logging.ERROR):
        await LogAlarms().raise_(Alarm(code="gas_short", summary="Gas for 3.", action="Send POL.", subject=ALICE))

    assert [record.message for record in caplog.records] == [STORED["alarm_line"]]


async def a_life() -> Bench:
    """Return a ledger in which a little of everything happened."""
    rows, audit, clock = MemoryRows(), ListAudit(), FrozenClock()
    bench = Bench(Ledger(rows, audit, clock=clock), rows, audit, clock)
    ledger = bench.ledger
    await ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    await ledger.admin.add_operator(Address(ALICE), 0)
    await ledger.service.set_waiting(WaitingReason.GAS_SHORT, "3 left")
    paid = await bench.bound("PAID", "REVERTED")
    cancelled = an_attempt(1, paid.nonce, kind=AttemptKind.CANCEL)
    paid = await ledger.add_attempt(paid, cancelled)
    await ledger.close(paid, a_closing("PAID", held=["REVERTED"]))
    await bench.bound("BOUND")
    await bench.received("WAITS", "HELD", "GONE", "AGAIN")
    await ledger.hold(await bench.order("HELD"), HoldReason.SIMULATION, "refused")
    await ledger.hold(await bench.order("AGAIN"), HoldReason.SIMULATION, "refused")
    await ledger.admin.retry(await bench.order("AGAIN"), "ana", "mended")
    await ledger.admin.cancel(await bench.order("GONE"), "ana", "refunded")
    await ledger.leases.acquire(SETTLEMENT_LEASE, "host-1", ttl_ms=60_000)
    await ledger.admin.halt("ben", "key seen")
    await ledger.admin.record("look", "payouts", "ana", "monthly")
    return bench
