"""What would stop an order that came now, asked as a round asks it; nothing is bound, held or written."""

from __future__ import annotations

from dataclasses import dataclass

from distributor.chain_types import Call
from distributor.errors import ChainUnavailable, SignerUnavailable, WrongChain
from distributor.model import Fees
from distributor.payout import preflight
from distributor.payout.distribution import Distribution
from distributor.payout.full_size import ask_full_size
from distributor.payout.lane import OperatorLane
from distributor.payout.lane_choice import LaneChoice
from distributor.payout.notices import Notices
from distributor.payout.preflight import Obstacle
from distributor.ports import UnsignedTransaction
from distributor.reasons import unknown_operator
from distributor.state import BindingState, WaitingReason
from distributor.units import Wei

NO_NONCE = 2**64 - 1
"""No transaction of any chain has it. Source: https://eips.ethereum.org/EIPS/eip-2681"""


@dataclass(frozen=True, slots=True)
class SomeLanePays:
    """What would stop an order in every lane of *distribution*; a lane that takes none has an alarm of its own."""

    distribution: Distribution

    async def obstacle(self) -> Obstacle | None:
        """Return what would stop an order; None while one lane would pay it. Raises StoreUnavailable."""
        asked = self.distribution
        notices = Notices(ledger=asked.ledger, alarms=asked.alarms, clock=asked.clock)
        choice = LaneChoice(lanes=asked.lanes)
        if not choice.several:
            return await WouldPay(asked.lane).obstacle()
        for lane in choice.lanes:
            found = await WouldPay(lane).obstacle()
            if found is not None and not choice.set_aside(lane, found):
                return found
            if found is not None:
                await notices.lane_stopped(lane.setting, lane.operator, found)
        return choice.obstacle() if len(choice.stopped) == len(choice.lanes) else None


@dataclass(frozen=True, slots=True)
class WouldPay:
    """The questions of *lane*, without its acts. Full slots stop nobody for long, and are left out."""

    lane: OperatorLane

    async def obstacle(self) -> Obstacle | None:
        """Return what would stop an order. Raises StoreUnavailable if the ledger does not answer."""
        asked = self.lane
        binding_state = await asked.ledger.binding_state(asked.signer.address)
        pause_state = await asked.ledger.admin.pause_state()
        foreign = preflight.not_ours(await asked.ledger.identity(), asked.config.identity)
        if foreign is not None:
            return foreign
        if binding_state is None:
            detail = unknown_operator(asked.signer.address)
            return Obstacle(reason=WaitingReason.LEDGER_FOREIGN, detail=detail)
        stopped = preflight.binding_stopped(pause_state, binding_state, asked.config.caps)
        if stopped is not None:
            return stopped
        try:
            return await self._on_chain(binding_state)
        except (ChainUnavailable, WrongChain, SignerUnavailable) as error:
            return preflight.outside_trouble(error)

    async def _on_chain(self, binding_state: BindingState) -> Obstacle | None:
        """Return what one node says against it: code, price, size, the guard, the smallest payment, the key."""
        asked, operator = self.lane, binding_state.operator
        opened = (await asked.ledger.opened()).transactions
        mine = [each for each in opened if each.transaction.operator == operator]
        snapshot = await asked.chain.pre_bind_snapshot(operator)
        prepared = preflight.prepare(snapshot, binding_state, mine, asked.config, slots=1)
        if isinstance(prepared, Obstacle):
            return prepared
        await ask_full_size(
            asked.chain,
            node=snapshot.node,
            head_number=snapshot.head.number,
            transactions=asked.config.max_in_flight,
        )
        way = asked.guard_way
        bypassed = await way.obstacle(await way.operators(), node=snapshot.node) if way else None
        refused = bypassed or await self._refused_probe(snapshot.node)
        if refused is None:
            await self._trial_signature()
        return refused

    async def _trial_signature(self) -> None:
        """
        Let the key sign what no node takes, a transaction without gas, and forget it.

        A key in a vault that does not answer is found before an order comes. Raises SignerUnavailable.
        """
        fees = Fees(max_fee_wei=Wei(0), tip_wei=Wei(0))
        call = Call(to=self.lane.signer.address, data=b"")
        chain_id = self.lane.config.identity.chain_id
        unsigned = UnsignedTransaction(chain_id=chain_id, nonce=NO_NONCE, call=call, gas_limit=0, fees=fees)
        await self.lane.signer.sign(unsigned)

    async def _refused_probe(self, node: str) -> Obstacle | None:
        """Return why the contract would refuse the smallest payment: role, allowance, reserve, pause."""
        asked, operator = self.lane, self.lane.signer.address
        payer = asked.guard_way.guard if asked.guard_way else asked.chain
        (probe,) = await payer.simulate(operator, [payer.probe(operator)], node=node)
        refusal = probe.refusal(asked.config.limits.gas_limit)
        return preflight.service_wide(refusal) if refusal is not None else None
