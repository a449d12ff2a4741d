"""
What a person does to the ledger: found it, pause it, halt it, retry or cancel an order.

Nothing here runs on its own, except the pause when something final left the chain. Each action is one
group, conditional on what the person saw, and leaves a line in the audit trail: who, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from distributor.errors import ForeignLedger, NotYet
from distributor.ledger import keys
from distributor.ledger.announcing import announce, numbered
from distributor.ledger.binding import found_ledger, require_whole
from distributor.ledger.columns import decode, encode
from distributor.ledger.doubts import Doubts
from distributor.ledger.opened import opened
from distributor.ledger.queries import find_record, must_find_record
from distributor.ledger.records import NextNonce, Slot
from distributor.ledger.signs import OPERATORS_MAX, Signs
from distributor.model import Address, HoldReason, Order, OrderStatus
from distributor.state import Identity, PauseState
from foundation.clock import Clock
from foundation.errors import Contention, InvariantBroken, require
from foundation.sentences import sentence
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.ports import AuditTrail, Rows, Value
from foundation.tablestore.queries import past

TURN_TRIES_MAX = 8
"""How often others may turn the switch while it is being closed."""
TOUCH_TRIES_MAX = 64
"""How many bindings may slip in before a pause: a round that began before it binds 16 at most."""


@dataclass(frozen=True, slots=True)
class Admin:
    """What operators do; the ledger's rules apply to them as to the service."""

    rows: Rows
    audit: AuditTrail
    clock: Clock

    @property
    def signs(self) -> Signs:
        return Signs(self.rows, self.clock)

    # whose ledger ------------------------------------------------------------------------------

    async def initialise(self, identity: Identity, operator: Address, next_nonce: int) -> bool:
        """Make this ledger *identity*'s; False when it is already, ForeignLedger when it is another's."""
        try:
            await commit(self.rows, found_ledger(identity, operator, next_nonce), marker_row=keys.IDENTITY)
        except Contention:
            found = await find_record(self.rows, Identity, keys.IDENTITY)
            if found != identity:
                raise ForeignLedger(f"the ledger belongs to {found}, not to {identity}") from None
            return False
        await self.audit.record("identity", encode(identity) | encode(Slot(operator, next_nonce)))
        return True

    async def add_operator(self, operator: Address, next_nonce: int) -> bool:
        """Let *operator* bind, from *next_nonce* on; False when it already may."""
        group = AtomicWrite()
        group.insert(keys.nonce(operator), encode(NextNonce(next=next_nonce)))
        try:
            await commit(self.rows, group, marker_row=keys.nonce(operator))
        except Contention:
            return False
        await self.audit.record(f"operator:{operator}", encode(Slot(operator, next_nonce)))
        return True

    # the switch --------------------------------------------------------------------------------

    async def pause_state(self) -> PauseState:
        """
        Return the switch; without its row, or where the row cannot be read, it is paused.

        A table that lost rows must not pay, and a word of a newer version may mean "stop".
        """
        row = await self.rows.get(keys.CONTROL)
        if row is None:
            return NO_SWITCH
        try:
            return decode(PauseState, row)
        except InvariantBroken as error:
            return replace(UNREADABLE_SWITCH, paused_why=str(error), version=row.version)

    async def set_pause_state(self, pause_state: PauseState) -> PauseState:
        stored = await self.write_switch(pause_state)
        await self.audit.record(f"control:{self.clock():015d}", encode(pause_state))
        return stored

    async def write_switch(self, pause_state: PauseState) -> PauseState:
        """Store the switch without a line in the audit trail. Raises Contention if somebody turned it since."""
        group = AtomicWrite()
        group.put(keys.CONTROL, encode(pause_state), pause_state.version)
        versions = await commit(self.rows, group, marker_row=keys.CONTROL)
        return replace(pause_state, version=version_of(versions, keys.CONTROL))

    async def pause(self, by: str, why: str) -> PauseState:
        """
        Stop all binding: once this is answered nothing is bound, not even by a round in progress.

        1. A round reads the next nonce, then the switch, which is still open; it goes on to sign.
        2. A person closes the switch. The round has looked already, and would bind behind it.
        3. So the rows of the nonces are written once more, with the same number: the round's binding
           is conditional on the version it read in step 1, loses, and begins anew at the switch.
        4. A round binds as fast as we write, and may win a few times more: 16 at most, then it is over.

        Paused already, the first pause's words stand; the nonces are written again, in case that one
        died before it came to them.
        """
        return await self._close(lambda pause_state: _paused(pause_state, by, why))

    async def halt(self, by: str, why: str) -> PauseState:
        """
        Stop all binding, and all broadcasting except by command: signed transactions are no longer broadcast.

        Every broadcaster checks the halt flag first. Once this is answered only a
        batch whose look came before it can still go out, and what the nodes have they keep.
        """
        return await self._close(lambda pause_state: _halted(pause_state, by, why))

    async def _close(self, closed: Callable[[PauseState], PauseState]) -> PauseState:
        """Close the switch as *closed* says, even if others turn it as well; then make every open round lose."""
        pause_state = await self._turn(closed)
        for row in await self.rows.scan(keys.NONCES, past(keys.NONCES), limit=OPERATORS_MAX):
            await self._touch(row.key)
        return pause_state

    async def _turn(self, closed: Callable[[PauseState], PauseState]) -> PauseState:
        """Write the switch as *closed* says, also where it says so already: a resume on its way to us must lose."""
        for _ in range(TURN_TRIES_MAX):
            pause_state = await self.pause_state()
            after = closed(pause_state)
            if pause_state.paused_by == UNREADABLE_SWITCH.paused_by:
                require(not after.halted, "the switch is a newer version's: halt with that version")
                return pause_state
            try:
                return await (self.write_switch(after) if after == pause_state else self.set_pause_state(after))
            except Contention:
                continue  # somebody else turned it first: read it again
        raise Contention(sentence("the switch kept being turned"))

    async def resume(self, by: str, why: str, seen: PauseState | None = None) -> PauseState:
        """
        End a pause and a halt, the sign that was noted, and distrust; who resumed and why is in the audit trail.

        1. A person sees a pause, and resumes: first the nodes are asked what speaks against it, which takes seconds.
        2. Meanwhile another person halts everything, or a round pauses because the chain is ahead of the ledger.
        3. Ended in the name of the first, that stop would be gone unseen: so the switch must be as it was *seen*.

        Args:
            by: Who resumes.
            why: Their reason.
            seen: The switch as it was read before anything was asked; None: as it is now.

        Raises:
            Contention: The switch was turned at this very moment.
            NotYet: The switch was turned since it was seen. Or a nonce that this ledger never bound is being cancelled:
                what wins it may still be the payment of an order that waits here.
        """
        empty = [each.transaction for each in (await opened(self.rows)).transactions if not each.transaction.orders]
        if empty:
            raise NotYet(
                sentence(
                    "nonce {nonce} of {operator} was cancelled and is not final: wait until settlement "
                    "has closed it, or `resolve` it where another transaction won",
                    nonce=empty[0].nonce,
                    operator=empty[0].operator,
                )
            )
        pause_state = await self.pause_state()
        if seen is not None and pause_state.version != seen.version:
            raise NotYet(sentence("somebody turned the switch meanwhile, and it stays so: look again"))
        await self.signs.forget()
        await Doubts(self.rows, self.clock).forget()
        require(
            pause_state.paused_by != UNREADABLE_SWITCH.paused_by,
            "the switch is a newer version's: resume with that version",
        )
        if pause_state.paused:
            pause_state = await self.set_pause_state(
                replace(
                    PauseState(version=pause_state.version),
                    console_epoch=pause_state.console_epoch,
                    console_link_ms=pause_state.console_link_ms,
                )
            )
            await self.record("resume", "payouts", by, why)
        return pause_state

    async def _touch(self, key: str) -> None:
        """Write a nonce as it is, so that a round that has read it before must read it again."""
        for _ in range(TOUCH_TRIES_MAX):
            nonce = await must_find_record(self.rows, NextNonce, key)
            group = AtomicWrite()
            group.replace(key, encode(nonce), nonce.version)
            try:
                await commit(self.rows, group, marker_row=key)
            except Contention:
                continue  # a binding was first, and the next one is not: it meets the switch
            return
        raise Contention(sentence("bindings kept going on behind the pause"))

    # orders ------------------------------------------------------------------------------------

    async def retry(self, order: Order, by: str, why: str) -> Order:
        """
        Put a held order back into the backlog, at its old place.

        Its nonce is empty: it was never bound, or the group that held it recorded that nonce as
        finally consumed. An order with a nonce could be paid under two, so it is refused here.
        """
        state = (order.status, order.operator, order.nonce)
        require(state == (OrderStatus.HELD, None, None), f"order {order.key} cannot be retried: {state}")
        _refuse_newer(order)
        require(order.hold_reason is not HoldReason.NEEDS_APPROVAL, f"order {order.key} is approved, and not retried")
        waits = replace(order, status=OrderStatus.RECEIVED, hold_reason=None, hold_detail="", paid_hash=None)
        if order.hold_reason is HoldReason.PAST_UNKNOWN:
            waits = replace(waits, vetted_ms=self.clock())
        group = AtomicWrite()
        group.delete(keys.held_row(order.key))
        group.insert(keys.open_order(order), encode(order.key))
        return await self._change(order, waits, group, ("retry", by, why))

    async def cancel(self, order: Order, by: str, why: str) -> Order:
        """Take back an order that waits or is held; one that is bound may be paid at any moment, and is refused."""
        free = order.status in {OrderStatus.RECEIVED, OrderStatus.HELD} and order.nonce is None
        require(free, f"order {order.key} cannot be cancelled, it is {order.status} with nonce {order.nonce}")
        _refuse_newer(order)
        group = AtomicWrite()
        held = order.status is OrderStatus.HELD
        group.delete(keys.held_row(order.key) if held else keys.open_order(order))
        return await self._change(order, replace(order, status=OrderStatus.CANCELLED), group, ("cancel", by, why))

    async def _change(self, before: Order, after: Order, group: AtomicWrite, action: Sequence[str]) -> Order:
        """Do *group* together with the order's own row, on the condition that nobody wrote it since it was read."""
        require_whole(before)
        key, now = keys.order_row(before.key), self.clock()
        after = numbered(replace(after, updated_ms=now), now)
        announce(group, [after], now)
        group.replace(key, encode(after), before.version)
        versions = await commit(self.rows, group, marker_row=key)
        verb, by, why = action
        was = f"{before.status} {before.hold_reason or ''} {before.paid_hash or ''}".strip()
        await self.record(verb, str(before.key), by, why, was=was)
        return replace(after, version=version_of(versions, key))

    # the trail ---------------------------------------------------------------------------------

    async def record(self, deed: str, subject: str, by: str, why: str, **more: Value) -> None:
        """Note who did what to what, when and why."""
        now_ms = self.clock()
        entry: dict[str, Value] = {"deed": deed, "subject": subject, "by": by, "why": why, "at_ms": now_ms}
        await self.audit.record(f"{deed}:{subject}:{now_ms:015d}", entry | more)


def _refuse_newer(order: Order) -> None:
    """Raise InvariantBroken where a newer version said why *order* is held: this one cannot know what that asks for."""
    known = order.hold_reason is None or order.hold_reason.is_known
    require(known, f"order {order.key} is held as {order.hold_reason}, a newer version's word: no verb touches it")


NO_SWITCH = PauseState(paused=True, paused_by="ledger", paused_why="there is no control row")
UNREADABLE_SWITCH = PauseState(paused=True, paused_by="ledger: unreadable")


def _paused(pause_state: PauseState, by: str, why: str) -> PauseState:
    """Return the switch closed; if a person closed it already, keep the first words."""
    kept = pause_state.paused and pause_state != NO_SWITCH
    return pause_state if kept else replace(pause_state, paused=True, paused_by=by, paused_why=why)


def _halted(pause_state: PauseState, by: str, why: str) -> PauseState:
    paused = _paused(pause_state, by, why)
    return paused if paused.halted else replace(paused, halted=True, halted_by=by, halted_why=why)
