"""
Use case: look again at what was closed on one node's word, once a second one answers.

Two equal words that show the payment end the doubt. Any word that does not show it in its block is a difference:
orders that are called paid may not be, and the payouts pause until a person has looked.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from distributor.chain_types import Block, Claim, Receipt
from distributor.ledger import Ledger
from distributor.ledger.records import Slot
from distributor.model import AttemptKind, Hash, Order, Transaction
from distributor.payout import effects, node_alarms, weighing
from distributor.payout.weighing import Effect, Opinion, Statements
from distributor.payout.witnesses import Witnesses
from distributor.ports import Alarms, Chain
from distributor.settings.chain import SettlementSettings
from distributor.state import Identity
from foundation import logs
from foundation.errors import Contention

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Recheck:
    """Ask every provider about each closing that rests on one word."""

    ledger: Ledger
    chain: Chain
    alarms: Alarms
    identity: Identity
    policy: SettlementSettings

    async def run(self) -> None:
        """Look once at all of them. Raises StoreUnavailable."""
        for slot in await self.ledger.doubts.unwitnessed():
            transaction = await self.ledger.transaction(*slot)
            match transaction:
                case Transaction(mined_hash=str(tx_hash), block_number=int(number), block_hash=str(block_hash)):
                    said = await Witnesses(chain=self.chain).hear([Claim(Hash(tx_hash), number)])
                    block = Block(number=number, block_hash=Hash(block_hash))
                    await self._conclude(transaction, block, said[Hash(tx_hash)])

    async def _conclude(self, transaction: Transaction, block: Block, said: Statements) -> None:
        orders = await self.ledger.orders(transaction.orders)
        effect_of = partial(self._effect, transaction, orders)
        if weighing.contradicts(said, block, effect_of):
            await self._pause(transaction, said)
            return
        weighed = weighing.weigh(said, block, effect_of, self.policy)
        if weighed.opinion is Opinion.AGREED and weighed.witnesses >= weighing.ENOUGH:
            await self._witnessed(transaction, weighed.witnesses)

    def _effect(self, transaction: Transaction, orders: Sequence[Order], receipt: Receipt) -> Effect:
        reserve, policy = self.identity.reserve, self.policy
        return effects.effect_of(transaction, orders, AttemptKind.PAY, receipt, reserve=reserve, policy=policy)

    async def _pause(self, transaction: Transaction, said: Statements) -> None:
        """Pause first, forget last: a crash in between repeats it. Forgotten, so that a person may resume."""
        alarm = node_alarms.paid_contradicted(transaction, said.words)
        await self.ledger.admin.pause("witness", alarm.summary)
        await self.alarms.raise_(alarm)
        await self.ledger.doubts.give_up(Slot(transaction.operator, transaction.nonce))

    async def _witnessed(self, transaction: Transaction, count: int) -> None:
        try:
            await self.ledger.doubts.witnessed(transaction, count)
        except Contention:
            return  # another host has said so
        logs.info(_log, "payment_witnessed", nonce=transaction.nonce, tx_hash=transaction.mined_hash, witnesses=count)
