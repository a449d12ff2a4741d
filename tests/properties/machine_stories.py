"""
Stories: histories in which a discipline that is taken away does its harm at once.

Some harms need several things in one order, and random histories meet that seldom: the search for them took minutes,
and another number of awaits in the code made it longer. A story says what must happen instead. Where the harm depends
on the await at which one process is interrupted, the story is played at each of them in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from distributor.payout.settlement import LEASE_MS
from tests.properties import machine_end
from tests.properties.machine import Payouts
from tests.properties.machine_host import Host
from tests.properties.machine_loop import Job
from tests.properties.machine_rules import FINALITY_DEPTH

AWAITS_MAX = 1_000
"""Work on one order that is not over after so many awaits never is."""
PATIENT_MINUTES = 15
"""Longer than a second word is waited for, and than an order waits for its release."""
DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens, in which world, and whether it is played once or at each await of a piece of work."""

    tell: Callable[[Payouts, int], bool]
    """Let it happen, one process interrupted after so many awaits; say whether its work was over before."""
    by_depth: bool = True
    guarded: bool = False
    troubles: frozenset[str] = frozenset()


def play(story: Story) -> None:
    """
    Play *story* to its end, at each await if it has any; every rule is looked at.

    Raises:
        Broken: A rule does not hold.
    """
    for awaits in range(1, AWAITS_MAX):
        if _played(story, awaits):
            return
    raise AssertionError("the work that is interrupted is never over")


def _played(story: Story, awaits: int) -> bool:
    machine = Payouts()
    machine.begin(by_depth=story.by_depth, capped=False, guarded=story.guarded, troubles=story.troubles)
    try:
        over = story.tell(machine, awaits)
        machine.look()
        machine_end.drive(machine.world, machine.watchman)
    finally:
        for host in machine.world.hosts:
            host.turns.kill()
    return over


def _once(tell: Callable[[Payouts], None]) -> Callable[[Payouts, int], bool]:
    """Return *tell* as a story that interrupts nobody."""

    def told(machine: Payouts, _awaits: int) -> bool:
        tell(machine)
        return True

    return told


# what stories are made of --------------------------------------------------------------------------


def _comes(machine: Payouts, *numbers: int) -> None:
    """Let orders come."""
    for number in numbers:
        machine.receive(0, number, 10, True)
        machine.look()


def _is_bound(machine: Payouts, *numbers: int) -> None:
    """Let orders come and be bound and submitted; no block is made."""
    _comes(machine, *numbers)
    _works(machine, Host.drain)


def _works(machine: Payouts, begin: Callable[[Host], Job], *, host: int = 0) -> None:
    """Let one host work until it is done or sleeps."""
    turns = machine.world.hosts[host].turns
    turns.run(begin(machine.world.hosts[host]))
    machine.look()


def _is_settled(machine: Payouts, blocks: int, *, host: int = 0) -> None:
    """Let one host settle from now until so many blocks were made; then its process ends."""
    _works(machine, Host.follow, host=host)
    for _ in range(blocks):
        machine.pass_block()
        machine.look()
    machine.world.kill(host)
    machine.troubles.pass_time(LEASE_MS + 1)


def _is_settled_for_long(machine: Payouts) -> None:
    """Let minutes pass in which everything that can become final does."""
    for _ in range(PATIENT_MINUTES):
        _is_settled(machine, FINALITY_DEPTH)
        machine.troubles.pass_time(60_000)
        machine.troubles.mine(1)


def _is_overtaken(
    machine: Payouts, begin: Callable[[Host], Job], awaits: int, meanwhile: Callable[[Payouts], None]
) -> bool:
    """Let a host be slow after so many awaits, while something happens; say whether it was done or slept by then."""
    slow = machine.world.hosts[0]
    job = begin(slow)
    for _ in range(awaits):
        if job.over or job.sleeps:
            break
        slow.turns.open(job)
    over = job.over or job.sleeps
    meanwhile(machine)
    slow.turns.run(job)
    machine.look()
    return over


# two processes -------------------------------------------------------------------------------------


def _bound_while_another_is_closed(machine: Payouts, awaits: int) -> bool:
    """Both change the totals, and no other row of the other one: one adds an order, the other takes one away."""
    _is_bound(machine, 0)
    machine.troubles.mine(FINALITY_DEPTH + 2)
    _comes(machine, 1)
    return _is_overtaken(machine, Host.drain, awaits, lambda each: _is_settled(each, 2, host=1))


def _looked_at_while_it_is_closed(machine: Payouts, awaits: int) -> bool:
    """One process notes that it was mined, the other one that it is final."""
    _is_bound(machine, 0)
    machine.troubles.mine(FINALITY_DEPTH + 2)
    return _is_overtaken(machine, Host.follow, awaits, _closes)


def _closes(machine: Payouts) -> None:
    machine.troubles.pass_time(LEASE_MS + 1)
    _is_settled(machine, 2, host=1)


def _outbid_by_two(machine: Payouts, awaits: int) -> bool:
    """The price has risen, and both processes sign the next attempt."""
    _is_bound(machine, 0)
    machine.troubles.set_base_fee(26)
    machine.troubles.pass_time(LEASE_MS + 1)
    return _is_overtaken(machine, Host.follow, awaits, _outbids)


def _outbids(machine: Payouts) -> None:
    machine.troubles.pass_time(LEASE_MS + 1)
    machine.troubles.set_base_fee(15)  # so that it offers something else
    _works(machine, Host.follow, host=1)


def _paused_while_it_is_bound(machine: Payouts, awaits: int) -> bool:
    _comes(machine, 0)
    return _is_overtaken(machine, Host.drain, awaits, lambda each: each.people.pause(1, True, False))


def _halted_while_it_is_bound(machine: Payouts, awaits: int) -> bool:
    _comes(machine, 0)
    return _is_overtaken(machine, Host.drain, awaits, lambda each: each.people.pause(1, True, True))


TOTALS_MEET = Story(tell=_bound_while_another_is_closed)
CLOSED_IN_BETWEEN = Story(tell=_looked_at_while_it_is_closed)
TWO_OUTBID = Story(tell=_outbid_by_two)
PAUSED_IN_BETWEEN = Story(tell=_paused_while_it_is_bound)
HALTED_IN_BETWEEN = Story(tell=_halted_while_it_is_bound)


# the chain -----------------------------------------------------------------------------------------


def _is_not_seen_for_a_while(machine: Payouts) -> None:
    """No block is made; a worker that takes that for a loss binds the order again, and both payments are mined."""
    _is_bound(machine, 0)
    machine.troubles.pass_time(LEASE_MS + 1)
    _works(machine, Host.follow)
    _works(machine, Host.drain)
    machine.troubles.mine(1)


def _leaves_the_chain_while_no_tag_is_shown(machine: Payouts) -> None:
    """No node knows of anything final, so nothing is, however deep it is."""
    machine.troubles.lose_finality(stalled=False)
    _is_bound(machine, 0)
    _is_settled(machine, 6)
    machine.troubles.reorganise(8, keep=False)


def _failure_leaves_the_chain_after_its_finality(machine: Payouts) -> None:
    """What failed in a block that leaves the chain waits in the pool again, and now it pays."""
    _is_bound(machine, 0)
    machine.troubles.change_contract("paused", dear=False)
    _is_settled(machine, FINALITY_DEPTH + 3)
    machine.troubles.change_contract("fine", dear=False)
    machine.troubles.reorganise_failures(keep=True)
    machine.troubles.mine(1)


def _two_dear_times(machine: Payouts) -> None:
    """No block comes for so long that the first attempt is replaced by its age; then the second one is too cheap."""
    _is_bound(machine, 0)
    for _ in range(6):
        _is_settled(machine, 0)
        machine.troubles.pass_time(60_000)
    machine.troubles.set_base_fee(26)


def _spent_on_nothing(machine: Payouts) -> None:
    """Its payment would fail, so a person has its nonce spent on a cancellation, and that becomes final."""
    _is_bound(machine, 0)
    machine.troubles.change_contract("paused", dear=False)
    machine.people.cancel_nonce(0, 0, True)
    machine.look()
    _is_settled_for_long(machine)


def _lied_about(how: str, trouble: str = "fine") -> Callable[[Payouts], None]:
    """Return a payment that one of two nodes calls something else for long; it may have failed for a cause."""

    def told(machine: Payouts) -> None:
        _is_bound(machine, 0)
        machine.troubles.change_contract(trouble, dear=False)
        if how != "invented":
            machine.troubles.mine(1)
        machine.troubles.lie(0, how)
        if how == "invented":
            machine.troubles.drop(0, back=False)
        _is_settled_for_long(machine)

    return told


UNSEEN = Story(tell=_once(_is_not_seen_for_a_while))
NO_TAG = Story(tell=_once(_leaves_the_chain_while_no_tag_is_shown), by_depth=False)
FAILURE_UNDONE = Story(tell=_once(_failure_leaves_the_chain_after_its_finality))
DEAR_TWICE = Story(tell=_once(_two_dear_times))
CANCELLED = Story(tell=_once(_spent_on_nothing))
CALLED_UNPAID = Story(tell=_once(_lied_about("without logs")))
CALLED_FAILED = Story(tell=_once(_lied_about("failed")))
CALLED_PAID = Story(tell=_once(_lied_about("paid", "paused")))
INVENTED = Story(tell=_once(_lied_about("invented")))


# the books -----------------------------------------------------------------------------------------


def _fails_the_day_after(machine: Payouts) -> None:
    """It is bound on one day and held on the next, on which another order of its wallet is bound before."""
    _is_bound(machine, 0)
    machine.troubles.change_contract("paused", dear=False)
    machine.troubles.mine(1)
    machine.troubles.change_contract("fine", dear=False)
    machine.troubles.pass_time(DAY_MS)
    _is_bound(machine, 2)
    _is_settled_for_long(machine)


FAILS_THE_DAY_AFTER = Story(tell=_once(_fails_the_day_after))


# people --------------------------------------------------------------------------------------------


def _erased_and_sent_again(machine: Payouts) -> None:
    """It is paid, and a person has its data erased; then the shop sends it again."""
    _is_bound(machine, 0)
    _is_settled(machine, FINALITY_DEPTH + 2)
    machine.people.purge(0, 0, True)
    machine.look()
    _is_bound(machine, 0)
    _is_settled(machine, FINALITY_DEPTH + 2)


def _erased_while_it_is_paid(machine: Payouts) -> None:
    """Its payment is under way when a person asks for its data to be erased."""
    _is_bound(machine, 0)
    machine.people.purge(0, 0, True)
    machine.look()
    _is_settled_for_long(machine)


SENT_AGAIN = Story(tell=_once(_erased_and_sent_again))
ERASED_TOO_EARLY = Story(tell=_once(_erased_while_it_is_paid))


# the guard -----------------------------------------------------------------------------------------


def _one_of_two_equal_items_fails(machine: Payouts) -> None:
    """One transfer of that amount to that wallet, and two orders of one call that ask for it."""
    _is_bound(machine, 0, 2)
    assert len({order.nonce for order in machine.world.stored()}) == 1
    machine.troubles.change_guard("fails", 0)
    _is_settled_for_long(machine)


def _paid_elsewhere_for_a_block(machine: Payouts) -> None:
    """Another ledger pays it through the same guard, in a block that leaves the chain."""
    _comes(machine, 0)
    machine.troubles.pay_elsewhere(0)
    _works(machine, Host.drain)
    machine.troubles.reorganise(1, keep=False)


def _table_is_put_back(machine: Payouts) -> None:
    """
    The pool holds a payment, the table is put back as it was before it, and the shop sends the order again.

    Another order takes the nonce that the ledger forgot, so that the order itself gets the next one.
    """
    _is_bound(machine, 0)
    machine.troubles.lose_ledger("went back", len(machine.troubles.copies) - 1, True)
    _is_bound(machine, 1)
    _is_bound(machine, 0)
    machine.troubles.mine(1)


EQUAL_ITEMS = Story(tell=_once(_one_of_two_equal_items_fails), guarded=True)
PAID_ELSEWHERE = Story(tell=_once(_paid_elsewhere_for_a_block), guarded=True)
PUT_BACK = Story(tell=_once(_table_is_put_back), guarded=True, troubles=frozenset({"lose_ledger"}))
