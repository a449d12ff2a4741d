"""parse is total: for any body it returns an order that can be paid, or raises a Rejected with a code."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from distributor.errors import MalformedOrder, UnpayableOrder
from distributor.model import Address, Order
from distributor.settings.chain import ContractSettings
from distributor.units import UINT256_MAX
from distributor.webhook.orders import REASON_BYTES, parse
from foundation.clock import UnixMs
from foundation.errors import Rejected

TERMS = ContractSettings(
    chain_id=137,
    token=Address("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"),
    authority=Address("0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"),
    reserve=Address("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"),
    decimals=18,
)
TEXT = st.text(st.characters(exclude_categories=()))
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
WALLET = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
AMOUNT = st.integers(1, UINT256_MAX)
NAMES = st.sampled_from(["order_id", "wallet", "wallet_address", "amount", "reason", "tipo", "other"])


def total(body: bytes) -> None:
    """Assert what holds of every answer."""
    answer = read(body)

    if isinstance(answer, Order):
        assert 0 < answer.amount_units <= UINT256_MAX
        assert answer.order_id.isascii()
        assert len(answer.reason.encode()) <= REASON_BYTES
        assert len(bytes.fromhex(answer.ref_id[2:])) == 32
    else:
        assert answer.code not in ("", "rejected", "malformed_order", "unpayable_order")
        assert str(answer).endswith(".")


def read(body: bytes) -> Order | Rejected:
    """Return the order or the refusal; anything else that is raised fails the test."""
    try:
        return parse(body, "default", TERMS, UnixMs(1))
    except (MalformedOrder, UnpayableOrder) as refusal:
        return refusal


@given(st.binary())
@example(b'{"amount":1e999999999999999999999}')
@example(b"\x00")
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Whatever arrives, nothing but a refusal with a code is raised."""
    total(body)


@given(st.dictionaries(NAMES, ANY | WALLET | AMOUNT.map(str) | st.decimals(allow_nan=True).map(str)))
def test_any_json_is_read_or_refused(fields: dict[str, object]) -> None:
    """Fields of the right names and any values, NaN and lone surrogates among them."""
    total(json.dumps(fields).encode())


@given(units=AMOUNT, wallet=WALLET, order_id=st.integers(0, 10**30))
def test_the_units_are_those_that_were_asked(units: int, wallet: str, order_id: int) -> None:
    """Any amount of units, written as tokens, comes back as the same units."""
    amount = f"{units // 10**18}.{units % 10**18:018d}"
    answer = read(json.dumps({"order_id": order_id, "wallet": wallet, "amount": amount}).encode())

    assert answer.amount_units == units if isinstance(answer, Order) else answer.code == "wallet_forbidden"
