"""What goes wrong without anybody here doing it: with the table, the chain, its nodes and contracts, and the clocks."""

from __future__ import annotations

from collections.abc import Mapping

from distributor.model import SubmitOutcome
from distributor.units import Wei
from foundation.tablestore.ports import Value
from tests.factories import GWEI
from tests.fakes.chain import OPERATOR, Behaviour
from tests.properties import machine_approvals, machine_backup, machine_lies
from tests.properties.machine_events import MISBEHAVIOURS
from tests.properties.machine_rules import AMPLE_WEI, DEEP_REORG_BLOCKS_MAX, FINALITY_DEPTH, LANES, OPERATORS
from tests.properties.machine_tally import TALLY
from tests.properties.machine_world import World


class Troubles:
    """Every trouble by its name."""

    def __init__(self, world: World, *, by_depth: bool) -> None:
        self.world, self.by_depth = world, by_depth
        self.copies: list[Mapping[str, Mapping[str, Value]]] = [world.rows.dump()]
        """The table after each step, where it may be lost."""
        self.final_number = 0
        """The highest block that was ever shown as final: nothing below it leaves the chain."""

    def keep_copy(self) -> None:
        """Keep the table as it is: it may be put back to this."""
        self.copies.append(self.world.rows.dump())

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
        The table is emptied, or is put back as it was some steps ago, as it is or from a backup.

        Without a guard a table that is put back is safe only behind a pause and a fence: not played here.
        """
        if how == "restored":
            if really and not self.world.lost and (rows := machine_backup.restored(self.copies, back)):
                TALLY["ledger restored"] += 1
                self.world.lose("emptied", rows)  # it is nobody's, as an empty one is
        elif really and not self.world.lost and (how == "emptied" or self.world.guarded):
            TALLY[f"ledger {how}"] += 1
            self.world.lose(how, {} if how == "emptied" else self.copies[-1 - back % len(self.copies)])

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

    def set_lanes(self, at: int) -> None:
        """A person configures both lanes, in either order, or one of them; each host takes it at its start."""
        self.world.lanes = LANES[at % len(LANES)]

    def dry_lane(self, at: int, dry: bool) -> None:
        """One operator has no coin for gas, or gets some."""
        self.world.chain.set_gas(OPERATORS[at % len(OPERATORS)], Wei(0) if dry else AMPLE_WEI)

    def bar_lane(self, at: int, barred: bool) -> None:
        """One operator may not pay, or may again."""
        self.world.let_pay(OPERATORS[at % len(OPERATORS)], may=not barred)

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

    def stray(self, at: int) -> None:
        """Somebody uses the key of an operator for something else, which the ledger knows nothing of."""
        self.world.stray(self.world.operators[at % len(self.world.operators)])

    def skew(self, host: int, ms: int) -> None:
        """The clock of one host jumps."""
        self.world.skew_ms[host] = ms

    def pass_time(self, ms: int) -> None:
        """Time passes without a block: leases end, patience runs out, a day begins."""
        self.world.clock.advance(ms)

    def forge_approval(self, at: int, how: str) -> None:
        """Somebody edits the table: an approval is copied to another order, or written by who asked."""
        machine_approvals.forge(self.world, at, how)

    def wait_a_week(self) -> None:
        """Approvals of before end."""
        self.world.clock.advance(machine_approvals.WEEK_MS)

    # inside ------------------------------------------------------------------------------------

    def note_finality(self) -> None:
        """Keep how far the chain was ever shown as final."""
        head = self.world.chain.head.number
        shown = head - FINALITY_DEPTH if self.by_depth else self.world.chain.finalized_number
        self.final_number = max(self.final_number, shown or 0)

    def _reorg(self, depth: int, *, keep: bool) -> None:
        self.note_finality()
        if depth > 0:
            self.world.chain.reorg(depth, keep=keep)
            TALLY["reorgs"] += 1
