"""Stories of a lost ledger, and of nonces: a fence that ends too early, a stray nonce, one that holds up nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from distributor.recovery import fence
from tests.properties.machine import Payouts
from tests.properties.machine_harm import hold
from tests.properties.machine_rules import FINALITY_DEPTH, OPERATORS
from tests.properties.machine_stories import Story, _comes, _is_bound, _is_settled, _once

FENCE_NONCES = 2
"""As wide as a fence must be around a story of three transactions."""
PATIENT_BLOCKS = 10 * FINALITY_DEPTH
REBUILT_WHOLE = "a rebuilt ledger is not behind the chain"
UNTOUCHED = "no command writes to nobody's ledger"
OUTBID = "what its own fees hold up is outbid"


def _is_lost(machine: Payouts) -> None:
    """No pool holds anything any more, and the table is empty."""
    for sent in list(machine.world.chain.pooled):
        machine.world.chain.drop(sent.tx_hash)
    machine.troubles.lose_ledger("emptied", 0, True)


def _is_rebuilt(machine: Payouts, trouble: Callable[[Payouts], None] = lambda _: None) -> None:
    """Rebuild to the end; *trouble* happens once, in the first wait after the last nonce of the fence was spent."""
    chain, host = machine.world.chain, machine.world.hosts[0]
    before = len(chain.receipts)
    troubled = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fence, "FENCE_NONCES", FENCE_NONCES)
        job = host.rebuild()
        host.turns.run(job)
        for _ in range(PATIENT_BLOCKS):
            machine.pass_block()
            if not troubled and len(chain.receipts) == before + FENCE_NONCES:
                troubled = True
                trouble(machine)
    assert job.over, "the rebuild is not over"
    machine.people.resume(0)


def _payments_come_back(machine: Payouts) -> None:
    """
    One order is paid, another one's payment is in a pool that nobody asks; the table is lost, and made again.

    The shop sends both again. A third order takes the nonce of that payment where no fence has spent it, and is dropped
    from the pools: the payment and the new one of its order are mined.
    """
    _is_bound(machine, 0)
    _is_settled(machine, FINALITY_DEPTH + 2)
    _is_bound(machine, 1)
    _is_lost(machine)
    _is_rebuilt(machine)
    payment, others = machine.world.chain.handed[1], len(machine.world.chain.handed)
    _is_bound(machine, 2)
    _is_bound(machine, 0, 1)
    machine.world.chain.drop(machine.world.chain.handed[others].tx_hash)
    machine.world.chain.arrive(payment)
    machine.troubles.mine(1)


def _payment_is_brought_back(machine: Payouts) -> None:
    """
    The fence was quiet; its block leaves the chain, and the lost payment is mined instead of a cancellation.

    As many nonces are spent as before. That block is final one block earlier than the payment, so that a fence
    which goes by it ends a block too early, and what is read then does not hold the payment.
    """

    def brings_it_back(machine: Payouts) -> None:
        chain = machine.world.chain
        payment, *cancellations = chain.handed
        chain.reorg(1, keep=False)
        for sent in (payment, cancellations[-1]):
            chain.arrive(sent)
        chain.mine(1)

    _is_bound(machine, 0)
    _is_lost(machine)
    _is_rebuilt(machine, brings_it_back)
    _is_bound(machine, 0)
    machine.troubles.mine(1)


def _payment_comes_late(machine: Payouts) -> None:
    """
    The fence was quiet; the payment with the nonce after its last one comes from a pool that nobody asked.

    A fence that overlooks it leaves a ledger that is behind the chain on its first day: its next nonce is spent, its
    order is unknown, and only the sign that the chain is ahead keeps that order from being paid again.
    """

    def comes_late(machine: Payouts) -> None:
        machine.world.chain.arrive(machine.world.chain.handed[FENCE_NONCES])
        machine.troubles.mine(1)

    for number in range(FENCE_NONCES + 1):
        _is_bound(machine, number)
    _is_lost(machine)
    _is_rebuilt(machine, comes_late)
    bound = machine.world.loop.finish(machine.world.ledger.signs.next_nonces())[OPERATORS[0]]
    hold(bound == len(machine.world.chain.receipts), REBUILT_WHOLE, bound)


def _price_rises_between_two(machine: Payouts) -> None:
    """One payment is mined, finality stands still, and the next one is too cheap: nothing but its fees holds it up."""
    _is_bound(machine, 0)
    machine.troubles.mine(1)
    _is_bound(machine, 1)
    machine.troubles.lose_finality(stalled=False)
    machine.troubles.set_base_fee(26)
    _is_settled(machine, PATIENT_BLOCKS)
    hold(len(machine.world.chain.receipts) == 2, OUTBID, machine.world.chain.pooled)


def _stray_is_undone(machine: Payouts) -> None:
    """A key is used for something else, in a block that leaves the chain; a person steps over that nonce too early."""
    machine.people.pause(0, True, False)
    machine.troubles.stray(0)
    machine.people.resolve(0, 0, True)
    machine.troubles.reorganise(1, keep=False)
    machine.people.resume(0)
    _is_bound(machine, 0)


def _drain_reads_what_is_being_lost(machine: Payouts) -> None:
    """
    The table is emptied while a drain reads its books: the nonce was there, the totals are gone.

    It says that a row is missing, and ends. A rebuild that was begun meanwhile is over before anybody looks at that.
    """
    _comes(machine, 0)
    turns = machine.world.hosts[0].turns
    drain = machine.world.hosts[0].drain()
    while all(gate.what != "before get commitments" for gate in drain.gates):
        turns.open(drain)
    machine.troubles.lose_ledger("emptied", 0, True)
    machine.people.rebuild(1, False)
    for host in machine.world.hosts:
        host.turns.go_free()


def _key_is_added_to_nobodys_ledger(machine: Payouts) -> None:
    """The table is lost, and a person who has not seen it adds the next key: the command writes nothing there."""
    machine.troubles.lose_ledger("emptied", 0, True)
    machine.people.rotate(0, True)
    hold(not machine.world.rows.dump(), UNTOUCHED, machine.world.rows.dump())


_LOSS = frozenset({"lose_ledger"})
COME_BACK = Story(tell=_once(_payments_come_back), troubles=_LOSS)
BROUGHT_BACK = Story(tell=_once(_payment_is_brought_back), troubles=_LOSS)
COMES_LATE = Story(tell=_once(_payment_comes_late), troubles=_LOSS)
PRICE_RISES = Story(tell=_once(_price_rises_between_two), by_depth=False)
READ_IN_PIECES = Story(tell=_once(_drain_reads_what_is_being_lost), by_depth=False, troubles=_LOSS)
NOBODYS = Story(tell=_once(_key_is_added_to_nobodys_ledger), by_depth=False, troubles=_LOSS)
STRAY_UNDONE = Story(tell=_once(_stray_is_undone))
