"""``balance``: what can still be paid now, read from the chain and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from distributor.chain_types import PreBindSnapshot
from distributor.cli.amounts import NATIVE_DECIMALS, short_by, tokens
from distributor.cli.context import DONE, REFUSED, CommandContext
from distributor.cli.declared import Command
from distributor.cli.language import N_
from distributor.ledger import Ledger
from distributor.payout.preflight import spendable_units
from distributor.payout.sweep import payouts_left
from distributor.settings.shops import CapSettings
from distributor.settings.use_cases import HistorySettings, PayoutSettings
from distributor.state import BindingState
from distributor.units import Wei

WAITING_COUNTED_MAX = 1_000
"""Waiting orders that are added up; a longer backlog is shown as "at least"."""


async def balance(context: CommandContext) -> int:
    """Show reserve, allowance, what is bound, what waits, the caps and the gas; 1 if something is short."""
    settings = await context.begin(HistorySettings)
    payout, caps = settings.payout, await context.parts.settings(CapSettings)
    operator = (await context.parts.operator_keys.signer(payout.signing)).address
    ledger = await context.our_ledger()
    snapshot = await (await context.parts.chain()).pre_bind_snapshot(operator)
    state = await ledger.binding_state(operator)
    page = await ledger.waiting(limit=WAITING_COUNTED_MAX)
    waiting = sum(order.amount_units for order in page.orders)
    decimals = payout.contracts.decimals
    spendable = spendable_units(snapshot, state) if state else min(snapshot.reserve_units, snapshot.allowance_units)
    missing = short_by(waiting, spendable, decimals)
    gas = await _gas(ledger, payout, snapshot, operator)
    lanes = await _lanes(context, ledger, payout)
    context.answer(
        {
            "node": snapshot.node,
            "block": snapshot.head.number,
            "reserve": tokens(snapshot.reserve_units, decimals),
            "allowance": tokens(snapshot.allowance_units, decimals),
            "bound": tokens(state.committed_units, decimals) if state else None,
            "spendable": tokens(spendable, decimals),
            "waiting": tokens(waiting, decimals),
            "waiting_orders": len(page.orders),
            "more_wait": bool(page.after),
            "missing": missing or None,
            "today": _today(caps, state),
            "gas": gas,
            **({"lanes": lanes} if lanes else {}),
        }
    )
    return REFUSED if missing or not all(each["payouts_left"] for each in (gas, *lanes)) else DONE


async def _lanes(context: CommandContext, ledger: Ledger, payout: PayoutSettings) -> Sequence[dict[str, Any]]:
    """Return the coin of every further operator that pays at the same time."""
    _, *others = (await context.parts.operator_keys.lanes(payout.signing)).values()
    chain = await context.parts.chain()
    operators = [signer.address for signer in others]
    return [await _gas(ledger, payout, await chain.pre_bind_snapshot(each), each) for each in operators]


async def _gas(ledger: Ledger, settings: PayoutSettings, snapshot: PreBindSnapshot, operator: Any) -> dict[str, Any]:
    cost_max = Wei(settings.fees.gas_limit * settings.fees.max_fee_wei)
    left = payouts_left(snapshot.gas_balance_wei, await ledger.stats(operator), cost_max)
    return {
        "operator": operator,
        "balance": tokens(snapshot.gas_balance_wei, NATIVE_DECIMALS),
        "payouts_left": left,
        "missing": short_by(cost_max, snapshot.gas_balance_wei, NATIVE_DECIMALS) or None,
    }


def _today(settings: CapSettings, state: BindingState | None) -> dict[str, Any]:
    """Return what was bound in this UTC day, and the cap; None where it is off."""
    cap, decimals = settings.caps.day_units, settings.decimals
    bound = state.spent.units if state else 0
    return {
        "bound": tokens(bound, decimals),
        "cap": tokens(cap, decimals) if cap is not None else None,
        "left": tokens(max(0, cap - bound), decimals) if cap is not None else None,
    }


COMMANDS = (
    Command(
        name="balance",
        summary=N_("show what can still be paid now"),
        description=N_(
            "Ask a node for reserve, allowance and gas, and compare them with what is bound, what waits and the caps. "
            "Exit code 1 if tokens or gas are short."
        ),
        run=balance,
    ),
)
