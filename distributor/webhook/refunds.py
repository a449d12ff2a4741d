"""
What a customer kept of an order: its total without what was refunded before.

The plugin has the same rule (wordpress/ballx-distributor/src/Refunds.php), and one test holds both against each other.

Source: WC_REST_Orders_V2_Controller::get_formatted_item_data (WooCommerce 10.0): each refund is
``{"id", "reason", "total"}``, its total a decimal text that begins with a minus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact
from typing import Any

from distributor.errors import UnpayableOrder
from distributor.webhook.orders import decimal_of
from foundation.errors import Rejected

REFUNDS = "refunds"
REFUNDS_LOOKED_BACK = 50
"""An order with more refunds since it was paid is shown to an operator: bounds the work for one delivery."""
_EXACT = Context(prec=400, traps=[Inexact])
"""An amount has at most 100 characters and an exponent of two digits: their sum has fewer than 400 digits."""
_WITHOUT_AMOUNT = (
    "A refund of the order shows no amount that was given back, so nobody can tell what is left of the total."
)


def kept(total: Decimal, refunds: Sequence[Decimal]) -> Decimal:
    """Return *total* and its *refunds*, which are 0 or less, added up exactly; 0 where more was refunded than paid."""
    for refund in refunds:
        total = _EXACT.add(total, refund)
    return max(total, Decimal(0))


def refunds_of(fields: Mapping[str, Any]) -> Sequence[Decimal]:
    """
    Return what each refund of an order gave back, the oldest first: 0 or less.

    Raises:
        UnpayableOrder: A refund has no amount. The order is held: paid in full it would be paid too much.
    """
    listed = [_refund(item) for item in _items(fields.get(REFUNDS, []))]
    return [amount for _, amount in sorted(listed, key=lambda refund: refund[0])]


def before(total: Decimal, refunds: Sequence[Decimal]) -> Sequence[Decimal]:
    """Return what was kept before each of the last refunds, at most REFUNDS_LOOKED_BACK of them."""
    first = max(0, len(refunds) - REFUNDS_LOOKED_BACK)
    return [kept(total, refunds[:count]) for count in range(first, len(refunds))]


def _items(value: Any) -> list[Any]:
    """Return the refunds; PHP writes a list from which an item was removed as an object."""
    items = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise UnpayableOrder(_WITHOUT_AMOUNT, code="refund_without_amount")
    return items


def _refund(item: Any) -> tuple[int, Decimal]:
    """Return when it came, by its number in the shop's database, and what it gave back."""
    if not isinstance(item, dict):
        raise UnpayableOrder(_WITHOUT_AMOUNT, code="refund_without_amount")
    try:
        amount = decimal_of("total", item.get("total"))
        number = decimal_of("id", item.get("id"))
    except Rejected:
        raise UnpayableOrder(_WITHOUT_AMOUNT, code="refund_without_amount") from None
    if amount > 0:
        raise UnpayableOrder(_WITHOUT_AMOUNT, code="refund_without_amount")
    return int(number), amount
