"""Use case: what a person does about call-backs: look, send again, test an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distributor.call_backs.message import body_of_test, event_id, id_of_test
from distributor.call_backs.posting import Posting, Receiver
from distributor.call_backs.schedule import Meaning, Reply, recovered
from distributor.errors import NotYet
from distributor.ledger import Ledger
from distributor.ledger.announcing import told_as
from distributor.ledger.call_records import CallAddress, CallBack, CallState
from distributor.ledger.opened import Unreadable
from distributor.model import Order, OrderStatus
from foundation.clock import Clock, UnixMs
from foundation.sentences import sentence

COUNTED_MAX = 1_000
"""What is still to be sent is counted up to here."""
SHOWN_MAX = 50
"""Call-backs that one answer shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ByHand:
    """Look at call-backs and send them again; the next turn, within a minute, does the sending."""

    ledger: Ledger
    clock: Clock

    async def shops(self, receivers: Mapping[str, Receiver]) -> Sequence[Mapping[str, object]]:
        """Return how each address answers, and how much is still to be sent to it; never the address."""
        asked = {(each.source, each.url_id): each for each in await self.ledger.call_backs.addresses()}
        return [
            await self._shop(receiver, asked.get((receiver.source, receiver.url_id))) for receiver in receivers.values()
        ]

    async def _shop(self, receiver: Receiver, address: CallAddress | None) -> Mapping[str, object]:
        due = await self.ledger.call_backs.count_due(receiver.source, limit=COUNTED_MAX)
        stopped = str(address.stopped) if address is not None and address.stopped is not None else None
        return {
            "shop": receiver.source,
            "signed": bool(receiver.secrets),
            "stopped": stopped,
            "failures": address.failures if address is not None else 0,
            "answer": address.answer if address is not None else None,
            "due": due,
        }

    async def newest(self, source: str) -> Sequence[CallBack]:
        """Return the newest call-backs of a shop, each with what was answered."""
        found = await self.ledger.call_backs.newest(source, limit=SHOWN_MAX)
        return [each for each in found if isinstance(each, CallBack)]

    async def of_order(self, order: Order) -> Sequence[CallBack]:
        """Return what the shop of an order was told of it, the newest last."""
        return await self.ledger.call_backs.of_order(order.key, limit=SHOWN_MAX)

    async def resend(self, order: Order) -> str:
        """
        Have a shop told again what an order's newest event is; return the id that it gets.

        An order whose newest event has no call-back (its shop had no address then), or is not what the order is now (an
        older version changed it, and announced nothing), gets a new event.

        Raises:
            NotYet: Nothing became of it so far.
            Contention: It changed just now.
        """
        told = order.sequence is not None or order.status in {
            OrderStatus.PAID,
            OrderStatus.HELD,
            OrderStatus.CANCELLED,
        }
        if not told:
            raise NotYet(sentence("nothing became of order {order} so far", order=str(order.key)))
        call_back = await self.ledger.call_backs.find(order.key, order.sequence or 0)
        if call_back is None or call_back.status != told_as(order):
            return event_id(order.key, await self.ledger.call_backs.announce_again(order))
        await self.ledger.call_backs.send_again(call_back)
        return event_id(order.key, call_back.sequence)

    async def since(self, source: str, since_ms: UnixMs, *, apply: bool) -> int:
        """Have a shop told again of every event since then that no later one superseded; return how many."""
        count = 0
        async for each in self.ledger.call_backs.since(source, since_ms):
            if isinstance(each, Unreadable) or each.state not in {CallState.TOLD, CallState.GIVEN_UP}:
                continue
            if apply:
                await self.ledger.call_backs.send_again(each)
            count += 1
        return count

    async def test(self, receiver: Receiver, posting: Posting) -> Reply:
        """Post a test; a good answer ends a stop, and the newest state of each order is sent within a minute."""
        now = self.clock()
        reply = await posting.post(receiver, body_of_test(receiver.source, now), id_of_test(receiver.source, now))
        if reply.meaning is Meaning.TOLD:
            address = await self.ledger.call_backs.address(receiver.source, receiver.url_id)
            await self.ledger.call_backs.save_address(recovered(address, reply.words, self.clock()))
        return reply
