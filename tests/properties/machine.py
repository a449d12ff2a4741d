"""The machine: orders, hosts, people, a chain and a table, and everything that can go wrong between them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from distributor.caps import NO_CAPS
from distributor.model import Order
from distributor.payout.settlement import LEASE_MS
from tests.properties import machine_end
from tests.properties.machine_approvals import LIMIT
from tests.properties.machine_events import APPROVING, LANES, SHOPPING, TROUBLES, Event, events
from tests.properties.machine_host import Host
from tests.properties.machine_invariants import Watchman
from tests.properties.machine_loop import Job
from tests.properties.machine_people import People
from tests.properties.machine_rules import (
    BY_DEPTH,
    BY_TAG,
    CAPS,
    JOBS_MAX,
    Rulebook,
)
from tests.properties.machine_shops import Shops
from tests.properties.machine_tally import TALLY
from tests.properties.machine_troubles import Troubles
from tests.properties.machine_world import World


def _possible(machine: Payouts) -> st.SearchStrategy[Event]:
    """Return what may happen next in this machine's history."""
    return events(machine.likely)


class Payouts(RuleBasedStateMachine):
    """One history. Rules are what the world does; the code under test is the real one."""

    only = frozenset[str]()
    """The troubles of every history, where a test is after something that needs them; empty: whichever are drawn."""
    rulebooks: tuple[Rulebook, ...] = (BY_TAG, BY_DEPTH)

    @initialize(
        by_depth=st.booleans(),
        capped=st.booleans(),
        guarded=st.booleans(),
        troubles=st.frozensets(st.sampled_from(sorted(TROUBLES)), min_size=6),
    )
    def begin(self, by_depth: bool, capped: bool, guarded: bool, troubles: frozenset[str]) -> None:
        """An empty ledger, two hosts, a full reserve; and the troubles of this history."""
        self.failed = False
        self.likely = self.only or troubles
        shops = Shops() if self.likely & SHOPPING.keys() else None
        limit = LIMIT if self.likely & APPROVING.keys() else None
        caps = CAPS if capped else NO_CAPS
        lanes = bool(self.likely & LANES.keys())
        self.world = World(self.rulebooks[by_depth], caps, guarded=guarded, shops=shops, limit=limit, lanes=lanes)
        self.watchman = Watchman(self.world)
        self.people, self.troubles = People(self.world, self._start), Troubles(self.world, by_depth=by_depth)
        TALLY["histories"] += 1

    @rule(event=st.runner().flatmap(_possible))
    def happens(self, event: Event) -> None:
        """One thing happens."""
        name, arguments = event
        TALLY[name] += 1
        doer = next(each for each in (self, self.people, self.troubles) if hasattr(each, name))
        getattr(doer, name)(**arguments)

    # the app -----------------------------------------------------------------------------------

    def receive(self, host: int, number: int, tokens: int, at_once: bool) -> None:
        """The shop sends an order: for the first time, again, or with other content."""
        self._receive(self.world.an_order(number, tokens), host, at_once=at_once)

    def receive_from_second(self, host: int, number: int, tokens: int, at_once: bool) -> None:
        """Another shop sends an order; its ids are those of the first shop as well."""
        self._receive(self.world.an_order(number, tokens, second=True), host, at_once=at_once)

    def distribute(self, host: int, gates: int) -> None:
        """A message wakes distribution: the only one, or one too many."""
        self._start(host, Host.drain, gates=gates)

    def settle(self, host: int, gates: int) -> None:
        """A message wakes settlement."""
        self._start(host, Host.follow, gates=gates)

    def step(self, at: int, task: int, gates: int) -> None:
        """One invocation gets on by some calls."""
        jobs = self.world.jobs
        if jobs:
            host, job = jobs[at % len(jobs)]
            self._let_on(host, job, gates, task)

    def run(self, at: int) -> None:
        """One invocation runs to its end, or until it sleeps."""
        jobs = self.world.jobs
        if jobs:
            host, job = jobs[at % len(jobs)]
            host.turns.run(job)

    def pass_block(self) -> None:
        """A block is made in its time, and who slept looks again."""
        self.world.block_passes()
        for host, job in self.world.jobs:
            if job.sleeps:
                host.turns.open(job)
                host.turns.run(job)

    def pay_as_usual(self, host: int) -> None:
        """An undisturbed minute on one host: what waits is bound and looked after for some blocks."""
        each = self.world.hosts[host]
        each.turns.run(each.drain())
        job = each.follow()
        each.turns.run(job)
        for _ in range(4):
            self.world.block_passes()
            if job.sleeps:
                each.turns.open(job)
                each.turns.run(job)

    def overtake(self, host: int, gates: int, drains: bool) -> None:
        """One host is slower than its lease, and the other one does the same work in the midst of it."""
        slow, fast = self.world.hosts[host], self.world.hosts[1 - host]
        job = slow.drain() if drains else slow.follow()
        self._let_on(slow, job, gates, 0)
        self.world.clock.advance(LEASE_MS + 1)
        fast.turns.run(fast.drain() if drains else fast.follow())
        slow.turns.run(job)

    def crash(self, host: int) -> None:
        """SIGKILL before or after the call in flight; the next process knows nothing."""
        TALLY["crashes"] += 1
        TALLY["killed at work"] += bool(self.world.hosts[host].turns.jobs)
        self.world.kill(host)

    # what must hold ----------------------------------------------------------------------------

    @invariant()
    def look(self) -> None:
        """Everything, after every step."""
        TALLY["steps"] += 1
        self.failed = True
        self.troubles.note_finality()
        if "lose_ledger" in self.likely:
            self.troubles.keep_copy()
        self.watchman.see_ended(self.world.ended())
        self.watchman.look()
        self.failed = False

    def teardown(self) -> None:
        """End the history, and the processes with it."""
        try:
            if not self.failed:
                machine_end.drive(self.world, self.watchman)
                machine_end.count(self.world)
        finally:
            for host in self.world.hosts:
                host.turns.kill()

    # inside ------------------------------------------------------------------------------------

    def _receive(self, order: Order, host: int, *, at_once: bool) -> None:
        self.world.note_asked(order)
        self._start(host, lambda each: each.receive(order), at_once=at_once)

    def _start(self, at: int, begin: Callable[[Host], Job], *, gates: int = 0, at_once: bool = False) -> None:
        host = self.world.hosts[at]
        if len(host.turns.jobs) >= JOBS_MAX:
            return
        job = begin(host)
        if at_once:
            host.turns.run(job)
        else:
            self._let_on(host, job, gates, 0)

    def _let_on(self, host: Host, job: Job, gates: int, task: int) -> None:
        for _ in range(gates):
            if job.gates:
                host.turns.open(job, task)
