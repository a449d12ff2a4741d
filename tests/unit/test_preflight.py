"""What stops every binding, and how many transactions there is room for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.chain_types import FeeQuote, Revert, RevertKind, Simulation
from distributor.errors import ChainUnavailable, SignerUnavailable, WrongChain
from distributor.model import HoldReason, OpenTransaction, TransactionStatus
from distributor.payout import preflight
from distributor.payout.preflight import DistributionConfig, Obstacle, Prepared
from distributor.reasons import HELD, WAITING
from distributor.state import BindingState, WaitingReason
from distributor.units import TokenUnits, Wei
from foundation.tablestore.ports import Version
from tests.factories import (
    GWEI,
    IDENTITY,
    LIMITS,
    MARKET,
    OPERATOR,
    TOKEN,
    a_pre_bind_snapshot,
    a_transaction,
    an_order,
    opened,
)

TERMS = DistributionConfig(identity=IDENTITY, limits=LIMITS, max_in_flight=16, decimals=18)
BOOKS = BindingState(
    operator=OPERATOR,
    next_nonce=7,
    nonce_version=Version("1"),
    committed_units=TokenUnits(100 * TOKEN),
    commitments_version=Version("1"),
)
PAYOUT_WEI = 300_000 * 32 * GWEI


def judged(*mine: OpenTransaction, next_nonce: int = 7, slots: int = 16, **snapshot: Any) -> Prepared | Obstacle:
    """Judge a healthy chain with *snapshot* changed."""
    return preflight.prepare(
        a_pre_bind_snapshot(**snapshot), replace(BOOKS, next_nonce=next_nonce), mine, TERMS, slots=slots
    )


def reason(verdict: Prepared | Obstacle) -> WaitingReason:
    """Return why nothing is bound."""
    assert isinstance(verdict, Obstacle)
    return verdict.reason


def test_a_healthy_chain_has_room() -> None:
    """All slots, and the reserve less what is committed."""
    prepared = judged()

    assert isinstance(prepared, Prepared)
    assert prepared.room == 16
    assert preflight.spendable_units(prepared.snapshot, prepared.binding_state) == 999_900 * TOKEN


def test_the_smaller_of_reserve_and_allowance_is_spendable() -> None:
    """An allowance above the reserve pays nothing more."""
    prepared = judged(allowance_units=TokenUnits(300 * TOKEN))

    assert isinstance(prepared, Prepared)
    assert preflight.spendable_units(prepared.snapshot, prepared.binding_state) == 200 * TOKEN


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        ({"token_has_code": False}, WaitingReason.TOKEN_MISSING),
        ({"authority_has_code": False}, WaitingReason.AUTHORITY_MISSING),
        ({"decimals": 6}, WaitingReason.DECIMALS_WRONG),
        ({"nonce": 8}, WaitingReason.NONCE_AHEAD),
        ({"nonce": 6}, WaitingReason.NODE_BEHIND),
        ({"gas_balance_wei": Wei(PAYOUT_WEI - 1)}, WaitingReason.GAS_SHORT),
        ({"market": replace(MARKET, base_fee_wei=Wei(31 * GWEI))}, WaitingReason.FEE_CEILING),
        (
            {"market": FeeQuote(base_fee_wei=None, tip_wei=Wei(0), gas_price_wei=Wei(61 * GWEI))},
            WaitingReason.FEE_CEILING,
        ),
    ],
)
def test_each_obstacle_stops_every_binding(snapshot: dict[str, Any], expected: WaitingReason) -> None:
    """Before a nonce is bound, never after."""
    assert reason(judged(**snapshot)) is expected


def test_the_obstacle_names_what_a_person_needs() -> None:
    """The fee detail has both figures, the gas detail the address and the balance."""
    dear = judged(market=replace(MARKET, base_fee_wei=Wei(31 * GWEI)))
    poor = judged(gas_balance_wei=Wei(5 * 10**15))

    assert isinstance(dear, Obstacle)
    assert "31 gwei of 60" in dear.detail
    assert isinstance(poor, Obstacle)
    assert OPERATOR in poor.detail
    assert "0.005 POL" in poor.detail


def test_gas_in_flight_is_not_spent_twice() -> None:
    """The node reserves the cost of each pending transaction; a mined one is already paid."""
    pending = opened(a_transaction(7, status=TransactionStatus.SUBMITTED))
    mined = opened(a_transaction(8, status=TransactionStatus.MINED))

    prepared = judged(pending, mined, next_nonce=9, gas_balance_wei=Wei(3 * PAYOUT_WEI))

    assert isinstance(prepared, Prepared)
    assert prepared.room == 2


def test_free_slots_bound_the_room() -> None:
    """Plenty of gas, two slots."""
    prepared = judged(slots=2)

    assert isinstance(prepared, Prepared)
    assert prepared.room == 2


def test_a_nonce_below_the_lowest_open_one_is_a_lagging_node() -> None:
    """What was final before it can never be undone by a node that is behind."""
    pending = opened(a_transaction(7))

    assert isinstance(judged(pending, next_nonce=8, nonce=7), Prepared)
    assert reason(judged(pending, next_nonce=8, nonce=6)) is WaitingReason.NODE_BEHIND


def test_a_shortage_says_whose() -> None:
    """The reserve's balance, or its allowance."""
    poor = a_pre_bind_snapshot(reserve_units=TokenUnits(0))
    mean = a_pre_bind_snapshot(allowance_units=TokenUnits(0))

    order = an_order(amount_units=TokenUnits(105 * 10**17))
    assert preflight.shortage(poor, order, TokenUnits(0)).reason is WaitingReason.RESERVE_SHORT
    assert preflight.shortage(mean, order, TokenUnits(0)).reason is WaitingReason.ALLOWANCE_SHORT


def test_a_shortage_says_what_is_missing() -> None:
    """In tokens, beside what is bound already; in units where the token does not say its decimals."""
    order = an_order(amount_units=TokenUnits(105 * 10**17))
    seen = a_pre_bind_snapshot(reserve_units=TokenUnits(10**19), allowance_units=TokenUnits(10**20), decimals=18)

    assert preflight.shortage(seen, order, TokenUnits(65 * 10**17)).detail == (
        f"Order {order.key} needs 10.5 tokens, short by 4 tokens: reserve 10 tokens, allowance 100 tokens."
    )
    assert (
        "short by 1 units"
        in preflight.shortage(replace(seen, decimals=None), order, TokenUnits(order.amount_units - 1)).detail
    )


def test_more_gas_than_the_limit_is_a_refusal() -> None:
    """It would run out of gas on chain."""
    refusal = Simulation(gas=300_001).refusal(300_000)

    assert refusal == Revert(kind=RevertKind.OTHER, text="needs 300001 gas, GAS_LIMIT is 300000")
    assert Simulation(gas=300_000).refusal(300_000) is None


def test_a_revert_is_a_refusal() -> None:
    """Whatever gas the node reports beside it."""
    revert = Revert(kind=RevertKind.AUTHORITY_PAUSED, text="EnforcedPause")

    assert Simulation(revert=revert).refusal(300_000) is revert


@pytest.mark.parametrize("kind", list(RevertKind))
def test_every_refusal_of_the_probe_is_a_reason_to_wait(kind: RevertKind) -> None:
    """No order is to blame when nobody can be paid."""
    obstacle = preflight.service_wide(Revert(kind=kind, text="why"))

    assert obstacle.detail == "why"
    assert obstacle.reason in WaitingReason


def test_a_ledger_without_identity_is_foreign() -> None:
    """An emptied ledger can never start paying old webhooks again."""
    assert preflight.identity_mismatch(None, IDENTITY) == "There is no identity row."


def test_a_ledger_of_another_chain_is_foreign() -> None:
    """The settings that differ are named, and no others."""
    differs = preflight.identity_mismatch(replace(IDENTITY, chain_id=1), IDENTITY)

    assert differs == f"CHAIN_ID is {IDENTITY.chain_id}, the ledger's is 1."


def test_our_own_ledger_is_not_foreign() -> None:
    """Without LEDGER_ID in the settings any ledger id will do; with it only that one."""
    assert preflight.identity_mismatch(IDENTITY, IDENTITY) is None
    assert preflight.identity_mismatch(IDENTITY, replace(IDENTITY, ledger_id="")) is None
    assert preflight.identity_mismatch(IDENTITY, replace(IDENTITY, ledger_id="another")) is not None


def test_trouble_with_nodes_has_two_names() -> None:
    """A wrong chain is a setting to correct, silence passes by itself."""
    assert preflight.outside_trouble(ChainUnavailable()).reason is WaitingReason.NODE_DOWN
    assert preflight.outside_trouble(WrongChain()).reason is WaitingReason.WRONG_CHAIN
    assert preflight.outside_trouble(SignerUnavailable()).reason is WaitingReason.SIGNER_DOWN


def test_every_reason_has_advice() -> None:
    """No alarm without a next action."""
    assert set(WAITING) == set(WaitingReason)
    assert set(HELD) == set(HoldReason)
