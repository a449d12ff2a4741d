"""Disciplines of money and of people taken away: fees, gas, totals, retry, cancel, pause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.chain_types import FeeQuote
from distributor.day_totals import DayTotals
from distributor.ledger import keys
from distributor.ledger.admin import Admin
from distributor.ledger.binding import Binding
from distributor.ledger.closing import Closing
from distributor.ledger.columns import encode
from distributor.ledger.ending import _close_order
from distributor.ledger.order_index import place_keys
from distributor.ledger.purging import Erasure, PurgeRows
from distributor.model import Fees, Order, OrderStatus, Transaction
from distributor.payout import fees, preflight
from distributor.payout.batch_signer import BatchSigner
from distributor.payout.sweep import Sweep, Wakes
from distributor.payout.trial import Batch
from distributor.settings.chain import FeeSettings
from distributor.state import BindingState
from distributor.units import TokenUnits
from foundation.clock import UnixMs
from foundation.tablestore.atomic import AtomicWrite, commit

Patch = pytest.MonkeyPatch


def back_in_line(order: Order) -> AtomicWrite:
    """Return the group that lets *order* wait again, whatever it is bound to."""
    group = AtomicWrite()
    waits = replace(order, status=OrderStatus.RECEIVED, operator=None, nonce=None, hold_reason=None, hold_detail="")
    group.replace(keys.order_row(order.key), encode(waits), order.version)
    group.insert(keys.open_order(order), encode(order.key))
    return group


# fees and gas --------------------------------------------------------------------------------------


def one_fee_field_bumped(patch: Patch) -> None:
    """Raise the fee cap of a replacement, and leave its tip."""
    bump = fees.bump

    def half(previous: Fees, market: FeeQuote, limits: FeeSettings, *, gas_limit: int) -> Fees | None:
        bumped = bump(previous, market, limits, gas_limit=gas_limit)
        return bumped and replace(bumped, tip_wei=previous.tip_wei)

    patch.setattr(fees, "bump", half)


def never_replaced(patch: Patch) -> None:
    """Wait for a transaction that is too cheap to be mined."""
    patch.setattr(fees, "outbid", lambda *_: False)


def estimate_is_the_gas_limit(patch: Patch) -> None:
    """Give a payment the gas that it would need at the moment."""
    sign = BatchSigner.sign

    async def tight(self: BatchSigner, binding_state: BindingState, nonce: int, batch: Batch, price: Fees) -> Binding:
        payer: Any = self.payer
        if not hasattr(payer, "simulate"):  # a guarded call says itself what its items may use
            return await sign(self, binding_state, nonce, batch, price)
        (simulation,) = await payer.simulate(binding_state.operator, [payer.pay(*batch)])
        limits = self.config.limits.model_copy(update={"gas_limit": simulation.gas or self.config.limits.gas_limit})
        tightened = replace(self, config=replace(self.config, limits=limits))
        return await sign(tightened, binding_state, nonce, batch, price)

    patch.setattr(BatchSigner, "sign", tight)


# the books -----------------------------------------------------------------------------------------


def commitments_ignored(patch: Patch) -> None:
    """Promise the whole reserve, though part of it is bound."""
    patch.setattr(
        preflight, "spendable_units", lambda snapshot, _: min(snapshot.reserve_units, snapshot.allowance_units)
    )


def released_twice(patch: Patch) -> None:
    """Take from the totals at the closing twice what was put there at the binding."""
    patch.setattr("distributor.ledger.ending._less", lambda total, units, _key: TokenUnits(max(0, total - 2 * units)))


def closing_keeps_the_nonce(patch: Patch) -> None:
    """Hold an order and leave its nonce with it."""
    close_order = _close_order

    def keeps(group: AtomicWrite, order: Order, closing: Closing, day: DayTotals | None, now: UnixMs) -> Order:
        closed = close_order(group, order, closing, day, now)
        if order.key in closing.held:
            kept: Mapping[str, Any] = {"operator": order.operator, "nonce": order.nonce}
            group.replace(keys.order_row(order.key), kept, order.version)
        return closed

    patch.setattr("distributor.ledger.ending._close_order", keeps)


# people --------------------------------------------------------------------------------------------


def retry_of_an_order_whose_nonce_lives(patch: Patch) -> None:
    """Let a person put a bound order back in the line."""

    async def retries(self: Admin, order: Order, _by: str, _why: str) -> Order:
        if order.status not in {OrderStatus.HELD, OrderStatus.BOUND}:
            return order
        group = back_in_line(order)
        if order.status is OrderStatus.HELD:
            group.delete(keys.held_row(order.key))
        await commit(self.rows, group, marker_row=keys.order_row(order.key))
        return order

    patch.setattr(Admin, "retry", retries)


def cancel_of_a_bound_order(patch: Patch) -> None:
    """Let a person take back an order that may be mined at any moment."""
    cancel = Admin.cancel

    async def cancels(self: Admin, order: Order, by: str, why: str) -> Order:
        if order.status is not OrderStatus.BOUND:
            return await cancel(self, order, by, why)
        group = AtomicWrite()
        taken = replace(order, status=OrderStatus.CANCELLED)
        group.replace(keys.order_row(order.key), encode(taken), order.version)
        await commit(self.rows, group, marker_row=keys.order_row(order.key))
        return taken

    patch.setattr(Admin, "cancel", cancels)


def pause_without_touching_the_nonces(patch: Patch) -> None:
    """Close the switch, and let a round that has looked already bind behind it."""

    async def untouched(_self: Admin, _key: str) -> None:
        return

    patch.setattr(Admin, "_touch", untouched)


def erased_with_its_id(patch: Patch) -> None:
    """Erase an order and forget that its id was taken."""

    async def forgotten(self: PurgeRows, order: Order) -> Erasure:
        group = AtomicWrite()
        for key in (keys.order_row(order.key), keys.ref(order.ref_id), *place_keys(order)):
            group.delete(key)
        return Erasure(rows=self.rows, group=group, marker_row=keys.order_row(order.key), counts=Counter())

    patch.setattr(PurgeRows, "of_order", forgotten)


def erased_before_it_is_finished(patch: Patch) -> None:
    """Erase an order whatever becomes of it."""

    async def finished(_self: PurgeRows, _order: Order, _carriers: Sequence[Transaction]) -> None:
        return

    patch.setattr(PurgeRows, "unfinished", finished)


def nothing_is_swept(patch: Patch) -> None:
    """Rely on messages."""

    async def sleeps(_self: Sweep) -> Wakes:
        return Wakes(distribute=False, settle=False, monitor=False)

    patch.setattr(Sweep, "run", sleeps)
