"""
What the contract says to orders before a nonce is bound: tried on one node, and on a second before one is held.

A node says one of three things of a call: what it costs, that the contract refuses it, or something that is
neither. The third says nothing of the order. It is asked of another node, and where none can say, the order is
passed over in this round and named; the others go on. Where one node is configured, it is asked a second time.

The probe tells a sick Authority from a bad order, and no more: a probe that is refused while an order would be
paid says nothing of that order, and then nobody is held for what is refused beside it.

Through a guard several orders are tried in one call, the very call that will be signed. What is refused of it is
left out and the rest tried once more together; a batch that is refused or unanswered as a whole says nothing of any
of its orders, so each of them is tried alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from distributor.chain_types import Revert, RevertKind, Simulation
from distributor.errors import ChainUnavailable, WrongChain
from distributor.model import Address, Order, OrderKey
from distributor.ports import Payer

Batch = tuple[Order, ...]
"""Orders that one transaction pays."""


@dataclass(kw_only=True, slots=True)
class Trial:
    """What one node says of the probe and of some orders."""

    probe: Revert | None = None
    """Why the probe was refused in the last request."""
    blamed: set[OrderKey] = field(default_factory=set)
    """Refused orders beside whose refusal, in the same request, the probe would be paid."""
    batches: list[Batch] = field(default_factory=list)
    """Orders it would pay, as they were tried together."""
    refused: dict[OrderKey, Revert] = field(default_factory=dict)
    unknown: dict[OrderKey, str] = field(default_factory=dict)

    @property
    def good(self) -> frozenset[OrderKey]:
        """The orders it would pay."""
        return frozenset(order.key for batch in self.batches for order in batch)

    @property
    def service_wide(self) -> Revert | None:
        """Why nobody can be paid: the probe is refused, and no order does better."""
        return None if self.good else self.probe

    def is_paid(self, key: OrderKey) -> bool:
        """Say whether the guard knows a payment of the order's reference."""
        refusal = self.refused.get(key)
        return refusal is not None and refusal.kind is RevertKind.ALREADY_PAID

    def blames(self, key: OrderKey) -> Revert | None:
        """Return why the contract refuses this very order, while it would pay the probe; None where it does not."""
        refusal = self.refused.get(key) if key in self.blamed else None
        return refusal if refusal is not None and refusal.kind is RevertKind.OTHER else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What becomes of a round's orders: paid now, held, or passed over with the reason."""

    batches: Sequence[Batch]
    """Orders that are paid, each batch by one transaction."""
    held: Sequence[tuple[Order, Revert]]
    passed_over: Sequence[tuple[Order, str]]
    already_paid: Sequence[Order] = ()
    """Orders whose reference the guard knows: somebody else has paid them, if that is final."""
    service_wide: Revert | None = None


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Try orders as their operator would pay them."""

    payer: Payer
    nodes: Sequence[str]
    operator: Address
    gas_limit: int
    batch_size: int = 1
    """The most orders that are tried, and paid, together."""

    async def judge(self, orders: Sequence[Order], *, node: str) -> Judged:
        """
        Return what becomes of *orders*; a second node is asked about those the first refuses or cannot judge.

        Raises:
            ChainUnavailable: *node* can say of none of them.
        """
        first = await self._try(orders, node=node)
        if first.service_wide is not None:
            return Judged(batches=[], held=[], passed_over=[], service_wide=first.service_wide)
        doubtful = [order for order in orders if first.blames(order.key) or order.key in first.unknown]
        second = await self._second(doubtful, besides=node) if doubtful else None
        return self._judged(orders, first, second)

    def _judged(self, orders: Sequence[Order], first: Trial, second: Trial | None) -> Judged:
        batches, held, passed_over = [*first.batches], list[tuple[Order, Revert]](), list[tuple[Order, str]]()
        good = first.good
        already_paid = [order for order in orders if first.is_paid(order.key)]
        for order in orders:
            key = order.key
            if key in good:
                continue
            if key in first.unknown and second is not None and key in second.good:
                # One node that would pay it is enough to bind: a payment that fails costs gas, and moves nothing.
                batches.append((order,))
            elif first.is_paid(key):
                # Somebody has paid this reference: adoption looks whether that is final, and binds nothing here.
                continue
            elif (blame := self._blame(key, first, second)) is not None:
                # Two nodes refuse it while they would pay the probe: only a person can help, so it is held.
                held.append((order, blame))
            else:
                # Refused on one node, or known to none: it waits and is named, and the others go on.
                refusal = first.refused.get(key)
                passed_over.append((order, first.unknown[key] if refusal is None else refusal.text))
        place = {order.key: at for at, order in enumerate(orders)}
        batches.sort(key=lambda batch: place[batch[0].key])  # the oldest first
        return Judged(batches=batches, held=held, passed_over=passed_over, already_paid=already_paid)

    def _blame(self, key: OrderKey, first: Trial, second: Trial | None) -> Revert | None:
        """An order is held on two refusals, of two nodes where two are configured; the second when tried alone."""
        return first.blames(key) if second is not None and second.blames(key) else None

    async def _second(self, orders: Sequence[Order], *, besides: str) -> Trial | None:
        """Return what the next node that can say says of each alone, or the only node; None where none can."""
        for node in [node for node in self.nodes if node != besides] or [besides]:
            try:
                return await self._try(orders, node=node, alone=True)
            except (ChainUnavailable, WrongChain):
                continue
        return None

    async def _try(self, orders: Sequence[Order], *, node: str, alone: bool = False) -> Trial:
        """Try *orders* together; then what is left of a refused batch together; then each that still is left alone."""
        trial, left = Trial(), orders
        for size in (1,) if alone else (self.batch_size, self.batch_size, 1):
            if left and trial.service_wide is None:
                left = await self._tried(trial, [tuple(left[at : at + size]) for at in range(0, len(left), size)], node)
        return trial

    async def _tried(self, trial: Trial, batches: Sequence[Batch], node: str) -> Sequence[Order]:
        """
        Try *batches* beside the probe and note the outcomes; return the orders of which nothing is known yet.

        Only the probe of the same request shows which order caused a refusal: the contract may change between requests.
        """
        calls = [self.payer.probe(self.operator), *(self.payer.pay(*batch) for batch in batches)]
        probe, *simulations = await self.payer.simulate(self.operator, calls, node=node)
        trial.probe = self._refusal(probe)
        refused_before = set(trial.refused)
        pairs = zip(batches, simulations, strict=True)
        left = [order for batch, simulation in pairs for order in self._note(trial, batch, simulation)]
        if trial.probe is None and not probe.unknown:
            trial.blamed |= trial.refused.keys() - refused_before
        return left

    def _note(self, trial: Trial, batch: Batch, simulation: Simulation) -> Sequence[Order]:
        """Note what a node says of *batch*; return the orders of which that says nothing."""
        said = [simulation] if len(batch) == 1 else [Simulation(items=(item,)) for item in simulation.items]
        if len(said) != len(batch):
            return batch
        for order, each in zip(batch, said, strict=True):
            refusal = self._refusal(each)
            if refusal is not None:
                trial.refused[order.key] = refusal
            elif each.unknown:
                trial.unknown[order.key] = each.unknown
        left = [order for order in batch if order.key not in trial.refused and order.key not in trial.unknown]
        if len(left) < len(batch):
            return left
        trial.batches.append(batch)
        return ()

    def _refusal(self, simulation: Simulation) -> Revert | None:
        return simulation.refusal(self.gas_limit)
