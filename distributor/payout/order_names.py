"""The orders of a transaction, as alarms name them."""

from __future__ import annotations

from distributor.model import Transaction

_ORDERS_MAX = 5


def order_names(transaction: Transaction) -> str:
    """Name the first five orders, and how many more there are; a nonce that is cancelled unbound has none."""
    named = ", ".join(map(str, transaction.orders[:_ORDERS_MAX])) or "none"
    more = len(transaction.orders) - _ORDERS_MAX
    return named if more <= 0 else f"{named} and {more} more"
