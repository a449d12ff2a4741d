"""How nouns are written in rows: the columns are a promise to every row that is already stored."""

from dataclasses import replace
from typing import Any

import pytest

from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.model import Attempt, HoldReason, Order, OrderKey, OrderStatus, Transaction
from distributor.state import MonitorState, Waiting
from distributor.units import UINT256_MAX, TokenUnits
from foundation.clock import UnixMs
from foundation.errors import InvariantBroken
from foundation.tablestore.ports import Row, Value, Version
from foundation.tablestore.queries import behind, past
from tests.factories import ALICE, AUTHORITY, NOW_MS, OPERATOR, a_hash, a_transaction, an_attempt, an_order

VERSION = Version("v1")


def a_row(values: dict[str, Value]) -> Row:
    """Return the stored row of an order with these values."""
    return Row(key="order:default:ORD1", values=values, version=VERSION)


def test_an_order_has_these_columns() -> None:
    """Money is text, times are numbers, what is None has no column."""
    order = an_order("ORD1", amount_units=TokenUnits(UINT256_MAX))

    assert encode(order) == {
        "source": "default",
        "order_id": "ORD1",
        "wallet": ALICE,
        "amount_units": str(UINT256_MAX),
        "tipo": "bonus",
        "reason": "Reward",
        "ref_id": order.ref_id,
        "fingerprint": order.fingerprint,
        "received_ms": NOW_MS,
        "updated_ms": NOW_MS,
        "status": "received",
        "hold_detail": "",
    }


def test_an_attempt_has_these_columns() -> None:
    """Its fees stand in the same row."""
    assert encode(an_attempt()) == {
        "operator": OPERATOR,
        "nonce": 7,
        "index": 0,
        "kind": "pay",
        "raw": b"raw 7 0",
        "tx_hash": a_hash("attempt 7 0"),
        "max_fee_wei": "32000000000",
        "tip_wei": "30000000000",
        "dynamic": True,
        "gas_limit": 300_000,
        "signed_ms": NOW_MS,
    }


def test_a_transaction_has_these_columns() -> None:
    """Its orders are one to a line."""
    orders = (OrderKey("default", "A.1"), OrderKey("loja", "B_2"))

    assert encode(a_transaction(orders=orders)) == {
        "operator": OPERATOR,
        "nonce": 7,
        "to": AUTHORITY,
        "data": b"distribute",
        "orders": "default:A.1\nloja:B_2",
        "committed_units": str(10**19),
        "bound_day": "2027-01-15",
        "bound_ms": NOW_MS,
        "status": "signed",
        "attempts": 1,
    }


@pytest.mark.parametrize(
    "noun",
    [
        an_order(),
        an_order(
            status=OrderStatus.HELD,
            hold_reason=HoldReason.NO_TRANSFER,
            hold_detail="no log",
            operator=OPERATOR,
            nonce=0,
            paid_hash=a_hash("p"),
            paid_block=5,
        ),
        an_attempt(),
        a_transaction(),
        a_transaction(
            orders=(OrderKey("default", "A.1"), OrderKey("loja", "B_2")),
            submitted_ms=UnixMs(1),
            mined_hash=a_hash("m"),
            block_number=1,
            block_hash=a_hash("b"),
        ),
        MonitorState(alarms=("gas_short", "reserve short: 3 left")),
        MonitorState(),
        Waiting(),
    ],
)
def test_what_is_written_is_read_back(noun: Any) -> None:
    """With the version of the row it came from."""
    row = Row(key="any", values=encode(noun), version=VERSION)

    again = decode(type(noun), row)

    assert again == noun
    assert getattr(again, "version", VERSION) == VERSION


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", 7),
        ("amount_units", "-1"),
        ("amount_units", "1e3"),
        ("amount_units", "\u0663"),
        ("amount_units", str(UINT256_MAX + 1)),
        ("amount_units", 10),
        ("received_ms", "1800000000000"),
        ("received_ms", True),
        ("nonce", "7"),
    ],
)
def test_a_column_that_cannot_be_read_is_named(column: str, value: Value) -> None:
    """With its row; nothing is guessed."""
    values = encode(an_order()) | {column: value}

    with pytest.raises(InvariantBroken, match=f"order:default:ORD1: column {column} "):
        decode(Order, a_row(values))


@pytest.mark.parametrize("column", sorted(encode(an_order())))
def test_a_missing_column_is_named(column: str) -> None:
    """Only what may be None has no column."""
    values = encode(an_order())
    del values[column]

    with pytest.raises(InvariantBroken, match=f"column {column} is missing"):
        decode(Order, a_row(values))


def test_a_column_of_a_part_is_asked_for_too() -> None:
    """The fees of an attempt are as needed as its bytes."""
    values = encode(an_attempt())
    del values["tip_wei"]

    with pytest.raises(InvariantBroken, match="tip_wei"):
        decode(Attempt, a_row(values))


def test_columns_nobody_knows_are_passed_over() -> None:
    """A later version may have written more."""
    row = a_row(encode(a_transaction()) | {"owner": "abc", "colour": "red"})

    assert decode(Transaction, row) == a_transaction()


def test_keys_sort_as_numbers_and_times_do() -> None:
    """Zeros in front make text sort like numbers."""
    numbers = [0, 9, 10, 99, 10**18]
    by_nonce = [keys.transaction(OPERATOR, number) for number in numbers]
    by_attempt = [keys.attempt(OPERATOR, 7, number) for number in (0, 9, 10, 999)]
    by_time = [keys.open_order(an_order(received_ms=UnixMs(number))) for number in (9, 10, NOW_MS)]

    for ordered in (by_nonce, by_attempt, by_time):
        assert ordered == sorted(ordered)


def test_a_range_holds_what_begins_with_its_prefix_and_no_more() -> None:
    """The backlog ends before the open transactions begin."""
    first, second = keys.open_order(an_order("A")), keys.open_order(an_order("A-1"))
    last = past(keys.OPEN_ORDERS)

    assert keys.OPEN_ORDERS < first < behind(first) < second < last < keys.open_transaction(OPERATOR, 0)


def test_a_version_is_no_column() -> None:
    """It is the store's word about the row, not the row's."""
    assert "version" not in encode(replace(an_order(), version=VERSION))
