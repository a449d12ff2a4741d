"""What a list of payouts costs, in tokens and in gas, before any of it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from distributor.cli.amounts import NATIVE_DECIMALS, short_by, tokens
from distributor.cli.context import CommandContext
from distributor.cli.language import spoken
from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Ledger
from distributor.ledger.binding import sum_of
from distributor.model import Order
from distributor.payout.preflight import DistributionConfig, spendable_units
from distributor.settings.use_cases import HistorySettings
from foundation.errors import ConfigurationError

WAITING_COUNTED_MAX = 1_000


async def payout_cost(context: CommandContext, ledger: Ledger, orders: Sequence[Order]) -> dict[str, Any]:
    """Return what the new orders would cost, and what would be left; that it is not known where no node says."""
    try:
        payout = (await context.parts.settings(HistorySettings)).payout
        operator = (await context.parts.operator_keys.signer(payout.signing)).address
        snapshot = await (await context.parts.chain()).pre_bind_snapshot(operator)
    except (ConfigurationError, ChainUnavailable, WrongChain) as error:
        return {"known": False, "why": spoken(error)}
    config = DistributionConfig(
        identity=payout.contracts.identity,
        limits=payout.fees,
        max_in_flight=payout.lane.max_in_flight,
        orders_per_transaction=payout.lane.max_orders_per_transaction,
    )
    units = sum_of(orders)
    full, rest = divmod(len(orders), config.batch_size)
    gas = full * config.payment_gas(config.batch_size) + (config.payment_gas(rest) if rest else 0)
    gas_wei, decimals = gas * payout.fees.max_fee_wei, payout.contracts.decimals
    state = await ledger.binding_state(operator)
    waiting = await ledger.waiting(limit=WAITING_COUNTED_MAX)
    payable = spendable_units(snapshot, state) if state else min(snapshot.reserve_units, snapshot.allowance_units)
    spendable = payable - sum_of(waiting.orders)
    return {
        "known": True,
        "transactions": full + bool(rest),
        "gas_at_most_pol": tokens(gas_wei, NATIVE_DECIMALS),
        "gas_missing": short_by(gas_wei, snapshot.gas_balance_wei, NATIVE_DECIMALS) or None,
        "left_before": tokens(max(0, spendable), decimals),
        "left_after": tokens(max(0, spendable - units), decimals),
        "missing": short_by(units, spendable, decimals) or None,
        "more_wait": bool(waiting.after),
    }
