"""
The columns of each stored record, written out, so that renaming a field renames no column.

What is stored is a promise to every row of every ledger there is. A column is never renamed, and a
new one is always optional. An attempt's fees are columns of its own row.
"""

from __future__ import annotations

from typing import Any, TypeVar

from distributor.day_totals import DayTotals
from distributor.ledger.records import (
    Ahead,
    Distrust,
    DoubtedPast,
    FormerParty,
    GuardMark,
    NextNonce,
    PaidRef,
    Progress,
    Restored,
    Retention,
    Schema,
    ShopRegister,
    ShopSecret,
    Slot,
    Total,
)
from distributor.model import (
    Approval,
    Attempt,
    AttemptKind,
    Fees,
    HoldReason,
    Order,
    OrderKey,
    OrderStatus,
    SubmitOutcome,
    Transaction,
    TransactionStatus,
)
from distributor.state import Identity, MonitorState, PauseState, SettlementLook, Spent, Stats, Waiting, WaitingReason
from foundation.clock import UnixMs
from foundation.tablestore import codec
from foundation.tablestore.codec import (
    Codec,
    Column,
    FieldKind,
    Record,
    amount,
    binary,
    flag,
    lines,
    number,
    text,
    word,
)
from foundation.tablestore.leases import LEASE
from foundation.tablestore.ports import Row, Value

_T = TypeVar("_T")


def _order_keys(stored: str) -> tuple[OrderKey, ...]:
    pairs = (line.partition(":") for line in codec.split(stored))
    return tuple(OrderKey(source, order_id) for source, _, order_id in pairs)


def _approval_lines(approval: Approval) -> str:
    return codec.joined((approval.at_ms, approval.until_ms, approval.fingerprint, approval.by))


def _approval(stored: str) -> Approval:
    at_ms, until_ms, fingerprint, by = stored.split("\n", 3)
    return Approval(by=by, at_ms=UnixMs(int(at_ms)), fingerprint=fingerprint, until_ms=UnixMs(int(until_ms)))


_APPROVAL = FieldKind(str, _approval_lines, _approval)
_ORDER_KEYS = FieldKind(str, codec.joined, _order_keys)
_COUNTS = FieldKind(str, codec.joined, lambda stored: tuple(int(count) for count in codec.split(stored)))
_IDENTITY = Record(
    Identity,
    (
        text("ledger_id"),
        number("chain_id"),
        text("token"),
        text("authority"),
        text("reserve"),
        text("guard", missing=None),
        number("guard_since", missing=None),
    ),
)
_FEES = Record(Fees, (amount("max_fee_wei"), amount("tip_wei"), flag("dynamic")))

_CODEC = Codec(
    [
        Record(
            Order,
            (
                text("source"),
                text("order_id"),
                text("wallet"),
                amount("amount_units"),
                text("tipo"),
                text("reason"),
                text("ref_id"),
                text("fingerprint"),
                number("received_ms"),
                number("updated_ms"),
                word("status", OrderStatus),
                word("hold_reason", HoldReason, missing=None),
                text("hold_detail"),
                text("operator", missing=None),
                number("nonce", missing=None),
                text("paid_hash", missing=None),
                number("paid_block", missing=None),
                number("paid_log", missing=None),
                amount("gas_cost_wei", missing=None),
                number("item_failures", missing=None),
                text("signed_with", missing=None),
                text("moved_to", missing=None),
                number("vetted_ms", missing=None),
                number("sequence", missing=None),
                number("paid_ms", missing=None),
                number("purged_ms", missing=None),
                text("asked_by", missing=None),
                text("batch", missing=None),
                amount("file_units", missing=None),
                Column("approval", _APPROVAL, "approval", None),
            ),
        ),
        Record(OrderKey, (text("source"), text("order_id"))),
        Record(
            PaidRef,
            (
                text("wallet"),
                amount("amount_units"),
                text("paid_hash"),
                number("paid_block"),
                number("purged_ms", missing=None),
            ),
        ),
        Record(
            Transaction,
            (
                text("operator"),
                number("nonce"),
                text("to"),
                binary("data"),
                Column("orders", _ORDER_KEYS, "orders"),
                amount("committed_units"),
                text("bound_day"),
                number("bound_ms"),
                word("status", TransactionStatus),
                number("attempts"),
                number("submitted_ms", missing=None),
                word("last_outcome", SubmitOutcome, missing=None),
                text("mined_hash", missing=None),
                number("block_number", missing=None),
                text("block_hash", missing=None),
                number("alone_since_ms", missing=None),
                number("witnesses", missing=None),
            ),
        ),
        Record(
            Attempt,
            (
                text("operator"),
                number("nonce"),
                number("index"),
                word("kind", AttemptKind),
                binary("raw"),
                text("tx_hash"),
                number("gas_limit"),
                number("signed_ms"),
            ),
            parts={"fees": _FEES},
        ),
        Record(Distrust, (text("node"), number("head_number"), text("why"), number("since_ms"), number("seen_ms"))),
        Record(Slot, (text("operator"), number("nonce"))),
        Record(NextNonce, (number("next"),)),
        Record(Total, (amount("units"),)),
        Record(Spent, (text("day"), text("wallet", missing=None), amount("units"))),
        _IDENTITY,
        Record(
            Restored,
            (text("backup"), text("sha256"), number("begun_ms"), number("at_ms"), text("by"), flag("whole")),
            parts={"identity": _IDENTITY},
        ),
        Record(
            PauseState,
            (
                flag("paused"),
                text("paused_by"),
                text("paused_why"),
                flag("halted"),
                text("halted_by"),
                text("halted_why"),
                number("console_epoch", missing=None),
                number("console_link_ms", missing=None),
            ),
        ),
        Record(DoubtedPast, (text("why"), number("at_ms"), text("guard", missing=None))),
        Record(FormerParty, (text("kind"), text("address"), number("at_ms"))),
        Record(Schema, (number("level"),)),
        Record(
            Retention,
            (
                number("done_ms"),
                number("ended_ms"),
                number("until_ms", missing=None),
                text("place"),
                number("left_ms", missing=None),
            ),
        ),
        Record(GuardMark, (text("head"), lines("passed", missing=None))),
        Record(ShopRegister, (text("salt"), number("registered_ms", missing=None))),
        Record(ShopSecret, (text("fingerprint"), text("source"), text("by"), text("how"), number("at_ms"))),
        Record(Ahead, (word("reason", WaitingReason), text("detail"), number("since_ms"))),
        Record(Waiting, (word("reason", WaitingReason, missing=None), text("detail"), number("since_ms"))),
        Record(
            MonitorState,
            (
                number("swept_ms"),
                number("watched_ms"),
                number("head_number"),
                number("finalized_number"),
                amount("reserve_units"),
                amount("allowance_units"),
                amount("gas_wei"),
                lines("alarms"),
                number("market_base_wei", missing=None),
                number("market_tip_wei", missing=None),
                number("index_swept_ms", missing=None),
                text("index_place", missing=None),
                number("index_due_ms", missing=None),
                lines("found", missing=None),
                number("backup_ms", missing=None),
                text("backup_name", missing=None),
                lines("lane_gas", missing=None),
            ),
        ),
        Record(SettlementLook, (number("looked_ms"),)),
        Record(
            Stats,
            (
                number("transactions"),
                number("orders_paid"),
                amount("paid_units"),
                number("gas_used"),
                amount("gas_cost_wei"),
                number("final_number", missing=None),
                text("final_hash", missing=None),
                Column("paid_within", _COUNTS, "paid_within", None),
                number("paid_ms_sum", missing=None),
                number("batches_reverted", missing=None),
            ),
        ),
        Record(
            DayTotals,
            (
                text("day"),
                number("orders"),
                amount("units"),
                Column("paid_within", _COUNTS, "paid_within"),
                number("payouts"),
                number("gas_used"),
                amount("gas_cost_wei"),
            ),
        ),
        LEASE,
        Record(Progress, (number("first_block"), number("next_block"), text("seen", missing=None))),
    ]
)


def encode(value: Any) -> dict[str, Value]:
    """Return the columns of *value*."""
    return _CODEC.encode(value)


def decode(kind: type[_T], row: Row) -> _T:
    """Return the *kind* a row holds, with the row's version. Raises InvariantBroken if it cannot be read."""
    return _CODEC.decode(kind, row)
