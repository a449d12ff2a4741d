"""Fees: the first price, the price of a replacement, and when neither exists."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.chain_types import FeeQuote
from distributor.model import Fees
from distributor.payout.fees import NODE_FEE_CAP_WEI, allowed, bump, first, outbid
from distributor.settings.chain import FeeSettings
from distributor.units import Wei
from tests.factories import GWEI, LIMITS, MARKET

GAS = 300_000
LEGACY = FeeQuote(base_fee_wei=None, tip_wei=Wei(0), gas_price_wei=Wei(35 * GWEI))


def a_market(base_gwei: int, tip_gwei: int = 30) -> FeeQuote:
    """Return a market in whole gwei."""
    base, tip = Wei(base_gwei * GWEI), Wei(tip_gwei * GWEI)
    return FeeQuote(base_fee_wei=base, tip_wei=tip, gas_price_wei=Wei(base + tip))


def some_fees(max_gwei: int, tip_gwei: int = 30) -> Fees:
    """Return fees in whole gwei."""
    return Fees(max_fee_wei=Wei(max_gwei * GWEI), tip_wei=Wei(tip_gwei * GWEI))


def test_first_fees_are_twice_the_base_plus_the_tip() -> None:
    """A base fee may double before the transaction is priced out."""
    fees = first(a_market(5), LIMITS, gas_limit=GAS)

    assert fees == some_fees(40)


def test_a_tip_under_the_floor_is_raised_to_it() -> None:
    """Nodes refuse less than 25 gwei, whatever they suggest."""
    fees = first(a_market(1, tip_gwei=2), LIMITS, gas_limit=GAS)

    assert fees is not None
    assert fees.tip_wei == 30 * GWEI


def test_a_tip_over_the_limit_is_lowered_to_it() -> None:
    """MAX_PRIORITY_FEE_GWEI holds."""
    fees = first(a_market(1, tip_gwei=400), LIMITS, gas_limit=GAS)

    assert fees is not None
    assert fees.tip_wei == 40 * GWEI


def test_first_fees_leave_room_for_two_replacements() -> None:
    """With the ceiling at 60 gwei the first cap is low enough to rise by 12.5 % twice."""
    fees = first(a_market(16), LIMITS, gas_limit=GAS)
    assert fees is not None

    second = bump(fees, a_market(16), LIMITS, gas_limit=GAS)
    assert second is not None
    third = bump(second, a_market(16), LIMITS, gas_limit=GAS)

    assert third is not None
    assert third.max_fee_wei <= 60 * GWEI


def test_a_high_base_fee_takes_the_room_of_the_replacements() -> None:
    """Being mined comes before being replaceable."""
    fees = first(a_market(28), LIMITS, gas_limit=GAS)

    assert fees == some_fees(58)


def test_the_tip_gives_way_when_the_ceiling_is_near() -> None:
    """Between floor and wish, what fits under the ceiling is offered."""
    fees = first(a_market(25, tip_gwei=40), LIMITS, gas_limit=GAS)

    assert fees == some_fees(60, 35)


def test_no_first_fees_when_the_ceiling_leaves_no_floor() -> None:
    """31 gwei of base and 30 of tip do not fit under 60: nothing is bound."""
    assert first(a_market(31), LIMITS, gas_limit=GAS) is None


def test_the_cost_stays_under_what_a_node_takes() -> None:
    """Gas limit x fee cap stays below 5 POL even when the operators allow more."""
    rich = LIMITS.model_copy(update={"max_fee_wei": Wei(10**6 * GWEI), "max_tip_wei": Wei(10**5 * GWEI)})
    fees = first(a_market(15_000), rich, gas_limit=GAS)

    assert fees is not None
    assert fees.max_fee_wei * GAS < NODE_FEE_CAP_WEI


def test_a_chain_without_base_fee_gets_a_gas_price() -> None:
    """Legacy: both fields are the gas price."""
    fees = first(LEGACY, LIMITS, gas_limit=GAS)

    assert fees == Fees(max_fee_wei=Wei(35 * GWEI), tip_wei=Wei(35 * GWEI), dynamic=False)


def test_a_gas_price_over_the_ceiling_waits() -> None:
    """The ceiling holds for legacy prices too."""
    assert first(replace(LEGACY, gas_price_wei=Wei(61 * GWEI)), LIMITS, gas_limit=GAS) is None


def test_a_replacement_raises_both_fields_by_an_eighth_rounded_up() -> None:
    """One field alone is refused by the pool."""
    odd = Fees(max_fee_wei=Wei(40 * GWEI + 1), tip_wei=Wei(30 * GWEI + 1))
    fees = bump(odd, a_market(1), LIMITS, gas_limit=GAS)

    assert fees == Fees(max_fee_wei=Wei(45 * GWEI + 2), tip_wei=Wei(33_750_000_000 + 2))


def test_a_replacement_follows_the_market_when_that_is_higher() -> None:
    """A bump that would still be outbid is no bump."""
    fees = bump(some_fees(32), a_market(7, tip_gwei=35), LIMITS, gas_limit=GAS)

    assert fees == some_fees(49, 35)


def test_the_last_price_that_can_be_replaced_has_the_whole_ceiling() -> None:
    """38 gwei and an eighth is over 40: with a cap of 40 gwei a base fee of 20 were the end, though 60 are allowed."""
    opening = first(a_market(1, tip_gwei=38), LIMITS, gas_limit=GAS)
    second = bump(some_fees(32), a_market(1), LIMITS, gas_limit=GAS)
    assert second is not None
    third = bump(second, a_market(1), LIMITS, gas_limit=GAS)

    assert opening == some_fees(60, 38)
    assert second.max_fee_wei < 60 * GWEI
    assert third is not None
    assert third.max_fee_wei == 60 * GWEI


@pytest.mark.parametrize(
    ("previous", "market"),
    [
        (some_fees(40, 36), a_market(1)),
        (some_fees(54, 30), a_market(1)),
        (some_fees(40, 30), a_market(31)),
    ],
    ids=["the tip's limit", "the fee's ceiling", "the base fee"],
)
def test_no_replacement_fits(previous: Fees, market: FeeQuote) -> None:
    """At a limit the caller waits and says so."""
    assert bump(previous, market, LIMITS, gas_limit=GAS) is None


def test_a_legacy_price_is_replaced_by_a_higher_one() -> None:
    """12.5 % more, or today's price."""
    previous = Fees(max_fee_wei=Wei(32 * GWEI), tip_wei=Wei(32 * GWEI), dynamic=False)

    raised = bump(previous, LEGACY, LIMITS, gas_limit=GAS)

    assert raised == Fees(max_fee_wei=Wei(36 * GWEI), tip_wei=Wei(36 * GWEI), dynamic=False)


def test_a_legacy_replacement_stops_at_the_ceiling() -> None:
    """54 gwei and an eighth is over 60."""
    previous = Fees(max_fee_wei=Wei(54 * GWEI), tip_wei=Wei(54 * GWEI), dynamic=False)

    assert bump(previous, LEGACY, LIMITS, gas_limit=GAS) is None


def test_dynamic_fees_are_replaced_on_a_node_without_base_fee() -> None:
    """A node that stops showing a base fee does not break the replacement."""
    raised = bump(some_fees(40), replace(MARKET, base_fee_wei=None), LIMITS, gas_limit=GAS)

    assert raised is not None
    assert raised.max_fee_wei == 45 * GWEI


@pytest.mark.parametrize(
    ("fees", "market", "expected"),
    [
        (some_fees(40), a_market(5), False),
        (some_fees(40), a_market(11), True),
        (some_fees(40), a_market(5, tip_gwei=38), True),
        (Fees(max_fee_wei=Wei(30 * GWEI), tip_wei=Wei(30 * GWEI), dynamic=False), LEGACY, True),
        (Fees(max_fee_wei=Wei(35 * GWEI), tip_wei=Wei(35 * GWEI), dynamic=False), LEGACY, False),
        (some_fees(34), LEGACY, True),
    ],
)
def test_fees_are_outbid_only_when_the_producer_gets_less(fees: Fees, market: FeeQuote, *, expected: bool) -> None:
    """A replacement is signed only where fees are the cause."""
    assert outbid(fees, market, LIMITS) is expected


@pytest.mark.parametrize(
    ("fees", "expected"),
    [
        (Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(40 * GWEI)), True),
        (Fees(max_fee_wei=Wei(60 * GWEI + 1), tip_wei=Wei(30 * GWEI)), False),
        (Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(40 * GWEI + 1)), False),
        (Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(60 * GWEI), dynamic=False), True),
    ],
)
def test_fees_are_allowed_under_both_ceilings(fees: Fees, *, expected: bool) -> None:
    """A gas price has no tip of its own to be too high."""
    assert allowed(fees, LIMITS, gas_limit=GAS) is expected


gweis = st.integers(min_value=1, max_value=400 * GWEI)


@given(base=gweis, tip=gweis, ceiling=gweis, floor=gweis, room=gweis)
def test_first_fees_can_be_mined_or_are_not_made(base: int, tip: int, ceiling: int, floor: int, room: int) -> None:
    """Under every market: at least the floor for the producer, never over a ceiling, tip within the cap."""
    limits = FeeSettings(max_fee_wei=Wei(ceiling), max_tip_wei=Wei(floor + room), min_tip_wei=Wei(floor), gas_limit=GAS)
    market = FeeQuote(base_fee_wei=Wei(base), tip_wei=Wei(tip), gas_price_wei=Wei(base + tip))

    fees = first(market, limits, gas_limit=GAS)

    if fees is None:
        assert ceiling < base + floor
    else:
        assert floor <= fees.tip_wei <= fees.max_fee_wei - base
        assert fees.max_fee_wei <= ceiling


@given(base=gweis, tip=gweis, paid=gweis, offered=gweis)
def test_a_replacement_is_taken_by_the_pool_or_not_made(base: int, tip: int, paid: int, offered: int) -> None:
    """Under every market: both fields at least 10 % up, never over a ceiling."""
    market = FeeQuote(base_fee_wei=Wei(base), tip_wei=Wei(tip), gas_price_wei=Wei(base + tip))
    previous = Fees(max_fee_wei=Wei(max(paid, offered)), tip_wei=Wei(offered))

    fees = bump(previous, market, LIMITS, gas_limit=GAS)

    if fees is not None:
        assert fees.max_fee_wei * 10 >= previous.max_fee_wei * 11
        assert fees.tip_wei * 10 >= previous.tip_wei * 11
        assert fees.tip_wei <= LIMITS.max_tip_wei
        assert base + LIMITS.min_tip_wei <= fees.max_fee_wei <= LIMITS.max_fee_wei
        last = fees.tip_wei * 9 > LIMITS.max_tip_wei * 8
        assert fees.max_fee_wei == LIMITS.max_fee_wei or not last
