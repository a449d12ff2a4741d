"""
What must hold before a nonce is bound. Pure: one node's facts and the ledger's books in, a verdict out.

Everything that can stop a payment is judged here or by a simulation; after the binding nothing may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from distributor.caps import NO_CAPS, Cap, Caps
from distributor.chain_types import PreBindSnapshot, Revert, RevertKind
from distributor.errors import ChainUnavailable, SignerUnavailable, WrongChain
from distributor.model import Fees, OpenTransaction, Order, TransactionStatus
from distributor.payout import fees, guard_calls
from distributor.settings.chain import FeeSettings
from distributor.state import BindingState, Identity, PauseState, WaitingReason
from distributor.units import TokenUnits, format_gwei, format_units

UNSETTLED_MAX = 256
"""Transactions mined and not final: a reorganisation gives them back to the pool, and a fence must reach past them."""
_NO_GUARD, _NOT_SET = "no guard", "not set"
_NATIVE_DECIMALS = 18

_SERVICE_WIDE = {
    RevertKind.ROLE_MISSING: WaitingReason.ROLE_MISSING,
    RevertKind.AUTHORITY_PAUSED: WaitingReason.AUTHORITY_PAUSED,
    RevertKind.RESERVE_SHORT: WaitingReason.RESERVE_SHORT,
    RevertKind.ALLOWANCE_SHORT: WaitingReason.ALLOWANCE_SHORT,
    RevertKind.GUARD_PAUSED: WaitingReason.GUARD_PAUSED,
    RevertKind.ALREADY_PAID: WaitingReason.AUTHORITY_REFUSES,
    RevertKind.OTHER: WaitingReason.AUTHORITY_REFUSES,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Obstacle:
    """Why nothing can be bound now."""

    reason: WaitingReason
    detail: str = ""
    of_operator: bool = field(default=False, compare=False)
    """Whether it is the ledger that does not know one operator, and nothing else: other operators may pay."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributionConfig:
    """What a binding must agree with."""

    identity: Identity
    """As the settings have it; an empty ``ledger_id`` accepts any."""
    limits: FeeSettings
    max_in_flight: int
    orders_per_transaction: int = 1
    """``MAX_ORDERS_PER_TRANSACTION``; only a guard pays more than one."""
    caps: Caps = NO_CAPS
    decimals: int | None = None
    """``TOKEN_DECIMALS``, by which every amount was read; None compares it with nothing."""

    @property
    def batch_size(self) -> int:
        """
        The most orders that one transaction pays.

        One without guard. Through one as many as the setting allows, and as keep the dearest attempt under what a node
        accepts: a batch that could not be replaced up to ``MAX_FEE_GWEI`` would stay in the pool.
        """
        if self.identity.guard is None:
            return 1
        fitting = (n for n in range(self.orders_per_transaction, 1, -1) if self._fits(n))
        return next(fitting, 1)

    def payment_gas(self, orders: int) -> int:
        """Return the gas limit of a transaction that pays as many *orders*."""
        if self.identity.guard is None:
            return self.limits.gas_limit * orders
        return guard_calls.gas_needed(guard_calls.ITEM_GAS, orders)

    def _fits(self, orders: int) -> bool:
        return self.payment_gas(orders) * self.limits.max_fee_wei < fees.NODE_FEE_CAP_WEI


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """The inputs of one round: one node's facts, the binding state, the price, and how much there is room for."""

    snapshot: PreBindSnapshot
    binding_state: BindingState
    fees: Fees
    room: int
    """How many transactions."""
    batch_size: int = 1
    """How many orders each of them pays at most."""

    @property
    def room_for_orders(self) -> int:
        """How many orders all those transactions pay at most."""
        return self.room * self.batch_size


def prepare(
    snapshot: PreBindSnapshot,
    binding_state: BindingState,
    mine: Sequence[OpenTransaction],
    config: DistributionConfig,
    *,
    slots: int,
) -> Prepared | Obstacle:
    """Pure: say what stops every binding, or how many there is room for."""
    # A contract that is not there takes every call and moves nothing; a wrong nonce would replace a payment.
    trouble = _contract_trouble(snapshot, config) or _nonce_trouble(snapshot, binding_state, mine)
    if trouble is not None:
        return trouble
    batch_size = config.batch_size
    price = fees.first(snapshot.market, config.limits, gas_limit=config.payment_gas(batch_size))
    if price is None:
        # The network asks more than MAX_FEE_GWEI: bound now, it would sit in the pool and hold later nonces up.
        asked = format_gwei(snapshot.market.base_fee_wei or snapshot.market.gas_price_wei)
        allowed = format_gwei(config.limits.max_fee_wei)
        return Obstacle(reason=WaitingReason.FEE_CEILING, detail=f"The network asks {asked} gwei of {allowed}.")
    # What is in flight may still use all the gas it was signed for; a node refuses what the balance cannot cover.
    gas = (snapshot.gas_balance_wei - _gas_in_flight_wei(mine)) // price.max_fee_wei
    # Coin for a small batch only pays a small batch: the last of it is not left unused.
    batch_size = next((n for n in range(batch_size, 1, -1) if config.payment_gas(n) <= gas), 1)
    affordable = gas // config.payment_gas(batch_size)
    if affordable <= 0:
        detail = (
            f"Operator {binding_state.operator} holds {format_units(snapshot.gas_balance_wei, _NATIVE_DECIMALS)} POL."
        )
        return Obstacle(reason=WaitingReason.GAS_SHORT, detail=detail)
    return Prepared(
        snapshot=snapshot,
        binding_state=binding_state,
        fees=price,
        room=min(slots, affordable),
        batch_size=batch_size,
    )


def _contract_trouble(snapshot: PreBindSnapshot, config: DistributionConfig) -> Obstacle | None:
    if not snapshot.token_has_code:
        return Obstacle(reason=WaitingReason.TOKEN_MISSING)
    if not snapshot.authority_has_code:
        return Obstacle(reason=WaitingReason.AUTHORITY_MISSING)
    wrong = decimals_mismatch(snapshot.decimals, config.decimals)
    return Obstacle(reason=WaitingReason.DECIMALS_WRONG, detail=wrong) if wrong else None


def decimals_mismatch(answered: int | None, configured: int | None) -> str:
    """Return how the token's decimals differ from the setting; empty where they agree or one of them is not known."""
    if None in {answered, configured} or answered == configured:
        return ""
    return f"The token has {answered} decimals, TOKEN_DECIMALS is {configured}."


def _nonce_trouble(
    snapshot: PreBindSnapshot, binding_state: BindingState, mine: Sequence[OpenTransaction]
) -> Obstacle | None:
    lowest = min((each.transaction.nonce for each in mine), default=binding_state.next_nonce)
    detail = f"The chain's next nonce is {snapshot.nonce}, the ledger's {binding_state.next_nonce}."
    if snapshot.nonce > binding_state.next_nonce:
        return Obstacle(reason=WaitingReason.NONCE_AHEAD, detail=detail)
    return Obstacle(reason=WaitingReason.NODE_BEHIND, detail=detail) if snapshot.nonce < lowest else None


def _gas_in_flight_wei(mine: Sequence[OpenTransaction]) -> int:
    """What the node reserves of the operator's coin for transactions that are not mined."""
    return sum(
        each.attempts[-1].gas_limit * each.attempts[-1].fees.max_fee_wei
        for each in mine
        if each.transaction.status is not TransactionStatus.MINED
    )


def free_slots(mine: Sequence[OpenTransaction], newer: str, max_in_flight: int) -> int | Obstacle:
    """
    Return how many more transactions may be in flight, by those that are not mined and those not final.

    *newer* is what a newer version asks or wrote; empty where there is nothing of it.
    """
    if newer:
        return Obstacle(reason=WaitingReason.NEWER_ROWS, detail=newer)
    flying = sum(each.transaction.status is not TransactionStatus.MINED for each in mine)
    settled_late = len(mine) - flying
    if settled_late >= UNSETTLED_MAX:
        return Obstacle(reason=WaitingReason.FINALITY_BEHIND, detail=f"{settled_late} are not final.")
    free = max_in_flight - flying
    return free if free > 0 else Obstacle(reason=WaitingReason.SLOTS_FULL)


def binding_stopped(pause_state: PauseState, binding_state: BindingState, caps: Caps) -> Obstacle | None:
    """Return why nothing at all may be bound now, by what people said and by what was bound today."""
    if pause_state.halted:
        return Obstacle(reason=WaitingReason.HALTED, detail=f"By {pause_state.halted_by}: {pause_state.halted_why}")
    if pause_state.paused:
        return Obstacle(reason=WaitingReason.PAUSED, detail=f"By {pause_state.paused_by}: {pause_state.paused_why}")
    if caps.used_up(binding_state):
        detail = f"{Cap.DAY} is used up: {binding_state.spent.units} units were bound on {binding_state.spent.day}."
        return Obstacle(reason=WaitingReason.DAILY_CAP, detail=detail)
    return None


def unaffordable(order: Order, snapshot: PreBindSnapshot, binding_state: BindingState, caps: Caps) -> Obstacle | None:
    """Return why *order* cannot be bound on top of *binding_state*; None when it can."""
    amount = _tokens(order.amount_units, snapshot)
    alone = caps.above(order.amount_units)
    if alone is not None:
        return Obstacle(
            reason=WaitingReason.OVER_CAP, detail=f"Order {order.key} of {amount} is above {alone} by itself."
        )
    today = caps.exceeded(binding_state, order)
    if today is not None:
        detail = f"Order {order.key} of {amount} would exceed {today} on {binding_state.spent.day}."
        return Obstacle(reason=WaitingReason.DAILY_CAP, detail=detail)
    spendable = spendable_units(snapshot, binding_state)
    return None if order.amount_units <= spendable else shortage(snapshot, order, spendable)


def spendable_units(snapshot: PreBindSnapshot, binding_state: BindingState) -> TokenUnits:
    """Return what the reserve can still pay beside all that is bound and not final."""
    return TokenUnits(min(snapshot.reserve_units, snapshot.allowance_units) - binding_state.committed_units)


def shortage(snapshot: PreBindSnapshot, order: Order, spendable: TokenUnits) -> Obstacle:
    """Return why *order* cannot be afforded, and what is missing: in the reserve, or in its allowance."""
    short = snapshot.reserve_units <= snapshot.allowance_units
    reason = WaitingReason.RESERVE_SHORT if short else WaitingReason.ALLOWANCE_SHORT
    missing = _tokens(order.amount_units - spendable, snapshot)
    amount = _tokens(order.amount_units, snapshot)
    reserve, allowance = _tokens(snapshot.reserve_units, snapshot), _tokens(snapshot.allowance_units, snapshot)
    detail = f"Order {order.key} needs {amount}, short by {missing}: reserve {reserve}, allowance {allowance}."
    return Obstacle(reason=reason, detail=detail)


def _tokens(units: int, snapshot: PreBindSnapshot) -> str:
    """Return an amount as people read it; in units where the token does not say how many decimals it has."""
    decimals = snapshot.decimals
    return f"{units} units" if decimals is None else f"{format_units(units, decimals)} tokens"


def outside_trouble(error: ChainUnavailable | WrongChain | SignerUnavailable) -> Obstacle:
    """Return why orders wait when no node gives an answer, or the vault of the key does not sign."""
    reasons = {WrongChain: WaitingReason.WRONG_CHAIN, SignerUnavailable: WaitingReason.SIGNER_DOWN}
    return Obstacle(reason=reasons.get(type(error), WaitingReason.NODE_DOWN), detail=str(error))


def service_wide(revert: Revert) -> Obstacle:
    """Return why nobody can be paid, from the refusal of the probe."""
    return Obstacle(reason=_SERVICE_WIDE[revert.kind], detail=revert.text)


_IDENTITY_SETTINGS: Final = {
    "ledger_id": "LEDGER_ID",
    "chain_id": "CHAIN_ID",
    "token": "TOKEN_ADDRESS",
    "authority": "AUTHORITY_ADDRESS",
    "reserve": "RESERVE_ADDRESS",
}
"""The fields of an identity, by the setting that means them."""


def identity_mismatch(identity: Identity | None, expected: Identity) -> str | None:
    """
    Return how the ledger differs from the settings; None when it is ours.

    Through which guard it pays is another question: see ``not_ours``.
    """
    if identity is None:
        return "There is no identity row."
    ledger_id = expected.ledger_id or identity.ledger_id
    mine = replace(expected, ledger_id=ledger_id, guard=identity.guard, guard_since=identity.guard_since)
    differing = [
        f"{setting} is {getattr(mine, name)}, the ledger's is {getattr(identity, name)}"
        for name, setting in _IDENTITY_SETTINGS.items()
        if getattr(mine, name) != getattr(identity, name)
    ]
    return "; ".join(differing) + "." if differing else None


def not_ours(identity: Identity | None, expected: Identity) -> Obstacle | None:
    """
    Return why nothing may be bound from this ledger: it is another one's, or pays through another guard.

    A reference can be paid once through each of two guards, and once more without one. So only
    ``guard adopt`` changes it, and until then settlement goes on and nothing new is bound.
    """
    difference = identity_mismatch(identity, expected)
    if identity is None or difference is not None:
        return Obstacle(reason=WaitingReason.LEDGER_FOREIGN, detail=difference or "")
    if identity.guard == expected.guard:
        return None
    detail = f"The ledger pays through {identity.guard or _NO_GUARD}, GUARD_ADDRESS is {expected.guard or _NOT_SET}."
    return Obstacle(reason=WaitingReason.GUARD_CHANGED, detail=detail)
