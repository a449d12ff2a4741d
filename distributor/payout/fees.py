"""
What an attempt offers per gas: the first price, and the price of a replacement.

All prices are wei per gas. Where no valid price fits under the ceiling the answer is None: the
caller waits and says so; nothing is ever sent with a price that cannot be mined or replaced.

Sources: Bor enforces a tip of at least 25 gwei (PIP-35) and the pool asks 10 % more on both fields
of a replacement (geth ``legacypool.Config.PriceBump``); a node refuses a transaction that could
cost 5 POL or more (Bor ``rpc.txfeecap``).
"""

from __future__ import annotations

from distributor.chain_types import FeeQuote
from distributor.model import Fees
from distributor.settings.chain import FeeSettings
from distributor.units import Wei

NODE_FEE_CAP_WEI = Wei(5 * 10**18)
_BUMP_NUMERATOR, _BUMP_DENOMINATOR = 9, 8  # +12.5 %: over the pool's 10 % whatever it rounds


def first(market: FeeQuote, limits: FeeSettings, *, gas_limit: int) -> Fees | None:
    """
    Return the fees of a first attempt of *gas_limit*; None while the ceiling is under the market.

    The fee cap is twice the base fee plus the tip (a base fee that rises 5 % a block doubles in 15
    blocks), lowered so far that two replacements still fit where the market leaves that room. A tip
    that leaves room for no replacement gets the whole ceiling at once.
    """
    ceiling = _ceiling(limits, gas_limit)
    if market.base_fee_wei is None:
        price = max(market.gas_price_wei, limits.min_tip_wei)
        return Fees(max_fee_wei=price, tip_wei=price, dynamic=False) if price <= ceiling else None
    base, tip = market.base_fee_wei, _market_tip(market, limits)
    if ceiling < base + limits.min_tip_wei:
        return None
    max_fee = _fee_cap(base, tip, limits, ceiling=ceiling, replacements=2)
    return Fees(max_fee_wei=max_fee, tip_wei=Wei(min(tip, max_fee - base)))


def highest(market: FeeQuote, limits: FeeSettings) -> Fees:
    """Return the most the ceilings allow: what waits in a pool was priced under the same ones."""
    dynamic = market.base_fee_wei is not None
    tip_wei = limits.max_tip_wei if dynamic else limits.max_fee_wei
    return Fees(max_fee_wei=limits.max_fee_wei, tip_wei=tip_wei, dynamic=dynamic)


def bump(previous: Fees, market: FeeQuote, limits: FeeSettings, *, gas_limit: int) -> Fees | None:
    """
    Return the cheapest fees that may replace *previous*; None when none fits under the ceilings.

    Both fields rise by at least 12.5 %, rounded up, and not below what the market asks today; where
    the market leaves that room, one more replacement still fits after this one. The last one that the
    tip leaves room for gets the whole ceiling: nothing dearer can follow it when the base fee rises.
    """
    ceiling = _ceiling(limits, gas_limit)
    if not previous.dynamic:
        price = Wei(max(_bumped(previous.max_fee_wei), market.gas_price_wei))
        return Fees(max_fee_wei=price, tip_wei=price, dynamic=False) if price <= ceiling else None
    base = market.base_fee_wei or Wei(0)
    tip = Wei(max(_bumped(previous.tip_wei), _market_tip(market, limits)))
    wanted = _fee_cap(base, tip, limits, ceiling=ceiling, replacements=1)
    max_fee = Wei(max(_bumped(previous.max_fee_wei), base + tip, wanted))
    if tip > limits.max_tip_wei or max_fee > ceiling:
        return None
    return Fees(max_fee_wei=max_fee, tip_wei=tip)


def allowed(price: Fees, limits: FeeSettings, *, gas_limit: int) -> bool:
    """Say whether *price* fits under the ceilings, so that an attempt could be signed with it."""
    dear_tip = price.dynamic and price.tip_wei > limits.max_tip_wei
    return price.max_fee_wei <= _ceiling(limits, gas_limit) and not dear_tip


def outbid(fees: Fees, market: FeeQuote, limits: FeeSettings) -> bool:
    """
    Say whether *fees* are less than a producer is offered today: only then does a replacement help.

    The market's tip counts whole, also above the highest tip allowed: cut to it, a transaction that
    the market left behind would look well paid, and no alarm would say that the ceiling is too low.
    """
    if not fees.dynamic or market.base_fee_wei is None:
        return fees.max_fee_wei < market.gas_price_wei
    return min(fees.tip_wei, fees.max_fee_wei - market.base_fee_wei) < max(market.tip_wei, limits.min_tip_wei)


def _fee_cap(base_wei: int, tip_wei: int, limits: FeeSettings, *, ceiling: Wei, replacements: int) -> Wei:
    """
    Return a fee cap under which *replacements* still fit, where the market leaves that room; else all there is.

    A cap costs nothing while the base fee is low. Where the tip cannot rise by an eighth any more no
    replacement will ever be taken, and a cap below the ceiling would be stuck as soon as the base fee rises.
    """
    if _bumped(tip_wei) > limits.max_tip_wei:
        return ceiling
    opening = ceiling
    for _ in range(replacements):
        opening = _unbumped(opening)
    return Wei(min(2 * base_wei + tip_wei, max(opening, min(ceiling, base_wei + tip_wei))))


def _ceiling(limits: FeeSettings, gas_limit: int) -> Wei:
    return Wei(min(limits.max_fee_wei, (NODE_FEE_CAP_WEI - 1) // gas_limit))


def _market_tip(market: FeeQuote, limits: FeeSettings) -> Wei:
    return Wei(min(max(market.tip_wei, limits.min_tip_wei), limits.max_tip_wei))


def _bumped(price: int) -> int:
    return -(-price * _BUMP_NUMERATOR // _BUMP_DENOMINATOR)


def _unbumped(price: int) -> Wei:
    return Wei(price * _BUMP_DENOMINATOR // _BUMP_NUMERATOR)
