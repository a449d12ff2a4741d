"""
The most this service pays: in one order, in one UTC day, to one wallet in one UTC day; and without approval. Pure.

A cap bounds what a stolen webhook secret, a shop gone wrong or a bug can cost. One order above a
cap is refused where it comes in; what would exceed a day's cap waits for the next day. What is above the limit of
``APPROVAL_TOKENS`` is no cap: it is paid once a second person approves it (``distributor.approvals``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from distributor.errors import UnpayableOrder
from distributor.model import Order
from distributor.state import BindingState
from distributor.units import TokenUnits


class Cap(StrEnum):
    """Which of the caps, by the name of its setting."""

    ORDER = "MAX_ORDER_TOKENS"
    DAY = "MAX_DAILY_TOKENS"
    WALLET = "MAX_DAILY_WALLET_TOKENS"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caps:
    """Token units; None where there is no limit."""

    order_units: TokenUnits | None = None
    day_units: TokenUnits | None = None
    wallet_units: TokenUnits | None = None
    """To one wallet in one day."""
    approval_units: TokenUnits | None = None
    """In one order, or in all orders of one file, without the approval of another person."""

    def above(self, amount_units: TokenUnits) -> Cap | None:
        """Return the cap that one order of this amount exceeds by itself, and so on every day."""
        if _exceeds(amount_units, self.order_units):
            return Cap.ORDER
        if _exceeds(amount_units, self.day_units):
            return Cap.DAY
        return Cap.WALLET if _exceeds(amount_units, self.wallet_units) else None

    def exceeded(self, binding_state: BindingState, order: Order) -> Cap | None:
        """Return the cap that *order* would exceed today on top of *binding_state*, which know its wallet's total."""
        if _exceeds(order.amount_units, self.order_units):
            return Cap.ORDER
        if _exceeds(binding_state.spent.units + order.amount_units, self.day_units):
            return Cap.DAY
        to_wallet = binding_state.wallets[order.wallet].units + order.amount_units
        return Cap.WALLET if _exceeds(to_wallet, self.wallet_units) else None

    def used_up(self, binding_state: BindingState) -> bool:
        """Say whether nothing more can be bound today, however small."""
        return self.day_units is not None and binding_state.spent.units >= self.day_units


NO_CAPS = Caps()


_REFUSALS: Mapping[Cap, tuple[str, str]] = {
    Cap.ORDER: ("over_order_cap", "amount is above the most that is paid in one order."),
    Cap.DAY: ("over_daily_cap", "amount is above the most that is paid in one day."),
    Cap.WALLET: ("over_daily_cap", "amount is above the most that is paid to one wallet in one day."),
}


def refusal(cap: Cap) -> UnpayableOrder:
    """Return the refusal of an order above *cap*. It does not say how high the cap is."""
    code, sentence = _REFUSALS[cap]
    return UnpayableOrder(sentence, code=code)


def _exceeds(units: int, most_units: TokenUnits | None) -> bool:
    return most_units is not None and units > most_units
