"""
Use case: tell each shop what became of its orders.

The facts are announced in their own groups. A turn fans them out into call-backs and then sends what is due, each shop
by itself and side by side: one that hangs keeps no other waiting. What is sent is stored before it is sent, so:

1. Killed before the announcement is deleted: it is fanned out again, and the call-backs that are there stay.
2. Killed before the attempt is stored: nothing was sent.
3. Killed behind it, before or after the post: the attempt is counted, and the call-back is due again.
4. Killed after the answer: the same; the shop gets the event again, with the id it has seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from distributor.call_backs.message import body_of, event_id
from distributor.call_backs.posting import Posting, Receiver
from distributor.call_backs.schedule import ATTEMPTS_MAX, Meaning, Reply, address_after, after_reply, begun, is_due
from distributor.ledger import Ledger
from distributor.ledger.announcing import told_as
from distributor.ledger.call_backs import Announced
from distributor.ledger.call_records import CallAddress, CallBack, CallState
from distributor.ledger.opened import Unreadable
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.model import Order
from distributor.payout.alarms import row_unreadable
from distributor.payout.catalogue_call_backs import CALL_BACK_GIVEN_UP, CALL_BACKS_UNSIGNED
from distributor.ports import Alarm, Alarms
from foundation import logs
from foundation.clock import Clock, UnixMs
from foundation.errors import Contention, InvariantBroken

ANNOUNCEMENTS_AT_ONCE: Final = 100
DUE_AT_ONCE: Final = 64
"""Call-backs of a shop that are read in one look."""
SENT_AT_ONCE: Final = 8
"""To an address whose last answer was good; to one that fails, one."""
FAN_OUT_MS: Final = 20_000
"""After this a turn fans out no more: the host ends a process whose function takes ten minutes."""
TURN_MS: Final = 40_000
"""After this a turn begins no other attempt; the next turn comes within the minute."""
UNKNOWN_MS_MAX: Final = 600_000
"""A rotation is registered within minutes; longer than this only a person ends it."""
LEASE_MS: Final = 90_000
"""A turn and its last attempt are over before another host may send to the same shop."""
_FOREIGN: Final = "not sent: the order is not this shop's"
_SUPERSEDED: Final = "not sent: a later event of the order supersedes it"
_UNREADABLE: Final = "not sent: the order cannot be read"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class CallBackTurn:
    """Fan out what is announced and send what is due; ``receivers`` gives each shop's address and secrets of now."""

    ledger: Ledger
    receivers: Callable[[], Mapping[str, Receiver]]
    fingerprints: SecretFingerprints
    posting: Posting
    alarms: Alarms
    clock: Clock
    holder: str

    async def run(self) -> None:
        """
        Do one turn; what is not done in it stays for the next.

        Raises StoreUnavailable, for the first shop it concerned, after all others had their turn.
        """
        receivers = self.receivers()
        await self._fan_out(receivers.keys())
        await self._forget_addresses(receivers)
        ends_ms = UnixMs(self.clock() + TURN_MS)
        done = await asyncio.gather(
            *(self._tell(receiver, ends_ms) for receiver in receivers.values()), return_exceptions=True
        )
        for trouble in done:
            if isinstance(trouble, BaseException):
                raise trouble

    async def _fan_out(self, sources: Collection[str]) -> None:
        place, more = "", True
        ends_ms = self.clock() + FAN_OUT_MS
        while more and self.clock() < ends_ms:
            page, place = await self.ledger.call_backs.announced(limit=ANNOUNCEMENTS_AT_ONCE, after=place)
            more = bool(place)
            silent = [each for each in page if isinstance(each, Announced) and not _concerns(each, sources)]
            try:
                await self.ledger.call_backs.drop(silent)
                for each in page:
                    if isinstance(each, Unreadable):
                        await self.alarms.raise_(row_unreadable(each))
                    elif _concerns(each, sources) and self.clock() < ends_ms:
                        await self.ledger.call_backs.fan_out(each, sources)
            except Contention:
                logs.info(_log, "fanned_out_elsewhere")

    async def _forget_addresses(self, receivers: Mapping[str, Receiver]) -> None:
        """Forget how an address answered that belongs to no shop any more; its alarms end."""
        try:
            addresses = await self.ledger.call_backs.addresses()
        except InvariantBroken:
            return  # the shop that it belongs to raises it in its own turn, behind the others
        for address in addresses:
            receiver = receivers.get(address.source)
            if receiver is None or receiver.url_id != address.url_id:
                await self.ledger.call_backs.forget_address(address)

    async def _tell(self, receiver: Receiver, ends_ms: UnixMs) -> None:
        """Send what is due to one shop, under its lease."""
        if not receiver.secrets:
            await self.alarms.raise_(_unsigned(receiver))
            return
        if not await self._is_known(receiver):
            await self._wait_for_a_word(receiver)
            return
        lease = await self.ledger.leases.acquire(f"callbacks:{receiver.source}", self.holder, ttl_ms=LEASE_MS)
        if lease is None:
            return
        try:
            while self.clock() < ends_ms and await self._some(receiver):
                pass
        finally:
            await self.ledger.leases.release(lease)

    async def _is_known(self, receiver: Receiver) -> bool:
        """Say whether the register knows whose the secret is; the next sweep, or a person, adds a new one."""
        owners = await self.ledger.shops.owners()
        return not owners.any or await self.fingerprints.of(receiver.secrets[0]) in owners.sources

    async def _wait_for_a_word(self, receiver: Receiver) -> None:
        """Leave what is due as it is: nobody knows whose the secret is. Say so after ten minutes."""
        first = await self.ledger.call_backs.due(receiver.source, limit=1)
        if any(isinstance(each, CallBack) and each.next_ms < self.clock() - UNKNOWN_MS_MAX for each in first):
            await self.alarms.raise_(_unsigned(receiver))

    async def _some(self, receiver: Receiver) -> bool:
        """Send the next few call-backs; False where there is nothing that may be sent now."""
        address, now = await self.ledger.call_backs.address(receiver.source, receiver.url_id), self.clock()
        if address.stopped is not None or now < address.next_ms:
            return False
        due = await self.ledger.call_backs.due(receiver.source, limit=DUE_AT_ONCE)
        for each in due:
            if isinstance(each, Unreadable):
                await self.alarms.raise_(row_unreadable(each))
        ready = [each for each in due if isinstance(each, CallBack) and is_due(each, address, now)]
        some = ready[: 1 if address.failures else SENT_AT_ONCE]
        replies = await asyncio.gather(*(self._one(receiver, call_back) for call_back in some))
        await self._note(address, [reply for reply in replies if reply is not None])
        return bool(some)

    async def _note(self, address: CallAddress, replies: Sequence[Reply]) -> None:
        after = address_after(address, replies, self.clock()) if replies else address
        if after == address:
            return
        try:
            await self.ledger.call_backs.save_address(after)
        except Contention:
            logs.info(_log, "address_noted_elsewhere", source=address.source)

    async def _one(self, receiver: Receiver, call_back: CallBack) -> Reply | None:
        """Send one call-back, or say why not; None where nothing was sent."""
        try:
            try:
                unsent = await self._unsent(receiver, call_back)
            except InvariantBroken as error:
                unsent = await self._put_off(call_back, error)
            if unsent is not None:
                await self._end(call_back, unsent)
                return None
            message_id = event_id(call_back.key, call_back.sequence)
            sent = begun(call_back, message_id, self.clock())
            sent = await self.ledger.call_backs.save(call_back, sent)
        except Contention:
            logs.info(_log, "call_back_changed", order=str(call_back.key))
            return None
        reply = await self.posting.post(receiver, body_of(sent), message_id)
        try:
            await self._end(sent, after_reply(sent, reply, self.clock()))
        except Contention:
            logs.info(_log, "call_back_changed", order=str(call_back.key))
        return reply

    async def _put_off(self, call_back: CallBack, error: InvariantBroken) -> CallBack:
        """Return a call-back whose order cannot be read as one that failed, or it would always be the next one."""
        await self.alarms.raise_(row_unreadable(Unreadable(key=str(call_back.key), why=str(error))))
        now = self.clock()
        tried = begun(call_back, event_id(call_back.key, call_back.sequence), now)
        return after_reply(tried, Reply(meaning=Meaning.FAILED, words=_UNREADABLE), now)

    async def _end(self, before: CallBack, after: CallBack) -> None:
        """
        Store what became of a call-back.

        One that is given up is said first: stored, no turn finds it again, and a crash in between would keep silent.
        """
        if after.state is CallState.GIVEN_UP:
            await self.alarms.raise_(_given_up(after))
        await self.ledger.call_backs.save(before, after)
        logs.info(
            _log,
            "call_back",
            order=str(after.key),
            status=str(after.status),
            state=str(after.state),
            attempts=after.attempts,
            answer=after.answer,
        )

    async def _unsent(self, receiver: Receiver, call_back: CallBack) -> CallBack | None:
        """
        Return *call_back* as it ends without being sent; None where it is to be sent.

        The order is asked for as its shop would ask, with the secret that signs: a shop that got another one's name
        in the settings is not told of the other one's orders.
        """
        signed_with = await self.fingerprints.of(receiver.secrets[0])
        order = await self.ledger.shop_orders.own(call_back.source, call_back.order_id, signed_with)
        if order is None or order.key != call_back.key:
            return replace(call_back, state=CallState.GIVEN_UP, answer=_FOREIGN)
        if call_back.sequence < (order.sequence or 0):
            await self._announce_dropped(order)
            return replace(call_back, state=CallState.SUPERSEDED, answer=_SUPERSEDED)
        if order.status.is_known and call_back.status != told_as(order):
            await self.ledger.call_backs.announce_again(order)  # an older version changed it, and announced nothing
            return replace(call_back, state=CallState.SUPERSEDED, answer=_SUPERSEDED)
        if call_back.attempts >= ATTEMPTS_MAX:
            return replace(call_back, state=CallState.GIVEN_UP)
        return None

    async def _announce_dropped(self, order: Order) -> None:
        """
        Announce an order anew whose newest event has no call-back.

        While the shop had no address it was dropped, and this call-back waited: the shop would hear of neither. Where
        it is only not fanned out yet, the shop is told of one event more, which supersedes it.
        """
        if await self.ledger.call_backs.find(order.key, order.sequence or 0) is None:
            await self.ledger.call_backs.announce_again(order)


def _concerns(announced: Announced, sources: Collection[str]) -> bool:
    return any(event.key.source in sources for event in announced.said.events)


def _unsigned(receiver: Receiver) -> Alarm:
    return Alarm(
        code=CALL_BACKS_UNSIGNED,
        summary=f"Shop {receiver.source} has an address, and no secret that counts.",
        action="Set its WEBHOOK_SECRET, or say whose a new one is (`shops same-as`); or remove its CALLBACK_URL.",
        subject=receiver.source,
    )


def _given_up(call_back: CallBack) -> Alarm:
    return Alarm(
        code=CALL_BACK_GIVEN_UP,
        summary=f"The shop was not told that order {call_back.key} is {call_back.status}: {call_back.answer}.",
        action=f"Repair the shop's receiver, then `callbacks resend {call_back.source} --order {call_back.order_id}`.",
        subject=str(call_back.key),
    )
