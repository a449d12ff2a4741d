"""read is total: any signed body is an order that can be paid, or a reason why it pays nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.model import Order
from distributor.settings.chain import ContractSettings
from distributor.settings.shops import WooCommerceSettings
from distributor.units import UINT256_MAX
from distributor.webhook.woocommerce import NotPaid, read_order
from foundation.clock import UnixMs
from tests.factories import ALICE, AUTHORITY, BALLX, RESERVE

TERMS = ContractSettings(chain_id=137, token=BALLX, authority=AUTHORITY, reserve=RESERVE, decimals=18)
AMOUNTS = [{"amount_meta": "tokens"}, {"tokens_per_unit": Decimal("0.3")}]
RULES = st.builds(
    lambda *, amount, **other: WooCommerceSettings(**amount, **other),
    paid_statuses=st.just(frozenset({"completed"})),
    wallet_meta=st.just("wallet"),
    amount=st.sampled_from(AMOUNTS),
    currency=st.sampled_from(["BRL", None]),
)
NAMES = st.sampled_from(["id", "status", "currency", "total", "number", "meta_data", "other"])
TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
SCALAR = (
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["completed", "BRL", "5", ALICE])
)
META = st.fixed_dictionaries(
    {"key": st.sampled_from(["wallet", "tokens"]), "value": SCALAR | st.lists(SCALAR, max_size=1)}
)
METAS = st.lists(META | SCALAR, max_size=4) | st.dictionaries(st.sampled_from(["0", "2"]), META) | SCALAR
GOOD: dict[str, Any] = {
    "id": 727,
    "status": "completed",
    "currency": "BRL",
    "total": "29.35",
    "number": "727",
    "meta_data": [{"key": "wallet", "value": ALICE}, {"key": "tokens", "value": "5"}],
}


def total(body: bytes, rules: WooCommerceSettings) -> None:
    """Assert what holds of every answer."""
    found = read_order(body, "default", TERMS, rules, UnixMs(1))

    if isinstance(found, Order):
        assert 0 < found.amount_units <= UINT256_MAX
        assert found.order_id.isdecimal()
        assert found.reason.startswith("Order #")
    else:
        assert isinstance(found, NotPaid)
        assert found.reason
        assert found.detail


@settings(deadline=None)
@given(st.binary(), RULES)
def test_any_bytes_are_an_order_or_a_reason(body: bytes, rules: WooCommerceSettings) -> None:
    """The signature says who sent it, not that it can be read."""
    total(body, rules)


@settings(deadline=None)
@given(st.dictionaries(NAMES, SCALAR | METAS, max_size=4), METAS, st.booleans(), RULES)
def test_any_document_is_an_order_or_a_reason(
    odd: dict[str, Any], metas: Any, spoilt: bool, rules: WooCommerceSettings
) -> None:
    """A good order with some fields of any kind, and custom fields as plug-ins leave them."""
    total(json.dumps({**GOOD, **odd, **({"meta_data": metas} if spoilt else {})}).encode(), rules)
