"""The guard of a ``FakeChain`` behind the ``Guard`` port."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.chain.guard import distribute_many, item_of
from distributor.chain.guard_walk import append
from distributor.chain_types import (
    Call,
    GuardEvent,
    GuardFacts,
    GuardLink,
    GuardPast,
    GuardPayment,
    GuardWord,
    Mark,
    Revert,
    RevertKind,
    Simulation,
)
from distributor.errors import ChainUnavailable
from distributor.model import Address, Hash, Order
from distributor.payout.guard_calls import ITEM_GAS
from distributor.units import TokenUnits
from tests.fakes.chain import FakeChain
from tests.fakes.chain_state import GUARD, attempt, call_guard, distribute_data

PROBE_REF = (1).to_bytes(32, "big")


class FakeGuard:
    """The guard before a fake chain's Authority, while ``install`` was called."""

    def __init__(self, chain: FakeChain) -> None:
        self._chain = chain
        self.contracts = set[Address]()
        """Further guards, that record nothing."""
        self.paused = set[Address]()
        self.owner = Address("0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB")
        self.token: Address | None = None
        """What it pays, where that is not the token."""
        self.silent = False
        """Whether too few nodes say what was recorded."""
        self.mute = set[str]()
        """Nodes that do not show the guard's records."""

    def install(self, *hot_keys: Address) -> None:
        """Put the guard before the Authority: it has the only role, and *hot_keys* may pay through it."""
        rules = self._chain.rules
        rules.guard, rules.operators, rules.hot_keys = GUARD, {GUARD}, set(hot_keys)

    def bypass(self, key: Address, *, bypassed: bool = True) -> None:
        """Give *key* a role of its own at the Authority, or take it."""
        operators = self._chain.rules.operators
        operators.add(key) if bypassed else operators.discard(key)

    def record(self, order: Order) -> None:
        """Import a payment of *order* that was made before the guard."""
        block = self._chain.head
        self._chain.state.payments[order.ref_id] = GuardPayment(
            ref_id=order.ref_id,
            tx_hash=Hash("0x" + "1" * 64),
            block=block,
            log_index=1,
            wallet=order.wallet,
            amount_units=order.amount_units,
        )

    def pay(self, *orders: Order) -> Call:
        return Call(to=GUARD, data=distribute_many(ITEM_GAS, [item_of(order) for order in orders]))

    def probe(self, operator: Address) -> Call:
        return Call(to=GUARD, data=distribute_many(ITEM_GAS, [(operator, TokenUnits(1), PROBE_REF, "probe")]))

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        self._chain.asked("simulate", node)
        return [self._simulation(operator, call) for call in calls]

    async def direct_payers(self, operators: Sequence[Address], *, node: str = "") -> Sequence[Address]:
        self._chain.asked("direct_payers", node)
        return [operator for operator in operators if self._pays(operator)]

    async def payment(self, guard: Address, ref_id: Hash) -> GuardPayment | None:
        self._chain.asked("payment")
        if self.silent:
            raise ChainUnavailable
        return self._chain.state.payments.get(ref_id) if guard == self._chain.rules.guard else None

    async def facts(
        self, guard: Address, operators: Sequence[Address], others: Sequence[Address], *, block: int
    ) -> GuardFacts | None:
        assert block <= self._chain.head.number
        self._chain.asked("facts")
        rules = self._chain.rules
        if guard not in self.contracts | {rules.guard}:
            return None
        return GuardFacts(
            token=self.token or rules.token,
            authority=rules.authority,
            owner=self.owner,
            paused=rules.guard_paused if guard == rules.guard else guard in self.paused,
            hot_keys=tuple(key for key in operators if key in rules.hot_keys),
            has_role=self._pays(guard),
            bypassing=tuple(each for each in (*operators, *others) if self._pays(each)),
            count=len(self._chain.state.payments),
            last_block=0,
        )

    async def unrecorded(self, guard: Address, ref_ids: Sequence[Hash], *, block: int) -> Sequence[Hash]:
        assert block <= self._chain.head.number
        known = self._chain.state.payments if guard == self._chain.rules.guard else {}
        return [each for each in ref_ids if each not in known]

    async def pasts(self, guard: Address, since: int) -> Sequence[GuardPast]:
        self._chain.asked("pasts")
        if self.silent:
            raise ChainUnavailable
        mark = Mark(self._chain.head.number, self._chain.finalized_number)
        links = tuple(self._links(guard, since))
        return [GuardPast(mark=mark, links=links, node=node) for node in self._chain.nodes if node not in self.mute]

    async def agreed_past(self, guard: Address, since: int, *, block: int) -> Sequence[GuardLink]:
        self._chain.asked("agreed_past")
        if self.silent:
            raise ChainUnavailable
        return [each for each in self._links(guard, since) if each.payments[-1].block.number <= block]

    def _links(self, guard: Address, since: int) -> Sequence[GuardLink]:
        """Return one link for each payment; the head is counted as the contract does."""
        links, head = list[GuardLink](), 0
        payments = self._chain.state.payments.values() if guard == self._chain.rules.guard else ()
        for payment in payments:
            before, head = head, append(head, payment)
            links.append(GuardLink(before=before, after=head, payments=(payment,)))
        heads = [0, *(link.after for link in links)]
        if since not in heads:
            raise ChainUnavailable
        return links[heads.index(since) :]

    async def aclose(self) -> None:
        """Nothing is open."""

    def _simulation(self, operator: Address, call: Call) -> Simulation:
        if call.to != self._chain.rules.guard:
            return Simulation(revert=Revert(kind=RevertKind.OTHER, text="what answers is no guard"))
        state, head = self._chain.state.copy(), self._chain.head
        done = call_guard(state, self._chain.rules, operator, call.data, (Hash("0x"), head))
        return Simulation(revert=done.refusal, items=tuple(map(_refusal, done.events)))

    def _pays(self, operator: Address) -> bool:
        call = Call(to=self._chain.rules.authority, data=distribute_data(operator, TokenUnits(1), PROBE_REF, "probe"))
        _, refusal = attempt(self._chain.state, self._chain.rules, operator, call)
        return refusal is None


def _refusal(event: GuardEvent) -> Revert | None:
    if event.word is GuardWord.PAID:
        return None
    return event.refusal or Revert(kind=RevertKind.ALREADY_PAID, text="recorded")
