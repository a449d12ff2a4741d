"""
One operator's lane: a round that binds waiting orders to its nonces, signs, stores, submits.

Everything that can stop a payment is checked before a nonce is bound; the signed bytes are in the ledger
before any node sees them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from distributor.chain_types import PreBindSnapshot
from distributor.errors import ChainUnavailable, SignerUnavailable, WrongChain
from distributor.ledger import Ledger, approving
from distributor.ledger.binding import Binding, fits_one_group
from distributor.ledger.opened import Opened
from distributor.ledger.records import DoubtedPast
from distributor.model import Address, Attempt, Fees, Order, Transaction
from distributor.payout import preflight, submission
from distributor.payout.batch_signer import BatchSigner
from distributor.payout.guard_way import GuardWay
from distributor.payout.ledger_age import LedgerAge
from distributor.payout.notices import Notices
from distributor.payout.preflight import DistributionConfig, Obstacle, Prepared
from distributor.payout.selection import Line, Selection, select_orders
from distributor.payout.shop_check import ShopCheck
from distributor.payout.shop_registration import ShopRegistration
from distributor.payout.trial import Batch, Judged, Trials
from distributor.ports import Alarms, Chain, Payer, Signer
from distributor.reasons import unknown_operator
from distributor.state import BindingState, WaitingReason
from foundation import logs
from foundation.clock import Clock
from foundation.errors import Contention
from foundation.side_by_side import side_by_side, value_or_error
from foundation.tablestore.atomic import in_groups

SCHEMA_LEVEL = approving.LEVEL
"""The rules of binding this version knows. A rule that older code lacks raises it, and the ledger's ``schema`` row."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one round did."""

    bound: int = 0
    progress: bool = False
    """Whether another round would find something else than this one."""
    obstacle: Obstacle | None = None
    looked_to: str | None = None
    """The last place in the backlog; None when this round did not look as far as its end."""


@dataclass(frozen=True, kw_only=True)
class OperatorLane:
    """Pay waiting orders, oldest first, by one operator's nonces."""

    ledger: Ledger
    chain: Chain
    signer: Signer
    alarms: Alarms
    clock: Clock
    config: DistributionConfig
    guard_way: GuardWay | None = None
    """None: the operator pays at the Authority itself."""
    registration: ShopRegistration | None = None
    """Registers the shops' secrets that need no person; None: none is registered from here."""
    name: str = ""
    """As the settings name it; empty: the lane of the operator that has no name there."""
    setting: str = "OPERATOR_PK"
    """The setting that holds its key."""
    configured: Collection[Address] = ()
    """Every operator whose key is configured here, of this lane or not."""

    @property
    def operator(self) -> Address:
        """Whose nonces are bound."""
        return self.signer.address

    async def round(self, line: Line) -> Outcome:
        """
        Bind and submit once what there is room and money for, from where *line* has come to.

        Raises:
            StoreUnavailable: The ledger does not answer; what was bound is in it.
        """
        try:
            prepared = await self._prepare()
            return Outcome(obstacle=prepared) if isinstance(prepared, Obstacle) else await self._pay(prepared, line)
        except (ChainUnavailable, WrongChain, SignerUnavailable) as error:
            return Outcome(obstacle=preflight.outside_trouble(error))

    @property
    def _notices(self) -> Notices:
        return Notices(ledger=self.ledger, alarms=self.alarms, clock=self.clock)

    @property
    def _age(self) -> LedgerAge:
        return LedgerAge(
            ledger=self.ledger,
            chain=self.chain,
            alarms=self.alarms,
            clock=self.clock,
            guard_way=self.guard_way,
            configured=self.configured,
        )

    # before a nonce is bound -------------------------------------------------------------------

    async def _prepare(self) -> Prepared | Obstacle:
        """Read the books first and the pause switch second, then one node; judge before anything is bound."""
        operator = self.signer.address
        binding_state = await self.ledger.binding_state(operator)
        pause_state = await self.ledger.admin.pause_state()
        foreign = preflight.not_ours(await self.ledger.identity(), self.config.identity)
        if foreign is not None:
            return foreign
        if binding_state is None:
            return Obstacle(reason=WaitingReason.LEDGER_FOREIGN, detail=unknown_operator(operator), of_operator=True)
        closed = preflight.binding_stopped(pause_state, binding_state, self.config.caps)
        if closed is not None:
            return closed
        if self.config.caps.approval_units is not None:
            await self.ledger.approving.ask_of_all()  # it writes the nonces once: this round then loses, the next binds
        opened = await self.ledger.opened()
        await self._notices.unreadable(opened.unreadable)
        mine = [each for each in opened.transactions if each.transaction.operator == operator]
        slots = preflight.free_slots(mine, await self._newer(opened), self.config.max_in_flight)
        if isinstance(slots, Obstacle):
            return slots
        known = await self._age.known()
        ahead, snapshot = await side_by_side(
            self._age.check(known),
            value_or_error(lambda: self.chain.pre_bind_snapshot(operator), ChainUnavailable, WrongChain),
        )
        if ahead is not None:
            return ahead
        if not isinstance(snapshot, PreBindSnapshot):
            raise snapshot
        return preflight.prepare(snapshot, binding_state, mine, self.config, slots=slots)

    async def _newer(self, opened: Opened) -> str:
        """Return what a newer version asks of a binding, or wrote in an open transaction; else empty."""
        level = await self.ledger.schema_level()
        if level > SCHEMA_LEVEL:
            return f"The ledger asks for the rules of level {level}, this version knows {SCHEMA_LEVEL}."
        return opened.blocks(self.signer.address)

    async def _pay(self, prepared: Prepared, line: Line) -> Outcome:
        owners = await self._shops.owners()
        selection = await select_orders(self.ledger, prepared, self.config.caps, line, owners, now=self.clock())
        await self._notices.unreadable(selection.unreadable)
        await self._shops.tell_unknown(selection.unknown)
        stay = await self._shops.bring_home(selection.misplaced, owners)
        await self._notices.lacks_approval(selection.unapproved)
        line.skip |= {order.key for order in [*stay, *selection.unapproved]}
        if doubted := await self.ledger.past.unknown_to(self.guard_way.address if self.guard_way else None):
            selection = await self._vetted(selection, doubted, line)
        if not selection.orders:
            more = selection.looked_to is None or bool(selection.misplaced or selection.unapproved)
            return Outcome(progress=more, obstacle=selection.obstacle, looked_to=selection.looked_to)
        bypassed, judged = await self._tried(prepared, selection.orders)
        if bypassed is not None:
            return Outcome(obstacle=bypassed)
        if judged.service_wide is not None:
            return Outcome(obstacle=preflight.service_wide(judged.service_wide))
        for order, refusal in judged.held:
            await self._notices.hold(order, refusal)
        for order, why in judged.passed_over:
            await self._notices.pass_over(order, why)
        if self.guard_way is not None:
            await self.guard_way.adopt(judged.already_paid, self.chain)
        line.skip |= {order.key for order, _ in [*judged.held, *judged.passed_over]}
        line.skip |= {order.key for order in judged.already_paid}
        # What had to be tried alone may need more transactions than there is room for: the next round binds the rest.
        batches = judged.batches[: prepared.room]
        bound = await self._bind_and_submit(selection.binding_state, batches, prepared.fees)
        return Outcome(bound=bound, progress=True, obstacle=selection.obstacle, looked_to=selection.looked_to)

    async def _tried(self, prepared: Prepared, orders: Sequence[Order]) -> tuple[Obstacle | None, Judged]:
        """Ask one node side by side whether anything goes around the guard, and what it says to *orders*."""
        node = prepared.snapshot.node
        trials = self._trials(prepared.batch_size)
        if self.guard_way is None:
            return None, await trials.judge(orders, node=node)
        operators = await self.guard_way.operators()
        return await side_by_side(self.guard_way.obstacle(operators, node=node), trials.judge(orders, node=node))

    async def _vetted(self, selection: Selection, doubted: DoubtedPast, line: Line) -> Selection:
        """Hold what may have been paid in a past that nobody found."""
        doubtful = [order for order in selection.orders if order.vetted_ms is None]
        await self._notices.doubt(doubtful, doubted)
        line.skip |= {order.key for order in doubtful}
        good = [order for order in selection.orders if order.vetted_ms is not None]
        return replace(selection, orders=good, looked_to=None) if doubtful else selection

    @property
    def _shops(self) -> ShopCheck:
        return ShopCheck(ledger=self.ledger, alarms=self.alarms, registration=self.registration)

    def _trials(self, batch_size: int) -> Trials:
        return Trials(
            payer=self._payer,
            nodes=self.chain.nodes,
            operator=self.signer.address,
            gas_limit=self.config.limits.gas_limit,
            batch_size=batch_size,
        )

    @property
    def _batch_signer(self) -> BatchSigner:
        return BatchSigner(signer=self.signer, payer=self._payer, config=self.config, clock=self.clock)

    @property
    def _payer(self) -> Payer:
        return self.guard_way.guard if self.guard_way else self.chain

    # binding -----------------------------------------------------------------------------------

    async def _bind_and_submit(self, binding_state: BindingState, batches: Sequence[Batch], price: Fees) -> int:
        """
        Sign each batch for its own nonce, bind them in as few groups as fit, then hand all bytes over at once.

        What is signed and not bound was shown to nobody: the next round signs other bytes for that nonce.
        """
        signed = await self._batch_signer.sign_all(binding_state, batches, price)
        stored = list[tuple[Transaction, Attempt]]()
        for group in in_groups(signed, fits_one_group):
            try:
                binding_state, transactions = await self.ledger.bind(binding_state, group, self.config.caps)
            except Contention:
                break  # the next round reads everything anew
            stored += [(transaction, each.attempt) for transaction, each in zip(transactions, group, strict=True)]
            _log_bound(group)
        await submission.submit(self.ledger, self.chain, self.clock, stored)
        return len(stored)


def _log_bound(group: Sequence[Binding]) -> None:
    for attempt, order in ((each.attempt, order) for each in group for order in each.orders):
        about = {"source": order.source, "order_id": order.order_id, "tx_hash": attempt.tx_hash}
        logs.info(_log, "order_bound", **about, operator=attempt.operator, nonce=attempt.nonce)
