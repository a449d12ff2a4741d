"""
Use case: which final transactions may be closed now, and by which receipt.

For each one by itself: what one node shows wrongly, or a second one does not show, keeps this transaction open
and no other.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from distributor.chain_types import ChainSnapshot, Claim, Receipt
from distributor.ledger import Ledger
from distributor.ledger.doubts import is_distrusted
from distributor.ledger.records import Distrust
from distributor.model import Hash, OpenTransaction, Order, Transaction
from distributor.payout import effects, lifecycle, node_alarms, weighing
from distributor.payout.self_stop import SelfStop
from distributor.payout.weighing import Effect, Opinion, Statements, Weighed
from distributor.payout.witnesses import Witnesses
from distributor.ports import Alarms, Chain
from distributor.settings.chain import SettlementSettings
from distributor.state import Identity
from foundation import logs
from foundation.clock import Clock, UnixMs, elapsed_ms
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.atomic import together_or_each

WITNESS_PATIENCE_MS = 600_000
"""How long a second word may be missing before an alarm is raised, and one word may close a deep payment."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Final:
    """A transaction that one node shows as final: its orders, that receipt, and the node's facts around it."""

    opened: OpenTransaction
    orders: Sequence[Order]
    receipt: Receipt
    snapshot: ChainSnapshot

    @property
    def transaction(self) -> Transaction:
        return self.opened.transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmed:
    """What may be closed: the transaction as it was read, by this receipt."""

    opened: OpenTransaction
    orders: Sequence[Order]
    receipt: Receipt
    snapshot: ChainSnapshot
    witnesses: int
    alone: bool = False


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """Ask for the second words of all that is final, in one request to each node, and weigh them one by one."""

    ledger: Ledger
    chain: Chain
    alarms: Alarms
    clock: Clock
    identity: Identity
    policy: SettlementSettings
    self_stop: SelfStop

    async def confirm(
        self, shown: Sequence[tuple[OpenTransaction, Receipt, ChainSnapshot]], broken: list[InvariantBroken]
    ) -> Sequence[Confirmed]:
        """
        Return what may be closed; *broken* gets what cannot be judged, and the others go on.

        A release is not even asked for before its block is deep enough at the first node.
        """
        due = [final for final in await self._finals(shown, broken) if await self._is_due(final)]
        if not due:
            return []
        distrusted = await self.ledger.doubts.distrusted()
        said = await self._hear(due)
        weighed = [await self._weighed(final, said[final.receipt.tx_hash], distrusted) for final in due]
        return [each for each in weighed if each is not None]

    async def _finals(
        self, shown: Sequence[tuple[OpenTransaction, Receipt, ChainSnapshot]], broken: list[InvariantBroken]
    ) -> Sequence[Final]:
        """Read the orders of all transactions together; where one cannot be read, those of each by themselves."""

        def unread(_: object, error: InvariantBroken) -> Sequence[Final]:
            broken.append(error)
            return []

        return await together_or_each(self._read, shown, (InvariantBroken,), unread)

    async def _read(self, shown: Sequence[tuple[OpenTransaction, Receipt, ChainSnapshot]]) -> Sequence[Final]:
        names = [name for opened, _, _ in shown for name in opened.transaction.orders]
        found = {order.key: order for order in await self.ledger.orders(names)}
        return [
            Final(
                opened=opened, orders=[found[name] for name in opened.transaction.orders], receipt=receipt, snapshot=at
            )
            for opened, receipt, at in shown
        ]

    async def _is_due(self, final: Final) -> bool:
        """Say whether its block is deep enough for what closing would do; stop a broken path long before a release."""
        kind = lifecycle.mined_attempt(final.opened.attempts, final.receipt).kind
        proof, _ = effects.prove(final.transaction, final.orders, kind, final.receipt, reserve=self.identity.reserve)
        await self.self_stop.no_transfer(proof, final.receipt, final.snapshot)
        beyond = self._effect(final, final.receipt).beyond
        return lifecycle.is_final(final.transaction, final.snapshot, self.policy, beyond=beyond)

    def _effect(self, final: Final, receipt: Receipt) -> Effect:
        kind = lifecycle.mined_attempt(final.opened.attempts, receipt).kind
        reserve, policy = self.identity.reserve, self.policy
        return effects.effect_of(final.transaction, final.orders, kind, receipt, reserve=reserve, policy=policy)

    async def _hear(self, due: Sequence[Final]) -> Mapping[Hash, Statements]:
        """Ask about all at once; those that another node showed first, that one is asked about first."""
        said = dict[Hash, Statements]()
        for node in dict.fromkeys(final.snapshot.node for final in due):
            mine = [final for final in due if final.snapshot.node == node]
            claims = [Claim(final.receipt.tx_hash, final.receipt.block.number) for final in mine]
            said |= await Witnesses(chain=self.chain).hear(claims, first=node, mark=mine[0].snapshot.mark)
        return said

    async def _weighed(
        self, final: Final, statements: Statements, distrusted: Mapping[str, Distrust]
    ) -> Confirmed | None:
        effect_of = partial(self._effect, final)
        head = final.snapshot.head.number
        doubted = is_distrusted(distrusted.get(final.snapshot.node), head)
        weighed = weighing.weigh(statements, final.receipt.block, effect_of, self.policy, distrusted=doubted)
        try:
            return await self._conclude(final, statements, weighed, doubted=doubted)
        except Contention:
            logs.info(_log, "transaction_changed_elsewhere", nonce=final.transaction.nonce)
            return None

    async def _conclude(
        self, final: Final, statements: Statements, weighed: Weighed, *, doubted: bool
    ) -> Confirmed | None:
        match weighed:
            case Weighed(opinion=Opinion.AGREED, receipt=Receipt() as receipt):
                return self._confirmed(final, receipt, witnesses=weighed.witnesses)
            case Weighed(opinion=Opinion.UNEQUAL):
                await self._since(final, None)
                await self.alarms.raise_(node_alarms.nodes_disagree(final.transaction, statements.words))
                return None
            case _:
                return await self._unconfirmed(final, statements, weighed, doubted=doubted)

    async def _unconfirmed(
        self, final: Final, statements: Statements, weighed: Weighed, *, doubted: bool
    ) -> Confirmed | None:
        """Wait for the second word. The time is stored, so that a restart does not begin it anew."""
        since_ms = final.transaction.alone_since_ms
        if since_ms is None:
            await self._since(final, self.clock())
            return None
        if elapsed_ms(since_ms, self.clock()) < WITNESS_PATIENCE_MS:
            return None
        await self.alarms.raise_(node_alarms.witness_missing(final.transaction, statements.words))
        effect_of = partial(self._effect, final)
        receipt = weighing.closes_alone(statements, weighed, final.receipt.block, effect_of, self.policy)
        if receipt is None or doubted:
            return None
        return self._confirmed(final, receipt, witnesses=1, alone=True)

    async def _since(self, final: Final, since_ms: UnixMs | None) -> None:
        """Keep since when no second word confirms the first; nothing is written where the row says so already."""
        transaction = final.transaction
        if transaction.alone_since_ms != since_ms:
            await self.ledger.update(replace(transaction, alone_since_ms=since_ms))

    def _confirmed(self, final: Final, receipt: Receipt, *, witnesses: int, alone: bool = False) -> Confirmed:
        return Confirmed(
            opened=final.opened,
            orders=final.orders,
            receipt=receipt,
            snapshot=final.snapshot,
            witnesses=witnesses,
            alone=alone,
        )
