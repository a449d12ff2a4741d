"""The machine: orders, hosts, people, a chain and a table, and everything that can go wrong between them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from distributor.caps import NO_CAPS
from distributor.model import SubmitOutcome
from distributor.payout.settlement import LEASE_MS
from distributor.units import Wei
from tests.factories import GWEI
from tests.fakes.chain import OPERATOR, Behaviour
from tests.properties import machine_end, machine_lies, machine_people
from tests.properties.machine_events import MISBEHAVIOURS, TROUBLES, Event, events
from tests.properties.machine_host import Host
from tests.properties.machine_invariants import Watchman
from tests.properties.machine_loop import Job
from tests.properties.machine_rules import (
    BY_DEPTH,
    BY_TAG,
    CAPS,
    DEEP_REORG_BLOCKS_MAX,
    FINALITY_DEPTH,
    JOBS_MAX,
    OPERATORS,
    Rulebook,
)
from tests.properties.machine_tally import TALLY
from tests.properties.machine_world import World


def _possible(machine: Payouts) -> st.SearchStrategy[Event]:
    """Return what may happen next in this machine's history."""
    return events(machine.troubles)


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
        self.troubles = self.only or troubles
        self.world = World(self.rulebooks[by_depth], CAPS if capped else NO_CAPS, guarded=guarded)
        self.watchman = Watchman(self.world)
        self.by_depth = by_depth
        self.copies = [self.world.rows.dump()]
        """The table after each step, where it may be lost."""
        self.final_number = 0
        """The highest block that was ever shown as final: nothing below it leaves the chain."""
        TALLY["histories"] += 1

    @rule(event=st.runner().flatmap(_possible))
    def happens(self, event: Event) -> None:
        """One thing happens."""
        name, arguments = event
        TALLY[name] += 1
        getattr(self, name)(**arguments)

    # the app -----------------------------------------------------------------------------------

    def receive(self, host: int, number: int, tokens: int, at_once: bool) -> None:
        """The shop sends an order: for the first time, again, or with other content."""
        order = self.world.an_order(number, tokens)
        self.world.asked[order.key] = self.world.asked.get(order.key, 0) + 1
        self._start(host, lambda each: each.receive(order), at_once=at_once)

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

    # people ------------------------------------------------------------------------------------

    def pause(self, host: int, at_once: bool, halts: bool) -> None:
        """A person closes the switch; once that is answered nothing is bound, and after a halt nothing submitted."""
        self._start(host, lambda each: each.pause(halts=halts), at_once=at_once)

    def resume(self, host: int) -> None:
        """A person opens the switch."""
        for each, job in self.world.jobs:
            if job.name == "pause":
                each.turns.run(job)
        self.world.paused_for_good = self.world.halted_for_good = False
        self._start(host, Host.resume, at_once=True)

    def decide(self, host: int, at: int, at_once: bool, cancel: bool) -> None:
        """A person retries an order, or takes one back; refused where its state forbids that."""
        orders = self.world.stored()
        if orders:
            order = orders[at % len(orders)]
            self._start(host, lambda each: each.cancel(order) if cancel else each.retry(order), at_once=at_once)

    def cancel_nonce(self, host: int, at: int, at_once: bool) -> None:
        """A person has a nonce spent on nothing; refused while its payment would go through."""
        opened = self.world.loop.finish(self.world.ledger.open_transactions())
        if opened:
            slot = opened[at % len(opened)].transaction
            self._start(host, lambda each: each.cancel_nonce(slot.operator, slot.nonce), at_once=at_once)

    def rotate(self, host: int, at_once: bool) -> None:
        """A person adds the next key; once that is answered it is configured, and each host takes it at its start."""
        self._start(host, lambda each: each.add_operator(self.world.rotated), at_once=at_once)

    def command(self, host: int, what: str, at: int, at_once: bool) -> None:
        """A person takes one of the other exits; refused where ledger and chain agree."""
        self._start(host, lambda each: machine_people.take_exit(each, what, at), at_once=at_once)

    # the table ---------------------------------------------------------------------------------

    def lose_group(self, how: str, times: int) -> None:
        """Answers to the next groups are lost, are the echo of their own success, or the groups come late."""
        for _ in range(times):
            match how:
                case "echo":
                    self.world.rows.echo_conflict_once()
                case "held up":
                    self.world.post.hold_up += 1
                case _:
                    self.world.rows.lose_next_answer(done=how == "lost, done")

    def lose_ledger(self, how: str, back: int, really: bool) -> None:
        """
        The table is emptied, or is put back as it was some steps ago.

        Without a guard a table that is put back is safe only behind a pause and a fence: not played here.
        """
        if really and not self.world.lost and (how == "emptied" or self.world.guarded):
            self.world.lost = how
            TALLY[f"ledger {how}"] += 1
            self.world.rows.restore({} if how == "emptied" else self.copies[-1 - back % len(self.copies)])

    def arrive_late(self) -> None:
        """A group arrives whose sender has long given it up."""
        self.world.post.arrive()

    # the chain ---------------------------------------------------------------------------------

    def mine(self, blocks: int) -> None:
        """Blocks come faster than anyone looks."""
        for _ in range(blocks):
            self.world.block_passes()

    def reorganise(self, depth: int, keep: bool) -> None:
        """Blocks that are not final leave the chain; their transactions are put back, or forgotten."""
        self._reorg(min(depth, self.world.chain.head.number - self.final_number), keep=keep)

    def reorganise_failures(self, keep: bool) -> None:
        """Blocks in which nobody was paid leave the chain though they were final: finality has failed."""
        blocks = self.world.chain.head.number
        floor = max([0, blocks - DEEP_REORG_BLOCKS_MAX, *self.world.paying_blocks(self.final_number)])
        if self.world.failed_blocks(floor):
            self._reorg(blocks - floor, keep=keep)

    def set_base_fee(self, gwei: int) -> None:
        """The network gets dear, or cheap."""
        self.world.chain.set_base_fee(Wei(gwei * GWEI))

    def drop(self, at: int, back: bool) -> None:
        """The pools forget a transaction, or get one that was held back or forgotten."""
        chain = self.world.chain
        among = chain.handed if back else chain.pooled
        if among:
            sent = among[at % len(among)]
            chain.arrive(sent) if back else chain.drop(sent.tx_hash)

    def spoil_submissions(self, how: SubmitOutcome | None, acted: bool, times: int) -> None:
        """Answers to the next submitted bytes are lost, or are refusals."""
        if how is None:
            self.world.chain.lose_answers(times, acted=acted)
        else:
            self.world.chain.refuse(how, times)

    def mislead(self, what: str, at: int) -> None:
        """Nodes lag, have no receipts, or are silent."""
        chain = self.world.chain
        match what:
            case "lag":
                chain.lag(at % 4)
            case "hide":
                for sent in chain.handed[-1 - at % 3 :]:
                    chain.hide_receipt(sent.tx_hash)
            case _:
                # Behind a liar alone a payment may rest on its word: the runbook says so, and nobody disproves it.
                chain.go_down(chain.nodes[at % 2] if at % 3 and not self.world.liars else "")

    def lie(self, at: int, how: str) -> None:
        """One node says what is not so, while the other answers."""
        if not self.world.liars:
            self.world.chain.come_back()
            self.world.liars.add(self.world.chain.nodes[at % 2])
        for node in self.world.liars:
            machine_lies.tell(self.world.chain, node, how)

    def silence_lane(self, at: int) -> None:
        """No producer sees what one operator sends, whatever it offers."""
        self.world.chain.rules.silent = {OPERATORS[at % len(OPERATORS)]}

    def refuse_batches(self, most: int) -> None:
        """No node answers more than *most* calls at once."""
        self.world.chain.batch_max = most

    def lose_finality(self, stalled: bool) -> None:
        """The finalized tag is missing, or stays where it is."""
        self.world.chain.stall_finality() if stalled else self.world.chain.miss_finality()

    def be_honest(self) -> None:
        """Nodes answer again."""
        self.world.liars.clear()
        self.world.chain.calm()
        self.world.chain.rules.silent.clear()

    def change_contract(self, how: str, dear: bool) -> None:
        """The contracts refuse, forge, move nothing, refuse one wallet, or need more gas."""
        rules = self.world.chain.rules
        rules.behaviour = Behaviour(how) if how in MISBEHAVIOURS else Behaviour.HONEST
        rules.paused = how == "paused"
        rules.refused_wallets = {self.world.an_order(0, 10).wallet} if how == "wary" else set()
        rules.distribute_gas = 200_000 if dear else 60_000

    def change_guard(self, how: str, at: int) -> None:
        """The guard fails an item, is paused, says nothing, or is gone around; nothing happens where there is none."""
        rules = self.world.chain.rules
        refs = [order.ref_id for order in self.world.stored()]
        rules.failing_refs = {refs[at % len(refs)]} if how == "fails" and refs else set()
        rules.guard_paused, rules.guard_is_mute = how == "paused", how == "mute"
        if self.world.guarded:
            self.world.guard.bypass(OPERATOR, bypassed=how == "bypassed")

    def pay_elsewhere(self, at: int) -> None:
        """Another ledger pays an order through the same guard; without one nobody could tell."""
        orders = [order for order in self.world.stored() if order.amount_units]  # a guard takes no payment of nothing
        if self.world.guarded and orders:
            self.world.pay_elsewhere(orders[at % len(orders)])

    def skew(self, host: int, ms: int) -> None:
        """The clock of one host jumps."""
        self.world.skew_ms[host] = ms

    def pass_time(self, ms: int) -> None:
        """Time passes without a block: leases end, patience runs out, a day begins."""
        self.world.clock.advance(ms)

    # what must hold ----------------------------------------------------------------------------

    @invariant()
    def look(self) -> None:
        """Everything, after every step."""
        TALLY["steps"] += 1
        self.failed = True
        self._note_finality()
        if "lose_ledger" in self.troubles:
            self.copies.append(self.world.rows.dump())
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

    def _note_finality(self) -> None:
        head = self.world.chain.head.number
        shown = head - FINALITY_DEPTH if self.by_depth else self.world.chain.finalized_number
        self.final_number = max(self.final_number, shown or 0)

    def _reorg(self, depth: int, *, keep: bool) -> None:
        self._note_finality()
        if depth > 0:
            self.world.chain.reorg(depth, keep=keep)
            TALLY["reorgs"] += 1
