"""What is configured in a history: addresses, patience, finality, ceilings, caps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from distributor.caps import Caps
from distributor.settings.chain import FeeSettings, SettlementSettings
from distributor.state import Identity
from distributor.units import TokenUnits, Wei
from tests import factories
from tests.factories import GWEI, an_address
from tests.fakes.chain import AUTHORITY, OPERATOR, RESERVE, TOKEN
from tests.fakes.chain_state import GUARD

PLAIN = Identity(ledger_id="ledger-1", chain_id=31337, token=TOKEN, authority=AUTHORITY, reserve=RESERVE)
GUARDED = replace(PLAIN, guard=GUARD, guard_since=0)
ORDERS_PER_TRANSACTION = 3
"""Through the guard; orders of one wallet and amount are equal items of one call."""
RIVAL = an_address("the operator of another ledger")
OPERATORS = (OPERATOR, an_address("the next operator"))
LANES = (OPERATORS, OPERATORS[::-1], OPERATORS[:1], OPERATORS[1:])
"""What a person may configure where two operators pay at the same time."""
AMPLE_WEI = Wei(10**20)
"""Coin for all the gas of a history."""
NODES = ("left", "right")
ORDERS = tuple(f"ORD{number}" for number in range(1, 7))
HOSTS = 2
BLOCK_MS = 2_000
FINALITY_DEPTH = 6
DEEP_REORG_BLOCKS_MAX = 12
"""Fewer than the confirmations an order is released after; only what paid nobody may go that deep."""
JOBS_MAX = 6
"""What one host runs at once."""
RESERVE_UNITS = TokenUnits(60 * factories.TOKEN)
LEAST_TIP_WEI = Wei(25 * GWEI)
MAX_IN_FLIGHT = 3
CAPS = Caps(day_units=TokenUnits(50 * factories.TOKEN), wallet_units=TokenUnits(30 * factories.TOKEN))
"""Less than the orders of a history come to, and no less than any of them."""


@dataclass(frozen=True, kw_only=True)
class Rulebook:
    """What is configured: patience, finality, ceilings."""

    policy: SettlementSettings
    limits: FeeSettings = factories.LIMITS


BY_TAG = Rulebook(policy=factories.POLICY.model_copy(update={"release_confirmations": 10}))
BY_DEPTH = Rulebook(policy=BY_TAG.policy.model_copy(update={"finality_depth": FINALITY_DEPTH + 1}))
