"""
What a second person says of an order that is held for approval, and that the ledger asks every host to heed it.

An approval is a column of its order: who, when, of which content, until when. It is written in the group that puts
the order back into the backlog, on the condition that nobody wrote the order since the person saw it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from distributor import approvals
from distributor.ledger import keys
from distributor.ledger.admin import Admin
from distributor.ledger.announcing import announce, numbered
from distributor.ledger.columns import decode, encode
from distributor.ledger.records import NextNonce, Schema
from distributor.ledger.signs import OPERATORS_MAX
from distributor.model import Approval, HoldReason, Order, OrderStatus
from foundation.clock import Clock, UnixMs
from foundation.errors import Contention, require
from foundation.sentences import sentence
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.ports import UNSTORED, AuditTrail, Rows
from foundation.tablestore.queries import past

LEVEL: Final = 4
"""The rules of binding that a limit asks for: code that knows fewer would pay what nobody approved."""
_TRIES_MAX: Final = 64
"""How many bindings may slip in before every nonce is written again."""


@dataclass(frozen=True, slots=True)
class Approving:
    """Raises StoreUnavailable where nothing is known; Contention: read again and decide again."""

    rows: Rows
    audit: AuditTrail
    clock: Clock

    async def approve(self, order: Order, by: str, why: str) -> Order:
        """
        Put an order that is held for approval back into the backlog, with the approval of *by*.

        Raises:
            InvariantBroken: It is not held for that, or *by* is who asked for it.
        """
        state = (order.status, order.hold_reason, order.nonce)
        expected = (OrderStatus.HELD, HoldReason.NEEDS_APPROVAL, None)
        require(state == expected, f"order {order.key} does not wait for approval: {state}")
        require(not approvals.asked(order, by), f"order {order.key} was asked for by {by}, who cannot approve it")
        now, key = self.clock(), keys.order_row(order.key)
        content = approvals.content_of(order)
        given = Approval(by=by, at_ms=now, fingerprint=content, until_ms=UnixMs(now + approvals.VALID_MS))
        waits = replace(order, status=OrderStatus.RECEIVED, hold_reason=None, hold_detail="", approval=given)
        waits = numbered(replace(waits, updated_ms=now), now)
        group = AtomicWrite()
        announce(group, [waits], now)
        group.replace(key, encode(waits), order.version)
        group.delete(keys.held_row(order.key))
        group.insert(keys.open_order(order), encode(order.key))
        versions = await commit(self.rows, group, marker_row=key)
        record = Admin(self.rows, self.audit, self.clock).record
        await record("approve", str(order.key), by, why, fingerprint=order.fingerprint, until_ms=given.until_ms)
        return replace(waits, version=version_of(versions, key))

    async def ask_of_all(self) -> None:
        """
        Let the ledger ask for the rules of approval: code that does not know them binds nothing from then on.

        Every nonce is written again in the same group, so that a round of such code that read the level before loses.
        """
        for _ in range(_TRIES_MAX):
            row = await self.rows.get(keys.SCHEMA)
            if row is not None and decode(Schema, row).level >= LEVEL:
                return
            group = AtomicWrite()
            group.put(keys.SCHEMA, encode(Schema(level=LEVEL)), row.version if row else UNSTORED)
            for nonce in await self.rows.scan(keys.NONCES, past(keys.NONCES), limit=OPERATORS_MAX):
                group.replace(nonce.key, encode(decode(NextNonce, nonce)), nonce.version)
            try:
                await commit(self.rows, group, marker_row=keys.SCHEMA)
            except Contention:
                continue  # a binding was first, or another host asked for it: read again
            return
        raise Contention(sentence("bindings kept going on while the rules of approval were asked for"))
